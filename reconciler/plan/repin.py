"""What it would cost to write a digest into data sets: a digest is part of what is trained, so one too many buys again. Pure.

A pin is free when no plan of any environment buys with it what it did not buy without it, and nothing was bought, or may
have been, for the spec as it is: what is only held back now would be bought again later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from reconciler.job import DOUBTFUL, Sent
from reconciler.model import Catalog, Model, make_spec
from reconciler.money import ZERO, Money
from reconciler.plan.change import Plan
from reconciler.state import State

PlanOf = Callable[[Catalog], Plan]


class Verdict(NamedTuple):
    """Which pins are free, and what the others would cost (USD), by the name of the model's block."""

    free: frozenset[str]
    costly: Mapping[str, Money]


def block_of(name: str) -> str:
    """The name of the block that declares a model: a sweep declares all its combinations."""
    return name.partition("@")[0]


def repinned(catalog: Catalog, sha256s: Mapping[str, str]) -> Catalog:
    """The catalog with these digests (by block) in the manifests."""
    return replace(catalog, models={name: _repinned(model, sha256s.get(block_of(name))) for name, model in catalog.models.items()})


def _repinned(model: Model, sha256: str | None) -> Model:
    if sha256 is None or model.dataset.sha256 == sha256:
        return model
    identity = f"id:{model.dataset.id}" if model.dataset.id else f"sha256:{sha256}"
    dataset = replace(model.dataset, sha256=sha256, identity=identity)
    spec = model.spec
    if spec.dataset == identity:
        return replace(model, dataset=dataset)
    fresh = make_spec(spec.trainer, identity, dict(spec.parameters), generation=spec.generation, salt=spec.salt)
    return replace(model, dataset=dataset, spec=fresh)


def judge(catalogs: Sequence[Catalog], state: State, sha256s: Mapping[str, str], plan_of: PlanOf) -> Verdict:
    """Which of these digests (by block) can be written for nothing, all of them together, whatever environment is applied."""
    before = [_paid(plan_of(catalog)) for catalog in catalogs]
    with_all = [plan_of(repinned(catalog, sha256s)) for catalog in catalogs]
    wanted = dict(sha256s)
    for block in _bought_blocks(catalogs, state, sha256s):
        del wanted[block]
    while wanted:
        blamed = {b for catalog, paid in zip(catalogs, before, strict=True) for b in _blamed(catalog, repinned(catalog, wanted), paid, wanted, plan_of)}
        if not blamed:
            break
        wanted = {block: sha for block, sha in wanted.items() if block not in blamed}
    costly = {block: _cost_of(block, with_all, before) for block in sha256s if block not in wanted}
    return Verdict(frozenset(wanted), costly)


def _paid(plan: Plan) -> frozenset[str]:
    return frozenset(change.name for change in plan.changes if change.action.is_paid)


def _bought_blocks(catalogs: Sequence[Catalog], state: State, sha256s: Mapping[str, str]) -> set[str]:
    """Blocks whose spec would be another one although something was bought, or may have been, for the one that it is."""
    bought = {job.spec_digest for job in state.jobs.values()}
    bought |= {a.spec_digest for a in state.attempts.values() if a.status in DOUBTFUL or a.status is Sent.ACCEPTED}
    found = set()
    for catalog in catalogs:
        after = repinned(catalog, sha256s)
        found |= {block_of(n) for n, m in catalog.models.items() if m.spec.digest in bought and after.models[n].spec.digest != m.spec.digest}
    return found


def _blamed(catalog: Catalog, after: Catalog, paid: frozenset[str], wanted: Mapping[str, str], plan_of: PlanOf) -> set[str]:
    """The pins that make the plan of one environment buy more: of the models themselves, or of those whose job they would have shared."""
    more = _paid(plan_of(after)) - paid
    if not more:
        return set()
    digests = {catalog.models[name].spec.digest for name in more if name in catalog.models}
    sharing = {block_of(n) for n, m in catalog.models.items() if m.spec.digest in digests}
    return (sharing | {block_of(name) for name in more}) & wanted.keys() or set(wanted)


def _cost_of(block: str, plans: Sequence[Plan], before: Sequence[frozenset[str]]) -> Money:
    """What the pin would make the plans buy; the highest of the environments, because jobs are shared."""
    return max(
        (
            sum((c.cost for c in plan.changes if c.action.is_paid and block_of(c.name) == block and c.name not in paid), ZERO)
            for plan, paid in zip(plans, before, strict=True)
        ),
        default=ZERO,
    )
