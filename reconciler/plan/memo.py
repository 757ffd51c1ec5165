"""A plan as plain data and back, without loss but for the models behind its changes: for whoever keeps plans between runs.

Not the plan document, which is for others and shows texts without what must not be shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconciler.diagnostics import Diagnostic, Place
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import BudgetLine, Change, Cost, FieldChange, Plan, Refusal
from reconciler.plan.request import Request

if TYPE_CHECKING:
    from reconciler.model import Resolution


def memo_of(plan: Plan) -> dict[str, Any]:
    """`plan` as plain JSON data."""
    cost = plan.cost
    return {
        "environment": plan.environment,
        "lineage": plan.lineage,
        "serial": plan.serial,
        "changes": [_change(c) for c in plan.changes],
        "cost": [
            *map(str, (cost.due, cost.worst, cost.avoided, cost.in_doubt, cost.spent_month)),
            cost.month,
            cost.jobs_month,
            cost.price_since,
            _text(cost.limit),
        ],
        "prices": [dict(price) for price in plan.prices],
        "budgets": [[b.name, b.period, str(b.spent), str(b.after), str(b.limit), _text(b.warn_at), b.place] for b in plan.budgets],
        "refusals": [[r.kind, r.limit, r.message, r.lift, r.place] for r in plan.refusals],
        "diagnostics": [[d.severity, d.code, d.summary, d.detail, d.place, d.end_line, d.source_line] for d in plan.diagnostics],
        "complete": plan.complete,
        "unchanged": plan.unchanged,
        "endpoint": plan.endpoint,
        "digests": [plan.spend_digest, plan.plan_digest],
        "created_at": plan.created_at,
        "request": [*plan.request[:4], _text(plan.request.max_cost), *plan.request[5:]],
    }


def plan_of(memo: Mapping[str, Any]) -> Plan:
    """The plan of `memo_of`; its changes have no models. Raises KeyError, TypeError, ValueError or ArithmeticError for anything else."""
    targets, excludes, selectors, replace, max_cost, allow_retrain, allow_forget = memo["request"]
    pairs = tuple((key, value) for key, value in selectors)
    due, worst, avoided, in_doubt, spent, month, jobs_month, price_since, limit = memo["cost"]
    spend_digest, plan_digest = memo["digests"]
    return Plan(
        environment=memo["environment"],
        lineage=memo["lineage"],
        serial=memo["serial"],
        changes=tuple(_change_of(row) for row in memo["changes"]),
        cost=Cost(Decimal(due), Decimal(worst), Decimal(avoided), Decimal(in_doubt), Decimal(spent), month, jobs_month, price_since, _money(limit)),
        prices=tuple(memo["prices"]),
        budgets=tuple(BudgetLine(n, p, Decimal(s), Decimal(a), Decimal(most), _money(w), _place(at)) for n, p, s, a, most, w, at in memo["budgets"]),
        refusals=tuple(Refusal(kind, name, message, lift, _place(at)) for kind, name, message, lift, at in memo["refusals"]),
        diagnostics=tuple(Diagnostic(s, c, m, d, _place(at), end, line) for s, c, m, d, at, end, line in memo["diagnostics"]),
        complete=memo["complete"],
        unchanged=memo["unchanged"],
        endpoint=memo["endpoint"],
        spend_digest=spend_digest,
        plan_digest=plan_digest,
        created_at=memo["created_at"],
        request=Request(tuple(targets), tuple(excludes), pairs, tuple(replace), _money(max_cost), tuple(allow_retrain), allow_forget),
    )


def _change(c: Change) -> list[Any]:
    end = c.resolution
    return [
        [c.name, c.action.value, c.reason.value, str(c.cost), str(c.at_risk), str(c.avoided)],
        [[f.path, f.before, f.after, f.place] for f in c.fields],
        [c.spec_digest, c.job, c.previous_job, c.previous_name, c.shares, c.attempt, c.note, c.request_id],
        [c.consents, c.place, c.metadata, None if end is None else [end.attempt, end.request_id, end.reason, end.place]],
    ]


def _change_of(row: list[Any]) -> Change:
    (name, action, reason, cost, at_risk, avoided), fields, texts, (consents, place, metadata, end) = row
    spec_digest, job, previous_job, previous_name, shares, attempt, note, request_id = texts
    return Change(
        name,
        Action(action),
        Reason(reason),
        Decimal(cost),
        Decimal(at_risk),
        Decimal(avoided),
        tuple(FieldChange(path, before, after, _place(at)) for path, before, after, at in fields),
        spec_digest,
        job,
        previous_job,
        previous_name,
        shares,
        attempt,
        tuple(consents),
        _place(place),
        note,
        None,
        request_id,
        metadata,
        None if end is None else _resolution(*end),
    )


def _resolution(attempt: str, request_id: str | None, reason: str, place: list[Any]) -> Resolution:
    from reconciler.model import Resolution

    return Resolution(attempt, request_id, reason, Place(*place))


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _place(place: list[Any] | None) -> Place | None:
    return None if place is None else Place(*place)
