"""Large states as they are read: late, in part, and believed when they were checked before. What is known is the same, and damage is."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.cache.folder import Folder
from reconciler.commands.proofs import CachedProofs
from reconciler.errors import StateProblem
from reconciler.fact import Draft, binding, intent, outcome, pause, settled
from reconciler.job import Artifact, Phase, Sent
from reconciler.journal.file import FileJournal
from reconciler.ledger import Bill, Bound, Ledger
from reconciler.reports.cost import cost_report
from reconciler.reports.jobs import jobs_text
from reconciler.reports.style import Style
from reconciler.state import State
from reconciler.store import reading, rows
from reconciler.store.part import Wanted
from reconciler.store.sqlite import SqliteStore
from tests.memory.histories import History, clock, held
from tests.memory.ledger import NOW, OWNER, accepted, attempt, bought

LATER = 10_000_000_000


@pytest.fixture(autouse=True)
def _all_states_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WORTH_BYTES", 0)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A one-item list: of how many rows the checksum was worked out."""
    count, real = [0], rows.checksum

    def counted(values: list[object]) -> str:
        count[0] += 1
        return real(values)

    monkeypatch.setattr(rows, "checksum", counted)
    return count


def proofs(folder: Path, *, later: int = LATER) -> CachedProofs:
    """The memory beside a state, some time after the state was written."""
    return CachedProofs(Folder(folder / "cache"), now=lambda: time.time_ns() + later)


def remembering(folder: Path, memory: CachedProofs) -> SqliteStore:
    """A store that has the memory."""
    journal = folder / "purchases.jsonl"
    return SqliteStore(folder / "reconciler.db", FileJournal(journal), now=lambda: NOW, proofs=memory, journal_path=journal)


def random_history(chance: random.Random, history: History, first: int) -> History:
    """Ten attempts with all kinds of ends; some of a spec that another has too, some bound to several names."""
    for number in range(first, first + 10):
        at = replace(attempt(number, digest=f"sha256:{chance.randrange(12):064x}"), sent_at=clock(number), environment=chance.choice(["default", "other"]))
        history.add(intent(at))
        match chance.choice(["accepted", "accepted", "doubt", "rejected", "open"]):
            case "accepted":
                history.add(outcome(clock(number), at.id, Sent.ACCEPTED, job=f"j-{number}", request_id=f"request-{number}"))
                history.add(*_after(chance, number))
            case "doubt":
                history.add(outcome(clock(number), at.id, Sent.IN_DOUBT, evidence="reset"))
            case "rejected":
                history.add(outcome(clock(number), at.id, Sent.REJECTED, http_status=400))
    return history


def _after(chance: random.Random, number: int) -> Iterator[Draft]:
    if chance.random() < 0.5:
        files = (Artifact("weights", f"https://files.example.com/{number}?sig=1"),)
        yield settled(clock(number + 1), f"j-{number}", chance.choice([Phase.SUCCEEDED, Phase.FAILED]), artifacts=files)
    for name in chance.sample(["a", "b", "c", "d"], chance.randrange(3)):
        metadata = {"labels": {"team": "x"}, "description": "ü"}
        yield binding(clock(number), environment=chance.choice(["default", "other"]), name=name, job=f"j-{number}", metadata=metadata, reason="train")


