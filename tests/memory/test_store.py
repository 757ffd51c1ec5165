"""The state: folded from the journal, never trusted when it was altered, written by one, refusing what must not happen."""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import AlreadyOpen, Locked, StateProblem
from reconciler.fact import intent, outcome, pause, resolution, settled
from reconciler.job import Phase, Sent
from reconciler.journal.file import FileJournal
from reconciler.money import ZERO
from reconciler.store.connection import open_for_writing
from reconciler.store.lock import holder, is_held
from tests.memory.ledger import LINEAGE, NOW, OWNER, accepted, attempt, bought, new_store, open_store


def test_what_was_bought_is_known_to_every_later_reader(tmp_path: Path) -> None:
    """P2."""
    state = bought(tmp_path, 3).view()
    assert {j.request_id for j in state.jobs.values()} == {"request-0", "request-1", "request-2"}
    assert state.job_of("default", "model-1") == state.jobs["j-1"]
    assert state.world == "loopback"
    assert open_store(tmp_path).verify() == state


@pytest.mark.parametrize("damage", ["absent", "empty", "behind"])
def test_a_state_that_is_absent_empty_or_behind_is_folded_from_its_journal(tmp_path: Path, damage: str) -> None:
    """P4: memory that is merely behind is brought up to date, and says so; readers write nothing."""
    store = bought(tmp_path, 2)
    old = (tmp_path / "reconciler.db").read_bytes()
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(7))])
        writer.record_outcome(accepted(7))
    whole = open_store(tmp_path).view()
    path = tmp_path / "reconciler.db"
    match damage:
        case "absent":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "behind":
            path.write_bytes(old)
    files = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    folded = open_store(tmp_path).view()
    assert folded.jobs == whole.jobs
    assert folded.attempts == whole.attempts
    assert folded.bindings == whole.bindings
    assert "folded" in folded.notes[0]
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == files
    with open_store(tmp_path).hold(OWNER, wait_seconds=0) as writer, pytest.raises(AlreadyOpen):
        writer.record([intent(attempt(99, digest=attempt(7).spec_digest))])
    assert open_store(tmp_path).view().notes == ()


def test_a_second_attempt_for_one_spec_is_refused(tmp_path: Path) -> None:
    """P1: by the writer's own books."""
    with bought(tmp_path, 1).hold(OWNER, wait_seconds=0) as writer, pytest.raises(AlreadyOpen):
        writer.record([intent(attempt(5, digest=attempt(0).spec_digest))])


def test_the_database_alone_refuses_a_second_open_attempt(tmp_path: Path) -> None:
    """P5: the index holds when the lock and the books of a writer are bypassed."""
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as first:
        connection = open_for_writing(tmp_path / "reconciler.db")
        second = type(first)(connection, FileJournal(tmp_path / "purchases.jsonl"), first._books.layer(), first._head, {})
        first.record([intent(attempt(1))])
        with pytest.raises(AlreadyOpen):
            second.record([intent(attempt(2, digest=attempt(1).spec_digest))])
        connection.close()


def test_the_journal_alone_refuses_a_writer_with_an_old_head(tmp_path: Path) -> None:
    """P5: two writers at once, whatever they buy, cannot both append."""
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as first:
        connection = open_for_writing(tmp_path / "reconciler.db")
        second = type(first)(connection, FileJournal(tmp_path / "purchases.jsonl"), first._books.layer(), first._head, {})
        first.record([intent(attempt(1))])
        with pytest.raises(StateProblem):
            second.record([intent(attempt(2))])
        connection.close()
    assert set(open_store(tmp_path).view().attempts) == {"at-1"}


def test_nothing_that_was_bought_can_be_deleted(tmp_path: Path) -> None:
    bought(tmp_path, 1)
    with sqlite3.connect(tmp_path / "reconciler.db") as connection:
        for table in ("attempts", "jobs"):
            with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
                connection.execute(f"DELETE FROM {table}")
    connection.close()


def test_an_attempt_cannot_go_back(tmp_path: Path) -> None:
    bought(tmp_path, 1)
    with sqlite3.connect(tmp_path / "reconciler.db") as connection, pytest.raises(sqlite3.IntegrityError, match="cannot change"):
        connection.execute("UPDATE attempts SET status = 'rejected'")
    connection.close()


