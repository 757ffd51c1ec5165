"""How the cost of one change can be avoided: what to write instead, so that nothing is bought and a name has a job all the same.

Only ways that end at $0.00 today; whether the result is what somebody wants is theirs to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.canonical import canonical_number
from reconciler.job import Job
from reconciler.model import Model
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import Change
from reconciler.plan.fields import spec_changes
from reconciler.plan.known import Known
from reconciler.text import safe

MOST_JOBS = 5
MOST_COMPARED = 10_000
_NOT_IGNORABLE = ("generation", "lifecycle.reuse")


class Way(NamedTuple):
    """One way to pay nothing: what it is called, what to do, and the job that the name then points to."""

    how: str
    text: str
    job: str | None = None


def ways_to_pay_nothing(change: Change, known: Known) -> tuple[Way, ...]:
    """Ways around the cost of a change, the least invasive first; () for a change that costs nothing."""
    return tuple(_ways(change, known)) if change.action.is_paid and change.model is not None else ()


def _ways(change: Change, known: Known) -> Iterator[Way]:
    model = change.model
    assert model is not None, "only declared models are bought"
    if change.reason is Reason.REQUESTED:
        yield Way("leave out", f"without -replace={safe(change.name)} nothing is bought for it")
        return
    if change.reason is Reason.FAILED_RETRY:
        yield Way("hold", "lifecycle: {on_failure: hold} keeps it as it is")
        return
    if change.previous_job is not None and change.action is Action.RETRAIN:
        yield from _ways_back(change)
    yield from _older_jobs(change, model, known)
    yield Way("suspend", "lifecycle: {suspend: true} buys nothing for this name until it is removed")
    yield Way("adopt", f"when it was bought elsewhere: reconciler adopt {safe(change.name)} REQUEST_ID")


def _ways_back(change: Change) -> Iterator[Way]:
    fields = change.fields
    back = "; ".join(f"{f.path}: {_value(f.before)}{f' ({f.place.file}:{f.place.line})' if f.place else ''}" for f in fields)
    yield Way("revert", back, change.previous_job)
    if fields and not any(f.path in _NOT_IGNORABLE for f in fields):
        yield Way("ignore", f"lifecycle: {{ignore_changes: [{', '.join(f.path for f in fields)}]}} keeps the job that it has", change.previous_job)


def _older_jobs(change: Change, model: Model, known: Known) -> Iterator[Way]:
    """Usable jobs of the same trainer for the same data or the same name: writing down their spec binds them."""
    related = [j for j in known.state.jobs.values() if _is_related(j, change, model)][:MOST_COMPARED]
    ranked = sorted(related, key=lambda j: (len(spec_changes(model, j.spec)), j.name != model.name, j.submitted_at, j.id))
    for job in ranked[:MOST_JOBS]:
        fields = spec_changes(model, job.spec)
        written = "; ".join(f"{f.path}: {_value(f.before)}" for f in fields)
        yield Way("bind", f"{written} is job {job.id} of {safe(job.name)}, {job.phase}", job.id)


def _is_related(job: Job, change: Change, model: Model) -> bool:
    usable = job.phase.is_usable and not job.superseded and job.id != change.previous_job and bool(job.spec) and "name" not in job.spec
    return usable and job.trainer == model.spec.trainer and (job.spec.get("dataset") == model.spec.dataset or job.name == model.name)


def _value(value: object) -> str:
    return canonical_number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else safe(value)
