"""`status`: phases, ages, expected ends, request ids, artifacts, doubts; for people and as a document."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from reconciler.job import Attempt, Job
from reconciler.model import Model
from reconciler.reports.document import FORMAT_VERSION, plain
from reconciler.reports.expected import expected_end, seconds_between, seconds_per_step
from reconciler.reports.jobs import artifact_document
from reconciler.reports.layout import Cell, Column, join_lines, paragraph, table_rows
from reconciler.reports.phases import PENDING, PHASES, Standing, count_phases, standings, unbound_jobs
from reconciler.reports.style import Style, Tone
from reconciler.state import State
from reconciler.text import format_duration, format_money, format_time, plural

_TONES: dict[str, Tone] = {"failed": "bad", "lost": "bad", "in_doubt": "bad", "submitting": "warn", "held": "warn", "succeeded": "good", "undeclared": "faint"}
_COLUMNS = (Column(), Column(), Column(), Column())


def status_document(
    state: State,
    *,
    environment: str,
    models: Mapping[str, Model] | None,
    now: str,
    names: Collection[str] | None = None,
    rows: Sequence[Standing] | None = None,
) -> dict[str, Any]:
    """The status document (contract §8). `now` is UTC, ISO 8601; `models` None leaves out what only manifests know.

    `rows`: the standings of these names, where somebody has them already.
    """
    pace = seconds_per_step(state)
    if rows is None:
        rows = standings(state, environment=environment, models=models, names=names)
    document = {
        "format_version": FORMAT_VERSION,
        "environment": environment,
        "state": {"lineage": state.lineage, "serial": state.serial},
        "now": now,
        "models": [_model(row, expected_end(row.job, pace) if row.job else None) for row in rows],
        "in_doubt": [_doubt(attempt) for attempt in state.doubts],
        "unbound_jobs": unbound_jobs(state),
        "paused": None if state.pause is None else {"reason": state.pause.reason, "actor": state.pause.actor, "since": state.pause.since},
    }
    return dict(plain(document))


def _model(row: Standing, end: str | None) -> dict[str, Any]:
    job = row.job
    return {
        "name": row.name,
        "phase": row.phase,
        "request_id": job.request_id if job else None,
        "job": job.id if job else None,
        "job_phase": job.phase if job else None,
        "spec_digest": row.spec_digest,
        "price": job.price if job else None,
        "submitted_at": job.submitted_at if job else None,
        "settled_at": job.settled_at if job else None,
        "polled_at": job.polled_at if job else None,
        "expected_end": end,
        "artifacts": [artifact_document(a) for a in job.artifacts] if job else [],
        "error": job.error if job else "",
    }


def _doubt(attempt: Attempt) -> dict[str, Any]:
    return {
        "name": attempt.name,
        "environment": attempt.environment,
        "attempt": attempt.id,
        "sent_at": attempt.sent_at,
        "amount": attempt.price,
        "evidence": attempt.evidence,
        "salvaged": attempt.salvaged,
    }


def status_text(
    state: State,
    style: Style,
    *,
    environment: str,
    models: Mapping[str, Model] | None,
    now: str,
    names: Collection[str] | None = None,
    rows: Sequence[Standing] | None = None,
) -> str:
    """One row per name, then the doubts with the commands that end them, then what else should be known. `rows` as in `status_document`."""
    if rows is None:
        rows = standings(state, environment=environment, models=models, names=names)
    head = f"Environment {style.foreign(environment)} · {plural(len(rows), 'model')} · state serial {state.serial}"
    lines = [style.own(head), "", *_row_lines(rows, state, style, now)]
    lines += _doubt_lines(state, style, now)
    if state.pause is not None:
        lines += ["", *paragraph(style.foreign(f"Paused since {state.pause.since} by {state.pause.actor}: {state.pause.reason}"), style, tone="warn")]
    for note in state.notes:
        lines += ["", *paragraph(style.foreign(note), style)]
    lines += ["", _counts(rows, unbound_jobs(state))]
    return join_lines(lines)


def _row_lines(rows: Sequence[Standing], state: State, style: Style, now: str) -> list[str]:
    pace = seconds_per_step(state)
    phases: dict[str, Cell] = {phase: (phase.replace("_", " "), _TONES.get(phase, "plain")) for phase in PHASES}
    cells: list[Sequence[Cell]] = [
        style.foreign_all([row.name for row in rows]),
        [phases[row.phase] for row in rows],
        [_when(row, style, now, pace) for row in rows],
        style.foreign_all([row.job.request_id if row.job else "" for row in rows]),
    ]
    lines: list[str] = []
    for row, own in zip(rows, table_rows(_COLUMNS, cells, style, indent=2), strict=True):
        lines += own
        if row.job is not None and (row.job.error or row.job.artifacts):
            lines += _details(row.job, style)
    return lines


def _when(row: Standing, style: Style, now: str, pace: Mapping[str, float]) -> str:
    job, attempt = row.job, row.attempt
    if attempt is not None:
        return f"sent {format_time(attempt.sent_at, today=now)}"
    if job is None:
        return ""
    if row.phase not in PENDING:
        return style.foreign(format_time(job.settled_at or job.submitted_at, today=now))
    age, end = seconds_between(job.submitted_at, now), expected_end(job, pace)
    left = seconds_between(now, end) if end else None
    text = "" if age is None else f"since {format_duration(age)}"
    if left is None:
        return text
    return f"{text}, about {format_duration(left)} more" if left > 0 else f"{text}, expected {format_duration(-left)} ago"


def _details(job: Job, style: Style) -> list[str]:
    """What is too long for a column. URLs stay on one line, whatever the width, so that they can be copied."""
    lines = paragraph(style.foreign(job.error), style, first=" " * 6) if job.error else []
    return lines + [" " * 6 + style.foreign(artifact.url, limit=4096) for artifact in job.artifacts]


def _doubt_lines(state: State, style: Style, now: str) -> list[str]:
    lines: list[str] = []
    for attempt in state.doubts:
        name, amount = style.foreign(attempt.name), format_money(attempt.price)
        text = f"{name}: attempt {style.foreign(attempt.id)}, sent {format_time(attempt.sent_at, today=now)}, {amount} may have been charged"
        text += f"; {style.foreign(attempt.evidence)}" if attempt.evidence else ""
        text += f"; an id was read in the answer: {style.foreign(attempt.salvaged)}" if attempt.salvaged else ""
        lines += ["", *paragraph(text, style, first="Doubt   ", tone="bad")]
        lines += [f"        reconciler resolve {name} {end} -reason TEXT" for end in ("-request-id ID", "-not-submitted")]
    return lines


def _counts(rows: Sequence[Standing], unbound: int) -> str:
    counts = ", ".join(f"{count:,} {phase.replace('_', ' ')}" for phase, count in count_phases(rows).items()) or "no models"
    more = f"; {plural(unbound, 'job')} that no name points to" if unbound else ""
    return f"Status: {counts}{more}."
