"""Polling over real sockets: both styles, the fallback between them, connections, limits."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import threading
import time
from decimal import Decimal
from urllib.parse import quote

import pytest

from reconciler.job import Job, Phase
from reconciler.pixazo import limiter as limiter_module
from reconciler.pixazo.limiter import Limiter
from reconciler.trainer import PIXAZO_FLUX2_PRO, Parameter, Trainer

from .clients import KEY
from .raw_server import Peer, after_reading, answer, close_after_reading, hang_after_reading, raw, reply, reset_after_reading

RESULT_PATH = "/flux-2-pro-text-to-image-trainer-712/v1/flux-2-pro-text-to-image-trainer-request-result"
QUEUE_ONLY = Trainer("queue-only", "q", "/v1/q", None, "image_data_url", (Parameter("steps", "integer", 1),))
WEIGHTS = "https://pub-1.r2.dev/lora.safetensors"
EDGE = (403, b"<html><title>Just a moment...</title>", {"Content-Type": "text/html"})


def job(request_id="r1", *, poll_url=None, style=None, trainer=PIXAZO_FLUX2_PRO.id):
    return Job("j1", "default", "otter", trainer, "sha256:0", {}, Decimal(8), request_id, "2026-11-22T00:00:00Z", "loopback", poll_url=poll_url, style=style)


def asked(server):
    return [f"{r.method} {r.path}" for r in server.requests]


def by_style(g1, g2):
    """A server that serves each style its own answer."""

    def play(peer: Peer) -> bool:
        request = peer.read_request()
        if request is None:
            return False
        peer.send(reply(*(g1 if request.method == "POST" else g2)))
        return True

    return play


def test_without_a_polling_url_the_result_path_is_asked_as_documented(serve, client):
    server = serve(answer(200, {"status": "IN_PROGRESS"}))
    seen = client(server).observe(job())
    assert (seen.phase, seen.style) == (Phase.RUNNING, "g1")
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", RESULT_PATH, b'{"request_id": "r1"}')
    assert request.header("Content-Type") == "application/json"
    assert request.header("Cache-Control") == "no-cache"
    assert request.header("Ocp-Apim-Subscription-Key") == KEY


def test_a_polling_url_is_asked_by_get(serve, client):
    server = serve(answer(200, {"status": "QUEUED"}))
    seen = client(server).observe(job(poll_url=f"{server.url}/v2/requests/status/r1?x=1"))
    assert (seen.phase, seen.style) == (Phase.QUEUED, "g2")
    assert asked(server) == ["GET /v2/requests/status/r1?x=1"]
    (request,) = server.requests
    assert request.header("Ocp-Apim-Subscription-Key") == KEY
    assert request.header("Content-Type") is None


def test_the_style_that_worked_last_goes_first(serve, client):
    server = serve(answer(200, {"status": "QUEUED"}))
    client(server).observe(job(style="g2"))
    client(server).observe(job(style="g1", poll_url=f"{server.url}/v2/requests/status/r1"))
    assert asked(server) == ["GET /v2/requests/status/r1", f"POST {RESULT_PATH}"]


@pytest.mark.parametrize(
    ("request_id", "path"),
    [("a b/c?d#e%f", "a%20b%2Fc%3Fd%23e%25f"), ("ü", "%C3%BC"), ("../../x", "..%2F..%2Fx"), ("...", "..."), ("a:b@c;d=e&f", "a%3Ab%40c%3Bd%3De%26f")],
)
def test_an_id_in_a_url_is_quoted(serve, client, request_id, path):
    server = serve(answer(200, {"status": "QUEUED", "request_id": request_id}))
    assert client(server).observe(job(request_id, style="g2")).phase is Phase.QUEUED
    assert asked(server) == [f"GET /v2/requests/status/{path}"]


@pytest.mark.parametrize("request_id", [".", ".."])
def test_an_id_that_would_change_the_path_goes_into_a_body_only(serve, client, request_id):
    server = serve(answer(404, {}))
    client(server).observe(job(request_id, style="g2"))
    assert asked(server) == [f"POST {RESULT_PATH}"]
    assert json.loads(server.requests[0].body) == {"request_id": request_id}
    seen = client(server, trainers={QUEUE_ONLY.id: QUEUE_ONLY}).observe(job(request_id, trainer=QUEUE_ONLY.id))
    assert (seen.phase, len(server.requests)) == (None, 1)
    assert seen.trouble


@pytest.mark.parametrize("poll_url", ["https://evil.example/x", "http://127.0.0.1:1/x", "file:///etc/passwd", "//evil.example", "nonsense"])
def test_a_polling_url_elsewhere_never_gets_the_key(serve, client, poll_url):
    server = serve(answer(200, {"status": "QUEUED"}))
    seen = client(server).observe(job(poll_url=poll_url))
    assert asked(server) == ["GET /v2/requests/status/r1"]
    assert seen.phase is Phase.QUEUED
    assert len(seen.warnings) == 1


def test_another_server_named_as_polling_url_gets_no_byte(serve, client):
    other, server = serve(answer(200, {"status": "QUEUED"})), serve(answer(200, {"status": "QUEUED"}))
    client(server).observe(job(poll_url=f"{other.url}/v2/requests/status/r1"))
    assert (other.connections, bytes(other.received)) == (0, b"")


@pytest.mark.parametrize("blocked", [(404, {"error": "Endpoint not found"}), (405, b""), (410, b""), EDGE, (503, b"<html>", {"Content-Type": "text/html"})])
@pytest.mark.parametrize("first", ["g1", "g2"])
def test_a_style_that_is_not_served_makes_the_other_one_be_asked_in_the_same_round(serve, client, blocked, first):
    good = (200, {"status": "COMPLETED", "lora_url": WEIGHTS})
    server = serve(by_style(blocked, good) if first == "g1" else by_style(good, blocked))
    seen = client(server).observe(job(style=first))
    assert (seen.phase, seen.style, seen.missing, seen.stop) == (Phase.SUCCEEDED, "g2" if first == "g1" else "g1", False, "")
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 422, 429, 500, 502, 504])
def test_other_errors_do_not_make_a_second_request(serve, client, status):
    server = serve(answer(status, {"error": "x"}))
    seen = client(server).observe(job())
    assert (seen.phase, len(server.requests)) == (None, 1)


def test_unknown_in_both_styles_is_missing(serve, client):
    for g1, g2 in [(404, 404), (404, 410), (404, 405), (405, 404)]:
        server = serve(by_style((g1, {}), (g2, {})))
        seen = client(server).observe(job())
        assert (seen.missing, seen.style, seen.phase) == (True, None, None), (g1, g2)


def test_a_lost_word_counts_as_404(serve, client):
    server = serve(by_style((404, {}), (200, {"status": "not_found"})))
    assert client(server).observe(job(style="g2")).missing
    server = serve(by_style((200, {"status": "IN_PROGRESS"}), (200, {"status": "expired"})))
    seen = client(server).observe(job(style="g2"))
    assert (seen.phase, seen.missing) == (Phase.RUNNING, False)


@pytest.mark.parametrize("other", [(404, {}), (404, {"error": "Endpoint not found"}), EDGE])
def test_where_the_edge_blocks_and_no_style_answers_polling_stops_and_names_the_edge(serve, client, other):
    server = serve(by_style(other, EDGE))
    seen = client(server).observe(job())
    assert (seen.phase, seen.missing) == (None, False)
    assert "edge" in seen.stop
    assert "not the reason" in seen.stop


def test_unknown_here_and_broken_there_is_not_missing(serve, client):
    seen = client(serve(by_style((404, {}), (500, {})))).observe(job())
    assert (seen.missing, seen.phase) == (False, None)
    assert "500" in seen.trouble


def test_only_the_queue_is_asked_where_a_trainer_has_no_result_path_or_is_not_declared(serve, client):
    server = serve(answer(404, {}))
    api = client(server, trainers={QUEUE_ONLY.id: QUEUE_ONLY})
    assert api.observe(job(trainer=QUEUE_ONLY.id)).missing
    assert api.observe(job(trainer="gone")).missing
    assert asked(server) == ["GET /v2/requests/status/r1"] * 2


def test_a_bad_key_stops_polling(serve, client):
    server = serve(answer(401, {"error": "Invalid or missing authentication"}))
    assert "401" in client(server).observe(job()).stop
    assert len(server.requests) == 1


def dripping(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    peer.drip(itertools.repeat(b" "))


def endless(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    peer.drip(itertools.repeat(b" " * 65536), pause_seconds=0)


@pytest.mark.parametrize(
    "play",
    [
        close_after_reading,
        reset_after_reading,
        hang_after_reading,
        raw(b"HTTP/1.1 200 OK\r\n"),
        raw(b"\x00\x01"),
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"),
        after_reading(dripping),
        after_reading(endless),
        answer(200, gzip.compress(b'{"status": "FAILED"}'), {"Content-Encoding": "gzip"}),
        answer(302, b"", {"Location": "http://127.0.0.1:1/"}),
        answer(200, b"[" * 900_000),
        answer(200, b'{"status": "FAILED", "x": ' + b"9" * 900_000 + b"}"),
    ],
)
def test_whatever_a_server_does_a_poll_gives_no_news_and_does_not_raise(serve, client, play):
    server = serve(play)
    api = client(server, poll_deadline_seconds=0.4)
    seen = api.observe(job())
    assert (seen.phase, seen.missing, seen.stop) == (None, False, "")
    assert seen.trouble
    server.plays = [answer(200, {"status": "QUEUED"})]
    assert api.observe(job()).phase is Phase.QUEUED


def test_nobody_there_is_no_news(serve, client):
    server = serve(answer(200, {}))
    server.__exit__()
    seen = client(f"http://127.0.0.1:{1}").observe(job())
    assert (seen.phase, seen.missing) == (None, False)
    assert "refused" in seen.trouble


def test_polls_share_a_connection_and_leak_none(serve, client):
    server = serve(answer(200, {"status": "QUEUED"}))
    api = client(server)
    api.observe(job())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(300):
        assert api.observe(job()).phase is Phase.QUEUED
    assert server.connections == 1
    assert len(os.listdir("/proc/self/fd")) <= before


def test_connections_that_servers_break_are_not_kept(serve, client):
    plays = [close_after_reading, raw(reply(200, {"status": "QUEUED"}, {"Connection": "close"})), reset_after_reading, raw(b"junk\r\n\r\n")]
    server = serve(*(plays * 10), answer(200, {"status": "RUNNING"}))
    api = client(server)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(40):
        api.observe(job())
    assert api.observe(job()).phase is Phase.RUNNING
    for _ in range(100):
        if server.open <= 1:
            break
        time.sleep(0.01)
    assert server.open <= 1
    assert len(os.listdir("/proc/self/fd")) <= before + 4


def test_a_connection_that_went_stale_is_replaced_within_the_poll(serve, client):
    server = serve(answer(200, {"status": "QUEUED"}), close_after_reading, answer(200, {"status": "RUNNING"}))
    api = client(server)
    assert api.observe(job()).phase is Phase.QUEUED
    assert api.observe(job()).phase is Phase.RUNNING


def test_many_threads_poll_at_once_and_keep_their_answers_apart(serve, client):
    def echo(peer: Peer) -> bool:
        request = peer.read_request()
        if request is None:
            return False
        number = json.loads(request.body)["request_id"]
        peer.send(reply(200, {"request_id": number, "status": "done", "lora_url": f"https://h/{number}.safetensors"}))
        return True

    server = serve(echo)
    api = client(server)
    wrong = []

    def work(worker: int) -> None:
        for n in range(20):
            seen = api.observe(job(f"{worker}-{n}"))
            if [a.url for a in seen.artifacts] != [f"https://h/{worker}-{n}.safetensors"]:
                wrong.append(seen)

    threads = [threading.Thread(target=work, args=(w,)) for w in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert wrong == []
    assert server.connections <= 16
    assert len(server.requests) == 320


@pytest.mark.parametrize("status", [200, 400, 401, 404])
def test_a_key_in_an_answer_is_not_passed_on(serve, client, status):
    spelled = quote(KEY, safe="")
    body = {"status": "COMPLETED", "lora_url": f"https://h/{spelled}.safetensors"} if status == 200 else {"error": f"{'x' * 290}{KEY}"}
    text = repr(client(serve(answer(status, body))).observe(job()))
    assert KEY[:6] not in text
    assert spelled[:6] not in text


class TestLimiter:
    """Two polls a second in total, whoever asks."""

    def test_tokens_are_shared(self):
        limiter = Limiter(50)
        started = time.monotonic()
        threads = [threading.Thread(target=lambda: [limiter.take() for _ in range(5)]) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert time.monotonic() - started >= 15 / 50

    def test_without_a_rate_there_is_no_limit(self):
        limiter = Limiter(None)
        assert [limiter.take() for _ in range(10_000)] == [0.0] * 10_000

    def test_a_short_pause_is_slept_and_a_long_one_is_told(self):
        limiter = Limiter(None)
        limiter.pause(0.1)
        started = time.monotonic()
        assert limiter.take() == 0
        assert time.monotonic() - started >= 0.09
        limiter.pause(100_000)
        assert limiter_module.PATIENCE_SECONDS < limiter.take() <= 300

    def test_closing_wakes_who_waits(self):
        limiter = Limiter(0.001)
        limiter.take()
        threading.Timer(0.1, limiter.close).start()
        assert limiter.take() > 0

    @pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
    def test_a_rate_is_positive(self, rate):
        with pytest.raises(ValueError):
            Limiter(rate)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_pauses_all_polls(serve, client, status):
    server = serve(answer(status, {"error": "slow down"}, {"Retry-After": "60"}), answer(200, {"status": "QUEUED"}))
    api = client(server)
    first, second = api.observe(job()), api.observe(job("r2"))
    assert first.retry_after_seconds == 60
    assert 50 < second.retry_after_seconds <= 60
    assert (second.phase, len(server.requests)) == (None, 1)
