"""Histories that hypothesis makes up: copies of a project plan, buy, crash, recover, settle, fork and merge, while the
reference keeps the books. After every step each copy's state must be what its evidence says, and nothing was bought twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.canonical import digest_of_bytes
from reconciler.engine.apply import Apply
from reconciler.engine.doubt import TakeOver, accept, job_of_take_over, refuse_known, take_over, write_off
from reconciler.engine.origin import Origin
from reconciler.engine.progress import advance
from reconciler.engine.stop import Stop
from reconciler.errors import Invalid
from reconciler.fact import Kind, settled
from reconciler.job import Phase, Sent
from reconciler.journal.chain import in_order
from reconciler.journal.merge import merge
from reconciler.model import Catalog, Model
from reconciler.plan.action import Action
from reconciler.plan.change import Plan
from reconciler.policy import Policy
from reconciler.ports import Writer
from reconciler.state import State, fold_all
from reconciler.verdict import Accepted, InDoubt, NotSent, Observation, Rejected
from tests.memory.ledger import OWNER
from tests.model.copies import Copy
from tests.model.reference import Known, Post, opens
from tests.model.vendor import FATES, Api, Crash, Vendor
from tests.plan.world import catalog, model, plan_of

NAMES = ("ant", "bee", "cat")
MOST_COPIES = 3
EVIDENCE: dict[type, Callable[[Any], tuple[str, str] | None]] = {
    Accepted: lambda v: ("accepted", v.request_id),
    Rejected: lambda _: ("rejected", ""),
    NotSent: lambda _: ("not_sent", ""),
    InDoubt: lambda v: None if v.salvaged is None else ("salvaged", v.salvaged),
}


class Clock:
    """Goes on by a second a look, and anywhere when somebody sets it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 10)

    def now(self) -> str:
        self.at += timedelta(seconds=1)
        return self.at.isoformat() + "Z"

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        pass


class Hurried(Stop):
    """Waits for nothing."""

    def wait(self, seconds: float) -> bool:
        return self.is_requested


@dataclass
class Side:
    """A copy with its manifests, its clock, and what it must know."""

    copy: Copy
    wanted: dict[str, Model] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    known: Known = field(default_factory=Known)
    checked: object = None
    """What the last check has seen; the same again needs no second look."""

    @property
    def catalog(self) -> Catalog:
        return catalog(*self.wanted.values(), environment="default")

    def plan(self, state: State | None = None, **request: Any) -> Plan:
        return plan_of(self.catalog, state or self.copy.store.view(), now=self.clock.now(), **request)


sides = st.integers(0, MOST_COPIES - 1)
ends = st.sampled_from(["found", "another's", "written off"])
fates = st.lists(st.sampled_from(FATES), max_size=4)


