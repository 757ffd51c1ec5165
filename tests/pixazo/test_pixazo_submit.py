"""The verdict table over real sockets: what each fault of a server means, and that each is one POST."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
import time

import pytest

from reconciler.job import Phase
from reconciler.trainer import PIXAZO_FLUX2_PRO
from reconciler.verdict import Accepted, InDoubt, NotSent, Rejected

from .clients import KEY
from .raw_server import (
    Peer,
    after_reading,
    answer,
    close_after_reading,
    close_before_reading,
    hang,
    hang_after_reading,
    raw,
    reply,
    reset_after_reading,
    reset_before_reading,
)

BODY = b'{"image_data_url": "https://example.com/dataset.zip", "steps": 1500, "learning_rate": 3e-05}'
OK = {"status": "IN_QUEUE", "request_id": "a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8", "message": "Training job queued for execution."}
ID = OK["request_id"]


def submit(api, *, hook=lambda: None, stop=lambda: False, trainer=PIXAZO_FLUX2_PRO.id):
    return api.submit(trainer, BODY, before_first_byte=hook, stop=stop)


def test_the_request_on_the_wire_is_the_documented_one(serve, client):
    server = serve(answer(200, OK))
    verdict = submit(client(server))
    assert verdict == Accepted(ID, 200)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/flux-2-pro-text-to-image-trainer-712/v1/flux-2-pro-text-to-image-trainer-request")
    assert request.body == BODY
    names = [name for name, _ in request.headers]
    assert len({name.lower() for name in names}) == len(names)
    assert {name: value for name, value in request.headers if not name.startswith("User")} == {
        "Host": f"127.0.0.1:{server.port}",
        "Content-Type": "application/json",
        "Cache-Control": "no-cache",
        "Ocp-Apim-Subscription-Key": KEY,
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Length": str(len(BODY)),
    }
    assert request.header("User-Agent").startswith("lora-reconciler/")


def endless_headers(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n")
    peer.drip(f"X-{n}: y\r\n".encode() for n in itertools.count())


def dripping_body(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n" + json.dumps(OK).encode()[:-1])
    peer.drip(itertools.repeat(b" "))


def dripping_body_without_length(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(OK).encode()[:-1])
    peer.drip(itertools.repeat(b" "))


def whole_json_without_length_that_drips(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(OK).encode())
    peer.drip(itertools.repeat(b" "))


def flood_of_continues(peer: Peer) -> None:
    peer.drip(itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 20), pause_seconds=0.005)


def ten_gigabytes(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n" + json.dumps(OK).encode()[:-1] + b', "x": "')
    peer.drip(itertools.repeat(b"x" * 65536), pause_seconds=0)


def fifty_concatenated(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    data = json.dumps(OK).encode()
    peer.send(f"{len(data) + 50:x}\r\n".encode() + data)


def half_the_body(peer: Peer) -> None:
    peer.send(reply(200, OK)[:-5])


DOUBTS = {
    "closed after reading": (close_after_reading, None),
    "reset after reading": (reset_after_reading, None),
    "half a status line": (raw(b"HTTP/1.1 2"), None),
    "status line only": (raw(b"HTTP/1.1 200 OK\r\n"), None),
    "half the headers": (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), None),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), None),
    "200 kB of headers": (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"), None),
    "headers that never end": (after_reading(endless_headers), None),
    "a body that drips": (after_reading(dripping_body), ID),
    "a body without length that drips": (after_reading(dripping_body_without_length), ID),
    "whole JSON without length that drips": (after_reading(whole_json_without_length_that_drips), ID),
    "JSON in 100 kB of blanks": (answer(200, json.dumps(OK).encode() + b" " * 100_000), ID),
    "65 levels": (answer(200, b'{"request_id": "a", "x": ' + b"[" * 64 + b"]" * 64 + b"}"), "a"),
    "an id far behind in a gzip bomb": (answer(200, gzip.compress(b" " * 200_000 + b'{"request_id": "a"}'), {"Content-Encoding": "gzip"}), None),
    "a flood of 100 Continue": (after_reading(flood_of_continues), None),
    "10 GB": (after_reading(ten_gigabytes), ID),
    "a chunk that breaks off": (after_reading(fifty_concatenated), ID),
    "half the body": (after_reading(half_the_body), ID),
    "silence": (hang_after_reading, None),
    "101": (answer(101, b"", {"Upgrade": "x", "Connection": "upgrade"}), None),
    "an empty body": (answer(200, b""), None),
    "204": (raw(b"HTTP/1.1 204 No Content\r\n\r\n"), None),
    "{}": (answer(200, {}), None),
    "[]": (answer(200, []), None),
    "a bare string": (answer(200, "abc"), None),
    "null": (answer(200, b"null"), None),
    "success without an id": (answer(200, {"success": True, "status": "IN_QUEUE"}), None),
    "200 with an error": (answer(200, {"error": "Failed to reach upstream API", "status": 502}), None),
    "HTML": (answer(200, b"<!DOCTYPE html><title>Just a moment...</title>", {"Content-Type": "text/html"}), None),
    "an id that is an object": (answer(200, {"request_id": {"a": 1}}), None),
    "an id that is a number": (answer(200, {"request_id": 12345}), "12345"),
    "an empty id": (answer(200, {"request_id": ""}), None),
    "a blank id": (answer(200, {"request_id": "  "}), None),
    "an id of a million characters": (answer(200, {"request_id": "x" * 1_000_000}), None),
    "an id of 257 characters": (answer(200, {"request_id": "x" * 257}), None),
    "an id with ESC": (answer(200, {"request_id": "ab\x1b[31m"}), None),
    "an id with a newline": (answer(200, {"request_id": "ab\ncd"}), None),
    "duplicate keys": (answer(200, b'{"request_id": "a", "request_id": "a"}'), "a"),
    "duplicate keys that differ": (answer(200, b'{"request_id": "a", "request_id": "b"}'), None),
    "NaN": (answer(200, b'{"request_id": "a", "eta": NaN}'), "a"),
    "an infinite number": (answer(200, b'{"request_id": "a", "eta": 1e999}'), "a"),
    "5,000 digits": (answer(200, b'{"request_id": "a", "eta": ' + b"9" * 5000 + b"}"), "a"),
    "half a surrogate": (answer(200, b'{"request_id": "a", "message": "\\ud800"}'), "a"),
    "half a surrogate as id": (answer(200, b'{"request_id": "\\ud800"}'), None),
    "depth": (answer(200, b'{"request_id": "a", "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"), "a"),
    "not UTF-8": (answer(200, b'{"request_id": "a", "message": "\xff"}'), "a"),
    "two documents": (answer(200, b'{"request_id": "a"}{"request_id": "a"}'), "a"),
    "gzip": (answer(200, gzip.compress(json.dumps(OK).encode()), {"Content-Encoding": "gzip"}), ID),
    "a gzip bomb": (answer(200, gzip.compress(b'{"request_id": "a", "x": "' + b"x" * 30_000_000), {"Content-Encoding": "gzip"}), "a"),
    "303": (answer(303, b"", {"Location": "/elsewhere"}), None),
    "a redirect with an id": (answer(307, {"request_id": "a"}, {"Location": "/elsewhere"}), "a"),
    "a redirect with an id in a list": (answer(302, [{"id": "a"}], {"Location": "/elsewhere"}), "a"),
    **{str(status): (answer(status, {"error": "x"}), None) for status in (408, 409, 418, 423, 425, 426, 451, 499, 500, 501, 502, 503, 504, 520, 524, 599)},
    "503 of an edge": (answer(503, b"<html>Service Unavailable</html>", {"Content-Type": "text/html", "Retry-After": "5"}), None),
    "500 with an id": (answer(500, {"error": "late", "request_id": "a"}), "a"),
    "a refusal that breaks off": (raw(reply(400, {"error": "Invalid request parameters"})[:-3]), None),
}


@pytest.mark.parametrize("fault", DOUBTS)
def test_anything_after_the_first_byte_that_proves_nothing_is_in_doubt_and_sent_once(serve, client, fault):
    play, salvaged = DOUBTS[fault]
    server = serve(play)
    calls = []
    slow = play is hang_after_reading or any(word in fault for word in ("drips", "never end", "flood"))
    verdict = submit(client(server, deadline_seconds=0.4 if slow else 5.0), hook=lambda: calls.append(1))
    assert isinstance(verdict, InDoubt), verdict
    assert verdict.salvaged == salvaged
    assert verdict.evidence
    assert (server.posts, server.connections, calls) == (1, 1, [1])


@pytest.mark.parametrize("play", [close_before_reading, reset_before_reading])
def test_a_connection_that_ends_before_it_is_read_is_in_doubt_or_proved_not_sent(serve, client, play):
    """Whether the first byte was ours to send is a race; what is sent once is never sent again."""
    server = serve(play)
    calls = []
    verdict = submit(client(server), hook=lambda: calls.append(1))
    assert isinstance(verdict, InDoubt if calls else NotSent)
    assert server.connections == 1
    assert len(calls) <= 1


REFUSALS = {
    400: {"error": "Invalid request parameters"},
    404: {"error": "Endpoint not found"},
    405: {},
    406: {},
    410: {},
    411: {},
    413: {},
    414: {},
    415: {},
    417: {},
    422: {"detail": [{"loc": ["body", "steps"], "msg": "too many steps", "type": "value_error"}]},
    431: {},
    300: {},
    301: {},
    302: {},
    304: {},
    307: {},
    308: {},
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_definite_refusal_is_rejected_for_this_request_only(serve, client, status):
    server = serve(answer(status, REFUSALS[status], {"Location": "http://127.0.0.1:1/elsewhere"} if 300 <= status < 400 else {}))
    verdict = submit(client(server))
    assert isinstance(verdict, Rejected), verdict
    assert (verdict.http_status, verdict.stops_run, verdict.retry_after_seconds) == (status, False, None)
    assert "nothing was charged" in verdict.message
    assert (server.posts, server.connections) == (1, 1)


def test_a_refusal_repeats_what_the_server_said(serve, client):
    verdict = submit(client(serve(answer(422, REFUSALS[422]))))
    assert "too many steps" in verdict.message


def test_a_servers_text_is_made_inert(serve, client):
    verdict = submit(client(serve(answer(400, {"error": "\x1b[31mred\u202e https://u:p@h.example/x?token=s3cret"}))))
    assert "\x1b" not in verdict.message
    assert "\u202e" not in verdict.message
    assert "s3cret" not in verdict.message
    assert "u:p@" not in verdict.message


def test_a_request_id_in_an_error_body_does_not_make_a_refusal_a_purchase(serve, client):
    """Gateways put ids for tracing into their errors."""
    assert isinstance(submit(client(serve(answer(400, {"error": "bad", "request_id": "trace-1"})))), Rejected)


@pytest.mark.parametrize(
    ("status", "body", "headers", "words", "not_words"),
    [
        (401, {"error": "Invalid or missing authentication"}, {}, "key", "edge"),
        (401, {"statusCode": 401, "message": "Access denied due to invalid subscription key."}, {}, "Access denied due to invalid", "edge"),
        (402, {"error": "Insufficient Balance", "message": "top up"}, {}, "balance", "edge"),
        (403, {"error": "Access denied for this operation"}, {}, "Access denied", "edge"),
        (403, {"statusCode": 403, "message": "Out of call volume."}, {"Retry-After": "3600"}, "quota", "edge"),
        (403, b"<html><title>Just a moment...</title>", {"Content-Type": "text/html; charset=UTF-8"}, "edge", "API does not know"),
        (403, b"", {"cf-mitigated": "challenge"}, "edge", "may not do that"),
        (401, b"", {"cf-mitigated": "challenge"}, "edge", "does not know"),
        (407, b"", {}, "login", "edge"),
    ],
)
def test_refusals_that_would_meet_every_purchase_stop_the_run_and_name_who_refused(serve, client, status, body, headers, words, not_words):
    server = serve(answer(status, body, headers))
    verdict = submit(client(server))
    assert isinstance(verdict, Rejected)
    assert verdict.stops_run
    assert words in verdict.message
    assert not_words not in verdict.message
    assert server.posts == 1


def test_a_challenge_at_any_status_names_the_edge_and_a_5xx_stays_in_doubt(serve, client):
    verdict = submit(client(serve(answer(503, b"<html>", {"cf-mitigated": "challenge"}))))
    assert isinstance(verdict, InDoubt)
    assert "edge" in verdict.evidence


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({"Retry-After": "7"}, {}, 7.0),
        ({"Retry-After": "0"}, {}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}, 0.0),
        ({}, {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 11 seconds."}, 11.0),
        ({}, {"error": "Rate limit exceeded, please retry later"}, 15.0),
        ({"Retry-After": "soon"}, {}, 15.0),
        ({"Retry-After": "-5"}, {}, 15.0),
        ({"Retry-After": "²"}, {}, 15.0),
    ],
)
def test_429_is_rejected_and_says_how_long_to_wait(serve, client, headers, body, wait):
    server = serve(answer(429, body, headers))
    verdict = submit(client(server))
    assert (verdict.http_status, verdict.retry_after_seconds, verdict.stops_run) == (429, wait, False)
    assert server.posts == 1


@pytest.mark.parametrize("value", ["301", "9" * 400, "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_a_limit_that_passes_in_more_than_five_minutes_is_not_waited_for(serve, client, value):
    verdict = submit(client(serve(answer(429, {}, {"Retry-After": value}))))
    assert (verdict.retry_after_seconds, verdict.stops_run) == (None, True)


def test_421_was_not_taken_on_and_may_be_sent_again(serve, client):
    verdict = submit(client(serve(answer(421, {}))))
    assert isinstance(verdict, NotSent)
    assert (verdict.retry, verdict.http_status) == (True, 421)


@pytest.mark.parametrize(
    ("status", "body", "request_id"),
    [
        (200, OK, ID),
        (202, {"request_id": "m_0192", "status": "QUEUED"}, "m_0192"),
        (201, {"requestId": "b"}, "b"),
        (200, {"task_id": "c", "success": True}, "c"),
        (200, {"prediction_id": "d"}, "d"),
        (200, {"id": "e"}, "e"),
        (200, {"data": {"task_id": "f"}}, "f"),
        (200, {"id": "second", "request_id": "first"}, "first"),
        (200, {"request_id": "", "data": {"request_id": "inner"}, "task_id": "outer"}, "outer"),
        (200, {"request_id": None, "data": {"id": "inner"}}, "inner"),
        (200, {"request_id": "x" * 256}, "x" * 256),
        (200, {"request_id": "../.. ?#%ü"}, "../.. ?#%ü"),
        (200, {"request_id": ".."}, ".."),
    ],
)
def test_a_2xx_with_a_usable_id_is_accepted(serve, client, status, body, request_id):
    verdict = submit(client(serve(answer(status, body))))
    assert verdict == Accepted(request_id, status)


def test_64_levels_are_allowed(serve, client):
    body = b'{"request_id": "a", "x": ' + b"[" * 63 + b"]" * 63 + b"}"
    assert isinstance(submit(client(serve(answer(200, body)))), Accepted)


def test_a_byte_order_mark_does_not_make_a_doubt(serve, client):
    assert isinstance(submit(client(serve(answer(200, b"\xef\xbb\xbf" + json.dumps(OK).encode())))), Accepted)


@pytest.mark.parametrize(
    "extra",
    [
        {"status": "FAILED"},
        {"status": "error"},
        {"error": "no captions"},
        {"success": False},
        {"data": {"task_status": "Rejected"}},
        {"error_type": "startup_timeout"},
    ],
)
def test_an_id_with_a_failure_is_a_job_that_failed(serve, client, extra):
    verdict = submit(client(serve(answer(200, {"request_id": "a"} | extra))))
    assert isinstance(verdict, Accepted)
    assert verdict.phase is Phase.FAILED
    assert verdict.error


def test_an_absent_error_that_a_server_prints_is_no_failure(serve, client):
    assert submit(client(serve(answer(200, {"request_id": "a", "error": "None", "status": "processing"})))) == Accepted("a", 200, phase=Phase.RUNNING)


class TestPollingUrl:
    """The polling URL of an acceptance is believed on our own origin only."""

    def test_on_our_origin_it_is_kept(self, serve, client):
        server = serve(answer(202, b""))
        url = f"{server.url}/v2/requests/status/a"
        server.plays = [answer(202, {"request_id": "a", "status": "QUEUED", "polling_url": url})]
        assert submit(client(server)) == Accepted("a", 202, url)

    def test_a_path_is_made_absolute(self, serve, client):
        server = serve(answer(202, {"request_id": "a", "pollingEndpoint": "/v2/x/a"}))
        assert submit(client(server)).poll_url == f"{server.url}/v2/x/a"

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/v2/requests/status/a",
            "//evil.example/a",
            "http://127.0.0.1:1/a",
            "http://127.0.0.1@evil.example/a",
            "http://u:p@HOST/a",
            "https://HOST/a",
            "http://HOST/a\n",
            "http://HOST\\@evil.example/a",
            "ftp://HOST/a",
            "http://[/a",
            "http://HOST:x/a",
        ],
    )
    def test_elsewhere_it_is_replaced_by_the_common_queue_with_a_warning(self, serve, client, url):
        server = serve(answer(202, b""))
        server.plays = [answer(202, {"request_id": "a b/c", "polling_url": url.replace("HOST", f"127.0.0.1:{server.port}")})]
        verdict = submit(client(server))
        assert verdict.poll_url == f"{server.url}/v2/requests/status/a%20b%2Fc"
        assert len(verdict.warnings) == 1


class TestHook:
    """The moment before the first byte."""

    def test_its_exception_comes_back_unchanged_and_nothing_was_sent(self, serve, client):
        server = serve(answer(200, OK))
        problem = RuntimeError("the disk is full")

        def refuse():
            raise problem

        with pytest.raises(RuntimeError) as caught:
            submit(client(server), hook=refuse)
        assert caught.value is problem
        time.sleep(0.05)
        assert (bytes(server.received), server.posts) == (b"", 0)

    def test_it_runs_when_connected_and_before_the_server_has_a_byte(self, serve, client):
        server = serve(answer(200, OK))
        seen = []
        submit(client(server), hook=lambda: (time.sleep(0.05), seen.append((server.connections, len(server.received)))))
        assert seen == [(1, 0)]

    def test_it_does_not_run_when_nobody_listens(self, client):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        calls = []
        verdict = submit(client(f"http://127.0.0.1:{port}"), hook=lambda: calls.append(1))
        assert isinstance(verdict, NotSent)
        assert verdict.retry
        assert "refused" in verdict.message
        assert calls == []


class TestStop:
    """Ending the wait."""

    def test_while_waiting_for_the_answer_it_is_in_doubt(self, serve, client):
        server = serve(hang_after_reading)
        stop = threading.Event()
        threading.Timer(0.15, stop.set).start()
        verdict = submit(client(server, deadline_seconds=60), stop=stop.is_set)
        assert isinstance(verdict, InDoubt)
        assert "stopped" in verdict.evidence

    def test_before_the_first_byte_nothing_is_sent(self, serve, client):
        server = serve(hang)
        verdict = submit(client(server), stop=lambda: True, hook=lambda: time.sleep(0.4))
        assert isinstance(verdict, NotSent)
        assert not verdict.retry
        assert server.posts == 0

    def test_a_question_that_raises_ends_the_wait_and_not_the_watch(self, serve, client):
        api = client(serve(hang_after_reading), deadline_seconds=60)
        assert isinstance(submit(api, stop=lambda: 1 / 0), InDoubt | NotSent)
        assert isinstance(submit(api, stop=lambda: 1 / 0), InDoubt | NotSent)

    def test_closing_the_client_ends_a_wait(self, serve, client):
        api = client(serve(hang_after_reading), deadline_seconds=60)
        threading.Timer(0.15, api.close).start()
        verdict = submit(api)
        assert isinstance(verdict, InDoubt)
        assert "stopped" in verdict.evidence


def test_a_trainer_that_is_not_declared_is_not_sent(serve, client):
    server = serve(answer(200, OK))
    verdict = submit(client(server), trainer="studio-edit")
    assert isinstance(verdict, NotSent)
    assert not verdict.retry
    assert server.connections == 0


def test_each_purchase_has_a_connection_of_its_own(serve, client):
    server = serve(answer(200, OK))
    api = client(server)
    for _ in range(3):
        assert isinstance(submit(api), Accepted)
    assert (server.connections, server.posts) == (3, 3)


def test_a_redirect_takes_the_key_nowhere(serve, client):
    other = serve(answer(200, OK))
    server = serve(answer(307, {}, {"Location": f"{other.url}/elsewhere"}))
    assert isinstance(submit(client(server)), Rejected)
    assert (other.connections, bytes(other.received)) == (0, b"")


def test_a_refusal_while_a_big_body_is_still_being_sent_is_read(serve, client):
    """Servers answer 413 and close without reading on; the answer counts, not the broken pipe."""

    def play(peer: Peer) -> None:
        peer.sock.recv(100)
        peer.send(reply(413, {"error": "too big"}))
        peer.sock.shutdown(socket.SHUT_WR)
        while peer.sock.recv(65536):
            pass

    verdict = client(serve(play)).submit(PIXAZO_FLUX2_PRO.id, b"x" * 3_000_000, before_first_byte=lambda: None, stop=lambda: False)
    assert isinstance(verdict, Rejected)


def test_eight_at_a_time_keep_their_answers_apart(serve, client):
    def echo(peer: Peer) -> None:
        request = peer.read_request()
        peer.send(reply(200, {"request_id": json.loads(request.body)["n"]}))

    api = client(serve(echo))
    found = {}

    def one(n: int) -> None:
        found[n] = api.submit(PIXAZO_FLUX2_PRO.id, json.dumps({"n": f"id-{n}"}).encode(), before_first_byte=lambda: None, stop=lambda: False)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert {n: v.request_id for n, v in found.items()} == {n: f"id-{n}" for n in range(8)}
