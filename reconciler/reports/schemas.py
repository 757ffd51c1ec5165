"""JSON Schema of what this program writes, by the name it has in `reconciler schema NAME`. Manifests and project file are described in `manifest/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from reconciler.event import EventType
from reconciler.job import Phase
from reconciler.plan.action import Action, Reason
from reconciler.reports.phases import PHASES

DIALECT = "http://json-schema.org/draft-07/schema#"
TEXT: Mapping[str, Any] = {"type": "string"}
MAYBE: Mapping[str, Any] = {"type": ["string", "null"]}
WHOLE: Mapping[str, Any] = {"type": "integer", "minimum": 0}
MONEY: Mapping[str, Any] = {"type": "string", "pattern": r"^[0-9]+\.[0-9]{2,6}$", "description": "USD as a decimal string"}
MAYBE_MONEY: Mapping[str, Any] = {"anyOf": [MONEY, {"type": "null"}]}
DIGEST: Mapping[str, Any] = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
VERSION: Mapping[str, Any] = {"type": "string", "pattern": r"^1\."}
INSTANT: Mapping[str, Any] = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$", "description": "UTC"}
MAYBE_INSTANT: Mapping[str, Any] = {"anyOf": [INSTANT, {"type": "null"}]}
LINE: Mapping[str, Any] = {"type": ["integer", "null"], "minimum": 1}


def _object(properties: Mapping[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object: readers ignore keys that they do not know, so more are allowed."""
    return {"type": "object", "properties": dict(properties), "required": sorted(properties.keys() - set(optional)), "additionalProperties": True}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(items)}


DIAGNOSTIC = _object(
    {"severity": {"enum": ["error", "warning"]}, "code": TEXT, "summary": TEXT, "detail": TEXT, "file": MAYBE, "line": LINE, "column": LINE, "end_line": LINE}
)
ARTIFACT = _object({"role": TEXT, "url": TEXT, "file_name": TEXT, "size_bytes": {"type": ["integer", "null"], "minimum": 0}})
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
        "format_version": VERSION,
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


_DATA: Mapping[str, tuple[str, ...]] = {
    "version": ("reconciler", "format_version"),
    "planned_change": ("name", "action", "cost", "reason"),
    "change_summary": ("command",),
    "purchase_intent": ("name", "attempt", "price", "spec_digest"),
    "purchase_accepted": ("name", "attempt", "price", "spec_digest", "job", "request_id", "count", "of", "spent", "due"),
    "purchase_rejected": ("name", "attempt", "http_status", "message", "final"),
    "purchase_in_doubt": ("name", "attempt", "price", "evidence"),
    "poll": ("name", "job", "phase", "request_id"),
    "job_settled": ("name", "job", "phase", "request_id", "artifacts", "error", "price"),
    "budget": ("limit", "message"),
    "artifact_saved": ("name",),
}
"""What each type of event carries at least."""


def events_schema() -> dict[str, Any]:
    """The schema of one line of `apply -json`, `refresh -json` and `artifacts pull -json`."""
    properties = {
        "@level": {"enum": ["info", "warn", "error"]},
        "@message": TEXT,
        "@module": {"const": "reconciler"},
        "@timestamp": INSTANT,
        "type": {"enum": sorted(get_args(EventType))},
        "name": TEXT,
        "diagnostic": DIAGNOSTIC,
        "attempt": MAYBE,
        "job": MAYBE,
        "request_id": MAYBE,
        "price": MONEY,
        "cost": MONEY,
        "spent": MONEY,
        "due": MONEY,
    }
    own = ("name", "diagnostic", "attempt", "job", "request_id", "price", "cost", "spent", "due")
    rules = [{"if": {"properties": {"type": {"const": kind}}}, "then": {"required": list(keys)}} for kind, keys in _DATA.items()]
    return {"$schema": DIALECT, "title": "reconciler event", **_object(properties, optional=own), "allOf": rules}


def validate_schema() -> dict[str, Any]:
    """The schema of `validate -json` and its `-report json`."""
    properties = {"format_version": VERSION, "valid": {"type": "boolean"}, "files": WHOLE, "diagnostics": _list(DIAGNOSTIC)}
    return {"$schema": DIALECT, "title": "reconciler validate", **_object(properties)}


def status_schema() -> dict[str, Any]:
    """The schema of `status -json`, and of `refresh -report json`."""
    model = {
        "name": TEXT,
        "phase": {"enum": list(PHASES)},
        "request_id": MAYBE,
        "job": MAYBE,
        "spec_digest": MAYBE,
        "price": MAYBE_MONEY,
        "submitted_at": MAYBE_INSTANT,
        "artifacts": _list(ARTIFACT),
        "error": MAYBE,
    }
    doubt = {"name": TEXT, "attempt": TEXT, "sent_at": INSTANT, "amount": MONEY, "evidence": TEXT}
    properties = {
        "format_version": VERSION,
        "environment": TEXT,
        "state": _object({"lineage": TEXT, "serial": WHOLE}),
        "now": INSTANT,
        "models": _list(_object(model)),
        "in_doubt": _list(_object(doubt)),
        "unbound_jobs": WHOLE,
    }
    return {"$schema": DIALECT, "title": "reconciler status", **_object(properties)}


