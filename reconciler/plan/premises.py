"""An approved plan against the world of today: what is done already is skipped, cheaper is fine, anything more is a difference.

Judged by its own premises and not by the state's serial: polls and what other models do change nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.canonical import digest_of
from reconciler.errors import Invalid, PlanChanged
from reconciler.model import Catalog
from reconciler.money import Money, PriceBook
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import Change, Plan
from reconciler.plan.make import make_plan
from reconciler.plan.metadata import metadata_to_bind
from reconciler.plan.request import Request
from reconciler.plan.saved import SavedPlan
from reconciler.plan.selection import match_names
from reconciler.policy import Policy
from reconciler.state import State
from reconciler.text import format_money, redact, safe, short_digest

MOST_LISTED = 25
SHORTEST_DIGEST = 12
_IDLE = frozenset({Action.WAIT, Action.HELD, Action.IN_DOUBT, Action.UNCHANGED})
_MANIFEST_HOLDS = frozenset({Reason.PROTECTED, Reason.SUSPENDED})


class Difference(NamedTuple):
    """One thing that is not as it was approved. `name` is empty for the plan as a whole."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{safe(self.name)}: {self.before} → {self.after}" if self.name else f"{self.before} → {self.after}"


def approved_plan(
    saved: SavedPlan,
    catalog: Catalog,
    state: State,
    *,
    prices: PriceBook,
    policy: Policy,
    now: str,
    endpoint: str = "",
    max_cost: Money | None = None,
    allow_retrain: tuple[str, ...] = (),
    allow_forget: int | None = None,
) -> Plan:
    """What is left to do of an approved plan, made from today's state, with today's limits.

    Raises PlanChanged with all differences when it would be more than, other than or dearer than what was approved.
    """
    request = _request_of_today(saved, state, catalog)
    request = request._replace(
        max_cost=request.max_cost if max_cost is None else max_cost,
        allow_retrain=request.allow_retrain + allow_retrain,
        allow_forget=request.allow_forget if allow_forget is None else allow_forget,
    )
    only = frozenset(c.name for c in saved.plan.changes) if saved.request.is_selective else None
    require_same_world(saved, environment=catalog.environment, lineage=state.lineage, endpoint=endpoint)
    fresh = make_plan(catalog, state, prices=prices, policy=policy, request=request, now=now, endpoint=endpoint, only=only)
    refuse(differences(saved, fresh, catalog=catalog, state=state))
    return fresh


def differences(saved: SavedPlan, fresh: Plan, *, catalog: Catalog, state: State) -> list[Difference]:
    """Everything in which `fresh` goes beyond `saved`, by name."""
    approved = {c.name: c for c in saved.plan.changes}
    now = {c.name: c for c in fresh.changes}
    found: list[Difference] = []
    for name in sorted(approved.keys() | now.keys()):
        before, after = approved.get(name), now.get(name)
        if before is None:
            assert after is not None, "a name is in one of the two"
            found += _unapproved(after)
            continue
        wanted = list(_manifest_changed(before, saved.metadata.get(name), catalog, state))
        found += wanted or (list(_beyond(before, after)) if after is not None else [])
    return found


def require_same_world(saved: SavedPlan, *, environment: str, lineage: str, endpoint: str) -> None:
    """Raise PlanChanged when the plan was made for another environment, history or server."""
    pairs = (
        ("environment", saved.plan.environment, environment),
        ("lineage", saved.plan.lineage, lineage),
        ("endpoint", saved.plan.endpoint, redact(endpoint)),
    )
    refuse([Difference("", f"{what} {safe(before or 'none')}", safe(after or "none")) for what, before, after in pairs if before != after])


def require_digest(flag: str, given: str, actual: str) -> None:
    """Raise PlanChanged unless `given`, whole or its first 12 or more digits, is the digest `actual`."""
    digits = given.strip().lower().removeprefix("sha256:")
    if len(digits) < SHORTEST_DIGEST or not actual.removeprefix("sha256:").startswith(digits):
        raise PlanChanged(f"{flag}: this plan's digest is {short_digest(actual)}, not {safe(given, limit=80)}; nothing was bought", hint="review a new plan")


