"""Whether files are still what they were: by what the file system says of them, by their content where that could lie."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

RACY_NANOSECONDS = 2_000_000_000
"""A file that was touched so shortly before it was looked at may change again and look the same: its content decides."""
_CHUNK = 1 << 20


class Look(NamedTuple):
    """What the file system said of a file: size and inode, when content and inode were last changed (nanoseconds)."""

    size: int
    mtime: int
    ctime: int
    inode: int


class Seen(NamedTuple):
    """A file as it was: its look, the SHA-256 of its content, and when it was looked at (nanoseconds).

    A file that was not there has no look and no digest; one that was only glanced at has no digest.
    """

    look: Look | None
    digest: str
    at: int

    @property
    def is_sure(self) -> bool:
        """Whether an equal look means equal content."""
        return self.look is None or max(self.look.mtime, self.look.ctime) < self.at - RACY_NANOSECONDS


class Witness:
    """Looks at files below one folder. `now` is the wall clock as it began (nanoseconds). `hashed` counts the bytes that were read.

    `digest` gives the SHA-256 (hex) of a file, where files are to be read in another way; what it raises comes through.
    """

    def __init__(self, root: Path, now: int, digest: Callable[[Path], str] | None = None) -> None:
        self._root = root
        self._now = now
        self._read = digest
        self.hashed = 0

    def see(self, paths: Iterable[str], *, known: Mapping[str, Seen] | None = None, glance: bool = False) -> dict[str, Seen] | None:
        """Each file as it is; None when one is neither absent nor a regular file that can be read.

        Content that `known` vouches for is not read again. A `glance` reads only what must be read to know later
        whether it was changed in between.
        """
        known = known or {}
        found: dict[str, Seen] = {}
        for path in paths:
            seen = self._see(path, known.get(path), glance=glance)
            if seen is None:
                return None
            found[path] = seen
        return found

    def _see(self, path: str, known: Seen | None, *, glance: bool) -> Seen | None:
        full = self._root / path
        try:
            status = os.lstat(full)
        except FileNotFoundError:
            return Seen(None, "", self._now)
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        look = Look(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        if known is not None and known.digest and known.look == look and known.is_sure:
            return known
        if glance and (seen := Seen(look, "", self._now)).is_sure:
            return seen
        digest = self._digest(full)
        return None if digest is None else Seen(look, digest, self._now)

    def _digest(self, path: Path) -> str | None:
        if self._read is not None:
            return self._read(path)
        digest = hashlib.sha256()
        try:
            with path.open("rb", buffering=0) as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    self.hashed += len(chunk)
        except OSError:
            return None
        return digest.hexdigest()


def same_content(before: Mapping[str, Seen], after: Mapping[str, Seen]) -> bool:
    """Whether both name the same files with the same content."""
    return before.keys() == after.keys() and all(before[path].digest == seen.digest for path, seen in after.items())


def untouched(glanced: Mapping[str, Seen], after: Mapping[str, Seen]) -> bool:
    """Whether nobody touched any of the files in between, be it to write the same again."""
    if glanced.keys() != after.keys():
        return False
    return all(seen.look == after[path].look and (not seen.digest or seen.digest == after[path].digest) for path, seen in glanced.items())
