"""What must be known, in a few dozen lines: evidence about each POST, as a set that only grows, for each copy of the project.

A copy of the project copies its evidence; a merge unites it. Everything that the core decides is compared with that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.job import Sent

Evidence = tuple[str, str]
"""(accepted, id) (rejected, "") (not_sent, "") (salvaged, id) (off, the salvaged id that was known)."""


@dataclass(frozen=True)
class Post:
    """One intent that became durable: for which spec, and in place of which attempts."""

    attempt: str
    digest: str
    replaces: frozenset[str]


@dataclass
class Known:
    """What one copy knows: each attempt's evidence; every id that an answer or a person gave it."""

    evidence: dict[str, set[Evidence]] = field(default_factory=dict)

    def copy(self) -> Known:
        return Known({k: set(v) for k, v in self.evidence.items()})

    def merge(self, other: Known) -> None:
        for attempt, seen in other.evidence.items():
            self.evidence.setdefault(attempt, set()).update(seen)

    @property
    def ids(self) -> set[str]:
        return {detail for seen in self.evidence.values() for kind, detail in seen if kind in ("accepted", "salvaged")}

    def status(self, attempt: str) -> Sent:
        """SENDING stands for: nothing better is known."""
        kinds = {kind for kind, _ in self.evidence[attempt]}
        read = {detail for kind, detail in self.evidence[attempt] if kind == "salvaged"}
        if "accepted" in kinds:
            return Sent.ACCEPTED
        for kind, status in (("rejected", Sent.REJECTED), ("not_sent", Sent.NOT_SENT)):
            if kind in kinds:
                return status
        known_when_written_off = {detail for kind, detail in self.evidence[attempt] if kind == "off"}
        return Sent.WRITTEN_OFF if known_when_written_off and read <= known_when_written_off else Sent.SENDING


def opens(known: Known, posts: dict[str, Post], digest: str) -> list[str]:
    """The attempts for a spec that are, or may be, paid for, and that nobody agreed to repeat."""

    def spent(attempt: str) -> bool:
        return known.status(attempt) in (Sent.ACCEPTED, Sent.SENDING)

    replaced = {old for attempt in known.evidence if spent(attempt) for old in posts[attempt].replaces}
    return [a for a in known.evidence if posts[a].digest == digest and spent(a) and a not in replaced]
