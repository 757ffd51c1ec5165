"""The emulator's ledger: every complete submit, what was created and what was charged. Survives kill -9.

One SQLite file, also between processes. It holds no clock of its own beyond the one it is given, no key and no body:
a body is known by its digest. What a submit means is decided in `service.py`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple

from reconciler.emulator.timeline import Stage, Timeline
from reconciler.errors import StateProblem
from reconciler.text import safe

APPLICATION_ID = 0x4C4F5245
MICROS = Decimal(1_000_000)
CACHED_JOBS = 100_000
BUSY_SECONDS = 60.0

Outcome = Literal["accepted", "refused", "dropped", "unread"]
"""accepted: a job exists and was charged. refused: answered without a job. dropped: read, no answer, no job.
unread: the connection was closed before the body was read."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  number INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  path TEXT NOT NULL,
  trainer TEXT NOT NULL,
  body_digest TEXT NOT NULL,
  dataset TEXT NOT NULL,
  parameters TEXT NOT NULL,
  outcome TEXT NOT NULL,
  http_status INTEGER,
  fault TEXT NOT NULL,
  request_id TEXT UNIQUE,
  amount_micros INTEGER NOT NULL,
  queue_seconds REAL,
  training_seconds REAL,
  ending TEXT
) STRICT
"""
_COLUMNS = (
    "at, path, trainer, body_digest, dataset, parameters, outcome, http_status, fault, request_id, amount_micros, queue_seconds, training_seconds, ending"
)
_INSERT = f"INSERT INTO entries (number, {_COLUMNS}) VALUES ({', '.join('?' * 15)})"  # noqa: S608
_SELECT = f"SELECT number, {_COLUMNS} FROM entries"  # noqa: S608


class Order(NamedTuple):
    """What an acceptance would create: its price in USD, its course, its names by entry number, best first."""

    amount: Decimal
    timeline: Timeline
    names: Callable[[int], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Submission:
    """One complete submit as it arrived. `order` is None when no job comes of it; `http_status` is the refusal's."""

    at: float
    path: str
    trainer: str
    body_digest: str
    dataset: str = ""
    parameters: Mapping[str, Any] | None = None
    fault: str = ""
    outcome: Outcome = "refused"
    http_status: int | None = None
    order: Order | None = None


class Entry(NamedTuple):
    """One line of the ledger. `amount` was charged at acceptance, USD; `refunded` is what has come back by now."""

    number: int
    at: float
    path: str
    trainer: str
    body_digest: str
    dataset: str
    parameters: Mapping[str, Any]
    outcome: Outcome
    http_status: int | None
    fault: str
    request_id: str | None
    amount: Decimal
    refunded: Decimal
    timeline: Timeline | None


class _Ticket:
    """One submission on its way into the books."""

    __slots__ = ("done", "entry", "error", "submission")

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.done = False
        self.entry: Entry | None = None
        self.error: BaseException | None = None


