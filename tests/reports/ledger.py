"""A state with one of everything, for status, jobs and cost."""

from __future__ import annotations

from decimal import Decimal

from reconciler.job import Artifact, Attempt, Binding, Job, Pause, Phase, Sent
from reconciler.state import State

EIGHT = Decimal("8.00")
NOW = "2026-11-22T07:45:00Z"
DIGEST = "sha256:" + "a" * 64


def job(number: int, name: str, phase: Phase, **rest) -> Job:
    values = {
        "environment": "prod",
        "trainer": "pixazo-flux2-pro",
        "spec_digest": "sha256:" + f"{number:064x}",
        "spec": {"parameters": {"steps": 1000}, "dataset": "url:https://data.example.com/a.zip"},
        "price": EIGHT,
        "request_id": f"a1b2c3d4-e5f6-7890-g1h2-{number:012d}",
        "submitted_at": "2026-11-22T07:35:00Z",
        "world": "live",
    } | rest
    return Job(id=f"j-{number:02}", name=name, phase=phase, **values)


def attempt(name: str, **rest) -> Attempt:
    values = {
        "environment": "prod",
        "trainer": "pixazo-flux2-pro",
        "spec_digest": DIGEST,
        "spec": {},
        "price": EIGHT,
        "sent_at": "2026-11-21T22:14:03Z",
        "endpoint": "https://gateway.pixazo.ai",
        "world": "live",
        "status": Sent.IN_DOUBT,
        "evidence": "connection reset after the request was sent",
    } | rest
    return Attempt(id=f"at-{name}", name=name, **values)


WEIGHTS = Artifact("weights", "https://files.example.com/lora.safetensors?sig=s3cret", "model.url", "lora.safetensors", 317_000_000)


def state(*jobs: Job, attempts: tuple[Attempt, ...] = (), unbound: tuple[str, ...] = (), pause: Pause | None = None, notes: tuple[str, ...] = ()) -> State:
    bindings = {(j.environment, j.name): Binding(j.environment, j.name, j.id, j.submitted_at, {"trigger": "ottr"}) for j in jobs if j.id not in unbound}
    return State("0f0c7a52-8a8e-4f0e-9d0d-6f0f6d0c7a52", 118, {a.id: a for a in attempts}, {j.id: j for j in jobs}, bindings, pause, notes)
