"""How fast polls may go: one token bucket and one pause for all threads. Submits are not limited here."""

from __future__ import annotations

import threading
import time

LONGEST_PAUSE_SECONDS = 300.0
PATIENCE_SECONDS = 2.0
"""A pause up to this long is slept through; a longer one is told to the caller, who can be stopped meanwhile."""


class Limiter:
    """A token bucket with room for a tenth of a second. `per_second` None: no limit, but pauses still hold.

    Whoever comes is given the moment at which the next token falls, and sleeps once until then: many threads that wait do
    not wake each other, and the rate is kept to the token.
    """

    def __init__(self, per_second: float | None) -> None:
        if per_second is not None and not 0 < per_second <= 1_000_000:
            raise ValueError("polls per second must be positive")
        self._rate = per_second
        self._saved_seconds = 0.0 if per_second is None else (max(1.0, per_second / 10) - 1) / per_second
        """How far the next token may lie in the past: tokens that nobody has used."""
        self._next = 0.0
        self._paused_until = 0.0
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def take(self) -> float:
        """Wait for a token. Returns 0 when it was taken, else the seconds of a long pause, without having waited for its end."""
        while not self._closed.is_set():
            with self._lock:
                pause, wait = self._delay(time.monotonic())
            if pause > PATIENCE_SECONDS:
                return pause
            if (seconds := max(pause, wait)) > 0:
                self._closed.wait(seconds)
            # A token whose moment fell into a pause is lost: after the pause all begin anew.
            if pause <= 0 and self._paused_until <= time.monotonic():
                return LONGEST_PAUSE_SECONDS if self._closed.is_set() else 0.0
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
        """The rest of a pause, else how long the next token takes, which is given away with that."""
        pause = self._paused_until - now
        if self._rate is None or pause > 0:
            return pause, 0.0
        falls = max(self._next, now - self._saved_seconds)
        self._next = falls + 1 / self._rate
        return 0.0, falls - now
