"""USD as exact decimals, and what a run costs on a given day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import NamedTuple

Money = Decimal
ZERO = Decimal("0.00")
CENT = Decimal("0.01")
MAX_AMOUNT = Decimal(1_000_000_000)


def parse_money(text: str | float) -> Money:
    """An amount in USD, written `8`, `8.00` or `$8.00`. Raises ValueError for anything else, negative or beyond 10⁹."""
    raw = str(text).strip().removeprefix("$")
    if not raw or len(raw) > 40 or not raw.isascii():
        raise ValueError("not an amount in USD")
    try:
        amount = Decimal(raw)
    except InvalidOperation:
        raise ValueError("not an amount in USD") from None
    if not amount.is_finite() or amount < 0 or amount > MAX_AMOUNT:
        raise ValueError("not an amount in USD between 0 and 1,000,000,000")
    if -int(amount.normalize().as_tuple().exponent) > 6:
        raise ValueError("more than six decimals")
    return amount if amount.as_tuple().exponent <= -2 else amount.quantize(CENT)  # type: ignore[operator]


class Quote(NamedTuple):
    """What one run costs: USD, and the day from which that list price holds (ISO date)."""

    amount: Money
    since: str


@dataclass(frozen=True, slots=True)
class Price:
    """A list price of one trainer from an ISO date on: flat per run, or per step with a minimum (all USD)."""

    trainer: str
    since: str
    per_run: Money | None = None
    per_step: Money | None = None
    minimum: Money = ZERO
    currency: str = "USD"

    def of(self, parameters: Mapping[str, object]) -> Money:
        """The price of one run with these parameters, rounded up to a cent."""
        if self.per_run is not None:
            return self.per_run
        assert self.per_step is not None, "a price is per run or per step"
        steps = parameters.get("steps")
        amount = self.per_step * (steps if isinstance(steps, int) else 0)
        return max(amount, self.minimum).quantize(CENT, rounding=ROUND_CEILING)


class PriceBook:
    """Dated list prices by trainer. An old job keeps the price at which it was bought; this is for new ones."""

    def __init__(self, prices: Sequence[Price]) -> None:
        self.prices = tuple(sorted(prices, key=lambda p: (p.trainer, p.since)))
        self._by_trainer: dict[str, list[Price]] = {}
        for price in self.prices:
            self._by_trainer.setdefault(price.trainer, []).append(price)

    def quote(self, trainer: str, parameters: Mapping[str, object], *, day: str) -> Quote | None:
        """The price in force on the ISO date `day`, or None when no price is known."""
        current = [p for p in self._by_trainer.get(trainer, ()) if p.since <= day]
        return Quote(current[-1].of(parameters), current[-1].since) if current else None
