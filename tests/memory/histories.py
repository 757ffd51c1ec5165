"""Histories as values: lines that chain, copies that go apart, their union folded through real files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.fact import Draft, genesis
from reconciler.journal.chain import Line, encode_all, heads, in_order
from reconciler.state import State, fold_all
from tests.memory.ledger import LINEAGE, NOW, OWNER, open_store


@dataclass
class History:
    """What one copy of a project wrote. `add` appends behind everything that the copy knows."""

    lines: list[Line] = field(default_factory=lambda: encode_all([genesis(NOW, lineage=LINEAGE)], ()))

    def add(self, *drafts: Draft) -> History:
        self.lines += encode_all(drafts, heads(self.lines))
        return self

    def fork(self) -> History:
        return History(list(self.lines))


def clock(minute: int) -> str:
    """A time on the day of the tests."""
    return f"2026-11-24T{10 + minute // 60:02}:{minute % 60:02}:00Z"


def state_of(*histories: History) -> State:
    """The fold of the union, in memory."""
    return fold_all(line.fact for line in in_order([line for h in histories for line in h.lines])).snapshot()


def write(folder: Path, *histories: History) -> None:
    """The union as a journal file, the way git's union merge leaves it: one side's lines behind the other's."""
    folder.mkdir(exist_ok=True)
    seen: dict[bytes, None] = {}
    for history in histories:
        seen.update(dict.fromkeys(line.raw for line in history.lines))
    (folder / "purchases.jsonl").write_bytes(b"".join(raw + b"\n" for raw in seen))


def held(folder: Path, *histories: History) -> State:
    """The union through journal, rows and unique index: as a holder of the lock finds it, and as `verify` confirms it."""
    write(folder, *histories)
    with open_store(folder).hold(OWNER, wait_seconds=0) as writer:
        state = writer.state()
    assert same(open_store(folder).verify(), state)
    return state


def same(one: State, other: State) -> bool:
    """Equal in everything but what is told about how they were read."""
    return (one.attempts, one.jobs, one.bindings, one.pause) == (other.attempts, other.jobs, other.bindings, other.pause)


def open_attempts(state: State) -> list[str]:
    """The attempts that the unique index counts, by id."""
    return sorted(a.id for a in state.attempts.values() if a.blocks)


def ids(state: State) -> Sequence[str]:
    """Every request id that is known, of jobs and of broken answers."""
    return sorted({j.request_id for j in state.jobs.values()} | {a.salvaged for a in state.attempts.values() if a.salvaged})