class Machine(RuleBasedStateMachine):
    """`make_copy` says where copies live."""

    make_copy: Callable[[], Copy]

    def __init__(self) -> None:
        super().__init__()
        self.vendor = Vendor()
        self.sides = [Side(type(self).make_copy())]
        self.posts: dict[str, Post] = {}
        self.adopted: list[set[str]] = [set()]
        self.consents: Counter[str] = Counter()
        self.mistaken: Counter[str] = Counter()
        """Write-offs, by spec: each may have been wrong."""
        self.ids = 0
        self.has_forked = False

    def teardown(self) -> None:
        for side in self.sides:
            side.copy.close()  # type: ignore[attr-defined]

    def side(self, number: int) -> Side:
        return self.sides[number % len(self.sides)]

    def new_id(self) -> str:
        self.ids += 1
        return f"{self.ids:04}"

    @property
    def origin(self) -> Origin:
        return Origin("x", "http://127.0.0.1:1", "loopback", "", new_id=self.new_id)

    @contextmanager
    def held(self, side: Side) -> Iterator[Writer]:
        with side.copy.store.hold(OWNER, wait_seconds=0) as writer:
            yield writer

    @initialize(before=fates, on_failure=st.sampled_from(["hold", "retry"]), copies=st.integers(1, 2), after=fates, then=fates, how=st.tuples(ends, ends))
    def start(self, before: list[str], on_failure: str, copies: int, after: list[str], then: list[str], how: tuple[str, str]) -> None:
        """A catalog, something bought or in trouble, and often two copies that went on apart from there."""
        for number, name in enumerate(NAMES):
            self.edit(0, name, number % 2, 1, on_failure)
        if before:
            self.apply(0, before[1:], set())
        if copies == 2:
            self.fork(0)
            for number, more in enumerate((after, then)):
                self.resolve(number, 0, how[number])
                self.apply(number, more, set())

    @rule(number=sides, name=st.sampled_from(NAMES), data=st.integers(0, 2), generation=st.integers(1, 2), on_failure=st.sampled_from(["hold", "retry"]))
    def edit(self, number: int, name: str, data: int, generation: int, on_failure: str) -> None:
        self.side(number).wanted[name] = model(name, f"d{data}", generation=generation, on_failure=on_failure, max_attempts=2)

    @rule(number=sides, name=st.sampled_from(NAMES))
    def retire(self, number: int, name: str) -> None:
        self.side(number).wanted.pop(name, None)

    @rule(number=sides, minutes=st.integers(-5000, 5000))
    def set_clock(self, number: int, minutes: int) -> None:
        self.side(number).clock.at += timedelta(minutes=minutes)

    @rule(number=sides, fates=fates)
    def apply_with_faults(self, number: int, fates: list[str]) -> None:
        self.apply(number, fates, set())

    @rule(number=sides, fate=st.sampled_from(FATES), name=st.sampled_from(NAMES))
    def buy_once_more(self, number: int, fate: str, name: str) -> None:
        self.apply(number, [fate], {name})

    @rule(number=sides, fates=fates, replace=st.sets(st.sampled_from(NAMES), max_size=1))
    def apply(self, number: int, fates: list[str], replace: set[str]) -> None:
        side = self.side(number)
        api = Api(self.vendor, list(fates), lambda body: self._sent(side, body, api), side.copy.die_at_next_append)
        try:
            with self.held(side) as writer:
                plan = side.plan(writer.state(), replace=tuple(n for n in replace if n in side.wanted))
                run = Apply(plan, side.catalog, Policy(), writer, api, side.clock, self.origin, Hurried(), parallelism=1)
                for _ in run.run():
                    pass
        except Crash:
            self._learn(side, api, crashed=True)
            return
        self._learn(side, api, crashed=False)
        if not fates and not replace and all(c.action is not Action.IN_DOUBT for c in plan.changes):
            left = {c.action for c in side.plan().changes}
            assert not left & {Action.TRAIN, Action.RETRAIN, Action.REUSE, Action.MOVE, Action.FORGET}, "the plan after an apply is not empty"

    def _sent(self, side: Side, body: bytes, api: Api) -> str:
        """The intent is on disk, and nothing that was bought before is bought again without a word. Called before the first byte."""
        self._learn(side, api, crashed=False)
        durable = fold_all(line.fact for line in in_order(side.copy.journal.lines()))
        found = [a for a in durable.attempts.values() if a.status is Sent.SENDING and a.body_sha256 == digest_of_bytes(body) and a.id not in self.posts]
        assert len(found) == 1, "disk before wire: the intent is not durable"
        attempt = found[0]
        replaces = frozenset(durable.jobs[job].attempt or "" for job in attempt.consents)
        before = set(opens(side.known, self.posts, attempt.spec_digest))
        assert before <= replaces, f"P1: {attempt.id} is sent although {before - replaces} is open"
        self.posts[attempt.id] = Post(attempt.id, attempt.spec_digest, replaces)
        self.consents[attempt.spec_digest] += bool(attempt.consents)
        side.known.evidence[attempt.id] = set()
        return attempt.id

    def _learn(self, side: Side, api: Api, *, crashed: bool) -> None:
        """What was answered is known if it became durable; without a crash it must have, and the doubts whose id could be read are asked about."""
        lines = [line.fact for line in side.copy.journal.lines()]
        outcomes = {fact.data["attempt"] for fact in lines if fact.kind is Kind.OUTCOME}
        for attempt, verdict in api.answers.items():
            assert attempt in outcomes or crashed, "P2: an answer was not written down"
            if attempt in outcomes and (seen := EVIDENCE[type(verdict)](verdict)) is not None:
                side.known.evidence[attempt].add(seen)
        for fact in lines:
            if fact.kind is Kind.RESOLUTION and ("salvaged", fact.data.get("request_id")) in side.known.evidence[fact.data["attempt"]]:
                side.known.evidence[fact.data["attempt"]].add(("accepted", fact.data["request_id"]))

    @rule(number=sides)
    def recover(self, number: int) -> None:
        with self.held(self.side(number)):
            pass
        assert all(a.status is not Sent.SENDING for a in self.side(number).copy.store.view().doubts)

    @rule(number=sides, which=st.integers(0, 5), how=ends)
    def resolve(self, number: int, which: int, how: str) -> None:
        side = self.side(number)
        with self.held(side) as writer:
            state = writer.state()
            if not state.doubts:
                return
            attempt = state.doubts[which % len(state.doubts)]
            if how == "written off":
                write_off(writer, side.clock, attempt, reason="ticket", actor="x")
                self.mistaken[attempt.spec_digest] += 1
                side.known.evidence[attempt.id].add(("off", attempt.salvaged or ""))
                return
            same = [r for r, paid in self.vendor.charges.items() if (paid == attempt.id) is (how == "found")]
            for request_id in same:
                try:
                    refuse_known(state, request_id)
                except Invalid:
                    continue
                accept(writer, side.clock, attempt, request_id, reason="ticket", actor="x", metadata={})
                side.known.evidence[attempt.id].add(("accepted", request_id))
                return

    @rule(number=sides, name=st.sampled_from(NAMES))
    def adopt(self, number: int, name: str) -> None:
        """A job that was bought elsewhere: charged, but not by a POST of ours."""
        side = self.side(number)
        if name not in side.wanted or self.ids % 3:
            return  # seldom: what was adopted is not bought
        request_id = f"elsewhere-{self.new_id()}"
        self.vendor.phases[request_id] = Phase.QUEUED
        with self.held(side) as writer:
            act = TakeOver("default", name, request_id, "", side.wanted[name])
            writer.record(take_over(side.clock, act, job_of_take_over(act, self.origin, side.clock.now()), actor="x"))
        self.adopted[self.sides.index(side)].add(request_id)

    @rule(which=st.integers(0, 20), phase=st.sampled_from([Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED]))
    def train(self, which: int, phase: Phase) -> None:
        ids = sorted(r for r, p in self.vendor.phases.items() if p.is_pending)
        if ids:
            self.vendor.phases[ids[which % len(ids)]] = phase

    @rule(number=sides)
    def poll(self, number: int) -> None:
        side = self.side(number)
        with self.held(side) as writer:
            for job in writer.state().jobs.values():
                now, seen = side.clock.now(), Observation(phase=self.vendor.phases.get(job.request_id))
                step = advance(job, seen, now)
                if step.is_settled:
                    writer.record([settled(now, job.id, step.job.phase, error="", request_id=job.request_id)])
                writer.observe([step.job])

    @precondition(lambda self: len(self.sides) < MOST_COPIES)
    @rule(number=sides)
    def fork(self, number: int) -> None:
        side = self.side(number)
        twin = Side(side.copy.fork(), dict(side.wanted), Clock(), side.known.copy())
        twin.clock.at = side.clock.at
        self.adopted.append(set(self.adopted[self.sides.index(side)]))
        self.sides.append(twin)
        self.has_forked = True

    @precondition(lambda self: len(self.sides) > 1)
    @rule(number=sides, other=sides)
    def merge(self, number: int, other: int) -> None:
        ours, theirs = self.side(number), self.side(number + 1 + other % (len(self.sides) - 1))
        mine, yours = ours.copy.journal.lines(), theirs.copy.journal.lines()
        union = merge(mine, yours).union
        assert union == merge(yours, mine).union, "P6: not commutative"
        ours.copy.absorb(theirs.copy)
        assert merge(ours.copy.journal.lines(), yours).missing == [], "P6: not idempotent"
        ours.known.merge(theirs.known)
        self.adopted[self.sides.index(ours)] |= self.adopted[self.sides.index(theirs)]

    @invariant()
    def every_copy_is_what_its_evidence_says(self) -> None:
        for side, adopted in zip(self.sides, self.adopted, strict=True):
            self._check(side, adopted)

    def _check(self, side: Side, adopted: set[str]) -> None:
        seen = (len(side.copy.journal.lines()), {name: wanted.spec.digest for name, wanted in side.wanted.items()})
        if seen == side.checked:
            return
        side.checked = seen
        state, known = side.copy.store.view(), side.known
        assert state.attempts.keys() == known.evidence.keys(), "P3: an attempt was forgotten or made up"
        for attempt in state.attempts.values():
            expected = known.status(attempt.id)
            status = Sent.SENDING if attempt.status is Sent.IN_DOUBT else attempt.status
            assert status is expected, f"P3: {attempt.id} is {attempt.status}, its evidence says {expected}"
        ids = {j.request_id for j in state.jobs.values()} | {a.salvaged for a in state.attempts.values()}
        assert known.ids | adopted <= ids, f"P2: {(known.ids | adopted) - ids} was forgotten"
        plan = side.plan(state)
        assert sum(c.at_risk for c in plan.changes) == sum(a.price for a in state.doubts), "P3: the plan does not show all money in doubt"
        for digest in {p.digest for p in self.posts.values()}:
            self._check_spec(state, plan, known, digest)

    def _check_spec(self, state: State, plan: Plan, known: Known, digest: str) -> None:
        expected = opens(known, self.posts, digest)
        mine = [a for a in state.attempts.values() if a.spec_digest == digest]
        assert sorted(expected) == sorted(a.id for a in mine if a.is_open), "P1: what is open is not what the evidence says"
        assert sum(a.blocks for a in mine) == min(1, len(expected)), "P1: the unique index would refuse, or let pass"
        assert len([a for a in state.duplicates if a.spec_digest == digest]) == max(0, len(expected) - 1), "P6: a double purchase is not named"
        for change in (c for c in plan.changes if c.spec_digest == digest):
            replaced = {state.jobs[job].attempt for job in change.consents}
            assert not change.action.is_paid or set(expected) <= replaced, f"P1: the plan buys {change.name} although {expected} is open"
        if not self.has_forked:
            charged = sum(self.posts[paid].digest == digest for paid in self.vendor.charges.values())
            assert charged <= 1 + self.consents[digest] + self.mistaken[digest], "P1: charged more often than anybody agreed to"
