"""Histories that went apart: whatever both sides wrote, their union folds, loses no id, and names what was bought twice."""

from __future__ import annotations

import itertools
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.fact import Draft, adoption, binding, intent, outcome, pause, resolution, resume, settled
from reconciler.job import Attempt, Job, Phase, Sent
from reconciler.money import ZERO
from tests.memory.histories import History, clock, held, ids, open_attempts, same, state_of
from tests.memory.ledger import NOW, OWNER, accepted, attempt, bought, new_store, open_store

DIGEST = attempt(1).spec_digest


def sent(number: int, minute: int = 0, *, consents: tuple[str, ...] = ()) -> Draft:
    """The intent of an attempt for the one spec of these tests."""
    return intent(replace(attempt(number, digest=DIGEST, consents=consents), name="model-1", sent_at=clock(minute)))


def ended(number: int, verdict: Sent, minute: int = 0, *, request_id: str | None = None, salvaged: str | None = None) -> Draft:
    job = f"j-{number}" if verdict is Sent.ACCEPTED else None
    return outcome(clock(minute), f"at-{number}", verdict, job=job, request_id=request_id, salvaged=salvaged, evidence="test")


def found(number: int, request_id: str, minute: int = 0) -> Draft:
    return resolution(clock(minute), f"at-{number}", request_id=request_id, job=f"j-{number}", reason="ticket", actor="x")


def written_off(number: int, minute: int = 0, *, salvaged: str | None = None) -> Draft:
    return resolution(clock(minute), f"at-{number}", request_id=None, job=None, reason="ticket", actor="x", salvaged=salvaged)


ENDS = {
    "nothing": [],
    "not sent": [ended(1, Sent.NOT_SENT, 1)],
    "rejected": [ended(1, Sent.REJECTED, 1)],
    "accepted": [ended(1, Sent.ACCEPTED, 1, request_id="x")],
    "accepted, settled": [ended(1, Sent.ACCEPTED, 1, request_id="x"), settled(clock(2), "j-1", Phase.FAILED, request_id="x")],
    "in doubt": [ended(1, Sent.IN_DOUBT, 1)],
    "in doubt, an id was read": [ended(1, Sent.IN_DOUBT, 1, salvaged="x")],
    "found": [ended(1, Sent.IN_DOUBT, 1), found(1, "x", 2)],
    "found under another id": [ended(1, Sent.IN_DOUBT, 1), found(1, "y", 2), settled(clock(3), "j-1", Phase.SUCCEEDED, request_id="y")],
    "written off": [ended(1, Sent.IN_DOUBT, 1), written_off(1, 2)],
    "written off and bought again": [
        ended(1, Sent.IN_DOUBT, 1),
        written_off(1, 2),
        sent(2, 3),
        ended(2, Sent.ACCEPTED, 4, request_id="second"),
        binding(clock(4), environment="default", name="model-1", job="j-2", metadata={}, reason="train"),
    ],
    "rejected and bought again": [ended(1, Sent.REJECTED, 1), sent(3, 3), ended(3, Sent.ACCEPTED, 4, request_id="third")],
    "failed and bought again": [
        ended(1, Sent.ACCEPTED, 1, request_id="x"),
        settled(clock(2), "j-1", Phase.FAILED, request_id="x"),
        sent(4, 3, consents=("j-1",)),
        ended(4, Sent.ACCEPTED, 4, request_id="fourth"),
    ],
}
"""What one copy may have written of an attempt that was being sent when the project was copied."""


def on_the_other_side(drafts: list[Draft]) -> list[Draft]:
    """What this copy bought anew has ids of its own; the attempt that both copies know keeps its id."""
    text = {name: re.sub(r"(at|j)-(?!1$)(\d)$", r"\1-b\2", name) for name in (f"{kind}-{n}" for kind in ("at", "j") for n in range(1, 9))}
    return [Draft(d.kind, d.at, {k: text.get(v, v) if isinstance(v, str) else v for k, v in d.data.items()}) for d in drafts]


