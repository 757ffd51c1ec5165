"""Merging journals: a union, whatever the order, however often; by us and by git it folds to the same state."""

from __future__ import annotations

import itertools
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import StateProblem
from reconciler.fact import Draft, genesis, intent, outcome
from reconciler.job import Sent
from reconciler.journal.chain import encode_all
from reconciler.journal.file import FileJournal
from reconciler.journal.merge import merge
from reconciler.state import fold_all
from tests.memory.histories import History, clock, same, state_of
from tests.memory.ledger import NOW, OWNER, accepted, attempt, bought, open_store


def bought_apart(number: int, minute: int) -> list[Draft]:
    """One purchase of the spec that all copies want."""
    sent = intent(replace(attempt(number, digest="sha256:shared"), sent_at=clock(minute)))
    return [sent, *(Draft(d.kind, clock(minute + 1), d.data) for d in accepted(number))]


def three_copies() -> list[History]:
    common = History().add(*bought_apart(1, 0))
    return [common.fork().add(*(d for n in range(3) for d in bought_apart(10 * side + n, 7 * n + side))) for side in (1, 2, 3)]


def test_the_union_is_commutative_associative_and_idempotent() -> None:
    """P6: three copies, merged in every order, in pairs and pairs of pairs, and twice: one journal, one state."""
    a, b, c = (h.lines for h in three_copies())

    def joined(one: list, other: list) -> list:  # type: ignore[type-arg]
        return [*one, *merge(one, other).missing]

    expected = merge(a, joined(b, c)).union
    for one, two, three in itertools.permutations((a, b, c)):
        for lines in (joined(joined(one, two), three), joined(one, joined(two, three)), joined(joined(joined(one, two), three), two)):
            assert merge(lines, lines).missing == []
            assert merge(lines, one).union == expected
    shuffled = list(expected)
    random.Random(5).shuffle(shuffled)
    assert merge(shuffled, a).union == expected
    state = fold_all(line.fact for line in expected).snapshot()
    assert len(state.duplicates) == 9  # ten purchases of one spec


def test_other_lineages_and_torn_chains_are_refused() -> None:
    ours = History().lines
    with pytest.raises(StateProblem, match="never had a common beginning"):
        merge(ours, encode_all([genesis(NOW, lineage="another")], ()))
    with pytest.raises(StateProblem, match="other journal cannot be merged"):
        merge(ours, three_copies()[0].lines[3:])
    with pytest.raises(StateProblem, match="does not chain"):
        merge(three_copies()[0].lines[:2] + three_copies()[0].lines[3:], ours)


def test_lines_are_absorbed_as_they_are_and_the_state_is_folded_anew(tmp_path: Path) -> None:
    bought(tmp_path, 2)
    (tmp_path / "other").mkdir()
    for name in ("purchases.jsonl", "reconciler.db"):
        (tmp_path / "other" / name).write_bytes((tmp_path / name).read_bytes())
    for folder, number in ((tmp_path, 5), (tmp_path / "other", 6)):
        with open_store(folder).hold(OWNER, wait_seconds=0) as writer:
            writer.record([intent(attempt(number))])
            writer.record_outcome(accepted(number))
    before = (tmp_path / "purchases.jsonl").read_bytes()
    journal = FileJournal(tmp_path / "purchases.jsonl")
    other = FileJournal(tmp_path / "other" / "purchases.jsonl")

    def absorb() -> None:
        journal.absorb(merge(journal.lines(), other.lines()).missing)

    with open_store(tmp_path).hold_after(absorb, OWNER, wait_seconds=0) as writer:
        assert {"j-5", "j-6"} <= writer.state().jobs.keys()
    journal.close()
    assert (tmp_path / "purchases.jsonl").read_bytes().startswith(before)
    assert len(open_store(tmp_path).verify().jobs) == 4
    with open_store(tmp_path).hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(9))])
    assert len(FileJournal(tmp_path / "purchases.jsonl").read(None)[0].hashes) == 1


@pytest.mark.parametrize("cut", [1, 40, -1])
def test_a_merge_that_was_interrupted_is_finished_by_the_next_one(tmp_path: Path, cut: int) -> None:
    """A crash inside the append: what stands there is a beginning of the missing lines, whole or torn."""
    ours, theirs, _ = three_copies()
    path = tmp_path / "purchases.jsonl"
    path.write_bytes(b"".join(line.raw + b"\n" for line in ours.lines))
    with open_store(tmp_path).hold(OWNER, wait_seconds=0):
        pass
    missing = b"".join(line.raw + b"\n" for line in merge(ours.lines, theirs.lines).missing)
    with path.open("ab") as file:
        file.write(missing[:cut])
    open_store(tmp_path).view()
    journal = FileJournal(path)
    with open_store(tmp_path).hold_after(lambda: journal.absorb(merge(journal.lines(), theirs.lines).missing), OWNER, wait_seconds=0) as writer:
        assert same(writer.state(), state_of(ours, theirs))
    journal.close()
    open_store(tmp_path).verify()


def git(folder: Path, *words: str) -> str:
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


def test_a_journal_that_git_merged_folds_to_the_same_state(tmp_path: Path) -> None:
    """P6: `purchases.jsonl merge=union` in .gitattributes, three branches, real git."""
    copies = three_copies()
    common = History(copies[0].lines[:4])
    folder = tmp_path / "repository"
    folder.mkdir()
    journal = folder / "purchases.jsonl"

    def commit(history: History, name: str) -> None:
        journal.write_bytes(b"".join(line.raw + b"\n" for line in history.lines))
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", name)

    git(folder, "init", "-q")
    (folder / ".gitattributes").write_text("purchases.jsonl merge=union\n")
    commit(common, "common")
    for number, history in enumerate(copies):
        git(folder, "checkout", "-qb", f"copy-{number}", "main")
        commit(history, f"copy {number}")
    git(folder, "checkout", "-q", "main")
    for number in (1, 0, 2, 1):
        git(folder, "merge", "-q", "--no-edit", f"copy-{number}")
    by_git = open_store(folder)
    assert same(by_git.view(), state_of(*copies))
    with by_git.hold(OWNER, wait_seconds=0) as writer:
        assert same(writer.state(), state_of(*copies))
        writer.record([outcome(NOW, "at-10", Sent.IN_DOUBT)])
    assert same(open_store(folder).verify(), state_of(*copies))
