"""Many purchases at once: as many in flight as asked for, durability shared, polls beside them. Counts, and one ratio within a run."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.cli.run import run
from reconciler.journal import file as journal_file
from reconciler.journal.file import FileJournal
from reconciler.store.sqlite import SqliteStore
from reconciler.store.writer import SqliteWriter
from tests.life.folder import Folder
from tests.pixazo.raw_server import RawServer

from .trainer import Trainer


@pytest.fixture
def bought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Trainer]]:
    """Apply so many models against a trainer."""
    servers: list[RawServer] = []

    def apply(models: int, trainer: Trainer, *words: str) -> Trainer:
        folder = Folder.new(tmp_path / f"project-{len(servers)}")
        (folder.path / "reconciler.yaml").write_text((folder.path / "reconciler.yaml").read_text().replace("1000.00", "100000.00"))
        folder.models(**{f"m{n}": {"steps": 100 + n} for n in range(models)})
        monkeypatch.chdir(folder.path)
        server = RawServer([trainer]).__enter__()
        servers.append(server)
        assert run(["apply", "-auto-approve", *words], folder.environment(RECONCILER_ENDPOINT=server.url)) == 0
        state = SqliteStore(folder.path / "state" / "reconciler.db", FileJournal(folder.path / "state" / "purchases.jsonl"), now=str).view()
        assert trainer.submits == len(state.jobs) == models
        assert all(job.polls == 1 for job in state.jobs.values())
        return trainer

    yield apply
    for server in servers:
        server.__exit__()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Syncs of the journal, commits and statements of the state, while purchases are under way."""
    seen: Counter[str] = Counter()
    sync, commit = journal_file._sync, SqliteWriter._commit

    def syncing(descriptor: int) -> None:
        seen["syncs"] += 1
        time.sleep(0.01)  # a disk on which others work
        sync(descriptor)

    def committing(self: SqliteWriter, group: list) -> None:  # type: ignore[type-arg]
        drafts = [draft for entry in group for draft in entry.drafts]
        seen["purchase facts"] += sum(draft.kind in ("intent", "outcome") for draft in drafts)
        seen["groups"] += any(draft.kind in ("intent", "outcome") for draft in drafts)
        self._connection.set_trace_callback(lambda _: seen.update(["statements"]))
        commit(self, group)
        self._connection.set_trace_callback(None)

    monkeypatch.setattr(journal_file, "_sync", syncing)
    monkeypatch.setattr(SqliteWriter, "_commit", committing)
    return seen


def test_as_many_purchases_are_in_flight_as_asked_for_and_never_more(bought: Callable[..., Trainer]) -> None:
    assert bought(40, Trainer(hold_for=16), "-parallelism=16").most_submits == 16


def test_purchases_at_the_same_time_share_their_commits(bought: Callable[..., Trainer], counted: Counter[str]) -> None:
    bought(64, Trainer(), "-parallelism=16")
    assert counted["purchase facts"] == 128
    assert counted["groups"] <= 128 / 3
    assert counted["syncs"] <= counted["groups"] + 10


def test_the_work_for_a_purchase_does_not_grow_with_their_number(bought: Callable[..., Trainer], counted: Counter[str]) -> None:
    """One by one: every group is one fact, so its statements are counted and not its luck."""
    bought(10, Trainer(), "-parallelism=1")
    few = counted["statements"] / 10
    counted.clear()
    bought(60, Trainer(), "-parallelism=1")
    assert counted["statements"] / 60 <= few * 1.1
    assert few <= 24


def test_polls_are_made_beside_purchases_on_few_connections_and_take_none_of_their_slots(bought: Callable[..., Trainer]) -> None:
    trainer = Trainer(latency_seconds=0.05, poll_seconds=0.05)
    during = threading.Event()
    plain = trainer._begin

    def begin() -> int:
        if trainer.polls:
            during.set()
        return plain()

    trainer._begin = begin  # type: ignore[method-assign]
    bought(48, trainer, "-parallelism=6", "-poll-parallelism=3")
    assert trainer.polls == 48
    assert len(trainer.poll_peers) <= 3
    assert during.is_set()
    assert trainer.most_submits == 6


def test_polls_that_hang_do_not_hold_up_purchases(bought: Callable[..., Trainer]) -> None:
    """All purchases are answered while the first polls have none yet."""
    release = threading.Event()
    trainer = Trainer()
    plain = trainer._begin

    def begin() -> int:
        number = plain()
        if number == 24:
            release.set()
        return number

    trainer._begin = begin  # type: ignore[method-assign]
    waited: list[bool] = []
    trainer.before_poll = lambda: waited.append(release.wait(10))
    bought(24, trainer, "-parallelism=4", "-poll-parallelism=2")
    assert waited
    assert all(waited)


def test_purchases_take_about_as_long_as_the_trainer_does(bought: Callable[..., Trainer]) -> None:
    """40 purchases of 0.8 s, ten at a time, are three steps more than ten of them: they may take twice as long as those, and not ten times."""
    took = []
    for models in (10, 40):
        began = time.perf_counter()
        bought(models, Trainer(latency_seconds=0.8), "-parallelism=10")
        took.append(time.perf_counter() - began)
    assert took[1] <= took[0] + 2 * 3 * 0.8
