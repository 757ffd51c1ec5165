"""The transport under every exchange that needs no proxy: one connection, one request at a time, one write for a request.

It speaks httpx's own language (`Request`, `Response`, its exceptions, its `trace` events), so that `line` does not know
which transport it has. httpx's transport does the same over a pool that no purchase uses (each has a connection of its own),
at several times the CPU: with many purchases in flight that CPU, not the network, was the limit. Where a proxy leads to the
API, httpx's transport stays.

The order that money relies on: connected, then `http11.send_request_headers.started` (where an intent becomes durable, and
whose exception leaves nothing sent), then the first byte, in the same call as all others.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from reconciler.pixazo.incoming import Head, Incoming

IDLE_SECONDS = 30.0
"""A connection that was unused for longer is not used again."""
CLOSE = (b"Connection", b"close")
_PIECE_BYTES = 64 * 1024

Trace = Callable[[str, Mapping[str, Any]], None]


class DirectTransport(httpx.BaseTransport):
    """A connection to one origin, kept between requests where both sides allow it. Not for several threads at once."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._place = (host, port)
        self._context = context
        self._socket: socket.socket | None = None
        self._idle_until = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and read the head of the answer; the body is read by whoever iterates the response."""
        trace: Trace = request.extensions["trace"]
        limits = request.extensions["timeout"]
        try:
            connection = self._ready() or self._connect(trace, limits["connect"])
            trace("http11.send_request_headers.started", {"request": request})
            connection.settimeout(limits["read"])
            _send(connection, _bytes_of(request))
            incoming = Incoming(lambda: _receive(connection))
            head = incoming.head()
        except BaseException:
            self.close()
            raise
        return httpx.Response(head.status, headers=head.fields, stream=_Body(self, incoming, head, request), extensions={})

    def close(self) -> None:
        """Close the connection."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def ended(self, *, is_reusable: bool) -> None:
        """An answer was read, or given up."""
        if is_reusable:
            self._idle_until = time.monotonic() + IDLE_SECONDS
        else:
            self.close()

    def _ready(self) -> socket.socket | None:
        """The kept connection, unless it grew old or the server has ended it: then something, if only the end, can be read from it."""
        if self._socket is not None and (time.monotonic() >= self._idle_until or _is_readable(self._socket)):
            self.close()
        return self._socket

    def _connect(self, trace: Trace, seconds: float) -> socket.socket:
        try:
            plain = socket.create_connection(self._place, timeout=seconds)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("") from error
        except OSError as error:
            raise httpx.ConnectError("") from error
        self._socket = plain
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        trace("connection.connect_tcp.complete", {"return_value": _Stream(plain)})
        if self._context is None:
            return plain
        try:
            secured = self._context.wrap_socket(plain, server_hostname=self._place[0])
        except TimeoutError as error:
            raise httpx.ConnectTimeout("") from error
        except OSError as error:
            raise httpx.ConnectError("") from error
        self._socket = secured
        trace("connection.start_tls.complete", {"return_value": _Stream(secured)})
        return secured


class _Stream:
    """A connection as the trace shows it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def get_extra_info(self, _: str) -> socket.socket:
        return self._connection


class _Body(httpx.SyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(self, transport: DirectTransport, incoming: Incoming, head: Head, request: httpx.Request) -> None:
        self._transport = transport
        self._incoming = incoming
        self._head = head
        self._closes = CLOSE in request.headers.raw

    def __iter__(self) -> Iterator[bytes]:
        return self._incoming.body(self._head)

    def close(self) -> None:
        self._transport.ended(is_reusable=self._incoming.is_whole and self._head.is_kept_alive and not self._closes)


def _bytes_of(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path), *(b"%s: %s" % field for field in request.headers.raw)]
    head = b"\r\n".join(lines)
    if head.count(b"\r") != len(lines) - 1 or head.count(b"\n") != len(lines) - 1:
        raise httpx.LocalProtocolError("a line break where none may be")
    return b"%s\r\n\r\n%s" % (head, request.content)


def _send(connection: socket.socket, data: bytes) -> None:
    # A server may answer and close before it has read everything: what it said counts, not that the rest did not arrive.
    with contextlib.suppress(OSError):
        connection.sendall(data)


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_PIECE_BYTES)
    except TimeoutError as error:
        raise httpx.ReadTimeout("") from error
    except OSError as error:
        raise httpx.ReadError("") from error


def _is_readable(connection: socket.socket) -> bool:
    waiting = select.poll()
    waiting.register(connection, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(waiting.poll(0))
