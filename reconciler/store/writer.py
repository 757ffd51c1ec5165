"""The one writer: facts become durable here, journal first, inside the state's transaction.

The order that money relies on, for every group of callers that wait together (`group.py`): `BEGIN IMMEDIATE`; the rows,
where the unique index speaks; the journal's lines, written and synced; the state's first row; `COMMIT`. Only then does any
of the callers go on, so that an intent is durable in both before its first byte, and an outcome in both before anybody
hears of it. Durability costs one commit a group and not one a purchase. Nothing is remembered in memory that is not on
disk. After a failure nothing more can be recorded, except what was paid for: that is saved wherever it still can be.

Where others append to the journal too, theirs is folded in first whenever they were faster. From then on only what is
true on any head is recorded (`foreign.py`); everything else has to be decided again.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.errors import AlreadyOpen, HeadMoved, ReconcilerError, StateProblem
from reconciler.fact import Draft, Fact, Kind, outcome
from reconciler.job import Attempt, Job, Sent
from reconciler.ports import Head, Journal, Shared
from reconciler.state import Books, State, fold, fold_all
from reconciler.store.book import write_book, write_waiting
from reconciler.store.foreign import holds_anywhere, still_news
from reconciler.store.group import Entry, Room
from reconciler.store.put import put_rows

RESERVED_BYTES = 256 << 10
"""Room kept in the journal for the outcomes of all purchases in flight, far more than they can need."""
MOST_MOVES = 40
"""So often in a row may others be faster before an answer has to wait for the next start."""
GATHER_SECONDS = 0.02
"""A shared journal takes much longer than this for one append: those who come at the same time go together."""
OTHERS_FIRST = "another runner appended to the journal first, so this was decided too early; nothing was sent"


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
        self._room = Room(self._commit, gather_seconds=0.0 if journal.shared is None else GATHER_SECONDS)
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
        self._submit(Entry(drafts))

    def record_outcome(self, drafts: Sequence[Draft]) -> None:
        """See `ports.Writer.record_outcome`."""
        self._submit(Entry(drafts, was_paid=True))

    def observe(self, jobs: Sequence[Job]) -> None:
        """See `ports.Writer.observe`."""
        self._submit(Entry(seen=jobs))

    def recovered(self) -> None:
        """From here on facts are decided: they rest on what is known now."""
        self._is_recovering = self._has_foreign = False

    def take_over(self, layer: Books) -> None:
        """Write what a layer of these books changed, without new facts: what a longer journal says."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            sums = put_rows(self._connection, layer, self._sums)
            write_book(self._connection, layer, self._head, sums)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            self._break(f"the state could not be written: {error}")
            raise StateProblem(self._broken) from error
        self._books.absorb(layer)
        self._sums = sums

    def _submit(self, entry: Entry) -> None:
        if not entry.drafts and not entry.seen:
            return
        shared = self._journal.shared
        if shared is not None and entry.was_paid:
            entry.is_kept = _keep(shared, entry.drafts)
        self._room.submit(entry)

    def _commit(self, group: list[Entry]) -> None:
        progress = _Progress()
        with self._commit_lock:
            try:
                if (shared := self._journal.shared) is None:
                    self._commit_together(group, progress)
                else:
                    self._commit_behind_others(group, progress, shared)
            except (sqlite3.Error, StateProblem, OSError) as error:
                self._roll_back()
                self._fail([e for e in group if e.error is None], error, progress)

    def _commit_behind_others(self, group: list[Entry], progress: _Progress, shared: Shared) -> None:
        """Commit; when others were faster, learn what they wrote and commit behind it what still holds."""
        for moves in range(MOST_MOVES):
            try:
                return self._commit_together(self._still_valid(group), progress)
            except HeadMoved:
                self._roll_back()
            time.sleep(random.uniform(0, min(0.5, 0.01 * 2**moves)))  # noqa: S311 (runners that meet again must part)
            self._learn(shared)
        raise StateProblem(f"other runners were faster {MOST_MOVES} times in a row")

    def _still_valid(self, group: list[Entry]) -> list[Entry]:
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

    def _commit_together(self, group: list[Entry], progress: _Progress) -> None:
        if self._broken:
            raise StateProblem(self._broken)
        self._connection.execute("BEGIN IMMEDIATE")
        layer, sums = self._put_together(group) or self._put_apart(group)
        accepted = [entry for entry in group if entry.error is None]
        drafts = [draft for entry in accepted for draft in entry.drafts]
        if not drafts and not any(entry.seen for entry in accepted):
            self._connection.execute("ROLLBACK")
            return
        if drafts:
            self._append(drafts)
            progress.in_journal = True
        write_book(self._connection, layer, self._head, sums)
        self._connection.execute("COMMIT")
        self._books.absorb(layer)
        self._sums = sums

    def _append(self, drafts: Sequence[Draft]) -> None:
        try:
            if any(draft.kind is Kind.INTENT for draft in drafts):
                self._journal.reserve(RESERVED_BYTES)
            self._head, _ = self._journal.append(drafts, self._head)
        except StateProblem as problem:
            self._journal_broken = self._journal.shared is None or not isinstance(problem, HeadMoved)
            raise

    def _put_together(self, group: list[Entry]) -> tuple[Books, dict[str, int]] | None:
        """Fold and write the whole group; None, with nothing written, when any of it is refused."""
        layer = self._books.layer()
        try:
            for entry in group:
                _fold_entry(layer, entry)
            return layer, put_rows(self._connection, layer, self._sums)
        except (AlreadyOpen, sqlite3.IntegrityError):
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
            return None

    def _put_apart(self, group: list[Entry]) -> tuple[Books, dict[str, int]]:
        """Fold and write entry by entry: what is refused fails alone."""
        layer, sums = self._books.layer(), self._sums
        for entry in group:
            upper = layer.layer()
            self._connection.execute("SAVEPOINT entry")
            try:
                _fold_entry(upper, entry)
                sums = put_rows(self._connection, upper, sums)
                layer.absorb(upper)
            except (AlreadyOpen, sqlite3.IntegrityError) as error:
                self._connection.execute("ROLLBACK TO entry")
                entry.error = error if isinstance(error, AlreadyOpen) else AlreadyOpen(f"the state refused it ({error}); nothing was sent")
            self._connection.execute("RELEASE entry")
        return layer, sums

    def _fail(self, group: list[Entry], error: Exception, progress: _Progress) -> None:
        reason = error.message if isinstance(error, ReconcilerError) else f"the state could not be written: {error}"
        self._break(reason)
        for entry in group:
            where = self._rescue(entry, progress) if entry.was_paid else self._revoke(entry, progress)
            entry.error = StateProblem(f"{reason}; {where}")

    def _rescue(self, entry: Entry, progress: _Progress) -> str:
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

    def _revoke(self, entry: Entry, progress: _Progress) -> str:
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


def _fold_entry(books: Books, entry: Entry) -> None:
    for draft in entry.drafts:
        fold(books, Fact(draft.kind, draft.at, draft.data, "", ()))
        _refuse_second(books, draft)
    for job in entry.seen:
        # whether it is to be bought again was decided by facts, perhaps since it was asked about
        books.jobs[job.id] = replace(job, superseded=books.jobs[job.id].superseded)


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
