"""A local data set as the bytes of one zip, to be sent inside of a request: a zip as it is, a folder packed so that equal folders give equal bytes.

Everything is stored and nothing deflated: pictures do not get smaller, and deflated bytes depend on the library's build.
What may be sent at all, and to whom, is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reconciler.dataset.archive import opened
from reconciler.dataset.entry import Entry
from reconciler.dataset.finding import Unopened
from reconciler.dataset.folder import files_of, line_of, pieces_of, refuse_link, unusable
from reconciler.errors import ReconcilerError

MOST_FILES = 10_000
UPLOAD = "Upload it, and give its address as `url:` beside `path:`."
_MOMENT = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644
_UNIX = 3
_ENTRY_BYTES, _END_BYTES = 30 + 46, 22
"""What a zip needs beside contents and names, which stand in it twice: for each entry, and at its end."""


class Packed(NamedTuple):
    """The bytes to send, and what identifies them: `folder:` or `sha256:` and the digest (hex) of just these bytes."""

    data: bytes
    content: str


def require_sendable(path: Path, most_bytes: int) -> None:
    """Raise ReconcilerError unless the data at `path` are a zip, or make one, of at most `most_bytes`. Reads names and sizes only."""
    refuse_link(path)
    if path.is_dir():
        _require_small(files_of(path), most_bytes)
        return
    try:
        size = path.lstat().st_size
        if size > most_bytes:
            raise _too_large(size, most_bytes)
        with opened(path) as entries:
            if not entries:
                raise ReconcilerError("there is no file in it")
    except OSError as error:
        raise ReconcilerError(f"it cannot be read: {error.strerror}") from None
    except Unopened as why:
        raise unusable(why) from None


def pack(path: Path, most_bytes: int) -> Packed:
    """The data at `path`, read once: what is identified is what was read. Raises ReconcilerError."""
    if path.is_dir():
        return _packed(path, files_of(path), most_bytes)
    data = b"".join(pieces_of(path, most_bytes))
    return Packed(data, f"sha256:{hashlib.sha256(data).hexdigest()}")


def _packed(path: Path, files: Sequence[Entry], most_bytes: int) -> Packed:
    size = _require_small(files, most_bytes)
    whole, out = hashlib.sha256(), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            data = b"".join(pieces_of(path / file.name, most_bytes))
            whole.update(line_of(file.name, hashlib.sha256(data).hexdigest()))
            archive.writestr(_entry(file.name), data)
            if out.tell() > size:
                raise ReconcilerError("it changed while it was read")
    return Packed(out.getvalue(), f"folder:{whole.hexdigest()}")


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.create_system, entry.external_attr = _UNIX, _MODE << 16
    return entry


def _require_small(files: Sequence[Entry], most_bytes: int) -> int:
    """How many bytes the zip of these files has. Raises ReconcilerError."""
    if not files:
        raise ReconcilerError("there is no file in it")
    size = _END_BYTES + sum(file.size_bytes + _ENTRY_BYTES + 2 * len(file.name.encode()) for file in files)
    if size > most_bytes or len(files) > MOST_FILES:
        raise _too_large(size, most_bytes, files=len(files))
    return size


def _too_large(size: int, most_bytes: int, *, files: int = 1) -> ReconcilerError:
    if files > MOST_FILES:
        return ReconcilerError(f"it has {files:,} files; what is sent inside of a request may have {MOST_FILES:,}", hint=UPLOAD)
    return ReconcilerError(f"as a zip it has {size:,} bytes; what is sent inside of a request may have {most_bytes:,}", hint=UPLOAD)
