"""The log of `RECONCILER_LOG`: JSON lines through the standard library's `logging`, on stderr or appended to a file.

Rooms say what they do to `logging.getLogger("reconciler.…")` with `extra={"data": {...}}`, at `info` and below; without
`RECONCILER_LOG` nobody listens. Only these loggers are listened to: those of the HTTP libraries would pass headers.
Every line goes through all redactors, so that no level ever holds the key.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import Usage
from reconciler.text import redact, safe

NAME = "reconciler"
TRACE = 5
LEVELS: Mapping[str, int] = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG, "trace": TRACE}
_NAMES = {number: name for name, number in LEVELS.items()}
MOST_TEXT = 2000

Redactor = Callable[[str], str]


class JsonLines(logging.Handler):
    """Writes each record as one line of ASCII JSON. Never raises: a log that breaks stops nothing."""

    def __init__(self, write: Callable[[str], object], redactor: Redactor) -> None:
        super().__init__()
        self._write = write
        self._redactors = [redactor]

    def hide(self, redactor: Redactor) -> None:
        """Pass every later line through `redactor` too."""
        self._redactors = [*self._redactors, redactor]

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        with contextlib.suppress(Exception):
            line = json.dumps(_row(record), ensure_ascii=True, default=_text)
            for hidden in self._redactors:
                line = hidden(line)
            self._write(line + "\n")


def _row(record: logging.LogRecord) -> dict[str, Any]:
    instant = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    head: dict[str, Any] = {
        "@timestamp": f"{instant}.{int(record.msecs):03d}Z",
        "@level": _NAMES.get(record.levelno, "info"),
        "@module": record.name,
        "@message": _text(record.getMessage()),
        "thread": threading.current_thread().name,
    }
    more: dict[str, Any] = _plain(getattr(record, "data", {}))
    return head | more


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {_text(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return _text(value)


def _text(value: object) -> str:
    return safe(redact(str(value)), limit=MOST_TEXT)


@contextlib.contextmanager
def opened(level: str, path: Path | None, *, err: Callable[[str], object], redactor: Redactor) -> Iterator[logging.Logger]:
    """Listen at `level` (a key of LEVELS) while the block runs; to `path`, else to `err`. Raises Usage when the file cannot be written."""
    logger = logging.getLogger(NAME)
    with contextlib.ExitStack() as stack:
        write = err if path is None else _appending(path, stack)
        handler = JsonLines(write, redactor)
        before = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(LEVELS[level])
        logger.propagate = False
        try:
            yield logger
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before[0])
            logger.propagate = before[1]


def hide(redactor: Redactor) -> None:
    """Pass every later line of the open log through `redactor`; nothing where no log is open."""
    for handler in logging.getLogger(NAME).handlers:
        if isinstance(handler, JsonLines):
            handler.hide(redactor)


def _appending(path: Path, stack: contextlib.ExitStack) -> Callable[[str], object]:
    """Whole lines at the end of a file of mode 0600; a link is not followed, a pipe or device is refused."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags, 0o600)
    except (OSError, ValueError) as error:
        raise _unwritable(path, getattr(error, "strerror", None) or "not a path") from None
    stack.callback(os.close, descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise _unwritable(path, "it is not a regular file")
    return lambda line: os.write(descriptor, line.encode("ascii"))


def _unwritable(path: Path, why: str) -> Usage:
    return Usage(f"RECONCILER_LOG_PATH={safe(path, limit=200)} cannot be written: {why}")
