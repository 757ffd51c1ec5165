"""BOUGHT: attempts, jobs, bindings. Values and their transition tables; who stores them is `store/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reconciler.money import Money


class Sent(StrEnum):
    """Where one POST that may cost money stands."""

    SENDING = "sending"
    """The intent is durable; the answer is not."""
    NOT_SENT = "not_sent"
    """Proved: nothing complete left us."""
    REJECTED = "rejected"
    """Definitely refused; nothing was charged."""
    ACCEPTED = "accepted"
    """A request id is known."""
    IN_DOUBT = "in_doubt"
    """May have been charged although no request id is known."""
    WRITTEN_OFF = "written_off"
    """A person decided that nothing was submitted."""


SENT_TRANSITIONS: Mapping[Sent, frozenset[Sent]] = {
    Sent.SENDING: frozenset(Sent) - {Sent.SENDING},
    Sent.IN_DOUBT: frozenset({Sent.WRITTEN_OFF, Sent.NOT_SENT, Sent.REJECTED, Sent.ACCEPTED}),
    Sent.WRITTEN_OFF: frozenset({Sent.IN_DOUBT, Sent.NOT_SENT, Sent.REJECTED, Sent.ACCEPTED}),
    Sent.NOT_SENT: frozenset({Sent.REJECTED, Sent.ACCEPTED}),
    Sent.REJECTED: frozenset({Sent.ACCEPTED}),
    Sent.ACCEPTED: frozenset(),
}
"""What may follow what in the state. Within one history a doubt ends by an id or by a write-off; the rest is what another copy's facts may add.

An id that turns up late is always believed: it was paid for.
"""

DOUBTFUL = frozenset({Sent.SENDING, Sent.IN_DOUBT})
"""Money that may be spent: counts as spent everywhere."""

_WEIGHT = {Sent.SENDING: 0, Sent.IN_DOUBT: 1, Sent.WRITTEN_OFF: 2, Sent.NOT_SENT: 3, Sent.REJECTED: 4, Sent.ACCEPTED: 5}


def adds(current: Sent, seen: Sent) -> bool:
    """Whether `seen` says more about an attempt than `current`, whichever was written first.

    Histories that went apart may both have ended it: an id outweighs everything, a proof outweighs a person's word, that
    word outweighs a doubt.
    """
    return _WEIGHT[seen] > _WEIGHT[current]


class Phase(StrEnum):
    """How far a bought training is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"

    @property
    def is_pending(self) -> bool:
        """Still to be polled."""
        return self in (Phase.QUEUED, Phase.RUNNING)

    @property
    def is_usable(self) -> bool:
        """A name may be bound to it: it trains or has trained well."""
        return self not in (Phase.FAILED, Phase.LOST)


_RANK = {Phase.QUEUED: 0, Phase.RUNNING: 1, Phase.LOST: 2, Phase.FAILED: 3, Phase.SUCCEEDED: 4}


def next_phase(current: Phase, seen: Phase) -> Phase:
    """The phase after `seen` was observed. Phases do not go back; a late success wins, because the weights exist."""
    if current.is_pending:
        return seen if not seen.is_pending or _RANK[seen] >= _RANK[current] else current
    return Phase.SUCCEEDED if seen is Phase.SUCCEEDED else current


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a finished job. `role` is `weights`, `config` or `other`; `path` is where in the answer it stood."""

    role: str
    url: str
    path: str = ""
    file_name: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST that may cost money. Never deleted; its end is written once."""

    id: str
    environment: str
    name: str
    trainer: str
    spec_digest: str
    spec: Mapping[str, Any]
    price: Money
    sent_at: str
    endpoint: str
    world: str
    status: Sent = Sent.SENDING
    job: str | None = None
    request_id: str | None = None
    http_status: int | None = None
    evidence: str = ""
    salvaged: str | None = None
    """An id that could be read in an answer that was not good enough to be believed."""
    body: str = ""
    body_sha256: str = ""
    actor: str = ""
    commit: str = ""
    run_url: str = ""
    key: str = ""
    """Fingerprint of the key it was sent with (8 hex digits)."""
    ended_at: str | None = None
    consents: tuple[str, ...] = ()
    """Jobs bought for this spec before, that somebody agreed to buy once more with this attempt."""
    consent_reason: str = ""
    superseded: bool = False
    """Its job ended badly or is to be bought again, and somebody consented to another purchase."""
    duplicate_of: str | None = None
    """Two histories that went apart bought the same spec twice, and nobody agreed to it; this is the later one."""

    @property
    def is_open(self) -> bool:
        """Whether its money is, or may be, spent on a job that nobody agreed to buy once more."""
        return self.status in DOUBTFUL or (self.status is Sent.ACCEPTED and not self.superseded)

    @property
    def blocks(self) -> bool:
        """Whether it forbids another attempt for the same spec. The state's unique index says the same."""
        return self.is_open and self.duplicate_of is None


@dataclass(frozen=True, slots=True)
class Job:
    """One training that was bought (or taken over). Immutable facts; only phase and what was seen of it move on."""

    id: str
    environment: str
    name: str
    trainer: str
    spec_digest: str
    spec: Mapping[str, Any]
    price: Money
    request_id: str
    submitted_at: str
    world: str
    attempt: str | None = None
    poll_url: str | None = None
    phase: Phase = Phase.QUEUED
    error: str = ""
    charged: bool = True
    """False where the vendor documents that this end is not charged. It still counts as spent."""
    artifacts: tuple[Artifact, ...] = ()
    settled_at: str | None = None
    superseded: bool = False
    polled_at: str | None = None
    polls: int = 0
    misses: int = 0
    """How often in a row the API did not know it, or finished it without an artifact."""
    first_miss_at: str | None = None
    style: str | None = None
    """The protocol generation that answered last: `g1` or `g2`."""
    running_at: str | None = None

    @property
    def steps(self) -> int | None:
        """Training steps, where the spec has them."""
        steps = self.spec.get("parameters", {}).get("steps")
        return steps if isinstance(steps, int) else None


def job_of_attempt(attempt: Attempt, *, job_id: str, request_id: str, poll_url: str | None = None) -> Job:
    """The job that begins with `attempt` when `request_id` is its answer."""
    return Job(
        id=job_id,
        attempt=attempt.id,
        environment=attempt.environment,
        name=attempt.name,
        trainer=attempt.trainer,
        spec_digest=attempt.spec_digest,
        spec=attempt.spec,
        price=attempt.price,
        request_id=request_id,
        submitted_at=attempt.sent_at,
        world=attempt.world,
        poll_url=poll_url,
    )


SEEN = ("phase", "polled_at", "polls", "misses", "first_miss_at", "style", "running_at")
"""The fields of a pending job that may be looked up again: they are in the state, not in the journal."""


@dataclass(frozen=True, slots=True)
class Binding:
    """name → job in one environment, with what was declared about the name when it was bound."""

    environment: str
    name: str
    job: str
    since: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prevent_retrain(self) -> bool:
        """Protection that was once applied; it outlives the block that declared it."""
        return bool(self.metadata.get("lifecycle", {}).get("prevent_retrain"))

    @property
    def on_remove(self) -> str:
        """`forget` or `hold`: what happens when the name is no longer declared."""
        return str(self.metadata.get("lifecycle", {}).get("on_remove") or "forget")


@dataclass(frozen=True, slots=True)
class Pause:
    """All purchases are stopped: why, by whom, since when."""

    reason: str
    actor: str
    since: str
