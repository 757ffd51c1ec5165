"""A file on its way: what was received so far, and how much of that survives a loss of power. A later download goes on from there.

The note beside it is written after its bytes are durable; what lies behind the noted length is thrown away.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from reconciler.artifacts.folder import write_durably

NOTE_EVERY_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 1 << 20


class Part:
    """`.NAME.part` in a job's folder. `origin` says which file it is of, without what may change between two answers."""

    def __init__(self, folder: Path, name: str, *, origin: str) -> None:
        self.path = folder / f".{name}.part"
        self._note = folder / f".{name}.part.json"
        self._origin = hashlib.sha256(origin.encode()).hexdigest()
        self._noted = 0
        self.size = 0
        self.total: int | None = None
        self.tag = ""
        """The strong ETag of the file that this is a part of; without one nothing can be continued."""
        self._digest = hashlib.sha256()
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        self._resume()
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0 and not self.size:
            self.discard()
        with suppress(OSError):
            if self._descriptor >= 0 and self.size > self._noted:
                self._take_note()
        self._close()

    @property
    def sha256(self) -> str:
        """Of all bytes so far."""
        return self._digest.hexdigest()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing, as far as the server has told its length."""
        return self.total is not None and self.size == self.total

    def restart(self, *, tag: str, total: int | None) -> None:
        """Throw away what is there; a file with this tag and length comes from its first byte."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._digest = hashlib.sha256()
        self.size = self._noted = 0
        self.tag, self.total = tag, total
        with suppress(OSError):
            self._note.unlink()

    def append(self, piece: bytes) -> None:
        """More bytes, in their order. Raises OSError."""
        view = memoryview(piece)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._digest.update(piece)
        self.size += len(piece)
        if self.size - self._noted >= NOTE_EVERY_BYTES:
            self._take_note()

    def finish(self, place: Path, mode: int) -> None:
        """Make it durable and put it in its place. Raises OSError."""
        os.fchmod(self._descriptor, mode)
        os.fsync(self._descriptor)
        self.path.replace(place)
        self._close()
        with suppress(OSError):
            self._note.unlink()

    def discard(self) -> None:
        """Nothing of it is good."""
        self._close()
        for path in (self._note, self.path):
            with suppress(OSError):
                path.unlink()

    def _resume(self) -> None:
        noted = self._read_note()
        if noted is None or not self._matches(noted):
            self.restart(tag="", total=None)
            return
        os.ftruncate(self._descriptor, self.size)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        self._noted = self.size

    def _matches(self, noted: dict[str, Any]) -> bool:
        """Whether the noted beginning is there, byte for byte; it is taken in on the way."""
        left = noted["bytes"]
        while left > 0 and (piece := os.read(self._descriptor, min(CHUNK_BYTES, left))):
            self._digest.update(piece)
            left -= len(piece)
        if left or self._digest.hexdigest() != noted["sha256"]:
            return False
        self.size, self.tag, self.total = noted["bytes"], noted["tag"], noted["total"]
        return True

    def _read_note(self) -> dict[str, Any] | None:
        try:
            note = json.loads(self._note.read_bytes()[:10_000])
        except (OSError, ValueError, RecursionError):
            return None
        match note:
            case {"origin": self._origin, "tag": str(), "bytes": int(size), "sha256": str(), "total": int() | None} if size > 0:
                return dict(note)
        return None

    def _take_note(self) -> None:
        os.fsync(self._descriptor)
        note = {"origin": self._origin, "tag": self.tag, "bytes": self.size, "sha256": self.sha256, "total": self.total}
        write_durably(self._note, json.dumps(note).encode("ascii"))
        self._noted = self.size

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