def test_what_was_being_sent_is_in_doubt_at_the_next_start(tmp_path: Path) -> None:
    """P3."""
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(1))])
    assert [a.id for a in store.view().doubts] == ["at-1"]
    with open_store(tmp_path).hold(OWNER, wait_seconds=0) as writer:
        assert writer.attempt("at-1").status is Sent.IN_DOUBT
        assert "ended before an answer" in writer.attempt("at-1").evidence


def test_a_doubt_ends_both_ways(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as writer:
        for number in (1, 2):
            writer.record([intent(attempt(number))])
            writer.record_outcome([outcome(NOW, f"at-{number}", Sent.IN_DOUBT, evidence="reset")])
        writer.record_outcome([resolution(NOW, "at-1", request_id="found", job="j-1", reason="ticket", actor="x")])
        writer.record([resolution(NOW, "at-2", request_id=None, job=None, reason="ticket", actor="x")])
        writer.record([intent(attempt(22, digest=attempt(2).spec_digest))])
        with pytest.raises(AlreadyOpen):
            writer.record([intent(attempt(11, digest=attempt(1).spec_digest))])
    state = open_store(tmp_path).view()
    assert state.jobs["j-1"].request_id == "found"
    assert state.attempts["at-2"].status is Sent.WRITTEN_OFF
    assert [a.id for a in state.doubts] == ["at-22"]


def test_consent_lapses_when_the_attempt_came_to_nothing(tmp_path: Path) -> None:
    """P1: one consent allows one purchase, and a refused one gives it back."""
    digest = attempt(0).spec_digest
    with bought(tmp_path, 1).hold(OWNER, wait_seconds=0) as writer:
        writer.record([settled(NOW, "j-0", Phase.FAILED, error="captions missing")])
        writer.record([intent(attempt(1, digest=digest, consents=("j-0",)))])
        assert writer.job("j-0").superseded
        writer.record_outcome([outcome(NOW, "at-1", Sent.REJECTED, http_status=400)])
        assert not writer.job("j-0").superseded
        with pytest.raises(AlreadyOpen):
            writer.record([intent(attempt(2, digest=digest))])
        writer.record([intent(attempt(3, digest=digest, consents=("j-0",)))])
        writer.record_outcome(accepted(3))
        with pytest.raises(AlreadyOpen):
            writer.record([intent(attempt(4, digest=digest, consents=("j-0",)))])
    open_store(tmp_path).verify()


def test_many_threads_share_commits_and_lose_nothing(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as writer:

        def work(first: int) -> None:
            for number in range(first, first + 10):
                writer.record([intent(attempt(number))])
                writer.record_outcome(accepted(number))

        threads = [threading.Thread(target=work, args=(n * 10,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    state = open_store(tmp_path).verify()
    assert len(state.jobs) == 120
    assert not state.doubts


def test_threads_that_race_for_one_spec_get_it_once(tmp_path: Path) -> None:
    """P1, inside one process."""
    won: list[int] = []
    with new_store(tmp_path).hold(OWNER, wait_seconds=0) as writer:

        def work(number: int) -> None:
            try:
                writer.record([intent(attempt(number, digest="sha256:one"))])
            except AlreadyOpen:
                return
            won.append(number)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(won) == 1


def test_a_locked_state_names_its_holder(tmp_path: Path) -> None:
    """P5."""
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0):
        assert is_held(tmp_path / "lock")
        with pytest.raises(Locked, match="somebody"), open_store(tmp_path).hold(OWNER, wait_seconds=0):
            pass
    assert not is_held(tmp_path / "lock")
    assert holder(tmp_path / "lock") == OWNER


def test_a_waiting_writer_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    entered = threading.Event()

    def hold() -> None:
        with store.hold(OWNER, wait_seconds=0):
            entered.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    with open_store(tmp_path).hold(OWNER, wait_seconds=10):
        pass
    thread.join()


def test_a_foreign_lineage_is_an_error(tmp_path: Path) -> None:
    """P4."""
    bought(tmp_path, 1)
    with pytest.raises(StateProblem, match="another project"):
        open_store(tmp_path, lineage="ffffffff-0000-0000-0000-000000000000").view()
    (tmp_path / "reconciler.db").unlink()
    with pytest.raises(StateProblem, match="another project"):
        open_store(tmp_path, lineage="ffffffff-0000-0000-0000-000000000000").view()


def test_a_journal_behind_its_state_is_an_error(tmp_path: Path) -> None:
    """P4: an old backup of the journal must not make the tool forget."""
    store = bought(tmp_path, 2)
    old = (tmp_path / "purchases.jsonl").read_bytes()
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(7))])
        writer.record_outcome(accepted(7))
    (tmp_path / "purchases.jsonl").write_bytes(old)
    for use in (open_store(tmp_path).view, lambda: open_store(tmp_path).hold(OWNER, wait_seconds=0).__enter__()):
        with pytest.raises(StateProblem, match="behind"):
            use()


def test_an_unfinished_last_line_is_dropped_by_the_next_writer(tmp_path: Path) -> None:
    """A crash inside an append: the line was never acknowledged, so it never happened."""
    store = bought(tmp_path, 2)
    whole = (tmp_path / "purchases.jsonl").read_bytes()
    with (tmp_path / "purchases.jsonl").open("ab") as file:
        file.write(b'{"at":"2026-11-24T10:00:00Z","data":{"attempt":"at-9","requ')
    assert len(store.view().jobs) == 2
    with open_store(tmp_path).hold(OWNER, wait_seconds=0):
        pass
    assert (tmp_path / "purchases.jsonl").read_bytes() == whole


def test_an_id_in_an_unfinished_outcome_is_kept_as_evidence(tmp_path: Path) -> None:
    """P2: the line was torn, its id can still be read."""
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(1))])
    with (tmp_path / "purchases.jsonl").open("ab") as file:
        file.write(b'{"at":"2026-11-24T10:00:00Z","data":{"attempt":"at-1","http_status":200,"job":"j-1","request_id":"request-1","verd')
    with open_store(tmp_path).hold(OWNER, wait_seconds=0) as writer:
        assert writer.attempt("at-1").salvaged == "request-1"


