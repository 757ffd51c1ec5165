"""The one POST that may cost money: a connection of its own, sent once, never followed, never repeated. What it means is `verdict`."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.pixazo.exchange import Exchange
from reconciler.pixazo.line import Ask, Line, Wire

MOST_BYTES = 64 * 1024
DEADLINE_SECONDS = 310.0
"""The gateway forwards for up to 300 s: a shorter deadline would make doubts of its own."""


def send_once(
    wire: Wire,
    url: str,
    body: bytes,
    *,
    before_first_byte: Callable[[], None],
    stop: Callable[[], bool],
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Exchange:
    """POST `body`. `before_first_byte` runs once, connected and with nothing written; what it raises leaves nothing sent."""
    with Line(wire, keep_alive=False) as line:
        return line.exchange(Ask(url, body), most_bytes=MOST_BYTES, deadline_seconds=deadline_seconds, stop=stop, before_first_byte=before_first_byte)
