"""What may still be spent, asked before every single purchase. One instance a run, used by one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.money import Money
from reconciler.plan.change import BudgetLine, Change
from reconciler.text import format_money


@dataclass(slots=True)
class Limit:
    """One ceiling: what is left of it (USD), and whose purchases count. `label` None = everybody's."""

    name: str
    left: Money
    label: str | None = None

    def counts(self, change: Change) -> bool:
        """Whether this purchase falls under it."""
        if self.label is None:
            return True
        labels = change.model.labels if change.model is not None else ()
        return any(f"budget.by_label.{key}.{value}" == self.label for key, value in labels)


class Allowance:
    """Money in flight and in doubt is taken; only what is proved not to be spent is given back."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = list(limits)

    def take(self, change: Change) -> str | None:
        """Take the change's cost from every limit it falls under, or say which limit forbids it."""
        under = [limit for limit in self._limits if limit.counts(change)]
        for limit in under:
            if change.cost > limit.left:
                return f"{limit.name}: {format_money(change.cost)} more for {change.name}, {format_money(max(limit.left, Money(0)))} left"
        for limit in under:
            limit.left -= change.cost
        return None

    def give_back(self, change: Change) -> None:
        """The purchase is proved not to have happened."""
        for limit in self._limits:
            if limit.counts(change):
                limit.left += change.cost


def limits_of(budgets: Sequence[BudgetLine], *, ceiling: Money | None) -> list[Limit]:
    """The limits of a plan's budgets as it begins, and the ceiling of this apply (`-max-cost`, or what was approved)."""
    limits = [] if ceiling is None else [Limit("-max-cost", ceiling)]
    for line in budgets:
        label = line.name if line.name.startswith("budget.by_label.") else None
        limits.append(Limit(line.name, line.limit - line.spent, label))
    return limits
