"""A folder of results by name: each with its checksum, put in place by renaming, few and bounded.

A file is believed only when it is ours alone (a regular file of this user, 0600) and its checksum fits, which covers the
birthmark of the folder it was written in: inode and change time of a file that lies there. So what a repository or an
archive brings along is never believed, whatever it holds. Nothing here raises: without a cache everything takes longer
and is the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

MAGIC = b"reconciler cache 1\n"
SUFFIX = ".cache"
MOST_ENTRY_BYTES = 64 << 20
MOST_BYTES = 256 << 20
MOST_ENTRIES = 64
BIRTHMARK = ".gitignore"
"""Written once, when the folder is made; git leaves the folder alone because of it."""
_LEFT_BEHIND_SECONDS = 600
_HEADER = len(MAGIC) + 65


class Folder:
    """The cache folder. It is made when something is first kept in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # A repository could make a link of it, and have files of other folders written and removed.
        self._is_usable = not path.is_symlink()

    def get(self, name: str) -> bytes | None:
        """What was kept under `name`, or None."""
        if not self._is_usable:
            return None
        try:
            descriptor = os.open(self.path / f"{name}{SUFFIX}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                if not _is_ours(os.fstat(descriptor)):
                    return None
                content = file.read(MOST_ENTRY_BYTES + _HEADER)
        except OSError:
            return None
        digest, payload = content[len(MAGIC) : _HEADER - 1], content[_HEADER:]
        return payload if content.startswith(MAGIC) and self._checksum(payload) == digest else None

    def put(self, name: str, payload: bytes) -> bool:
        """Keep `payload` under `name`, whole or not at all; whether it was kept."""
        if len(payload) > MOST_ENTRY_BYTES or not self._is_usable:
            return False
        try:
            self._make()
            temporary = self.path / f"{name}.{os.getpid()}.{os.urandom(4).hex()}.new"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(MAGIC + self._checksum(payload) + b"\n" + payload)
                temporary.replace(self.path / f"{name}{SUFFIX}")
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            self._prune()
        except OSError:
            return False
        return True

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), (self.path / BIRTHMARK).open("x", encoding="ascii") as file:
            file.write("*\n")

    def _checksum(self, payload: bytes) -> bytes:
        """Hex digits over the folder's birthmark and the payload; empty, which nothing equals, without a birthmark."""
        try:
            mark = (self.path / BIRTHMARK).stat(follow_symlinks=False)
        except OSError:
            return b""
        digest = hashlib.sha256(f"{mark.st_dev} {mark.st_ino} {mark.st_ctime_ns}\n".encode("ascii"))
        digest.update(payload)
        return digest.hexdigest().encode("ascii")

    def _prune(self) -> None:
        """Remove the oldest beyond the bounds, and what writers that died left behind."""
        with os.scandir(self.path) as listing:
            entries = [(e.stat(follow_symlinks=False), e.path) for e in listing if e.name.endswith((SUFFIX, ".new"))]
        newest = max((status.st_mtime for status, _ in entries), default=0.0)
        total = count = 0
        for status, path in sorted(entries, key=lambda entry: entry[0].st_mtime, reverse=True):
            left = path.endswith(".new") and status.st_mtime < newest - _LEFT_BEHIND_SECONDS
            total, count = total + status.st_size, count + 1
            if left or (path.endswith(SUFFIX) and count > 1 and (total > MOST_BYTES or count > MOST_ENTRIES)):
                with contextlib.suppress(FileNotFoundError):
                    Path(path).unlink()


def _is_ours(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