@pytest.mark.parametrize("seed", range(12))
def test_a_state_read_late_or_by_memory_is_the_state(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    trunk = random_history(chance, History(), 0)
    forks = [random_history(chance, trunk.fork(), 10), random_history(chance, trunk.fork(), 20)][: 1 + seed % 2]
    if seed % 3 == 0:
        forks[0].add(pause(clock(50), reason="a look", actor="somebody"))
    folder = tmp_path / "project"
    right = held(folder, *forks)
    memory = proofs(folder)
    for _ in range(3):
        state = remembering(folder, memory).view()
        assert (state.doubts, state.duplicates, state.world) == (right.doubts, right.duplicates, right.world)
        whole = remembering(folder, memory).view(whole=True)
        assert state.notes == whole.notes
        assert (state, whole) == (whole, replace(right, notes=whole.notes))


@pytest.mark.parametrize("seed", range(8))
def test_a_part_is_what_a_whole_state_says_of_it(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    right = held(tmp_path / "project", random_history(chance, random_history(chance, History(), 0), 10))
    store = remembering(tmp_path / "project", proofs(tmp_path / "project"))
    digests = [f"sha256:{number:064x}" for number in chance.sample(range(12), 3)]
    wanted = Wanted("default", ["a", "c", "nobody"], digests, ["request-3"], month=(clock(3), clock(15)))
    for _ in range(2):
        part = store.part(wanted)
        assert part is not None
        _assert_part(part.state, right, wanted)
        bills = [j.price for j in right.jobs.values() if clock(3) <= j.submitted_at < clock(15)]
        assert part.totals is not None
        assert (part.totals.bought, part.totals.bought_jobs, part.totals.world) == (sum(bills, Decimal(0)), len(bills), right.world)


@pytest.mark.parametrize("seed", range(8))
def test_a_ledger_is_what_a_state_says_in_brief(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    trunk = random_history(chance, History(), 0)
    folder = tmp_path / "project"
    right = held(folder, *[random_history(chance, trunk.fork(), 10), random_history(chance, trunk.fork(), 20)][: 1 + seed % 2])
    whole, memory = remembering(folder, proofs(folder)).view(whole=True), proofs(folder)
    for _ in range(2):
        ledger = remembering(folder, memory).ledger()
        assert isinstance(ledger, Ledger)
        assert list(ledger.jobs.values()) == [Bill(*(getattr(job, name) for name in Bill._fields)) for job in right.jobs.values()]
        assert list(ledger.bindings.items()) == [(k, Bound(*(getattr(b, name) for name in Bound._fields))) for k, b in whole.bindings.items()]
        assert (ledger.doubts, ledger.notes, ledger.pause, ledger.serial) == (whole.doubts, whole.notes, whole.pause, whole.serial)
        for by in ("month", "model", "label.team"):
            assert cost_report(ledger, by=by, timezone="Asia/Tokyo") == cost_report(whole, by=by, timezone="Asia/Tokyo")
        assert jobs_text(ledger, Style.plain(80)) == jobs_text(whole, Style.plain(80))


def test_a_ledger_of_a_state_that_is_behind_has_everything(tmp_path: Path) -> None:
    bought(tmp_path, 2)
    old = (tmp_path / "reconciler.db").read_bytes()
    with remembering(tmp_path, proofs(tmp_path)).hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(7))])
        writer.record_outcome(accepted(7))
    (tmp_path / "reconciler.db").write_bytes(old)
    assert remembering(tmp_path, proofs(tmp_path)).ledger().jobs.keys() == {"j-0", "j-1", "j-7"}


def _assert_part(part: State, right: State, wanted: Wanted) -> None:
    bound = {b.job for (e, n), b in right.bindings.items() if e == wanted.environment and n in wanted.names}
    digests = {*wanted.digests, *(right.jobs[key].spec_digest for key in bound)}
    jobs = {
        key: job
        for key, job in right.jobs.items()
        if key in bound or job.spec_digest in digests or job.request_id in wanted.request_ids or job.phase.is_pending
    }
    assert part.jobs == jobs
    assert part.bindings == {key: b for key, b in right.bindings.items() if b.job in jobs}
    assert (part.doubts, part.duplicates, part.pause, part.serial) == (right.doubts, right.duplicates, right.pause, right.serial)
    assert part.attempts == right.attempts


def test_what_was_checked_is_not_checked_again_until_a_byte_of_it_changes(tmp_path: Path, checks: list[int]) -> None:
    bought(tmp_path, 20)
    memory = proofs(tmp_path)
    right = remembering(tmp_path, memory).view()
    assert checks[0] > 60
    assert memory.hashed == sum((tmp_path / name).stat().st_size for name in ("reconciler.db", "purchases.jsonl"))
    checks[0] = 0
    memory = proofs(tmp_path)
    assert remembering(tmp_path, memory).view() == right
    assert (checks[0], memory.hashed) == (0, 0), "a look was enough"
    with remembering(tmp_path, memory).hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(30))])
        writer.record_outcome(accepted(30))
        assert checks[0] > 60, "who spends checks everything"
    checks[0] = 0
    assert len(remembering(tmp_path, memory).view().jobs) == 21
    assert checks[0] >= 63


