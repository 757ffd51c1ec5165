"""What every place for a journal must do. One suite for all backends: subclass `Conformance`, give it a `Place`.

A backend is a compare-and-swap on its head. `Place` says how a test opens it a second time, as another process would,
copies it, and cuts it off; the cases know nothing else. What a backend cannot suffer (a line cut off in the middle of an
object store) is None there, and the case is skipped.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

import pytest

from reconciler.errors import HeadMoved, StateProblem
from reconciler.fact import Draft, Fact, Kind, intent, outcome, pause
from reconciler.job import Sent
from reconciler.journal.chain import encode_all
from reconciler.journal.merge import merge
from reconciler.ports import Head, Journal, Store
from reconciler.state import State, fold_all
from tests.memory.ledger import NOW, OWNER, accepted, attempt

MOST_SECONDS = 60.0


class Place(Protocol):
    """Where one journal lies; it has just begun."""

    def open(self) -> Journal:
        """A handle of its own, as another process would have."""
        ...

    def store(self, journal: Journal) -> Store:
        """A state over that handle."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """What a writer holds while it reads and appends."""
        ...

    def copy(self) -> Place:
        """All of it somewhere else, state included."""
        ...

    tear: Callable[[bytes], None] | None
    """Leave these bytes as a last line that was never finished."""


def notes(*reasons: str) -> list[Draft]:
    return [pause(NOW, reason=reason, actor="x") for reason in reasons]


def reasons(facts: Sequence[Fact]) -> list[str]:
    return [str(f.data["reason"]) for f in facts if f.kind is Kind.PAUSE]


def _race(place: Place, name: str, count: int) -> None:
    until = time.monotonic() + MOST_SECONDS
    for number in range(count):
        while True:
            try:
                with place.exclusive():
                    journal = place.open()
                    journal.append(notes(f"{name}{number}"), journal.read(None)[0])
                    journal.close()
                break
            except StateProblem:
                assert time.monotonic() < until


class LostAnswer:
    """A journal whose next append is written, and fails: the answer to the append was lost."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.loses = False

    def append(self, drafts: Sequence[Draft], head: Head) -> tuple[Head, list[Fact]]:
        done = self._journal.append(drafts, head)
        if self.loses:
            raise StateProblem("the answer was lost")
        return done

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)


