"""The emulator inside a command: what `-emulate` runs. Its books outlive the command, so jobs go on between commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reconciler.emulator.server import Emulator
from reconciler.errors import ApiProblem
from reconciler.trainer import Trainer

BOOKS_NAME = "emulator.db"
DEFAULT_SPEED = 250.0
"""A job of 1000 steps takes about 5 s."""
_PORT = "port"


@contextmanager
def embedded(state_folder: Path, trainers: Mapping[str, Trainer], *, speed: float = DEFAULT_SPEED) -> Iterator[str]:
    """Serve with the books `emulator.db` in `state_folder` and yield the URL.

    The port of the last time is taken again when it is free, so that the URLs which an earlier command was told still
    hold. `speed` is for jobs accepted from now on; a job keeps the course that it was accepted with.
    """
    state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    emulator = _started(state_folder / BOOKS_NAME, trainers, speed)
    try:
        emulator.books.note(_PORT, emulator.url.rpartition(":")[2])
        yield emulator.url
    finally:
        emulator.stop()


def _started(path: Path, trainers: Mapping[str, Trainer], speed: float) -> Emulator:
    emulator = Emulator(books=path, trainers=trainers, speed=speed)
    noted = emulator.books.noted(_PORT)
    if noted is not None:
        emulator.books.close()
        emulator = Emulator(books=path, trainers=trainers, speed=speed, port=int(noted))
        try:
            emulator.start()
        except ApiProblem:
            emulator = Emulator(books=path, trainers=trainers, speed=speed)
        else:
            return emulator
    emulator.start()
    return emulator
