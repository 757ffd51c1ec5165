"""The trainer API with a ledger: it charges what reaches it, and answers as its fate says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.job import Job, Phase
from reconciler.ports import Capabilities
from reconciler.verdict import Accepted, InDoubt, NotSent, Observation, Rejected, Verdict

FATES = (
    "accepted",
    "accepted as failed",
    "rejected",
    "limited",
    "not sent",
    "in doubt, charged",
    "in doubt, not charged",
    "in doubt, id read",
    "dies before",
    "dies after the intent",
    "dies after sending",
    "dies when the answer is written",
)


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Vendor:
    """`charges`: request id → the attempt that was charged, in the order in which they were bought."""

    charges: dict[str, str] = field(default_factory=dict)
    phases: dict[str, Phase] = field(default_factory=dict)

    def charge(self, attempt: str) -> str:
        request_id = f"r-{len(self.charges):04}"
        self.charges[request_id] = attempt
        self.phases[request_id] = Phase.QUEUED
        return request_id


@dataclass
class Api:
    """`ports.TrainerApi` for one apply. `sent(body, fate)` is told when an intent is durable, and answers the attempt's id."""

    vendor: Vendor
    fates: list[str]
    sent: Callable[[bytes], str]
    die_at_next_append: Callable[[], None]
    answers: dict[str, Verdict] = field(default_factory=dict)
    """Attempt → what was answered to it."""
    caps: Capabilities = Capabilities()

    def submit(self, trainer: str, body: bytes, *, before_first_byte: Callable[[], None], stop: Callable[[], bool]) -> Verdict:
        fate = self.fates.pop(0) if self.fates else "accepted"
        if fate == "dies before":
            raise Crash
        before_first_byte()
        attempt = self.sent(body)
        if fate == "dies after the intent":
            raise Crash
        if fate == "dies when the answer is written":
            self.die_at_next_append()
        verdict = self._answer(fate, attempt)
        if fate == "dies after sending":
            raise Crash
        self.answers[attempt] = verdict
        return verdict

    def _answer(self, fate: str, attempt: str) -> Verdict:
        match fate:
            case "rejected":
                return Rejected(400, "bad")
            case "limited":
                return Rejected(429, "later", retry_after_seconds=1)
            case "not sent":
                return NotSent("refused")
            case "in doubt, not charged":
                return InDoubt("reset")
            case "in doubt, charged":
                self.vendor.charge(attempt)
                return InDoubt("reset")
            case "in doubt, id read":
                return InDoubt("cut", salvaged=self.vendor.charge(attempt))
            case "accepted as failed":
                request_id = self.vendor.charge(attempt)
                self.vendor.phases[request_id] = Phase.FAILED
                return Accepted(request_id, 200, phase=Phase.FAILED, error="bad data")
            case _:
                return Accepted(self.vendor.charge(attempt), 200)

    def observe(self, job: Job) -> Observation:
        phase = self.vendor.phases.get(job.request_id)
        return Observation(missing=True) if phase is None else Observation(phase=phase)
