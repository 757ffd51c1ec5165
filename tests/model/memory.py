"""A journal and a store in memory that obey the same ports as the real ones, so that ten thousand histories take minutes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from reconciler.errors import AlreadyOpen, HeadMoved
from reconciler.fact import Draft, Fact, genesis, outcome
from reconciler.job import Attempt, Job, Sent
from reconciler.journal.chain import Line, encode_all, heads, in_order
from reconciler.ports import Head, Owner
from reconciler.state import Books, State, fold, fold_all
from reconciler.store.writer import _refuse_second
from tests.memory.ledger import LINEAGE, NOW


class MemoryJournal:
    """`ports.Journal` over a list of lines; a head's length is their number."""

    shared = None

    def __init__(self, lines: Sequence[Line] = ()) -> None:
        self.kept = list(lines) or encode_all([genesis(NOW, lineage=LINEAGE)], ())

    def read(self, after: Head | None) -> tuple[Head, list[Fact]]:
        if after is not None:
            newer = self.kept[after.length :]
            if newer and newer[0].fact.parents != after.hashes:
                raise HeadMoved("another copy's lines were merged in")
            return self._head(), [line.fact for line in newer]
        return self._head(), [line.fact for line in in_order(self.kept)]

    def append(self, drafts: Sequence[Draft], head: Head) -> tuple[Head, list[Fact]]:
        if head.length != len(self.kept):
            raise HeadMoved("somebody was faster")
        lines = encode_all(drafts, head.hashes)
        self.kept += lines
        return self._head(), [line.fact for line in lines]

    def lines(self) -> list[Line]:
        return list(self.kept)

    def absorb(self, lines: Sequence[Line]) -> None:
        self.kept += lines

    def reserve(self, count: int) -> None:
        pass

    def has_unfinished(self) -> bool:
        return False

    def drop_unfinished(self, head: Head) -> tuple[str, str] | None:
        return None

    def close(self) -> None:
        pass

    def _head(self) -> Head:
        return Head(heads(self.kept), len(self.kept), "")


class MemoryWriter:
    """`ports.Writer` over such a journal: the same fold, the same refusal, and the unique index as an assertion."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal
        self._head, facts = journal.read(None)
        self._books = fold_all(facts)

    def state(self) -> State:
        return self._books.snapshot()

    def attempt(self, attempt_id: str) -> Attempt:
        return self._books.attempts[attempt_id]

    def job(self, job_id: str) -> Job:
        return self._books.jobs[job_id]

    def record(self, drafts: Sequence[Draft]) -> None:
        layer: Books = self._books.layer()
        for draft in drafts:
            fold(layer, Fact(draft.kind, draft.at, draft.data, "", ()))
            _refuse_second(layer, draft)
        blocking = [a.spec_digest for a in layer.attempts.values() if a.blocks]
        if len(blocking) != len(set(blocking)):
            raise AlreadyOpen("unique index")
        if drafts:
            self._head, _ = self._journal.append(drafts, self._head)
        self._books.absorb(layer)

    def record_outcome(self, drafts: Sequence[Draft]) -> None:
        self.record(drafts)

    def observe(self, jobs: Sequence[Job]) -> None:
        self._books.jobs.update({j.id: j for j in jobs})


class MemoryStore:
    """`ports.Store`: nothing but the journal survives."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal

    def view(self) -> State:
        return fold_all(self._journal.read(None)[1]).snapshot()

    @contextlib.contextmanager
    def hold(self, owner: Owner, *, wait_seconds: float) -> Iterator[MemoryWriter]:
        writer = MemoryWriter(self._journal)
        sending = [a for a in writer.state().doubts if a.status is Sent.SENDING]
        writer.record([outcome(NOW, a.id, Sent.IN_DOUBT, evidence="interrupted") for a in sending])
        yield writer
