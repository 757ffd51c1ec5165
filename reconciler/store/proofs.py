"""What was checked whole before and need not be again while it is the same to the byte. Whoever opens the store says how that is remembered."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol


class Content(NamedTuple):
    """What a file holds, and which file it is."""

    inode: int
    length: int
    digest: str
    """SHA-256 (hex)."""


class Proofs(Protocol):
    """A memory that may forget anything at any time, and never says that something was proved which was not."""

    def content(self, path: Path) -> Content | None:
        """What the file holds now, or None where that cannot be told."""

    def is_proved(self, claim: str) -> bool:
        """Whether this program proved the claim before."""

    def prove(self, claim: str) -> None:
        """Remember a claim that has just been proved."""
