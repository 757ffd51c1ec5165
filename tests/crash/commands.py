"""The tests' side of the fork server: start a command, kill it somewhere, see how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

REPO = Path(__file__).resolve().parents[2]
KEY = os.environ["PIXAZO_API_KEY"]
PATIENCE_SECONDS = 60.0


class Ended(NamedTuple):
    """How a command ended; `code` is negative for a signal."""

    code: int
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def text(self) -> str:
        return self.out + self.err


class Place(NamedTuple):
    """A moment in a run: in front of the `occurrence`th execution of a line."""

    file: str
    line: int
    occurrence: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}#{self.occurrence}"


@dataclass
class Commands:
    """Runs commands as children of a warm process. For one thread."""

    scratch: Path
    endpoint: str
    process: subprocess.Popen[str] = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.forkserver"], cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment()
        )
        assert json.loads(self._line())["ready"]

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "TZ") if name in os.environ}
        return {**kept, "PIXAZO_API_KEY": KEY, "RECONCILER_ENDPOINT": self.endpoint, "NO_COLOR": "1"}

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def run(self, folder: Path, *words: str, **more: Any) -> Ended:
        """A command from start to end (or to its death)."""
        with self.started(folder, *words, **more) as pid:
            return self.end(pid)

    def lines(self, folder: Path, *words: str) -> list[Place]:
        """Every line of the purchase path that the command executes, in order."""
        record = self.scratch / f"lines{os.getpid()}-{self.count}"
        ended = self.run(folder, *words, record=str(record))
        assert "HARNESS" not in ended.err, ended
        seen: dict[str, int] = {}
        places = []
        for text in record.read_text().split():
            seen[text] = seen.get(text, 0) + 1
            file, _, line = text.rpartition(":")
            places.append(Place(file, int(line), seen[text]))
        return places

    def kill_at(self, folder: Path, place: Place, *words: str) -> Ended:
        return self.run(folder, *words, kill_at=list(place))

    def kill_after(self, folder: Path, seconds: float, *words: str) -> Ended:
        with self.started(folder, *words) as pid:
            timer = threading.Timer(seconds, lambda: _kill(pid, signal.SIGKILL))
            timer.start()
            ended = self.end(pid)
            timer.cancel()
            return ended

    def under_strace(self, folder: Path, arguments: Sequence[str], *words: str, log: Path | None = None, **more: Any) -> Ended:
        """A command that `strace` takes hold of before its first line, or where `stop_at` (file, function) says."""
        if "stop_at" not in more:
            more["hold"] = True
        with self.started(folder, *words, **more) as pid:
            if not self._ask(do="wait", pid=pid, stopped=True).get("stopped"):
                return self._files(0)  # it ended before it came there
            tracer = subprocess.Popen(
                ["strace", "-f", "-o", str(log or "/dev/null"), *arguments, "-p", str(pid)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
            )
            _await_attached(tracer)
            os.kill(pid, signal.SIGCONT)
            ended = self.end(pid)
            assert tracer.stderr is not None
            with tracer.stderr:
                tracer.stderr.read()
            tracer.wait()
            return ended

    @contextlib.contextmanager
    def started(self, folder: Path, *words: str, **more: Any) -> Iterator[int]:
        self.count += 1
        self._out, self._err = self.scratch / f"out{self.count}", self.scratch / f"err{self.count}"
        case = {"do": "start", "words": list(words), "cwd": str(folder), "env": self.environment(), "out": str(self._out), "err": str(self._err), **more}
        pid = self._ask(**case)["pid"]
        watch = threading.Timer(PATIENCE_SECONDS, lambda: _kill(pid, signal.SIGABRT))
        watch.daemon = True
        watch.start()
        try:
            yield pid
        finally:
            watch.cancel()
            self._out.unlink(missing_ok=True)
            self._err.unlink(missing_ok=True)

    def end(self, pid: int) -> Ended:
        return self._files(self._ask(do="wait", pid=pid)["code"])

    def _files(self, code: int) -> Ended:
        return Ended(code, self._out.read_text(errors="replace"), self._err.read_text(errors="replace"))

    def _ask(self, **values: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(values) + "\n")
        self.process.stdin.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _await_attached(tracer: subprocess.Popen[str]) -> None:
    assert tracer.stderr is not None
    until = time.monotonic() + 10
    while time.monotonic() < until:
        line = tracer.stderr.readline()
        if "attached" in line:
            return
        assert line, f"strace ended: {tracer.poll()}"
