"""How a job moves on from what a poll showed. Pure: a job and an observation in, a job out.

An error of the network, of the edge or of the server never changes a phase; only words of the trainer do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.job import Job, Phase, next_phase
from reconciler.verdict import Observation

MISSING_TRIES = 5
MISSING_SECONDS = 15 * 60
"""An id may appear late: that long after acceptance, and that often, an unknown id is no news."""
EMPTY_TRIES = 3
EMPTY_SECONDS = 2 * 60
"""A success without any artifact is asked again at least that often over at least that time."""
WITHOUT_ARTIFACT = "completed_without_artifact"


@dataclass(frozen=True, slots=True)
class Step:
    """A job after one observation. `is_settled`: it reached an end that has to be written down."""

    job: Job
    is_settled: bool
    warnings: tuple[str, ...] = ()


def advance(job: Job, seen: Observation, now: str) -> Step:
    """The job after `seen` at `now` (UTC ISO 8601)."""
    asked = replace(job, polls=job.polls + 1, polled_at=now, style=seen.style or job.style)
    if seen.missing or seen.empty:
        return _missed(asked, seen, now)
    if seen.phase is None:
        return Step(asked, is_settled=False, warnings=seen.warnings)
    phase = next_phase(job.phase, seen.phase)
    running_at = job.running_at or (now if phase is Phase.RUNNING else None)
    moved = replace(asked, phase=phase, misses=0, first_miss_at=None, running_at=running_at)
    if phase.is_pending or (phase is job.phase and job.settled_at is not None):
        return Step(moved, is_settled=False, warnings=seen.warnings)
    warnings = seen.warnings
    if not job.phase.is_pending and phase is Phase.SUCCEEDED:
        warnings = (*warnings, f"was {job.phase} before; the weights exist after all")
    ended = replace(moved, error=seen.error, charged=seen.charged, artifacts=seen.artifacts, settled_at=now)
    return Step(ended, is_settled=True, warnings=warnings)


def _missed(job: Job, seen: Observation, now: str) -> Step:
    first = job.first_miss_at or now
    missed = replace(job, misses=job.misses + 1, first_miss_at=first)
    if not job.phase.is_pending:
        return Step(missed, is_settled=False, warnings=seen.warnings)
    if seen.empty:
        is_over = missed.misses >= EMPTY_TRIES and seconds_between(first, now) >= EMPTY_SECONDS
        error = WITHOUT_ARTIFACT
    else:
        is_over = missed.misses >= MISSING_TRIES and seconds_between(job.submitted_at, now) >= MISSING_SECONDS
        error = "the API does not know this request id"
    if not is_over:
        return Step(missed, is_settled=False, warnings=seen.warnings)
    return Step(replace(missed, phase=Phase.LOST, error=error, settled_at=now), is_settled=True, warnings=seen.warnings)


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one UTC ISO 8601 time to another; 0 when either cannot be read."""
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except ValueError:
        return 0.0
