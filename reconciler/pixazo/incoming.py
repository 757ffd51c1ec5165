"""An HTTP/1.1 answer as it comes in: head, framing, body, each with a bound. Strict where leniency could change what an answer says.

No sockets and no meaning here: bytes come from a function, and whatever is not HTTP/1.x raises `httpx.RemoteProtocolError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import httpx

MOST_HEAD_BYTES = 100 * 1024
MOST_LINE_BYTES = 8 * 1024
"""Of a chunk's own line."""

_END_OF_HEAD = re.compile(rb"\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\x00\r\x0b\x0c\x7f]*)?")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNPRINTABLE = re.compile(rb"[\x00\r\x0b\x0c\x7f]")
_LENGTH = re.compile(rb"[0-9]{1,20}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\x00]*)?")
_BODILESS = frozenset({101, 204, 304})
_UNTIL_CLOSED = -1
_CHUNKED = -2


@dataclass(frozen=True, slots=True)
class Head:
    """Status and fields of an answer. `framing` is the body's length in bytes, or below zero for a body without one."""

    status: int
    fields: list[tuple[bytes, bytes]]
    framing: int
    is_kept_alive: bool
    """Whether another request may follow on this connection, once the body was read whole."""


class Incoming:
    """One answer, read in order: `head`, then `body`. `receive` gives the next bytes, none at the end of the connection."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._buffer = bytearray()
        self.is_whole = False
        """The body was read to its end, and nothing came behind it."""

    def head(self) -> Head:
        """The final status and its fields; interim answers before it are read over."""
        while True:
            head = _parsed(self._head_bytes())
            if head.status == 101 or head.status >= 200:
                return head

    def body(self, head: Head) -> Iterator[bytes]:
        """The pieces of the body. Raises when the connection ends before the body does."""
        if head.framing == _CHUNKED:
            yield from self._chunks()
        elif head.framing == _UNTIL_CLOSED:
            yield from self._rest()
        else:
            yield from self._exactly(head.framing)
        self.is_whole = not self._buffer

    def _head_bytes(self) -> bytes:
        searched = 0
        while (end := _END_OF_HEAD.search(self._buffer, searched)) is None:
            if len(self._buffer) > MOST_HEAD_BYTES:
                _refuse("the head of the answer does not end")
            searched = max(0, len(self._buffer) - 2)
            self._more("Server disconnected without sending a response." if not self._buffer else "peer closed connection within the head of its answer")
        head = bytes(self._buffer[: end.start()])
        del self._buffer[: end.end()]
        return head

    def _more(self, closed: str) -> None:
        piece = self._receive()
        if not piece:
            _refuse(closed)
        self._buffer += piece

    def _taken(self, most: int) -> bytes:
        piece = bytes(self._buffer[:most])
        del self._buffer[:most]
        return piece

    def _exactly(self, length: int) -> Iterator[bytes]:
        left = length
        while left:
            if not self._buffer:
                self._more("peer closed connection without sending complete message body")
            piece = self._taken(left)
            left -= len(piece)
            yield piece

    def _rest(self) -> Iterator[bytes]:
        if self._buffer:
            yield self._taken(len(self._buffer))
        while piece := self._receive():
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := self._chunk_size():
            yield from self._exactly(size)
            if self._line():
                _refuse("a chunk is longer than it says")
        left = MOST_HEAD_BYTES
        while line := self._line():
            left -= len(line)
            if left < 0:
                _refuse("the trailer of the answer does not end")

    def _chunk_size(self) -> int:
        found = _CHUNK.fullmatch(self._line())
        return _refuse("a chunk without a length") if found is None else int(found[1], 16)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MOST_LINE_BYTES:
                _refuse("a line of the answer does not end")
            self._more("peer closed connection without sending complete message body (incomplete chunked read)")
        return self._taken(end + 1).removesuffix(b"\n").removesuffix(b"\r")


def _parsed(head: bytes) -> Head:
    first, *lines = [line.removesuffix(b"\r") for line in head.split(b"\n")]
    status = _STATUS.fullmatch(first)
    if status is None:
        _refuse("the answer does not begin with a status line")
    fields = [_field(line) for line in _unfolded(lines)]
    number = int(status[2])
    framing = 0 if number in _BODILESS else _framing(fields)
    closes = any(b"close" in value.lower() for name, value in fields if name.lower() == b"connection")
    return Head(number, fields, framing, is_kept_alive=status[1] == b"1" and not closes and framing != _UNTIL_CLOSED and number != 101)


def _unfolded(lines: list[bytes]) -> list[bytes]:
    """Lines that begin with a blank continue the one before."""
    whole: list[bytes] = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if not whole:
                _refuse("the first field continues nothing")
            whole[-1] += b" " + line.strip(b" \t")
        else:
            whole.append(line)
    return whole


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or _NAME.fullmatch(name) is None or _UNPRINTABLE.search(value) is not None:
        _refuse("a line of the head is no field")
    return name, value.strip(b" \t")


def _framing(fields: list[tuple[bytes, bytes]]) -> int:
    """How the body ends: chunks outweigh a length."""
    codings = [value.lower() for name, value in fields if name.lower() == b"transfer-encoding"]
    lengths = {each.strip() for name, value in fields if name.lower() == b"content-length" for each in value.split(b",")}
    if codings:
        if codings != [b"chunked"]:
            _refuse("an unknown framing of the body")
        return _CHUNKED
    if not lengths:
        return _UNTIL_CLOSED
    length = lengths.pop()
    if lengths or _LENGTH.fullmatch(length) is None:
        _refuse("an unreadable length of the body")
    return int(length)


def _refuse(why: str) -> NoReturn:
    raise httpx.RemoteProtocolError(why)
