"""How fast polls may go: one token bucket and one pause for all threads. Submits are not limited here."""

from __future__ import annotations

import threading
import time

LONGEST_PAUSE_SECONDS = 300.0
PATIENCE_SECONDS = 2.0
"""A pause up to this long is slept through; a longer one is told to the caller, who can be stopped meanwhile."""


class Limiter:
    """A token bucket with room for a tenth of a second. `per_second` None: no limit, but pauses still hold."""

    def __init__(self, per_second: float | None) -> None:
        if per_second is not None and not 0 < per_second <= 1_000_000:
            raise ValueError("polls per second must be positive")
        self._rate = per_second
        self._room = max(1.0, (per_second or 0.0) / 10)
        self._tokens = self._room
        self._filled_at = time.monotonic()
        self._paused_until = 0.0
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def take(self) -> float:
        """Wait for a token. Returns 0 when it was taken, else the seconds of a long pause, without having waited."""
        while not self._closed.is_set():
            with self._lock:
                pause, wait = self._delay(time.monotonic())
            if pause > PATIENCE_SECONDS:
                return pause
            if pause <= 0 and wait <= 0:
                return 0.0
            self._closed.wait(max(pause, wait))
        return LONGEST_PAUSE_SECONDS

    def pause(self, seconds: float) -> None:
        """Nobody polls for so long: the server asked for it. At most five minutes."""
        until = time.monotonic() + min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)
        with self._lock:
            self._paused_until = max(self._paused_until, until)

    def close(self) -> None:
        """Wake everybody who waits; from now on `take` refuses."""
        self._closed.set()

    def _delay(self, now: float) -> tuple[float, float]:
        pause = self._paused_until - now
        if self._rate is None or pause > 0:
            return pause, 0.0
        self._tokens = min(self._room, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return 0.0, (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0, 0.0
