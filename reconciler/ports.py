"""Where the pure rooms end: what the engine may ask of the world. No file names, no URLs, no clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from reconciler.fact import Draft, Fact
from reconciler.job import Attempt, Job
from reconciler.state import State
from reconciler.verdict import Observation, Verdict


class Head(NamedTuple):
    """The end of a journal as its reader saw it: the hashes nobody follows yet, and the length and digest of all before.

    `length` is in bytes; `digest` is the SHA-256 (hex) of those bytes. The empty journal has no hashes and length 0.
    """

    hashes: tuple[str, ...]
    length: int
    digest: str


class Whose(Enum):
    """Who began an attempt that has no outcome yet, as far as this runner can prove it."""

    OURS = "ours"
    """This runner: its request may have left."""
    OURS_UNSENT = "ours, not sent"
    """This runner, and nothing of it was sent: it ended before its intent had come back from the journal."""
    ANOTHERS = "another's"
    """Another runner, which may be waiting for the answer right now."""


class Shared(Protocol):
    """What a journal needs beside compare-and-swap when other runners append to it from elsewhere at the same time."""

    def fetch(self) -> None:
        """Make readable what others appended; for the holder of the lock. Raises StateProblem when the journal cannot be reached."""
        ...

    def keep(self, drafts: Sequence[Draft]) -> None:
        """Make facts that were paid for durable on this disk, before it is tried to append them. Safe from any thread."""
        ...

    def kept(self) -> list[Draft]:
        """What was kept and is not in the journal."""
        ...

    def whose(self, attempt: str) -> Whose:
        """Who began this attempt."""
        ...

    def settle_up(self) -> None:
        """What was kept is in the journal, what was ours has its outcome: nothing of it has to be remembered any longer."""
        ...


class Journal(Protocol):
    """The truth about money. Every backend is a compare-and-swap on its head."""

    @property
    def shared(self) -> Shared | None:
        """None when only the holder of the lock appends."""
        ...

    def read(self, after: Head | None) -> tuple[Head, list[Fact]]:
        """The head, and the facts behind `after` (None: all). Raises StateProblem when missing, torn or not chaining.

        When what `after` covers is no longer the beginning of the journal (another clone's facts were merged in
        between), raises `HeadMoved`; read all then.
        """
        ...

    def append(self, drafts: Sequence[Draft], head: Head) -> tuple[Head, list[Fact]]:
        """Append if and only if the head is still `head`; durable on return, with everything before it, also when there is nothing
        to append. Raises HeadMoved when somebody was faster.
        """
        ...

    def reserve(self, count: int) -> None:
        """Make sure that `count` more bytes can be appended even when the disk fills up meanwhile, where that can be had."""
        ...

    def has_unfinished(self) -> bool:
        """Whether the latest `read` left out a last line that was never finished."""
        ...

    def unfinished(self) -> tuple[str, str] | None:
        """The (attempt, request id) that can be read in that line."""
        ...

    def drop_unfinished(self, head: Head) -> tuple[str, str] | None:
        """Remove that line; only for the holder of the lock. Gives what could be read in it."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds the lock: for people, never for decisions."""

    pid: int
    host: str
    actor: str
    command: str
    since: str


class Writer(Protocol):
    """The one writer. The store itself refuses a second open attempt for a spec. Safe from any thread."""

    def state(self) -> State:
        """A snapshot of what is known now, including everything recorded through this writer. Costs a copy."""
        ...

    def attempt(self, attempt_id: str) -> Attempt:
        """One attempt as it is now. KeyError when there is none."""
        ...

    def job(self, job_id: str) -> Job:
        """One job as it is now. KeyError when there is none."""
        ...

    def record(self, drafts: Sequence[Draft]) -> None:
        """Make facts durable: journal inside the state's transaction. All or nothing.

        Raises AlreadyOpen for a second open attempt, StateProblem when anything could not be made durable; after that
        every further call raises, because nothing may be bought that cannot be written down. Raises HeadMoved, and
        records nothing, when another runner has appended to a shared journal since this writer began: whatever was
        decided before has to be decided again, by a new writer. Ends of attempts and of jobs, and a pause, hold on any head.
        """
        ...

    def record_outcome(self, drafts: Sequence[Draft]) -> None:
        """As `record`, for facts that were paid for: tried in journal and state apart, also after an earlier failure."""
        ...

    def observe(self, jobs: Sequence[Job]) -> None:
        """Remember what may be looked up again (running phases, poll times). Not in the journal."""
        ...


class Store(Protocol):
    """What the journal folds to, plus what may be looked up again."""

    def view(self, *, whole: bool = False) -> State:
        """A consistent snapshot without a lock and without a write; folds a longer journal in memory.

        The attempts of a large state are read at the first question for one that is settled, unless `whole` says that
        there will be many; that question raises StateProblem when somebody has written meanwhile.
        """
        ...

    def hold(self, owner: Owner, *, wait_seconds: float) -> AbstractContextManager[Writer]:
        """Hold the lock; recover; write. Raises Locked after `wait_seconds`."""
        ...


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an API offers against paying twice. Recovery depends on these alone."""

    idempotency: bool = False
    listing: bool = False
    cancel: bool = False
    quote: bool = False


class TrainerApi(Protocol):
    """The vendor. Safe from several threads."""

    caps: Capabilities

    def submit(self, trainer: str, body: bytes, *, before_first_byte: Callable[[], None], stop: Callable[[], bool]) -> Verdict:
        """Send one purchase once. `before_first_byte` runs when connected and before anything is written; its exception
        aborts with nothing sent and is re-raised. `stop` turning true while waiting ends the wait: in doubt.
        """
        ...

    def observe(self, job: Job) -> Observation:
        """Ask once how far a job is. Never raises for an answer of the server."""
        ...


class Clock(Protocol):
    """Time, so that tests can move it."""

    def now(self) -> str:
        """UTC as ISO 8601 with seconds and Z."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
