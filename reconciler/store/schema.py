"""The state's tables, and their migrations. The database itself refuses what must never happen."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from reconciler.errors import StateProblem
from reconciler.job import SENT_TRANSITIONS, Sent
from reconciler.store.rows import ATTEMPTS, BINDINGS, JOBS, Table

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

APPLICATION_ID = 0x4C6F5261
"""`LoRa`, so that another program's database is never taken for a state."""
VERSION = 1
_MIGRATIONS_TABLE = "_sqlite_migrations"


def _create(table: Table) -> str:
    columns = ",\n  ".join(f'"{c.name}" {c.sql_type}' for c in table.columns)
    return f"CREATE TABLE {table.name} (\n  {columns},\n  checksum TEXT NOT NULL,\n  PRIMARY KEY ({', '.join(table.key)})\n) STRICT"


def _transition_trigger() -> str:
    allowed = " OR ".join(f"(OLD.status = '{old}' AND NEW.status = '{new}')" for old in Sent for new in sorted(SENT_TRANSITIONS[old]))
    return (
        "CREATE TRIGGER attempts_transitions BEFORE UPDATE OF status ON attempts\n"
        f"WHEN NOT (OLD.status = NEW.status OR {allowed})\n"
        "BEGIN SELECT RAISE(ABORT, 'an attempt cannot change like this'); END"
    )


def _never_deleted(table: str) -> str:
    return f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON {table}\nBEGIN SELECT RAISE(ABORT, 'what was bought is never deleted'); END"


OPEN_ATTEMPT = """CREATE UNIQUE INDEX one_open_attempt ON attempts (spec_digest)
WHERE duplicate_of IS NULL AND (status IN ('sending', 'in_doubt') OR (status = 'accepted' AND superseded = 0))"""

STATEMENTS = (
    """CREATE TABLE book (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  lineage TEXT NOT NULL,
  serial INTEGER NOT NULL,
  head TEXT NOT NULL,
  pause TEXT,
  sums TEXT NOT NULL,
  checksum TEXT NOT NULL
) STRICT""",
    """CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  data TEXT NOT NULL,
  flushed INTEGER NOT NULL DEFAULT 0,
  checksum TEXT NOT NULL
) STRICT""",
    _create(ATTEMPTS),
    _create(JOBS),
    _create(BINDINGS),
    OPEN_ATTEMPT,
    "CREATE INDEX jobs_by_spec ON jobs (spec_digest)",
    _transition_trigger(),
    _never_deleted("attempts"),
    _never_deleted("jobs"),
    _never_deleted("outbox"),
)


def migrations() -> Migrations:
    """All migrations in order; each commits together with its own record."""
    from sqlite_utils.migrations import Migrations

    steps = Migrations("reconciler")

    @steps(name="0001_first_tables")
    def first_tables(database: Database) -> None:
        for statement in STATEMENTS:
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")

    return steps


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an empty or older state to this program's schema. Only for the holder of the lock."""
    from sqlite_utils import Database

    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrations().apply(Database(connection, execute_plugins=False))


def check_objects(connection: sqlite3.Connection) -> None:
    """Refuse a state whose tables, indexes, triggers or views are not exactly ours."""
    expected = {_name(statement): statement for statement in STATEMENTS}
    for kind, name, table, sql in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"):
        if table == _MIGRATIONS_TABLE and kind in ("table", "index"):
            continue
        if name.startswith("sqlite_autoindex_") and table in expected:
            continue
        if expected.pop(name, None) != sql:
            raise StateProblem(
                f"the state holds a {kind} {str(name)[:60]!r} that this program did not make",
                hint="`reconciler state rebuild` makes a new state from the journal",
            )
    if expected:
        raise StateProblem(f"the state lacks {', '.join(sorted(expected))}", hint="`reconciler state rebuild` makes a new state from the journal")


def _name(statement: str) -> str:
    words = statement.split()
    return words[3] if words[1] == "UNIQUE" else words[2]
