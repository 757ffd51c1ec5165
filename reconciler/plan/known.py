"""The state as a plan asks for it: indexed once by spec digest and by name, for one environment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from reconciler.job import Attempt, Binding, Job, Phase
from reconciler.state import State

_PREFERENCE = {Phase.SUCCEEDED: 2, Phase.RUNNING: 1, Phase.QUEUED: 0, Phase.FAILED: -1, Phase.LOST: -1}


@dataclass(frozen=True)
class Known:
    """Indexes over one state. `bindings` and `doubts_by_name` are those of this environment; jobs belong to all."""

    state: State
    environment: str
    bindings: dict[str, Binding]
    jobs_by_digest: dict[str, list[Job]]
    doubts: list[Attempt]
    doubts_by_digest: dict[str, list[Attempt]]
    doubts_by_name: dict[str, list[Attempt]]

    @cached_property
    def names_of_job(self) -> dict[str, list[tuple[str, str]]]:
        """Job → the (environment, name) pairs that point to it, sorted. Made on first use: a plan without changes needs none."""
        names: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for key in sorted(self.state.bindings):
            names[self.state.bindings[key].job].append(key)
        return dict(names)

    def about(self, names: frozenset[str]) -> Known:
        """The same as if no other name than these were bound or in doubt here; what jobs there are for a spec stays."""
        bindings = {name: binding for name, binding in self.bindings.items() if name in names}
        return replace(self, bindings=bindings, doubts_by_name={name: found for name, found in self.doubts_by_name.items() if name in names})

    def job_of(self, binding: Binding | None) -> Job | None:
        """The job a binding points to."""
        return None if binding is None else self.state.jobs[binding.job]

    def jobs(self, digest: str) -> Sequence[Job]:
        """Everything ever bought for a spec."""
        return self.jobs_by_digest.get(digest, ())

    def usable(self, digest: str) -> Job | None:
        """The job a name may be bound to for a spec: the furthest one, then the latest.

        A job that somebody agreed to replace stands back for its successors; without any it is still what was paid for.
        """
        jobs = self.jobs(digest)
        current = [j for j in jobs if not j.superseded] or jobs
        return max((j for j in current if j.phase.is_usable), key=_preference, default=None)

    def is_bound_elsewhere_only(self, job: Job) -> bool:
        """Whether names of other environments, and none of this one, point to `job`."""
        environments = {environment for environment, _ in self.names_of_job.get(job.id, ())}
        return bool(environments) and self.environment not in environments


def know(state: State, environment: str) -> Known:
    """Index `state`, once per plan."""
    jobs_by_digest: dict[str, list[Job]] = defaultdict(list)
    for job in state.jobs.values():
        jobs_by_digest[job.spec_digest].append(job)
    bindings = {name: binding for (env, name), binding in state.bindings.items() if env == environment}
    doubts = state.doubts
    here = (a for a in doubts if a.environment == environment)
    by_digest = _grouped((a.spec_digest, a) for a in doubts)
    return Known(state, environment, bindings, dict(jobs_by_digest), doubts, by_digest, _grouped((a.name, a) for a in here))


def latest(jobs: Iterable[Job]) -> Job:
    """The job that was bought last."""
    return max(jobs, key=lambda j: (j.submitted_at, j.id))


def _preference(job: Job) -> tuple[int, str, str]:
    return (_PREFERENCE[job.phase], job.submitted_at, job.id)


def _grouped(pairs: Iterable[tuple[str, Attempt]]) -> dict[str, list[Attempt]]:
    groups: dict[str, list[Attempt]] = defaultdict(list)
    for key, attempt in pairs:
        groups[key].append(attempt)
    return dict(groups)
