"""Limits: what a plan may cost and do without somebody saying so. Decides nothing else; the plan is shown whole either way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from reconciler.diagnostics import Diagnostic, Place
from reconciler.model import Catalog
from reconciler.money import ZERO, Money
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import BudgetLine, Change, Refusal
from reconciler.plan.moment import Month
from reconciler.plan.request import Request
from reconciler.plan.spending import Spent, spent_by_label
from reconciler.policy import Policy
from reconciler.state import State
from reconciler.text import format_money, money_text, plural, safe

FEWEST_MODELS_FOR_PERCENT = 10


class Verdict(NamedTuple):
    """What the limits say about a plan: what refuses it, where its budgets stand, what to be warned of."""

    refusals: tuple[Refusal, ...]
    budgets: tuple[BudgetLine, ...]
    warnings: tuple[Diagnostic, ...]


class Case(NamedTuple):
    """Everything a limit may look at. `spent` is what the month has cost so far."""

    changes: tuple[Change, ...]
    catalog: Catalog
    state: State
    policy: Policy
    request: Request
    allowed_retrains: frozenset[str]
    month: Month
    spent: Spent
    models: int
    """How many models are declared."""

    @property
    def paid(self) -> list[Change]:
        """The purchases."""
        return [c for c in self.changes if c.action.is_paid]

    @property
    def due(self) -> Money:
        """What they cost."""
        return sum((c.cost for c in self.paid), ZERO)

    def place(self, limit: str) -> Place | None:
        """Where a limit, or what holds it, was written."""
        while limit:
            if (place := self.policy.places.get(limit)) is not None:
                return place
            limit = limit.rpartition(".")[0]
        return None


def judge(case: Case) -> Verdict:
    """Ask every limit. A plan that buys nothing is refused by none of those on money."""
    lines = tuple(_budget_lines(case))
    refusals = [r for check in _CHECKS for r in check(case)]
    refusals += [_over(line) for line in lines if case.due and line.after > line.limit and line.after > line.spent]
    return Verdict(tuple(refusals), lines, tuple(_warnings(case, lines)))


def _paused(case: Case) -> Iterator[Refusal]:
    pause = case.state.pause
    if pause is not None and case.paid:
        by = f" by {safe(pause.actor)}" if pause.actor else ""
        message = f"all purchases are paused since {pause.since}{by}: {safe(pause.reason)}"
        yield Refusal("paused", "pause", message, "reconciler resume")


def _max_cost(case: Case) -> Iterator[Refusal]:
    limit = case.request.max_cost
    if limit is not None and case.due > limit:
        message = f"-max-cost: {format_money(case.due)} due, limit {format_money(limit)}"
        yield Refusal("budget", "-max-cost", message, f"-max-cost={money_text(case.due)}")


def _max_trains(case: Case) -> Iterator[Refusal]:
    limit, count = case.policy.guards.max_trains, len(case.paid)
    if limit is not None and count > limit:
        message = f"guards.max_trains: {plural(count, 'training')} to buy, limit {limit}"
        yield Refusal("guard", "guards.max_trains", message, f"guards.max_trains: {count}", case.place("guards.max_trains"))


def _max_retrain_percent(case: Case) -> Iterator[Refusal]:
    limit, models = case.policy.guards.max_retrain_percent, case.models
    if limit is None or models < FEWEST_MODELS_FOR_PERCENT:
        return
    retrains = [c for c in case.changes if c.action is Action.RETRAIN and c.name not in case.allowed_retrains]
    percent = 100 * len(retrains) / models
    if percent > limit:
        name = "guards.max_retrain_percent"
        message = f"{name}: {len(retrains)} of {models} models ({percent:.3g} %) to retrain, limit {limit:g} %"
        yield Refusal("guard", name, message, "-allow-retrain=NAME", case.place(name))


def _max_forget(case: Case) -> Iterator[Refusal]:
    limit = case.request.allow_forget
    count = sum(c.action is Action.FORGET for c in case.changes)
    if limit is not None and count > limit:
        yield Refusal("guard", "-allow-forget", f"-allow-forget: {plural(count, 'name')} to forget, limit {limit}", f"-allow-forget={count}")


def _protected(case: Case) -> Iterator[Refusal]:
    """A protected model that would be trained again turns the plan red: nobody should learn of it from a row that was held."""
    for change in case.changes:
        if change.action is Action.HELD and change.reason is Reason.PROTECTED:
            message = f"lifecycle.prevent_retrain: {change.name} is protected and would be trained again"
            yield Refusal("guard", "lifecycle.prevent_retrain", message, f"-allow-retrain={change.name}", change.place)


def _dataset_digest(case: Case) -> Iterator[Refusal]:
    if case.policy.guards.require_dataset_digest == "error":
        for change in _without_digest(case):
            message = f"guards.require_dataset_digest: {change.name} would be trained on a dataset that is known by its URL alone"
            yield Refusal("guard", "guards.require_dataset_digest", message, f"dataset.sha256 in the manifest of {change.name}", change.place)


_CHECKS: tuple[Callable[[Case], Iterable[Refusal]], ...] = (
    _paused,
    _max_cost,
    _max_trains,
    _max_retrain_percent,
    _max_forget,
    _protected,
    _dataset_digest,
)


def _budget_lines(case: Case) -> Iterator[BudgetLine]:
    budget = case.policy.budget
    if budget.per_apply is not None:
        yield BudgetLine("budget.per_apply", "this apply", ZERO, case.due, budget.per_apply, place=case.place("budget.per_apply"))
    if (monthly := budget.per_month) is not None:
        before = case.spent.total
        warn_at = None if monthly.warn_at is None else monthly.limit * Decimal(str(monthly.warn_at))
        yield BudgetLine("budget.per_month", case.month.name, before, before + case.due, monthly.limit, warn_at, case.place("budget.per_month"))
    for key in sorted(budget.by_label):
        spent = spent_by_label(case.state, case.catalog, key, case.month)
        due = _due_by_label(case.paid, key)
        for value, limit in sorted(budget.by_label[key].items()):
            name = f"budget.by_label.{key}.{value}"
            before = spent.get(value, Spent()).total
            yield BudgetLine(name, case.month.name, before, before + due.get(value, ZERO), limit, place=case.place(name))


def _due_by_label(paid: list[Change], key: str) -> dict[str, Money]:
    due: dict[str, Money] = {}
    for change in paid:
        assert change.model is not None, "only declared models are bought"
        value = dict(change.model.labels).get(key)
        if value is not None:
            due[value] = due.get(value, ZERO) + change.cost
    return due


def _over(line: BudgetLine) -> Refusal:
    before = f" ({format_money(line.spent)} of it before, spent or in doubt)" if line.spent else ""
    message = f"{line.name}: {format_money(line.after)} in {line.period}{before}, limit {format_money(line.limit)}"
    return Refusal("budget", line.name, message, f"{line.name}: {money_text(line.after)}", line.place)


def _warnings(case: Case, lines: tuple[BudgetLine, ...]) -> Iterator[Diagnostic]:
    for line in lines:
        if line.warn_at is not None and case.due and line.warn_at <= line.after <= line.limit:
            share, mark = (f"{100 * amount / line.limit:.0f} %" for amount in (line.after, line.warn_at))
            summary = f"{line.name}: {share} of the limit at worst (warn_at {mark})"
            yield Diagnostic("warning", "budget-warn-at", summary, place=line.place)
    if case.policy.guards.require_dataset_digest == "warn":
        for change in _without_digest(case):
            summary = f"{change.name} will be trained on a dataset that is known by its URL alone"
            yield Diagnostic(
                "warning", "dataset-not-pinned", summary, "write the sha256 of the data set into its manifest: dataset: {url: …, sha256: …}", change.place
            )


def _without_digest(case: Case) -> Iterator[Change]:
    for change in case.paid:
        assert change.model is not None, "only declared models are bought"
        if change.model.dataset.identity.startswith("url:") and change.model.dataset.sha256 is None:
            yield change
