"""One line per event, for apply and refresh without a terminal; each is printed after its fact is durable.

The keys of `Event.data`; all may be left out, money is a Decimal or a decimal string in USD, times are seconds:

    version             version
    planned_change      action, cost, reason; done (true: carried out, at no cost), job
    purchase_intent     attempt, price, spec_digest
    purchase_accepted   attempt, job, request_id, price, count, of, spent, due, serial
    purchase_rejected   attempt, http_status (none: nothing was sent), message, retry_after_seconds, final
    purchase_in_doubt   attempt, price, evidence, salvaged
    poll                job, phase, error or trouble, elapsed_seconds, expected_seconds
    job_settled         job, phase, request_id, artifacts (count or list), size_bytes, error, price
    artifact_saved      job, path, size_bytes, sha256
    budget              limit, message, lift
    diagnostic          severity, code, summary, detail, file, line, column
    change_summary      see `summary.py`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from reconciler.event import Event
from reconciler.reports.layout import pad
from reconciler.reports.style import Style, Tone
from reconciler.reports.summary import money_of, summary_text
from reconciler.text import format_duration, format_size, inert_line, plural

NAME_WIDTH = 14
VERB_WIDTH = 9

_VERBS: dict[str, tuple[str, Tone]] = {
    "version": ("version", "faint"),
    "planned_change": ("planned", "plain"),
    "purchase_intent": ("sending", "faint"),
    "purchase_accepted": ("accepted", "good"),
    "purchase_rejected": ("rejected", "warn"),
    "purchase_in_doubt": ("in doubt", "bad"),
    "poll": ("poll", "faint"),
    "job_settled": ("settled", "good"),
    "artifact_saved": ("saved", "good"),
    "budget": ("refused", "bad"),
}
_SEVERITIES: dict[str, tuple[str, Tone]] = {"error": ("error", "bad"), "info": ("note", "faint")}
_DONE = {"reuse": "reused", "move": "moved", "update": "updated", "forget": "forgotten", "adopt": "adopted"}


def event_line(event: Event, style: Style, *, name_width: int = NAME_WIDTH) -> str:
    """The event on one line without a newline (a summary may have more); empty where it says nothing to people (an intent, a tick)."""
    if event.type == "purchase_intent" or event.data.get("tick"):
        return ""
    if event.type == "change_summary":
        return summary_text(event.data, style).rstrip("\n")
    verb, tone = _VERBS.get(event.type, (event.type, "plain"))
    if event.type == "diagnostic":
        verb, tone = _SEVERITIES.get(str(event.data.get("severity", event.level)), ("warning", "warn"))
    if event.type == "planned_change" and event.data.get("action"):
        verb = style.foreign(event.data["action"]).replace("_", " ")
    if event.type == "planned_change" and event.data.get("done"):
        verb, tone = _DONE.get(str(event.data.get("action")), verb), "good"
    if event.type == "job_settled" and event.data.get("phase") != "succeeded":
        tone = "bad"
    head = f"{_clock(event.at, style)} {pad(style.foreign(event.name or '', limit=200), name_width)}  "
    text = _text(event, style)
    return inert_line(f"{head}{style.paint(verb, tone)}{' ' * max(0, VERB_WIDTH - len(verb))}  {text}".rstrip(" "))


def _clock(at: str, style: Style) -> str:
    clock = at[11:19]
    return f"{clock}Z" if len(clock) == 8 and clock.replace(":", "").isdigit() else style.foreign(at, limit=30)


def _text(event: Event, style: Style) -> str:
    parts = _parts(event, style)
    return "; ".join(part for part in parts if part) or style.foreign(event.message)


def _parts(event: Event, style: Style) -> list[str]:
    data = event.data
    match event.type:
        case "purchase_accepted":
            return [_accepted(data, style)]
        case "purchase_rejected":
            return _rejected(data, style)
        case "purchase_in_doubt":
            return _in_doubt(data, style)
        case "poll":
            return _poll(data, style)
        case "job_settled":
            return _settled(event, style)
        case "planned_change" if data.get("done"):
            return [_foreign(data, "reason", style).replace("_", " "), f"job {_foreign(data, 'job', style)}" if data.get("job") else ""]
        case "planned_change":
            return [_joined(", ", _foreign(data, "reason", style).replace("_", " "), money_of(data, "cost"))]
        case "budget":
            return [_joined(": ", _foreign(data, "limit", style), _foreign(data, "message", style) or style.foreign(event.message)), _lift(data, style)]
        case "artifact_saved":
            return [_joined("  ", _foreign(data, "path", style), _size(data)), f"sha256 {style.foreign(data['sha256'])}" if data.get("sha256") else ""]
        case "diagnostic":
            return [_diagnostic(data, style), _foreign(data, "detail", style)]
        case "version" | "purchase_intent" | "change_summary":
            return [style.foreign(event.message)]
        case _:
            assert_never(event.type)


def _accepted(data: Mapping[str, Any], style: Style) -> str:
    progress = []
    if "count" in data and "of" in data:
        progress.append(f"{data['count']} of {data['of']}")
    if money_of(data, "spent") and money_of(data, "due"):
        progress.append(f"{money_of(data, 'spent')} of {money_of(data, 'due')}")
    if "serial" in data:
        progress.append(f"serial {data['serial']}")
    return _joined("  ", _foreign(data, "request_id", style), money_of(data, "price"), ", ".join(progress))


def _rejected(data: Mapping[str, Any], style: Style) -> list[str]:
    status = data.get("http_status")
    why = _joined(" ", str(status) if isinstance(status, int) else "not sent:", _foreign(data, "message", style))
    wait = data.get("retry_after_seconds")
    if isinstance(wait, int | float) and not data.get("final"):
        return [f"{why}, again in {format_duration(wait)}", "nothing charged"]
    return [why, "nothing charged"]


def _in_doubt(data: Mapping[str, Any], style: Style) -> list[str]:
    salvaged = f"an id was read in the answer: {style.foreign(data['salvaged'])}" if data.get("salvaged") else ""
    price = money_of(data, "price")
    return [
        _foreign(data, "evidence", style) or "no answer after the request was sent",
        salvaged,
        "not sent again",
        f"{price} counts as spent" if price else "",
    ]


def _poll(data: Mapping[str, Any], style: Style) -> list[str]:
    trouble = _foreign(data, "trouble", style) or _foreign(data, "error", style)
    phase = _foreign(data, "phase", style)
    elapsed, expected = data.get("elapsed_seconds"), data.get("expected_seconds")
    if phase and isinstance(elapsed, int | float):
        phase += f" for {format_duration(elapsed)}"
        if isinstance(expected, int | float):
            phase += f" of about {format_duration(expected)}"
    return [phase, f"no news: {trouble}" if trouble else ""]


def _settled(event: Event, style: Style) -> list[str]:
    data = event.data
    phase = _foreign(data, "phase", style)
    if phase == "succeeded":
        artifacts = data.get("artifacts")
        count = artifacts if isinstance(artifacts, int) else len(artifacts) if isinstance(artifacts, list | tuple) else None
        files = plural(count, "file") if count is not None else ""
        return [_joined(", ", phase, files, _size(data)), f"reconciler artifacts pull {style.foreign(event.name)}" if event.name else ""]
    price = money_of(data, "price")
    return [_joined(": ", phase, _foreign(data, "error", style)), f"{price} stays spent" if price else ""]


def _diagnostic(data: Mapping[str, Any], style: Style) -> str:
    place = ":".join(str(data[key]) for key in ("file", "line", "column") if data.get(key))
    return style.own(_joined(" ", f"{style.foreign(place)}:" if place else "", f"[{_foreign(data, 'code', style)}]", _foreign(data, "summary", style)))


def _lift(data: Mapping[str, Any], style: Style) -> str:
    return f"lifted by {style.foreign(data['lift'])}" if data.get("lift") else "nothing more is bought"


def _size(data: Mapping[str, Any]) -> str:
    size = data.get("size_bytes")
    return format_size(size) if isinstance(size, int) else ""


def _foreign(data: Mapping[str, Any], key: str, style: Style) -> str:
    value = data.get(key)
    return "" if value is None else style.foreign(value)


def _joined(separator: str, *parts: str) -> str:
    return separator.join(part for part in parts if part)
