"""The state as it is read, without a lock: whole, or the part that somebody asks about.

Rows are checked one by one, unless the file is to the byte what this program has checked before. What is decided from a
state by those who spend is read by the writer, which checks everything every time.
"""

from __future__ import annotations

import contextlib
import gc
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from reconciler.errors import StateProblem
from reconciler.job import Attempt
from reconciler.ledger import Ledger, Purchased
from reconciler.ports import Head, Journal
from reconciler.state import State
from reconciler.store.brief import read_ledger
from reconciler.store.connection import is_there, is_whole, open_for_reading
from reconciler.store.duplicates import with_duplicates_noted
from reconciler.store.late import Fetch, Late, Mark
from reconciler.store.load import (
    AttemptsWanted,
    CaughtUp,
    Held,
    catch_up,
    changed,
    check_rows,
    fold_anew,
    level,
    read_attempts,
    read_book,
    read_rows,
    read_unsettled,
)
from reconciler.store.part import Part, Wanted, check_indexes, read_part
from reconciler.store.proofs import Proofs
from reconciler.store.rows import DAMAGED
from reconciler.store.schema import VERSION

WORTH_BYTES = 4 << 20
"""A smaller state is read whole: that takes no longer than to remember that it was checked."""
_UNREADABLE = (sqlite3.Error, ValueError, TypeError, KeyError, ArithmeticError)


