"""`RECONCILER_LOG`: structured lines of what was done, on stderr or in a file, at no level with the key."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from reconciler.log import LEVELS, opened
from tests.pixazo.raw_server import RawServer, answer

from .conftest import Line

KEY = "l0g/key+with=signs-0123456789"
ID = "a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8"
ECHO = {"request_id": ID, "status": "IN_QUEUE", "message": f"hello {KEY} {base64.b64encode(KEY.encode()).decode()} {quote(KEY, safe='')}"}
HEADERS = {"X-Echo": KEY, "X-Auth": base64.b64encode(b"user:" + KEY.encode()).decode(), "X-Escape": "a\x1b[31mb"}


@pytest.fixture
def server() -> Iterator[RawServer]:
    """It repeats the key in its answers."""
    with RawServer([answer(200, ECHO, HEADERS)]) as running:
        yield running


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(row) for row in text.splitlines()]


def shapes(key: str) -> list[str]:
    raw = key.encode()
    return [key, quote(key, safe=""), json.dumps(key)[1:-1], *(base64.b64encode(b"x" * n + raw).decode()[4:-4] for n in range(3))]


def apply(line: Line, server: RawServer, level: str, **more: str) -> tuple[int, str]:
    code, out, err = line("apply", "-auto-approve", "-max-cost=8", PIXAZO_API_KEY=KEY, RECONCILER_ENDPOINT=server.url, RECONCILER_LOG=level, **more)
    for shape in shapes(KEY):
        assert shape not in out + err
    return code, err


@pytest.mark.parametrize("level", [*LEVELS, "off"])
def test_no_level_holds_the_key(line: Line, project: Path, server: RawServer, level: str, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    code, _ = apply(line, server, level, RECONCILER_LOG_PATH=str(log))
    assert code == 0
    if level == "off":
        assert not log.exists()
        return
    text = log.read_text()
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    for shape in shapes(KEY):
        assert shape not in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    if level in ("info", "debug", "trace"):
        said = rows(text)
        assert [r["path"] for r in said if r["@message"] == "request"][0].endswith("-trainer-request")
        assert {"POST"} <= {r["method"] for r in said if r["@message"] == "request"}
        assert all(set(r) >= {"@timestamp", "@level", "@module", "@message"} for r in said)
        kinds = [r["kind"] for r in said if r["@message"] == "journal appended"]
        assert kinds[:2] == ["intent", "outcome"]
        assert [r["@message"] for r in said].count("lock taken") == 1
        assert (said[0]["@message"], said[-1]["@message"], said[-1]["exit_code"]) == ("command", "command done", 0)
        assert "hello" not in text, "bodies are not logged"
    if level == "trace":
        assert "<key>" in text, "headers are logged, the key in them is not"
    if level == "debug":
        assert "x-echo" not in text


def test_without_a_path_it_goes_to_stderr_and_stdout_stays_a_document(line: Line, project: Path) -> None:
    result = line("plan", "-json", RECONCILER_LOG="info")
    assert json.loads(result.out)["kind"] == "plan"
    assert [row["command"] for row in rows(result.err)] == ["plan", "plan"]


def test_a_failure_is_a_line_with_its_class_and_code_only(line: Line, project: Path) -> None:
    result = line("show", "-resolved", "nobody", RECONCILER_LOG="error")
    found = [json.loads(row) for row in result.err.splitlines() if row.startswith("{")]
    assert [(r["@level"], r["error"], r["exit_code"]) for r in found] == [("error", "Invalid", 1)]


def test_a_key_from_a_file_is_hidden_too(line: Line, project: Path, server: RawServer, tmp_path: Path) -> None:
    path = tmp_path.parent / f"{tmp_path.name}.key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    log = tmp_path / "log"
    words = ("apply", "-auto-approve", "-max-cost=8")
    more = {"RECONCILER_API_KEY_FILE": str(path), "RECONCILER_LOG": "trace", "RECONCILER_LOG_PATH": str(log), "PIXAZO_API_KEY": ""}
    assert line(*words, RECONCILER_ENDPOINT=server.url, **more).code == 0
    path.unlink()
    assert "<key>" in log.read_text()
    assert all(shape not in log.read_text() for shape in shapes(KEY))


def test_lines_are_appended_to_what_is_there(line: Line, project: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"mine": 1}\n')
    for _ in range(2):
        assert line("plan", RECONCILER_LOG="info", RECONCILER_LOG_PATH=str(log)).code == 0
    assert len(rows(log.read_text())) == 5


@pytest.mark.parametrize("kind", ["a link", "a folder", "a pipe", "a device", "nowhere", "no name"])
def test_a_path_that_is_no_file_of_ours_is_an_error_before_anything_is_done(line: Line, project: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    target = tmp_path / "target"
    match kind:
        case "a link":
            path.symlink_to(target)
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "a device":
            path = Path("/dev/null")
        case "nowhere":
            path = tmp_path / "a" / "b"
        case _:
            path = Path("x" * 300)
    result = line("apply", "-auto-approve", "-emulate", RECONCILER_LOG="info", RECONCILER_LOG_PATH=str(path))
    assert result.code == 64
    assert "RECONCILER_LOG_PATH" in result.err
    assert not target.exists()
    assert not list((project / "state").glob("emulator*"))


def test_a_full_disk_under_the_log_stops_nothing(line: Line, project: Path, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if log.exists() and os.fstat(descriptor).st_ino == log.stat().st_ino:
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    assert apply(line, server, "trace", RECONCILER_LOG_PATH=str(log))[0] == 0


def test_what_is_no_level_is_an_error(line: Line, project: Path) -> None:
    assert line("plan", RECONCILER_LOG="loud").code == 64


def test_only_our_own_loggers_are_heard_and_foreign_text_is_inert(tmp_path: Path) -> None:
    got: list[str] = []
    with opened("trace", None, err=got.append, redactor=lambda text: text.replace("hunter22", "<key>")) as log:
        for name in ("httpx", "httpcore.http11", ""):
            logging.getLogger(name).warning("Authorization: hunter22")
        log.info("a\x1b[31m\n%s", "https://u:p@h.example.com/x?sig=hunter22", extra={"data": {"\u202e": ["hunter22", {"a": b"\xff"}, 1, None, True]}})
    log.error("nobody listens any more")
    assert len(got) == 1
    assert "hunter22" not in got[0]
    row = json.loads(got[0])
    assert row["@message"] == "a\\u{1B}[31m\\u{0A}https://<redacted>@h.example.com/x?<redacted>"
    assert row["\\u{202E}"] == ["<key>", {"a": "b'\\xff'"}, 1, None, True]
