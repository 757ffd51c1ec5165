"""The only way a journal begins: `init` writes its first fact, the lineage."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from reconciler.errors import StateProblem
from reconciler.fact import genesis
from reconciler.journal.aside import sync_folder
from reconciler.journal.chain import encode


def create_journal(path: Path, *, lineage: str, at: str) -> bool:
    """Write a new journal of this lineage, durable, 0600 in a 0700 folder. False when there is a file already.

    Raises StateProblem when it cannot be written.
    """
    if os.path.lexists(path):
        return False
    begun = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True)
            sync_folder(path.parent.parent)
        _write(begun, encode(genesis(at, lineage=lineage), ()).raw + b"\n")
        os.link(begun, path, follow_symlinks=False)  # whole or not at all: half a beginning could not be told from a lost history
        sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise StateProblem(f"the journal {path} cannot be made: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            begun.unlink(missing_ok=True)
    return True


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