def refuse(found: list[Difference]) -> None:
    """Raise PlanChanged when there is any difference."""
    if not found:
        return
    lines = [f"  {difference}" for difference in found[:MOST_LISTED]]
    if len(found) > MOST_LISTED:
        lines.append(f"  and {len(found) - MOST_LISTED} more")
    raise PlanChanged(
        "\n".join(["the plan is not the approved one any more; nothing was bought:", *lines]), hint="review a new plan: reconciler plan -out=FILE"
    )


def _request_of_today(saved: SavedPlan, state: State, catalog: Catalog) -> Request:
    """The approved request without the -replace of models that were bought since: nobody agreed to buy them twice."""
    request = saved.request
    known = sorted(catalog.models)
    forced: frozenset[str] = frozenset()
    if request.replace:
        done = _replaced_since(saved, state)
        rows = [c for c in saved.plan.changes if c.name in catalog.models and c.name not in done and c.shares not in done]
        forced = frozenset(c.name for c in rows if c.reason is Reason.REQUESTED or c.shares or c.action is Action.HELD)
        forced &= _globbed(request.replace, known)
    return request._replace(replace=tuple(sorted(forced)), allow_retrain=tuple(sorted(_globbed(request.allow_retrain, known))))


def _globbed(patterns: tuple[str, ...], names: list[str]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for pattern in patterns:
        try:
            found |= match_names("", (pattern,), names)
        except Invalid:
            continue  # what it named is gone; the comparison of the changes says so
    return found


def _replaced_since(saved: SavedPlan, state: State) -> frozenset[str]:
    """Names whose approved -replace was carried out: a job of their spec is there that the approval did not know."""
    forced = {c.spec_digest: c for c in saved.plan.changes if c.action.is_paid and c.reason is Reason.REQUESTED}
    if not forced:
        return frozenset()
    return frozenset(
        change.name
        for job in state.jobs.values()
        if (change := forced.get(job.spec_digest)) is not None and not job.superseded and job.id not in change.consents
    )


def _manifest_changed(before: Change, metadata: str | None, catalog: Catalog, state: State) -> Iterator[Difference]:
    """Whether the model is still declared as it was approved."""
    model = catalog.models.get(before.name)
    if before.action is Action.FORGET or (before.action is Action.HELD and before.reason is Reason.NOT_DECLARED):
        if model is not None:
            yield Difference(before.name, "not declared", "declared again")
        return
    if metadata is None:
        return  # it was not declared when it was approved either
    if model is None:
        yield Difference(before.name, _words(before), "no longer declared")
    elif model.spec.digest != before.spec_digest:
        yield Difference(before.name, f"{_words(before)}, spec {short_digest(before.spec_digest or '')}", f"spec {short_digest(model.spec.digest)}")
    else:
        binding = state.bindings.get((catalog.environment, before.previous_name or "")) or state.bindings.get((catalog.environment, before.name))
        if digest_of(metadata_to_bind(model, None if binding is None else binding.metadata)) != metadata:
            yield Difference(before.name, "labels, description, trigger and lifecycle as approved", "edited since")


def _unapproved(after: Change) -> Iterator[Difference]:
    if after.action not in _IDLE:
        yield Difference(after.name, "not in the approved plan", _words(after))


def _beyond(before: Change, after: Change) -> Iterator[Difference]:
    """How today's change of a name exceeds its approved one, when the manifest says the same about it."""
    if after.action is Action.HELD and after.reason in _MANIFEST_HOLDS and before.action.is_paid:
        yield Difference(after.name, _words(before), _words(after))
    elif after.action.is_paid:
        same = before.action.is_paid and set(after.consents) <= set(before.consents)
        if not same or after.cost > before.cost:
            yield Difference(after.name, _words(before), _words(after))
    elif (after.action is Action.FORGET and before.action is not Action.FORGET) or (
        after.action is Action.ADOPT and (before.action is not Action.ADOPT or before.request_id != after.request_id)
    ):
        yield Difference(after.name, _words(before), _words(after))


def _words(change: Change) -> str:
    """A change in a few words: `retrain for $8.00 (steps 1500 → 2000)`."""
    cost = f" for {format_money(change.cost)}" if change.action.is_paid else ""
    fields = "; ".join(f"{f.path} {safe(f.before, limit=60)} → {safe(f.after, limit=60)}" for f in change.fields[:3])
    return f"{change.action.word}{cost}{f' ({fields})' if fields else ''}"
