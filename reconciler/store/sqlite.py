"""The state behind `ports.Store`: read without a lock, written by one holder of it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from reconciler.errors import StateProblem
from reconciler.fact import Draft, outcome
from reconciler.job import Attempt, Binding, Job, Sent
from reconciler.ledger import Purchased
from reconciler.ports import Journal, Owner, Whose
from reconciler.state import State, fold_all
from reconciler.store.book import write_book, write_waiting
from reconciler.store.compare import compare
from reconciler.store.connection import is_there, open_for_reading, open_for_writing, sync_folder
from reconciler.store.duplicates import with_duplicates_noted
from reconciler.store.interrupted import INTERRUPTED, end_of
from reconciler.store.load import CaughtUp, Held, read_rows, read_waiting
from reconciler.store.lock import locked
from reconciler.store.part import Part, Wanted
from reconciler.store.proofs import Proofs
from reconciler.store.reading import Reader, damaged, told
from reconciler.store.rows import ATTEMPTS, BINDINGS, JOBS, Table
from reconciler.store.writer import SqliteWriter


class SqliteStore:
    """A state file and its journal. `lineage` is the project's pinned one; None accepts any."""

    def __init__(
        self,
        path: Path,
        journal: Journal,
        *,
        lineage: str | None = None,
        now: Callable[[], str],
        proofs: Proofs | None = None,
        journal_path: Path | None = None,
    ) -> None:
        self.path = path
        self._journal = journal
        self._lineage = lineage
        self._now = now
        self._reader = Reader(path, journal, lineage=lineage, proofs=proofs, journal_path=journal_path)

    @property
    def lock_path(self) -> Path:
        """The lock lies beside the state."""
        return self.path.with_name("lock")

    def view(self, *, whole: bool = False) -> State:
        """See `ports.Store.view`."""
        return self._reader.view(whole=whole)

    def part(self, wanted: Wanted) -> Part | None:
        """See `Reader.part`."""
        return self._reader.part(wanted)

    def ledger(self) -> Purchased:
        """See `Reader.ledger`."""
        return self._reader.ledger()

    @contextlib.contextmanager
    def hold(self, owner: Owner, *, wait_seconds: float) -> Iterator[SqliteWriter]:
        """See `ports.Store.hold`. What was being sent when its process died is in doubt from here on."""
        with self.lock(owner, wait_seconds=wait_seconds), self.writing() as writer:
            yield writer

    @contextlib.contextmanager
    def hold_after(self, change: Callable[[], None], owner: Owner, *, wait_seconds: float) -> Iterator[SqliteWriter]:
        """As `hold`, behind a change of the journal's file: made under the lock, once journal and state are recovered."""
        with self.lock(owner, wait_seconds=wait_seconds):
            with self.writing():
                pass
            change()
            with self.writing() as writer:
                yield writer

    def waiting(self) -> list[Draft]:
        """Facts that are kept in the state alone until its next holder brings them to the journal; none where it cannot be read."""
        return [draft for _, draft in self._waiting()]

    def copy_to(self, path: Path) -> None:
        """A copy of the state file, page by page; `path` must not be there. Only while the lock is held. Raises StateProblem."""
        try:
            with contextlib.closing(open_for_reading(self.path)) as connection, contextlib.closing(sqlite3.connect(path)) as copy:
                connection.backup(copy)
        except sqlite3.Error as error:
            raise StateProblem(f"the state {self.path} could not be copied: {error}") from error

    @contextlib.contextmanager
    def lock(self, owner: Owner, *, wait_seconds: float) -> Iterator[None]:
        """Hold the lock alone; `writing` is for its holder, any number of times. Raises Locked after `wait_seconds`."""
        if self._journal.shared is not None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # what was bought is remembered elsewhere
        if not self.path.parent.is_dir():
            raise StateProblem(f"the folder {self.path.parent} is missing", hint="`reconciler init` makes it for a new project; else restore it")
        with locked(self.lock_path, owner, wait_seconds=wait_seconds):
            yield

    @contextlib.contextmanager
    def writing(self) -> Iterator[SqliteWriter]:
        """Recover and write; for the holder of the lock. What others wrote to a shared journal is folded in first."""
        writer, connection = self._opened()
        try:
            yield writer
        finally:
            self._journal.close()
            connection.close()

    def rebuild(self, owner: Owner, *, wait_seconds: float) -> State:
        """Fold the journal into a new state; the old file is kept beside it as `.old`.

        Raises StateProblem when the old one can be read and knows facts that the journal lacks: they would be forgotten.
        """
        with self.lock(owner, wait_seconds=wait_seconds):
            try:
                self._roll_back()
                caught = self._reader.folded_anew()
                self._write_anew(caught, self._waiting())
            finally:
                self._journal.close()
            return told(caught)

    def folded(self) -> State:
        """What `rebuild` would make, without a lock and without a write."""
        return self._reader.folded()

    def verify(self) -> State:
        """Compare rows and journal, whole. Raises StateProblem for the first difference."""
        state = told(self._reader.caught_up(self._reader.rows()))
        _, facts = self._journal.read(None)
        compare(fold_all(facts).snapshot(), state)
        return state

    def _opened(self) -> tuple[SqliteWriter, sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            if (shared := self._journal.shared) is not None:
                shared.fetch()
            told: tuple[str, ...] = ()
            if not is_there(self.path):
                anew = self._reader.caught_up(Held())
                told = anew.notes
                self._write_anew(anew, [])
            connection = open_for_writing(self.path)
            held = read_rows(connection)
            caught = self._reader.caught_up(held)
            self._make_sure(connection, held, caught)
            if caught.fresh is None:
                connection.close()
                self._write_anew(caught, held.waiting)
                connection = open_for_writing(self.path)
                held = read_rows(connection)
            writer = self._recovered(connection, held, caught)
            writer.notes = with_duplicates_noted(replace(writer.state(), notes=told or caught.notes)).notes
        except BaseException as error:
            self._journal.close()
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error | ValueError | TypeError | KeyError | ArithmeticError):
                raise damaged(self.path, error) from error
            if isinstance(error, OSError):
                raise StateProblem(f"the state {self.path}: {error.strerror}") from error
            raise
        return writer, connection

    def _recovered(self, connection: sqlite3.Connection, held: Held, caught: CaughtUp) -> SqliteWriter:
        writer = SqliteWriter(connection, self._journal, held.books, caught.head, held.sums)
        if caught.fresh:
            writer.take_over(caught.books)
        self._flush(connection, held, writer)
        shared = self._journal.shared
        if shared is not None:
            writer.record(shared.kept())
        writer.record(self._doubts(writer.state()))
        if shared is not None:
            shared.settle_up()
        writer.recovered()
        return writer

    def _make_sure(self, connection: sqlite3.Connection, held: Held, caught: CaughtUp) -> None:
        """What a killed writer appended may stand in the file and not on the disk, its last line in part: settle that before a state stands for it."""
        if not self._journal.has_unfinished():
            if caught.fresh != []:
                self._journal.append([], caught.head)
            return
        attempt, request_id = self._journal.unfinished() or ("", "")
        known = caught.books.attempts.get(attempt)
        if known is not None and known.status is Sent.SENDING:
            connection.execute("BEGIN IMMEDIATE")
            write_waiting(connection, [outcome(self._now(), attempt, Sent.IN_DOUBT, evidence=INTERRUPTED, salvaged=request_id)])
            connection.execute("COMMIT")
            held.waiting = read_waiting(connection)
        self._journal.drop_unfinished(caught.head)

    def _flush(self, connection: sqlite3.Connection, held: Held, writer: SqliteWriter) -> None:
        """Bring to the journal what could be kept in the state alone."""
        for number, draft in held.waiting:
            writer.record([draft])
            connection.execute("UPDATE outbox SET flushed = 1 WHERE id = ?", (number,))

    def _doubts(self, state: State) -> list[Draft]:
        sending = [a for a in state.doubts if a.status is Sent.SENDING]
        shared, now = self._journal.shared, self._now()
        ends = ((a, end_of(a, Whose.OURS if shared is None else shared.whose(a.id), now)) for a in sending)
        return [outcome(now, a.id, end.status, evidence=end.evidence) for a, end in ends if end is not None]

    def _roll_back(self) -> None:
        """Undo what a dead writer left half done, where the state is whole enough for that: what waits in it must not be overlooked."""
        if self.path.exists() and self.path.with_name(self.path.name + "-journal").exists():
            with contextlib.suppress(sqlite3.Error, StateProblem):
                open_for_writing(self.path).close()

    def _waiting(self) -> list[tuple[int, Draft]]:
        """What a state that may be damaged still keeps for the journal, as far as it can be read."""
        try:
            with contextlib.closing(open_for_reading(self.path)) as connection:
                return read_waiting(connection)
        except (sqlite3.Error, StateProblem, ValueError, TypeError):
            return []

    def _write_anew(self, caught: CaughtUp, waiting: list[tuple[int, Draft]]) -> None:
        """A new state file from books; the old one stays beside it. The lock is held and no connection is open."""
        if not self._journal.has_unfinished():
            self._journal.append([], caught.head)  # the state must not stand for what the disk may still lose
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
        self._put_aside()
        fresh.replace(self.path)
        sync_folder(self.path.parent)

    def _put_aside(self) -> None:
        """Keep the old state under another name. It goes from its own only when the new one comes, so that what waits in it is always found."""
        hot, old = self.path.with_name(self.path.name + "-journal"), self.path.with_name(self.path.name + ".old")
        if not (self.path.exists() and self.path.stat().st_size):
            hot.unlink(missing_ok=True)
        elif hot.exists():
            self.path.replace(old)
            hot.replace(old.with_name(old.name + "-journal"))
        else:
            old.unlink(missing_ok=True)
            old.with_name(old.name + "-journal").unlink(missing_ok=True)
            old.hardlink_to(self.path)
        sync_folder(self.path.parent)  # the old journal must never be found beside the new state


def _insert_all(connection: sqlite3.Connection, table: Table, entities: Iterable[Attempt | Job | Binding | None]) -> int:
    rows = [table.to_row(e) for e in entities if e is not None]
    connection.executemany(table.insert, rows)
    return sum(int(row[-1], 16) for row in rows) % (1 << 64)
