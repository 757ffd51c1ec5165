"""What the state holds, for people and as a document: names, their jobs and artifacts, doubts, what is bound to no name."""

from __future__ import annotations

from typing import Any

from reconciler.job import Attempt, Binding, Job
from reconciler.money import ZERO
from reconciler.reports.document import FORMAT_VERSION
from reconciler.reports.jobs import bound_names, job_document, jobs_of
from reconciler.reports.layout import join_lines, paragraph
from reconciler.reports.style import Style
from reconciler.state import State
from reconciler.text import format_money, format_time, plural


def state_document(state: State) -> dict[str, Any]:
    """The whole state as plain data, sorted."""
    names = bound_names(state)
    return {
        "format_version": FORMAT_VERSION,
        "kind": "state",
        "lineage": state.lineage,
        "serial": state.serial,
        "world": state.world,
        "pause": None if state.pause is None else {"reason": state.pause.reason, "actor": state.pause.actor, "since": state.pause.since},
        "bindings": [_binding(b) for _, b in sorted(state.bindings.items())],
        "jobs": [job_document(job, names.get(job.id, [])) for job in jobs_of(state)],
        "in_doubt": [_doubt(a) for a in state.doubts],
        "notes": list(state.notes),
    }


def _binding(binding: Binding) -> dict[str, Any]:
    return {"environment": binding.environment, "name": binding.name, "job": binding.job, "since": binding.since, "metadata": binding.metadata}


def _doubt(attempt: Attempt) -> dict[str, Any]:
    return {
        "name": attempt.name,
        "environment": attempt.environment,
        "attempt": attempt.id,
        "sent_at": attempt.sent_at,
        "amount": attempt.price,
        "evidence": attempt.evidence,
    }


def state_text(state: State, style: Style) -> str:
    """A block per name, then doubts, then the sum of what was bought."""
    lines = [f"State {style.foreign(state.lineage)}, serial {state.serial}"]
    if state.pause is not None:
        lines += paragraph(f"Paused since {state.pause.since} by {style.foreign(state.pause.actor)}: {style.foreign(state.pause.reason)}", style)
    for (environment, name), binding in sorted(state.bindings.items()):
        shown = name if environment == "default" else f"{environment}/{name}"
        lines += ["", style.paint(style.foreign(shown), "strong"), *_job_lines(state.jobs.get(binding.job), binding, style)]
    for attempt in state.doubts:
        what = f"in doubt: sent {attempt.sent_at}, {format_money(attempt.price)} may have been charged; {attempt.evidence}; reconciler resolve {attempt.name}"
        lines += ["", style.paint(style.foreign(attempt.name), "bad"), *paragraph(style.foreign(what, limit=1000), style, first="  ")]
    return join_lines([*lines, "", *_totals(state, style)])


def _job_lines(job: Job | None, binding: Binding, style: Style) -> list[str]:
    if job is None:
        return paragraph(f"job {style.foreign(binding.job)}, which is not known", style, first="  ")
    parameters = ", ".join(f"{key} {value}" for key, value in sorted(job.spec.get("parameters", {}).items()))
    lines = [
        f"job {style.foreign(job.id)}, {job.phase}, {format_money(job.price)}, submitted {style.foreign(format_time(job.submitted_at))}",
        f"request {style.foreign(job.request_id)}",
        f"{style.foreign(parameters)}; dataset {style.foreign(job.spec.get('dataset', ''))}",
        *([f"error: {style.foreign(job.error)}"] if job.error else []),
    ]
    # URLs stay on one line, whatever the width, so that they can be copied
    files = [f"  {artifact.role} {style.foreign(artifact.url, limit=4096)}" for artifact in job.artifacts]
    return [part for line in lines for part in paragraph(line, style, first="  ")] + files


def _totals(state: State, style: Style) -> list[str]:
    bound = {binding.job for binding in state.bindings.values()}
    unbound = sum(job.id not in bound for job in state.jobs.values())
    spent = sum((job.price for job in state.jobs.values()), ZERO)
    doubtful = sum((attempt.price for attempt in state.doubts), ZERO)
    text = f"{plural(len(state.bindings), 'name')}, {plural(len(state.jobs), 'job')} bought for {format_money(spent)}"
    text += f", {plural(unbound, 'job')} bound to no name (`reconciler jobs list`)" if unbound else ""
    text += f", {format_money(doubtful)} in doubt" if state.doubts else ""
    return paragraph(text, style)
