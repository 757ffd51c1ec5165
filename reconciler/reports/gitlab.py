"""GitLab's two reports: the plan's numbers in the merge request widget, and findings as code quality."""

from __future__ import annotations

from typing import Any

from reconciler.plan.action import Action
from reconciler.plan.change import Plan
from reconciler.reports.document import json_line, json_text
from reconciler.reports.findings import Finding, Fingerprints, findings, place_of
from reconciler.reports.run import Run
from reconciler.text import safe

_SEVERITIES = {"error": "critical", "warning": "major", "note": "info"}
MOST_FINDINGS = 10_000


def gitlab_terraform(plan: Plan | None) -> str:
    """Exactly `create`, `update`, `delete`: what is new, what changes, what is forgotten."""
    counts = dict.fromkeys(Action, 0) if plan is None else plan.counts
    numbers = {
        "create": counts[Action.TRAIN] + counts[Action.ADOPT],
        "update": counts[Action.RETRAIN] + counts[Action.UPDATE],
        "delete": counts[Action.FORGET],
    }
    return json_line(numbers) + "\n"


def codequality(plan: Plan | None, run: Run) -> str:
    """An array of findings, without a byte order mark."""
    marks = Fingerprints()
    return json_text([_row(finding, marks) for finding, _ in zip(findings(plan, run), range(MOST_FINDINGS), strict=False)])


def _row(finding: Finding, marks: Fingerprints) -> dict[str, Any]:
    place = place_of(finding)
    return {
        "description": safe(finding.message, limit=1000),
        "check_name": safe(finding.rule, limit=100),
        "fingerprint": marks.of(finding),
        "severity": _SEVERITIES[finding.level],
        "location": {"path": safe(place.file, limit=1000).removeprefix("./"), "lines": {"begin": max(1, place.line)}},
    }
