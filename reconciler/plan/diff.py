"""The decision: what happens to one declared model, given everything that is known.

Each model is decided by itself; only what has to be bought looks at its neighbours, because one purchase serves all
names that want the same spec. Nothing here knows prices or selections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.job import Binding, Job, Phase
from reconciler.model import Model
from reconciler.money import ZERO, Money
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import Change, FieldChange
from reconciler.plan.fields import is_covered, reason_of, spec_changes
from reconciler.plan.hold import Hold, failure, protection, suspension
from reconciler.plan.known import Known, latest
from reconciler.plan.metadata import metadata_changes, metadata_to_bind
from reconciler.plan.moment import seconds_between
from reconciler.text import format_duration, format_money

PriceOf = Callable[[Model], Money | None]
"""What one run of a model costs today (USD), or None where no price is known."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a model's name points to before this plan: its own binding, or the one it takes over from `source`."""

    model: Model
    binding: Binding | None
    job: Job | None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """A model that needs a job bought. Whether it is, and for which name, is settled among all wants of the same spec."""

    link: Link
    reason: Reason
    fields: tuple[FieldChange, ...] = ()
    consents: tuple[str, ...] = ()
    hold: Hold | None = None

    @property
    def model(self) -> Model:
        """The model that wants it."""
        return self.link.model


def link_of(model: Model, source: str | None, known: Known) -> Link:
    """Where `model` stands: by its own name, else by the name it was called before."""
    binding = known.bindings.get(model.name if source is None else source)
    return Link(model, binding, known.job_of(binding), source)


def decide(link: Link, known: Known, *, replace: bool, price_of: PriceOf, now: str) -> Change | Want | None:
    """What happens to one model that nothing in doubt blocks; None when it is as wanted."""
    model = link.model
    if replace:
        return _forced(link, known)
    fields = () if link.job is None or link.job.spec_digest == model.spec.digest else spec_changes(model, link.job.spec)
    if link.job is not None and _stays(link, link.job, fields, known):
        return _keep(link, link.job, now)
    if (job := known.usable(model.spec.digest)) is not None:
        return _reuse(link, job, fields, known, price_of)
    return _want(link, fields, known)


def settle(wants: Sequence[Want], *, adopted: Mapping[str, str], price_of: PriceOf, allow_retrain: frozenset[str]) -> list[Change]:
    """One purchase per spec: the first name that nothing holds buys, the others share its job; without a buyer all are held.

    `adopted`: spec digest → the name whose take-over in this plan brings a job for it; only -replace buys beside that.
    """
    changes: list[Change] = []
    buyers: dict[str, str] = {}
    held: list[tuple[Want, Hold]] = []
    for want in sorted(wants, key=lambda w: w.model.name):
        digest = want.model.spec.digest
        if digest in adopted and want.reason is not Reason.REQUESTED:
            changes.append(_share(want, adopted[digest], "adopted", price_of))
            continue
        hold = want.hold or suspension(want.model, price_of(want.model)) or _protection(want, allow_retrain, price_of)
        if hold is not None:
            held.append((want, hold))
        elif digest in buyers:
            changes.append(_share(want, buyers[digest], "bought", price_of))
        else:
            buyers[digest] = want.model.name
            changes.append(_buy(want, price_of))
    for want, hold in held:
        buyer = buyers.get(want.model.spec.digest)
        changes.append(_held(want, hold) if buyer is None else _share(want, buyer, "bought", price_of))
    return changes


def _stays(link: Link, job: Job, fields: tuple[FieldChange, ...], known: Known) -> bool:
    """Whether the name may keep the job it points to. It leaves a replaced job only for the replacement bought under its own name."""
    if not job.phase.is_usable or not is_covered(fields, link.model):
        return False
    if not job.superseded:
        return True
    successor = known.usable(job.spec_digest)
    return successor is None or successor.superseded or (successor.environment, successor.name) != (known.environment, link.model.name)


def _keep(link: Link, job: Job, now: str) -> Change | None:
    model, binding = link.model, link.binding
    assert binding is not None, "a job that is kept is bound"
    fields = metadata_changes(model, binding.metadata)
    if link.source is not None:
        return _bound(link, Action.MOVE, Reason.RENAMED, job, fields=fields, note=f"was {link.source}")
    if fields:
        return _bound(link, Action.UPDATE, Reason.METADATA_ONLY, job, fields=fields)
    if job.phase.is_pending:
        since = job.running_at if job.phase is Phase.RUNNING and job.running_at else job.submitted_at
        age = format_duration(seconds_between(since, now))
        return _bound(link, Action.WAIT, Reason.TRAINING, job, note=f"{job.phase} for {age}")
    return None


