"""When to poll next, and when a job may be expected to end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from reconciler.engine.progress import seconds_between
from reconciler.job import Job, Phase

FEWEST_JOBS = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """Polling intervals in seconds: the first after acceptance at most, then growing by `factor` up to `longest`."""

    first: float
    base: float
    longest: float
    factor: float = 1.5

    def after(self, polls: int, expected_seconds: float, jitter: float) -> float:
        """Seconds until the next poll after `polls` of them; `jitter` in [0, 1) spreads jobs of one moment."""
        if polls <= 0:
            return min(self.first, 0.3 * expected_seconds)
        wait = min(self.longest, self.base * self.factor ** min(polls - 1, 20))
        return wait * (0.9 + 0.2 * jitter)


VENDOR = Pace(first=60.0, base=15.0, longest=120.0)
"""Documented advice is 5 to 10 s for images; a training takes half an hour."""
LOCAL = Pace(first=0.5, base=0.25, longest=2.0)
"""A server on this machine: an emulator or a test. Politeness is for the vendor's."""


def pace_of(world: str) -> Pace:
    """How often jobs of this world are polled."""
    return VENDOR if world == "live" else LOCAL


def expected_seconds(job: Job, seconds_per_step: float) -> float | None:
    """How long the job may be expected to take from submission, seconds; None without steps."""
    return None if job.steps is None else job.steps * seconds_per_step


def learned_seconds_per_step(jobs: Iterable[Job]) -> float | None:
    """The median of our own history, of at least three good jobs; None without them."""
    rates = [
        seconds_between(job.submitted_at, job.settled_at) / job.steps
        for job in jobs
        if job.phase is Phase.SUCCEEDED and job.settled_at and job.steps and job.polls > 1 and job.attempt
    ]
    return median(rates) if len(rates) >= FEWEST_JOBS else None
