"""The wall clock as a port, so that tests can move it."""

from __future__ import annotations

import time


class SystemClock:
    """Real time."""

    def now(self) -> str:
        """UTC as ISO 8601 with seconds and Z."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
