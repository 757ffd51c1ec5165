"""The conformance suite over the backends that are here, and what only a file can promise: synced, locked by a file that stays."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.errors import Locked, StateProblem
from reconciler.fact import intent
from reconciler.journal.create import create_journal
from reconciler.journal.file import FileJournal
from reconciler.ports import Journal, Store
from reconciler.store.lock import locked
from reconciler.store.sqlite import SqliteStore
from tests.memory.conformance import Conformance, Place, notes
from tests.memory.ledger import LINEAGE, NOW, OWNER, attempt, new_store


@dataclass
class Folder:
    """A file beside its state, under the kernel lock."""

    path: Path
    copies: int = 0

    def open(self) -> FileJournal:
        return FileJournal(self.path / "purchases.jsonl")

    def store(self, journal: Journal) -> Store:
        return SqliteStore(self.path / "reconciler.db", journal, lineage=LINEAGE, now=lambda: NOW)

    def exclusive(self) -> AbstractContextManager[None]:
        return locked(self.path / "lock", OWNER, wait_seconds=30)

    def copy(self) -> Folder:
        self.copies += 1
        path = self.path.with_name(f"{self.path.name}-copy-{self.copies}")
        shutil.copytree(self.path, path)
        return Folder(path)

    def tear(self, raw: bytes) -> None:
        with (self.path / "purchases.jsonl").open("ab") as file:
            file.write(raw)


class TestFile(Conformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        folder = tmp_path / "state"
        create_journal(folder / "purchases.jsonl", lineage=LINEAGE, at=NOW)
        return Folder(folder)


def test_an_append_is_synced_behind_its_last_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durable on return: whatever was written is synced, and nothing is written after that."""
    path = tmp_path / "purchases.jsonl"
    create_journal(path, lineage=LINEAGE, at=NOW)
    done: list[str] = []
    for name in ("write", "fsync"):
        real = getattr(os, name)

        def spy(*arguments: object, _name: str = name, _real=real) -> object:  # type: ignore[no-untyped-def]
            done.append(_name)
            return _real(*arguments)

        monkeypatch.setattr(os, name, spy)
    journal = FileJournal(path)
    head, _ = journal.read(None)
    journal.append(notes("a"), head)
    assert done[-1] == "fsync"
    assert "write" in done
    done.clear()
    journal.absorb([]) if journal.lines() else None
    assert done[-1] == "fsync"
    journal.close()


def test_a_sync_that_fails_is_never_tried_again_and_ends_all_purchases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says it once; a second fsync may succeed on pages that are lost."""
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as writer:
        calls = 0

        def fails(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(StateProblem, match="nothing was sent"):
            writer.record([intent(attempt(1))])
        assert calls == 1
        monkeypatch.undo()
        with pytest.raises(StateProblem, match="nothing was sent"):
            writer.record([intent(attempt(2))])


def test_the_lock_file_stays_where_it_is(tmp_path: Path) -> None:
    """P5: whoever waits holds the same file open; a new one would let two in."""
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0):
        first = (tmp_path / "lock").stat().st_ino
        with pytest.raises(Locked), store.hold(OWNER, wait_seconds=0):
            pass
        assert (tmp_path / "lock").stat().st_ino == first
    assert (tmp_path / "lock").stat().st_ino == first
