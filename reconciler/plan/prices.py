"""Today's list prices as a plan asks for them: what one run costs, since when, and which purchase has no price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.diagnostics import Diagnostic
from reconciler.errors import Invalid
from reconciler.model import Model
from reconciler.money import Money, Price, PriceBook
from reconciler.plan.change import Change
from reconciler.text import money_text, safe
from reconciler.trainer import Scalar


class Prices:
    """A price book on one day (ISO date)."""

    def __init__(self, book: PriceBook, day: str) -> None:
        self._book, self._day = book, day
        self._known: dict[tuple[str, tuple[tuple[str, Scalar], ...]], Money | None] = {}

    def of(self, model: Model) -> Money | None:
        """What one run costs (USD), or None."""
        key = (model.spec.trainer, model.spec.parameters)
        if key not in self._known:
            quote = self._book.quote(model.spec.trainer, dict(model.spec.parameters), day=self._day)
            self._known[key] = None if quote is None else quote.amount
        return self._known[key]

    def since(self, models: Iterable[Model]) -> str | None:
        """The day from which the price of all these holds, when it is one day."""
        days = {p.since for t in {m.spec.trainer for m in models} if (p := self._current(t)) is not None}
        return days.pop() if len(days) == 1 else None

    def in_force(self, trainers: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
        """The list prices of trainers, as they stand in a project file."""
        return tuple(_price_document(p) for t in sorted(trainers) if (p := self._current(t)) is not None)

    def _current(self, trainer: str) -> Price | None:
        return next((p for p in reversed(self._book.prices) if p.trainer == trainer and p.since <= self._day), None)


def _price_document(price: Price) -> dict[str, Any]:
    document = {"trainer": price.trainer, "from": price.since, "currency": price.currency}
    if price.per_run is not None:
        return document | {"per_run": money_text(price.per_run)}
    assert price.per_step is not None, "a price is per run or per step"
    return document | {"per_step": money_text(price.per_step), "minimum": money_text(price.minimum)}


def check_prices(changes: list[Change], prices: Prices) -> None:
    """Raise Invalid when something would be bought without a known price: once for each trainer."""
    missing: dict[str, Change] = {}
    for change in sorted(changes, key=lambda c: c.name):
        if change.action.is_paid and change.model is not None and prices.of(change.model) is None:
            missing.setdefault(change.model.spec.trainer, change)
    if missing:
        raise Invalid(
            [
                Diagnostic(
                    "error", "no-price", f"no price is known for trainer {safe(trainer)}", "declare one under `prices:` in reconciler.yaml", change.place
                )
                for trainer, change in sorted(missing.items())
            ]
        )