def jobs_schema() -> dict[str, Any]:
    """The schema of `jobs list -json` and `jobs show -json`."""
    job = {
        "job": TEXT,
        "attempt": MAYBE,
        "name": TEXT,
        "request_id": TEXT,
        "phase": {"enum": [str(phase) for phase in Phase]},
        "spec_digest": DIGEST,
        "price": MONEY,
        "submitted_at": INSTANT,
        "settled_at": MAYBE_INSTANT,
        "artifacts": _list(ARTIFACT),
        "bound_to": _list(TEXT),
    }
    properties = {"format_version": VERSION, "jobs": _list(_object(job))}
    return {"$schema": DIALECT, "title": "reconciler jobs", **_object(properties)}


def artifacts_schema() -> dict[str, Any]:
    """The schema of `artifacts verify -json`."""
    file = {
        "path": TEXT,
        "role": TEXT,
        "size_bytes": WHOLE,
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "verdict": {"enum": ["ok", "missing", "changed", "unreadable"]},
        "detail": TEXT,
        "metadata": {"type": "object", "additionalProperties": TEXT},
    }
    job = {"job": TEXT, "name": TEXT, "files": _list(_object(file)), "strangers": _list(TEXT)}
    properties = {
        "format_version": VERSION,
        "kind": {"const": "artifacts"},
        "valid": {"type": "boolean"},
        "jobs": _list(_object(job)),
        "not_here": _list(TEXT),
    }
    return {"$schema": DIALECT, "title": "reconciler artifacts", **_object(properties)}


def datasets_schema() -> dict[str, Any]:
    """The schema of `dataset check -json`."""
    row = {
        "models": _list(TEXT),
        "location": TEXT,
        "is_local": {"type": "boolean"},
        "opened": {"type": "boolean"},
        "images": WHOLE,
        "captions": WHOLE,
        "files": WHOLE,
        "size_bytes": WHOLE,
        "formats": {"type": "object", "additionalProperties": WHOLE},
        "decoded": {"type": "boolean"},
        "sha256": MAYBE,
    }
    properties = {
        "format_version": VERSION,
        "kind": {"const": "datasets"},
        "valid": {"type": "boolean"},
        "datasets": _list(_object(row)),
        "diagnostics": _list(DIAGNOSTIC),
    }
    return {"$schema": DIALECT, "title": "reconciler dataset check", **_object(properties)}


def catalog_schema() -> dict[str, Any]:
    """The schema of `catalog.json`, which `catalog build` writes."""
    spec = {"trainer": MAYBE, "dataset": MAYBE, "parameters": {"type": ["object", "null"]}, "generation": {"type": ["integer", "null"]}}
    artifact = {**ARTIFACT["properties"], "path": MAYBE, "sha256": MAYBE}
    model = {
        "name": TEXT,
        "phase": {"enum": list(PHASES)},
        "description": TEXT,
        "trigger": TEXT,
        "labels": {"type": "object", "additionalProperties": TEXT},
        "spec": _object(spec),
        "spec_digest": MAYBE,
        "images": {"type": ["integer", "null"], "minimum": 1},
        "source": SOURCE,
        "job": MAYBE,
        "request_id": MAYBE,
        "price": MAYBE_MONEY,
        "submitted_at": MAYBE_INSTANT,
        "settled_at": MAYBE_INSTANT,
        "error": MAYBE,
        "artifacts": _list(_object(artifact)),
    }
    properties = {
        "format_version": VERSION,
        "kind": {"const": "catalog"},
        "environment": TEXT,
        "state": _object({"lineage": TEXT, "serial": WHOLE}),
        "summary": _object({"models": WHOLE, "phases": {"type": "object", "additionalProperties": WHOLE}, "cost": MONEY, "in_doubt": MONEY}),
        "models": _list(_object(model)),
    }
    return {"$schema": DIALECT, "title": "reconciler catalog", **_object(properties)}


def error_schema() -> dict[str, Any]:
    """The schema of the one document that any command prints with `-json` when it could not do its work."""
    properties = {
        "format_version": VERSION,
        "kind": {"const": "error"},
        "exit_code": {"type": "integer", "minimum": 1},
        "failure_reason": TEXT,
        "message": TEXT,
        "hint": TEXT,
        "diagnostics": _list(DIAGNOSTIC),
    }
    return {"$schema": DIALECT, "title": "reconciler error", **_object(properties)}


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "plan": plan_schema,
    "events": events_schema,
    "validate": validate_schema,
    "status": status_schema,
    "jobs": jobs_schema,
    "artifacts": artifacts_schema,
    "datasets": datasets_schema,
    "catalog": catalog_schema,
    "error": error_schema,
}