class Reader:
    """One state file and its journal. `journal_path`: the file in which the journal lies, where it may be known by its content."""

    def __init__(self, path: Path, journal: Journal, *, lineage: str | None, proofs: Proofs | None = None, journal_path: Path | None = None) -> None:
        self.path = path
        self._journal = journal
        self._lineage = lineage
        self._proofs = proofs
        self._journal_path = journal_path

    def view(self, *, whole: bool = False) -> State:
        """See `ports.Store.view`."""
        with hurried():
            try:
                held = self.rows(later=None if whole or not self._is_large() else self._attempts)
                caught = self._level(held) or self.caught_up(held)
            except AttemptsWanted:
                held = self.rows()
                caught = self.caught_up(held)
            return told(caught, held.snapshot(caught.notes) if caught.books is held.books else None)

    def part(self, wanted: Wanted) -> Part | None:
        """What concerns some names and specs, of a large state that stands for its whole journal; else None: then `view` has to be asked.

        Raises StateProblem as `view` does.
        """
        with hurried(), self._opened() as opened:
            if opened is None or self._proofs is None or not self._is_large():
                return None
            connection, inode = opened
            claim, held = self._claim(inode), Held()
            if claim is None or not read_book(connection, held) or (caught := self._level(held)) is None:
                return None
            if not self._proofs.is_proved(f"{claim} indexes"):
                self._make_sure(connection, claim)
                check_indexes(connection)
                self._proofs.prove(f"{claim} indexes")
            part = read_part(connection, held, wanted, self._attempts)
            return part._replace(state=with_duplicates_noted(replace(part.state, notes=caught.notes)))

    def ledger(self) -> Purchased:
        """What was bought, in brief where that is cheaper. Raises StateProblem as `view` does."""
        return self._ledger() or self.view()

    def _ledger(self) -> Ledger | None:
        with hurried(), self._opened() as opened:
            if opened is None or self._proofs is None or not self._is_large():
                return None
            connection, inode = opened
            held = Held()
            if not read_book(connection, held) or (caught := self._level(held)) is None:
                return None
            self._make_sure(connection, self._claim(inode))
            held.late, held.unsettled = Late(self._attempts, held.mark), read_unsettled(connection, held, is_proved=True)
            return read_ledger(connection, held, notes=with_duplicates_noted(held.snapshot(caught.notes)).notes)

    def _make_sure(self, connection: sqlite3.Connection, claim: str | None) -> None:
        """Check all rows, unless they were before."""
        if self._proofs is None or claim is None or not self._proofs.is_proved(claim):
            check_rows(connection)
            if self._proofs is not None and claim is not None:
                self._proofs.prove(claim)

    def folded(self) -> State:
        """What a rebuilt state would say."""
        return told(self.folded_anew())

    def folded_anew(self) -> CaughtUp:
        """The journal folded from its beginning, with what the rows know beside it as far as they can be read."""
        try:
            held = self.rows()
        except StateProblem:
            held = Held()
        return fold_anew(held, self._journal, lineage=self._lineage, state_name=self.path.name)

    def caught_up(self, held: Held) -> CaughtUp:
        """What was read, with what the journal has beyond it. Raises AttemptsWanted, StateProblem."""
        return catch_up(held, self._journal, lineage=self._lineage, state_name=self.path.name)

    def rows(self, *, later: Fetch | None = None) -> Held:
        """The rows alone; none where there is no state. With `later` attempts are left for later, and a file that was checked before is believed."""
        with self._opened() as opened:
            return Held() if opened is None else self._checked(*opened, later)

    def _checked(self, connection: sqlite3.Connection, inode: int, later: Fetch | None) -> Held:
        claim = None if later is None else self._claim(inode)
        if claim is None or self._proofs is None:
            return read_rows(connection, later=later)
        if self._proofs.is_proved(claim):
            return read_rows(connection, later=later, is_proved=True)
        held = read_rows(connection, later=later)
        self._proofs.prove(claim)
        return held

    def _claim(self, inode: int) -> str | None:
        """That the rows of the open file are whole; None where that is not worth remembering. Nobody can write to it before this reader is done."""
        if self._proofs is None:
            return None
        content = self._proofs.content(self.path)
        return f"rows {VERSION} {content.digest}" if content is not None and content.inode == inode else None

    def _is_large(self) -> bool:
        try:
            return self.path.stat().st_size >= WORTH_BYTES
        except OSError:
            return False

    def _level(self, held: Held) -> CaughtUp | None:
        """The rows, where the journal is known to end where they do without reading it."""
        if self._proofs is None or self._journal_path is None or held.head is None or held.head.length < WORTH_BYTES:
            return None
        content = self._proofs.content(self._journal_path)
        if content is None or (content.length, content.digest) != (held.head.length, held.head.digest):
            return None
        return level(held, Head(tuple(sorted(held.head.hashes)), content.length, content.digest), lineage=self._lineage)

    def _attempts(self, mark: Mark) -> Mapping[str, Attempt]:
        with hurried(), self._opened() as opened:
            if opened is None:
                raise changed()
            return read_attempts(opened[0], mark)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[sqlite3.Connection, int] | None]:
        """The state, open in one transaction, and its inode; None where there is none. Raises StateProblem."""
        try:
            there = is_there(self.path) and is_whole(self.path)
            inode = self.path.stat().st_ino if there else 0
            opened = contextlib.closing(open_for_reading(self.path)) if there else None
        except _UNREADABLE as error:
            if not isinstance(error, sqlite3.OperationalError) or not self.path.with_name(self.path.name + "-journal").exists():
                raise damaged(self.path, error) from error
            opened = None  # a writer died here: its changes are rolled back by the next writer; the journal has all facts
        if opened is None:
            yield None
            return
        try:
            with opened as connection:
                yield connection, inode
        except _UNREADABLE as error:
            raise damaged(self.path, error) from error


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """Without the garbage collector, which looks at a hundred thousand new rows again and again and finds none to throw away."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def told(caught: CaughtUp, state: State | None = None) -> State:
    """The state, the given one or that of the books, with what its reader should be told."""
    return with_duplicates_noted(caught.books.snapshot(caught.notes) if state is None else state)


def damaged(path: Path, error: Exception) -> StateProblem:
    """What is said of a file that cannot be read."""
    return StateProblem(f"the state {path} is damaged or cannot be read: {error}", hint=DAMAGED)
