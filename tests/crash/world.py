"""A world to crash in: projects that share one emulator, each with data sets of its own, judged by the emulator's books."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.emulator.books import _SELECT, Entry
from reconciler.emulator.faults import Fault, When
from reconciler.emulator.server import Emulator
from reconciler.errors import StateProblem
from reconciler.job import Sent
from reconciler.journal.file import FileJournal
from reconciler.ports import Owner
from reconciler.state import State
from reconciler.store.sqlite import SqliteStore
from tests.crash.commands import Commands, Ended

PROJECT = """version: 1
budget:
  per_apply: 1000.00
state:
  path: state/reconciler.db
  lineage: {lineage}
manifests:
  - models/**/*.yaml
"""
OWNER = Owner(1, "here", "tests", "look", "2026-01-01T00:00:00Z")
APPLY = ("apply", "-auto-approve")


def now() -> str:
    return "2026-01-01T00:00:00Z"


def store_of(folder: Path) -> SqliteStore:
    state = folder / "state" / "reconciler.db"
    return SqliteStore(state, FileJournal(state.with_name("purchases.jsonl")), now=now)


@dataclass
class World:
    """One emulator, one fork server, any number of projects."""

    home: Path
    emulator: Emulator
    commands: Commands
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _faults: dict[str, Sequence[Fault]] = field(default_factory=dict)
    _blank: Path | None = None

    def project(self, models: int = 1, *faults: tuple[str, Mapping[str, Any]]) -> Project:
        """A folder after `init` that wants `models` trainings nobody else wants; each fault meets its first submit once."""
        project = self.empty()
        if self._blank is None:
            self._blank = self.home / "blank"
            self._blank.mkdir()
            made = self.commands.run(self._blank, "init")
            assert made.code == 0, made
            config = self._blank / "reconciler.yaml"
            lineage = next(line.split(":")[1].split()[0] for line in config.read_text().splitlines() if "lineage:" in line)
            config.write_text(PROJECT.format(lineage=lineage))
            (self._blank / "models" / "example.yaml").unlink()
            shutil.rmtree(self._blank / ".reconciler", ignore_errors=True)
        shutil.copytree(self._blank, project.folder, dirs_exist_ok=True)
        project.want(models)
        if faults:
            self._faults[project.dataset] = [Fault(do, "submit", When(body=project.dataset), times=1, settings=settings) for do, settings in faults]
            self.emulator.plan.replace([fault for some in self._faults.values() for fault in some])
        return project

    def empty(self) -> Project:
        """A folder without anything."""
        number = next(self._numbers)
        folder = self.home / f"p{number}"
        folder.mkdir()
        return Project(self, folder, f"https://data.example.com/{os.getpid()}-{number}.zip")

    def forget(self, project: Project) -> None:
        """Give the room of a project back."""
        shutil.rmtree(project.folder, ignore_errors=True)
        if self._faults.pop(project.dataset, None):
            self.emulator.plan.replace([fault for some in self._faults.values() for fault in some])

    def charges(self, dataset: str) -> list[Entry]:
        return [e for e in self.emulator.books._read(f"{_SELECT} WHERE outcome = 'accepted' AND dataset = ?", dataset) if e.dataset == dataset]


@dataclass
class Project:
    """A project folder, what it wants, and what the ledger says of it."""

    world: World
    folder: Path
    dataset: str
    consents: int = 0
    beside: Path | None = None
    """Another clone, to be merged with."""

    def want(self, models: int, *, first_step: int = 100) -> None:
        specs = {f"m{i:02d}": {"dataset": self.dataset, "steps": first_step + i} for i in range(models)}
        (self.folder / "models" / "a.yaml").write_text(json.dumps({"version": 1, "models": specs}))

    def run(self, *words: str, **more: Any) -> Ended:
        return self.world.commands.run(self.folder, *words, **more)

    def copy_of_state(self) -> Path:
        """The state as it stands, kept to be put back."""
        kept = self.folder / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.folder / "state", kept)
        return kept

    def charges(self) -> list[Entry]:
        return self.world.charges(self.dataset)

    def state(self) -> State:
        """What is known, after a recovery."""
        with store_of(self.folder).hold(OWNER, wait_seconds=5) as writer:
            return writer.state()

    def judge(self, ended: Ended, *, codes: Sequence[int] = (0, 7)) -> Verdict:
        """Everything that must hold after a crash and a normal second run."""
        wrong = []
        if ended.code not in codes:
            wrong.append(f"exit {ended.code}")
        if "Traceback" in ended.text or "HARNESS" in ended.text or "a bug in" in ended.text:
            wrong.append("traceback")
        charges = self.charges()
        per_body = Counter(e.body_digest for e in charges)
        if any(n > 1 + self.consents for n in per_body.values()):
            wrong.append(f"bought twice: {max(per_body.values())}")
        try:
            state = self.state()
            store_of(self.folder).verify()
        except StateProblem as problem:
            return Verdict([*wrong, f"state: {problem.message}"], len(charges), 0, 0, ended)
        known = {job.request_id for job in state.jobs.values()}
        doubtful = Counter(a.body_sha256 for a in state.doubts)
        lost = [e for e in charges if e.request_id not in known and not _covered(e, doubtful)]
        if len(lost) > self.consents:  # whoever consented wrote one off
            wrong.append(f"lost {len(lost)}")
        if any(a.status is Sent.SENDING for a in state.attempts.values()):
            wrong.append("still sending")
        if state.doubts and ended.code == 0:
            wrong.append("a doubt without exit 7")
        unknown = {_digest(e.body_digest) for e in charges if e.request_id not in known}
        false = sum(1 for a in state.doubts if _digest(a.body_sha256) not in unknown)
        return Verdict(wrong, len(charges), len(state.doubts), false, ended)


def _digest(text: str) -> str:
    return text.removeprefix("sha256:")


def _covered(entry: Entry, doubtful: Counter[str]) -> bool:
    return any(_digest(d) == _digest(entry.body_digest) for d in doubtful)


@dataclass
class Verdict:
    """What a crash did. `wrong` is empty when every promise held."""

    wrong: list[str]
    charges: int
    doubts: int
    false_doubts: int
    """Doubts of which the ledger knows that nothing was bought."""
    ended: Ended
