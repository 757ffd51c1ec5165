"""One file of a data set, wherever it lies: its name, its length, and its bytes when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

MOST_ENTRIES = 100_000
MOST_BYTES = 20 * 1000**3
MOST_NAME = 1024
_DRIVE = re.compile(r"[A-Za-z]:")
_JUNK_FOLDERS = frozenset({"__macosx", ".git", ".svn", "@eadir"})
_JUNK_FILES = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"})


class Entry(NamedTuple):
    """A file by its path in the data set, with slashes. `read` gives at most so many bytes and raises ValueError where they are broken."""

    name: str
    size_bytes: int
    read: Callable[[int], bytes]

    @property
    def folder(self) -> str:
        """The folder it lies in; empty on top."""
        return self.name.rpartition("/")[0]

    @property
    def root(self) -> str:
        """Its path without its ending."""
        return self.name[: -len(self.ending)] if self.ending else self.name

    @property
    def ending(self) -> str:
        """`.png`, as it is written; empty without one."""
        base = self.name.rpartition("/")[2]
        stem, dot, ending = base.rpartition(".")
        return f".{ending}" if dot and stem else ""


def is_unsafe(name: str) -> bool:
    """Whether a careless reader would write such an entry somewhere else, or under another name."""
    parts = name.split("/")
    return (
        not name
        or len(name) > MOST_NAME
        or name.startswith(("/", "~"))
        or "\\" in name
        or _DRIVE.match(name) is not None
        or any(part in ("", ".", "..") for part in parts)
        or not name.isprintable()
    )


def is_junk(name: str) -> bool:
    """Whether an operating system left it there."""
    *folders, base = name.lower().split("/")
    return base in _JUNK_FILES or base.startswith("._") or any(folder in _JUNK_FOLDERS for folder in folders)
