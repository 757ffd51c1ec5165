"""Why a plan says what it says about one name: the facts the decision was made from, in the order in which they were asked.

Facts only; how they are laid out is the business of `reports`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.job import Job
from reconciler.model import Catalog, Model
from reconciler.plan.action import Action
from reconciler.plan.change import Change, Plan
from reconciler.plan.known import Known, know
from reconciler.plan.metadata import place_of
from reconciler.plan.selection import match_names
from reconciler.state import State
from reconciler.text import format_money, plural, safe, short_digest


class Step(NamedTuple):
    """One question and what the files and the state answered."""

    question: str
    answer: str


def explain(name: str, plan: Plan, catalog: Catalog, state: State) -> tuple[Step, ...]:
    """How the plan came to its decision about `name`. Raises Invalid for a name that nobody knows, with the nearest ones."""
    known = know(state, plan.environment)
    change = next((c for c in plan.changes if c.name == name), None)
    model = catalog.models.get(name)
    if change is None and model is None:
        match_names("-explain", (name,), sorted({*catalog.models, *known.bindings, *(c.name for c in plan.changes)}))
    return tuple(_steps(name, model, change, known))


def _steps(name: str, model: Model | None, change: Change | None, known: Known) -> Iterator[Step]:
    yield Step("declared", "no longer" if model is None else f"in {model.place.file}:{model.place.line}, spec {short_digest(model.spec.digest)}")
    if model is not None:
        yield from (Step(f"  {path}", f"{safe(value)} ({_place(model, path)})") for path, value in _values(model))
    bound = known.job_of(known.bindings.get(name))
    yield Step("points to", "nothing" if bound is None else f"{_job(bound)}")
    digest = model.spec.digest if model is not None else None
    doubts = known.doubts_by_name.get(name, []) + (known.doubts_by_digest.get(digest, []) if digest else [])
    attempts = sorted({a.id: a for a in doubts}.values(), key=lambda a: a.id)
    yield Step("in doubt", "; ".join(f"{a.id} for {a.name} ({a.environment}), {format_money(a.price)}" for a in attempts) or "nothing")
    if digest is not None:
        jobs = known.jobs(digest)
        yield Step("bought for this spec", f"{plural(len(jobs), 'job')}: {'; '.join(map(_job, jobs))}" if jobs else "nothing")
        usable = known.usable(digest)
        yield Step("of these, usable", "none" if usable is None else usable.id)
    yield Step("decision", _decision(change))


def _values(model: Model) -> Iterator[tuple[str, object]]:
    yield "trainer", model.spec.trainer
    yield "dataset", model.spec.dataset
    yield from model.spec.parameters
    yield "generation", model.spec.generation


def _place(model: Model, path: str) -> str:
    place = place_of(model, path)
    return f"{place.file}:{place.line}"


def _job(job: Job) -> str:
    replaced = ", replaced with consent" if job.superseded else ""
    return f"{job.id} {job.phase}, {format_money(job.price)}, spec {short_digest(job.spec_digest)}{replaced}"


def _decision(change: Change | None) -> str:
    if change is None:
        return "unchanged: it points to a usable job of its spec, and nothing else differs"
    cost = f", {format_money(change.cost)}" if change.action.is_paid else ""
    doubt = f", {format_money(change.at_risk)} may be spent" if change.action is Action.IN_DOUBT else ""
    return f"{change.action.word} ({change.reason}){cost}{doubt}{f': {change.note}' if change.note else ''}"
