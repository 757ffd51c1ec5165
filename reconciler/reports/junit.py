"""A plan as JUnit XML: one case per model that changes; refusals and diagnostics fail, doubts are errors, held models are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from reconciler.plan.action import ORDER, Action
from reconciler.plan.change import Change, Plan
from reconciler.reports.reasons import cost_text, reason_text
from reconciler.reports.run import Run
from reconciler.text import safe

Outcome = Literal["passed", "failure", "error", "skipped"]


class Case(NamedTuple):
    """One test case; all texts are foreign."""

    group: str
    name: str
    outcome: Outcome
    message: str


def junit(plan: Plan | None, run: Run) -> str:
    """The whole document, UTF-8. Control characters, which XML forbids, have become visible."""
    cases = list(_cases(plan, run))
    counts = {kind: sum(case.outcome == kind for case in cases) for kind in ("failure", "error", "skipped")}
    numbers = f'tests="{len(cases)}" failures="{counts["failure"]}" errors="{counts["error"]}" skipped="{counts["skipped"]}"'
    name = _xml("reconciler plan" if plan is None else f"reconciler plan {plan.environment}")
    body = "".join(_case(case) for case in cases)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {numbers}>\n<testsuite name="{name}" {numbers}>\n{body}</testsuite>\n</testsuites>\n'


def _cases(plan: Plan | None, run: Run) -> Iterator[Case]:
    for problem in run.problems(plan):
        place = f"{problem.place}: " if problem.place is not None else ""
        said = f"{place}{problem.summary}" + (f": {problem.detail}" if problem.detail else "")
        yield Case("diagnostics", f"{problem.code} {place}".strip(" :"), "failure" if problem.severity == "error" else "passed", said)
    if plan is None:
        return
    for refusal in plan.refusals:
        said = f"{refusal.message}; lifted by {refusal.lift}" if refusal.lift else refusal.message
        yield Case("limits", refusal.limit, "failure", said)
    for change in sorted((c for c in plan.changes if not c.is_unchanged), key=lambda c: (ORDER[c.action], c.name)):
        yield Case("models", change.name, _outcome(change), f"{change.action.word}, {cost_text(change)}: {reason_text(change, str)}")


def _outcome(change: Change) -> Outcome:
    match change.action:
        case Action.IN_DOUBT:
            return "error"
        case Action.HELD:
            return "skipped"
        case _:
            return "passed"


def _case(case: Case) -> str:
    head = f'<testcase classname="{_xml(case.group)}" name="{_xml(case.name)}"'
    message = _xml(case.message)
    if case.outcome == "passed":
        return f"{head}><system-out>{message}</system-out></testcase>\n"
    return f'{head}><{case.outcome} message="{message}"/></testcase>\n'


def _xml(text: str) -> str:
    # a runner that sees the file printed takes `##[` for a command
    return safe(text, "xml", limit=1000).replace("##", "#&#35;")
