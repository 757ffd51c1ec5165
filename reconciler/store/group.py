"""Who writes for whom: callers from several threads wait together, and whoever leads commits for all that wait.

A caller waits for the commit that runs, if one does, and for its own; the lead then passes to the first of those who came
meanwhile, so that nobody who is done waits for the next group. How a group is written is not decided here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reconciler.errors import ReconcilerError, StateProblem
from reconciler.fact import Draft
from reconciler.job import Job


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True)
class Entry:
    """What one caller wants written, all or nothing: facts, or jobs as they were seen."""

    drafts: Sequence[Draft] = ()
    was_paid: bool = False
    seen: Sequence[Job] = ()
    is_kept: bool = False
    """It is safe on this disk, and enters the journal at the latest when the next process starts."""
    error: ReconcilerError | None = None
    is_done: bool = False
    turn: threading.Lock = field(default_factory=_taken)
    """Free when the entry is done, or when it is its caller's turn to lead."""


class Room:
    """Where entries wait. `commit` writes a group and leaves an error in each entry that was not written; it is never called twice at once."""

    def __init__(self, commit: Callable[[list[Entry]], None], *, gather_seconds: float) -> None:
        self._commit = commit
        self._gather_seconds = gather_seconds
        self._lock = threading.Lock()
        self._waiting: list[Entry] = []
        self._is_led = False

    def submit(self, entry: Entry) -> None:
        """Return when the entry was written. Raises its error."""
        with self._lock:
            self._waiting.append(entry)
            leads, self._is_led = not self._is_led, True
        if not leads:
            entry.turn.acquire()
        if not entry.is_done:
            self._lead(entry)
        if entry.error is not None:
            raise entry.error

    def _lead(self, own: Entry) -> None:
        if self._gather_seconds:
            time.sleep(self._gather_seconds)
        with self._lock:
            group, self._waiting = self._waiting, []
        try:
            self._commit(group)
        except BaseException:
            # Whether it was written is not known: whoever waits must not go on as if it were.
            for entry in group:
                entry.error = entry.error or StateProblem("a bug was met while this was written down")
            raise
        finally:
            self._pass_on(group, own)

    def _pass_on(self, group: list[Entry], own: Entry) -> None:
        with self._lock:
            heir = self._waiting[0] if self._waiting else None
            self._is_led = heir is not None
        for entry in group:
            entry.is_done = True
            if entry is not own:
                entry.turn.release()
        if heir is not None:
            heir.turn.release()
