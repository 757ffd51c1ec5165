"""The emulator as an HTTP server on loopback: sockets, threads, and how an answer is delivered. What it says is in `service.py`."""

from __future__ import annotations

import socket
import sqlite3
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from typing import Any, Self, assert_never, cast

from reconciler.emulator import answers
from reconciler.emulator.answers import Answer
from reconciler.emulator.books import Books
from reconciler.emulator.faults import Fault, FaultPlan
from reconciler.emulator.mischief import Delivery
from reconciler.emulator.service import Protocol, Reply, Request, Rules, Service
from reconciler.errors import ApiProblem
from reconciler.trainer import Trainer

LOOPBACK = "127.0.0.1"
SERVER_NAME = "reconciler-emulator"
MAX_BODY_BYTES = 256 * 1024 * 1024
IDLE_SECONDS = 120.0
STOP_SECONDS = 2.0
BACKLOG = 1024


class Emulator:
    """The trainer API on loopback.

    `books` is the path of the ledger (made when absent, shared between processes); `port` 0 takes a free one;
    `speed` divides all waiting; `price` is charged for each acceptance, USD; `keys` None takes any key that is not
    empty; `wallet` limits all charges, USD; `clock` gives epoch seconds; `strict` refuses bodies that the backend
    would; `inspect_datasets` lets a job fail whose dataset is inline and lacks captions. Nothing is ever fetched. Equal arguments, clock and requests give
    equal answers but for the port.
    """

    def __init__(
        self,
        *,
        books: Path,
        trainers: Mapping[str, Trainer],
        protocol: Protocol = "g2",
        port: int = 0,
        speed: float = 1.0,
        price: Decimal = Decimal("8.00"),
        keys: frozenset[str] | None = None,
        faults: Sequence[Fault] = (),
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        latency_seconds: float = 0.0,
        wallet: Decimal | None = None,
        strict: bool = True,
        inspect_datasets: bool = False,
    ) -> None:
        assert speed > 0, "speed divides"
        self.books = Books(books, clock=clock, wallet=wallet)
        self.plan = FaultPlan(faults)
        self._stopping = Event()
        rules = Rules(trainers, protocol, speed, price, keys, seed, strict, inspect_datasets)
        self._service = Service(rules, self.books, self.plan, clock=clock, pause=self._pause)
        self._latency_seconds = latency_seconds
        self._port = port
        self._server: _Server | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, once started."""
        assert self._server is not None, "the emulator was not started"
        return self._service.base

    def start(self) -> None:
        """Bind and serve in a thread. Raises ApiProblem when the port is taken."""
        try:
            self._server = _Server(self._port, self._service, self._stopping, self._latency_seconds)
        except (OSError, OverflowError) as error:
            self.books.close()
            raise ApiProblem(f"the emulator cannot listen on {LOOPBACK}:{self._port}: {error}", hint="take another port, or 0 for a free one") from None
        self._service.base = f"http://{LOOPBACK}:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="emulator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the answers under way finish (up to 2 s), close all connections and the books. May be called twice."""
        self._stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.close_all()
            self._server = self._thread = None
        self.books.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._stopping.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = BACKLOG

    def __init__(self, port: int, service: Service, stopping: Event, latency_seconds: float) -> None:
        self.service = service
        self.stopping = stopping
        self.latency_seconds = latency_seconds
        self._open: set[socket.socket] = set()
        self._guard = Lock()
        self._busy = 0
        self._calm = Condition()
        super().__init__((LOOPBACK, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the name lookup of the parent class, which may ask a name server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        if _resetting(request):
            # Closing without a shutdown, with no time to linger, sends RST instead of FIN.
            self.close_request(request)
        else:
            super().shutdown_request(request)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While a request is being answered."""
        with self._calm:
            self._busy += 1
        try:
            yield
        finally:
            with self._calm:
                self._busy -= 1
                self._calm.notify_all()

    def close_all(self) -> None:
        """Wait for the answers under way, then close the listener and every connection."""
        self.server_close()
        with self._calm:
            self._calm.wait_for(lambda: self._busy == 0, STOP_SECONDS)
        with self._guard:
            for connection in self._open:
                _shut(connection)
        with self._calm:
            self._calm.wait_for(lambda: self._busy == 0, STOP_SECONDS)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or books that were closed by `stop`, are no errors of the emulator."""
        if not self.stopping.is_set() and not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def handle_method(self) -> None:
        server = cast("_Server", self.server)
        if server.stopping.is_set():
            self.close_connection = True
            return
        with server.at_work():
            reply = self._reply(server)
            if reply is None:
                self.close_connection = True
            else:
                self._deliver(reply, server)

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT = do_PATCH = do_OPTIONS = handle_method  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing is logged: the ledger is the record."""

    def _reply(self, server: _Server) -> Reply | None:
        """What to send; None: nothing at all."""
        path = self.path.partition("?")[0]
        try:
            arrival = server.service.arrive(self.command, path)
            if arrival.unread is not None:
                return None
            body = self._body()
            if body is None:
                return None
            if isinstance(body, Answer):
                self.close_connection = True
                return Reply(body)
            if server.latency_seconds > 0:
                server.stopping.wait(server.latency_seconds)
            headers = {name.lower(): value for name, value in self.headers.items()}
            return server.service.answer(arrival, Request(self.command, path, headers, body))
        except sqlite3.Error:
            # Nothing was created when the books could not be written, and the documented text says no more.
            return None if server.stopping.is_set() else Reply(answers.backend(500))

    def _body(self) -> bytes | Answer | None:
        """The body; None when it never came whole; an answer when it cannot be read."""
        if "Transfer-Encoding" in self.headers:
            return answers.gateway(411, text="Length Required")
        length = self.headers.get("Content-Length", "0").strip()
        if not (length.isascii() and length.isdigit()):
            return answers.gateway(400, text="Bad Request")
        if int(length) > MAX_BODY_BYTES:
            return answers.gateway(413, text="Request body too large")
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _deliver(self, reply: Reply, server: _Server) -> None:
        answer, delivery = reply
        if delivery.delay_seconds > 0 and server.stopping.wait(delivery.delay_seconds):
            self.close_connection = True
            return
        whole = delivery.how == "whole"
        self.close_connection = self.close_connection or not whole
        head = self._head(answer, server.service.clock())
        body = b"" if self.command == "HEAD" else answer.body
        try:
            self._send(head, body, delivery, server)
        except OSError:
            self.close_connection = True

    def _send(self, head: bytes, body: bytes, delivery: Delivery, server: _Server) -> None:
        amount = delivery.amount
        match delivery.how:
            case "whole":
                self.connection.sendall(head + body)
            case "nothing":
                pass
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case "cut_headers":
                self.connection.sendall(head[: len(head) // 2 if amount is None else min(int(amount), len(head) - 1)])
            case "cut_body":
                self.connection.sendall(head + body[: len(body) // 2 if amount is None else min(int(amount), max(len(body) - 1, 0))])
            case "drip_body":
                self.connection.sendall(head)
                self._drip(body, amount or 0.0, server)
            case "drip_all":
                self._drip(head + body, amount or 0.0, server)
            case _:
                assert_never(delivery.how)

    def _drip(self, data: bytes, seconds: float, server: _Server) -> None:
        for index in range(len(data)):
            if server.stopping.wait(seconds):
                return
            self.connection.sendall(data[index : index + 1])

    def _head(self, answer: Answer, now: float) -> bytes:
        phrase = HTTPStatus(answer.status).phrase if answer.status in _PHRASES else "Unknown"
        lines = [f"HTTP/1.1 {answer.status} {phrase}", f"Server: {SERVER_NAME}", f"Date: {formatdate(now, usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        lines += [f"Content-Length: {len(answer.body)}", *(["Connection: close"] if self.close_connection else [])]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


_PHRASES = frozenset(status.value for status in HTTPStatus)


def _resetting(connection: socket.socket) -> bool:
    try:
        on, seconds = struct.unpack("ii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
    except OSError:
        return False
    return bool(on) and seconds == 0


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
