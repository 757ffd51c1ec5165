"""A server of bare sockets that plays scripted faults and counts what really arrived: whole POSTs, bytes, and bytes of the key."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Request:
    """One request as it arrived; `complete` when its whole body did."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    complete: bool

    def header(self, name: str) -> str | None:
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)


class Peer:
    """One accepted connection."""

    def __init__(self, server: RawServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self._rest = b""

    def read_request(self) -> Request | None:
        while b"\r\n\r\n" not in self._rest:
            if not self._more():
                return None
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
        while len(self._rest) < length and self._more():
            pass
        body, self._rest = self._rest[:length], self._rest[length:]
        request = Request(method, path, headers, body, len(body) == length)
        self.server.requests.append(request)
        return request

    def wait_for_more(self) -> bool:
        return bool(self._rest) or self._more()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def drip(self, pieces: Iterator[bytes], *, pause_seconds: float = 0.02) -> None:
        for piece in pieces:
            if self.server.closing.is_set():
                return
            self.send(piece)
            time.sleep(pause_seconds)

    def _more(self) -> bool:
        data = self.sock.recv(65536)
        self.server.received += data
        self._rest += data
        return bool(data)


Play = Callable[[Peer], bool | None]
"""Plays one exchange; true keeps the connection for the next one."""


@dataclass
class RawServer:
    """Plays one play per exchange, the last one for ever. A context manager."""

    plays: list[Play]
    requests: list[Request] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._peers: list[socket.socket] = []
        self._lock = threading.Lock()
        self.open = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.close()
        self._thread.join(5)

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def posts(self) -> int:
        """Whole POSTs: each of them could have been charged."""
        return sum(r.complete and r.method == "POST" for r in self.requests)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.append(sock)
            threading.Thread(target=self._play, args=(Peer(self, sock),), daemon=True).start()

    def _next(self) -> Play:
        with self._lock:
            return self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]

    def _play(self, peer: Peer) -> None:
        with self._lock:
            self.open += 1
        try:
            with peer.sock:
                while self._next()(peer) and peer.wait_for_more():
                    pass
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self.open -= 1


def reply(status: int, body: object = b"", headers: dict[str, str] | None = None) -> bytes:
    """The bytes of a whole answer; anything but bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
    lines = [f"{k}: {v}" for k, v in ({"Content-Length": str(len(data))} | kind | (headers or {})).items()]
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode("latin-1") + data


def answer(status: int, body: object = b"", headers: dict[str, str] | None = None) -> Play:
    """Read the request, answer, keep the connection."""
    return after_reading(lambda peer: peer.send(reply(status, body, headers)), keep=True)


def after_reading(act: Callable[[Peer], object], *, keep: bool = False) -> Play:
    def play(peer: Peer) -> bool:
        if peer.read_request() is None:
            return False
        act(peer)
        return keep

    return play


def raw(data: bytes) -> Play:
    """Read the request, send these bytes, close."""
    return after_reading(lambda peer: peer.send(data))


def close_before_reading(peer: Peer) -> None:
    """Accept and close; the request may still arrive in the kernel."""


def reset_before_reading(peer: Peer) -> None:
    peer.reset()


def hang(peer: Peer) -> None:
    peer.server.closing.wait(30)


hang_after_reading = after_reading(hang)
close_after_reading = after_reading(lambda peer: None)
reset_after_reading = after_reading(Peer.reset)
