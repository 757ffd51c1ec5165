"""Attempts, jobs and bindings as rows and back. Every row about money carries a checksum over all its columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from reconciler.canonical import canonical_json
from reconciler.errors import StateProblem
from reconciler.job import Artifact, Attempt, Binding, Job, Phase, Sent
from reconciler.text import money_text

Row = tuple[Any, ...]
DAMAGED = "`reconciler state rebuild` makes a new state from the journal"


class Column(NamedTuple):
    """One column: how a value goes in and how it comes out (None: as it is)."""

    name: str
    sql_type: str
    into: Callable[[Any], Any] | None = None
    out_of: Callable[[Any], Any] | None = None


_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def _parsed(text: str) -> Any:
    """As `json.loads`, without looking for blanks around it: a third of the time, and a state holds a million such texts."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError("not JSON") from None
    if end != len(text):
        raise ValueError("not JSON")
    return value


@lru_cache(maxsize=1024)
def _money(text: str) -> Decimal:
    return Decimal(text)


def _artifacts_into(artifacts: Sequence[Artifact]) -> str:
    return canonical_json([[a.role, a.url, a.path, a.file_name, a.size_bytes] for a in artifacts])


def _artifacts_out_of(text: str) -> tuple[Artifact, ...]:
    return () if text == "[]" else tuple(Artifact(*row) for row in _parsed(text))


_SENT, _PHASES = {str(s): s for s in Sent}, {str(p): p for p in Phase}
_TEXT, _TEXT_OR_NULL = "TEXT NOT NULL", "TEXT"
_SPECIAL: dict[str, Column] = {
    "spec": Column("spec", _TEXT, canonical_json, _parsed),
    "metadata": Column("metadata", _TEXT, canonical_json, _parsed),
    "price": Column("price", _TEXT, money_text, _money),
    "status": Column("status", _TEXT, str, _SENT.__getitem__),
    "phase": Column("phase", _TEXT, str, _PHASES.__getitem__),
    "artifacts": Column("artifacts", _TEXT, _artifacts_into, _artifacts_out_of),
    "consents": Column("consents", _TEXT, lambda ids: canonical_json(list(ids)), lambda text: () if text == "[]" else tuple(_parsed(text))),
    "superseded": Column("superseded", "INTEGER NOT NULL", int, bool),
    "charged": Column("charged", "INTEGER NOT NULL", int, bool),
    "polls": Column("polls", "INTEGER NOT NULL"),
    "misses": Column("misses", "INTEGER NOT NULL"),
    "http_status": Column("http_status", "INTEGER"),
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

    def from_rows(self, rows: Iterator[Row]) -> Iterator[tuple[Any, int]]:
        """Entities with their checksums as numbers. Raises StateProblem when a row is not what was written."""
        converters = [(i, c.out_of) for i, c in enumerate(self.columns) if c.out_of is not None]
        for row in rows:
            values = list(row[:-1])
            if checksum(values) != row[-1]:
                raise StateProblem(f"a row of {self.name} was altered: its checksum does not fit", hint=DAMAGED)
            for index, convert in converters:
                values[index] = convert(values[index])
            yield self.make(*values), int(row[-1], 16)

    def texts(self, rows: Iterator[Row]) -> Iterator[tuple[bytes, Row]]:
        """Rows as `from_rows` takes them, each with the text that its checksum is over. Raises StateProblem as that does."""
        for row in rows:
            text = _encode(row[:-1]).encode("ascii")
            if hashlib.blake2b(text, digest_size=8).hexdigest() != row[-1]:
                raise StateProblem(f"a row of {self.name} was altered: its checksum does not fit", hint=DAMAGED)
            yield text, row

    def from_text(self, text: bytes) -> Any:
        """The entity of a text of `texts`. Raises StateProblem."""
        try:
            return self.make(*(value if c.out_of is None else c.out_of(value) for c, value in zip(self.columns, json.loads(text), strict=True)))
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            raise StateProblem(f"a row of {self.name} cannot be read: {type(error).__name__}", hint=DAMAGED) from error

    @property
    def insert(self) -> str:
        """The statement that inserts a row of `to_row`."""
        return f"INSERT INTO {self.name} VALUES ({', '.join('?' * (len(self.columns) + 1))})"  # noqa: S608 (names are ours)

    @property
    def update(self) -> str:
        """The statement that replaces a row: values of `to_row`, then the key."""
        assignments = ", ".join(f'"{c.name}" = ?' for c in self.columns)
        return f"UPDATE {self.name} SET {assignments}, checksum = ? WHERE {' AND '.join(f'{k} = ?' for k in self.key)}"  # noqa: S608 (names are ours)


_encode = json.JSONEncoder(check_circular=False).encode


def checksum(values: Sequence[Any]) -> str:
    """16 hex digits over plain SQL values."""
    return hashlib.blake2b(_encode(values).encode("ascii"), digest_size=8).hexdigest()


ATTEMPTS = Table.of("attempts", Attempt, "id")
JOBS = Table.of("jobs", Job, "id")
BINDINGS = Table.of("bindings", Binding, "environment", "name")


class Packed(Mapping[str, Any]):
    """Entities by id that are made when somebody asks for one: a reader asks for few, and texts need a quarter of the memory."""

    __slots__ = ("_table", "_texts")

    def __init__(self, table: Table, texts: dict[str, bytes]) -> None:
        self._table = table
        self._texts = texts

    def __getitem__(self, key: str) -> Any:
        return self._table.from_text(self._texts[key])

    def __contains__(self, key: object) -> bool:
        return key in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __eq__(self, other: object) -> bool:
        return self._texts == other._texts if isinstance(other, Packed) else super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]
