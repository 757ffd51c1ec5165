"""How long a training takes, from our own history, else from the trainer's figure. Only for people: nothing is decided by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from reconciler.job import Job, Phase
from reconciler.state import State
from reconciler.trainer import SECONDS_PER_STEP

LEAST_HISTORY = 3
"""Finished jobs of one trainer before their median counts more than the trainer's own figure."""
MOST_HISTORY = 50


def seconds_per_step(state: State) -> Mapping[str, float]:
    """Trainer → the median of its last finished jobs, seconds from submission to success for one step. Trainers without history are left out."""
    paces: dict[str, list[float]] = {}
    for job in sorted(state.jobs.values(), key=lambda j: (j.settled_at or "", j.id), reverse=True):
        known = paces.setdefault(job.trainer, [])
        if len(known) < MOST_HISTORY and job.phase is Phase.SUCCEEDED and job.settled_at and job.steps:
            took = seconds_between(job.submitted_at, job.settled_at)
            if took is not None and took > 0:
                known.append(took / job.steps)
    return {trainer: _median(known) for trainer, known in paces.items() if len(known) >= LEAST_HISTORY}


def _median(values: list[float]) -> float:
    ranked, middle = sorted(values), len(values) // 2
    return ranked[middle] if len(ranked) % 2 else (ranked[middle - 1] + ranked[middle]) / 2


def expected_seconds(job: Job, pace: Mapping[str, float]) -> float | None:
    """From submission to the end; None for a job without steps."""
    return None if job.steps is None else job.steps * pace.get(job.trainer, SECONDS_PER_STEP)


def expected_end(job: Job, pace: Mapping[str, float]) -> str | None:
    """When a pending job should be done (UTC, ISO 8601), or None."""
    if not job.phase.is_pending:
        return None
    seconds = expected_seconds(job, pace)
    begun = _moment(job.submitted_at)
    if seconds is None or begun is None:
        return None
    return (begun + timedelta(seconds=round(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_between(earlier: str, later: str) -> float | None:
    """Seconds from one instant to another (UTC, ISO 8601), or None where one of them cannot be read."""
    begin, end = _moment(earlier), _moment(later)
    return None if begin is None or end is None else (end - begin).total_seconds()


def _moment(instant: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
