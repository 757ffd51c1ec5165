"""Rows to books: reads a whole state and believes none of it without its checksum."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import cast

from reconciler.errors import HeadMoved, StateProblem
from reconciler.fact import Draft, Fact, Kind
from reconciler.job import DOUBTFUL, SEEN, Attempt, Binding, Pause
from reconciler.ports import Head, Journal
from reconciler.state import BindingKey, Books, State, fold_all
from reconciler.store.late import Fetch, Late, Mark
from reconciler.store.rows import ATTEMPTS, BINDINGS, DAMAGED, JOBS, Row, Table, checksum

UNSETTLED = f"status IN ({', '.join(repr(str(s)) for s in sorted(DOUBTFUL))}) OR duplicate_of IS NOT NULL"
"""Of the attempts, those in doubt and the duplicates: what every reader has to know."""


@dataclass(slots=True)
class Held:
    """What a state's rows say: books, the journal's head they stand for, the sum of row checksums a table, and what waits for the journal."""

    books: Books = field(default_factory=Books)
    head: Head | None = None
    sums: dict[str, int] = field(default_factory=dict)
    waiting: list[tuple[int, Draft]] = field(default_factory=list)
    mark: Mark = ""
    """Which rows these were."""
    late: Late | None = None
    """The attempts, where they are read when somebody asks for one: the books do not have them."""
    unsettled: tuple[Attempt, ...] | None = None
    """Of the late ones, those in doubt and the duplicates."""

    def snapshot(self, notes: tuple[str, ...]) -> State:
        """What was read as a state. It takes over the books: nothing may be folded into them any more."""
        books = self.books
        bindings = cast("dict[BindingKey, Binding]", books.bindings)
        attempts = books.attempts if self.late is None else self.late
        return State(books.lineage, books.serial, attempts, books.jobs, bindings, books.pause, notes, self.unsettled)


def read_rows(connection: sqlite3.Connection, *, later: Fetch | None = None, is_proved: bool = False) -> Held:
    """Everything in the state. Raises StateProblem when a row, or the number of rows, is not what was written.

    `later`: attempts are checked like all other rows, but fetched when somebody asks for one. `is_proved`: this very
    file was checked before.
    """
    held = Held()
    if not read_book(connection, held):
        return held
    books = held.books
    if later is None:
        for attempt in ATTEMPTS.entities(_rows(connection, held, ATTEMPTS, is_proved=is_proved)):
            books.index(attempt)
    else:
        held.unsettled = read_unsettled(connection, held, is_proved=is_proved)
        held.late = Late(later, held.mark)
    for job in JOBS.entities(_rows(connection, held, JOBS, is_proved=is_proved)):
        books.jobs[job.id] = job
    for bound in BINDINGS.entities(_rows(connection, held, BINDINGS, is_proved=is_proved)):
        books.bindings[bound.environment, bound.name] = bound
    held.waiting = read_waiting(connection)
    return held


def check_rows(connection: sqlite3.Connection) -> None:
    """All rows, none kept. Raises StateProblem when one, or their number, is not what was written."""
    held = Held()
    if read_book(connection, held):
        for table in (ATTEMPTS, JOBS, BINDINGS):
            for _ in _rows(connection, held, table, is_proved=False):
                pass


def read_attempts(connection: sqlite3.Connection, mark: Mark) -> dict[str, Attempt]:
    """All attempts, checked, of the rows with that mark. Raises StateProblem when it is not theirs any more."""
    held = Held()
    if not read_book(connection, held) or held.mark != mark:
        raise changed()
    return {attempt.id: attempt for attempt in ATTEMPTS.entities(_rows(connection, held, ATTEMPTS, is_proved=False))}


def changed() -> StateProblem:
    """What is said when rows are wanted that are no longer there."""
    return StateProblem("the state was changed while it was being read", hint="run the command again")


def read_book(connection: sqlite3.Connection, held: Held) -> bool:
    """The first row: which journal the others stand for. False where there is none."""
    row = connection.execute("SELECT lineage, serial, head, pause, sums, checksum FROM book").fetchone()
    if row is None:
        return False
    if checksum(list(row[:-1])) != row[-1]:
        raise StateProblem("the state's first page was altered: its checksum does not fit", hint=DAMAGED)
    books = held.books
    books.lineage, books.serial = row[0], row[1]
    held.head = _head(row[2])
    books.pause = None if row[3] is None else Pause(*json.loads(row[3]))
    held.sums = {str(table): int(total) for table, total in json.loads(row[4]).items()}
    held.mark = row[-1]
    return True


def _rows(connection: sqlite3.Connection, held: Held, table: Table, *, is_proved: bool) -> Iterable[Row]:
    """The rows of a table in the order they were written in, whole: the last is given out when their sum fits."""
    rows = connection.execute(f"{table.select} ORDER BY rowid")
    return rows if is_proved else _summed(table, rows, held.sums.get(table.name, 0))


def _summed(table: Table, rows: Iterable[Row], expected: int) -> Iterator[Row]:
    total = 0
    for row in table.checked(rows):
        total += int(row[-1], 16)
        yield row
    if total % (1 << 64) != expected:
        raise StateProblem(f"rows of {table.name} are missing: their sum does not fit", hint=DAMAGED)


def read_unsettled(connection: sqlite3.Connection, held: Held, *, is_proved: bool) -> tuple[Attempt, ...]:
    """The attempts in doubt and the duplicates; all the others are checked on the way, unless they were before."""
    if is_proved:
        return tuple(ATTEMPTS.entities(connection.execute(f"{ATTEMPTS.select} WHERE {UNSETTLED} ORDER BY rowid").fetchall()))
    status, duplicate_of = (ATTEMPTS.names.index(name) for name in ("status", "duplicate_of"))
    rows = _rows(connection, held, ATTEMPTS, is_proved=False)
    return tuple(ATTEMPTS.entities(row for row in rows if row[status] in DOUBTFUL or row[duplicate_of] is not None))


def read_waiting(connection: sqlite3.Connection) -> list[tuple[int, Draft]]:
    """Facts that could be kept in the state alone and still have to reach the journal, with their row ids."""
    waiting: list[tuple[int, Draft]] = []
    for number, kind, at, data, flushed, check in connection.execute("SELECT id, kind, at, data, flushed, checksum FROM outbox ORDER BY id"):
        if checksum([kind, at, data]) != check:
            raise StateProblem("a fact that waits for the journal was altered: its checksum does not fit", hint=DAMAGED)
        if not flushed:
            waiting.append((number, Draft(Kind(kind), at, json.loads(data))))
    return waiting


def _head(text: str) -> Head:
    hashes, length, digest = json.loads(text)
    return Head(tuple(hashes), length, digest)


class AttemptsWanted(Exception):
    """Facts are to be folded on top of rows whose attempts were left for later."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Books that stand for the journal's whole content.

    `fresh`: the facts that the rows did not hold yet; None when the rows had to be folded anew. `notes` say so to people.
    """

    books: Books
    head: Head
    fresh: list[Fact] | None
    notes: tuple[str, ...]


def catch_up(held: Held, journal: Journal, *, lineage: str | None, state_name: str) -> CaughtUp:
    """Fold what the journal has and the rows do not. Raises StateProblem when the journal lacks what the rows hold.

    `held.books` is not changed; `lineage` is the project's pinned one. Raises AttemptsWanted when there is something to
    fold and the attempts were left for later.
    """
    if held.head is None:
        return _from_nothing(journal, lineage, state_name)
    try:
        head, facts = journal.read(held.head)
    except HeadMoved:
        return fold_anew(held, journal, lineage=lineage, state_name=state_name)
    if not facts:
        return level(held, head, lineage=lineage)
    _check_lineage(held.books.lineage, lineage)
    if held.late is not None:
        raise AttemptsWanted
    books = held.books.layer()
    fold_all(facts, books)
    return CaughtUp(books, head, facts, (f"{state_name} was behind its journal: {len(facts)} facts were folded in", *_forked(head)))


def level(held: Held, head: Head, *, lineage: str | None) -> CaughtUp:
    """The rows as they are: the journal ends where they do. Raises StateProblem for another lineage than the pinned one."""
    _check_lineage(held.books.lineage, lineage)
    return CaughtUp(held.books, head, [], _forked(head))


def _from_nothing(journal: Journal, lineage: str | None, state_name: str) -> CaughtUp:
    head, facts = journal.read(None)
    if journal.has_unfinished():
        raise StateProblem(
            "the journal ends in an unfinished line, and there is no state that could tell what stood there",
            hint="restore the journal from git or a backup",
        )
    books = fold_all(facts)
    _check_lineage(books.lineage, lineage)
    return CaughtUp(books, head, None, (f"{state_name} is not there; folded from the journal ({len(facts)} facts)", *_forked(head)))


def fold_anew(held: Held, journal: Journal, *, lineage: str | None, state_name: str) -> CaughtUp:
    """The whole journal folded from its beginning. Raises StateProblem when it lacks what the rows hold."""
    if held.head is None:
        return _from_nothing(journal, lineage, state_name)
    head, facts = journal.read(None)
    known = {fact.hash for fact in facts}
    if held.head is not None and (missing := [h for h in held.head.hashes if h not in known]):
        raise StateProblem(
            f"the journal is behind {state_name} or another one: it lacks the fact {missing[0][:12]} that the state was folded from",
            hint="restore the newer journal from git or a backup (`reconciler state merge` joins two that were written apart)",
        )
    books = fold_all(facts)
    _check_lineage(books.lineage, lineage)
    _keep_seen(held.books, books)
    return CaughtUp(books, head, None, (f"facts of another clone were merged into the journal; {state_name} was folded anew", *_forked(head)))


def _keep_seen(old: Books, new: Books) -> None:
    """Carry over what may be looked up again (running phases, poll times) for jobs that are still pending."""
    for job_id, job in old.jobs.items():
        fresh = new.jobs.get(job_id)
        if fresh is not None and fresh.request_id == job.request_id and fresh.phase.is_pending and job.phase.is_pending:
            new.jobs[job_id] = replace(fresh, **{name: getattr(job, name) for name in SEEN})


def _check_lineage(found: str, pinned: str | None) -> None:
    if pinned is not None and found != pinned:
        raise StateProblem(
            f"the journal is of lineage {found[:36]!r}, the project of {pinned[:36]!r}: it belongs to another project",
            hint="restore this project's own journal, or correct state.lineage in reconciler.yaml",
        )


def _forked(head: Head) -> tuple[str, ...]:
    return (f"the journal holds {len(head.hashes)} histories side by side; the next fact joins them",) if len(head.hashes) > 1 else ()
