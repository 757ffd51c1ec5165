"""Facts: one line each about money, in the order in which they became true.

A Draft is a fact before it has a place in the chain; the journal gives it its hash and its parents. The functions
below are the only place that writes the keys of each kind; `state.fold` is their only reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reconciler.job import Artifact, Attempt, Job, Phase, Sent
from reconciler.text import money_text

FORMAT_VERSION = 1


class Kind(StrEnum):
    """What a fact is about."""

    GENESIS = "genesis"
    INTENT = "intent"
    OUTCOME = "outcome"
    RESOLUTION = "resolution"
    SETTLED = "settled"
    ADOPTION = "adoption"
    BINDING = "binding"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact that is not yet in a journal. `at` is UTC, ISO 8601 with seconds and Z."""

    kind: Kind
    at: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact in the journal: `hash` is the SHA-256 of its line, `parents` the hashes it was appended after."""

    kind: Kind
    at: str
    data: Mapping[str, Any]
    hash: str
    parents: tuple[str, ...]


def genesis(at: str, *, lineage: str) -> Draft:
    """The first fact of every journal: which history this is, and in which format."""
    return Draft(Kind.GENESIS, at, {"lineage": lineage, "format": FORMAT_VERSION})


def intent(attempt: Attempt) -> Draft:
    """About to send `attempt`: everything that is known before its first byte, and who consented to a repeated purchase."""
    data: dict[str, Any] = {
        "attempt": attempt.id,
        "environment": attempt.environment,
        "name": attempt.name,
        "trainer": attempt.trainer,
        "spec_digest": attempt.spec_digest,
        "spec": attempt.spec,
        "price": money_text(attempt.price),
        "endpoint": attempt.endpoint,
        "world": attempt.world,
        "body": attempt.body,
        "body_sha256": attempt.body_sha256,
        "actor": attempt.actor,
        "commit": attempt.commit,
        "run_url": attempt.run_url,
        "key": attempt.key,
    }
    if attempt.consents:
        data["consent"] = {"jobs": list(attempt.consents), "reason": attempt.consent_reason}
    return Draft(Kind.INTENT, attempt.sent_at, data)


def outcome(
    at: str,
    attempt: str,
    verdict: Sent,
    *,
    job: str | None = None,
    request_id: str | None = None,
    http_status: int | None = None,
    evidence: str = "",
    salvaged: str | None = None,
    poll_url: str | None = None,
) -> Draft:
    """What came of an attempt. `job` and `request_id` go with `accepted` alone."""
    data = {
        "attempt": attempt,
        "verdict": str(verdict),
        "job": job,
        "request_id": request_id,
        "http_status": http_status,
        "evidence": evidence,
        "salvaged": salvaged,
        "poll_url": poll_url,
    }
    return Draft(Kind.OUTCOME, at, {k: v for k, v in data.items() if v not in (None, "")})


def resolution(
    at: str,
    attempt: str,
    *,
    request_id: str | None,
    job: str | None,
    reason: str,
    actor: str,
    poll_url: str | None = None,
    salvaged: str | None = None,
) -> Draft:
    """The end of a doubt: `request_id` and `job` when the purchase was found, None when nothing was submitted.

    `salvaged`: the id of a broken answer that was known when this was decided. A write-off does not hold against another.
    """
    data = {"attempt": attempt, "request_id": request_id, "job": job, "reason": reason, "actor": actor, "poll_url": poll_url, "salvaged": salvaged}
    return Draft(Kind.RESOLUTION, at, {k: v for k, v in data.items() if v is not None})


def settled(
    at: str, job: str, phase: Phase, *, error: str = "", charged: bool = True, artifacts: Sequence[Artifact] = (), request_id: str | None = None
) -> Draft:
    """A job reached a final phase, or a late success. `request_id`: which one, should a forked history know the job under two."""
    files = [{"role": a.role, "url": a.url, "path": a.path, "file_name": a.file_name, "size_bytes": a.size_bytes} for a in artifacts]
    data: dict[str, Any] = {"job": job, "phase": str(phase), "error": error, "charged": charged, "artifacts": files}
    if request_id is not None:
        data["request_id"] = request_id
    return Draft(Kind.SETTLED, at, data)


def adoption(at: str, job: Job, *, note: str, actor: str) -> Draft:
    """A job that was bought elsewhere is ours from now on."""
    data = {
        "job": job.id,
        "environment": job.environment,
        "name": job.name,
        "trainer": job.trainer,
        "spec_digest": job.spec_digest,
        "spec": job.spec,
        "price": money_text(job.price),
        "request_id": job.request_id,
        "world": job.world,
        "poll_url": job.poll_url,
        "note": note,
        "actor": actor,
    }
    return Draft(Kind.ADOPTION, at, data)


def binding(at: str, *, environment: str, name: str, job: str | None, metadata: Mapping[str, Any], reason: str) -> Draft:
    """`name` points to `job` from now on (None: to nothing; the job stays in the ledger)."""
    return Draft(Kind.BINDING, at, {"environment": environment, "name": name, "job": job, "metadata": dict(metadata), "reason": reason})


def pause(at: str, *, reason: str, actor: str) -> Draft:
    """No purchase from now on."""
    return Draft(Kind.PAUSE, at, {"reason": reason, "actor": actor})


def resume(at: str, *, actor: str) -> Draft:
    """Purchases may go on."""
    return Draft(Kind.RESUME, at, {"actor": actor})
