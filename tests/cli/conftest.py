"""What the tests of the command line share: a project folder, a way to run a line in this process, and one in a child."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from command_lines import HOME, Call, Result

from reconciler.cli.run import run
from tests.documents import check


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run one command line in this process, with an environment of its own."""

    def run_here(*words: str, **environment: str) -> Result:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            code = run(list(words), HOME | environment)
        out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)  # type: ignore[attr-defined]
        assert "Traceback" not in out + err
        check(words, out)
        return Result(code, out, err)

    return run_here


@pytest.fixture
def shell() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run one command line as a process of its own."""

    def run_child(*words: str, environment: Mapping[str, str] | None = None, **options: object) -> subprocess.CompletedProcess[bytes]:
        whole = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")} | HOME | dict(environment or {})
        options.setdefault("capture_output", True)
        return subprocess.run([sys.executable, "-m", "reconciler", *words], env=whole, timeout=60, check=False, **options)  # type: ignore[call-overload]

    return run_child


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> Path:
    """An initialised project; the current folder is in it."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert call("init").code == 0
    return folder
