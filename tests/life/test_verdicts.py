"""Every row of the verdict table through the command: what is recorded, how often it is sent, how the process ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.run import run
from reconciler.journal.file import FileJournal
from reconciler.store.sqlite import SqliteStore
from tests.life.folder import Folder
from tests.pixazo.raw_server import (
    RawServer,
    answer,
    close_after_reading,
    raw,
    reset_after_reading,
)

ID = "a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8"
PENDING = answer(200, {"status": "IN_QUEUE", "request_id": ID})
OK = answer(200, {"status": "IN_QUEUE", "request_id": ID, "message": "Training job queued for execution."})
DOUBT, REFUSED, GOOD = "in_doubt", "rejected", "accepted"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs `apply` in this process, so that a row costs no start-up."""
    folder = Folder.new(tmp_path / "project")
    folder.models(otter={"steps": 100})
    monkeypatch.chdir(folder.path)

    def apply(url: str, *words: str, **models: dict[str, Any]) -> tuple[int, str]:
        if models:
            folder.models(**models)
        code = run(["apply", "-auto-approve", *words], folder.environment(RECONCILER_ENDPOINT=url))
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out + err

    return apply


def recorded(folder: Path) -> list[str]:
    """The status of every attempt, oldest first."""
    state = SqliteStore(folder / "state" / "reconciler.db", FileJournal(folder / "state" / "purchases.jsonl"), now=str).view()
    return [str(a.status) for a in state.attempts.values()]


ROWS: dict[str, tuple[Any, str, int]] = {
    "2xx with an id": (OK, GOOD, 0),
    "202 and a polling URL elsewhere": (answer(202, {"request_id": "x", "status": "QUEUED", "polling_url": "http://127.0.0.1:1/steal"}), GOOD, 0),
    "2xx with an id and a failure word": (answer(200, {"request_id": ID, "status": "FAILED", "error": "captions missing"}), GOOD, 0),
    "2xx without an id": (answer(200, {"status": "IN_QUEUE"}), DOUBT, 7),
    "2xx with an empty id": (answer(200, {"request_id": ""}), DOUBT, 7),
    "2xx with an id of control characters": (answer(200, {"request_id": "a\u001b[31m"}), DOUBT, 7),
    "2xx that is no JSON": (answer(200, b"<html>ok</html>", {"Content-Type": "text/html"}), DOUBT, 7),
    "2xx with a key twice": (answer(200, b'{"request_id":"a","request_id":"b"}'), DOUBT, 7),
    "204": (answer(204), DOUBT, 7),
    "reset": (reset_after_reading, DOUBT, 7),
    "closed": (close_after_reading, DOUBT, 7),
    "half a head": (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), DOUBT, 7),
    "half a body": (raw(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"status":'), DOUBT, 7),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), DOUBT, 7),
    "a head of 200 kB": (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"), DOUBT, 7),
    "307": (answer(307, headers={"Location": "http://127.0.0.1:1/"}), REFUSED, 1),
    "303": (answer(303, headers={"Location": "http://127.0.0.1:1/"}), DOUBT, 7),
    **{str(s): (answer(s, {"error": "no"}), REFUSED, 1) for s in (400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 413, 414, 415, 417, 422, 431)},
    **{str(s): (answer(s, {"error": "no"}), DOUBT, 7) for s in (408, 409, 423, 425, 500, 501, 502, 503, 504, 520, 599)},
    "418": (answer(418, {}), DOUBT, 7),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_answer_has_its_verdict_its_one_post_and_its_exit_code(row: str, project: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    play, verdict, code = ROWS[row]
    with RawServer([play, PENDING]) as server:
        ended, text = project(server.url)
        submits = [r for r in server.requests if r.path.endswith("-request")]
        assert len(submits) == 1
        assert recorded(tmp_path / "project") == [verdict]
        assert ended == code, text
        again, text = project(server.url)
        submits = [r for r in server.requests if r.path.endswith("-request")]
        assert len(submits) == (2 if verdict == REFUSED else 1)
        if verdict == DOUBT:
            assert again == 7
            assert "resolve otter" in text


def test_429_waits_and_is_a_new_attempt(project: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    with RawServer([answer(429, {}, {"Retry-After": "0"}), answer(429, {}, {"Retry-After": "0"}), OK, PENDING]) as server:
        code, _ = project(server.url)
    assert code == 0
    assert recorded(tmp_path / "project") == [REFUSED, REFUSED, GOOD]


def test_429_for_ever_ends_after_five_attempts(project: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    with RawServer([answer(429, {}, {"Retry-After": "0"})]) as server:
        code, text = project(server.url)
    assert code == 1, text
    assert recorded(tmp_path / "project") == [REFUSED] * 5


def test_421_is_sent_again_once(project: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    with RawServer([answer(421, {})]) as server:
        code, _ = project(server.url)
        assert server.posts == 2
    assert code == 1
    assert recorded(tmp_path / "project") == ["not_sent", "not_sent"]


def test_nobody_listens_nothing_is_recorded(project: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    with RawServer([OK]) as server:
        url = server.url
    code, text = project(url)
    assert code == 1
    assert recorded(tmp_path / "project") == []
    assert "nothing" in text


def test_a_bad_key_stops_the_run_before_the_other_models(project: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    with RawServer([answer(401, {"error": "Invalid or missing authentication"})]) as server:
        code, text = project(server.url, "-parallelism=1", **{f"m{i}": {"steps": 100 + i} for i in range(5)})
        assert server.posts == 1
    assert code == 1
    assert "m4" in text


def test_an_id_in_a_broken_answer_is_polled_and_adopted_when_the_server_knows_it(project: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    cut = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + json.dumps({"request_id": ID, "status": "IN_QUEUE"}).encode()[:-2])
    with RawServer([cut, PENDING]) as server:
        code, text = project(server.url)
        assert server.posts >= 2
    assert code == 0, text
    assert recorded(tmp_path / "project") == [GOOD]


def test_the_wire_shows_exactly_the_documented_request(project: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    with RawServer([OK, PENDING]) as server:
        assert project(server.url)[0] == 0
        request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/flux-2-pro-text-to-image-trainer-712/v1/flux-2-pro-text-to-image-trainer-request")
    assert request.header("content-type") == "application/json"
    assert request.header("cache-control") == "no-cache"
    assert request.header("ocp-apim-subscription-key") is not None
    assert json.loads(request.body) == {"image_data_url": "https://data.example.com/otter.zip", "steps": 100, "learning_rate": 5e-05}
