"""Why a row is in a plan, in words. One wording for the terminal, the comment and the documents.

Every function takes `foreign`, the door through which text of others reaches the output at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, assert_never

from reconciler.canonical import canonical_json, canonical_number
from reconciler.money import ZERO, Money
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import Change, FieldChange
from reconciler.text import format_money

Foreign = Callable[[object], str]

MOST_FIELDS = 20
"""More changed fields of one model are counted; all stand in the JSON document."""
LONG_VALUE = 160
"""Of longer values only the part that differs is shown (code points)."""

_BARE = re.compile(r"[A-Za-z0-9_./:@+%$-]+")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def reason_text(change: Change, foreign: Foreign) -> str:
    """One line without a full stop: what differs, what it means, what to do about it. A plan's own note says it where there is one."""
    note = foreign(change.note) if change.note else ""
    if change.action in (Action.TRAIN, Action.RETRAIN):
        parts = [_bought_because(change, foreign), note, *_purchase(change, foreign)]
    else:
        fields = fields_text(change.fields, foreign)
        said = note or _words(change, foreign)
        parts = [said, fields] if change.action is Action.MOVE else [fields, said]
        if change.action is Action.UPDATE and fields:
            parts = [fields, note]
        if change.action is Action.REUSE and change.avoided:
            parts.append(f"avoids {format_money(change.avoided)}")
    return "; ".join(part for part in parts if part)


def _bought_because(change: Change, foreign: Foreign) -> str:
    fields = fields_text(change.fields, foreign)
    match change.reason:
        case Reason.SPEC_CHANGED | Reason.DATASET_CHANGED | Reason.GENERATION_BUMPED if fields:
            return fields
        case _:
            return "; ".join(part for part in (_words(change, foreign), fields) if part)


def _purchase(change: Change, foreign: Foreign) -> list[str]:
    again = f"buys once more what {_list(change.consents, foreign)} was bought for" if change.consents else ""
    kept = f"job {foreign(change.previous_job)} stays usable" if change.previous_job and "stay usable" not in change.note else ""
    return [again, kept]


def _words(change: Change, foreign: Foreign) -> str:
    """What a reason means, where nothing else has said it."""
    match change.reason:
        case Reason.NEW_MODEL:
            return "new model"
        case Reason.SPEC_CHANGED | Reason.DATASET_CHANGED | Reason.GENERATION_BUMPED | Reason.METADATA_ONLY:
            return str(change.reason).replace("_", " ")
        case Reason.REQUESTED:
            return "asked for with -replace"
        case Reason.FAILED_RETRY:
            return "last job failed, lifecycle.on_failure is retry"
        case Reason.SAME_SPEC:
            return f"same spec as {foreign(change.shares)}, bought once" if change.shares else f"same spec{_with_job(change, foreign)}"
        case Reason.RENAMED:
            return f"was {foreign(change.previous_name)}" if change.previous_name else "renamed"
        case Reason.PROMOTED:
            return f"bought for another environment{_with_job(change, foreign)}"
        case Reason.NOT_DECLARED:
            return f"no longer declared{_with_job(change, foreign)}; what was bought stays in the ledger"
        case Reason.ADOPTED:
            return f"request {foreign('…' + change.request_id[-8:])}, bought elsewhere" if change.request_id else "bought elsewhere"
        case Reason.SUSPENDED:
            return "suspended by lifecycle.suspend"
        case Reason.PROTECTED:
            return f"protected by lifecycle.prevent_retrain; to retrain it: -allow-retrain={foreign(change.name)}"
        case Reason.OVER_BUDGET:
            return "over budget"
        case Reason.IN_DOUBT:
            return "sent, no answer; not sent again"
        case Reason.LAST_FAILED:
            return "last job failed; to buy again: raise generation, or -replace"
        case Reason.MAX_ATTEMPTS:
            return "lifecycle.max_attempts reached; to buy again: raise generation, or -replace"
        case Reason.LOST:
            return "last job was lost; to buy again: raise generation, or -replace"
        case Reason.TRAINING:
            return "training"
        case Reason.UP_TO_DATE:
            return "as declared"
        case _:
            assert_never(change.reason)


def _with_job(change: Change, foreign: Foreign) -> str:
    return f" (job {foreign(change.job)})" if change.job else ""


def _list(items: tuple[str, ...], foreign: Foreign) -> str:
    shown = ", ".join(foreign(item) for item in items[:3])
    return f"{shown} and {len(items) - 3} more" if len(items) > 3 else shown


def fields_text(fields: tuple[FieldChange, ...], foreign: Foreign) -> str:
    """`steps 1500 → 2000; labels.season summer → winter`."""
    shown = [field_text(field, foreign) for field in fields[:MOST_FIELDS]]
    more = len(fields) - MOST_FIELDS
    return "; ".join([*shown, f"{more} more fields"] if more > 0 else shown)


def field_text(field: FieldChange, foreign: Foreign) -> str:
    """One field, before → after."""
    before, after = _apart(_value(field.before), _value(field.after))
    return f"{foreign(field.path)} {foreign(before)} → {foreign(after)}"


def _value(value: Any) -> str:
    if value is None:
        return "(unset)"
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) else f'"{value}"'
    if isinstance(value, int | float) and not isinstance(value, bool):
        return canonical_number(value)
    return canonical_json(value)


def _apart(before: str, after: str) -> tuple[str, str]:
    """Both values, short, and still different."""
    short = _DIGEST.sub(lambda m: m[0][:12], before), _DIGEST.sub(lambda m: m[0][:12], after)
    if short[0] == short[1]:
        short = before, after
    if max(map(len, short)) <= LONG_VALUE:
        return short
    same = next((i for i, (a, b) in enumerate(zip(*short, strict=False)) if a != b), min(map(len, short)))
    start = max(0, same - 40)
    return _window(short[0], start), _window(short[1], start)


def _window(text: str, start: int) -> str:
    return ("…" if start else "") + text[start : start + LONG_VALUE] + ("…" if start + LONG_VALUE < len(text) else "")


def cost_text(change: Change) -> str:
    """The money of a row: `+$8.00` is due, `$8.00?` may be spent already, `$0.00` is free."""
    if change.action is Action.IN_DOUBT:
        return f"{format_money(change.at_risk or change.cost)}?"
    return f"+{format_money(change.cost)}" if change.cost else format_money(ZERO)


_COUNTED: dict[Action, str] = {
    Action.IN_DOUBT: "in doubt",
    Action.HELD: "held",
    Action.RETRAIN: "to retrain",
    Action.TRAIN: "to train",
    Action.ADOPT: "to adopt",
    Action.REUSE: "to reuse",
    Action.MOVE: "to move",
    Action.UPDATE: "to update",
    Action.WAIT: "waiting",
    Action.FORGET: "to forget",
}


def counts_text(counts: dict[Action, int]) -> str:
    """`1 in doubt, 2 to train; 35 unchanged.`"""
    parts = [f"{counts[action]:,} {words}" for action, words in _COUNTED.items() if counts[action]]
    return "; ".join([", ".join(parts), f"{counts[Action.UNCHANGED]:,} unchanged"] if parts else [f"{counts[Action.UNCHANGED]:,} unchanged"]) + "."


def share_percent(part: Money, whole: Money) -> int:
    """Part of a limit in whole percent, rounded down but never down to the limit's side: 100 only when it is reached."""
    if whole <= 0:
        return 100 if part > 0 else 0
    return int(part * 100 / whole)
