"""Opening the state: what is checked before a byte of it is believed, and how it is made durable."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from urllib.parse import quote

from reconciler.errors import StateProblem, link_or
from reconciler.store.rows import DAMAGED
from reconciler.store.schema import APPLICATION_ID, VERSION, check_objects, migrate

_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\x00"
_BUSY_MILLISECONDS = 10_000


def is_there(path: Path) -> bool:
    """Whether there is a state with content. Raises StateProblem when it is not ours, newer, or no regular file.

    Absent and 0-byte count as not there: such a state is folded from the journal.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateProblem(f"the state {path}: {link_or(error)}") from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_size == 0:
            return False
        _check_header(path, os.pread(descriptor, _HEADER_BYTES, 0) if stat.S_ISREG(status.st_mode) else b"")
    except OSError as error:
        raise StateProblem(f"the state {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    return True


def _check_header(path: Path, header: bytes) -> None:
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise StateProblem(f"the state {path} is not a database", hint=DAMAGED)
    version, application = int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big")
    if application not in (APPLICATION_ID, 0):
        raise StateProblem(f"the state {path} belongs to another program (application id {application:#x})")
    if version > VERSION:
        raise StateProblem(
            f"the state {path} was written by a newer version (schema {version}, this program knows {VERSION})", hint="install a newer lora-reconciler"
        )


def is_whole(path: Path) -> bool:
    """Whether the header names our application and schema: false while a crash interrupted its creation, or it is older."""
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
    return int.from_bytes(header[60:64], "big") == VERSION and int.from_bytes(header[68:72], "big") == APPLICATION_ID


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises sqlite3.OperationalError when a dead writer's changes must be rolled back first."""
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None)
    _harden(connection)
    connection.execute("BEGIN")
    try:
        check_objects(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The writer's connection: created where it is absent, migrated, durable settings read back. Needs the lock."""
    if not path.exists():
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
        sync_folder(path.parent)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _harden(connection)
        _make_durable(connection)
        if connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
            migrate(connection)
        check_objects(connection)
        _check_pages(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StateProblem(f"the state {path} is damaged: {str(verdict)[:100]}", hint=DAMAGED)


def _harden(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")


def _make_durable(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA fullfsync = 1")
    level = connection.execute("PRAGMA synchronous").fetchone()[0]
    if mode != "delete" or level != 3:
        raise StateProblem(f"SQLite did not accept durable settings (journal_mode {mode}, synchronous {level}); nothing was sent")


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
