"""A saved plan read back. Strict: what this program did not write in exactly this form is not the plan that was approved."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from reconciler.canonical import digest_of
from reconciler.diagnostics import Diagnostic, Place
from reconciler.errors import Invalid, PlanChanged
from reconciler.model import Resolution
from reconciler.money import ZERO, Money, parse_money
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import BudgetLine, Change, Cost, FieldChange, Plan, Refusal
from reconciler.plan.digests import DOCUMENT_DIGEST, FORMAT_VERSION, plan_digest, spend_digest
from reconciler.plan.request import Request
from reconciler.text import safe

MOST_CHARACTERS = 512 * 1024 * 1024
_AGAIN = "make a new one: reconciler plan -out=FILE"


class SavedPlan(NamedTuple):
    """A plan as it was approved. Its changes carry no models; `metadata` is name → digest of what a binding was to remember."""

    plan: Plan
    metadata: Mapping[str, str]

    @property
    def request(self) -> Request:
        """What was asked for when it was made."""
        return self.plan.request


def read_plan(text: str) -> SavedPlan:
    """The plan in a file's text.

    Raises Invalid when it is no saved plan at all, PlanChanged when it is one that was cut, edited, or made by a
    program that writes another format.
    """
    document = _parsed(text)
    major = str(document.get("format_version", "")).partition(".")[0]
    if major != FORMAT_VERSION.partition(".")[0]:
        _changed(f"the saved plan has format {safe(document.get('format_version'), limit=20)}; this program reads {FORMAT_VERSION}")
    try:
        _check_digests(document)
        saved = SavedPlan(_plan(document), _metadata(document["changes"]))
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError):
        _changed("the saved plan is not complete: somebody edited it")
    names = [change.name for change in saved.plan.changes]
    if names != sorted(set(names)):
        _changed("the saved plan's changes are not in order: somebody edited it")
    return saved


def _changed(message: str) -> NoReturn:
    raise PlanChanged(f"{message}; nothing was bought", hint=_AGAIN)


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > MOST_CHARACTERS:
        raise Invalid([Diagnostic("error", "plan-file", "the plan file is larger than 512 MiB")])
    if not text.lstrip().startswith("{"):
        raise Invalid([Diagnostic("error", "plan-file", "this is no saved plan: it is not a JSON object", _AGAIN)])
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _changed("the saved plan cannot be read: it was cut off or edited")
    if not isinstance(document, dict) or document.get("kind") != "plan":
        raise Invalid([Diagnostic("error", "plan-file", 'this is no saved plan: its "kind" is not "plan"', _AGAIN)])
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key stands twice")
    return unique


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check_digests(document: dict[str, Any]) -> None:
    """The whole by its own digest; money and changes once more by theirs, which are what reviewers and pipelines compare."""
    rest = {key: value for key, value in document.items() if key != DOCUMENT_DIGEST}
    if document.get(DOCUMENT_DIGEST) != digest_of(rest):
        _changed("the saved plan was edited after it was written: its digest does not match")
    changes = document["changes"]
    paid = [c for c in changes if Action(c["action"]).is_paid]
    due = sum((_money(c["cost"]) for c in paid), ZERO)
    spend = spend_digest((str(c["name"]), str(c["spec_digest"]), str(c["cost"])) for c in paid)
    whole = plan_digest(document["environment"], document["state"]["lineage"], document["endpoint"], changes)
    if (spend, whole) != (document["spend_digest"], document["plan_digest"]) or due != _money(document["cost"]["due"]):
        _changed("the saved plan was edited after it was written: its changes do not have its digests")


def _plan(document: Mapping[str, Any]) -> Plan:
    state = document["state"]
    return Plan(
        environment=_text(document["environment"]),
        lineage=_text(state["lineage"]),
        serial=_whole(state["serial"]),
        changes=tuple(_change(c) for c in document["changes"]),
        cost=_cost(document["cost"]),
        prices=tuple(dict(p) for p in document["prices"]),
        budgets=tuple(_budget(b) for b in document["budgets"]),
        refusals=tuple(Refusal(_text(r["kind"]), _text(r["limit"]), _text(r["message"]), _text(r["lift"]), _place(r)) for r in document["refusals"]),
        diagnostics=tuple(_diagnostic(d) for d in document["diagnostics"]),
        complete=bool(document["complete"]),
        unchanged=_whole(document["summary"]["unchanged"]),
        endpoint=_text(document["endpoint"]),
        spend_digest=_text(document["spend_digest"]),
        plan_digest=_text(document["plan_digest"]),
        created_at=_text(document["created_at"]),
        request=_request(document["selection"]),
    )


def _change(row: Mapping[str, Any]) -> Change:
    source = row["source"]
    place = None if source is None else Place(_text(source["file"]), _whole(source["line"]), _whole(source["column"]))
    resolution = row.get("resolution")
    return Change(
        name=_text(row["name"]),
        action=Action(row["action"]),
        reason=Reason(row["reason"]),
        cost=_money(row["cost"]),
        at_risk=_money(row.get("at_risk", "0.00")),
        avoided=_money(row.get("avoided", "0.00")),
        fields=tuple(FieldChange(_text(f["path"]), f["before"], f["after"], _place(f)) for f in row["fields"]),
        spec_digest=_maybe(row["spec_digest"]),
        job=_maybe(row["job"]),
        previous_job=_maybe(row.get("previous_job")),
        previous_name=_maybe(row["previous_name"]),
        shares=_maybe(row.get("shares")),
        attempt=_maybe(row.get("attempt")),
        consents=_texts(row.get("consents", [])),
        place=place,
        note=_text(row.get("note", "")),
        request_id=_maybe(row.get("request_id")),
        resolution=None
        if resolution is None
        else Resolution(_text(resolution["attempt"]), _maybe(resolution["request_id"]), _text(resolution["reason"]), place or Place("")),
    )


def _cost(row: Mapping[str, Any]) -> Cost:
    due, worst, avoided, in_doubt, spent = (_money(row[key]) for key in ("due", "worst", "avoided", "in_doubt", "spent_month"))
    limit = None if row["limit"] is None else _money(row["limit"])
    return Cost(due, worst, avoided, in_doubt, spent, _text(row["month"]), _whole(row["jobs_month"]), _maybe(row["price_since"]), limit)


def _budget(row: Mapping[str, Any]) -> BudgetLine:
    spent, after, limit = (_money(row[key]) for key in ("spent", "after", "limit"))
    warn_at = None if row["warn_at"] is None else _money(row["warn_at"])
    return BudgetLine(_text(row["name"]), _text(row["period"]), spent, after, limit, warn_at, _place(row))


def _diagnostic(row: Mapping[str, Any]) -> Diagnostic:
    severity = row["severity"]
    if severity not in ("error", "warning"):
        raise ValueError("no such severity")
    place = None if row["file"] is None else Place(_text(row["file"]), _whole(row["line"]), _whole(row["column"]))
    end_line = None if row["end_line"] is None else _whole(row["end_line"])
    return Diagnostic(severity, _text(row["code"]), _text(row["summary"]), _text(row["detail"]), place, end_line)


def _request(row: Mapping[str, Any]) -> Request:
    selectors = tuple((_text(key), _text(value)) for key, value in row["selectors"])
    max_cost = None if row["max_cost"] is None else _money(row["max_cost"])
    allow_forget = None if row["allow_forget"] is None else _whole(row["allow_forget"])
    targets, excludes, replace, allow_retrain = (_texts(row[key]) for key in ("targets", "excludes", "replace", "allow_retrain"))
    return Request(targets, excludes, selectors, replace, max_cost, allow_retrain, allow_forget)


def _metadata(changes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {_text(c["name"]): _text(c["metadata_digest"]) for c in changes if "metadata_digest" in c}


def _place(row: Mapping[str, Any]) -> Place | None:
    return None if row["file"] is None else Place(_text(row["file"]), _whole(row["line"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return tuple(_text(item) for item in value)


def _maybe(value: Any) -> str | None:
    return None if value is None else _text(value)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value


def _money(value: Any) -> Money:
    return parse_money(_text(value))