def shifted(drafts: list[Draft], minutes: int) -> list[Draft]:
    """The same facts written later."""
    return [Draft(d.kind, f"2026-11-24T{10 + (int(d.at[14:16]) + minutes) // 60:02}:{(int(d.at[14:16]) + minutes) % 60:02}:00Z", d.data) for d in drafts]


@pytest.mark.parametrize("one", ENDS)
@pytest.mark.parametrize("other", ENDS)
def test_every_pair_of_ends_of_one_attempt_folds_and_loses_no_id(tmp_path: Path, one: str, other: str) -> None:
    """P2, P6: with either side's clock ahead, or both alike."""
    common = History().add(sent(1))
    for shift_one, shift_other in ((0, 0), (0, 30), (30, 0)):
        left = common.fork().add(*shifted(ENDS[one], shift_one))
        right = common.fork().add(*shifted(on_the_other_side(ENDS[other]), shift_other))
        state = state_of(left, right)
        assert same(state, state_of(right, left))
        assert set(ids(state)) >= {*ids(state_of(left)), *ids(state_of(right))}
        assert len(open_attempts(state)) <= 1
        assert {a.status for a in state.attempts.values() if a.job} <= {Sent.ACCEPTED}
    last = held(tmp_path, left, right)
    assert set(ids(last)) == set(ids(state))
    assert len(open_attempts(last)) <= 1


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        ("rejected", "in doubt", Sent.REJECTED),
        ("not sent", "in doubt", Sent.NOT_SENT),
        ("in doubt", "written off", Sent.WRITTEN_OFF),
        ("written off", "accepted", Sent.ACCEPTED),
        ("rejected", "found", Sent.ACCEPTED),
        ("in doubt", "in doubt, an id was read", Sent.IN_DOUBT),
        ("written off", "in doubt, an id was read", Sent.IN_DOUBT),
    ],
)
def test_what_is_known_better_wins_whoever_was_first(one: str, other: str, status: Sent) -> None:
    """An id over everything, a proof over a doubt, a word over a doubt; a write-off does not hold against an id that it did not know."""
    common = History().add(sent(1))
    for shifts in ((0, 30), (30, 0)):
        left, right = (common.fork().add(*shifted(ENDS[name], shift)) for name, shift in zip((one, other), shifts, strict=True))
        assert state_of(left, right).attempts["at-1"].status is status


def test_a_write_off_holds_against_the_id_that_it_knew() -> None:
    history = History().add(sent(1), ended(1, Sent.IN_DOUBT, 1, salvaged="x"), written_off(1, 2, salvaged="x"))
    assert state_of(history).attempts["at-1"].status is Sent.WRITTEN_OFF


def test_two_ids_for_one_attempt_are_two_jobs_and_one_price(tmp_path: Path) -> None:
    """P2: a second id never overwrites a first; one POST is paid once. Each keeps its own end."""
    common = History().add(sent(1), ended(1, Sent.IN_DOUBT, 1))
    left = common.fork().add(found(1, "x", 2), settled(clock(5), "j-1", Phase.FAILED, error="x failed", request_id="x"))
    right = common.fork().add(found(1, "y", 3), settled(clock(4), "j-1", Phase.SUCCEEDED, request_id="y"))
    state = held(tmp_path, left, right)
    assert {j.request_id: j.phase for j in state.jobs.values()} == {"x": Phase.FAILED, "y": Phase.SUCCEEDED}
    assert sum(j.price for j in state.jobs.values()) == attempt(1).price


