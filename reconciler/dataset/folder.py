"""A folder as entries, and the digest that identifies a local data set: of names and contents, without what operating systems leave behind."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from reconciler.dataset.entry import MOST_BYTES, MOST_ENTRIES, Entry, is_junk, is_unsafe
from reconciler.dataset.finding import Unopened
from reconciler.errors import ReconcilerError, link_or
from reconciler.text import safe

_CHUNK = 1 << 20


def entries_of(path: Path) -> list[Entry]:
    """Every file below `path`, by name. Raises Unopened for links, for what is no file, and for too much of it."""
    found: list[Entry] = []
    total = folders = 0
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
            status = _status(each, name)
            if stat.S_ISDIR(status.st_mode):
                pending.append(name)
                folders += 1
            elif stat.S_ISREG(status.st_mode):
                total += status.st_size
                found.append(Entry(name, status.st_size, partial(_read, path / name)))
            else:
                what = "links, which are not followed" if stat.S_ISLNK(status.st_mode) else "pipes, sockets or devices instead of files"
                raise Unopened("link", what, [name])
            if len(found) + folders > MOST_ENTRIES or total > MOST_BYTES:
                raise Unopened("too-many", f"more than {MOST_ENTRIES:,} files or {MOST_BYTES:,} bytes")
    return sorted(found, key=lambda entry: entry.name)


def _status(entry: os.DirEntry[str], name: str) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError as error:
        raise Unopened("unreadable", f"what cannot be looked at: {error.strerror}", [name]) from None


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


def files_of(path: Path) -> list[Entry]:
    """The files that make the data set in the folder at `path`: all, by name, but what operating systems leave behind. Raises ReconcilerError."""
    refuse_link(path)
    try:
        return [entry for entry in entries_of(path) if not is_junk(entry.name)]
    except Unopened as why:
        raise unusable(why) from None


def refuse_link(path: Path) -> None:
    """Raise ReconcilerError for a link: what it leads to may be something else by the time it is read."""
    if path.is_symlink():
        raise ReconcilerError("it is a symbolic link, which is not followed; put the data themselves there")


def unusable(why: Unopened) -> ReconcilerError:
    """Why data cannot be used, as an exception."""
    names = ", ".join(safe(name, limit=100) for name in why.finding.names[:3])
    return ReconcilerError(f"{why.finding.text}{f': {names}' if names else ''}")


def line_of(name: str, digest: str) -> bytes:
    """What a file adds to its folder's digest. No name holds a line break, so no two folders come to the same lines."""
    return f"{digest} {name}\n".encode("utf-8", "surrogatepass")


def content_digest(path: Path, *, file_digest: Callable[[Path], str] | None = None) -> str:
    """What identifies a local data set: of a zip its SHA-256, of a folder that of its files' names and digests. Raises ReconcilerError.

    `file_digest` gives the SHA-256 (hex) of one file; by default `digest_of_file`.
    """
    of_file = file_digest or digest_of_file
    if not path.is_dir():
        return of_file(path)
    whole = hashlib.sha256()
    for entry in files_of(path):
        try:
            whole.update(line_of(entry.name, of_file(path / entry.name)))
        except ReconcilerError as error:
            raise ReconcilerError(f"{safe(entry.name, limit=100)}: {error.message}", hint=error.hint) from None
    return whole.hexdigest()


def digest_of_file(path: Path) -> str:
    """The SHA-256 (hex) of one file. Raises ReconcilerError."""
    digest = hashlib.sha256()
    for piece in pieces_of(path):
        digest.update(piece)
    return digest.hexdigest()


def pieces_of(path: Path, most_bytes: int = MOST_BYTES) -> Iterator[bytes]:
    """One file from its beginning to its end, as it was at one moment. Raises ReconcilerError, at the latest after the last piece."""
    size = 0
    try:
        with os.fdopen(_open(path), "rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise ReconcilerError("it is a pipe, a socket or a device, and no file")
            while piece := file.read(_CHUNK):
                size += len(piece)
                if size > most_bytes:
                    raise ReconcilerError(f"it is larger than {most_bytes:,} bytes")
                yield piece
            after = os.fstat(file.fileno())
    except OSError as error:
        raise ReconcilerError(f"it cannot be read: {link_or(error)}") from None
    if size != before.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ReconcilerError("it changed while it was read", hint="Try again when nobody writes to it.")
