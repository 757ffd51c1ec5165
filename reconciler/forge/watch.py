"""The total deadline of one exchange: httpx limits each read and not the whole, so a forge that drips would keep it for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self


class Watch:
    """Inside the block an exchange lasts at most so long; then its connection is shut down and the reading ends in an error."""

    def __init__(self, deadline_seconds: float) -> None:
        self._timer = threading.Timer(deadline_seconds, self._cut)
        self._timer.daemon = True
        self._double: socket.socket | None = None
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self.is_late = False
        """Whether it was cut."""

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self._began

    def see(self, name: str, info: dict[str, Any]) -> None:
        """For httpx's `trace`: takes hold of the connection, before a TLS handshake hides its socket."""
        if name.endswith("connect_tcp.complete"):
            with self._lock:
                self._double = info["return_value"].get_extra_info("socket").dup()
            if self.is_late:
                self._cut()

    def _cut(self) -> None:
        self.is_late = True
        with self._lock, contextlib.suppress(OSError):
            if self._double is not None:
                self._double.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._timer.cancel()
        with self._lock:
            if self._double is not None:
                self._double.close()
            self._double = None