class Conformance:
    """`place` is a fixture of the subclass."""

    def test_a_new_journal_holds_its_lineage_alone(self, place: Place) -> None:
        head, facts = place.open().read(None)
        assert [f.kind for f in facts] == [Kind.GENESIS]
        assert place.open().read(head) == (head, [])

    def test_what_was_appended_is_there_for_every_later_reader(self, place: Place) -> None:
        with place.exclusive():
            journal = place.open()
            head, _ = journal.read(None)
            newer, written = journal.append(notes("a", "b"), head)
            journal.close()
        assert place.open().read(head) == (newer, written)
        assert place.open().read(newer) == (newer, [])
        assert reasons(place.open().read(None)[1]) == ["a", "b"]

    def test_a_stale_head_writes_nothing(self, place: Place) -> None:
        with place.exclusive():
            fast, slow = place.open(), place.open()
            head, _ = fast.read(None)
            slow.read(None)
            newer, _ = fast.append(notes("fast"), head)
            with pytest.raises(HeadMoved):
                slow.append(notes("slow"), head)
            fast.close()
            slow.close()
        assert place.open().read(None)[0] == newer
        with place.exclusive():
            again = place.open()
            again.append(notes("slow"), again.read(None)[0])
            again.close()
        assert reasons(place.open().read(None)[1]) == ["fast", "slow"]

    def test_two_processes_that_race_lose_nothing_and_write_nothing_twice(self, place: Place) -> None:
        children = [multiprocessing.get_context("fork").Process(target=_race, args=(place, name, 8)) for name in "ab"]
        for child in children:
            child.start()
        for child in children:
            child.join(MOST_SECONDS)
        assert [child.exitcode for child in children] == [0, 0]
        head, facts = place.open().read(None)
        assert sorted(reasons(facts)) == sorted(f"{name}{n}" for name in "ab" for n in range(8))
        assert len(head.hashes) == 1

    def test_a_cut_tail_is_left_out_and_its_id_is_kept(self, place: Place) -> None:
        if place.tear is None:
            pytest.skip("a line cannot be cut off here")
        store = place.store(place.open())
        with store.hold(OWNER, wait_seconds=1) as writer:
            writer.record([intent(attempt(1))])
        place.tear(encode_all(accepted(1), ("0" * 64,))[0].raw[:-40])
        assert [a.id for a in store.view().doubts] == ["at-1"]
        with place.store(place.open()).hold(OWNER, wait_seconds=1) as writer:
            assert writer.attempt("at-1").salvaged == "request-1"
            writer.record(notes("goes on"))
        journal = place.open()
        assert reasons(journal.read(None)[1]) == ["goes on"]
        assert not journal.has_unfinished()

    def test_an_append_whose_answer_was_lost_loses_no_id(self, place: Place) -> None:
        """P2: it may stand in the journal twice in the end; it was bought once."""
        journal = LostAnswer(place.open())
        store = place.store(journal)  # type: ignore[arg-type]
        with store.hold(OWNER, wait_seconds=1) as writer:
            writer.record([intent(attempt(1))])
            journal.loses = True
            with pytest.raises(StateProblem, match="safe in"):
                writer.record_outcome(accepted(1))
            with pytest.raises(StateProblem):
                writer.record([intent(attempt(2))])
        with place.store(place.open()).hold(OWNER, wait_seconds=1) as writer:
            assert {j.request_id for j in writer.state().jobs.values()} == {"request-1"}
            assert not writer.state().doubts

    def test_a_late_outcome_is_believed(self, place: Place) -> None:
        """Another process took the attempt for dead; then its answer comes after all."""
        with place.store(place.open()).hold(OWNER, wait_seconds=1) as writer:
            writer.record([intent(attempt(1))])
            writer.record([outcome(NOW, "at-1", Sent.IN_DOUBT)])
        with place.exclusive():
            late = place.open()
            late.append(accepted(1), late.read(None)[0])
            late.close()
        assert place.store(place.open()).view().jobs["j-1"].request_id == "request-1"
        with place.store(place.open()).hold(OWNER, wait_seconds=1) as writer:
            assert writer.attempt("at-1").status is Sent.ACCEPTED

    def test_two_copies_that_went_apart_merge_without_loss(self, place: Place) -> None:
        """P6: either way round; the next fact joins both histories."""
        other = place.copy()
        for here, number in ((place, 1), (other, 2)):
            with here.store(here.open()).hold(OWNER, wait_seconds=1) as writer:
                writer.record([intent(replace(attempt(number), spec_digest="sha256:both"))])
                writer.record_outcome(accepted(number))
        states: list[State] = []
        for ours, theirs in ((place.copy(), other), (other.copy(), place)):
            with ours.exclusive():
                journal = ours.open()
                missing = merge(journal.lines(), theirs.open().lines()).missing  # type: ignore[attr-defined]
                journal.absorb(missing)  # type: ignore[attr-defined]
                journal.close()
            with ours.store(ours.open()).hold(OWNER, wait_seconds=1) as writer:
                states.append(writer.state())
                writer.record(notes("joined"))
            assert len(ours.open().read(None)[0].hashes) == 1
        assert (states[0].attempts, states[0].jobs, states[0].bindings) == (states[1].attempts, states[1].jobs, states[1].bindings)
        assert states[0].jobs.keys() == {"j-1", "j-2"}
        assert len(states[0].duplicates) == 1

    def test_a_journal_moves_to_another_place_without_loss(self, place: Place) -> None:
        with place.store(place.open()).hold(OWNER, wait_seconds=1) as writer:
            for number in range(3):
                writer.record([intent(attempt(number))])
                writer.record_outcome(accepted(number))
        assert place.copy().open().read(None)[1] == place.open().read(None)[1]
        assert fold_all(place.copy().open().read(None)[1]).snapshot().jobs == place.store(place.open()).view().jobs