def test_a_file_that_was_just_written_is_known_by_its_content_alone(tmp_path: Path, checks: list[int]) -> None:
    bought(tmp_path, 3)
    remembering(tmp_path, proofs(tmp_path, later=0)).view()
    checks[0] = 0
    memory = proofs(tmp_path, later=0)
    remembering(tmp_path, memory).view()
    assert (checks[0], memory.hashed > 0) == (0, True)


def test_a_part_costs_its_rows_and_not_the_rest(tmp_path: Path, checks: list[int]) -> None:
    counts = []
    for count in (10, 40):
        folder = tmp_path / str(count)
        folder.mkdir()
        with bought(folder, count).hold(OWNER, wait_seconds=0) as writer:
            writer.record([settled(NOW, f"j-{number}", Phase.SUCCEEDED) for number in range(count)])
        store = remembering(folder, proofs(folder))
        store.part(Wanted("default", ["model-3"]))
        checks[0] = 0
        part = store.part(Wanted("default", ["model-3", "model-4"], [attempt(5).spec_digest]))
        assert part is not None
        assert part.state.jobs.keys() == {"j-3", "j-4", "j-5"}
        counts.append(checks[0])
    assert counts[0] == counts[1] < 12


def test_a_state_that_is_behind_its_journal_has_no_parts_and_is_read_whole(tmp_path: Path) -> None:
    bought(tmp_path, 2)
    old = (tmp_path / "reconciler.db").read_bytes()
    with remembering(tmp_path, proofs(tmp_path)).hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(7))])
    (tmp_path / "reconciler.db").write_bytes(old)
    store = remembering(tmp_path, proofs(tmp_path))
    assert store.part(Wanted("default", ["model-1"])) is None
    state = store.view()
    assert [a.id for a in state.doubts] == ["at-7"]
    assert len(state.attempts) == 3
    assert "behind its journal" in state.notes[0]


def test_attempts_of_a_state_that_was_written_to_are_not_made_up(tmp_path: Path) -> None:
    bought(tmp_path, 2)
    store = remembering(tmp_path, proofs(tmp_path))
    late, whole = store.view(), store.view(whole=True)
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([pause(NOW, reason="a look", actor="somebody")])
    with pytest.raises(StateProblem, match="changed while it was being read"):
        len(late.attempts)
    assert len(whole.attempts) == 2


def test_no_bit_flip_of_a_checked_state_changes_what_is_known(tmp_path: Path) -> None:
    """Detected or harmless, also where the state as it was before is remembered as whole, its indexes too."""
    bought(tmp_path, 5)
    wanted = Wanted("default", ["model-1"], [attempt(2).spec_digest, "sha256:0"], ["request-3"])
    path = tmp_path / "reconciler.db"
    whole, chance = path.read_bytes(), random.Random(4)
    store = remembering(tmp_path, proofs(tmp_path))
    right, part = store.view(whole=True), store.part(wanted)
    ledger = store.ledger()
    found = 0
    for _ in range(150):
        flipped = bytearray(whole)
        position = chance.randrange(len(flipped))
        flipped[position] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            seen = remembering(tmp_path, proofs(tmp_path)).view()
            assert (seen.attempts, seen.jobs, seen.bindings) == (right.attempts, right.jobs, right.bindings), position
            assert remembering(tmp_path, proofs(tmp_path)).part(wanted) == part, position
            assert remembering(tmp_path, proofs(tmp_path)).ledger().jobs == ledger.jobs, position
        except StateProblem:
            found += 1
    assert found > 20


def test_a_broken_index_hides_no_job(tmp_path: Path) -> None:
    """A job that the index lost would be bought again."""
    bought(tmp_path, 5)
    path = tmp_path / "reconciler.db"
    digest = attempt(2).spec_digest.encode()
    places = [i for i in range(path.stat().st_size) if path.read_bytes().startswith(digest, i)]
    content = bytearray(path.read_bytes())
    refused = 0
    for place in places:
        altered = bytearray(content)
        altered[place + 40] ^= 1
        path.write_bytes(altered)
        try:
            part = remembering(tmp_path, proofs(tmp_path)).part(Wanted("default", [], [attempt(2).spec_digest]))
        except StateProblem:
            refused += 1
        else:
            assert part is not None
            assert "j-2" in part.state.jobs, "only the index of attempts is not asked"
    assert refused == len(places) - 1 == 3
