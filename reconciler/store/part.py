"""A part of a large state: what concerns some names and specs, and what is decided from all rows together, without making them.

Rows are found by the database's indexes. So only a file that was checked whole before, its indexes too, may be asked:
a row that cannot be found counts as one that is not there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from reconciler.errors import StateProblem
from reconciler.job import Attempt, Phase
from reconciler.money import ZERO, Money
from reconciler.state import BindingKey, State
from reconciler.store.late import Fetch, Late
from reconciler.store.load import Held, read_unsettled
from reconciler.store.rows import BINDINGS, DAMAGED, JOBS, Table, money

_PENDING = ", ".join(repr(str(phase)) for phase in Phase if phase.is_pending)


class Wanted(NamedTuple):
    """What is asked about: names of one environment, spec digests, request ids; and the totals of a month."""

    environment: str
    names: Collection[str]
    digests: Collection[str] = ()
    request_ids: Collection[str] = ()
    month: tuple[str, str] | None = None
    """Begin and end (UTC, ISO 8601, end excluded). Totals are made from all rows, so they are not for nothing."""


class Totals(NamedTuple):
    """What only all rows together say."""

    world: str | None
    """As `State.world` of the whole state."""
    bought: Money
    """What all jobs of the month cost (USD), without doubts."""
    bought_jobs: int
    last_polled: str | None
    """When any job was polled last."""


class Part(NamedTuple):
    """What is known of it. `state` has all of the lineage, serial, pause, doubts and duplicates, but these rows alone:

    - bindings: of the wanted names in that environment, and, in any environment, of every name that points to one of its jobs
    - jobs: of the wanted digests and request ids, of the wanted names with all others of the same specs, and all that are still pending
    """

    state: State
    totals: Totals | None
    """Where a month was wanted."""


def read_part(connection: sqlite3.Connection, held: Held, wanted: Wanted, fetch: Fetch) -> Part:
    """The part that is wanted of rows whose first has been read. Raises StateProblem for a row that is not what was written."""
    books = held.books
    unsettled = read_unsettled(connection, held, is_proved=True)
    own = list(_found(connection, BINDINGS, "environment = ? AND name IN {}", wanted.names, wanted.environment))
    bound = {binding.job for binding in own}
    for where, values in (("spec_digest IN {}", wanted.digests), ("request_id IN {}", wanted.request_ids), ("id IN {}", bound)):
        books.jobs.update((job.id, job) for job in _found(connection, JOBS, where, values))
    specs = {books.jobs[each].spec_digest for each in bound if each in books.jobs}.difference(wanted.digests)
    books.jobs.update((job.id, job) for job in _found(connection, JOBS, "spec_digest IN {}", specs))
    books.jobs.update((job.id, job) for job in _found(connection, JOBS, f"phase IN ({_PENDING})"))
    if bound - books.jobs.keys():
        raise StateProblem("a name of the state points to a job that is not in it", hint=DAMAGED)
    own.extend(_found(connection, BINDINGS, "job IN {}", books.jobs.keys()))
    bindings: dict[BindingKey, Any] = {(b.environment, b.name): b for b in own}
    state = State(books.lineage, books.serial, Late(fetch, held.mark), books.jobs, bindings, books.pause, (), unsettled)
    return Part(state, None if wanted.month is None else _totals(connection, wanted.month, unsettled))


def _found(connection: sqlite3.Connection, table: Table, where: str, values: Collection[str] | None = None, *first: str) -> Iterator[Any]:
    """The rows where a column has one of the values, each checked."""
    texts = () if values is None else (json.dumps(sorted(values)),)
    condition = where.format("(SELECT value FROM json_each(?))")
    rows = connection.execute(f"{table.select} WHERE {condition} ORDER BY rowid", (*first, *texts))
    return table.entities(table.checked(rows))


def _totals(connection: sqlite3.Connection, month: tuple[str, str], unsettled: tuple[Attempt, ...]) -> Totals:
    world, polled = connection.execute("SELECT min(world), max(polled_at) FROM jobs").fetchone()
    world = world or next((a.world for a in unsettled), None) or connection.execute("SELECT min(world) FROM attempts").fetchone()[0]
    rows = connection.execute("SELECT price, count(*) FROM jobs WHERE submitted_at >= ? AND submitted_at < ? GROUP BY price", month).fetchall()
    return Totals(world, sum((money(price) * count for price, count in rows), ZERO), sum(count for _, count in rows), polled)


def check_indexes(connection: sqlite3.Connection) -> None:
    """Raise StateProblem unless every row of jobs and bindings is found by their indexes."""
    for table in (JOBS.name, BINDINGS.name):
        verdict = connection.execute(f"PRAGMA integrity_check({table})").fetchone()[0]
        if verdict != "ok":
            raise StateProblem(f"the state's {table} are not as they were written: {str(verdict)[:100]}", hint=DAMAGED)