def test_two_copies_that_bought_one_spec_apart_name_the_later_one(tmp_path: Path) -> None:
    """P6: the double purchase is named with its amount; the index takes both rows."""
    common = History()
    left = common.fork().add(sent(1, 1), ended(1, Sent.ACCEPTED, 2, request_id="x"))
    right = common.fork().add(sent(2, 3), ended(2, Sent.ACCEPTED, 4, request_id="y"))
    state = held(tmp_path, left, right)
    assert [(a.id, a.duplicate_of, a.price) for a in state.duplicates] == [("at-2", "at-1", attempt(2).price)]
    assert open_attempts(state) == ["at-1"]
    note = open_store(tmp_path).view().notes[-1]
    assert "twice, $8.00: model-1 (at-2, $8.00, beside at-1)" in note


def test_a_duplicate_takes_over_when_the_first_came_to_nothing(tmp_path: Path) -> None:
    """P1: the spec stays blocked by what was bought."""
    common = History()
    left = common.fork().add(sent(1, 1), ended(1, Sent.REJECTED, 9))
    right = common.fork().add(sent(2, 3), ended(2, Sent.ACCEPTED, 4, request_id="y"))
    state = held(tmp_path, left, right)
    assert open_attempts(state) == ["at-2"]
    assert state.duplicates == []


def test_a_late_id_after_a_second_purchase_names_a_duplicate(tmp_path: Path) -> None:
    """The write-off was wrong: both were bought."""
    common = History().add(sent(1))
    left = common.fork().add(ended(1, Sent.ACCEPTED, 30, request_id="x"))
    right = common.fork().add(*ENDS["written off and bought again"])
    state = held(tmp_path, left, right)
    assert [a.id for a in state.duplicates] == ["at-2"]
    assert open_attempts(state) == ["at-1"]


def test_consents_on_both_sides_do_not_cancel_each_other(tmp_path: Path) -> None:
    """P1: one side's refused replacement does not put back what the other side replaced."""
    common = History().add(sent(1), ended(1, Sent.ACCEPTED, 1, request_id="x"), settled(clock(2), "j-1", Phase.FAILED))
    left = common.fork().add(sent(2, 3, consents=("j-1",)), ended(2, Sent.REJECTED, 30))
    right = common.fork().add(sent(3, 4, consents=("j-1",)), ended(3, Sent.ACCEPTED, 5, request_id="y"))
    state = held(tmp_path, left, right)
    assert state.jobs["j-1"].superseded
    assert open_attempts(state) == ["at-3"]
    both = held(tmp_path / "both", right, common.fork().add(sent(4, 6, consents=("j-1",)), ended(4, Sent.ACCEPTED, 7, request_id="z")))
    assert [a.id for a in both.duplicates] == ["at-4"]


def test_both_copies_may_adopt_one_request(tmp_path: Path) -> None:
    def taken(job: str, minute: int) -> Draft:
        entry = Job(job, "default", "model-9", "pixazo-flux2-pro", "sha256:9", {}, ZERO, "elsewhere", clock(minute), "loopback")
        return adoption(clock(minute), entry, note="", actor="x")

    state = held(tmp_path, History().add(taken("j-a", 1)), History().add(taken("j-b", 2)))
    assert {j.id for j in state.jobs.values()} == {"j-a", "j-b"}
    assert ids(state) == ["elsewhere"]


def test_a_name_that_both_copies_bound_points_to_the_later_one(tmp_path: Path) -> None:
    """Deterministic: by time, then by hash."""
    common = History().add(*(d for n in (1, 2) for d in (intent(attempt(n)), *accepted(n))))

    def bound(job: str | None, minute: int) -> History:
        return common.fork().add(binding(clock(minute), environment="default", name="shared", job=job, metadata={}, reason="train"))

    assert state_of(bound("j-1", 1), bound("j-2", 2)).bindings["default", "shared"].job == "j-2"
    assert state_of(bound("j-1", 2), bound("j-2", 1)).bindings["default", "shared"].job == "j-1"
    assert ("default", "shared") not in held(tmp_path, bound("j-1", 1), bound(None, 2)).bindings
    assert len({state_of(*pair).bindings["default", "shared"].job for pair in itertools.permutations([bound("j-1", 1), bound("j-2", 1)])}) == 1


