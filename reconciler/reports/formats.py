"""The formats of `-report FORMAT=PATH`: one table from the format's name to its renderer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from reconciler.plan.change import Plan
from reconciler.plan.document import change_document, diagnostic_document, plan_foot, plan_head
from reconciler.reports.annotations import github_annotations
from reconciler.reports.badge import badge_json, badge_svg
from reconciler.reports.ci_values import dotenv, github_output
from reconciler.reports.document import FORMAT_VERSION, json_line, json_text
from reconciler.reports.gitlab import codequality, gitlab_terraform
from reconciler.reports.junit import junit
from reconciler.reports.markdown import comment_markdown, summary_markdown
from reconciler.reports.plan_json import plan_json
from reconciler.reports.run import Run
from reconciler.reports.sarif import sarif

Renderer = Callable[[Plan | None, Run], str]

APPENDED = frozenset({"summary", "github-output"})
"""Formats whose files belong to the CI runner and are appended to; all others are replaced whole."""
NO_RUN = Run()


def render(form: str, plan: Plan | None, run: Run = NO_RUN) -> str:
    """The report as text, UTF-8. `plan` None: the manifests are invalid and `run.diagnostics` say why. KeyError for an unknown format."""
    return FORMATS[form](plan, run)


def pieces(form: str, plan: Plan | None, run: Run = NO_RUN) -> Iterable[str]:
    """The same text in pieces: what holds every change is never held whole."""
    if form == "json" and plan is not None:
        return plan_json(plan)
    return json_lines(plan, run) if form == "jsonl" else [render(form, plan, run)]


def json_lines(plan: Plan | None, run: Run) -> Iterator[str]:
    """Header, one change a line, footer with the digests; each with its newline. Never holds more than one change."""
    if plan is None:
        yield json_line(_invalid(run)) + "\n"
        return
    yield json_line(plan_head(plan)) + "\n"
    for change in plan.changes:
        yield json_line(change_document(change)) + "\n"
    yield json_line(plan_foot(plan)) + "\n"


def _json(plan: Plan | None, run: Run) -> str:
    return json_text(_invalid(run)) if plan is None else "".join(plan_json(plan))


def _invalid(run: Run) -> dict[str, Any]:
    diagnostics = [diagnostic_document(d) for d in run.problems(None)]
    return {"format_version": FORMAT_VERSION, "kind": "plan", "applyable": False, "complete": False, "changes": [], "diagnostics": diagnostics}


def _badge(plan: Plan | None, run: Run) -> str:
    render_badge = badge_svg if run.path.lower().endswith(".svg") else badge_json
    return render_badge(plan, run.reason(plan))


FORMATS: Mapping[str, Renderer] = {
    "annotations": github_annotations,
    "badge": _badge,
    "codequality": codequality,
    "dotenv": dotenv,
    "github-output": github_output,
    "gitlab-terraform": lambda plan, _: gitlab_terraform(plan),
    "json": _json,
    "jsonl": lambda plan, run: "".join(json_lines(plan, run)),
    "junit": junit,
    "markdown": comment_markdown,
    "sarif": sarif,
    "summary": summary_markdown,
}
