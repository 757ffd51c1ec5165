"""`plan -explain`: why one name is decided as it is, since when, and how its cost can be avoided; for people and as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.diagnostics import Place
from reconciler.plan.avoid import Way
from reconciler.plan.change import Change
from reconciler.plan.explain import Step
from reconciler.reports.document import FORMAT_VERSION, plain
from reconciler.reports.layout import Column, join_lines, table
from reconciler.reports.style import Style
from reconciler.text import safe

Line = tuple[str, int]
"""File and line."""


class Commit(NamedTuple):
    """The commit that wrote a line; `id` is empty for a line that is in none yet."""

    id: str
    at: str = ""
    author: str = ""
    summary: str = ""


class Explanation(NamedTuple):
    """Everything that is told about one name. `commits` is empty where there is no git history."""

    name: str
    change: Change | None
    steps: Sequence[Step]
    ways: Sequence[Way]
    commits: Mapping[Line, Commit]


def explanation_document(told: Explanation) -> dict[str, Any]:
    """The explanation as plain data."""
    change = told.change
    document = {
        "format_version": FORMAT_VERSION,
        "name": told.name,
        "action": "unchanged" if change is None else change.action,
        "reason": "up_to_date" if change is None else change.reason,
        "cost": None if change is None else change.cost,
        "steps": [{"question": step.question.strip(), "answer": step.answer} for step in told.steps],
        "since": [_since(field, told.commits) for field in since(change)],
        "avoid": [{"how": way.how, "text": way.text, "job": way.job} for way in told.ways],
    }
    return dict(plain(document))


def since(change: Change | None) -> list[tuple[str, Any, Any, Place]]:
    """(what, before, after, where it is written) of everything that made the change; the model itself when no field did."""
    if change is None:
        return []
    fields = [(f.path, f.before, f.after, f.place) for f in change.fields if f.place is not None]
    if fields or change.place is None:
        return fields
    return [(change.name, None, None, change.place)]


def _since(row: tuple[str, Any, Any, Place], commits: Mapping[Line, Commit]) -> dict[str, Any]:
    path, before, after, place = row
    commit = commits.get((place.file, place.line))
    found = None if commit is None else commit._asdict()
    return {"path": path, "before": before, "after": after, "file": place.file, "line": place.line, "commit": found}


def explanation_text(told: Explanation, style: Style) -> str:
    """Three small tables: the facts in the order in which they were asked, since when, and what to do instead."""
    columns = (Column(), Column(wraps=True))
    facts = [(style.foreign(step.question.strip()), style.own(step.answer)) for step in told.steps]
    lines = [style.paint(style.foreign(told.name), "strong"), "", *table(columns, facts, style, indent=2)]
    rows = [(style.foreign(path), style.own(_where(before, after, place, told.commits))) for path, before, after, place in since(told.change)]
    if rows:
        lines += ["", "Since", *table(columns, rows, style, indent=2)]
    if told.ways:
        lines += ["", "To pay nothing", *table(columns, [(way.how, style.own(way.text)) for way in told.ways], style, indent=2)]
    return join_lines(lines)


def _where(before: Any, after: Any, place: Place, commits: Mapping[Line, Commit]) -> str:
    was = f"{safe(before)} → {safe(after)}, " if (before, after) != (None, None) else ""
    at = f"{safe(place.file, limit=300)}:{place.line}"
    commit = commits.get((place.file, place.line))
    if commit is None:
        return f"{was}{at}"
    if not commit.id:
        return f"{was}{at}, not committed yet"
    return f"{was}{at}, commit {safe(commit.id[:12])} of {safe(commit.at)} by {safe(commit.author, limit=80)}: {safe(commit.summary, limit=200)}"
