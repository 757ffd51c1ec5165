"""What in a plan somebody must look at, as rules with a place: the one list behind SARIF, code quality and JUnit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

from reconciler.diagnostics import Place
from reconciler.plan.action import ORDER, Action
from reconciler.plan.change import Plan
from reconciler.project import PROJECT_FILE
from reconciler.reports.reasons import cost_text, reason_text
from reconciler.reports.run import Run

Level = Literal["error", "warning", "note"]


class Finding(NamedTuple):
    """One thing to look at. `subject` is the model's name, the limit's name or the place; text is foreign."""

    rule: str
    level: Level
    subject: str
    message: str
    place: Place | None


def findings(plan: Plan | None, run: Run) -> Iterator[Finding]:
    """Diagnostics, refusals, then the changes that are in doubt, held or paid."""
    for problem in run.problems(plan):
        said = problem.summary + (f": {problem.detail}" if problem.detail else "")
        subject = problem.summary if problem.place is None else f"{problem.place.file} {problem.summary}"
        yield Finding(problem.code, "error" if problem.severity == "error" else "warning", subject, said, problem.place)
    if plan is None:
        return
    for refusal in plan.refusals:
        said = f"{refusal.message}; lifted by {refusal.lift}" if refusal.lift else refusal.message
        yield Finding(f"refused-{refusal.kind}", "error", refusal.limit, said, refusal.place)
    for change in sorted(plan.changes, key=lambda c: (ORDER[c.action], c.name)):
        if change.action in (Action.IN_DOUBT, Action.HELD) or change.action.is_paid:
            level: Level = "note" if change.action.is_paid else "warning"
            said = f"{change.name}: {change.action.word}, {cost_text(change)}: {reason_text(change, str)}"
            yield Finding(change.action.value.replace("_", "-"), level, change.name, said, change.place)


def place_of(finding: Finding) -> Place:
    """Where it is shown: formats that want a place get the project file's first line where there is none."""
    return finding.place or Place(PROJECT_FILE, 1, 1)


class Fingerprints:
    """Fingerprints from rule and subject, never from a line number, unique within one report."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def of(self, finding: Finding) -> str:
        """The same for the same finding of the next run; equal ones are told apart by their number."""
        base = f"{finding.rule}\0{finding.subject}"
        number = self._seen.get(base, 0)
        self._seen[base] = number + 1
        return hashlib.sha256(f"{base}\0{number}".encode("utf-8", "surrogatepass")).hexdigest()
