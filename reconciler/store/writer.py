"""The one writer: facts become durable here, journal first, inside the state's transaction.

Callers from several threads wait together: whoever comes first commits for all that wait, so durability costs one
sync a group and not one a purchase. Nothing is remembered in memory that is not on disk. After a failure nothing more
can be recorded, except what was paid for: that is saved wherever it still can be.

Where others append to the journal too, theirs is folded in first whenever they were faster. From then on only what is
true on any head is recorded (`foreign.py`); everything else has to be decided again.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.errors import AlreadyOpen, HeadMoved, ReconcilerError, StateProblem
from reconciler.fact import Draft, Fact, Kind, outcome
from reconciler.job import Attempt, Job, Sent
from reconciler.ports import Head, Journal, Shared
from reconciler.state import Books, State, fold, fold_all, written
from reconciler.store.book import write_book, write_waiting
from reconciler.store.foreign import holds_anywhere, still_news
from reconciler.store.rows import ATTEMPTS, BINDINGS, JOBS, Row, Table

RESERVED_BYTES = 256 << 10
"""Room kept in the journal for the outcomes of all purchases in flight, far more than they can need."""
MOST_MOVES = 40
"""So often in a row may others be faster before an answer has to wait for the next start."""
GATHER_SECONDS = 0.02
"""A shared journal takes much longer than this for one append: those who come at the same time go together."""
OTHERS_FIRST = "another runner appended to the journal first, so this was decided too early; nothing was sent"


@dataclass(slots=True)
class _Entry:
    """What one caller wants recorded, all or nothing."""

    drafts: Sequence[Draft]
    was_paid: bool
    is_kept: bool = False
    """It is safe on this disk, and enters the journal at the latest when the next process starts."""
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
        self._is_recovering = True
        self._has_foreign = False
        self.notes: tuple[str, ...] = ()
        """What its opening has to tell; every state that it shows carries them."""

    def state(self) -> State:
        """See `ports.Writer.state`."""
        with self._commit_lock:
            return self._books.snapshot(self.notes)

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

    def recovered(self) -> None:
        """From here on facts are decided: they rest on what is known now."""
        self._is_recovering = self._has_foreign = False

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
        shared = self._journal.shared
        if shared is not None and entry.was_paid:
            entry.is_kept = _keep(shared, entry.drafts)
        with self._waiting_lock:
            self._waiting.append(entry)
        with self._commit_lock:
            if not entry.done.is_set():
                if shared is not None:
                    time.sleep(GATHER_SECONDS)
                with self._waiting_lock:
                    group, self._waiting = self._waiting, []
                self._commit(group)
        if entry.error is not None:
            raise entry.error

    def _commit(self, group: list[_Entry]) -> None:
        progress = _Progress()
        try:
            if (shared := self._journal.shared) is None:
                self._commit_together(group, progress)
            else:
                self._commit_behind_others(group, progress, shared)
        except (sqlite3.Error, StateProblem, OSError) as error:
            self._roll_back()
            self._fail([e for e in group if e.error is None], error, progress)
        for entry in group:
            entry.done.set()

    def _commit_behind_others(self, group: list[_Entry], progress: _Progress, shared: Shared) -> None:
        """Commit; when others were faster, learn what they wrote and commit behind it what still holds."""
        for moves in range(MOST_MOVES):
            try:
                return self._commit_together(self._still_valid(group), progress)
            except HeadMoved:
                self._roll_back()
            time.sleep(random.uniform(0, min(0.5, 0.01 * 2**moves)))  # noqa: S311 (runners that meet again must part)
            self._learn(shared)
        raise StateProblem(f"other runners were faster {MOST_MOVES} times in a row")

    def _still_valid(self, group: list[_Entry]) -> list[_Entry]:
        if not self._has_foreign or self._is_recovering:
            return group
        for entry in group:
            if entry.was_paid or holds_anywhere(entry.drafts):
                entry.drafts = still_news(entry.drafts, self._books)
            else:
                entry.error = HeadMoved(OTHERS_FIRST)
        return [entry for entry in group if entry.error is None]

    def _learn(self, shared: Shared) -> None:
        """Fold in what others appended. Raises StateProblem when it cannot be had, or is no plain continuation."""
        shared.fetch()
        try:
            head, facts = self._journal.read(self._head)
        except HeadMoved as error:
            raise StateProblem(f"{error.message}: they are folded at the next start") from error
        layer = self._books.layer()
        fold_all(facts, layer)
        self._head, self._has_foreign = head, True
        self.take_over(layer)

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
        except StateProblem as problem:
            self._journal_broken = self._journal.shared is None or not isinstance(problem, HeadMoved)
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
        if entry.is_kept:
            return "the answer is safe in a file beside the state and enters the journal at the next start"
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


def _refuse_second(books: Books, draft: Draft) -> None:
    if draft.kind is not Kind.INTENT:
        return
    if first := books.attempts[str(draft.data["attempt"])].duplicate_of:
        raise AlreadyOpen(f"attempt {first} is open for the same spec; a second one was not started, nothing was sent")


def _keep(shared: Shared, drafts: Sequence[Draft]) -> bool:
    """Before it is tried to reach the journal: an answer that was read must outlive this process."""
    try:
        shared.keep(drafts)
    except StateProblem:
        return False  # the journal may still take it
    return True
