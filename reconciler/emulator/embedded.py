"""The emulator inside a command: what `-emulate` runs. Its books outlive the command, so jobs go on between commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from reconciler.emulator.books import Books
from reconciler.emulator.server import Emulator
from reconciler.errors import ApiProblem, StateProblem
from reconciler.text import safe
from reconciler.trainer import Trainer

BOOKS_NAME = "emulator.db"
DEFAULT_SPEED = 250.0
"""A job of 1000 steps takes about 5 s."""
_PORT = "port"


@contextmanager
def embedded(state_folder: Path, trainers: Mapping[str, Trainer], *, speed: float = DEFAULT_SPEED) -> Iterator[str]:
    """Serve with the books `emulator.db` in `state_folder` and yield the URL.

    The port of the first time is taken again when it is free, so that the URLs which an earlier command was told still
    hold. `speed` is for jobs accepted from now on; a job keeps the course that it was accepted with.
    """
    try:
        state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateProblem(f"there is no place for the emulator's books in {safe(state_folder)}: {safe(error)}") from None
    if (state_folder / BOOKS_NAME).is_symlink():
        raise StateProblem(f"the emulator's books {safe(state_folder / BOOKS_NAME)} are a symbolic link, which is not followed; nothing was done")
    emulator = _started(state_folder / BOOKS_NAME, trainers, speed)
    try:
        yield emulator.url
    finally:
        emulator.stop()


def _started(path: Path, trainers: Mapping[str, Trainer], speed: float) -> Emulator:
    with closing(Books(path)) as books:
        noted = int(books.noted(_PORT) or 0)
    emulator = Emulator(books=path, trainers=trainers, speed=speed, port=noted)
    try:
        emulator.start()
    except ApiProblem:
        # Another command serves there, or a stranger took it; the books are the same on any port.
        emulator = Emulator(books=path, trainers=trainers, speed=speed)
        emulator.start()
    if not noted:
        emulator.books.note(_PORT, emulator.url.rpartition(":")[2])
    return emulator
