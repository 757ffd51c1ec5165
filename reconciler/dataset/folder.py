"""A folder as entries, and the digest that identifies a local data set: of names and contents, without what operating systems leave behind."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import partial
from pathlib import Path

from reconciler.dataset.entry import MOST_BYTES, MOST_ENTRIES, Entry, is_junk, is_unsafe
from reconciler.dataset.finding import Unopened
from reconciler.errors import ReconcilerError
from reconciler.text import safe

_CHUNK = 1 << 20


def entries_of(path: Path) -> list[Entry]:
    """Every file below `path`, by name. Raises Unopened for links, for what is no file, and for too much of it."""
    found: list[Entry] = []
    total = 0
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            inside = sorted(os.scandir(path / folder), key=lambda entry: entry.name)
        except OSError as error:
            raise Unopened("unreadable", f"a folder cannot be read: {error.strerror}", [folder or "."]) from None
        for each in inside:
            name = f"{folder}/{each.name}" if folder else each.name
            if is_unsafe(name):
                raise Unopened("unsafe-name", "names that not every reader can have", [name])
            if each.is_dir(follow_symlinks=False):
                pending.append(name)
                continue
            status = each.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise Unopened("link", "links or devices instead of files", [name])
            total += status.st_size
            found.append(Entry(name, status.st_size, partial(_read, path / name)))
            if len(found) > MOST_ENTRIES or total > MOST_BYTES:
                raise Unopened("too-many", f"more than {MOST_ENTRIES:,} files or {MOST_BYTES:,} bytes")
    return sorted(found, key=lambda entry: entry.name)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _read(path: Path, most: int) -> bytes:
    try:
        with os.fdopen(_open(path), "rb", buffering=0) as file:
            pieces, left = [], most
            while left > 0 and (piece := file.read(min(left, _CHUNK))):
                pieces.append(piece)
                left -= len(piece)
            return b"".join(pieces)
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None


def content_digest(path: Path) -> str:
    """What identifies a local data set: of a zip its SHA-256, of a folder that of its files' names and digests. Raises ReconcilerError."""
    if not path.is_dir():
        return _digest(path)
    try:
        entries = [entry for entry in entries_of(path) if not is_junk(entry.name)]
    except Unopened as why:
        names = ", ".join(safe(name, limit=100) for name in why.finding.names[:3])
        raise ReconcilerError(f"{why.finding.text}{f': {names}' if names else ''}") from None
    whole = hashlib.sha256()
    for entry in entries:
        # no name holds a line break, so no two folders come to the same lines
        whole.update(f"{_digest(path / entry.name)} {entry.name}\n".encode("utf-8", "surrogatepass"))
    return whole.hexdigest()


def _digest(path: Path) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(_open(path), "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ReconcilerError("it is no file")
            while piece := file.read(_CHUNK):
                size += len(piece)
                if size > MOST_BYTES:
                    raise ReconcilerError(f"it is larger than {MOST_BYTES:,} bytes")
                digest.update(piece)
    except OSError as error:
        raise ReconcilerError(f"it cannot be read: {error.strerror}") from None
    return digest.hexdigest()
