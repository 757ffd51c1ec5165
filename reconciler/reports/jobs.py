"""`jobs`: every training that was bought, bound to a name or not; for people and as a document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

from reconciler.job import Artifact, Job, Phase
from reconciler.ledger import Billed, Purchased
from reconciler.money import ZERO
from reconciler.reports.document import FORMAT_VERSION, plain
from reconciler.reports.layout import Cell, Column, join_lines, pad, paragraph, table_rows
from reconciler.reports.style import Style, Tone
from reconciler.state import State
from reconciler.text import format_money, format_size, format_time, plural

_TONES: dict[str, Tone] = {"failed": "bad", "lost": "bad", "succeeded": "good"}
J = TypeVar("J", bound=Billed)


def by_time(jobs: Iterable[J]) -> list[J]:
    """Jobs by the time they were bought."""
    return sorted(jobs, key=attrgetter("submitted_at", "id"))


def jobs_of(state: State) -> list[Job]:
    """All jobs by the time they were bought."""
    return by_time(state.jobs.values())


def bound_names(state: Purchased) -> dict[str, list[str]]:
    """Job → the names that point to it, as `environment/name`, sorted."""
    bound: dict[str, list[str]] = {}
    for environment, name in sorted(state.bindings):
        bound.setdefault(state.bindings[environment, name].job, []).append(f"{environment}/{name}")
    return bound


def jobs_document(state: State) -> dict[str, Any]:
    """The jobs document (contract §8), oldest first."""
    bound = bound_names(state)
    return {"format_version": FORMAT_VERSION, "jobs": [job_document(job, bound.get(job.id, [])) for job in jobs_of(state)]}


def job_document(job: Job, bound_to: Sequence[str]) -> dict[str, Any]:
    """One job as plain data, with its spec and its files."""
    row = {
        "job": job.id,
        "attempt": job.attempt,
        "environment": job.environment,
        "name": job.name,
        "trainer": job.trainer,
        "request_id": job.request_id,
        "phase": job.phase,
        "spec_digest": job.spec_digest,
        "spec": job.spec,
        "price": job.price,
        "charged": job.charged,
        "submitted_at": job.submitted_at,
        "settled_at": job.settled_at,
        "artifacts": [artifact_document(a) for a in job.artifacts],
        "error": job.error,
        "bound_to": list(bound_to),
    }
    return dict(plain(row))


def artifact_document(artifact: Artifact) -> dict[str, Any]:
    """One file of a job. Its URL is shown without a query; `output` shows a signed one whole."""
    return {"role": artifact.role, "url": artifact.url, "file_name": artifact.file_name, "size_bytes": artifact.size_bytes}


def jobs_text(state: Purchased, style: Style) -> str:
    """One row per job, oldest first, then the sum."""
    jobs, bound = by_time(state.jobs.values()), bound_names(state)
    if not jobs:
        return "No job was ever bought.\n"
    titles = (Column("job"), Column("phase"), Column("price", "right"), Column("bought"), Column("request id"), Column("for", wraps=True))
    names = [", ".join(bound.get(job.id, ())) or f"no name; bought for {job.environment}/{job.name}" for job in jobs]
    tones: dict[Phase, Cell] = {phase: (str(phase), _TONES.get(phase, "plain")) for phase in Phase}
    prices = {price: format_money(price) for price in {job.price for job in jobs}}
    cells: list[Sequence[Cell]] = [
        style.foreign_all([job.id for job in jobs]),
        [tones[job.phase] for job in jobs],
        [prices[job.price] for job in jobs],
        style.foreign_all([format_time(job.submitted_at) for job in jobs]),
        style.foreign_all([job.request_id for job in jobs]),
        style.foreign_all(names, limit=2000),
    ]
    total = f"{plural(len(jobs), 'job')}, {format_money(sum((job.price for job in jobs), ZERO))}."
    return join_lines([*chain.from_iterable(table_rows(titles, cells, style)), "", total])


def job_text(job: Job, bound_to: Sequence[str], style: Style) -> str:
    """One job, a fact a line."""
    parameters = dict(job.spec.get("parameters") or {})
    files = [f"{a.role}  {a.url}{f'  {format_size(a.size_bytes)}' if a.size_bytes is not None else ''}" for a in job.artifacts]
    facts = [
        ("job", job.id),
        ("phase", str(job.phase)),
        ("price", format_money(job.price)),
        ("request", job.request_id),
        ("bought", format_time(job.submitted_at)),
        ("ended", format_time(job.settled_at) if job.settled_at else ""),
        ("for", f"{job.environment}/{job.name}"),
        ("bound to", ", ".join(bound_to) or "no name"),
        ("trainer", job.trainer),
        ("dataset", str(job.spec.get("dataset", ""))),
        *((str(key), str(value)) for key, value in sorted(parameters.items())),
        ("spec", job.spec_digest),
        ("error", job.error),
        *(("file", file) for file in files),
    ]
    lines = [line for name, value in facts if value for line in paragraph(style.foreign(value, limit=4096), style, first=pad(style.foreign(name), 16))]
    return join_lines(lines)
