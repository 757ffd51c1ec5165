"""A badge: how many models are in sync and what is due. A file; nothing is served."""

from __future__ import annotations

from reconciler.plan.action import Action
from reconciler.plan.change import Plan
from reconciler.reports.document import json_line
from reconciler.text import format_money, safe

LABEL = "LoRA catalog"
_COLORS = {"red": "#e05d44", "yellow": "#dfb317", "brightgreen": "#4c1"}
_CHAR_WIDTH, _PAD, _HEIGHT = 7, 10, 20


def badge_json(plan: Plan | None, reason: str = "") -> str:
    """What shields.io reads from an endpoint. `reason`: why there is no plan; empty for manifests that were only read."""
    message, color = _said(plan, reason)
    return json_line({"schemaVersion": 1, "label": LABEL, "message": message, "color": color}) + "\n"


def badge_svg(plan: Plan | None, reason: str = "") -> str:
    """The badge itself."""
    message, color = _said(plan, reason)
    label_width, message_width = (len(text) * _CHAR_WIDTH + _PAD for text in (LABEL, message))
    width = label_width + message_width
    title = safe(f"{LABEL}: {message}", "xml")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{width}" height="{_HEIGHT}" rx="3" fill="#fff"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{label_width}" height="{_HEIGHT}" fill="#555"/>'
        f'<rect x="{label_width}" width="{message_width}" height="{_HEIGHT}" fill="{_COLORS[color]}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{label_width / 2:g}" y="14">{safe(LABEL, "xml")}</text>'
        f'<text x="{label_width + message_width / 2:g}" y="14">{safe(message, "xml")}</text></g></svg>\n'
    )


def _said(plan: Plan | None, reason: str) -> tuple[str, str]:
    """Words and colour: red needs a person, yellow an apply."""
    if plan is None:
        said = {"": "manifests are valid", "invalid": "manifests are not valid"}
        return said.get(reason, reason.replace("_", " ")), "red" if reason else "brightgreen"
    counts = plan.counts
    words = [f"{counts[Action.UNCHANGED] + counts[Action.WAIT]:,} in sync"]
    words += [f"{format_money(plan.cost.due)} due"] if plan.cost.due else []
    words += [f"{counts[action]:,} {action.word}" for action in (Action.IN_DOUBT, Action.HELD) if counts[action]]
    words += ["refused"] if plan.refusals else []
    changed = any(count for action, count in counts.items() if action not in (Action.UNCHANGED, Action.WAIT))
    color = "red" if plan.refusals or counts[Action.IN_DOUBT] or counts[Action.HELD] else "yellow" if changed else "brightgreen"
    return ", ".join(words), color
