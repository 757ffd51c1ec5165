"""Answers that a server made to hurt, through the commands: their verdict, no crash, and nothing of them acts in any output."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reconciler.journal.file import FileJournal
from reconciler.store.sqlite import SqliteStore
from tests.pixazo.raw_server import Play, RawServer, answer, raw, reply
from tests.reports.hostile import FORBIDDEN, HOSTILE

from .conftest import Line

ID = "a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8"
QUEUED = answer(200, {"status": "IN_QUEUE", "request_id": ID})
DOUBT, GOOD = "in_doubt", "accepted"
LOOKING = (
    ["plan"],
    ["plan", "-json"],
    ["status"],
    ["status", "-json"],
    ["jobs", "list"],
    ["jobs", "list", "-json"],
    ["output"],
    ["history"],
    ["show"],
    ["doctor"],
    ["refresh"],
    ["refresh", "-json"],
)


LOADING = (["output", "-format=env"], ["output", "-format=yaml"])
"""For programs: they show URLs whole, as every other form does not."""


def recorded(project: Path) -> list[str]:
    state = SqliteStore(project / "state" / "reconciler.db", FileJournal(project / "state" / "purchases.jsonl"), now=str).view()
    return [str(a.status) for a in state.attempts.values()]


def body(text: str | bytes, content_type: str = "application/json", **headers: str) -> Play:
    return answer(200, text.encode() if isinstance(text, str) else text, {"Content-Type": content_type, **headers})


BRIEFLY = (["plan"], ["status"], ["jobs", "list", "-json"], ["history"], ["refresh"])


def look(line: Line, server: RawServer, commands: Sequence[list[str]] = LOOKING) -> str:
    """Everything that every looking command says; `line` itself sees to tracebacks and control characters."""
    said = []
    for words in LOADING:
        loaded = line(*words)
        assert loaded.code in (0, 1)
        assert not any(row.lstrip().startswith("::") or re.search(r"##[A-Za-z]*\[", row) for row in loaded.out.splitlines())
    for words in commands:
        result = line(*words, RECONCILER_ENDPOINT=server.url)
        assert result.code in (0, 1, 2, 4, 7, 8), (words, result)
        said.append(result.text)
    return "".join(said)


def buy(line: Line, server: RawServer, *words: str) -> Any:
    return line("apply", "-auto-approve", "-max-cost=8", *words, RECONCILER_ENDPOINT=server.url)


DEEP = "[" * 10_000 + "]" * 10_000
DIGITS = "9" * 5000
SUBMITS: dict[str, tuple[Play, str]] = {
    "64 KiB and more": (body('{"request_id": "x", "pad": "' + "a" * 70_000 + '"}'), DOUBT),
    "depth": (body(f'{{"request_id": "x", "a": {DEEP}}}'), DOUBT),
    "duplicate ids": (body('{"request_id": "x", "request_id": "y"}'), DOUBT),
    "duplicate keys": (body('{"request_id": "x", "status": "A", "status": "B"}'), DOUBT),
    "5,000 digits": (body(f'{{"request_id": "x", "n": {DIGITS}}}'), DOUBT),
    "5,000 digits and a point": (body(f'{{"request_id": "x", "n": 0.{DIGITS}}}'), DOUBT),
    "beyond the largest number": (body('{"request_id": "x", "n": 1e400}'), DOUBT),
    "NaN": (body('{"request_id": "x", "n": NaN}'), DOUBT),
    "half a character": (body('{"request_id": "x", "m": "\\ud800"}'), DOUBT),
    "not UTF-8": (body(b'{"request_id": "x", "m": "\xff"}'), DOUBT),
    "an id that is an object": (body('{"request_id": {"a": 1}}'), DOUBT),
    "an id that is a list": (body('{"request_id": ["x"]}'), DOUBT),
    "an id that is a number": (body('{"request_id": 12}'), DOUBT),
    "an id that is true": (body('{"request_id": true}'), DOUBT),
    "an id of a million characters": (body(json.dumps({"request_id": "x" * 60_000})), DOUBT),
    "an id with ESC": (body('{"request_id": "\\u001b[2Jx"}'), DOUBT),
    "an id with a line break": (body('{"request_id": "x\\n::error::y"}'), DOUBT),
    "an id with NUL": (body('{"request_id": "x\\u0000y"}'), DOUBT),
    "an id of blanks": (body('{"request_id": "   "}'), DOUBT),
    "an id that is a path": (body('{"request_id": "../../../etc/passwd"}'), GOOD),
    "an id with a bidi override": (body('{"request_id": "x\\u202ey"}'), GOOD),
    "an id that is a formula": (body('{"request_id": "=cmd()|\' /C calc\'!A0"}'), GOOD),
    "an id that is markup": (body('{"request_id": "</td><script>alert(1)</script>"}'), GOOD),
    "an id that is a flag": (body('{"request_id": "-rf"}'), GOOD),
    "an id that is a URL": (body('{"request_id": "https://evil.example.com/?a=b"}'), GOOD),
    "a list": (body('["x"]'), DOUBT),
    "a string": (body('"request_id"'), DOUBT),
    "null": (body("null"), DOUBT),
    "nothing": (body(""), DOUBT),
    "a page that says it is JSON": (body("<!doctype html><title>\x1b]0;pwned\x07</title>"), DOUBT),
    "JSON that says it is a page": (body(json.dumps({"request_id": ID, "status": "QUEUED"}), "text/html"), GOOD),
    "JSON that says it is a picture": (body(json.dumps({"request_id": ID, "status": "QUEUED"}), "image/png"), GOOD),
    "JSON without a type": (raw(b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"request_id": "x"}'), GOOD),
    "gzip that was not asked for": (body(b"\x1f\x8b\x08\x00junk", **{"Content-Encoding": "gzip"}), DOUBT),
    "a header of 100 kB": (raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\nContent-Length: 2\r\n\r\n{}"), DOUBT),
    "a status line of junk": (raw(b"\x1b[2J\xff\xfe\r\n\r\n"), DOUBT),
    "two lengths": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n{}{}{}"), DOUBT),
    "a length that lies": (raw(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{"request_id": "x"}'), DOUBT),
    "a polling URL with control characters": (body('{"request_id": "x", "status": "QUEUED", "polling_url": "http://127.0.0.1/\\u001b[31m"}'), GOOD),
    "words of other types": (body('{"request_id": "x", "status": {"a": 1}, "task_status": [1], "state": 5, "error": null, "output": [[]]}'), GOOD),
    "an error of other types": (body('{"request_id": "x", "status": 9, "error": {"message": {"a": [1, {"b": "c"}]}}}'), GOOD),
}


@pytest.mark.parametrize("name", SUBMITS)
def test_a_hostile_answer_to_a_purchase_has_its_verdict_and_acts_nowhere(line: Line, project: Path, name: str) -> None:
    play, verdict = SUBMITS[name]
    with RawServer([play, QUEUED]) as server:
        result = buy(line, server, "-report=markdown=r.md", "-report=junit=r.xml")
        assert sum(r.path.endswith("-trainer-request") for r in server.requests) == 1
        assert recorded(project) == [verdict], result
        assert result.code in ((7,) if verdict == DOUBT else (0, 1)), result
        look(line, server, BRIEFLY)
    reports = (project / "r.md").read_text() + (project / "r.xml").read_text()
    assert "<script>" not in reports
    assert all(c in "\n\t" or c.isprintable() for c in reports.replace("\u200b", ""))
    assert sum(r.path.endswith("-trainer-request") for r in server.requests) == 1, "looking buys nothing"
    assert not list(project.parent.glob("**/passwd"))


def finished(value: str) -> dict[str, Any]:
    """A finished job in which every foreign value is `value`."""
    url = f"https://cdn.example.com/{value}/a.safetensors"
    return {
        "request_id": ID,
        "status": "COMPLETED",
        "message": value,
        "diffusers_lora_file": {"url": "https://cdn.example.com/a.safetensors", "file_name": value, "content_type": value, "file_size": value},
        "config_file": {"url": url},
        "output": {"media_url": [url, value]},
    }


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("shape", ["refusal", "failed", "finished", "unknown word"])
def test_a_servers_text_acts_in_no_output(line: Line, project: Path, kind: str, shape: str) -> None:
    value = HOSTILE[kind]
    plays: dict[str, list[Play]] = {
        "refusal": [lossy(400, {"error": value, "message": value})],
        "failed": [QUEUED, lossy(200, {"request_id": ID, "status": "FAILED", "error": value})],
        "finished": [QUEUED, lossy(200, finished(value))],
        "unknown word": [QUEUED, lossy(200, {"request_id": ID, "status": value})],
    }
    with RawServer(plays[shape]) as server:
        result = buy(line, server)
        assert result.code in (0, 1, 8), result
        text = result.text + look(line, server)
    for forbidden in FORBIDDEN:
        assert forbidden not in text, (forbidden, shape)
    for row in text.splitlines():
        assert not row.lstrip().startswith("::")
        assert not re.search(r"##[A-Za-z]*\[", row)
    kept = b"".join(p.read_bytes() for p in (project / "state").iterdir() if p.suffix != ".db")
    assert b"\x1b" not in kept


def lossy(status: int, document: object) -> Play:
    """JSON with whatever it holds: half characters as escapes."""
    return answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


POLLS: dict[str, Play] = {
    **{name: play for name, (play, verdict) in SUBMITS.items() if verdict == DOUBT},
    "a megabyte and more": body('{"status": "COMPLETED", "pad": "' + "a" * 1_100_000 + '"}'),
    "another id": answer(200, {"request_id": "other", "status": "FAILED", "error": "x"}),
    "a word of other types": answer(200, {"request_id": ID, "status": ["FAILED"], "error": [], "output": {"media_url": {"url": 5}}}),
    "files of other types": answer(200, {"request_id": ID, "diffusers_lora_file": 5, "lora_file": [None, [], {}], "weights": {"url": ["x"]}}),
    "files that are not on the web": answer(
        200, {"request_id": ID, "weights": {"url": "file:///etc/passwd"}, "output": {"media_url": ["javascript:alert(1)"]}}
    ),
    "files on a plain host": answer(200, {"request_id": ID, "weights": {"url": "http://169.254.169.254/latest/a.safetensors"}}),
}


@pytest.mark.parametrize("name", POLLS)
def test_a_hostile_answer_to_a_poll_is_no_news(line: Line, project: Path, name: str) -> None:
    """The job stays pending, nothing is bought again, and the next good answer settles it."""
    with RawServer([QUEUED, POLLS[name]]) as server:
        assert buy(line, server).code in (0, 1)
        result = line("refresh", RECONCILER_ENDPOINT=server.url)
        assert result.code in (0, 1), result
        status = line("status", "-json")
        [model] = json.loads(status.out)["models"]
        assert model["phase"] in ("queued", "running"), (model, result)
        assert server.posts >= 1
        server.plays[:] = [answer(200, {"request_id": ID, "status": "COMPLETED", "weights": {"url": "https://c.example.com/a.safetensors"}})]
        assert line("refresh", RECONCILER_ENDPOINT=server.url).code == 0
        assert json.loads(line("status", "-json").out)["models"][0]["phase"] == "succeeded"


def test_a_redirect_takes_the_key_nowhere(line: Line, project: Path, suite_key: str) -> None:
    """Neither a submit nor a poll nor a polling URL elsewhere: the other server sees no byte."""
    with RawServer([answer(200, {})]) as other:
        elsewhere = {"Location": f"{other.url}/x"}
        accepted = answer(200, {"request_id": ID, "status": "QUEUED", "polling_url": f"{other.url}/poll"})
        with RawServer([answer(307, {}, elsewhere)]) as server:
            assert buy(line, server).code == 1
            server.plays[:] = [accepted, answer(302, {}, elsewhere)]
            assert buy(line, server).code in (0, 1)
            look(line, server)
            assert server.posts >= 2
            assert any(suite_key in value for r in server.requests for _, value in r.headers), "our own origin does get it"
        assert other.connections == 0
        assert other.received == b""


def test_half_an_answer_in_every_length_is_never_lost_and_never_twice(line: Line, project: Path) -> None:
    """A purchase is one POST, wherever its answer is cut."""
    whole = reply(200, {"request_id": ID, "status": "IN_QUEUE"})
    for length in (0, 1, 20, len(whole) - 30, len(whole) - 1):
        with RawServer([raw(whole[:length]), answer(404, {"error": "not found"})]) as server:
            result = buy(line, server, "-replace=example-otter")
            posts = [r for r in server.requests if r.path.endswith("-trainer-request")]
            assert len(posts) <= 1
            assert result.code in (7, 4)
    assert recorded(project)[0] == DOUBT
