"""Change and Plan: immutable, ordered by name, complete. `apply` makes no decision of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.diagnostics import Diagnostic, Place
from reconciler.money import ZERO, Money
from reconciler.plan.action import Action, Reason
from reconciler.plan.request import Request

if TYPE_CHECKING:
    from reconciler.model import Model, Resolution


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a model that differs: `before` and `after` are plain JSON values, None where there was none."""

    path: str
    before: Any
    after: Any
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one name.

    `cost` is due now (USD). `at_risk` is money that may already be spent (in doubt). `avoided` is what sharing a job
    saves. `job` is the job it will point to, or points to; None while that is still to be bought. `shares` names the
    model of this plan whose purchase it will use. `previous_job` stays usable after a retrain. `previous_name` is a name
    whose binding this change takes over: it ends when the change is carried out, and it has no change of its own.
    """

    name: str
    action: Action
    reason: Reason
    cost: Money = ZERO
    at_risk: Money = ZERO
    avoided: Money = ZERO
    fields: tuple[FieldChange, ...] = ()
    spec_digest: str | None = None
    job: str | None = None
    previous_job: str | None = None
    previous_name: str | None = None
    shares: str | None = None
    attempt: str | None = None
    consents: tuple[str, ...] = ()
    """Jobs (ids) that were bought for this spec already and that this change agrees to buy again."""
    place: Place | None = None
    note: str = ""
    """One sentence for people: what to know about this row (an error text, how old a doubt is, what to do)."""
    model: Model | None = field(default=None, compare=False)
    request_id: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, compare=False)
    """What the binding is to remember of a declared model: its metadata, with a protection that was applied before."""
    resolution: Resolution | None = None
    """The declared end of the doubt that this change shows; apply carries it out."""
    retirement: str = field(default="", compare=False)
    """Why a name is forgotten, as its `removed:` says; for the ledger."""

    @property
    def is_unchanged(self) -> bool:
        """Nothing to say about it."""
        return self.action is Action.UNCHANGED


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that this plan would break: nothing of it may be bought. `lift` is the flag or setting that lifts exactly that."""

    kind: str
    """`budget`, `guard` or `paused`: the failure reason."""
    limit: str
    """The limit's name: `budget.per_month`, `guards.max_trains`, `-max-cost`, `pause`."""
    message: str
    lift: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One budget as this plan leaves it (USD): spent before (with doubts), after, and the limit."""

    name: str
    period: str
    spent: Money
    after: Money
    limit: Money
    warn_at: Money | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What applying the plan costs (USD). `worst` adds the money in doubt; `month` is the calendar month it falls in."""

    due: Money
    worst: Money
    avoided: Money
    in_doubt: Money
    spent_month: Money
    month: str
    jobs_month: int
    price_since: str | None = None
    limit: Money | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole difference for one environment. `changes` are by name; models that are as wanted are only counted (`unchanged`)."""

    environment: str
    lineage: str
    serial: int
    changes: tuple[Change, ...]
    cost: Cost
    prices: tuple[Mapping[str, Any], ...] = ()
    budgets: tuple[BudgetLine, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    complete: bool = True
    """False when a selection left models out."""
    unchanged: int = 0
    endpoint: str = ""
    spend_digest: str = ""
    plan_digest: str = ""
    created_at: str = ""
    request: Request = Request()
    """What was asked for; a saved plan is made again with the same."""

    @property
    def applyable(self) -> bool:
        """Whether apply may carry it out."""
        return not self.refusals

    @property
    def counts(self) -> dict[Action, int]:
        """How many changes of each action, in the order for people."""
        counts = dict.fromkeys(Action, 0)
        for change in self.changes:
            counts[change.action] += 1
        counts[Action.UNCHANGED] += self.unchanged
        return counts
