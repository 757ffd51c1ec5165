"""What was spent: by month, by label. From the state alone; money in doubt counts as spent, failed jobs were paid for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reconciler.job import Attempt
from reconciler.ledger import Billed, Purchased
from reconciler.model import Catalog, Model
from reconciler.money import ZERO, Money
from reconciler.plan.moment import Month
from reconciler.state import State

Labels = Mapping[str, str]


class Spent(NamedTuple):
    """Money that is gone (USD): what `jobs` purchases cost, and apart from it what `doubts` attempts may have cost."""

    bought: Money = ZERO
    jobs: int = 0
    in_doubt: Money = ZERO
    doubts: int = 0

    @property
    def total(self) -> Money:
        """With the money in doubt: what budgets count."""
        return self.bought + self.in_doubt


class Purchase(NamedTuple):
    """One job or one doubt, as a ledger line. `labels` are those of the name it was bought for, as they are now."""

    at: str
    environment: str
    name: str
    amount: Money
    labels: Labels
    job: Billed | None
    attempt: Attempt | None

    @property
    def is_doubt(self) -> bool:
        """Whether the money may, but need not, be gone."""
        return self.job is None


def purchases(state: Purchased, catalog: Catalog | None = None, *, labelled: bool = True) -> Iterator[Purchase]:
    """Every job ever bought or taken over, then every doubt. Labels are the declared ones, else what the binding remembers;
    a name that is gone has those of the first name that points to its job now. Without `labelled` nobody has any.
    """
    if not labelled:
        yield from (Purchase(job.submitted_at, job.environment, job.name, job.price, {}, job, None) for job in state.jobs.values())
        yield from (Purchase(a.sent_at, a.environment, a.name, a.price, {}, None, a) for a in state.doubts)
        return
    models: Mapping[str, Model] = {} if catalog is None else catalog.models
    here = None if catalog is None else catalog.environment
    heirs = _heirs(state)
    for job in state.jobs.values():
        labels = _labels(state, models, here, job.environment, job.name)
        if labels is None:
            labels = _labels(state, models, here, *heirs.get(job.id, ("", "")))
        yield Purchase(job.submitted_at, job.environment, job.name, job.price, labels or {}, job, None)
    for attempt in state.doubts:
        labels = _labels(state, models, here, attempt.environment, attempt.name)
        yield Purchase(attempt.sent_at, attempt.environment, attempt.name, attempt.price, labels or {}, None, attempt)


def spent_in(state: State, month: Month) -> Spent:
    """What was spent in a month, all environments together."""
    jobs = [job.price for job in state.jobs.values() if month.holds(job.submitted_at)]
    doubts = [a.price for a in state.doubts if month.holds(a.sent_at)]
    return Spent(sum(jobs, ZERO), len(jobs), sum(doubts, ZERO), len(doubts))


def spent_by_label(state: State, catalog: Catalog | None, key: str, month: Month) -> dict[str, Spent]:
    """What was spent in a month for each value of a label; names without that label are left out."""
    spent: dict[str, Spent] = {}
    for purchase in purchases(state, catalog):
        value = purchase.labels.get(key)
        if value is not None and month.holds(purchase.at):
            spent[value] = _plus(spent.get(value, Spent()), purchase)
    return spent


def _plus(spent: Spent, purchase: Purchase) -> Spent:
    if purchase.is_doubt:
        return spent._replace(in_doubt=spent.in_doubt + purchase.amount, doubts=spent.doubts + 1)
    return spent._replace(bought=spent.bought + purchase.amount, jobs=spent.jobs + 1)


def _heirs(state: Purchased) -> dict[str, tuple[str, str]]:
    """Job → the first name that points to it: whose labels count where the buyer's own name is gone."""
    heirs: dict[str, tuple[str, str]] = {}
    for key in sorted(state.bindings):
        heirs.setdefault(state.bindings[key].job, key)
    return heirs


def _labels(state: Purchased, models: Mapping[str, Model], here: str | None, environment: str, name: str) -> Labels | None:
    if environment == here and (model := models.get(name)) is not None:
        return dict(model.labels)
    binding = state.bindings.get((environment, name))
    return None if binding is None else binding.metadata.get("labels") or {}
