"""Kept: the parts of one run by key, taken from a shelf where they are there, and left on it at the end.

A key covers every byte that a part is made from. What lies on the shelf is believed as far as it can be read.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.canonical import digest_of, digest_of_bytes
from reconciler.manifest.folders import Folders
from reconciler.manifest.packed import FORMAT, unpack
from reconciler.manifest.part import Part, Shelf

MOST_BYTES = 8 << 20
"""A part that is larger packed (inline data sets) is read again each time."""


class Kept:
    """Parts of one project. `project`: the digest of its file, empty where nothing can be kept; `declaring`: the files that declare variables."""

    def __init__(self, shelf: Shelf | None, project: str, declaring: Iterable[bytes], folders: Folders) -> None:
        self._shelf = shelf if project else None
        self._folders = folders
        self._around = digest_of([FORMAT, project, *map(digest_of_bytes, declaring)]) if self._shelf is not None else ""
        self._used: set[str] = set()
        self._made: dict[str, bytes] = {}
        self._keys: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        """Whether anything is kept."""
        return self._shelf is not None

    def knows(self, path: str, raw: bytes) -> bool:
        """Whether something was kept for a file with these bytes."""
        return self._shelf is not None and self._shelf.get(self._key(path, raw)) is not None

    def get(self, path: str, raw: bytes, packed: bytes | None = None) -> Part | None:
        """The part of a file with these bytes: from `packed`, which was made just now, or as it was kept."""
        if packed is not None:
            self.add(path, raw, packed)
            return unpack(path, packed)
        if self._shelf is None:
            return None
        key = self._key(path, raw)
        found = self._shelf.get(key)
        if found is None:
            return None
        try:
            part = unpack(path, found)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            return None
        self._used.add(key)
        return part

    def add(self, path: str, raw: bytes, packed: bytes) -> None:
        """Remember a part that was made in this run."""
        if self._shelf is not None and len(packed) <= MOST_BYTES:
            self._made[self._key(path, raw)] = packed

    def leave(self) -> None:
        """Leave everything on the shelf; to be called when nothing was wrong anywhere."""
        if self._shelf is not None and self._made:
            self._shelf.keep(self._made, self._used)

    def _key(self, path: str, raw: bytes) -> str:
        if path not in self._keys:
            self._keys[path] = digest_of([self._around, path, self._folders.digest_over(path), digest_of_bytes(raw)])
        return self._keys[path]