def test_an_unfinished_journal_without_a_state_is_an_error(tmp_path: Path) -> None:
    """Nobody can tell whether the cut took a purchase with it."""
    bought(tmp_path, 2)
    (tmp_path / "reconciler.db").unlink()
    path = tmp_path / "purchases.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StateProblem, match="unfinished"):
        open_store(tmp_path).view()


def test_no_bit_flip_of_the_state_changes_what_is_known(tmp_path: Path) -> None:
    """Detected or harmless: 400 flips here, thousands in the full sweep."""
    bought(tmp_path, 5)
    right = open_store(tmp_path).view()
    path = tmp_path / "reconciler.db"
    whole = path.read_bytes()
    chance = random.Random(3)
    for _ in range(400):
        flipped = bytearray(whole)
        position = chance.randrange(len(flipped))
        flipped[position] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            seen = open_store(tmp_path).view()
        except StateProblem:
            continue
        assert (seen.attempts, seen.jobs, seen.bindings) == (right.attempts, right.jobs, right.bindings), position


def test_a_rebuilt_state_knows_every_id(tmp_path: Path) -> None:
    store = bought(tmp_path, 4)
    right = store.view()
    (tmp_path / "reconciler.db").write_bytes(b"junk" * 1000)
    with pytest.raises(StateProblem, match="not a database"):
        store.view()
    rebuilt = open_store(tmp_path).rebuild(OWNER, wait_seconds=0)
    assert rebuilt.jobs == right.jobs
    assert open_store(tmp_path).verify().jobs == right.jobs
    assert (tmp_path / "reconciler.db.old").read_bytes() == b"junk" * 1000


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER evil AFTER INSERT ON attempts BEGIN SELECT 1; END",
        "CREATE VIEW evil AS SELECT 1",
        "CREATE TABLE evil (x)",
        "DROP INDEX one_open_attempt",
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 1",
    ],
)
def test_a_state_with_a_foreign_schema_is_refused(tmp_path: Path, statement: str) -> None:
    bought(tmp_path, 1)
    connection = sqlite3.connect(tmp_path / "reconciler.db", isolation_level=None)
    connection.execute(statement)
    connection.close()
    with pytest.raises(StateProblem):
        open_store(tmp_path).view()
    with pytest.raises(StateProblem), open_store(tmp_path).hold(OWNER, wait_seconds=0):
        pass


