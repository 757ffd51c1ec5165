"""The end of a doubt: an id that was found, or the word of a person that nothing was submitted. And jobs taken over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.engine.origin import Origin
from reconciler.engine.purchase import job_id
from reconciler.errors import ApiProblem, Invalid, StateProblem
from reconciler.event import Event
from reconciler.fact import Draft, adoption, binding, resolution
from reconciler.job import Attempt, Job, Sent
from reconciler.job import job_of_attempt as begun_by
from reconciler.model import Catalog, Model
from reconciler.money import ZERO
from reconciler.ports import Clock, TrainerApi, Writer
from reconciler.state import State
from reconciler.text import money_text
from reconciler.verdict import Observation


def in_doubt(state: State, *, is_alone: bool = False) -> list[Attempt]:
    """The attempts that need somebody, oldest first: all doubts but what another runner is sending right now.

    `is_alone`: there is no other runner, so whatever has no outcome at the end of an apply was ours.
    """
    return [a for a in state.doubts if is_alone or a.status is Sent.IN_DOUBT]


def find_doubt(state: State, environment: str, name: str) -> Attempt:
    """The attempt in doubt of a name, or the attempt of that id. Raises Invalid when nothing is in doubt there."""
    doubts = [a for a in state.doubts if a.id == name or (a.name == name and a.environment == environment)]
    if not doubts:
        doubts = [a for a in state.doubts if a.name == name]
    if not doubts:
        written_off = [a for a in state.attempts.values() if a.id == name and a.status is Sent.WRITTEN_OFF]
        if written_off:
            return written_off[0]
        raise Invalid((), f"nothing is in doubt for {name!r}", hint="`reconciler status` lists what is")
    if len(doubts) > 1:
        ids = ", ".join(a.id for a in doubts)
        raise Invalid((), f"{len(doubts)} attempts are in doubt for {name!r}: {ids}", hint="name the attempt instead of the model")
    return doubts[0]


@dataclass(frozen=True, slots=True)
class Found:
    """A job that the API was asked about before it is believed."""

    job: Job
    seen: Observation


def ask(api: TrainerApi, job: Job) -> Found:
    """Poll an id before it is believed. Raises ApiProblem when the API does not know it, or cannot be asked."""
    seen = api.observe(job)
    if seen.stop or (seen.trouble and not seen.missing):
        raise ApiProblem(f"request id {job.request_id!r} could not be checked: {seen.stop or seen.trouble}; nothing was changed", hint="try again later")
    if seen.missing:
        raise ApiProblem(f"the API does not know request id {job.request_id!r}; nothing was changed", hint="check the id; one id belongs to one endpoint")
    return Found(job, seen)


def job_of_attempt(attempt: Attempt, request_id: str) -> Job:
    """The job that an attempt would be, were `request_id` its answer."""
    return begun_by(attempt, job_id=job_id(attempt.id), request_id=request_id)


def refuse_known(state: State, request_id: str) -> None:
    """Raise Invalid when a job with this id exists already: one id is one purchase."""
    for job in state.jobs.values():
        if job.request_id == request_id:
            raise Invalid((), f"request id {request_id!r} is job {job.id} of {job.name!r} already", hint="`reconciler jobs list` shows every job")


def accept(writer: Writer, clock: Clock, attempt: Attempt, request_id: str, *, reason: str, actor: str, metadata: Mapping[str, Any] | None) -> None:
    """Write down that the doubt was a purchase: the job, and the name that points to it (with what is declared of it)."""
    now = clock.now()
    job = job_id(attempt.id)
    facts: list[Draft] = [resolution(now, attempt.id, request_id=request_id, job=job, reason=reason, actor=actor)]
    if metadata is not None:
        facts.append(binding(now, environment=attempt.environment, name=attempt.name, job=job, metadata=metadata, reason="resolved"))
    writer.record_outcome(facts)


def salvage(writer: Writer, api: TrainerApi, clock: Clock, catalog: Catalog | None, *, actor: str) -> Iterator[Event]:
    """End the doubts whose id could be read in a broken answer, where the API knows it."""
    state = writer.state()
    for attempt in state.doubts:
        if attempt.salvaged is None or attempt.status is not Sent.IN_DOUBT:
            continue
        try:
            refuse_known(state, attempt.salvaged)
            ask(api, job_of_attempt(attempt, attempt.salvaged))
        except (ApiProblem, Invalid):
            continue
        model = None if catalog is None else catalog.models.get(attempt.name)
        metadata = model.metadata if model is not None else {}
        accept(writer, clock, attempt, attempt.salvaged, reason="its id was read in the broken answer, and the API knows it", actor=actor, metadata=metadata)
        data = {"attempt": attempt.id, "job": job_id(attempt.id), "request_id": attempt.salvaged, "price": money_text(attempt.price)}
        yield Event("purchase_accepted", clock.now(), f"found: it was bought as {attempt.salvaged}", attempt.name, "info", data)


def write_off(writer: Writer, clock: Clock, attempt: Attempt, *, reason: str, actor: str) -> None:
    """Write down that nothing was submitted. The next apply may buy it."""
    if attempt.status is not Sent.IN_DOUBT:
        raise StateProblem(f"attempt {attempt.id} is {attempt.status}, not in doubt; nothing was changed")
    writer.record([resolution(clock.now(), attempt.id, request_id=None, job=None, reason=reason, actor=actor, salvaged=attempt.salvaged)])


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A job bought elsewhere, and the model it is for. `model` None: it is kept in the ledger, bound to nothing."""

    environment: str
    name: str
    request_id: str
    note: str
    model: Model | None = None
    trainer: str = ""
    metadata: Mapping[str, Any] | None = None
    previous_name: str | None = None


def job_of_take_over(act: TakeOver, origin: Origin, now: str) -> Job:
    """The job that it will be. It was paid elsewhere, so its price here is 0."""
    spec = act.model.spec if act.model is not None else None
    return Job(
        id=f"j-{origin.new_id()}",
        environment=act.environment,
        name=act.name,
        trainer=spec.trainer if spec is not None else act.trainer,
        spec_digest=spec.digest if spec is not None else "",
        spec=spec.document() if spec is not None else {},
        price=ZERO,
        request_id=act.request_id,
        submitted_at=now,
        world=origin.world,
    )


def take_over(clock: Clock, act: TakeOver, job: Job, *, actor: str) -> list[Draft]:
    """The facts of a take-over: the job, and the name that points to it."""
    now = clock.now()
    facts = [adoption(now, job, note=act.note, actor=actor)]
    if act.model is not None:
        metadata = act.metadata if act.metadata is not None else act.model.metadata
        facts.append(binding(now, environment=act.environment, name=act.name, job=job.id, metadata=metadata, reason="adopt"))
        if act.previous_name is not None:
            facts.append(binding(now, environment=act.environment, name=act.previous_name, job=None, metadata={}, reason="adopt"))
    return facts
