"""Attempts, jobs and bindings as rows and back. Every row about money carries a checksum over all its columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from sys import intern
from typing import Any, NamedTuple

from reconciler.canonical import canonical_json
from reconciler.errors import StateProblem
from reconciler.job import Artifact, Attempt, Binding, Job, Phase, Sent
from reconciler.store.texts import Parsed, parsed
from reconciler.text import money_text

Row = tuple[Any, ...]
DAMAGED = "`reconciler state rebuild` makes a new state from the journal"


class Column(NamedTuple):
    """One column: how a value goes in and how it comes out (None: as it is)."""

    name: str
    sql_type: str
    into: Callable[[Any], Any] | None = None
    out_of: Callable[[Any], Any] | None = None


@lru_cache(maxsize=1024)
def money(text: str) -> Decimal:
    """An amount as it stands in a row."""
    return Decimal(text)


def _artifacts_into(artifacts: Sequence[Artifact]) -> str:
    return canonical_json([[a.role, a.url, a.path, a.file_name, a.size_bytes] for a in artifacts])


def _artifacts_out_of(text: str) -> tuple[Artifact, ...]:
    return () if text == "[]" else tuple(Artifact(*row) for row in parsed(text))


def _parsed_into(value: Any) -> str:
    return value.text if type(value) is Parsed else canonical_json(value)


_SENT, _PHASES = {str(s): s for s in Sent}, {str(p): p for p in Phase}
_TEXT, _TEXT_OR_NULL = "TEXT NOT NULL", "TEXT"
_SPECIAL: dict[str, Column] = {
    "spec": Column("spec", _TEXT, _parsed_into, Parsed),
    "metadata": Column("metadata", _TEXT, _parsed_into, Parsed),
    "price": Column("price", _TEXT, money_text, money),
    "status": Column("status", _TEXT, str, _SENT.__getitem__),
    "phase": Column("phase", _TEXT, str, _PHASES.__getitem__),
    "artifacts": Column("artifacts", _TEXT, _artifacts_into, _artifacts_out_of),
    "consents": Column("consents", _TEXT, lambda ids: canonical_json(list(ids)), lambda text: () if text == "[]" else tuple(parsed(text))),
    "superseded": Column("superseded", "INTEGER NOT NULL", int, bool),
    "charged": Column("charged", "INTEGER NOT NULL", int, bool),
    "polls": Column("polls", "INTEGER NOT NULL"),
    "misses": Column("misses", "INTEGER NOT NULL"),
    "http_status": Column("http_status", "INTEGER"),
    **{name: Column(name, _TEXT, None, intern) for name in ("environment", "trainer", "endpoint", "world")},  # few, and in every row
}


@dataclass(frozen=True)
class Table:
    """One kind of entity and its columns, in the order of its dataclass."""

    name: str
    make: type[Attempt | Job | Binding]
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, name: str, make: type[Attempt | Job | Binding], *key: str) -> Table:
        """The table of a dataclass: optional strings may be null, everything else is as `_SPECIAL` says."""
        columns = tuple(_SPECIAL.get(f.name) or Column(f.name, _TEXT_OR_NULL if "None" in str(f.type) else _TEXT) for f in fields(make))
        return cls(name, make, key, columns)

    def to_row(self, entity: Attempt | Job | Binding) -> Row:
        """The entity's columns and their checksum."""
        values = [getattr(entity, c.name) if c.into is None else c.into(getattr(entity, c.name)) for c in self.columns]
        return (*values, checksum(values))

    def checked(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows as they are. Raises StateProblem at one that is not what was written."""
        for row in rows:
            if checksum(row[:-1]) != row[-1]:
                raise StateProblem(f"a row of {self.name} was altered: its checksum does not fit", hint=DAMAGED)
            yield row

    def entities(self, rows: Iterable[Row]) -> Iterator[Any]:
        """Rows, with or without their checksum, as entities."""
        converters = [(i, c.out_of) for i, c in enumerate(self.columns) if c.out_of is not None]
        count, make = len(self.columns), self.make
        for row in rows:
            values = list(row[:count])
            for index, convert in converters:
                values[index] = convert(values[index])
            yield make(*values)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(c.name for c in self.columns)

    @property
    def select(self) -> str:
        """The statement that selects whole rows."""
        columns = ", ".join(f'"{c.name}"' for c in self.columns)
        return f"SELECT {columns}, checksum FROM {self.name}"  # noqa: S608 (names are ours)

    @property
    def insert(self) -> str:
        """The statement that inserts a row of `to_row`."""
        return f"INSERT INTO {self.name} VALUES ({', '.join('?' * (len(self.columns) + 1))})"  # noqa: S608 (names are ours)

    @property
    def update(self) -> str:
        """The statement that replaces a row: values of `to_row`, then the key."""
        assignments = ", ".join(f'"{c.name}" = ?' for c in self.columns)
        return f"UPDATE {self.name} SET {assignments}, checksum = ? WHERE {' AND '.join(f'{k} = ?' for k in self.key)}"  # noqa: S608 (names are ours)


_chunks: Callable[[Sequence[Any], int], Iterable[str]] = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, None, encode_basestring_ascii, None, ": ", ", ", False, False, True
)
"""What `json.dumps` makes for each call, made once: a state holds hundreds of thousands of rows."""


def checksum(values: Sequence[Any]) -> str:
    """16 hex digits over plain SQL values."""
    return hashlib.blake2b("".join(_chunks(values, 0)).encode("ascii"), digest_size=8).hexdigest()


ATTEMPTS = Table.of("attempts", Attempt, "id")
JOBS = Table.of("jobs", Job, "id")
BINDINGS = Table.of("bindings", Binding, "environment", "name")
