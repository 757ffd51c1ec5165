"""Files that a command writes beside its output: replaced whole, or appended to where they belong to the CI runner."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from reconciler.errors import Usage
from reconciler.text import safe

READER_SECONDS = 5.0
_STEP_SECONDS = 0.05


def write_file(path: Path, text: str | Iterable[str]) -> None:
    """Write `text` (or its pieces) beside `path` and put it in its place by renaming. Raises Usage when that cannot be done."""
    import tempfile

    temporary = None
    try:
        if path.exists() and not path.is_file():  # a pipe or a device cannot be replaced; it is written to
            _write(open_present(path), text)
            return
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        _write(descriptor, text)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except (OSError, ValueError) as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def append_file(path: Path, text: str | Iterable[str]) -> None:
    """Write `text` (or its pieces) behind what is in the file. Raises Usage when that cannot be done."""
    try:
        is_special = path.exists() and not path.is_file()
        _write(open_present(path) if is_special else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY, 0o666), text)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def open_lines(path: Path) -> TextIO:
    """A text file to write line by line: emptied when it is a file, written to when it is a pipe or a device. Raises Usage."""
    try:
        is_special = path.exists() and not path.is_file()
        descriptor = open_present(path) if is_special else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
        return os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n")
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def open_present(path: Path) -> int:
    """A pipe or a device, opened for writing. For the reader of a pipe it is waited a few seconds, not for ever. Raises OSError."""
    until = time.monotonic() + READER_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= until:
                raise OSError(errno.ENXIO, "nobody reads this pipe") from None
            time.sleep(_STEP_SECONDS)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def _write(descriptor: int, text: str | Iterable[str]) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines([text] if isinstance(text, str) else text)


def _unwritable(path: Path, error: Exception) -> Usage:
    return Usage(f"{safe(path, limit=300)} cannot be written: {getattr(error, 'strerror', None) or error}")


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
