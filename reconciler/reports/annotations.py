"""GitHub workflow commands: a plan on the lines of its manifests. Only commands; foreign text stands in their escaped parts alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from reconciler.diagnostics import Place
from reconciler.plan.action import ORDER, Action
from reconciler.plan.change import Change, Plan
from reconciler.reports.places import row_place
from reconciler.reports.reasons import cost_text, reason_text
from reconciler.reports.run import Run
from reconciler.text import safe

Level = Literal["error", "warning", "notice"]
MOST_PER_LEVEL = 10
"""GitHub shows that many of one level and step; the last of ours counts the rest."""


class Annotation(NamedTuple):
    """One command before it is written. Title and message are foreign text."""

    level: Level
    title: str
    message: str
    place: Place | None = None
    column: int | None = None


def github_annotations(plan: Plan | None, run: Run) -> str:
    """Errors, then warnings, then notices, paid changes first."""
    found = list(_all(plan, run))
    levels: tuple[Level, ...] = ("error", "warning", "notice")
    return "".join(_command(a) for level in levels for a in _bounded([a for a in found if a.level == level], level))


def _bounded(found: list[Annotation], level: Level) -> Iterable[Annotation]:
    if len(found) <= MOST_PER_LEVEL:
        return found
    more = len(found) - MOST_PER_LEVEL + 1
    return [*found[: MOST_PER_LEVEL - 1], Annotation(level, f"and {more:,} more", "the whole plan is in the log, the summary and -report json")]


def _all(plan: Plan | None, run: Run) -> Iterator[Annotation]:
    for problem in run.problems(plan):
        column = None if problem.place is None or problem.end_line not in (None, problem.place.line) else problem.place.column
        said = problem.summary + (f": {problem.detail}" if problem.detail else "")
        yield Annotation("error" if problem.severity == "error" else "warning", problem.code, said, problem.place, column)
    if plan is None:
        return
    for refusal in plan.refusals:
        said = f"{refusal.message}; lifted by {refusal.lift}" if refusal.lift else refusal.message
        yield Annotation("error", f"refused: {refusal.limit}", said, refusal.place)
    for change in sorted((c for c in plan.changes if not c.is_unchanged), key=lambda c: (ORDER[c.action], c.name)):
        yield _of_change(change)


def _of_change(change: Change) -> Annotation:
    level: Level = "warning" if change.action in (Action.IN_DOUBT, Action.HELD) else "notice"
    return Annotation(level, f"{cost_text(change)} {change.action.word} {change.name}", reason_text(change, str), row_place(change))


def _command(annotation: Annotation) -> str:
    place = annotation.place
    properties = [] if place is None else [f"file={_property(place.file)}", f"line={place.line}"]
    if annotation.column is not None:
        properties.append(f"col={annotation.column}")
    properties.append(f"title={_property(annotation.title)}")
    return f"::{annotation.level} {','.join(properties)}::{safe(annotation.message, 'annotation', limit=1000)}\n"


def _property(value: str) -> str:
    return safe(value, "annotation", limit=300).replace(":", "%3A").replace(",", "%2C")
