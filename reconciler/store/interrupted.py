"""What an attempt came to whose sender recorded no outcome, as its reader finds it: pure."""

from __future__ import annotations

import math
from datetime import datetime
from typing import NamedTuple, assert_never

from reconciler.job import Attempt, Sent
from reconciler.ports import Whose

INTERRUPTED = "the process that sent it ended before an answer was recorded"
UNSENT = "the process that announced it ended before it sent anything"
OVERDUE = "another runner announced it and recorded no answer within the time it waits for one"
PATIENCE_SECONDS = 310.0 + 170.0
"""How long an answer is awaited at most, and what clocks of two machines and the way to the journal may add."""


class End(NamedTuple):
    """The end of an attempt whose sender left none."""

    status: Sent
    evidence: str


def end_of(attempt: Attempt, whose: Whose, now: str) -> End | None:
    """How `attempt` ended, for the holder of the lock at `now`; None while another runner may be waiting for its answer."""
    match whose:
        case Whose.OURS:
            return End(Sent.IN_DOUBT, INTERRUPTED)
        case Whose.OURS_UNSENT:
            return End(Sent.NOT_SENT, UNSENT)
        case Whose.ANOTHERS:
            return End(Sent.IN_DOUBT, OVERDUE) if _age(attempt, now) > PATIENCE_SECONDS else None
        case _:
            assert_never(whose)


def _age(attempt: Attempt, now: str) -> float:
    """Seconds since it was announced; endless where that cannot be read."""
    try:
        return (datetime.fromisoformat(now) - datetime.fromisoformat(attempt.sent_at)).total_seconds()
    except (ValueError, TypeError):
        return math.inf
