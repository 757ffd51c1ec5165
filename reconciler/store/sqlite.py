"""The state behind `ports.Store`: read without a lock, written by one holder of it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reconciler.errors import StateProblem
from reconciler.fact import Draft, outcome
from reconciler.job import Attempt, Binding, Job, Sent
from reconciler.ports import Journal, Owner
from reconciler.state import State, fold_all
from reconciler.store.connection import is_there, is_whole, open_for_reading, open_for_writing, sync_folder
from reconciler.store.load import CaughtUp, Held, catch_up, read_rows, read_waiting
from reconciler.store.lock import locked
from reconciler.store.rows import ATTEMPTS, BINDINGS, DAMAGED, JOBS, Table
from reconciler.store.writer import SqliteWriter, write_book, write_waiting

INTERRUPTED = "the process that sent it ended before an answer was recorded"


class SqliteStore:
    """A state file and its journal. `lineage` is the project's pinned one; None accepts any."""

    def __init__(self, path: Path, journal: Journal, *, lineage: str | None = None, now: Callable[[], str]) -> None:
        self.path = path
        self._journal = journal
        self._lineage = lineage
        self._now = now

    @property
    def lock_path(self) -> Path:
        """The lock lies beside the state."""
        return self.path.with_name("lock")

    def view(self) -> State:
        """See `ports.Store.view`."""
        caught = self._caught_up(self._read_only())
        return caught.books.snapshot(caught.notes)

    @contextlib.contextmanager
    def hold(self, owner: Owner, *, wait_seconds: float) -> Iterator[SqliteWriter]:
        """See `ports.Store.hold`. What was being sent when its process died is in doubt from here on."""
        if not self.path.parent.is_dir():
            raise StateProblem(f"the folder {self.path.parent} is missing", hint="`reconciler init` makes it for a new project; else restore it")
        with locked(self.lock_path, owner, wait_seconds=wait_seconds):
            writer, connection = self._opened()
            try:
                yield writer
            finally:
                self._journal.close()
                connection.close()

    def rebuild(self, owner: Owner, *, wait_seconds: float) -> State:
        """Fold the journal into a new state; the old file is kept beside it as `.old`."""
        with locked(self.lock_path, owner, wait_seconds=wait_seconds):
            caught = self._caught_up(Held())
            self._write_anew(caught, self._waiting())
            return caught.books.snapshot(caught.notes)

    def verify(self) -> State:
        """Compare rows and journal, whole. Raises StateProblem for the first difference."""
        held = self._read_only()
        state = self._caught_up(held).books.snapshot()
        _, facts = self._journal.read(None)
        folded = fold_all(facts).snapshot()
        for kind in ("attempts", "bindings"):
            if getattr(folded, kind) != getattr(state, kind):
                raise StateProblem(f"the state's {kind} are not what the journal folds to", hint=DAMAGED)
        if {j.id: (j.request_id, j.price, j.superseded, j.settled_at) for j in folded.jobs.values()} != {
            j.id: (j.request_id, j.price, j.superseded, j.settled_at) for j in state.jobs.values()
        }:
            raise StateProblem("the state's jobs are not what the journal folds to", hint=DAMAGED)
        return state

    def _caught_up(self, held: Held) -> CaughtUp:
        return catch_up(held, self._journal, lineage=self._lineage, state_name=self.path.name)

    def _read_only(self) -> Held:
        if not is_there(self.path) or not is_whole(self.path):
            return Held()
        try:
            with contextlib.closing(open_for_reading(self.path)) as connection:
                return read_rows(connection)
        except sqlite3.OperationalError as error:
            if self.path.with_name(self.path.name + "-journal").exists():
                return Held()  # a writer died here: its changes are rolled back by the next writer; the journal has all facts
            raise _damaged(self.path, error) from error
        except (sqlite3.Error, ValueError, TypeError, KeyError, ArithmeticError) as error:
            raise _damaged(self.path, error) from error

    def _opened(self) -> tuple[SqliteWriter, sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            if not is_there(self.path):
                self._write_anew(self._caught_up(Held()), [])
            connection = open_for_writing(self.path)
            held = read_rows(connection)
            caught = self._caught_up(held)
            if caught.fresh is None:
                connection.close()
                self._write_anew(caught, held.waiting)
                connection = open_for_writing(self.path)
                held = read_rows(connection)
            writer = self._recovered(connection, held, caught)
        except BaseException as error:
            self._journal.close()
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error | ValueError | TypeError | KeyError | ArithmeticError):
                raise _damaged(self.path, error) from error
            if isinstance(error, OSError):
                raise StateProblem(f"the state {self.path}: {error.strerror}") from error
            raise
        return writer, connection

    def _recovered(self, connection: sqlite3.Connection, held: Held, caught: CaughtUp) -> SqliteWriter:
        salvaged = self._journal.drop_unfinished(caught.head) if self._journal.has_unfinished() else None
        writer = SqliteWriter(connection, self._journal, held.books, caught.head, held.sums)
        if caught.fresh:
            writer.take_over(caught.books)
        self._flush(connection, held, writer)
        writer.record(self._doubts(writer.state(), salvaged))
        return writer

    def _flush(self, connection: sqlite3.Connection, held: Held, writer: SqliteWriter) -> None:
        """Bring to the journal what could be kept in the state alone."""
        for number, draft in held.waiting:
            writer.record([draft])
            connection.execute("UPDATE outbox SET flushed = 1 WHERE id = ?", (number,))

    def _doubts(self, state: State, salvaged: tuple[str, str] | None) -> list[Draft]:
        found = dict([salvaged] if salvaged else [])
        sending = [a for a in state.doubts if a.status is Sent.SENDING]
        return [outcome(self._now(), a.id, Sent.IN_DOUBT, evidence=INTERRUPTED, salvaged=found.get(a.id)) for a in sending]

    def _waiting(self) -> list[tuple[int, Draft]]:
        """What a state that may be damaged still keeps for the journal, as far as it can be read."""
        try:
            with contextlib.closing(open_for_reading(self.path)) as connection:
                return read_waiting(connection)
        except (sqlite3.Error, StateProblem, ValueError, TypeError):
            return []

    def _write_anew(self, caught: CaughtUp, waiting: list[tuple[int, Draft]]) -> None:
        """A new state file from books; the old one stays beside it. The lock is held and no connection is open."""
        fresh = self.path.with_name(self.path.name + ".new")
        for leftover in (fresh, fresh.with_name(fresh.name + "-journal")):
            leftover.unlink(missing_ok=True)
        with contextlib.closing(open_for_writing(fresh)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            books = caught.books
            kinds = ((ATTEMPTS, books.attempts), (JOBS, books.jobs), (BINDINGS, books.bindings))
            sums = {table.name: _insert_all(connection, table, entities.values()) for table, entities in kinds}
            write_book(connection, caught.books, caught.head, sums)
            write_waiting(connection, [draft for _, draft in waiting])
            connection.execute("COMMIT")
        hot = self.path.with_name(self.path.name + "-journal")
        if self.path.exists() and self.path.stat().st_size:
            self.path.replace(self.path.with_name(self.path.name + ".old"))
            if hot.exists():
                hot.replace(self.path.with_name(self.path.name + ".old-journal"))
        hot.unlink(missing_ok=True)
        fresh.replace(self.path)
        sync_folder(self.path.parent)


def _insert_all(connection: sqlite3.Connection, table: Table, entities: Iterable[Attempt | Job | Binding | None]) -> int:
    rows = [table.to_row(e) for e in entities if e is not None]
    connection.executemany(table.insert, rows)
    return sum(int(row[-1], 16) for row in rows) % (1 << 64)


def _damaged(path: Path, error: Exception) -> StateProblem:
    return StateProblem(f"the state {path} is damaged or cannot be read: {error}", hint=DAMAGED)
