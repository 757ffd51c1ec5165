"""JSON Schema of what this program writes: plan documents and events. Manifests and project file are described in `manifest/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from reconciler.event import EventType
from reconciler.plan.action import Action, Reason

DIALECT = "http://json-schema.org/draft-07/schema#"
TEXT: Mapping[str, Any] = {"type": "string"}
MAYBE: Mapping[str, Any] = {"type": ["string", "null"]}
WHOLE: Mapping[str, Any] = {"type": "integer", "minimum": 0}
MONEY: Mapping[str, Any] = {"type": "string", "pattern": r"^[0-9]+\.[0-9]{2,6}$", "description": "USD as a decimal string"}
MAYBE_MONEY: Mapping[str, Any] = {"anyOf": [MONEY, {"type": "null"}]}
DIGEST: Mapping[str, Any] = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
LINE: Mapping[str, Any] = {"type": ["integer", "null"], "minimum": 1}


def _object(properties: Mapping[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object: readers ignore keys that they do not know, so more are allowed."""
    return {"type": "object", "properties": dict(properties), "required": sorted(properties.keys() - set(optional)), "additionalProperties": True}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(items)}


DIAGNOSTIC = _object(
    {"severity": {"enum": ["error", "warning"]}, "code": TEXT, "summary": TEXT, "detail": TEXT, "file": MAYBE, "line": LINE, "column": LINE, "end_line": LINE}
)
FIELD = _object({"path": TEXT, "before": {}, "after": {}, "file": MAYBE, "line": LINE})
SOURCE = {"anyOf": [_object({"file": TEXT, "line": WHOLE, "column": WHOLE}), {"type": "null"}]}
CHANGE = _object(
    {
        "name": TEXT,
        "previous_name": MAYBE,
        "action": {"enum": [action.value for action in Action]},
        "actions": {"type": "array", "items": {"enum": ["create", "forget", "no-op", "read", "update"]}, "minItems": 1},
        "reason": {"enum": [str(reason) for reason in Reason]},
        "cost": MONEY,
        "fields": _list(FIELD),
        "spec_digest": MAYBE,
        "job": MAYBE,
        "source": SOURCE,
        "importing": _object({"id": MAYBE}),
        "at_risk": MONEY,
        "avoided": MONEY,
    },
    optional=("importing", "at_risk", "avoided"),
)
COST = _object(
    {
        "currency": {"const": "USD"},
        "due": MONEY,
        "worst": MONEY,
        "avoided": MONEY,
        "in_doubt": MONEY,
        "spent_month": MONEY,
        "limit": MAYBE_MONEY,
        "month": TEXT,
    },
)
REFUSAL = _object({"kind": {"enum": ["budget", "guard", "paused"]}, "limit": TEXT, "message": TEXT, "lift": TEXT, "file": MAYBE, "line": LINE})
BUDGET = _object(
    {"name": TEXT, "period": TEXT, "spent": MONEY, "after": MONEY, "limit": MONEY, "warn_at": MAYBE_MONEY, "file": MAYBE, "line": LINE},
)


def plan_schema() -> dict[str, Any]:
    """The schema of a saved plan, `plan -json` and `-report json`."""
    properties = {
        "format_version": {"type": "string", "pattern": r"^1\."},
        "kind": {"const": "plan"},
        "environment": TEXT,
        "endpoint": TEXT,
        "state": _object({"lineage": TEXT, "serial": WHOLE}),
        "prices": _list({"type": "object"}),
        "summary": _object({action.value: WHOLE for action in Action}),
        "cost": COST,
        "applyable": {"type": "boolean"},
        "complete": {"type": "boolean"},
        "refusals": _list(REFUSAL),
        "budgets": _list(BUDGET),
        "changes": _list(CHANGE),
        "diagnostics": _list(DIAGNOSTIC),
        "spend_digest": DIGEST,
        "plan_digest": DIGEST,
        "created_at": TEXT,
    }
    return {"$schema": DIALECT, "title": "reconciler plan", **_object(properties)}


def events_schema() -> dict[str, Any]:
    """The schema of one line of `apply -json` and `refresh -json`."""
    properties = {
        "@level": {"enum": ["info", "warn", "error"]},
        "@message": TEXT,
        "@module": {"const": "reconciler"},
        "@timestamp": {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"},
        "type": {"enum": sorted(get_args(EventType))},
        "name": TEXT,
        "diagnostic": DIAGNOSTIC,
    }
    return {"$schema": DIALECT, "title": "reconciler event", **_object(properties, optional=("name", "diagnostic"))}
