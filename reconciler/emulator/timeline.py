"""How far a job is: a pure function of what was fixed at its acceptance and the time now. No clock, no books."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

QUEUE_SECONDS = 30.0
"""How long a job waits before it trains, seconds at speed 1."""
DEFAULT_STEPS = 1000
"""What the emulated backend trains when a request names no steps."""

FAILING_MARKER = "fail-training"
"""A dataset whose URL path contains this ends FAILED, and stays charged."""
SYSTEM_ERROR_MARKER = "system-error"
"""A dataset whose URL path contains this ends ERROR, and is refunded when it ends."""

CAPTIONS_MISSING = "captions missing"
SYSTEM_ERROR = "system error: the training node was lost"


class Stage(Enum):
    """Where a job is; the value is the word of the common status queue."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ERROR = "ERROR"

    @property
    def settled(self) -> bool:
        """Whether nothing further happens to such a job."""
        return self not in (Stage.QUEUED, Stage.PROCESSING)


class Timeline(NamedTuple):
    """The course of one job, fixed when it is accepted: epoch seconds, durations in seconds, and how it ends."""

    accepted_at: float
    queue_seconds: float
    training_seconds: float
    ending: Stage

    @property
    def starts_at(self) -> float:
        """When it leaves the queue, epoch seconds."""
        return self.accepted_at + self.queue_seconds

    @property
    def ends_at(self) -> float:
        """When it is settled, epoch seconds."""
        return self.starts_at + self.training_seconds

    def stage(self, now: float) -> Stage:
        """Where the job is at `now`. A clock that was set back finds it queued."""
        if now >= self.ends_at:
            return self.ending
        return Stage.PROCESSING if now >= self.starts_at else Stage.QUEUED

    def updated_at(self, now: float) -> float:
        """When the stage of `now` began, epoch seconds."""
        match self.stage(now):
            case Stage.QUEUED:
                return self.accepted_at
            case Stage.PROCESSING:
                return self.starts_at
            case Stage.COMPLETED | Stage.FAILED | Stage.ERROR:
                return self.ends_at


def course(*, accepted_at: float, steps: int, seconds_per_step: float, speed: float, ending: Stage) -> Timeline:
    """The course of a job with so many steps; `speed` divides the queue and the training alike."""
    return Timeline(accepted_at, QUEUE_SECONDS / speed, steps * seconds_per_step / speed, ending)


def ending_of(dataset_url: str) -> Stage:
    """How a training with this dataset ends, by the documented markers in the path of its URL."""
    path = "" if dataset_url[:5].lower() == "data:" else _path(dataset_url)
    if FAILING_MARKER in path:
        return Stage.FAILED
    return Stage.ERROR if SYSTEM_ERROR_MARKER in path else Stage.COMPLETED


def error_text(stage: Stage) -> str | None:
    """What the status says about a failure, or None."""
    match stage:
        case Stage.FAILED:
            return CAPTIONS_MISSING
        case Stage.ERROR:
            return SYSTEM_ERROR
        case Stage.QUEUED | Stage.PROCESSING | Stage.COMPLETED:
            return None


def _path(url: str) -> str:
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""