def _reuse(link: Link, job: Job, fields: tuple[FieldChange, ...], known: Known, price_of: PriceOf) -> Change:
    elsewhere = known.is_bound_elsewhere_only(job)
    names = known.names_of_job.get(job.id, [])
    other = next((name if env == known.environment else f"{name} in {env}" for env, name in names if (env, name) != (known.environment, link.model.name)), None)
    was = other or job.name
    note = f"same spec as {was} (job {job.id})" if was and was != link.model.name else f"job {job.id} was bought for this spec already"
    return _bound(
        link,
        Action.REUSE,
        Reason.PROMOTED if elsewhere else Reason.SAME_SPEC,
        job,
        fields=fields,
        avoided=price_of(link.model) or ZERO,
        previous_job=_still_usable(link.job),
        note=note,
    )


def _bound(
    link: Link,
    action: Action,
    reason: Reason,
    job: Job,
    *,
    fields: tuple[FieldChange, ...] = (),
    avoided: Money = ZERO,
    previous_job: str | None = None,
    note: str = "",
) -> Change:
    """A free change after which the name points to `job`."""
    return Change(
        link.model.name,
        action,
        reason,
        avoided=avoided,
        fields=fields,
        spec_digest=link.model.spec.digest,
        job=job.id,
        previous_job=previous_job,
        previous_name=link.source,
        place=link.model.place,
        note=note,
        model=link.model,
        metadata=_metadata(link),
    )


def _want(link: Link, fields: tuple[FieldChange, ...], known: Known) -> Want:
    """No job can be used: buy the first one, or decide about failed ones."""
    model = link.model
    jobs = known.jobs(model.spec.digest)
    if not jobs and link.job is not None and fields and is_covered(fields, model):
        jobs = known.jobs(link.job.spec_digest)  # only ignored fields differ: the failure is this model's own
    if not jobs:
        reason = Reason.NEW_MODEL if link.job is None else reason_of(fields)
        return Want(link, reason, fields)
    return Want(link, Reason.FAILED_RETRY, fields, _consents(jobs), failure(model, latest(jobs), len(jobs)))


def _forced(link: Link, known: Known) -> Want:
    fields = () if link.job is None else spec_changes(link.model, link.job.spec)
    return Want(link, Reason.REQUESTED, fields, _consents(known.jobs(link.model.spec.digest)))


def _consents(jobs: Sequence[Job]) -> tuple[str, ...]:
    return tuple(sorted(j.id for j in jobs if not j.superseded))


def _protection(want: Want, allow_retrain: frozenset[str], price_of: PriceOf) -> Hold | None:
    if want.link.binding is None or want.model.name in allow_retrain:
        return None
    return protection(want.model, want.link.binding, price_of(want.model))


def _buy(want: Want, price_of: PriceOf) -> Change:
    link, model, old = want.link, want.model, want.link.job
    note = ""
    if old is not None and old.phase.is_pending:
        note = f"the previous {format_money(old.price)} cannot be cancelled; it will finish and stay usable"
    return Change(
        model.name,
        Action.TRAIN if link.binding is None else Action.RETRAIN,
        want.reason,
        cost=price_of(model) or ZERO,
        fields=want.fields,
        spec_digest=model.spec.digest,
        previous_job=_still_usable(old),
        previous_name=link.source,
        consents=want.consents,
        place=model.place,
        note=note,
        model=model,
        metadata=_metadata(link),
    )


def _share(want: Want, other: str, how: str, price_of: PriceOf) -> Change:
    link, model = want.link, want.model
    return Change(
        model.name,
        Action.REUSE,
        Reason.SAME_SPEC,
        avoided=price_of(model) or ZERO,
        fields=want.fields,
        spec_digest=model.spec.digest,
        previous_job=_still_usable(link.job),
        previous_name=link.source,
        shares=other,
        place=model.place,
        note=f"same spec as {other}, {how} in this plan",
        model=model,
        metadata=_metadata(link),
    )


def _held(want: Want, hold: Hold) -> Change:
    """Nothing is bought. Where only a protection is in the way that this manifest lifts, lifting it is what this plan does."""
    link, model = want.link, want.model
    lifts = hold.is_lifted_by_update and link.source is None and link.binding is not None
    fields = want.fields
    if lifts and link.binding is not None:
        fields = metadata_changes(model, link.binding.metadata)
    return Change(
        model.name,
        Action.UPDATE if lifts else Action.HELD,
        hold.reason,
        fields=fields,
        spec_digest=model.spec.digest,
        job=hold.job or (link.job.id if link.job else None),
        previous_name=link.source,
        place=model.place,
        note=hold.note,
        model=model,
        metadata=_metadata(link),
    )


def _metadata(link: Link) -> dict[str, object]:
    return metadata_to_bind(link.model, None if link.binding is None else link.binding.metadata)


def _still_usable(job: Job | None) -> str | None:
    return job.id if job is not None and job.phase.is_usable else None
