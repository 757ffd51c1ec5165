"""Files that a command writes beside its output: replaced whole, or appended to where they belong to the CI runner."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from reconciler.errors import Usage
from reconciler.text import safe


def write_file(path: Path, text: str | Iterable[str]) -> None:
    """Write `text` (or its pieces) beside `path` and put it in its place by renaming. Raises Usage when that cannot be done."""
    import tempfile

    temporary = None
    try:
        if path.exists() and not path.is_file():  # a pipe or a device cannot be replaced; it is written to
            _write(os.open(path, os.O_WRONLY), text)
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
        _write(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666), text)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def _write(descriptor: int, text: str | Iterable[str]) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines([text] if isinstance(text, str) else text)


def _unwritable(path: Path, error: Exception) -> Usage:
    return Usage(f"{safe(path, limit=300)} cannot be written: {getattr(error, 'strerror', None) or error}")


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
