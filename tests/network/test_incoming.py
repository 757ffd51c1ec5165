"""An answer as bytes: read the same whatever pieces it comes in, and never more leniently than h11 reads it."""

from __future__ import annotations

from collections.abc import Callable

import h11
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.pixazo.incoming import MOST_HEAD_BYTES, Incoming

OK = b"HTTP/1.1 200 OK\r\n"


def pieces_of(data: bytes, cuts: list[int]) -> Callable[[], bytes]:
    """What a connection gives that delivers `data` in these pieces and then ends."""
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    pieces = iter([data[a:b] for a, b in zip(edges, edges[1:], strict=False) if b > a])
    return lambda: next(pieces, b"")


def read(data: bytes, cuts: list[int] | None = None) -> tuple[int, list[tuple[bytes, bytes]], bytes, bool]:
    """Status, fields, body, and whether the connection may be used again."""
    incoming = Incoming(pieces_of(data, cuts or []))
    head = incoming.head()
    body = b"".join(incoming.body(head))
    return head.status, head.fields, body, incoming.is_whole and head.is_kept_alive


def read_by_h11(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    connection = h11.Connection(our_role=h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "x"), ("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, fields, body = 0, [], b""
    while True:
        event = connection.next_event()
        match event:
            case h11.Response():
                status, fields = event.status_code, [(name.lower(), value) for name, value in event.headers]
            case h11.Data():
                body += bytes(event.data)
            case h11.EndOfMessage():
                return status, fields, body
            case h11.InformationalResponse():
                pass
            case _:
                raise h11.RemoteProtocolError("ended early")


GOOD = {
    "a length": (OK + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
    "the same length twice": (OK + b"Content-Length: 3, 3\r\ncontent-length: 3\r\n\r\nabc", b"abc", True),
    "an empty body": (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "no length": (OK + b"\r\nabc", b"abc", False),
    "a length, and close": (OK + b"Content-Length: 3\r\nConnection: Close\r\n\r\nabc", b"abc", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
    "something behind it": (OK + b"Content-Length: 3\r\n\r\nabcHTTP/1.1 500", b"abc", False),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", b"abc", True),
    "chunks with a trailer": (OK + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n", b"abc", True),
    "chunks and a length": (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc", True),
    "interim answers": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
    "a status without a reason": (b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", b"abc", True),
    "a folded field": (OK + b"X: a\r\n b\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
}

BAD = {
    "another protocol": b"SSH-2.0-OpenSSH\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "nothing": b"",
    "half a head": OK + b"Content-Length: 3\r\n",
    "half a body": OK + b"Content-Length: 3\r\n\r\nab",
    "half a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "chunks without an end": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    "a chunk longer than it says": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    "a chunk without a length": OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
    "a chunk of less than nothing": OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a length that is none": OK + b"Content-Length: +3\r\n\r\nabc",
    "an unknown coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a field without a colon": OK + b"Content-Length 3\r\n\r\nabc",
    "a blank before the colon": OK + b"Content-Length : 3\r\n\r\nabc",
    "a field that begins folded": OK + b" X: y\r\n\r\n",
    "NUL in a field": OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a bare return in a field": OK + b"X: a\rContent-Length: 3\r\n\r\n",
    "a head without an end": OK + b"X: " + b"x" * (2 * MOST_HEAD_BYTES),
    "a trailer without an end": OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * MOST_HEAD_BYTES,
    "a chunk's line without an end": OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * MOST_HEAD_BYTES,
}


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("every", [1, 2, 7, 10_000])
def test_a_good_answer_is_read_whole_and_says_whether_the_connection_may_be_used_again(kind: str, every: int) -> None:
    data, body, is_reusable = GOOD[kind]
    found = read(data, list(range(0, len(data), every)))
    # what comes later than the end of an answer is not known yet when it ends: then the next use finds the connection readable
    assert found[2] == body
    assert found[3] is is_reusable or (kind == "something behind it" and every < 10_000)


@pytest.mark.parametrize("kind", BAD)
def test_what_is_not_a_whole_answer_is_refused(kind: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        read(BAD[kind], list(range(0, len(BAD[kind]), 4096)))


def test_an_endless_head_is_given_up_at_its_limit() -> None:
    taken = 0

    def endless() -> bytes:
        nonlocal taken
        taken += 1000
        return b"x: y\r\n" * 166 + b"x: y"

    with pytest.raises(httpx.RemoteProtocolError):
        Incoming(endless).head()
    assert taken < 2 * MOST_HEAD_BYTES


LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 X", b"HTTP/1.1 404", b"Content-Length: 3", b"Content-Length: 5",
        b"Content-Length: 3, 3", b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", b"Connection: close", b"X: y", b" folded", b"X y", b"", b"", b"3",
        b"abc", b"0", b"3;a", b"a\x00", b"\xff: 1", b"Y: \xff\t ",
    ]
)  # fmt: skip
ANSWERS = st.builds(
    lambda first, lines, end: end.join([first, *lines]), st.sampled_from([b"HTTP/1.1 200 OK"]) | LINES, st.lists(LINES, max_size=9), st.just(b"\r\n")
)


@settings(max_examples=400, deadline=None)
@given(ANSWERS | st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=6))
def test_whatever_comes_is_read_as_h11_reads_it_or_refused_and_pieces_make_no_difference(data: bytes, cuts: list[int]) -> None:
    try:
        status, fields, body, _ = read(data)
    except httpx.RemoteProtocolError:
        with pytest.raises(httpx.RemoteProtocolError):
            read(data, cuts)
        return
    assert read(data, cuts)[:3] == (status, fields, body)
    if status != 101:
        theirs = read_by_h11(data)
        assert (theirs[0], theirs[2]) == (status, body)
        assert dict(theirs[1]).get(b"content-length", b"").split(b",")[0] in {value.split(b",")[0] for name, value in fields} | {b""}
