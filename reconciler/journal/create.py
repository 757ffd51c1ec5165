"""The only way a journal begins: `init` writes its first fact, the lineage."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.errors import StateProblem
from reconciler.fact import genesis
from reconciler.journal.chain import encode


def create_journal(path: Path, *, lineage: str, at: str) -> bool:
    """Write a new journal of this lineage, durable, 0600 in a 0700 folder. False when there is a file already.

    Raises StateProblem when it cannot be written.
    """
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise StateProblem(f"the journal {path} cannot be made: {error.strerror}") from error
    try:
        os.write(descriptor, encode(genesis(at, lineage=lineage), ()).raw + b"\n")
        os.fsync(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StateProblem(f"the journal {path} cannot be made: {error.strerror}") from error
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True