class Books:
    """The ledger. Safe from any number of threads and processes.

    `wallet` (USD) limits what may be charged in all; None is no limit. Raises StateProblem for a file that is not a
    ledger of an emulator.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time, wallet: Decimal | None = None) -> None:
        self.path = path
        self.clock = clock
        self.wallet = wallet
        self._jobs: dict[str, Entry] = {}
        self._waiting: list[_Ticket] = []
        self._queue = Lock()
        self._file = Lock()
        self._db = _open(path)

    def close(self) -> None:
        """Close the file. Further calls raise sqlite3.ProgrammingError."""
        with self._file:
            self._db.close()

    def record(self, submission: Submission) -> Entry:
        """Write the entry; it is durable on return. An order that the wallet cannot pay is recorded as refused with 402.

        Threads that arrive while another one commits share the next commit.
        """
        ticket = _Ticket(submission)
        with self._queue:
            self._waiting.append(ticket)
        with self._file:
            if not ticket.done:
                self._commit_waiting()
        if ticket.error is not None:
            raise ticket.error
        assert ticket.entry is not None
        return ticket.entry

    def job(self, request_id: str) -> Entry | None:
        """The accepted entry of that id, or None."""
        known = self._jobs.get(request_id)
        if known is None:
            rows = self._read(f"{_SELECT} WHERE request_id = ?", request_id)
            if not rows:
                return None
            if len(self._jobs) >= CACHED_JOBS:
                self._jobs.clear()
            # What is fixed at acceptance never changes, so a copy stays true; refunds are worked out on reading.
            known = self._jobs[request_id] = rows[0]
        return known

    def first_job(self) -> Entry | None:
        """The oldest accepted entry, or None."""
        rows = self._read(f"{_SELECT} WHERE request_id IS NOT NULL ORDER BY number LIMIT 1")
        return rows[0] if rows else None

    def ledger(self) -> list[Entry]:
        """Every entry, oldest first."""
        return self._read(f"{_SELECT} ORDER BY number")

    def charges(self) -> list[Entry]:
        """The entries that created a job and were charged, oldest first."""
        return self._read(f"{_SELECT} WHERE outcome = 'accepted' ORDER BY number")

    def balance(self) -> Decimal:
        """What was charged less what was refunded by now, USD."""
        return sum((e.amount - e.refunded for e in self.charges()), Decimal("0.00"))

    def note(self, key: str, value: str) -> None:
        """Remember a setting of the emulator with its books."""
        with self._file, _transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, value))

    def noted(self, key: str) -> str | None:
        """A remembered setting, or None."""
        with self._file:
            row = self._db.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _read(self, query: str, *values: object) -> list[Entry]:
        with self._file:
            rows = self._db.execute(query, values).fetchall()
        now = self.clock()
        return [_entry(row, now) for row in rows]

    def _commit_waiting(self) -> None:
        with self._queue:
            tickets, self._waiting = self._waiting, []
        try:
            with _transaction(self._db):
                for ticket in tickets:
                    ticket.entry = self._insert(ticket.submission)
        except BaseException as error:
            for ticket in tickets:
                ticket.error = error
            raise
        finally:
            for ticket in tickets:
                ticket.done = True

    def _insert(self, submission: Submission) -> Entry:
        number = self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM entries").fetchone()[0]
        row = (number, *self._row(submission, number))
        self._db.execute(_INSERT, row)
        return _entry(row, submission.at)

    def _row(self, submission: Submission, number: int) -> tuple[object, ...]:
        outcome, http_status, order = submission.outcome, submission.http_status, submission.order
        if order is not None and not self._payable(order.amount, submission.at):
            outcome, http_status, order = "refused", 402, None
        told = (submission.at, submission.path, submission.trainer, submission.body_digest, submission.dataset)
        parameters = json.dumps(submission.parameters or {})
        if order is None:
            return (*told, parameters, outcome, http_status, submission.fault, None, 0, None, None, None)
        line = order.timeline
        course = (line.queue_seconds, line.training_seconds, line.ending.value)
        name = next(n for n in order.names(number) if not self._taken(n))
        return (*told, parameters, "accepted", None, submission.fault, name, int(order.amount * MICROS), *course)

    def _taken(self, request_id: str) -> bool:
        return self._db.execute("SELECT 1 FROM entries WHERE request_id = ?", (request_id,)).fetchone() is not None

    def _payable(self, amount: Decimal, now: float) -> bool:
        if self.wallet is None:
            return True
        query = """SELECT coalesce(sum(amount_micros), 0) FROM entries
                   WHERE outcome = 'accepted' AND NOT (ending = 'ERROR' AND at + queue_seconds + training_seconds <= ?)"""
        spent = self._db.execute(query, (now,)).fetchone()[0]
        return Decimal(spent) / MICROS + amount <= self.wallet


def _entry(row: tuple[Any, ...], now: float) -> Entry:
    number, at, path, trainer, digest, dataset, parameters, outcome, status, fault, request_id, micros, queue, training, ending = row
    amount = (Decimal(micros) / MICROS).quantize(Decimal("0.01")) if micros % 10_000 == 0 else Decimal(micros) / MICROS
    line = None if ending is None else Timeline(at, queue, training, Stage(ending))
    refunded = amount if line is not None and line.stage(now) is Stage.ERROR else Decimal("0.00")
    return Entry(number, at, path, trainer, digest, dataset, json.loads(parameters), outcome, status, fault, request_id, amount, refunded, line)


def _open(path: Path) -> sqlite3.Connection:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StateProblem(f"the emulator's books {safe(path)} cannot be opened: {safe(error)}", hint="give a path in a folder that can be written") from None
    try:
        _prepare(db, path)
    except sqlite3.Error as error:
        db.close()
        raise StateProblem(f"{safe(path)} is not the ledger of an emulator: {safe(error)}", hint="give another path, or move that file away") from None
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA synchronous = FULL")
    with _transaction(db):
        found = db.execute("PRAGMA application_id").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if found != APPLICATION_ID and (found or tables):
            raise StateProblem(f"{safe(path)} is not the ledger of an emulator", hint="give another path, or move that file away")
        if not tables:
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(_SCHEMA)
            db.execute("CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
