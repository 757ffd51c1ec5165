"""Lists that are printed again: the same to the byte, as long as nothing that they depend on has changed, and made anew when it has."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.inputs import write_project
from reconciler.cache import witness
from reconciler.cli.run import run
from reconciler.commands import answers
from reconciler.commands.clock import SystemClock
from reconciler.commands.context import Context

NOWHERE = {"RECONCILER_CACHE_DIR": os.devnull}
Look = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bought")
    write_project(folder, 12, 3)
    return folder


@pytest.fixture
def project(bought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(bought, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(witness, "RACY_NANOSECONDS", 0)
    monkeypatch.setattr(answers, "WORTH_SECONDS", 0)
    return tmp_path / "project"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often an answer was made."""
    seen: Counter[str] = Counter()
    make = answers._made

    def counting(context: Context, *rest: object) -> answers.Answer:
        seen[context.arguments[0]] += 1
        return make(context, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(answers, "_made", counting)
    return seen


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    monkeypatch.setattr(SystemClock, "now", lambda _self: "2026-11-24T12:00:00Z")

    def run_here(*words: str, **environment: str) -> tuple[int, str, str]:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            code = run(list(words), {"PATH": os.environ["PATH"]} | environment)
        out, err = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
        return code, out, err

    return run_here


@pytest.mark.parametrize(
    "words", [("status",), ("status", "model-000003"), ("jobs",), ("jobs", "list", "-json"), ("cost",), ("cost", "-by=label.team", "-format=csv")]
)
def test_what_is_printed_again_is_the_same(project: Path, look: Look, made: Counter[str], words: tuple[str, ...]) -> None:
    without = look(*words, **NOWHERE)
    assert look(*words) == look(*words) == without
    assert without[1]
    assert made[words[0]] == 2


def test_what_holds_the_moment_is_made_each_time(project: Path, look: Look, made: Counter[str]) -> None:
    assert look("status", "-json") == look("status", "-json")
    assert made["status"] == 2


def test_other_words_widths_and_days_are_other_questions(project: Path, look: Look, made: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    look("status")
    assert look("status", "model-000001")[1] != look("status")[1]
    assert look("status", COLUMNS="60") == look("status", COLUMNS="60", **NOWHERE)
    monkeypatch.setattr(SystemClock, "now", lambda _self: "2026-11-25T12:00:00Z")
    look("status")
    assert made["status"] == 5


@pytest.mark.parametrize("what", ["a manifest", "the project file", "the state", "a pause"])
def test_whatever_changes_is_seen(project: Path, look: Look, made: Counter[str], what: str) -> None:
    look("status")
    match what:
        case "a manifest":
            path = project / "models/part-00001.yaml"
            path.write_text(path.read_text().replace("model-000004", "model-other"))
        case "the project file":
            (project / "reconciler.yaml").write_text((project / "reconciler.yaml").read_text() + "# more\n")
        case "the state":
            (project / "state/reconciler.db").unlink()
        case _:
            assert look("pause", "-reason=because")[0] == 0
    assert look("status") == look("status", **NOWHERE)
    assert made["status"] == 3


def test_a_damaged_answer_is_made_anew(project: Path, look: Look, made: Counter[str]) -> None:
    right = look("status")
    for path in (project / ".reconciler").glob("answer-*.cache"):
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(content)
    assert look("status") == right
    assert made["status"] == 2


def test_jobs_that_are_still_training_are_looked_at_each_time(tmp_path: Path, look: Look, made: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "WORTH_SECONDS", 0)
    write_project(tmp_path / "p", 2, 1, pending=True)
    monkeypatch.chdir(tmp_path / "p")
    look("status")
    look("status")
    assert made["status"] == 2
