"""The journal: a line is what was written or an error, a set of lines has one meaning, appends compare and swap."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from reconciler.errors import HeadMoved, StateProblem
from reconciler.fact import Draft, Kind, genesis, pause, resume
from reconciler.journal.chain import decode, encode, encode_all, heads, in_order
from reconciler.journal.create import create_journal
from reconciler.journal.file import FileJournal
from tests.memory.ledger import LINEAGE, NOW, bought


def drafts(count: int, *, actor: str = "a") -> list[Draft]:
    return [pause(NOW, reason=f"reason {i}", actor=actor) if i % 2 else resume(NOW, actor=actor) for i in range(count)]


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_a_line_comes_back_as_the_fact_that_was_written() -> None:
    line = encode(Draft(Kind.PAUSE, NOW, {"reason": "é \u202e \x1b[31m", "actor": "x"}), ("p",))
    assert decode(line.raw, 1).fact == line.fact
    assert line.raw.isascii()
    assert b"\x1b" not in line.raw


def test_no_single_bit_of_a_line_can_flip_unnoticed() -> None:
    raw = encode(pause(NOW, reason="because", actor="x"), ("p" * 64,)).raw
    for position in range(len(raw)):
        for bit in range(8):
            flipped = bytearray(raw)
            flipped[position] ^= 1 << bit
            with pytest.raises(StateProblem):
                decode(bytes(flipped), 1)


def test_a_line_longer_than_the_journal_takes_is_refused_before_it_is_written() -> None:
    with pytest.raises(StateProblem, match="longer"):
        encode(pause(NOW, reason="x" * 70_000, actor="x"), ())


def test_the_order_of_forked_lines_depends_on_the_set_alone() -> None:
    """P6: the union of two histories is one journal, whatever order the lines lie in and however often."""
    root = encode_all([genesis(NOW, lineage=LINEAGE), *drafts(3)], ())
    left, right = (encode_all(drafts(5, actor=side), (root[-1].fact.hash,)) for side in ("left", "right"))
    expected = in_order(root + left + right)
    chance = random.Random(1)
    for _ in range(20):
        mixed = [*root, *left, *right, *left[:2]]
        chance.shuffle(mixed)
        assert in_order(mixed) == expected
    assert heads(expected) == tuple(sorted((left[-1].fact.hash, right[-1].fact.hash)))


def test_a_fact_after_a_fork_joins_both_histories(tmp_path: Path) -> None:
    path = tmp_path / "j"
    create_journal(path, lineage=LINEAGE, at=NOW)
    head, _ = FileJournal(path).read(None)
    ours, theirs = (encode_all(drafts(2, actor=a), head.hashes) for a in ("ours", "theirs"))
    with path.open("ab") as file:
        for line in ours + theirs:
            file.write(line.raw + b"\n")
    journal = FileJournal(path)
    head, facts = journal.read(None)
    assert len(head.hashes) == 2
    head, new = journal.append(drafts(1), head)
    assert set(new[0].parents) == {ours[-1].fact.hash, theirs[-1].fact.hash}
    assert len(head.hashes) == 1
    assert FileJournal(path).read(None)[0] == head
    assert len(facts) == 5


@pytest.mark.parametrize("victim", [0, 1, 5, -2])
def test_a_removed_line_shows(tmp_path: Path, victim: int) -> None:
    """P4: a journal that does not chain is an error."""
    bought(tmp_path, 3)
    path = tmp_path / "purchases.jsonl"
    lines = lines_of(path)
    del lines[victim]
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(StateProblem):
        FileJournal(path).read(None)


def test_an_append_on_an_old_head_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j"
    create_journal(path, lineage=LINEAGE, at=NOW)
    first, second = FileJournal(path), FileJournal(path)
    head, _ = first.read(None)
    second.read(None)
    first.append(drafts(1), head)
    before = path.read_bytes()
    with pytest.raises(HeadMoved):
        second.append(drafts(1), head)
    assert path.read_bytes() == before


def test_reading_after_a_head_gives_what_came_since(tmp_path: Path) -> None:
    path = tmp_path / "j"
    create_journal(path, lineage=LINEAGE, at=NOW)
    journal = FileJournal(path)
    head, _ = journal.read(None)
    newer, written = journal.append(drafts(3), head)
    assert FileJournal(path).read(head) == (newer, written)
    assert FileJournal(path).read(newer) == (newer, [])


def test_an_altered_beginning_is_noticed_when_reading_after_a_head(tmp_path: Path) -> None:
    bought(tmp_path, 3)
    path = tmp_path / "purchases.jsonl"
    head, _ = FileJournal(path).read(None)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(HeadMoved):
        FileJournal(path).read(head)
    with pytest.raises(StateProblem):
        FileJournal(path).read(None)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"version https://git-lfs.github.com/spec/v1\n", "LFS"), (b"\x00" * 4096 + b"\n", "no hash"), (b"{}\n", "hash")],
)
def test_what_is_no_journal_says_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(StateProblem, match=message):
        FileJournal(path).read(None)


def test_a_missing_journal_is_an_error_that_names_init(tmp_path: Path) -> None:
    with pytest.raises(StateProblem, match="missing") as caught:
        FileJournal(tmp_path / "j").read(None)
    assert "init" in caught.value.hint


def test_a_link_instead_of_a_journal_is_refused(tmp_path: Path) -> None:
    bought(tmp_path, 1)
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "purchases.jsonl")
    with pytest.raises(StateProblem):
        FileJournal(link).read(None)


def test_a_journal_is_never_begun_twice(tmp_path: Path) -> None:
    path = tmp_path / "j"
    assert create_journal(path, lineage=LINEAGE, at=NOW)
    before = path.read_bytes()
    assert not create_journal(path, lineage="another", at=NOW)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_is_full_shows_before_anything_is_sent(tmp_path: Path) -> None:
    """P2: room for the answer is reserved before the question; without it nothing is asked."""
    path = tmp_path / "j"
    create_journal(path, lineage=LINEAGE, at=NOW)
    journal = FileJournal(path)
    journal.read(None)
    size = path.stat().st_size
    journal.reserve(1 << 16)
    assert path.stat().st_size == size
    assert path.stat().st_blocks * 512 >= 1 << 16
    with pytest.raises(StateProblem, match="no room"):
        journal.reserve(1 << 50)
