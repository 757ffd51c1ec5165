"""Total deadlines. httpx limits each read and not the whole, so a server that drips keeps it for ever: here its socket is shut down."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from reconciler.pixazo.exchange import Trouble

TICK_SECONDS = 0.1


class Guard:
    """One exchange under watch: when it must end, who may end it, and the sockets that end it."""

    def __init__(self, deadline: float, stop: Callable[[], bool]) -> None:
        self._deadline = deadline
        self._stop = stop
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self.reason: Trouble | None = None
        """Why it was cut, if it was."""

    def hold(self, *sockets: socket.socket) -> None:
        """From now on these are what is cut; at once if it is too late already."""
        with self._lock:
            self._sockets = list(sockets)
            if self.reason is not None:
                self._shut_down()

    def check(self, now: float) -> None:
        """Cut if the deadline has passed or somebody asked to stop."""
        if self.reason is None and (now >= self._deadline or self._is_stopped()):
            self.cut(Trouble.DEADLINE if now >= self._deadline else Trouble.STOPPED)

    def cut(self, reason: Trouble) -> None:
        """End it now, if it still runs."""
        with self._lock:
            self.reason = self.reason or reason
            self._shut_down()

    def _is_stopped(self) -> bool:
        try:
            return self._stop()
        except Exception:  # the one thread that watches everybody must not die of somebody's question
            return True

    def _shut_down(self) -> None:
        for held in self._sockets:
            # Not SSLSocket.shutdown: that would take the TLS object away under the reading thread.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(held, socket.SHUT_RDWR)


class Watchdog:
    """One thread that looks at all guards ten times a second; it sleeps while there are none."""

    def __init__(self) -> None:
        self._guards: set[Guard] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._is_asleep = False
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def guard(self, deadline_seconds: float, stop: Callable[[], bool]) -> Iterator[Guard]:
        """Watch what happens inside the block for at most so long."""
        guard = Guard(time.monotonic() + deadline_seconds, stop)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="pixazo-watchdog", daemon=True)
                self._thread.start()
            self._guards.add(guard)
            if self._is_asleep:
                self._changed.notify()
        try:
            yield guard
        finally:
            with self._changed:
                self._guards.discard(guard)

    def close(self) -> None:
        """Cut what is still under watch, and end the thread."""
        with self._changed:
            self._closed = True
            left = list(self._guards)
            self._changed.notify()
        for guard in left:
            guard.cut(Trouble.STOPPED)
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _watch(self) -> None:
        guards: list[Guard] = []
        while True:
            with self._changed:
                if self._closed:
                    return
                # Awake for a tick after the last exchange: between two of them nobody has to wake it.
                self._is_asleep = not guards and not self._guards
                self._changed.wait(None if self._is_asleep else TICK_SECONDS)
                self._is_asleep = False
                guards = list(self._guards)
            now = time.monotonic()
            for guard in guards:
                guard.check(now)
