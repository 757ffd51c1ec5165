"""A world of values for plans: models, a state that grows, and a reference that carries out a plan in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from reconciler.diagnostics import Place
from reconciler.job import Attempt, Binding, Job, Phase, Sent
from reconciler.model import Catalog, Dataset, Lifecycle, Model, make_spec
from reconciler.money import PriceBook
from reconciler.plan.action import Action
from reconciler.plan.change import Change, Plan
from reconciler.plan.make import Request, make_plan
from reconciler.policy import Policy
from reconciler.state import State
from reconciler.trainer import BUILT_IN, LIST_PRICES

NOW = "2026-11-24T10:00:00Z"
EIGHT = Decimal("8.00")
TRAINER = "pixazo-flux2-pro"
PRICES = PriceBook(LIST_PRICES)


def model(
    name: str,
    data: str = "a",
    *,
    steps: int = 1000,
    generation: int = 1,
    labels: dict[str, str] | None = None,
    description: str = "",
    trigger: str = "",
    line: int = 1,
    sha256: str | None = None,
    **lifecycle: Any,
) -> Model:
    life = Lifecycle(**lifecycle)
    url = f"https://data.example.com/{data}.zip"
    identity = f"sha256:{sha256}" if sha256 else f"url:{url}"
    spec = make_spec(TRAINER, identity, {"steps": steps, "learning_rate": 5e-5}, generation=generation, salt=None if life.reuse else name)
    place = Place("models/a.yaml", line)
    fields = {"steps": Place("models/a.yaml", line + 1), "labels.team": Place("models/a.yaml", line + 2)}
    return Model(
        name,
        spec,
        Dataset(url, identity, sha256),
        place,
        labels=tuple(sorted((labels or {}).items())),
        description=description,
        trigger=trigger,
        lifecycle=life,
        fields=fields,
    )


def catalog(*models: Model, environment: str = "prod", **acts: Any) -> Catalog:
    return Catalog({m.name: m for m in models}, BUILT_IN, environment, **acts)


def plan_of(
    wanted: Catalog, state: State, *, policy: Policy | None = None, now: str = NOW, prices: PriceBook = PRICES, endpoint: str = "", **request: Any
) -> Plan:
    return make_plan(wanted, state, prices=prices, policy=policy or Policy(), request=Request(**request), now=now, endpoint=endpoint)


def row(plan: Plan, name: str) -> Change:
    found = [c for c in plan.changes if c.name == name]
    assert len(found) == 1, f"{name}: {[c.action for c in found]} in {[c.name for c in plan.changes]}"
    return found[0]


def actions(plan: Plan) -> dict[str, str]:
    return {c.name: c.action.value for c in plan.changes}


@dataclass
class Ledger:
    """A state that can be changed by a test, and by carrying out plans."""

    attempts: dict[str, Attempt] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    bindings: dict[tuple[str, str], Binding] = field(default_factory=dict)
    bought: list[str] = field(default_factory=list)
    """Spec digests, one for each purchase."""
    consents: list[str] = field(default_factory=list)
    phase: Phase = Phase.QUEUED
    """Of what is bought next."""

    @property
    def state(self) -> State:
        return State("lineage-1", len(self.attempts) + len(self.jobs), dict(self.attempts), dict(self.jobs), dict(self.bindings))

    def job(self, wanted: Model, phase: Phase = Phase.SUCCEEDED, *, environment: str = "prod", at: str = "2026-11-20T08:00:00Z", **rest: Any) -> Job:
        """Something bought for a model; not bound."""
        number = len(self.jobs) + 1
        values = {"request_id": f"request-{number:04}", "price": EIGHT, "world": "live", "settled_at": None if phase.is_pending else at} | rest
        job = Job(
            id=f"j-{number:03}",
            environment=environment,
            name=wanted.name,
            trainer=TRAINER,
            spec_digest=wanted.spec.digest,
            spec=wanted.spec.document(),
            submitted_at=at,
            phase=phase,
            **values,
        )
        self.jobs[job.id] = job
        return job

    def bind(self, wanted: Model, job: Job, *, environment: str = "prod", **metadata: Any) -> None:
        self.bindings[environment, wanted.name] = Binding(environment, wanted.name, job.id, job.submitted_at, wanted.metadata | metadata)

    def bound(self, wanted: Model, phase: Phase = Phase.SUCCEEDED, *, environment: str = "prod", **rest: Any) -> Job:
        """Something bought for a model, which points to it."""
        job = self.job(wanted, phase, environment=environment, **rest)
        self.bind(wanted, job, environment=environment)
        return job

    def doubt(
        self, wanted: Model, *, environment: str = "prod", status: Sent = Sent.IN_DOUBT, at: str = "2026-11-21T22:14:05Z", price: Decimal = EIGHT
    ) -> Attempt:
        attempt = Attempt(
            id=f"at-{len(self.attempts) + 1:03}",
            environment=environment,
            name=wanted.name,
            trainer=TRAINER,
            spec_digest=wanted.spec.digest,
            spec=wanted.spec.document(),
            price=price,
            sent_at=at,
            endpoint="https://gateway.pixazo.ai",
            world="live",
            status=status,
        )
        self.attempts[attempt.id] = attempt
        return attempt

    def carry_out(self, plan: Plan, *, at: str = "2026-11-24T10:00:01Z") -> None:
        """What apply does, with a vendor that accepts everything."""
        paid = [c for c in plan.changes if c.action.is_paid]
        made = {c.name: self._buy(c, plan.environment, at).id for c in paid}
        made |= {c.name: self._adopt(c, plan.environment, at) for c in plan.changes if c.action is Action.ADOPT}
        for change in plan.changes:
            self._carry_out(change, plan.environment, made, at)

    def _buy(self, change: Change, environment: str, at: str) -> Job:
        assert change.model is not None
        assert change.cost == EIGHT
        for consented in change.consents:
            self.jobs[consented] = replace(self.jobs[consented], superseded=True)
            self.consents.append(change.spec_digest or "")
        self.bought.append(change.spec_digest or "")
        return self.job(change.model, self.phase, environment=environment, at=at)

    def _carry_out(self, change: Change, environment: str, made: dict[str, str], at: str) -> None:
        job: str | None = change.job
        match change.action:
            case Action.HELD | Action.WAIT | Action.IN_DOUBT | Action.UNCHANGED:
                if change.resolution is not None:
                    self._resolve(change)
                return
            case Action.FORGET:
                del self.bindings[environment, change.name]
                return
            case Action.TRAIN | Action.RETRAIN | Action.ADOPT:
                job = made[change.name]
            case Action.REUSE if change.shares is not None:
                job = made[change.shares]
            case _:
                pass
        if change.previous_name is not None:
            del self.bindings[environment, change.previous_name]
        if change.model is not None:
            assert job is not None
            assert change.metadata is not None
            self.bindings[environment, change.name] = Binding(environment, change.name, job, at, change.metadata)

    def _adopt(self, change: Change, environment: str, at: str) -> str:
        if change.model is not None:
            return self.job(change.model, Phase.QUEUED, environment=environment, at=at, request_id=change.request_id, price=Decimal(0)).id
        number = f"j-{len(self.jobs) + 1:03}"
        self.jobs[number] = Job(number, environment, change.name, TRAINER, "", {}, Decimal(0), change.request_id or "", at, "live")
        return number

    def _resolve(self, change: Change) -> None:
        resolution = change.resolution
        assert resolution is not None
        attempt = self.attempts[resolution.attempt]
        if resolution.request_id is None:
            self.attempts[attempt.id] = replace(attempt, status=Sent.WRITTEN_OFF)
            return
        assert change.model is not None
        job = self.job(change.model, Phase.QUEUED, environment=attempt.environment, request_id=resolution.request_id)
        self.attempts[attempt.id] = replace(attempt, status=Sent.ACCEPTED, job=job.id)
