"""The state's first row, and the facts that wait in the state for the journal: how they are written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from reconciler.canonical import canonical_json
from reconciler.fact import Draft
from reconciler.ports import Head
from reconciler.state import Books
from reconciler.store.rows import checksum


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
