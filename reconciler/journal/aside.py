"""What one runner remembers beside a shared journal, on its own disk: the attempts it began, and answers that have not landed yet.

Not the truth, only what a process that died could not say any more: which attempts were ours, and ids that were paid for.
A line is one JSON object, synced before anything happens that it speaks of. An unfinished last line says nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reconciler.canonical import canonical_json
from reconciler.errors import StateProblem
from reconciler.fact import Draft, Kind

MOST_BYTES = 64 << 20
FALLOC_FL_KEEP_SIZE = 1


class Aside:
    """One file, for the holder of the lock; safe from several of its threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._descriptor = -1

    def begin(self, attempts: Sequence[str]) -> None:
        """These attempts are about to be announced by us. Durable on return; raises StateProblem when it is not."""
        self._write([{"begun": attempt} for attempt in attempts])

    def keep(self, drafts: Sequence[Draft]) -> None:
        """These facts were paid for and are not in the journal yet. Durable on return; raises StateProblem when they are not."""
        self._write([{"kept": {"kind": str(d.kind), "at": d.at, "data": d.data}} for d in drafts])

    def begun(self) -> set[str]:
        """The attempts that this runner began, in this file and not in a copy of it."""
        with self._problems():
            rows, is_ours = self._rows()
        return {str(row["begun"]) for row in rows if "begun" in row} if is_ours else set()

    def kept(self) -> list[Draft]:
        """What was kept, in order."""
        with self._problems():
            rows, _ = self._rows()
        try:
            kept = [row["kept"] for row in rows if "kept" in row]
            return [Draft(Kind(row["kind"]), str(row["at"]), dict(row["data"])) for row in kept]
        except (KeyError, TypeError, ValueError):
            raise StateProblem(f"{self.path} was altered; it holds answers that have not reached the journal", hint="restore it from a backup") from None

    def start_again(self, begun: Sequence[str]) -> None:
        """Forget everything but that these attempts are ours."""
        with self._guard, self._problems():
            if begun or self.path.exists():
                os.ftruncate(self._open(), 0)
                os.fsync(self._open())
        if begun:
            self.begin(begun)

    def reserve(self, count: int) -> None:
        """Room for `count` more bytes, where that can be had. Raises StateProblem when the disk is full."""
        if not sys.platform.startswith("linux"):
            return
        with self._guard, self._problems():
            descriptor = self._open()
            size = os.fstat(descriptor).st_size
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.fallocate(descriptor, FALLOC_FL_KEEP_SIZE, ctypes.c_int64(size), ctypes.c_int64(count)) != 0:
                code = ctypes.get_errno()
                if code not in _CANNOT:
                    raise StateProblem(f"no room for {count} bytes in {self.path}: {os.strerror(code)}; nothing was sent")

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        with self._guard, self._problems():
            descriptor = self._open()
            size = os.fstat(descriptor).st_size
            lines = [] if size else [{"inode": os.fstat(descriptor).st_ino, "host": os.uname().nodename}]
            # a line that a crash cut short must not swallow the next one
            start = "\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else ""
            data = (start + "".join(canonical_json(row) + "\n" for row in [*lines, *rows])).encode("ascii")
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)

    def _rows(self) -> tuple[list[dict[str, Any]], bool]:
        """The whole lines, and whether the file is the one that was written and no copy."""
        try:
            with self.path.open("rb") as stream:
                status, content = os.fstat(stream.fileno()), stream.read(MOST_BYTES)
        except FileNotFoundError:
            return [], True
        rows: list[dict[str, Any]] = []
        for line in content.splitlines():
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                rows += [row] if isinstance(row, dict) else []
        head = rows[0] if rows else {}
        return rows, (head.get("inode"), head.get("host")) == (status.st_ino, os.uname().nodename)

    def _open(self) -> int:
        if self._descriptor < 0:
            is_new = not self.path.exists()
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise StateProblem(f"{self.path} is not a regular file")
            self._descriptor = descriptor
            if is_new:
                sync_folder(self.path.parent)
        return self._descriptor

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateProblem(f"{self.path}: {error.strerror or type(error).__name__}") from error


_CANNOT = frozenset({22, 38, 95})  # EINVAL, ENOSYS, EOPNOTSUPP: the file system has no such thing


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
