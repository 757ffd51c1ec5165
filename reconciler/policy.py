"""What may be spent and bought without somebody saying so: budgets and guards, as the project file declares them (USD)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconciler.diagnostics import Place
from reconciler.money import Money


@dataclass(frozen=True, slots=True)
class MonthlyBudget:
    """A limit per calendar month. `warn_at` is a share (0.8 = 80 %); `timezone` an IANA name that says when a month begins."""

    limit: Money
    warn_at: float | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on money. Money in doubt counts as spent. `by_label`: label key → value → limit per month."""

    per_apply: Money | None = None
    per_month: MonthlyBudget | None = None
    by_label: Mapping[str, Mapping[str, Money]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Guards:
    """Limits on what one apply may do. None = no limit."""

    max_trains: int | None = None
    max_retrain_percent: float | None = None
    """Checked from 10 models up."""
    stop_after_failures: int | None = None
    confirm_over: Money | None = None
    require_dataset_digest: Literal["off", "warn", "error"] = "off"


@dataclass(frozen=True, slots=True)
class Policy:
    """Budgets and guards with where each was written (`budget.per_month` → place)."""

    budget: Budget = Budget()
    guards: Guards = Guards()
    places: Mapping[str, Place] = field(default_factory=dict)
