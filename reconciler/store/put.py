"""Rows of what a layer of books changed, written inside a transaction that somebody else begins and commits."""

from __future__ import annotations

import sqlite3
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.errors import StateProblem
from reconciler.job import Attempt, Binding, Job
from reconciler.state import Books, written
from reconciler.store.rows import ATTEMPTS, BINDINGS, JOBS, Row, Table

Key = str | tuple[str, str]


def put_rows(connection: sqlite3.Connection, layer: Books, sums: dict[str, int]) -> dict[str, int]:
    """Write everything that stands in `layer` and not below it; the sums of row checksums after that.

    Raises sqlite3.IntegrityError when the database refuses a row, StateProblem when a row is not what it should be.
    """
    sums = dict(sums)
    # what no longer blocks its spec leaves the unique index before what does enters it
    attempts = sorted(written(layer.attempts).values(), key=lambda a: a.blocks)
    _put_all(connection, ATTEMPTS, [(a.id, a) for a in attempts], layer.attempts, sums)
    _put_all(connection, JOBS, list(written(layer.jobs).items()), layer.jobs, sums)
    bound = written(layer.bindings)
    for pair in (pair for pair, binding in bound.items() if binding is None):
        _remove_binding(connection, pair, sums)
    _put_all(connection, BINDINGS, [(pair, binding) for pair, binding in bound.items() if binding is not None], layer.bindings, sums)
    return sums


def _put_all(
    connection: sqlite3.Connection, table: Table, entities: Sequence[tuple[Any, Attempt | Job | Binding]], mapping: Mapping[Any, Any], sums: dict[str, int]
) -> None:
    """Changed rows first, then new ones."""
    below = mapping.maps[1] if isinstance(mapping, ChainMap) else None
    added: list[Row] = []
    total = sums.get(table.name, 0)
    for key, entity in entities:
        row, keys = table.to_row(entity), (key,) if isinstance(key, str) else key
        before = _checksum(connection, table, keys) if below is None or below.get(key) is not None else None
        if before is None:
            added.append(row)
        else:
            _expect(connection.execute(table.update, (*row, *keys)).rowcount, 1, table)
        total += int(row[-1], 16) - int(before or "0", 16)
    if added:
        _expect(connection.executemany(table.insert, added).rowcount, len(added), table)
    sums[table.name] = total % (1 << 64)


def _expect(changed: int, expected: int, table: Table) -> None:
    if changed != expected:
        raise StateProblem(f"{changed} rows of {table.name} changed where {expected} should; nothing more is recorded")


def _checksum(connection: sqlite3.Connection, table: Table, keys: tuple[str, ...]) -> str | None:
    """The checksum of the row as it stands in the transaction, or None when there is no row yet."""
    where = " AND ".join(f"{k} = ?" for k in table.key)
    found = connection.execute(f"SELECT checksum FROM {table.name} WHERE {where}", keys).fetchone()  # noqa: S608 (names are ours)
    return None if found is None else str(found[0])


def _remove_binding(connection: sqlite3.Connection, pair: tuple[str, str], sums: dict[str, int]) -> None:
    before = _checksum(connection, BINDINGS, pair)
    if before is not None:
        connection.execute("DELETE FROM bindings WHERE environment = ? AND name = ?", pair)
        sums[BINDINGS.name] = (sums.get(BINDINGS.name, 0) - int(before, 16)) % (1 << 64)
