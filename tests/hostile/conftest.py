"""A project folder, and the command line in this process; a line that hangs is ended."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.cli.run import run

LONGEST_SECONDS = 20
"""Far longer than any line takes on a busy machine, far shorter than for ever."""


class Hung(BaseException):
    """A line did not end. Not an Exception: no handler of the product may take it for a fault of the world."""


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


Line = Callable[..., Result]


@contextlib.contextmanager
def ends() -> Iterator[None]:
    """What happens inside the block ends by itself."""

    def stop(*_: object) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def is_inert(text: str) -> bool:
    """No control character but newline and tab, nothing invisible."""
    return all(c in "\n\t" or c.isprintable() for c in text)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """Run one command line in this process. Whatever it is, it ends, without a traceback and without a control character."""

    def run_here(*words: str, **environment: str) -> Result:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2)]
        base = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PIXAZO_API_KEY": os.environ["PIXAZO_API_KEY"]}
        with monkeypatch.context() as patch, ends():
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            code = run(list(words), base | environment)
        out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)  # type: ignore[attr-defined]
        assert "Traceback" not in out + err
        assert is_inert(out + err), ascii(out + err)
        return Result(code, out, err)

    return run_here


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Line) -> Path:
    """An initialised project with one model; the current folder is in it."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert line("init").code == 0
    return folder


def memory(folder: Path) -> dict[str, bytes]:
    """Every file of the state folder with its bytes; not the lock, which is information only, and the emulator's books."""
    return {p.name: p.read_bytes() for p in sorted((folder / "state").iterdir()) if p.is_file() and p.name not in ("lock", "emulator.db")}
