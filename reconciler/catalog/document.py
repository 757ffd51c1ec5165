"""The catalog as data: every name with what it is, where it stands, and what can be loaded. Holds no time of its own making."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.job import Artifact, Job
from reconciler.model import Model
from reconciler.money import ZERO, Money

FORMAT_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name. `model` is what is declared (None: no longer), `job` what it points to, `local` URL → path, sha256, size of what was saved here.

    `at_risk`: money that may have been spent without an id (USD).
    """

    name: str
    phase: str
    model: Model | None = None
    job: Job | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the name's binding remembers, for what is no longer declared."""
    at_risk: Money = ZERO
    local: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def catalog_document(entries: Sequence[Entry], *, environment: str, lineage: str, serial: int) -> dict[str, Any]:
    """The document of `catalog.json`, by name. Money is a Decimal, URLs are whole: whoever writes it makes both plain."""
    rows = sorted(entries, key=lambda entry: entry.name)
    jobs = {entry.job.id: entry.job for entry in rows if entry.job is not None}
    phases = Counter(entry.phase for entry in rows)
    return {
        "format_version": FORMAT_VERSION,
        "kind": "catalog",
        "environment": environment,
        "state": {"lineage": lineage, "serial": serial},
        "summary": {
            "models": len(rows),
            "phases": dict(sorted(phases.items())),
            "cost": sum((job.price for job in jobs.values()), ZERO),
            "in_doubt": sum((entry.at_risk for entry in rows), ZERO),
        },
        "models": [_row(entry) for entry in rows],
    }


def _row(entry: Entry) -> dict[str, Any]:
    model, job = entry.model, entry.job
    spec = model.spec.document() if model is not None else dict(job.spec) if job is not None else {}
    told = entry.metadata if model is None else model.metadata
    return {
        "name": entry.name,
        "phase": entry.phase,
        "description": str(told.get("description") or ""),
        "trigger": str(told.get("trigger") or ""),
        "labels": dict(sorted((told.get("labels") or {}).items())),
        "spec": {key: spec.get(key) for key in ("trainer", "dataset", "parameters", "generation")},
        "spec_digest": model.spec.digest if model is not None else job.spec_digest if job is not None else None,
        "images": None if model is None else model.dataset.images,
        "source": None if model is None else {"file": model.place.file, "line": model.place.line, "column": model.place.column},
        "job": None if job is None else job.id,
        "request_id": None if job is None else job.request_id,
        "price": None if job is None else job.price,
        "submitted_at": None if job is None else job.submitted_at,
        "settled_at": None if job is None else job.settled_at,
        "error": (job.error or None) if job is not None else None,
        "artifacts": [] if job is None else [_artifact(artifact, entry.local.get(artifact.url, {})) for artifact in job.artifacts],
    }


def _artifact(artifact: Artifact, here: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "role": artifact.role,
        "url": artifact.url,
        "file_name": artifact.file_name,
        "size_bytes": here.get("size_bytes", artifact.size_bytes),
        "path": here.get("path"),
        "sha256": here.get("sha256"),
    }
