"""A plan as a JSON document (contract §8): plain, sorted, without secrets. Read back in `saved`; streamed by `reports`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.canonical import digest_of
from reconciler.diagnostics import Diagnostic, Place
from reconciler.plan.action import Action
from reconciler.plan.change import BudgetLine, Change, Cost, FieldChange, Plan, Refusal
from reconciler.plan.digests import DOCUMENT_DIGEST, FORMAT_VERSION
from reconciler.plan.request import Request
from reconciler.plan.saved import SavedPlan, read_plan
from reconciler.text import money_text, redact

__all__ = ["SavedPlan", "change_document", "plan_document", "plan_foot", "plan_head", "read_plan"]


def plan_document(plan: Plan) -> dict[str, Any]:
    """The whole document. Keys beyond the contract's are additive: `selection`, `endpoint`, `document_digest`."""
    document = plan_head(plan) | {"changes": [change_document(c) for c in plan.changes]} | plan_foot(plan)
    return document | {DOCUMENT_DIGEST: digest_of(document)}


def plan_head(plan: Plan) -> dict[str, Any]:
    """Everything before the changes."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "plan",
        "environment": plan.environment,
        "endpoint": _text(plan.endpoint),
        "state": {"lineage": plan.lineage, "serial": plan.serial},
        "selection": _request(plan.request),
        "prices": [dict(price) for price in plan.prices],
        "summary": {action.value: count for action, count in sorted(plan.counts.items(), key=lambda item: item[0].value)},
        "cost": cost_document(plan.cost),
        "applyable": plan.applyable,
        "complete": plan.complete,
        "refusals": [_refusal(r) for r in plan.refusals],
        "budgets": [_budget(b) for b in plan.budgets],
    }


def plan_foot(plan: Plan) -> dict[str, Any]:
    """Everything after the changes."""
    return {
        "diagnostics": [diagnostic_document(d) for d in plan.diagnostics],
        "spend_digest": plan.spend_digest,
        "plan_digest": plan.plan_digest,
        "created_at": plan.created_at,
    }


def change_document(change: Change) -> dict[str, Any]:
    """One change. What does not apply to it is left out, but for the contract's own keys."""
    document: dict[str, Any] = {
        "name": change.name,
        "previous_name": change.previous_name,
        "action": change.action.value,
        "actions": list(change.action.terraform),
        "reason": str(change.reason),
        "cost": money_text(change.cost),
        "fields": [_field(f) for f in change.fields],
        "spec_digest": change.spec_digest,
        "job": change.job,
        "source": None if change.place is None else {"file": change.place.file, "line": change.place.line, "column": change.place.column},
    }
    if change.action is Action.ADOPT:
        document["importing"] = {"id": _text(change.request_id or "")}
    return document | {key: value for key, value in _extras(change).items() if value}


def _extras(change: Change) -> dict[str, Any]:
    resolution = change.resolution
    return {
        "at_risk": money_text(change.at_risk) if change.at_risk else None,
        "avoided": money_text(change.avoided) if change.avoided else None,
        "previous_job": change.previous_job,
        "shares": change.shares,
        "attempt": change.attempt,
        "consents": list(change.consents),
        "request_id": None if change.request_id is None else _text(change.request_id),
        "note": _text(change.note),
        "resolution": None if resolution is None else {"attempt": resolution.attempt, "request_id": resolution.request_id, "reason": _text(resolution.reason)},
        "metadata_digest": None if change.metadata is None else digest_of(change.metadata),
    }


def cost_document(cost: Cost) -> dict[str, Any]:
    """Amounts in USD as decimal strings."""
    return {
        "currency": "USD",
        "due": money_text(cost.due),
        "worst": money_text(cost.worst),
        "avoided": money_text(cost.avoided),
        "in_doubt": money_text(cost.in_doubt),
        "spent_month": money_text(cost.spent_month),
        "month": cost.month,
        "jobs_month": cost.jobs_month,
        "price_since": cost.price_since,
        "limit": None if cost.limit is None else money_text(cost.limit),
    }


def diagnostic_document(diagnostic: Diagnostic) -> dict[str, Any]:
    """One diagnostic, as in every document."""
    place = diagnostic.place
    return {
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "summary": _text(diagnostic.summary),
        "detail": _text(diagnostic.detail),
        "file": None if place is None else place.file,
        "line": None if place is None else place.line,
        "column": None if place is None else place.column,
        "end_line": diagnostic.end_line,
    }


def _field(field: FieldChange) -> dict[str, Any]:
    return {"path": field.path, "before": _plain(field.before), "after": _plain(field.after)} | _file_line(field.place)


def _refusal(refusal: Refusal) -> dict[str, Any]:
    row = {"kind": refusal.kind, "limit": _text(refusal.limit), "message": _text(refusal.message), "lift": _text(refusal.lift)}
    return row | _file_line(refusal.place)


def _budget(line: BudgetLine) -> dict[str, Any]:
    amounts = {"spent": line.spent, "after": line.after, "limit": line.limit, "warn_at": line.warn_at}
    row: dict[str, Any] = {"name": _text(line.name), "period": line.period}
    return row | {key: None if amount is None else money_text(amount) for key, amount in amounts.items()} | _file_line(line.place)


def _file_line(place: Place | None) -> dict[str, Any]:
    return {"file": None if place is None else place.file, "line": None if place is None else place.line}


def _request(request: Request) -> dict[str, Any]:
    return {
        "targets": list(request.targets),
        "excludes": list(request.excludes),
        "selectors": [[_text(key), _text(value)] for key, value in request.selectors],
        "replace": list(request.replace),
        "max_cost": None if request.max_cost is None else money_text(request.max_cost),
        "allow_retrain": list(request.allow_retrain),
        "allow_forget": request.allow_forget,
    }


def _text(text: str) -> str:
    """`text` without queries of URLs and inline data, so that whoever takes them out again changes nothing."""
    for _ in range(4):
        if (stripped := redact(text)) == text:
            break
        text = stripped
    return text


def _plain(value: Any) -> Any:
    """A JSON value without queries of URLs and inline data."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
