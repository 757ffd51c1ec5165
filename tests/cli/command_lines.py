"""What a test of the command line works with: results, the environment that every line starts from, snapshots of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        return self.out + self.err


Call = Callable[..., Result]
HOME = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def child(**more: str) -> dict[str, str]:
    """The environment of a child process: this one's, with its guards and its key, but with outputs buffered as usual."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | HOME | more
