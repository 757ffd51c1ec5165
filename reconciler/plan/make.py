"""Make a plan: a pure function of what is wanted, what is known, what it costs and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.diagnostics import Diagnostic, in_order
from reconciler.errors import Invalid
from reconciler.model import Catalog, Model
from reconciler.money import ZERO, PriceBook
from reconciler.plan.action import Action
from reconciler.plan.acts import Acts, acts_of, adopt, retire, unknown_attempts
from reconciler.plan.change import Change, Cost, Plan
from reconciler.plan.diff import Want, decide, link_of, settle
from reconciler.plan.digests import plan_digest, spend_digest
from reconciler.plan.document import change_document
from reconciler.plan.doubt import Doubts, doubts_of
from reconciler.plan.guards import Case, judge
from reconciler.plan.known import Known, know
from reconciler.plan.moment import Month, month_of
from reconciler.plan.prices import Prices, check_prices
from reconciler.plan.request import Request
from reconciler.plan.rest import Rest
from reconciler.plan.selection import match_names, select
from reconciler.plan.spending import spent_in
from reconciler.policy import Policy
from reconciler.state import State
from reconciler.text import money_text, redact, safe

__all__ = ["Request", "make_plan"]

_EVERYTHING = Request()


def make_plan(
    catalog: Catalog,
    state: State,
    *,
    prices: PriceBook,
    policy: Policy,
    request: Request = _EVERYTHING,
    now: str,
    endpoint: str = "",
    only: frozenset[str] | None = None,
    rest: Rest | None = None,
) -> Plan:
    """The difference between `catalog` and `state`, with its cost and what limits say. `now` is UTC ISO 8601 with Z.

    `only` takes the place of the request's selection: what still exists of these names, even nothing.
    `rest`: what was left out of both because it is as wanted; not together with a selection or limits by label.

    Raises Invalid for a selection that matches nothing, a purchase without a price, a time zone that is not known.
    """
    known = know(state, catalog.environment)
    if rest is not None:
        known = known.about(rest.about)
    acts = acts_of(catalog, known)
    doubts = doubts_of(known, catalog.models, catalog.resolutions)
    work = _Work(catalog, known, acts, doubts, Prices(prices, now[:10]), request, now, only)
    changes, unchanged = work.changes()
    case = _case(work, changes, policy, rest)
    verdict = judge(case)
    plan = Plan(
        environment=catalog.environment,
        lineage=state.lineage,
        serial=state.serial,
        changes=changes,
        cost=_cost(case, work.prices),
        prices=work.prices.in_force({m.spec.trainer for m in catalog.models.values()} | (rest.trainers if rest is not None else frozenset())),
        budgets=verdict.budgets,
        refusals=verdict.refusals,
        diagnostics=tuple(in_order([*verdict.warnings, *unknown_attempts(catalog, known)])),
        complete=work.selected is None,
        unchanged=unchanged + (0 if rest is None else rest.models),
        endpoint=endpoint,
        created_at=now,
        request=request,
    )
    return with_digests(plan)


def _case(work: _Work, changes: tuple[Change, ...], policy: Policy, rest: Rest | None) -> Case:
    """What limits look at: the changes, and of the whole catalog and the whole state what was left out of both."""
    month = _month(work.now, policy)
    spent, models = spent_in(work.known.state, month), len(work.catalog.models)
    if rest is not None:
        spent, models = spent._replace(bought=rest.bought, jobs=rest.bought_jobs), models + rest.models
    return Case(changes, work.catalog, work.known.state, policy, work.request, work.allowed_retrains, month, spent, models)


def with_digests(plan: Plan) -> Plan:
    """`plan` with the digests of its changes."""
    paid = ((c.name, c.spec_digest or "", money_text(c.cost)) for c in plan.changes if c.action.is_paid)
    rows = map(change_document, plan.changes)
    return replace(plan, spend_digest=spend_digest(paid), plan_digest=plan_digest(plan.environment, plan.lineage, redact(plan.endpoint), rows))


@dataclass(slots=True)
class _Work:
    """One plan in the making: the inputs, indexed, and which names it is about."""

    catalog: Catalog
    known: Known
    acts: Acts
    doubts: Doubts
    prices: Prices
    request: Request
    now: str
    only: frozenset[str] | None
    selected: frozenset[str] | None = None
    allowed_retrains: frozenset[str] = frozenset()

    def changes(self) -> tuple[tuple[Change, ...], int]:
        """All changes by name, and how many models are as wanted."""
        models = self.catalog.models
        self._select()
        names = models.keys() if self.selected is None else models.keys() & self.selected
        replaced = match_names("-replace", self.request.replace, sorted(models))
        decided = [self._declared(models[name], replace=name in replaced) for name in names]
        wants = [d for d in decided if isinstance(d, Want)]
        changes = [d for d in decided if isinstance(d, Change)]
        adopted = {c.spec_digest: c.name for c in sorted(changes, key=_by_name, reverse=True) if c.action is Action.ADOPT and c.spec_digest is not None}
        changes += settle(wants, adopted=adopted, price_of=self.prices.of, allow_retrain=self.allowed_retrains)
        changes += self._undeclared()
        check_prices(changes, self.prices)
        return tuple(sorted(changes, key=_by_name)), sum(d is None for d in decided)

    def _select(self) -> None:
        models = self.catalog.models
        everything = models.keys() | self.known.bindings.keys() | self.known.doubts_by_name.keys() | self.acts.adoptions.keys()
        if self.request.allow_retrain:
            self.allowed_retrains = match_names("-allow-retrain", self.request.allow_retrain, sorted(models))
        if self.only is not None:
            self.selected = _with_renames(self.only, self.acts.sources, frozenset())
            return
        if not self.request.is_selective:
            return
        chosen = select(self.request, {name: self._labels(name) for name in everything})
        assert chosen is not None, "a selective request selects"
        self.selected = _with_renames(chosen, self.acts.sources, match_names("-exclude", self.request.excludes, sorted(everything)))

    def _labels(self, name: str) -> Mapping[str, str]:
        if (model := self.catalog.models.get(name)) is not None:
            return dict(model.labels)
        binding = self.known.bindings.get(name)
        return {} if binding is None else binding.metadata.get("labels") or {}

    def _declared(self, model: Model, *, replace: bool) -> Change | Want | None:
        source = self.acts.sources.get(model.name)
        if (doubt := self.doubts.of_model(model, source)) is not None:
            return doubt
        if (act := self.acts.adoptions.get(model.name)) is not None:
            return adopt(act, model=model, source=source, known=self.known)
        return decide(link_of(model, source, self.known), self.known, replace=replace, price_of=self.prices.of, now=self.now)

    def _undeclared(self) -> list[Change]:
        models, taken = self.catalog.models, set(self.acts.sources.values())
        names = (self.known.bindings.keys() - taken) | self.known.doubts_by_name.keys() | self.acts.adoptions.keys()
        changes = []
        for name in names - models.keys():
            if self.selected is not None and name not in self.selected:
                continue
            if (doubt := self.doubts.of_undeclared(name)) is not None:
                changes.append(doubt)
            elif (act := self.acts.adoptions.get(name)) is not None:
                changes.append(adopt(act, model=None, source=None, known=self.known))
            else:
                changes.append(retire(name, self.acts, self.known))
        return changes


def _by_name(change: Change) -> str:
    return change.name


def _with_renames(chosen: frozenset[str], sources: Mapping[str, str], excluded: frozenset[str]) -> frozenset[str]:
    """A rename is one thing: it is selected by either of its names, and left out by either."""
    result = set(chosen)
    for target, source in sources.items():
        if target in excluded or source in excluded:
            result -= {target, source}
        elif target in chosen or source in chosen:
            result |= {target, source}
    return frozenset(result)


def _month(now: str, policy: Policy) -> Month:
    monthly = policy.budget.per_month
    timezone = "UTC" if monthly is None else monthly.timezone
    try:
        return month_of(now, timezone)
    except ValueError as error:
        place = policy.places.get("budget.per_month.timezone") or policy.places.get("budget.per_month")
        raise Invalid([Diagnostic("error", "no-such-timezone", safe(error), "use an IANA name such as Europe/Berlin, or UTC", place)]) from None


def _cost(case: Case, prices: Prices) -> Cost:
    in_doubt = sum((a.price for a in case.state.doubts), ZERO)
    budget = case.policy.budget
    return Cost(
        due=case.due,
        worst=case.due + in_doubt,
        avoided=sum((c.avoided for c in case.changes), ZERO),
        in_doubt=in_doubt,
        spent_month=case.spent.bought,
        month=case.month.name,
        jobs_month=case.spent.jobs,
        price_since=prices.since(c.model for c in case.paid if c.model is not None),
        limit=None if budget.per_month is None else budget.per_month.limit,
    )
