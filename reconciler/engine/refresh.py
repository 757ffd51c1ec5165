"""Polling: how far the bought jobs are. Never buys; an error of the way there never changes a phase."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.engine.asking import Asking
from reconciler.engine.pace import Pace, expected_seconds, learned_seconds_per_step
from reconciler.engine.progress import Step, advance, seconds_between
from reconciler.engine.stop import Stop
from reconciler.errors import StateProblem
from reconciler.event import Event
from reconciler.fact import Draft, settled
from reconciler.job import Artifact, Job, Phase
from reconciler.ports import Clock, TrainerApi, Writer
from reconciler.state import State
from reconciler.text import money_text, redact
from reconciler.trainer import SECONDS_PER_STEP
from reconciler.verdict import Observation

POLLS_AT_ONCE = 8
_TICK_SECONDS = 0.1
_BATCH = 512
"""Answers that are written down together, when so many come within a tick."""
_MOST_DUE = 1024
SLOWEST_POLLS = 20
"""A job that was lost is asked at the slowest rate."""


@dataclass(slots=True)
class Poller:
    """Asks about jobs, several at once, and writes down what was seen. `parallelism` is the number of polls in flight."""

    writer: Writer
    api: TrainerApi
    clock: Clock
    stop: Stop
    pace: Pace
    parallelism: int = POLLS_AT_ONCE
    settled: list[Job] = field(default_factory=list)
    changed: int = 0
    """How many phases moved."""
    trouble: str = ""
    """The last reason for no news, when a whole round brought none."""
    seconds_per_step: float = SECONDS_PER_STEP
    """Training time of one step, as far as can be told: what jobs are expected by."""
    _warned: set[tuple[str, str]] = field(default_factory=set)
    _asking: Asking = field(init=False)
    _beside: set[str] = field(default_factory=set)
    """Jobs that were asked about without waiting."""
    _heard: int = 0

    def __post_init__(self) -> None:
        self._asking = Asking(self.api, self.stop, self.parallelism)

    @property
    def refused(self) -> str:
        """Why the API refuses all polls (a bad key): polling ends."""
        return self._asking.refused

    def learn(self, state: State) -> None:
        """Expect what our own history shows, where it shows enough."""
        self.seconds_per_step = learned_seconds_per_step(state.jobs.values()) or self.seconds_per_step

    def ask_beside(self, job: Job) -> None:
        """Ask about a job while others are being bought; the next round has its answer and does not ask again."""
        self._beside.add(job.id)
        self._asking.ask(job)

    def news(self) -> Iterator[Event]:
        """Write down and tell what has been answered until now. For a moment in which no purchase needs the state."""
        batch = self._asking.answers(most=_BATCH, wait_seconds=0)
        self._beside -= {job.id for job, seen in batch if seen.trouble}  # the round asks again
        try:
            yield from self._digest([(job, seen) for job, seen in batch if not seen.trouble])
        except StateProblem:
            return  # polls are free; the next purchase meets the same problem, and those in flight must be awaited

    def round(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Ask about each job once."""
        for job in jobs:
            if job.id not in self._beside:
                self._asking.ask(job)
        self._beside.clear()
        while self._asking.open:
            batch = self._asking.answers(most=_BATCH, wait_seconds=_TICK_SECONDS)
            yield from self._digest(batch)
            if self.stop.is_requested and not batch:
                return  # polls are free: those under way, or waiting for their turn, are not awaited
        if self._heard:
            self.trouble = ""
        self._heard = 0

    def wait(self, jobs: Sequence[Job], *, seconds: float) -> Iterator[Event]:
        """Ask until all are settled, the time is over, or the stop is requested. Follow with a look at what is pending."""
        until = self.clock.monotonic() + seconds
        due = [(self._next(job), job.id) for job in jobs]
        heapq.heapify(due)
        while due and not self.stop.is_requested and not self.refused:
            now = self.clock.monotonic()
            if now >= until:
                return
            if due[0][0] > now:
                self.stop.wait(min(due[0][0], until, now + 0.5) - now)
                yield Event("poll", self.clock.now(), "", None, "info", {"tick": True})
                continue
            ready: list[Job] = []
            while due and due[0][0] <= now and len(ready) < _MOST_DUE:
                ready.append(self.writer.job(heapq.heappop(due)[1]))
            yield from self.round(ready)
            for job in (self.writer.job(j.id) for j in ready):
                if job.phase.is_pending:
                    heapq.heappush(due, (self._next(job), job.id))

    def _next(self, job: Job) -> float:
        jitter = (sum(map(ord, job.id)) + job.polls * 31) % 97 / 97
        polls = job.polls if job.phase.is_pending else SLOWEST_POLLS
        return self.clock.monotonic() + self.pace.after(polls, self.expected(job) or 1000.0, jitter)

    def expected(self, job: Job) -> float | None:
        """Seconds from submission to the end, as far as can be told."""
        return expected_seconds(job, self.seconds_per_step)

    def _digest(self, batch: Sequence[tuple[Job, Observation]]) -> Iterator[Event]:
        if not batch:
            return
        now = self.clock.now()
        steps: list[tuple[Job, Observation, Step]] = []
        for asked, seen in batch:
            before = self.writer.job(asked.id)
            steps.append((before, seen, advance(before, seen, now)))
            self.trouble = seen.trouble or self.trouble
            self._heard += not seen.trouble
        self._write(now, [step for _, _, step in steps])
        for before, seen, step in steps:
            self.changed += step.job.phase is not before.phase
            yield from self._tell(now, seen, step, has_moved=step.job.phase is not before.phase)

    def _write(self, now: str, steps: Sequence[Step]) -> None:
        ended = [s.job for s in steps if s.is_settled]
        self.writer.record([_end_of(j, now) for j in ended])
        self.writer.observe([s.job for s in steps])
        self.settled += ended

    def _tell(self, now: str, seen: Observation, step: Step, *, has_moved: bool) -> Iterator[Event]:
        job = step.job
        for warning in step.warnings:
            if (job.id, warning) not in self._warned:
                self._warned.add((job.id, warning))
                yield Event("diagnostic", now, warning, job.name, "warn", {"severity": "warning", "code": "poll", "summary": warning, "job": job.id})
        data: dict[str, Any] = {"job": job.id, "phase": str(job.phase), "request_id": job.request_id}
        if step.is_settled:
            size = sum(a.size_bytes or 0 for a in job.artifacts) or None
            files = [{"role": a.role, "url": redact(a.url)} for a in job.artifacts]
            data |= {"artifacts": files, "size_bytes": size, "error": job.error, "price": money_text(job.price)}
            text = f"{job.phase}{': ' + job.error if job.error else ''}"
            yield Event("job_settled", now, text, job.name, "info" if job.phase is Phase.SUCCEEDED else "error", data)
            return
        data |= {"changed": has_moved, "elapsed_seconds": seconds_between(job.submitted_at, now), "expected_seconds": self.expected(job)}
        if seen.trouble:
            data["trouble"] = seen.trouble
        yield Event("poll", now, f"{job.phase}{'; no news: ' + seen.trouble if seen.trouble else ''}", job.name, "info", data)


def _end_of(job: Job, now: str) -> Draft:
    files = _without_queries(job.artifacts)
    return settled(now, job.id, job.phase, error=job.error, charged=job.charged, artifacts=files, request_id=job.request_id)


def _without_queries(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """The journal may be committed: a signed URL stays in the state alone."""
    return [replace(a, url=a.url.partition("?")[0]) for a in artifacts]


def to_poll(state: State, names: Sequence[str] = (), *, environment: str = "") -> list[Job]:
    """The jobs a refresh asks about: pending and lost ones; with names, those of the names whatever their phase."""
    if names:
        wanted = {b.job for b in state.bindings.values() if b.environment == environment and b.name in names}
        wanted |= {j.id for j in state.jobs.values() if j.name in names and j.environment == environment and j.phase.is_pending}
        return sorted((state.jobs[j] for j in wanted), key=_by_age)
    return sorted((j for j in state.jobs.values() if j.phase.is_pending or j.phase is Phase.LOST), key=_by_age)


def _by_age(job: Job) -> tuple[str, str]:
    return job.submitted_at, job.id