def test_a_late_success_wins_over_the_other_copys_loss(tmp_path: Path) -> None:
    common = History().add(sent(1), ended(1, Sent.ACCEPTED, 1, request_id="x"))
    left = common.fork().add(settled(clock(2), "j-1", Phase.LOST))
    right = common.fork().add(settled(clock(9), "j-1", Phase.SUCCEEDED))
    assert held(tmp_path, left, right).jobs["j-1"].phase is Phase.SUCCEEDED
    assert state_of(right, left).jobs["j-1"].phase is Phase.SUCCEEDED


def test_the_same_fact_twice_changes_nothing(tmp_path: Path) -> None:
    """A lost answer of a backend: what was appended is appended once more."""
    facts = [sent(1), ended(1, Sent.IN_DOUBT, 1), found(1, "x", 2), settled(clock(3), "j-1", Phase.SUCCEEDED), pause(NOW, reason="r", actor="x")]
    once = state_of(History().add(*facts))
    twice = held(tmp_path, History().add(*(d for fact in facts for d in (fact, fact))))
    assert same(once, twice)
    assert state_of(History().add(*facts, resume(NOW, actor="x"))).pause is None


def test_what_was_seen_of_running_jobs_survives_a_merge_and_takes_nothing_back(tmp_path: Path) -> None:
    """Poll times are looked up again only where they must; what the other side replaced stays replaced."""
    store = bought(tmp_path / "a", 1)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.observe([replace(writer.job("j-0"), phase=Phase.RUNNING, polls=7)])
    with open_store(tmp_path / "b").hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(5, digest=attempt(0).spec_digest, consents=("j-0",)))])
        writer.record_outcome(accepted(5))
    shutil.copy(tmp_path / "b" / "purchases.jsonl", tmp_path / "theirs")
    ours = (tmp_path / "a" / "purchases.jsonl").read_bytes().splitlines(keepends=True)
    theirs = (tmp_path / "theirs").read_bytes().splitlines(keepends=True)
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([pause(NOW, reason="r", actor="x")])
    ours = (tmp_path / "a" / "purchases.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "a" / "purchases.jsonl").write_bytes(b"".join([*ours, *(line for line in theirs if line not in ours)]))
    with open_store(tmp_path / "a").hold(OWNER, wait_seconds=0) as writer:
        job = writer.job("j-0")
    assert (job.phase, job.polls, job.superseded) == (Phase.RUNNING, 7, True)
    assert open_store(tmp_path / "a").verify().jobs["j-0"] == job


@pytest.mark.parametrize("steps", [[ended(1, Sent.IN_DOUBT), written_off(1)], [ended(1, Sent.IN_DOUBT), found(1, "x")]])
def test_a_state_that_missed_several_steps_of_an_attempt_catches_up(tmp_path: Path, steps: list[Draft]) -> None:
    """P4: an old copy of the state beside the whole journal."""
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([sent(1)])
    old = (tmp_path / "reconciler.db").read_bytes()
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record(steps[1:])
    right = open_store(tmp_path).view()
    (tmp_path / "reconciler.db").write_bytes(old)
    with open_store(tmp_path).hold(OWNER, wait_seconds=0) as writer:
        assert same(writer.state(), right)
    assert same(open_store(tmp_path).verify(), right)


def test_an_attempt_that_blocks_is_never_hidden_by_a_clock_that_went_back(tmp_path: Path) -> None:
    """P1."""
    from reconciler.errors import AlreadyOpen

    early: Attempt = replace(attempt(2, digest=DIGEST), sent_at="2001-01-01T00:00:00Z")
    with new_store(tmp_path).hold(OWNER, wait_seconds=0) as writer:
        writer.record([sent(1, 5)])
        with pytest.raises(AlreadyOpen):
            writer.record([intent(early)])
    with open_store(tmp_path).hold(OWNER, wait_seconds=0) as writer, pytest.raises(AlreadyOpen):
        writer.record([intent(early)])
