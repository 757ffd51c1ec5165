"""Whether the saved files are still what was downloaded: read again, byte for byte."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from reconciler.artifacts.content import look_into
from reconciler.artifacts.folder import JobFolder
from reconciler.artifacts.part import CHUNK_BYTES
from reconciler.artifacts.record import Record, Saved
from reconciler.artifacts.safetensors import Malformed

Verdict = Literal["ok", "missing", "changed", "unreadable"]


class Checked(NamedTuple):
    """One saved file, what became of it, and the texts in its header."""

    saved: Saved
    verdict: Verdict
    detail: str = ""
    metadata: Mapping[str, str] = {}


def verify(folder: JobFolder, record: Record) -> list[Checked]:
    """Every file of the record, in its order."""
    return [_checked(folder.path / saved.file, saved) for saved in record.files]


def is_there(folder: JobFolder, saved: Saved) -> bool | None:
    """Whether the file is there with its size; None when something else is. Its content is not looked at."""
    try:
        status = os.lstat(folder.path / saved.file)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return True if stat.S_ISREG(status.st_mode) and status.st_size == saved.size_bytes else None


def _checked(path: Path, saved: Saved) -> Checked:
    try:
        digest, size = _digest(path)
    except FileNotFoundError:
        return Checked(saved, "missing")
    except OSError as error:
        return Checked(saved, "unreadable", error.strerror or type(error).__name__)
    if size != saved.size_bytes:
        return Checked(saved, "changed", f"{size:,} bytes instead of {saved.size_bytes:,}")
    if digest != saved.sha256:
        return Checked(saved, "changed", f"sha256 is {digest}")
    try:
        return Checked(saved, "ok", metadata=look_into(path, saved.role).metadata)
    except (Malformed, OSError):
        return Checked(saved, "ok")


def _digest(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no file")
        while piece := file.read(CHUNK_BYTES):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size
