"""Rows to books: reads a whole state and believes none of it without its checksum."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.errors import HeadMoved, StateProblem
from reconciler.fact import Draft, Fact, Kind
from reconciler.job import DOUBTFUL, SEEN, Attempt, Pause
from reconciler.ports import Head, Journal
from reconciler.state import Books, State, fold_all
from reconciler.store.rows import ATTEMPTS, BINDINGS, DAMAGED, JOBS, Packed, Table, checksum


@dataclass(slots=True)
class Held:
    """What a state's rows say: books, the journal's head they stand for, the sum of row checksums a table, and what waits for the journal."""

    books: Books = field(default_factory=Books)
    head: Head | None = None
    sums: dict[str, int] = field(default_factory=dict)
    waiting: list[tuple[int, Draft]] = field(default_factory=list)
    packed: Packed | None = None
    """The attempts, where they were read for a reader: the books do not have them yet."""
    unsettled: tuple[Attempt, ...] = ()
    """Of the packed ones, those in doubt and the duplicates."""

    def unpack(self) -> None:
        """Put packed attempts into the books, for whoever folds facts on top of them."""
        if self.packed is not None:
            for attempt in self.packed.values():
                self.books.index(attempt)
            self.packed = None

    def snapshot(self, notes: tuple[str, ...]) -> State:
        """What was read as a state, its attempts still packed."""
        state = self.books.snapshot(notes)
        return state if self.packed is None else replace(state, attempts=self.packed, unsettled=self.unsettled)


def read_rows(connection: sqlite3.Connection, *, packed: bool = False) -> Held:
    """Everything in the state. Raises StateProblem when a row, or the number of rows, is not what was written.

    `packed`: attempts are checked like all other rows, but made only when somebody asks for one.
    """
    held = Held()
    row = connection.execute("SELECT lineage, serial, head, pause, sums, checksum FROM book").fetchone()
    if row is None:
        return held
    if checksum(list(row[:-1])) != row[-1]:
        raise StateProblem("the state's first page was altered: its checksum does not fit", hint=DAMAGED)
    books, sums = held.books, json.loads(row[4])
    books.lineage, books.serial = row[0], row[1]
    held.head = _head(row[2])
    books.pause = None if row[3] is None else Pause(*json.loads(row[3]))
    if packed:
        _pack(connection, held, sums)
    else:
        for attempt in _rows(connection, ATTEMPTS, sums, held.sums):
            books.index(attempt)
    for job in _rows(connection, JOBS, sums, held.sums):
        books.jobs[job.id] = job
    for bound in _rows(connection, BINDINGS, sums, held.sums):
        books.bindings[bound.environment, bound.name] = bound
    held.waiting = read_waiting(connection)
    return held


def read_waiting(connection: sqlite3.Connection) -> list[tuple[int, Draft]]:
    """Facts that could be kept in the state alone and still have to reach the journal, with their row ids."""
    waiting: list[tuple[int, Draft]] = []
    for number, kind, at, data, flushed, check in connection.execute("SELECT id, kind, at, data, flushed, checksum FROM outbox ORDER BY id"):
        if checksum([kind, at, data]) != check:
            raise StateProblem("a fact that waits for the journal was altered: its checksum does not fit", hint=DAMAGED)
        if not flushed:
            waiting.append((number, Draft(Kind(kind), at, json.loads(data))))
    return waiting


def _pack(connection: sqlite3.Connection, held: Held, expected: dict[str, int]) -> None:
    texts: dict[str, bytes] = {}
    unsettled: list[Attempt] = []
    columns = [c.name for c in ATTEMPTS.columns]
    key, status, duplicate_of, total = columns.index("id"), columns.index("status"), columns.index("duplicate_of"), 0
    for text, row in ATTEMPTS.texts(_select(connection, ATTEMPTS)):
        total += int(row[-1], 16)
        texts[row[key]] = text
        if row[status] in DOUBTFUL or row[duplicate_of] is not None:
            unsettled.append(ATTEMPTS.from_text(text))
    _check_sum(ATTEMPTS, total % (1 << 64), expected, held.sums)
    held.packed, held.unsettled = Packed(ATTEMPTS, texts), tuple(unsettled)


def _rows(connection: sqlite3.Connection, table: Table, expected: dict[str, int], sums: dict[str, int]) -> Iterator[Any]:
    total = 0
    for entity, number in table.from_rows(_select(connection, table)):
        total = (total + number) % (1 << 64)
        yield entity
    _check_sum(table, total, expected, sums)


def _select(connection: sqlite3.Connection, table: Table) -> sqlite3.Cursor:
    columns = ", ".join(f'"{c.name}"' for c in table.columns)
    return connection.execute(f"SELECT {columns}, checksum FROM {table.name} ORDER BY rowid")  # noqa: S608 (names are ours)


def _check_sum(table: Table, total: int, expected: dict[str, int], sums: dict[str, int]) -> None:
    if total != expected.get(table.name, 0):
        raise StateProblem(f"rows of {table.name} are missing: their sum does not fit", hint=DAMAGED)
    sums[table.name] = total


def _head(text: str) -> Head:
    hashes, length, digest = json.loads(text)
    return Head(tuple(hashes), length, digest)


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

    `held.books` is not changed; `lineage` is the project's pinned one.
    """
    if held.head is None:
        return _from_nothing(journal, lineage, state_name)
    try:
        head, facts = journal.read(held.head)
    except HeadMoved:
        return fold_anew(held, journal, lineage=lineage, state_name=state_name)
    _check_lineage(held.books.lineage, lineage)
    if not facts:
        return CaughtUp(held.books, head, [], _forked(head))
    held.unpack()
    books = held.books.layer()
    fold_all(facts, books)
    return CaughtUp(books, head, facts, (f"{state_name} was behind its journal: {len(facts)} facts were folded in", *_forked(head)))


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
