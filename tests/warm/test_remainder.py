"""A plan that is made from the changed manifests alone is the plan that reading everything makes, to the byte."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.inputs import write_project
from reconciler.cache import witness
from reconciler.cli.run import run
from reconciler.commands import plan as plan_command
from reconciler.commands import remainder
from reconciler.commands.clock import SystemClock
from reconciler.commands.remainder import Made
from reconciler.store import reading

NOWHERE = {"RECONCILER_CACHE_DIR": os.devnull}
Plan = Callable[..., tuple[int, str, str]]
FILES = 12


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bought")
    write_project(folder, 24, FILES)
    return folder


@pytest.fixture
def project(bought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(bought, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(witness, "RACY_NANOSECONDS", 0)
    return folder


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr(SystemClock, "now", lambda _self: "2026-11-24T12:00:00Z")

    def run_here(*words: str, **environment: str) -> tuple[int, str, str]:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            code = run(["plan", "-emulate", *words], {"PATH": os.environ["PATH"]} | environment)
        out, err = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
        return code, out, err

    return run_here


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a plan was made in part, and how often that was given up."""
    seen: Counter[str] = Counter()
    make = plan_command.plan_in_part

    def counting(*arguments: Any) -> Made | None:
        found = make(*arguments)
        seen["given up" if found is None else "in part"] += 1
        return found

    monkeypatch.setattr(plan_command, "plan_in_part", counting)
    return seen


def manifest(project: Path, number: int) -> Path:
    return project / f"models/part-{number:05}.yaml"


def model(name: str, dataset: str, **more: object) -> str:
    fields = {"dataset": f"https://data.example.com/sets/{dataset}.zip", "steps": 1000, "learning_rate": 3e-5} | more
    return f"  {name}: {json.dumps(fields)}\n"


def changed(project: Path, chance: random.Random) -> None:  # noqa: C901 (one case a kind of change)
    """Something that somebody might do to one manifest."""
    number = chance.randrange(FILES)
    path = manifest(project, number)
    text = path.read_text() if path.exists() else "version: 1\nmodels:\n"
    some = f"model-{chance.randrange(24):06}"
    match chance.randrange(12):
        case 0:
            text = text.replace("steps: 1", f"steps: {chance.randrange(2, 5)}", 1)
        case 1:
            text = text.replace("description: model", f"description: m{chance.randrange(3)}")
        case 2:
            text += model(f"new-{chance.randrange(4)}", f"{chance.randrange(24):06}", steps=1000 + chance.randrange(7) * 100, description="same data")
        case 3:
            text += model(some, "elsewhere")  # mostly declared already, in some file
        case 4:
            path.unlink(missing_ok=True)
            return
        case 5:
            lines = text.splitlines(keepends=True)
            text = "".join(lines[: 2 + 6 * chance.randrange(3)])
        case 6:
            text += f"# {chance.randrange(9)}\n"
        case 7:
            text = text.replace("learning_rate: 3e-5", "learning_rate: 0.5", 1)  # unusual: a warning
        case 8:
            text += "moved: [{from: model-000001, to: new-1}]\n"
        case 9:
            text = text.replace("steps: ", "stepz: ", 1)
        case 10:
            text += model("shared", "000007", steps=1000)
        case 11:
            text = text.replace("    labels:", "    lifecycle: {suspend: true}\n    labels:", 1)
    path.write_text(text)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_changed_the_plan_is_that_of_reading_everything(
    project: Path, bought: Path, plan: Plan, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WORTH_BYTES", 0 if seed % 2 else 4 << 20)
    chance = random.Random(seed)
    if seed % 3 == 0:
        with (project / "reconciler.yaml").open("a") as file:
            file.write("budget: {per_month: {limit: 100, warn_at: 0.01}}\nguards: {max_retrain_percent: 5, require_dataset_digest: warn}\n")
    plan()
    for _ in range(10):
        for _ in range(chance.randrange(1, 4)):
            changed(project, chance)
        if chance.random() < 0.5:
            shutil.rmtree(project / "models")
            shutil.copytree(bought / "models", project / "models")
        words = chance.choice([(), ("-json",), ("-json",), ("-detailed-exitcode",)])
        assert plan(*words) == plan(*words, **NOWHERE)
        assert plan(*words) == plan(*words, **NOWHERE), "and recalled"


def test_one_file_is_read_and_nothing_is_given_up(project: Path, plan: Plan, made: Counter[str]) -> None:
    plan()
    path = manifest(project, 3)
    text = path.read_text()
    for steps in (1701, 1801, 1901):
        path.write_text(text.replace("steps: 1", f"steps: {steps} # 1", 1))
        assert plan("-json") == plan("-json", **NOWHERE)
    assert made == {"in part": 3}


def test_a_name_that_an_unread_file_declares_is_still_declared_twice(project: Path, plan: Plan, made: Counter[str]) -> None:
    plan()
    path = manifest(project, 3)
    path.write_text(path.read_text() + model("model-000000", "other"))
    code, _, err = plan()
    assert code == 1
    assert "declared twice" in err
    assert made == {"given up": 1}


def test_a_spec_that_an_unread_file_has_is_reused(project: Path, plan: Plan, made: Counter[str]) -> None:
    plan()
    path = manifest(project, 3)
    path.write_text(path.read_text() + model("twin", "000000"))
    found = json.loads(plan("-json")[1])
    assert [(c["name"], c["action"]) for c in found["changes"]] == [("twin", "reuse")]
    assert plan("-json") == plan("-json", **NOWHERE)
    assert made == {"in part": 1}


@pytest.mark.parametrize("line", ["moved: [{from: old, to: model-000000}]", "variables: {x: {default: 1}}"])
def test_what_may_concern_other_files_has_everything_read(project: Path, plan: Plan, made: Counter[str], line: str) -> None:
    plan()
    path = manifest(project, 3)
    path.write_text(path.read_text() + line + "\n")
    assert plan() == plan(**NOWHERE)
    assert made["in part"] == 0


def test_names_that_were_kept_with_other_contents_are_not_believed(project: Path, plan: Plan, made: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan()
    kept = remainder.keep_names
    monkeypatch.setattr(plan_command.Memory, "_names", lambda self: remainder.Shelf(self._folder, "other"))
    path = manifest(project, 3)
    path.write_text(path.read_text().replace("steps: 1", "steps: 2", 1))
    assert plan() == plan(**NOWHERE)
    assert kept is remainder.keep_names
    assert made == {}
