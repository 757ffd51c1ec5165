"""One copy of the project: its journal and its store, in memory or in files; it can be copied, merged, and killed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from reconciler.fact import Draft, Fact
from reconciler.journal.chain import Line
from reconciler.journal.create import create_journal
from reconciler.journal.file import FileJournal
from reconciler.journal.merge import merge
from reconciler.ports import Head, Store
from reconciler.store.sqlite import SqliteStore
from tests.memory.ledger import LINEAGE, NOW, OWNER
from tests.model.memory import MemoryJournal, MemoryStore
from tests.model.vendor import Crash


class Copy(Protocol):
    """`journal` is the one that the store writes to; `dies` kills the process behind its next append."""

    journal: Any
    store: Store

    def fork(self) -> Copy: ...

    def absorb(self, other: Copy) -> None: ...

    def die_at_next_append(self) -> None: ...


class _Mortal:
    """A journal whose process may die right after an append became durable."""

    dies = False

    def append(self, drafts: Sequence[Draft], head: Head) -> tuple[Head, list[Fact]]:
        done = super().append(drafts, head)  # type: ignore[misc]
        if self.dies:
            self.dies = False
            raise Crash
        return done  # type: ignore[no-any-return]


class MortalMemory(_Mortal, MemoryJournal):
    pass


class MortalFile(_Mortal, FileJournal):
    pass


class InMemory:
    def __init__(self, lines: Sequence[Line] = ()) -> None:
        self.journal = MortalMemory(lines)
        self.store = MemoryStore(self.journal)

    def fork(self) -> InMemory:
        return InMemory(self.journal.lines())

    def absorb(self, other: Copy) -> None:
        with self.store.hold(OWNER, wait_seconds=0):
            pass
        self.journal.absorb(merge(self.journal.lines(), other.journal.lines()).missing)
        with self.store.hold(OWNER, wait_seconds=0):
            pass

    def die_at_next_append(self) -> None:
        self.journal.dies = True

    def close(self) -> None:
        pass


class InFiles:
    """Real files, the real SQLite store."""

    def __init__(self, source: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="copy-"))
        if source is None:
            create_journal(self.folder / "purchases.jsonl", lineage=LINEAGE, at=NOW)
        else:
            shutil.copytree(source, self.folder, dirs_exist_ok=True)
        self.journal = MortalFile(self.folder / "purchases.jsonl")
        self.store = SqliteStore(self.folder / "reconciler.db", self.journal, lineage=LINEAGE, now=lambda: NOW)

    def fork(self) -> InFiles:
        return InFiles(self.folder)

    def absorb(self, other: Copy) -> None:
        def change() -> None:
            self.journal.absorb(merge(self.journal.lines(), other.journal.lines()).missing)

        with self.store.hold_after(change, OWNER, wait_seconds=0):
            pass
        self.store.verify()

    def die_at_next_append(self) -> None:
        self.journal.dies = True

    def close(self) -> None:
        shutil.rmtree(self.folder)
