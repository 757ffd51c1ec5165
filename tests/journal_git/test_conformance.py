"""The git backend against the suite of all backends, and what only it must do: lost answers of a push, whose an open attempt is."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from reconciler.errors import HeadMoved, StateProblem
from reconciler.fact import Draft, intent
from reconciler.job import Sent
from reconciler.journal.create import create_journal
from reconciler.journal.exchange import push
from reconciler.journal.git import GitJournal
from reconciler.journal.plumbing import Done, Git
from reconciler.ports import Journal
from reconciler.store.sqlite import SqliteStore
from tests.journal_git.clones import BRANCH, git
from tests.memory.conformance import Conformance, Place, notes, reasons
from tests.memory.ledger import LINEAGE, NOW, OWNER, accepted, attempt

_NUMBERS = count()
LATER = "2026-11-24T12:00:00Z"


@dataclass
class Remote:
    """A bare repository with a journal branch. Every handle is a runner of its own, with a repository and a copy of its own."""

    path: Path
    tear: Callable[[bytes], None] | None = None

    @classmethod
    def new(cls, path: Path) -> Remote:
        path.mkdir(parents=True)
        git(path, "init", "-q", "--bare", "-b", "main", "origin.git")
        remote = cls(path)
        first = remote.unfetched()
        assert create_journal(first.path, lineage=LINEAGE, at=NOW)
        assert push(first, lineage=LINEAGE).is_new
        return remote

    def unfetched(self) -> GitJournal:
        folder = self.path / f"runner-{os.getpid()}-{next(_NUMBERS)}"
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
        git(folder, "remote", "add", "origin", str(self.path / "origin.git"))
        return GitJournal(folder / "state" / "purchases.jsonl", Git(folder, os.environ), BRANCH, lineage=LINEAGE)

    def open(self) -> GitJournal:
        journal = self.unfetched()
        journal.fetch()
        return journal

    def store(self, journal: Journal) -> SqliteStore:
        return store(journal)

    def exclusive(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def copy(self) -> Remote:
        path = self.path.with_name(f"{self.path.name}-{next(_NUMBERS)}")
        path.mkdir()
        shutil.copytree(self.path / "origin.git", path / "origin.git")
        return Remote(path)


def store(journal: Journal, *, now: str = NOW) -> SqliteStore:
    path: Path = journal.path  # type: ignore[attr-defined]
    return SqliteStore(path.with_name("reconciler.db"), journal, lineage=LINEAGE, now=lambda: now)


class TestGit(Conformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Remote.new(tmp_path / "remote")


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote.new(tmp_path / "remote")


class Unreliable(Git):
    """A remote whose pushes land or do not, and whose answers are lost."""

    lands = True
    loses = 0
    before_push: Callable[[], None] = staticmethod(lambda: None)

    def push(self, commit: str, branch: str) -> Done:
        self.before_push()
        done = super().push(commit, branch) if self.lands else Done(1, b"", "lost")
        if self.loses:
            self.loses -= 1
            return Done(128, b"", "fatal: the remote end hung up unexpectedly")
        return done


def unreliable(journal: GitJournal) -> Unreliable:
    journal.git = Unreliable(journal.git.folder, os.environ)
    return journal.git


def test_a_push_that_landed_although_its_answer_was_lost_is_one_append(remote: Remote) -> None:
    journal = remote.open()
    unreliable(journal).loses = 1
    head, _ = journal.append(notes("once"), journal.read(None)[0])
    assert reasons(remote.open().read(None)[1]) == ["once"]
    assert remote.open().read(None)[0] == head


def test_a_lost_answer_is_found_also_behind_what_others_appended_since(remote: Remote) -> None:
    journal, other = remote.open(), remote.open()
    link = unreliable(journal)
    link.loses = 1
    real = link.fetch

    def after_others(branch: str, into: str) -> str | None:
        other.fetch()
        other.append(notes("theirs"), other.read(None)[0])
        link.fetch = real  # type: ignore[method-assign]
        return real(branch, into)

    link.fetch = after_others  # type: ignore[method-assign]
    head, _ = journal.append(notes("ours"), journal.read(None)[0])
    with pytest.raises(HeadMoved):
        journal.append(notes("next"), head)
    journal.fetch()
    journal.append(notes("next"), journal.read(head)[0])
    assert reasons(remote.open().read(None)[1]) == ["ours", "theirs", "next"]


def test_an_outcome_goes_behind_what_others_appended_and_an_intent_is_decided_again(remote: Remote) -> None:
    """Rules 3 and 4."""
    ours, other = store(remote.unfetched()), remote.open()
    with ours.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(1))])
        other.fetch()
        other.append(notes("theirs"), other.read(None)[0])
        writer.record_outcome(accepted(1))
        with pytest.raises(HeadMoved):
            writer.record([intent(attempt(2))])
        with pytest.raises(HeadMoved):
            writer.record(accepted(1)[1:])
    with ours.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(2))])
    facts = remote.open().read(None)[1]
    assert [str(f.kind) for f in facts] == ["genesis", "intent", "pause", "outcome", "binding", "intent"]
    assert all(len(f.parents) <= 1 for f in facts), "one chain"


def test_an_announced_attempt_that_never_came_back_is_known_not_to_be_sent(remote: Remote) -> None:
    """Killed between the push and the copy: our disk proves that nothing left us."""
    journal = remote.unfetched()
    with store(journal).hold(OWNER, wait_seconds=0) as writer:
        link = unreliable(journal)
        link.loses, link.fetch = 99, lambda branch, into: (_ for _ in ()).throw(StateProblem("gone"))  # type: ignore[method-assign]
        with pytest.raises(StateProblem):
            writer.record([intent(attempt(1))])
    assert [f.kind for f in remote.open().read(None)[1]][-1] == "intent", "it landed"
    again = GitJournal(journal.path, Git(link.folder, os.environ), BRANCH, lineage=LINEAGE)
    with store(again).hold(OWNER, wait_seconds=0) as writer:
        assert writer.attempt("at-1").status is Sent.NOT_SENT
        writer.record([intent(replace(attempt(2), spec_digest=attempt(1).spec_digest))])


def test_our_own_open_attempt_is_in_doubt_at_the_next_start(remote: Remote) -> None:
    journal = remote.unfetched()
    with store(journal).hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(1))])
    with store(journal).hold(OWNER, wait_seconds=0) as writer:
        assert writer.attempt("at-1").status is Sent.IN_DOUBT


def test_anothers_open_attempt_is_being_sent_until_its_time_is_over(remote: Remote) -> None:
    """Rule 5; and its late outcome is believed all the same."""
    with store(remote.unfetched()).hold(OWNER, wait_seconds=0) as first:
        first.record([intent(attempt(1))])
        for soon in (NOW, "2026-11-24T10:05:10Z"):
            with store(remote.unfetched(), now=soon).hold(OWNER, wait_seconds=0) as writer:
                assert writer.attempt("at-1").status is Sent.SENDING, "an answer is awaited for 310 s"
        with store(remote.unfetched(), now=LATER).hold(OWNER, wait_seconds=0) as writer:
            assert writer.attempt("at-1").status is Sent.IN_DOUBT
        first.record_outcome(accepted(1))
    with store(remote.unfetched(), now=LATER).hold(OWNER, wait_seconds=0) as writer:
        assert writer.attempt("at-1").status is Sent.ACCEPTED


def test_a_copied_folder_does_not_take_the_originals_attempts_for_its_own(remote: Remote) -> None:
    """What a copy of the disk says about unsent attempts proves nothing."""
    journal = remote.unfetched()
    with store(journal).hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(1))])
        copied = journal.git.folder.with_name("copied")
        shutil.copytree(journal.git.folder, copied)
        other = GitJournal(copied / "state" / "purchases.jsonl", Git(copied, os.environ), BRANCH, lineage=LINEAGE)
        with store(other).hold(OWNER, wait_seconds=0) as second:
            assert second.attempt("at-1").status is Sent.SENDING


def test_what_was_kept_is_replayed_once_and_forgotten(remote: Remote) -> None:
    journal = remote.unfetched()
    draft: list[Draft] = accepted(1)
    with store(journal).hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(1))])
        journal.keep(draft)
    for _ in range(2):
        with store(journal).hold(OWNER, wait_seconds=0) as writer:
            assert writer.job("j-1").request_id == "request-1"
            assert journal.kept() == []
    assert [str(f.kind) for f in remote.open().read(None)[1]].count("binding") == 1
