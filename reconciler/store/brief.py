"""All jobs and names of a state in brief: only the columns that a ledger shows, and no entity for any row."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from reconciler.ledger import Bill, Bound, Ledger
from reconciler.store.load import Held
from reconciler.store.rows import BINDINGS, JOBS, Table

R = TypeVar("R")
_TOGETHER = 1000


def read_ledger(connection: sqlite3.Connection, held: Held, *, notes: tuple[str, ...]) -> Ledger:
    """The ledger of rows that have been checked, whose first has been read with those that are not settled."""
    books = held.books
    jobs = {bill.id: bill for bill in _brief(connection, JOBS, Bill, Bill._make)}
    bindings = {(bound.environment, bound.name): bound for bound in _brief(connection, BINDINGS, Bound, Bound._make)}
    doubts = held.snapshot(()).doubts
    return Ledger(books.lineage, books.serial, jobs, bindings, doubts, books.pause, notes)


def _brief(connection: sqlite3.Connection, table: Table, shape: type[Any], make: Callable[[Iterable[Any]], R]) -> Iterator[R]:
    """The columns that a row of this shape has, converted a column at a time."""
    columns = {c.name: c for c in table.columns}
    cursor = connection.execute(f"SELECT {', '.join(shape._fields)} FROM {table.name} ORDER BY rowid")  # noqa: S608 (names are ours)
    while rows := cursor.fetchmany(_TOGETHER):
        values: list[Any] = list(zip(*rows, strict=True))
        for i, name in enumerate(shape._fields):
            if (convert := columns[name].out_of) is not None:
                values[i] = map(convert, values[i])
        yield from map(make, zip(*values, strict=True))
