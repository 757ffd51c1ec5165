"""How an apply or a refresh ended: what was bought and what was not, with amounts, and the command that comes next.

The keys of a `change_summary`; all may be left out, counts are integers, money is a Decimal or a decimal string in USD:

    command                     `apply` (default) or `refresh`
    bought, bought_amount       purchases with a request id
    unacknowledged              purchases whose request id could not be written where it belongs
    in_doubt, in_doubt_amount   may have been charged; in_doubt_names: whose
    adopted reused moved updated forgotten held
    succeeded failed lost       jobs that ended; failed_names: whose
    rejected                    purchases that were refused, nothing charged
    training                    jobs that go on
    not_bought, not_bought_amount   planned and not sent; not_bought_names: whose
    stopped                     why it ended early (a signal, a budget, a failure), else empty
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from reconciler.reports.layout import join_lines, pad, paragraph
from reconciler.reports.style import Style
from reconciler.text import format_money, plural

MOST_NAMES = 10

_COUNTS = (
    ("bought", "bought"),
    ("unacknowledged", "bought and not recorded"),
    ("in_doubt", "in doubt"),
    ("adopted", "adopted"),
    ("reused", "reused"),
    ("moved", "moved"),
    ("updated", "updated"),
    ("forgotten", "forgotten"),
    ("succeeded", "succeeded"),
    ("failed", "failed"),
    ("lost", "lost"),
    ("held", "held"),
    ("rejected", "rejected"),
    ("not_bought", "not bought"),
)


def summary_text(data: Mapping[str, Any], style: Style) -> str:
    """One line that can be grepped, then what was not bought and why, then what to do next."""
    command = "Refresh" if data.get("command") == "refresh" else "Apply"
    counts = [_counted(data, key, words) for key, words in _COUNTS if _count(data, key)]
    training = f"; {_count(data, 'training'):,} training" if _count(data, "training") else ""
    lines = [f"{command}: {', '.join(counts) or 'nothing to do'}{training}."]
    lines += _early_end(data, style)
    lines += _named("Failed", data, "failed_names", style)
    lines += [f"Next: {command}" for command in _next(data, style)]
    return join_lines(lines)


def _early_end(data: Mapping[str, Any], style: Style) -> list[str]:
    if not data.get("stopped"):
        return _named("Unsent", data, "not_bought_names", style)
    bought, amount = _count(data, "bought"), money_of(data, "bought_amount")
    kept = f"{plural(bought, 'purchase')}{f' ({amount})' if amount else ''} made before that {'is' if bought == 1 else 'are'} recorded"
    nothing = "" if _count(data, "unacknowledged") else "; nothing was bought"
    text = f"{style.foreign(data['stopped'])}{f'; {kept}' if bought else nothing}"
    return [*paragraph(text, style, first=pad("Stopped", 8)), *_named("Unsent", data, "not_bought_names", style)]


def _named(label: str, data: Mapping[str, Any], key: str, style: Style) -> list[str]:
    names = _names(data, key)
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return paragraph(", ".join(style.foreign(n) for n in names[:MOST_NAMES]) + more, style, first=pad(label, 8))


def _next(data: Mapping[str, Any], style: Style) -> list[str]:
    """Commands, most urgent first; each on one line, so that it can be copied."""
    doubts = _names(data, "in_doubt_names")
    commands = [f"reconciler resolve {style.foreign(name)} -request-id ID -reason TEXT, or -not-submitted -reason TEXT" for name in doubts[:MOST_NAMES]]
    if _count(data, "in_doubt") and (not doubts or len(doubts) > MOST_NAMES):
        commands.append("reconciler status")
    if _count(data, "not_bought") or data.get("stopped"):
        commands.append("reconciler plan")
    if _count(data, "training"):
        commands.append("reconciler refresh -wait")
    if _count(data, "succeeded"):
        commands.append("reconciler output")
    return commands


def _counted(data: Mapping[str, Any], key: str, words: str) -> str:
    amount = money_of(data, f"{key}_amount")
    return f"{_count(data, key):,} {words}{f' {amount}' if amount else ''}"


def _count(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    return value if isinstance(value, int) else 0


def _names(data: Mapping[str, Any], key: str) -> Sequence[object]:
    value = data.get(key)
    return value if isinstance(value, list | tuple) else ()


def money_of(data: Mapping[str, Any], key: str) -> str:
    """The amount under `key` for people; empty where there is none."""
    value = data.get(key)
    try:
        return "" if value is None else format_money(Decimal(str(value)))
    except (InvalidOperation, ValueError):
        return ""
