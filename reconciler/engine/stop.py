"""The stop flag: set by a signal, asked before every purchase, and while an answer is awaited."""

from __future__ import annotations

import threading
import time

GRACE_SECONDS = 6.0
"""Answers in flight are awaited that long after the first signal; then they are in doubt."""


class Stop:
    """Once requested it stays. Safe to set from a signal handler."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._requested_at = 0.0
        self.signal_number = 0
        self.is_asking = False
        """Somebody is being asked: a signal ends the question at once, nothing is in flight."""

    def request(self, signal_number: int) -> None:
        """Ask for a clean stop."""
        if not self._event.is_set():
            self.signal_number = signal_number
            self._requested_at = time.monotonic()
            self._event.set()

    @property
    def is_requested(self) -> bool:
        """No new purchase from now on."""
        return self._event.is_set()

    def is_over(self) -> bool:
        """Answers in flight are no longer awaited."""
        return self._event.is_set() and time.monotonic() - self._requested_at >= GRACE_SECONDS

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until the stop is requested; whether it is."""
        return self._event.wait(seconds)
