"""What a plan costs, counted and not timed: files read, bytes hashed, rows and statements, models decided. Each grows with what changed."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.inputs import write_project
from reconciler.cache import witness
from reconciler.cache.witness import Witness
from reconciler.cli.run import run
from reconciler.manifest import catalog, models
from reconciler.plan import make
from reconciler.store import load, reading, rows

MODELS, FILES = 60, 12


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bought")
    write_project(folder, MODELS, FILES)
    return folder


@pytest.fixture
def project(bought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(bought, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(witness, "RACY_NANOSECONDS", 0)
    return folder


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the expensive things were done since it was last cleared."""
    seen: Counter[str] = Counter()

    def count(owner: Any, name: str, what: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            seen[what] += 1
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, counting)

    count(catalog, "read_file", "files parsed")
    count(models, "make_spec", "spec digests")
    count(make, "decide", "models decided")
    count(make, "change_document", "change documents")
    count(rows, "checksum", "rows checked")
    digest, select = Witness._digest, load._rows

    def hashing(self: Witness, path: Path) -> str | None:
        seen["bytes hashed"] += path.stat().st_size if path.suffix != ".py" else 0
        return digest(self, path)

    def selecting(connection: sqlite3.Connection, held: load.Held, table: Any, *, is_proved: bool) -> Iterator[Any]:
        seen["statements"] += 1
        for row in select(connection, held, table, is_proved=is_proved):
            seen["rows read"] += 1
            yield row

    monkeypatch.setattr(Witness, "_digest", hashing)
    monkeypatch.setattr(load, "_rows", selecting)
    return seen


def plan(monkeypatch: pytest.MonkeyPatch, *words: str, **environment: str) -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert run(["plan", *words], {"PATH": os.environ["PATH"]} | environment) == 0
    return out.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


def test_a_cold_plan_reads_everything_once(project: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan(monkeypatch, RECONCILER_CACHE_DIR=os.devnull)
    assert counted["files parsed"] == FILES
    assert counted["spec digests"] == counted["models decided"] == MODELS
    assert counted["statements"] == 3
    assert counted["rows read"] == 3 * MODELS
    assert counted["rows checked"] <= 3 * MODELS + 10
    assert counted["change documents"] == 0


def test_a_warm_plan_hashes_the_project_file_and_reads_nothing_else(project: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan(monkeypatch)
    counted.clear()
    assert "No changes" in plan(monkeypatch)
    assert counted == {"bytes hashed": (project / "reconciler.yaml").stat().st_size}


def test_a_fresh_checkout_is_hashed_once_and_not_parsed(project: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan(monkeypatch)
    for path in (project / "models").iterdir():
        os.utime(path)
    counted.clear()
    plan(monkeypatch)
    size = sum(path.stat().st_size for path in (project / "models").iterdir())
    assert counted == {"bytes hashed": size + (project / "reconciler.yaml").stat().st_size}
    counted.clear()
    plan(monkeypatch)
    assert counted == {"bytes hashed": (project / "reconciler.yaml").stat().st_size}


def test_one_changed_file_of_twelve_is_the_only_one_that_is_parsed(project: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan(monkeypatch)
    path = project / "models/part-00003.yaml"
    path.write_text(path.read_text().replace("model number", "model No"))
    counted.clear()
    assert "5 to update" in plan(monkeypatch)
    assert counted["files parsed"] == 1
    assert counted["spec digests"] == MODELS // FILES


def test_a_changed_state_has_no_manifest_parsed_again(project: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan(monkeypatch)
    (project / "state/reconciler.db").unlink()
    counted.clear()
    plan(monkeypatch)
    assert counted["files parsed"] == 0


def test_apply_reads_every_manifest_itself(project: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan(monkeypatch)
    counted.clear()
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        run(["apply", "-emulate", "-auto-approve"], {"PATH": os.environ["PATH"]})
    assert counted["files parsed"] >= FILES


def test_documents_are_made_for_changes_only(project: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = project / "models/part-00000.yaml"
    path.write_text(path.read_text().replace("steps: 1000", "steps: 900"))
    plan(monkeypatch, RECONCILER_CACHE_DIR=os.devnull)
    assert counted["change documents"] == path.read_text().count("steps: 900")


def test_attempts_of_a_large_state_are_left_where_they_are(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rows are checked like all others; their values are made when somebody asks for one."""
    monkeypatch.setattr(reading, "WORTH_BYTES", 0)
    made = []
    monkeypatch.setattr(reading, "read_attempts", lambda *_: made.append(True))
    plan(monkeypatch, RECONCILER_CACHE_DIR=os.devnull)
    assert not made


@pytest.mark.parametrize("factor", [2, 4])
def test_what_a_cold_plan_does_grows_in_a_straight_line(
    tmp_path: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch, factor: int, project: Path
) -> None:
    plan(monkeypatch, RECONCILER_CACHE_DIR=os.devnull)
    once = dict(counted)
    write_project(tmp_path / "larger", factor * MODELS, factor * FILES)
    monkeypatch.chdir(tmp_path / "larger")
    counted.clear()
    plan(monkeypatch, RECONCILER_CACHE_DIR=os.devnull)
    for what, number in once.items():
        assert counted[what] <= factor * number + 10, what
