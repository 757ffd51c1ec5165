"""Carry out a plan: declared ends of doubts, take-overs, purchases, then everything that is free. It decides nothing.

`Apply.run` yields events, each after its fact is durable; whoever prints them can break without touching money.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from reconciler.engine.allowance import Allowance, limits_of
from reconciler.engine.doubt import TakeOver, accept, ask, job_of_attempt, job_of_take_over, refuse_known, salvage, take_over, write_off
from reconciler.engine.origin import Origin
from reconciler.engine.purchase import Bought, Buyer, Order
from reconciler.engine.shopping import Message, Shopping
from reconciler.engine.stop import Stop
from reconciler.errors import HeadMoved, ReconcilerError, Unacknowledged
from reconciler.event import Event
from reconciler.fact import Draft, binding
from reconciler.job import Job, Phase
from reconciler.model import Catalog, Dataset
from reconciler.money import ZERO, Money
from reconciler.plan.action import Action
from reconciler.plan.change import Change, Plan
from reconciler.policy import Policy
from reconciler.ports import Clock, TrainerApi, Writer
from reconciler.text import money_text
from reconciler.verdict import Accepted, InDoubt


@dataclass(slots=True)
class Totals:
    """What an apply came to. Amounts in USD; `problems` are errors of single models."""

    counts: dict[Action, int] = field(default_factory=dict)
    bought: list[Bought] = field(default_factory=list)
    in_doubt: list[Bought] = field(default_factory=list)
    rejected: list[Bought] = field(default_factory=list)
    stale: list[Bought] = field(default_factory=list)
    """Not sent, because their data were not what was planned any more."""
    not_bought: list[Change] = field(default_factory=list)
    adopted: dict[str, str] = field(default_factory=dict)
    """name → the job that was taken over for it."""
    problems: list[str] = field(default_factory=list)
    halted: str = ""
    refused_by_budget: bool = False
    has_canary_passed: bool = False
    unacknowledged: int = 0
    """Purchases with a request id that could not be written where it belongs."""

    @property
    def spent(self) -> Money:
        """What was bought, or may have been (USD)."""
        return sum((b.spent for b in (*self.bought, *self.in_doubt)), ZERO)

    @property
    def sent(self) -> int:
        """How many purchases were tried."""
        return len(self.bought) + len(self.in_doubt) + len(self.rejected)

    @property
    def is_only_stale(self) -> bool:
        """Whether nothing was sent, and all that is wrong is that data were changed since the plan."""
        return bool(self.stale) and not self.sent and not self.halted and len(self.problems) == len(self.stale)

    def count(self, action: Action) -> None:
        """One more of that action was carried out."""
        self.counts[action] = self.counts.get(action, 0) + 1


@dataclass(slots=True)
class Apply:
    """One apply. `ceiling` is the most it may spend in all (USD)."""

    plan: Plan
    catalog: Catalog
    policy: Policy
    writer: Writer
    api: TrainerApi
    clock: Clock
    origin: Origin
    stop: Stop
    parallelism: int = 4
    ceiling: Money | None = None
    canary: int | None = None
    watch: Callable[[Sequence[Job]], Iterator[Event]] = lambda _: iter(())
    """Polls jobs until they are settled."""
    ask_beside: Callable[[Job], None] = lambda _: None
    """Asks about a job that was bought, while the next purchases are under way; does not wait."""
    news: Callable[[], Iterator[Event]] = lambda: iter(())
    """What was answered to that; asked for when every purchase in flight waits."""
    url_of: Callable[[Dataset], str] = lambda dataset: dataset.url
    """What to send of a dataset; see `Buyer`."""
    is_paused: Callable[[], str | None] = lambda: None
    is_shared: bool = False
    """The journal lies elsewhere, and others append to it too."""
    totals: Totals = field(default_factory=Totals)

    def run(self) -> Iterator[Event]:
        """Everything the plan holds. Raises StateProblem when something could not be written down.

        Raises HeadMoved, with nothing in flight any more, when another runner was faster: the rest has to be planned again.
        `totals` go on counting when they are handed to the next apply.
        """
        yield from self._resolutions()
        yield from self._adoptions()
        yield from self._purchases()
        yield from free_changes(self.plan, self.writer, self.clock, self.totals)

    def _of(self, *actions: Action) -> list[Change]:
        return _of(self.plan, *actions)

    def _resolutions(self) -> Iterator[Event]:
        for change in self._of(Action.IN_DOUBT):
            act = change.resolution
            if act is None or change.attempt is None or self.stop.is_requested:
                continue
            attempt = self.writer.attempt(change.attempt)
            try:
                if act.request_id is None:
                    write_off(self.writer, self.clock, attempt, reason=act.reason, actor=self.origin.actor)
                    text = f"written off: {act.reason}"
                else:
                    refuse_known(self.writer.state(), act.request_id)
                    ask(self.api, job_of_attempt(attempt, act.request_id))
                    metadata = change.metadata if change.model is not None else {}
                    accept(self.writer, self.clock, attempt, act.request_id, reason=act.reason, actor=self.origin.actor, metadata=metadata)
                    text = f"resolved: it was bought as {act.request_id}"
            except HeadMoved:
                raise
            except ReconcilerError as problem:
                yield self._problem(change.name, problem)
                continue
            yield Event("diagnostic", self.clock.now(), text, change.name, "info", {"severity": "info", "code": "resolved", "summary": text})

    def _adoptions(self) -> Iterator[Event]:
        for change in self._of(Action.ADOPT):
            if self.stop.is_requested or change.request_id is None:
                continue
            act = TakeOver(
                self.plan.environment,
                change.name,
                change.request_id,
                change.note,
                change.model,
                trainer=next(iter(self.catalog.trainers)),
                metadata=change.metadata,
                previous_name=change.previous_name,
            )
            try:
                refuse_known(self.writer.state(), act.request_id)
                job = job_of_take_over(act, self.origin, self.clock.now())
                ask(self.api, job)
                self.writer.record(take_over(self.clock, act, job, actor=self.origin.actor))
            except HeadMoved:
                raise
            except ReconcilerError as problem:
                yield self._problem(change.name, problem)
                continue
            self.totals.count(Action.ADOPT)
            self.totals.adopted[change.name] = job.id
            yield _done(self.clock.now(), change, job.id)

    def _purchases(self) -> Iterator[Event]:
        orders = [self._order(change) for change in self._of(Action.TRAIN, Action.RETRAIN)]
        messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        buyer = Buyer(self.writer, self.api, self.clock, self.origin, self.stop, messages.put, self.url_of, self.is_shared)
        shopping = Shopping(
            buy=buyer.buy,
            allowance=Allowance(limits_of(self.plan.budgets, ceiling=self.ceiling)),
            stop=self.stop,
            messages=messages,
            parallelism=self.parallelism,
            stop_after_failures=self.policy.guards.stop_after_failures,
            is_paused=self.is_paused,
            failures=len(self.totals.rejected) + len(self.totals.in_doubt),
            bought=self._bought,
            idle=self.news,
        )
        progress = _Progress(len(orders), sum((o.change.cost for o in orders), ZERO))
        first = len(orders) if self.canary is None or self.totals.has_canary_passed else self.canary
        for event in shopping.run(orders[:first]):
            yield progress.with_count(event)
        if orders[first:]:
            yield from self._watch_canary(shopping)
            for event in shopping.run(orders[first:]):
                yield progress.with_count(event)
        yield from self._account(shopping)
        yield from salvage(self.writer, self.api, self.clock, self.catalog, actor=self.origin.actor)
        if shopping.has_moved and not shopping.halted:
            raise HeadMoved

    def _bought(self, bought: Bought) -> None:
        if bought.job is not None:
            self.ask_beside(self.writer.job(bought.job))

    def _watch_canary(self, shopping: Shopping) -> Iterator[Event]:
        """Go on with the rest only when the first ones have trained well: a bad dataset shows after it was paid for."""
        jobs = [b.job for b in shopping.done if b.job is not None]
        if shopping.has_moved and not jobs:
            return
        if len(jobs) == self.canary and not shopping.halted:
            yield from self.watch([self.writer.job(j) for j in jobs])
        if len(jobs) != self.canary or any(self.writer.job(j).phase is not Phase.SUCCEEDED for j in jobs):
            shopping.halted = shopping.halted or f"-canary={self.canary}: not every one of the first purchases has trained well"
        self.totals.has_canary_passed = not shopping.halted

    def _account(self, shopping: Shopping) -> Iterator[Event]:
        totals = self.totals
        for bought in shopping.done:
            match bought.verdict:
                case Accepted():
                    totals.bought.append(bought)
                    totals.count(bought.order.change.action)
                case InDoubt():
                    totals.in_doubt.append(bought)
                case verdict:
                    (totals.stale if bought.is_stale else totals.rejected).append(bought)
                    totals.problems.append(f"{bought.order.change.name}: {verdict.message}")
        totals.not_bought = [*(b.order.change for b in shopping.done if b.is_stale), *(o.change for o in shopping.left)]
        totals.halted, totals.refused_by_budget = shopping.halted, shopping.refused_by_budget
        totals.unacknowledged += sum(isinstance(error, Unacknowledged) for _, error in shopping.errors)
        for order, error in shopping.errors:
            yield self._problem(order.change.name, error)
        if shopping.halted and shopping.left:
            left = money_text(sum((c.cost for c in totals.not_bought), ZERO))
            data = {"limit": shopping.halted.partition(":")[0], "message": shopping.halted, "not_bought": len(totals.not_bought), "not_bought_amount": left}
            yield Event("budget", self.clock.now(), shopping.halted, None, "warn", data)

    def _order(self, change: Change) -> Order:
        assert change.model is not None, "only declared models are bought"
        return Order(change, change.model, self.catalog.trainers[change.model.spec.trainer], self.plan.environment)

    def _problem(self, name: str, problem: ReconcilerError) -> Event:
        self.totals.problems.append(f"{name}: {problem.message}")
        data = {"severity": "error", "code": problem.failure_reason, "summary": problem.message, "detail": problem.hint}
        return Event("diagnostic", self.clock.now(), problem.message, name, "error", data)


def free_changes(plan: Plan, writer: Writer, clock: Clock, totals: Totals) -> Iterator[Event]:
    """Reuse, move, update and forget cost nothing: one transaction. What shares a purchase waits for its job."""
    bought = {b.order.change.name: b.job for b in totals.bought} | totals.adopted
    facts: list[Draft] = []
    said: list[tuple[Change, str]] = []
    for change in _of(plan, Action.REUSE, Action.MOVE, Action.UPDATE, Action.FORGET):
        job = bought.get(change.shares) if change.shares is not None else change.job
        if job is None:
            totals.not_bought.append(change)
            continue
        facts += _bindings(plan.environment, change, job, clock.now())
        said.append((change, job))
    writer.record(facts)
    for change, job in said:
        totals.count(change.action)
        yield _done(clock.now(), change, job)


def _of(plan: Plan, *actions: Action) -> list[Change]:
    return [c for c in plan.changes if c.action in actions]


def _bindings(environment: str, change: Change, job: str, now: str) -> list[Draft]:
    reason = change.action.value
    if change.action is Action.FORGET:
        why = {"removed": change.retirement} if change.retirement else {}
        return [binding(now, environment=environment, name=change.name, job=None, metadata=why, reason=reason)]
    assert change.model is not None, "only declared models are bound"
    metadata = change.metadata if change.metadata is not None else change.model.metadata
    facts = [binding(now, environment=environment, name=change.name, job=job, metadata=metadata, reason=reason)]
    if change.previous_name is not None:
        facts.append(binding(now, environment=environment, name=change.previous_name, job=None, metadata={}, reason=reason))
    return facts


def _done(now: str, change: Change, job: str) -> Event:
    data = {"action": change.action.value, "cost": money_text(ZERO), "reason": str(change.reason), "job": job, "done": True}
    return Event("planned_change", now, f"{change.action.word}: {change.reason}", change.name, "info", data)


@dataclass(slots=True)
class _Progress:
    """Counts purchases for the lines: how many of how many, how much of how much (USD)."""

    of: int
    due: Decimal
    count: int = 0
    spent: Decimal = ZERO

    def with_count(self, event: Event) -> Event:
        if event.type not in ("purchase_accepted", "purchase_in_doubt"):
            return event
        self.count += event.type == "purchase_accepted"
        self.spent += Decimal(str(event.data["price"]))
        more: dict[str, Any] = {"count": self.count, "of": self.of, "spent": money_text(self.spent), "due": money_text(self.due)}
        return Event(event.type, event.at, event.message, event.name, event.level, {**event.data, **more})
