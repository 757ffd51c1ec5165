"""One name: what it points to, and every attempt that was made for it; for people and as a document."""

from __future__ import annotations

from typing import Any

from reconciler.job import Attempt, Binding
from reconciler.reports.document import FORMAT_VERSION
from reconciler.reports.jobs import bound_names, job_document, job_text
from reconciler.reports.layout import join_lines, pad, paragraph
from reconciler.reports.merged import attempt_document
from reconciler.reports.style import Style
from reconciler.state import State
from reconciler.text import format_money


def binding_document(state: State, bound: Binding) -> dict[str, Any]:
    """The name, its job and its attempts as plain data."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "state_show",
        "environment": bound.environment,
        "name": bound.name,
        "since": bound.since,
        "metadata": bound.metadata,
        "job": job_document(state.jobs[bound.job], bound_names(state).get(bound.job, [])),
        "attempts": [{**attempt_document(a), "duplicate_of": a.duplicate_of} for a in _attempts(state, bound)],
    }


def binding_text(state: State, bound: Binding, style: Style) -> str:
    """The job, a fact a line, then a line per attempt."""
    lines = [f"{bound.environment}/{bound.name} points since {bound.since} to:"]
    attempts = [
        line
        for a in _attempts(state, bound)
        for line in paragraph(
            style.foreign(f"{a.sent_at}  {a.status.replace('_', ' ')}, {format_money(a.price)}, {a.id}{f', {a.evidence}' if a.evidence else ''}", limit=1000),
            style,
            first=pad("attempt", 16),
        )
    ]
    return (
        join_lines([style.foreign(line) for line in lines])
        + job_text(state.jobs[bound.job], bound_names(state).get(bound.job, []), style)
        + join_lines(attempts)
    )


def _attempts(state: State, bound: Binding) -> list[Attempt]:
    mine = (a for a in state.attempts.values() if (a.environment, a.name) == (bound.environment, bound.name) or a.job == bound.job)
    return sorted(mine, key=lambda a: (a.sent_at, a.id))
