"""Ahead: other processes that make parts of the last files while this one makes those of the first.

They are copies of this process that hand packed parts over, and only those without anything to say; whatever they did
not make, for whichever reason, is made here. So they can change how long reading takes, and nothing else.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import IO, Self

WORTH_BYTES = 1 << 20
"""Of manifests; reading them takes longer than copying a process, by far."""
MOST_WORKERS = 3
_FRAME = struct.Struct("<II")
_POLL_SECONDS = 0.0005


class Ahead:
    """Parts of `paths` by path, made by `make` in other processes, from the last to the first. To be used with `with`.

    None are started where they are not worth it or not safe: on few bytes, one processor, beside threads, outside of Linux.
    """

    def __init__(self, files: Mapping[str, bytes], make: Callable[[str], bytes | None], *, worth_bytes: int = WORTH_BYTES) -> None:
        self._paths = list(files)
        self._make = make
        self._count = _workers() if sum(map(len, files.values())) >= worth_bytes else 0
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        self._reached = mmap.mmap(-1, 8) if self._count else None
        with contextlib.suppress(OSError):
            for number in range(self._count):
                mine = range(len(self._paths) - 1 - number, -1, -self._count)
                self._workers.append(_Worker(mine, self._serve))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self._workers:
            worker.end()

    @property
    def is_working(self) -> bool:
        """Whether anybody makes parts beside this process."""
        return bool(self._workers)

    def get(self, index: int) -> bytes | None:
        """The packed part of the file at `index`, when it was made or is being made; indexes are asked for in rising order."""
        if not self._workers or self._reached is None:
            return None
        self._reached[:8] = index.to_bytes(8, "little")
        return self._workers[(len(self._paths) - 1 - index) % self._count].get(index)

    def _serve(self, indexes: Sequence[int], out: IO[bytes]) -> None:
        assert self._reached is not None, "there are workers"
        for index in indexes:
            if index <= int.from_bytes(self._reached[:8], "little"):
                return
            packed = self._make(self._paths[index]) or b""
            out.write(_FRAME.pack(index, len(packed)) + packed)


class _Worker:
    """One copy of this process, from which frames come through a file that has no name."""

    def __init__(self, indexes: Sequence[int], serve: Callable[[Sequence[int], IO[bytes]], None]) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed by `end`)
        self._rest = iter(indexes)
        self._next = next(self._rest, -1)
        self._at = 0
        self._done: dict[int, tuple[int, int]] = {}
        self._pid = os.fork()
        if self._pid == 0:
            _live(lambda: serve(indexes, self._file))

    def get(self, index: int) -> bytes | None:
        """The part at `index`, waiting for it when it is the one that is being made."""
        self._look()
        while index not in self._done and self._next == index and self._is_alive():
            time.sleep(_POLL_SECONDS)
            self._look()
        where = self._done.pop(index, None)
        return None if where is None or not where[1] else os.pread(self._file.fileno(), where[1], where[0])

    def end(self) -> None:
        """Have it gone."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
        self._file.close()

    def _is_alive(self) -> bool:
        if self._pid:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self._pid, os.WNOHANG)[0] == 0:
                    return True
            self._pid = 0
            self._look()
        return False

    def _look(self) -> None:
        for index, start, length in self._frames(os.fstat(self._file.fileno()).st_size):
            self._done[index] = (start, length)
            self._next = next(self._rest, -1)

    def _frames(self, size: int) -> Iterator[tuple[int, int, int]]:
        while self._at + _FRAME.size <= size:
            index, length = _FRAME.unpack(os.pread(self._file.fileno(), _FRAME.size, self._at))
            if self._at + _FRAME.size + length > size:
                return
            start = self._at + _FRAME.size
            self._at = start + length
            yield index, start, length


def _live(work: Callable[[], None]) -> None:
    """The life of a worker: nothing that it does may reach a terminal, a file or the end of the process it was copied from."""
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        status = 1
    finally:
        os._exit(status)


def _workers() -> int:
    """How many processors are there for the taking, beside the one that this process is on."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 0
    processors = len(os.sched_getaffinity(0))
    return max(0, min(processors - 1, MOST_WORKERS, round(processors - os.getloadavg()[0])))
