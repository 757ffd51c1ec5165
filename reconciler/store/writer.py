"""The one writer: facts become durable here, journal first, inside the state's transaction.

Callers from several threads wait together: whoever comes first commits for all that wait, so durability costs one
sync a group and not one a purchase. Nothing is remembered in memory that is not on disk. After a failure nothing more
can be recorded, except what was paid for: that is saved wherever it still can be.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.canonical import canonical_json
from reconciler.errors import AlreadyOpen, ReconcilerError, StateProblem
from reconciler.fact import Draft, Fact, Kind, outcome
from reconciler.job import Attempt, Job, Sent
from reconciler.ports import Head, Journal
from reconciler.state import Books, State, fold, written
from reconciler.store.rows import ATTEMPTS, BINDINGS, JOBS, Row, Table, checksum

RESERVED_BYTES = 256 << 10
"""Room kept in the journal for the outcomes of all purchases in flight, far more than they can need."""


@dataclass(slots=True)
class _Entry:
    """What one caller wants recorded, all or nothing."""

    drafts: Sequence[Draft]
    was_paid: bool
    done: threading.Event = field(default_factory=threading.Event)
    error: ReconcilerError | None = None


@dataclass(slots=True)
class _Progress:
    """How far a group got, so that a failure knows what is already safe."""

    in_journal: bool = False


class SqliteWriter:
    """Implements `ports.Writer` over an open state and its journal. Made by the store, under the lock."""

    def __init__(self, connection: sqlite3.Connection, journal: Journal, books: Books, head: Head, sums: dict[str, int]) -> None:
        self._connection = connection
        self._journal = journal
        self._books = books
        self._head = head
        self._sums = sums
        self._waiting: list[_Entry] = []
        self._waiting_lock = threading.Lock()
        self._commit_lock = threading.RLock()
        self._broken = ""
        self._journal_broken = False

    def state(self) -> State:
        """See `ports.Writer.state`."""
        with self._commit_lock:
            return self._books.snapshot()

    def attempt(self, attempt_id: str) -> Attempt:
        """See `ports.Writer.attempt`."""
        return self._books.attempts[attempt_id]

    def job(self, job_id: str) -> Job:
        """See `ports.Writer.job`."""
        return self._books.jobs[job_id]

    def record(self, drafts: Sequence[Draft]) -> None:
        """See `ports.Writer.record`."""
        self._submit(_Entry(drafts, was_paid=False))

    def record_outcome(self, drafts: Sequence[Draft]) -> None:
        """See `ports.Writer.record_outcome`."""
        self._submit(_Entry(drafts, was_paid=True))

    def observe(self, jobs: Sequence[Job]) -> None:
        """See `ports.Writer.observe`."""
        if not jobs:
            return
        with self._commit_lock:
            if self._broken:
                raise StateProblem(self._broken)
            layer = self._books.layer()
            layer.jobs.update({job.id: job for job in jobs})
            self.take_over(layer)

    def take_over(self, layer: Books) -> None:
        """Write what a layer of these books changed, without new facts: what was observed, or what a longer journal says."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            sums = self._write_rows(layer, dict(self._sums))
            write_book(self._connection, layer, self._head, sums)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            self._break(f"the state could not be written: {error}")
            raise StateProblem(self._broken) from error
        self._books.absorb(layer)
        self._sums = sums

    def _submit(self, entry: _Entry) -> None:
        if not entry.drafts:
            return
        with self._waiting_lock:
            self._waiting.append(entry)
        with self._commit_lock:
            if not entry.done.is_set():
                with self._waiting_lock:
                    group, self._waiting = self._waiting, []
                self._commit(group)
        if entry.error is not None:
            raise entry.error

    def _commit(self, group: list[_Entry]) -> None:
        progress = _Progress()
        try:
            self._commit_together(group, progress)
        except (sqlite3.Error, StateProblem, OSError) as error:
            self._roll_back()
            self._fail(group, error, progress)
        for entry in group:
            entry.done.set()

    def _commit_together(self, group: list[_Entry], progress: _Progress) -> None:
        if self._broken:
            raise StateProblem(self._broken)
        self._connection.execute("BEGIN IMMEDIATE")
        layer, sums, drafts = self._books.layer(), dict(self._sums), list[Draft]()
        for entry in group:
            accepted = self._try_entry(entry, layer, sums)
            if accepted is not None:
                sums = accepted
                drafts += entry.drafts
        if not drafts:
            self._connection.execute("ROLLBACK")
            return
        try:
            if any(draft.kind is Kind.INTENT for draft in drafts):
                self._journal.reserve(RESERVED_BYTES)
            head, _ = self._journal.append(drafts, self._head)
        except StateProblem:
            self._journal_broken = True
            raise
        self._head = head
        progress.in_journal = True
        write_book(self._connection, layer, head, sums)
        self._connection.execute("COMMIT")
        self._books.absorb(layer)
        self._sums = sums

    def _try_entry(self, entry: _Entry, layer: Books, sums: dict[str, int]) -> dict[str, int] | None:
        """Fold and write one entry on top of the group; on refusal the entry alone fails."""
        upper = layer.layer()
        self._connection.execute("SAVEPOINT entry")
        try:
            for draft in entry.drafts:
                fold(upper, Fact(draft.kind, draft.at, draft.data, "", ()))
                _refuse_second(upper, draft)
            sums = self._write_rows(upper, dict(sums))
        except (AlreadyOpen, sqlite3.IntegrityError) as error:
            self._connection.execute("ROLLBACK TO entry")
            self._connection.execute("RELEASE entry")
            entry.error = error if isinstance(error, AlreadyOpen) else AlreadyOpen(f"the state refused it ({error}); nothing was sent")
            return None
        self._connection.execute("RELEASE entry")
        layer.absorb(upper)
        return sums

    def _write_rows(self, layer: Books, sums: dict[str, int]) -> dict[str, int]:
        # what no longer blocks its spec leaves the unique index before what does enters it
        for attempt in sorted(written(layer.attempts).values(), key=lambda a: a.blocks):
            self._put(ATTEMPTS, self._books_row(ATTEMPTS, attempt.id), ATTEMPTS.to_row(attempt), (attempt.id,), sums)
        for key, job in written(layer.jobs).items():
            self._put(JOBS, self._books_row(JOBS, key), JOBS.to_row(job), (key,), sums)
        for pair, bound in written(layer.bindings).items():
            before = self._books_row(BINDINGS, pair)
            if bound is None:
                self._remove_binding(pair, before, sums)
            else:
                self._put(BINDINGS, before, BINDINGS.to_row(bound), pair, sums)
        return sums

    def _books_row(self, table: Table, key: str | tuple[str, str]) -> str | None:
        """The checksum of the row as it stands in the transaction, or None when there is no row yet."""
        keys = (key,) if isinstance(key, str) else key
        where = " AND ".join(f"{k} = ?" for k in table.key)
        found = self._connection.execute(f"SELECT checksum FROM {table.name} WHERE {where}", keys).fetchone()  # noqa: S608 (names are ours)
        return None if found is None else str(found[0])

    def _put(self, table: Table, before: str | None, row: Row, key: tuple[str, ...], sums: dict[str, int]) -> None:
        cursor = self._connection.execute(table.insert, row) if before is None else self._connection.execute(table.update, (*row, *key))
        if cursor.rowcount != 1:
            raise StateProblem(f"a row of {table.name} changed {cursor.rowcount} times; nothing more is recorded")
        sums[table.name] = (sums.get(table.name, 0) + int(row[-1], 16) - int(before or "0", 16)) % (1 << 64)

    def _remove_binding(self, key: tuple[str, str], before: str | None, sums: dict[str, int]) -> None:
        if before is not None:
            self._connection.execute("DELETE FROM bindings WHERE environment = ? AND name = ?", key)
            sums[BINDINGS.name] = (sums.get(BINDINGS.name, 0) - int(before, 16)) % (1 << 64)

    def _fail(self, group: list[_Entry], error: Exception, progress: _Progress) -> None:
        reason = error.message if isinstance(error, ReconcilerError) else f"the state could not be written: {error}"
        self._break(reason)
        for entry in group:
            where = self._rescue(entry, progress) if entry.was_paid else self._revoke(entry, progress)
            entry.error = StateProblem(f"{reason}; {where}")

    def _rescue(self, entry: _Entry, progress: _Progress) -> str:
        """Keep what was paid for wherever it can still be kept; says where."""
        if progress.in_journal:
            return "the answer is safe in the journal"
        if not self._journal_broken:
            try:
                self._head, _ = self._journal.append(entry.drafts, self._head)
            except StateProblem:
                self._journal_broken = True
            else:
                return "the answer is safe in the journal"
        return "the answer is safe in the state" if self._keep_aside(entry.drafts) else "the answer could not be saved"

    def _keep_aside(self, drafts: Sequence[Draft]) -> bool:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            write_waiting(self._connection, drafts)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            return False
        return True

    def _revoke(self, entry: _Entry, progress: _Progress) -> str:
        """An intent that stands in the journal but may not be sent is proved not sent, so that no doubt is left of it."""
        if progress.in_journal:
            drafts = [
                outcome(draft.at, str(draft.data["attempt"]), Sent.NOT_SENT, evidence="its intent could not be recorded in the state")
                for draft in entry.drafts
                if draft.kind is Kind.INTENT
            ]
            if drafts and not self._journal_broken:
                try:
                    self._head, _ = self._journal.append(drafts, self._head)
                except StateProblem:
                    self._journal_broken = True
        return "nothing was sent"

    def _break(self, reason: str) -> None:
        self._broken = self._broken or reason

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                self._break(f"the state could not be rolled back: {error}")


def write_book(connection: sqlite3.Connection, books: Books, head: Head, sums: dict[str, int]) -> None:
    """Write the state's first row: which journal it stands for, and the sums that show missing rows."""
    pause = None if books.pause is None else json.dumps([books.pause.reason, books.pause.actor, books.pause.since])
    values = [books.lineage, books.serial, json.dumps([list(head.hashes), head.length, head.digest]), pause, canonical_json(sums)]
    connection.execute("INSERT OR REPLACE INTO book VALUES (1, ?, ?, ?, ?, ?, ?)", (*values, checksum(values)))


def write_waiting(connection: sqlite3.Connection, drafts: Sequence[Draft]) -> None:
    """Keep facts in the state that have to reach the journal later."""
    for draft in drafts:
        values = [str(draft.kind), draft.at, canonical_json(draft.data)]
        connection.execute("INSERT INTO outbox (kind, at, data, checksum) VALUES (?, ?, ?, ?)", (*values, checksum(values)))


def _refuse_second(books: Books, draft: Draft) -> None:
    if draft.kind is not Kind.INTENT:
        return
    if first := books.attempts[str(draft.data["attempt"])].duplicate_of:
        raise AlreadyOpen(f"attempt {first} is open for the same spec; a second one was not started, nothing was sent")
