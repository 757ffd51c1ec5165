"""Where every name stands, as rows: what `status` and `output` are made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from reconciler.job import Attempt, Job, Phase, Sent
from reconciler.model import Model
from reconciler.state import State

PHASES = ("undeclared", "new", "submitting", "in_doubt", "queued", "running", "succeeded", "failed", "lost", "held", "suspended")
"""The contract's phases of a name. A job itself has only those of `Phase`."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One name: its phase, the job it points to, the attempt that is not settled, and the digest of what is wanted or was bought."""

    name: str
    phase: str
    job: Job | None = None
    attempt: Attempt | None = None
    spec_digest: str | None = None


def standings(state: State, *, environment: str, models: Mapping[str, Model] | None, names: Collection[str] | None = None) -> list[Standing]:
    """Every name that is declared, bound or in doubt in this environment, by name. `models` None: the manifests are not known."""
    doubts: dict[str, Attempt] = {}
    for attempt in state.doubts:
        if attempt.environment == environment:
            doubts.setdefault(attempt.name, attempt)
    bound = {name for env, name in state.bindings if env == environment}
    known = bound | doubts.keys() | (models or {}).keys()
    wanted = sorted(known if names is None else known & set(names))
    unbought = {model.spec.digest for name in wanted if name not in bound and (model := (models or {}).get(name)) is not None}
    by_digest = _jobs_by_digest(job for job in state.jobs.values() if job.spec_digest in unbought) if unbought else {}
    return [_standing(name, state.job_of(environment, name), doubts.get(name), models, by_digest) for name in wanted]


def _standing(name: str, job: Job | None, doubt: Attempt | None, models: Mapping[str, Model] | None, by_digest: Mapping[str, list[Job]]) -> Standing:
    model = None if models is None else models.get(name)
    digest = model.spec.digest if model is not None else job.spec_digest if job is not None else doubt.spec_digest if doubt is not None else None
    if doubt is not None:
        return Standing(name, "submitting" if doubt.status is Sent.SENDING else "in_doubt", job, doubt, digest)
    if job is not None:
        return Standing(name, "undeclared" if models is not None and model is None else str(job.phase), job, None, digest)
    assert model is not None, "a name without a job and without a doubt is declared"
    if model.lifecycle.suspend:
        return Standing(name, "suspended", None, None, digest)
    tried = by_digest.get(model.spec.digest, [])
    if tried and all(not each.phase.is_usable for each in tried):
        return Standing(name, "held", max(tried, key=lambda each: (each.submitted_at, each.id)), None, digest)
    return Standing(name, "new", None, None, digest)


def _jobs_by_digest(jobs: Iterable[Job]) -> dict[str, list[Job]]:
    found: dict[str, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.spec_digest, []).append(job)
    return found


def unbound_jobs(state: State) -> int:
    """How many jobs no name points to, in any environment."""
    return len(state.jobs.keys() - {binding.job for binding in state.bindings.values()})


def count_phases(rows: Iterable[Standing]) -> dict[str, int]:
    """How many names are in each phase, in the contract's order; phases without a name are left out."""
    counts = dict.fromkeys(PHASES, 0)
    for row in rows:
        counts[row.phase] += 1
    return {phase: count for phase, count in counts.items() if count}


PENDING = frozenset(str(phase) for phase in Phase if phase.is_pending)
