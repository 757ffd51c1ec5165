"""A journal and a state in a folder, and short ways to write facts into them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from reconciler.fact import Draft, binding, intent, outcome
from reconciler.job import Attempt, Sent
from reconciler.journal.create import create_journal
from reconciler.journal.file import FileJournal
from reconciler.ports import Owner
from reconciler.store.sqlite import SqliteStore

NOW = "2026-11-24T10:00:00Z"
LINEAGE = "0f0c7a52-8a8e-4f0e-9d0d-6f0f6d0c7a52"
OWNER = Owner(1, "host", "somebody", "apply", NOW)


def new_store(folder: Path, *, lineage: str = LINEAGE) -> SqliteStore:
    """A store over a new journal in `folder`."""
    assert create_journal(folder / "purchases.jsonl", lineage=lineage, at=NOW)
    return open_store(folder, lineage=lineage)


def open_store(folder: Path, *, lineage: str | None = LINEAGE) -> SqliteStore:
    """A store over what is in `folder`."""
    return SqliteStore(folder / "reconciler.db", FileJournal(folder / "purchases.jsonl"), lineage=lineage, now=lambda: NOW)


def attempt(number: int, *, digest: str | None = None, consents: tuple[str, ...] = ()) -> Attempt:
    """An attempt for a spec of its own, or for `digest`."""
    return Attempt(
        id=f"at-{number}",
        environment="default",
        name=f"model-{number}",
        trainer="pixazo-flux2-pro",
        spec_digest=digest or f"sha256:{number:064x}",
        spec={"trainer": "pixazo-flux2-pro", "parameters": {"steps": 1000}},
        price=Decimal("8.00"),
        sent_at=NOW,
        endpoint="http://127.0.0.1:1",
        world="loopback",
        consents=consents,
        consent_reason="requested" if consents else "",
    )


def accepted(number: int) -> list[Draft]:
    """The facts of an acceptance of `attempt(number)`."""
    return [
        outcome(NOW, f"at-{number}", Sent.ACCEPTED, job=f"j-{number}", request_id=f"request-{number}", http_status=200),
        binding(NOW, environment="default", name=f"model-{number}", job=f"j-{number}", metadata={}, reason="train"),
    ]


def bought(folder: Path, count: int) -> SqliteStore:
    """A store in which `count` models were bought."""
    store = new_store(folder)
    with store.hold(OWNER, wait_seconds=0) as writer:
        for number in range(count):
            writer.record([intent(attempt(number))])
            writer.record_outcome(accepted(number))
    return store
