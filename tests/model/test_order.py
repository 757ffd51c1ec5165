"""Disk, wire, disk, screen: the order of one purchase, seen from outside; and how often something is sent at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from reconciler.engine.apply import Apply
from reconciler.engine.origin import Origin
from reconciler.fact import Draft, Fact
from reconciler.policy import Policy
from reconciler.ports import Capabilities, Head
from reconciler.verdict import Accepted, InDoubt, NotSent, Observation, Rejected, Verdict
from tests.memory.ledger import OWNER
from tests.model.machine import Clock, Hurried
from tests.model.memory import MemoryJournal, MemoryStore
from tests.plan.world import catalog, model, plan_of


@dataclass
class Trace:
    """Everything that a purchase does to the world, in order."""

    done: list[str] = field(default_factory=list)

    def run(self, answers: Sequence[Verdict], *, models: int = 1, ceiling: str | None = None) -> Apply:
        journal = Journal(self)
        wanted = catalog(*(model(f"m{i}", f"d{i}") for i in range(models)), environment="default")
        clock = Clock()
        numbers = iter(range(1000))
        with MemoryStore(journal).hold(OWNER, wait_seconds=0) as writer:
            plan = plan_of(wanted, writer.state(), now=clock.now())
            origin = Origin("x", "http://127.0.0.1:1", "loopback", "", new_id=lambda: f"{next(numbers)}")
            limit = None if ceiling is None else Decimal(ceiling)
            apply = Apply(plan, wanted, Policy(), writer, Vendor(self, iter(answers)), clock, origin, Hurried(), parallelism=1, ceiling=limit)
            for event in apply.run():
                if event.type.startswith("purchase_"):
                    self.done.append(f"say {event.type.removeprefix('purchase_')}")
        return apply

    def count(self, what: str) -> int:
        return sum(step.startswith(what) for step in self.done)


class Journal(MemoryJournal):
    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def append(self, drafts: Sequence[Draft], head: Head) -> tuple[Head, list[Fact]]:
        if any(d.kind == "outcome" for d in drafts):
            time.sleep(0.05)  # time to say it too early
        done = super().append(drafts, head)
        self.trace.done += [f"disk {d.kind}" for d in drafts if d.kind in ("intent", "outcome")]
        return done


@dataclass
class Vendor:
    trace: Trace
    answers: Iterator[Verdict]
    caps: Capabilities = Capabilities()

    def submit(self, trainer: str, body: bytes, *, before_first_byte: Callable[[], None], stop: Callable[[], bool]) -> Verdict:
        before_first_byte()
        self.trace.done.append("wire")
        return next(self.answers)

    def observe(self, job: object) -> Observation:
        return Observation()


def ids(count: int) -> list[Verdict]:
    return [Accepted(f"r-{i}", 200) for i in range(count)]


def test_disk_wire_disk_screen() -> None:
    trace = Trace()
    trace.run(ids(1))
    assert [step for step in trace.done if step != "say intent"] == ["disk intent", "wire", "disk outcome", "say accepted"]
    assert trace.done.index("say intent") > trace.done.index("disk intent")


@pytest.mark.parametrize("verdict", [InDoubt("no answer in time"), InDoubt("500", http_status=500), Rejected(400, "bad")])
def test_what_may_have_been_bought_and_what_was_refused_is_sent_once(verdict: Verdict) -> None:
    trace = Trace()
    trace.run([verdict, *ids(9)])
    assert trace.count("wire") == 1


@pytest.mark.parametrize(("verdict", "most"), [(Rejected(429, "later", retry_after_seconds=1), 5), (NotSent("refused"), 3)])
def test_what_is_proved_unbought_is_sent_again_as_a_new_attempt_and_not_for_ever(verdict: Verdict, most: int) -> None:
    trace = Trace()
    trace.run([verdict] * 20)
    assert trace.count("wire") == trace.count("disk intent") == trace.count("disk outcome") == most


def test_the_ceiling_is_asked_before_every_purchase() -> None:
    """P8: money that is in doubt is spent."""
    trace = Trace()
    apply = trace.run([InDoubt("reset"), *ids(9)], models=4, ceiling="16.00")
    assert trace.count("wire") == 2
    assert apply.totals.refused_by_budget
