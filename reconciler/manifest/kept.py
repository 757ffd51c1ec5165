"""Kept: the parts of one run by key, taken from a shelf where they are there, and left on it at the end.

A key covers every byte that a part is made from. What lies on the shelf is believed as far as it can be read.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.canonical import digest_of, digest_of_bytes
from reconciler.manifest.folders import Folders
from reconciler.manifest.packed import FORMAT, pack, unpack
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
        self._made: dict[str, Part] = {}

    def get(self, path: str, raw: bytes) -> Part | None:
        """The part of a file with these bytes, when it was kept."""
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

    def add(self, path: str, raw: bytes, part: Part) -> None:
        """Remember a part that was made in this run."""
        if self._shelf is not None:
            self._made[self._key(path, raw)] = part

    def leave(self) -> None:
        """Leave everything on the shelf; to be called when nothing was wrong anywhere."""
        if self._shelf is not None and self._made:
            made = {key: packed for key, part in self._made.items() if len(packed := pack(part)) <= MOST_BYTES}
            self._shelf.keep(made, self._used)

    def _key(self, path: str, raw: bytes) -> str:
        return digest_of([self._around, path, self._folders.digest_over(path), digest_of_bytes(raw)])