@pytest.mark.parametrize("content", [b"x", b"SQLite format 3\x00" + b"\x00" * 10, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_junk_instead_of_a_state_is_refused(tmp_path: Path, content: bytes) -> None:
    bought(tmp_path, 1)
    (tmp_path / "reconciler.db").write_bytes(content)
    with pytest.raises(StateProblem):
        open_store(tmp_path).view()


def test_a_directory_or_link_instead_of_a_state_is_refused(tmp_path: Path) -> None:
    bought(tmp_path / "a", 1)
    path = tmp_path / "a" / "reconciler.db"
    shutil.move(path, tmp_path / "elsewhere.db")
    path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StateProblem):
        open_store(tmp_path / "a").view()
    path.unlink()
    path.mkdir()
    with pytest.raises(StateProblem):
        open_store(tmp_path / "a").view()


def test_the_state_is_durable_by_its_settings(tmp_path: Path) -> None:
    bought(tmp_path, 1)
    connection = open_for_writing(tmp_path / "reconciler.db")
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 3
    connection.close()
    assert (tmp_path / "reconciler.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "purchases.jsonl").stat().st_mode & 0o777 == 0o600


class FailingJournal(FileJournal):
    """A journal whose disk breaks at a chosen append."""

    fails = False

    def append(self, drafts, head):  # type: ignore[no-untyped-def]
        if self.fails:
            raise StateProblem("the journal: No space left on device")
        return super().append(drafts, head)


def test_an_answer_that_the_journal_cannot_take_is_kept_in_the_state_and_flushed_later(tmp_path: Path) -> None:
    """P2: the disk broke between question and answer."""
    store = new_store(tmp_path)
    journal = FailingJournal(tmp_path / "purchases.jsonl")
    store._journal = journal
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(1))])
        journal.fails = True
        with pytest.raises(StateProblem, match="safe in the state"):
            writer.record_outcome(accepted(1))
        with pytest.raises(StateProblem):
            writer.record([intent(attempt(2))])
    with open_store(tmp_path).hold(OWNER, wait_seconds=0) as writer:
        assert writer.job("j-1").request_id == "request-1"
    (tmp_path / "reconciler.db").unlink()
    assert open_store(tmp_path).view().jobs["j-1"].request_id == "request-1"


def test_after_a_failed_commit_nothing_more_is_recorded_but_answers_are(tmp_path: Path) -> None:
    """P2, P3: the state's disk broke; the journal still takes what was paid for."""
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(1))])
        writer._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StateProblem, match="nothing was sent"):
            writer.record([intent(attempt(2))])
        with pytest.raises(StateProblem, match="safe in the journal"):
            writer.record_outcome(accepted(1))
    state = open_store(tmp_path).view()
    assert state.jobs["j-1"].request_id == "request-1"
    assert "at-2" not in state.attempts
    with open_store(tmp_path).hold(OWNER, wait_seconds=0) as writer:
        assert not writer.state().doubts


def test_pause_is_part_of_the_state(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([pause(NOW, reason="holiday", actor="x")])
    paused = open_store(tmp_path).view().pause
    assert paused is not None
    assert paused.reason == "holiday"
    assert open_store(tmp_path, lineage=LINEAGE).verify().pause == paused


def test_a_rebuild_never_forgets_what_the_old_state_knew(tmp_path: Path) -> None:
    """P2: an old journal beside a whole state is refused; the state keeps its rows."""
    store = bought(tmp_path, 2)
    old = (tmp_path / "purchases.jsonl").read_bytes()
    with store.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(7))])
        writer.record_outcome(accepted(7))
    (tmp_path / "purchases.jsonl").write_bytes(old)
    before = (tmp_path / "reconciler.db").read_bytes()
    with pytest.raises(StateProblem, match="lacks the fact"):
        open_store(tmp_path).rebuild(OWNER, wait_seconds=0)
    assert (tmp_path / "reconciler.db").read_bytes() == before


def test_verify_names_the_row_that_is_not_what_the_journal_says(tmp_path: Path) -> None:
    """Checksums alone cannot tell that a whole state is the wrong one."""
    from reconciler.store.compare import compare

    state = bought(tmp_path, 2).view()
    compare(state, state)
    changes = [
        {"attempts": {**state.attempts, "at-1": replace(state.attempts["at-1"], price=ZERO)}},
        {"jobs": {k: v for k, v in state.jobs.items() if k != "j-1"}},
        {"jobs": {**state.jobs, "j-1": replace(state.jobs["j-1"], phase=Phase.FAILED, settled_at=NOW)}},
        {"bindings": {k: v for k, v in state.bindings.items() if k[1] != "model-1"}},
    ]
    for change in changes:
        with pytest.raises(StateProblem, match="-1"):
            compare(state, replace(state, **change))
    with pytest.raises(StateProblem, match="facts"):
        compare(state, replace(state, serial=1))
    seen = replace(state.jobs["j-1"], phase=Phase.RUNNING, polls=3, polled_at=NOW)
    compare(state, replace(state, jobs={**state.jobs, "j-1": seen}))
