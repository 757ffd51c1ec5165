"""Files that somebody named on the command line or that lie beside the state: opened so that nothing hangs and nothing is endless."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.errors import Usage
from reconciler.text import safe

_CHUNK = 1 << 20


class NotRegular(OSError):
    """A folder, pipe, socket or device where a file was named."""


def read_named(path: Path, *, most_bytes: int, hint: str = "") -> bytes:
    """The bytes of a regular file that a person named; a link is followed. Raises Usage when it is none, too large, or unreadable."""
    shown = safe(path, limit=300)
    try:
        content = read_regular(path, most_bytes=most_bytes)
    except (OSError, ValueError) as error:
        raise Usage(f"{shown} cannot be read: {getattr(error, 'strerror', None) or 'not a path'}", hint=hint) from None
    if len(content) > most_bytes:
        raise Usage(f"{shown} is larger than {most_bytes:,} bytes", hint=hint)
    return content


def read_regular(path: Path, *, most_bytes: int, follow_links: bool = True) -> bytes:
    """Up to `most_bytes` and one more of a regular file. Raises OSError, NotRegular for what is none: that is never waited for."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow_links else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            raise NotRegular(0, "it is a folder" if stat.S_ISDIR(kind) else "it is a pipe, a socket or a device")
        content = bytearray()
        while len(content) <= most_bytes and (chunk := os.read(descriptor, min(_CHUNK, most_bytes + 1 - len(content)))):
            content += chunk
        return bytes(content)
    finally:
        os.close(descriptor)
