"""Several jobs asked about at once, in threads that exist while there is something to ask. What an answer means is not decided here."""

from __future__ import annotations

import queue
import threading
from collections import deque
from dataclasses import dataclass, field

from reconciler.engine.stop import Stop
from reconciler.job import Job
from reconciler.ports import TrainerApi
from reconciler.verdict import Observation


@dataclass(slots=True)
class Asking:
    """Questions go in, answers come out in the order in which they arrive. `ask` and `answers` are for one thread."""

    api: TrainerApi
    stop: Stop
    parallelism: int
    open: int = 0
    """Questions whose answers were not taken yet."""
    refused: str = ""
    """Why the API refuses all polls (a bad key): nothing more is asked."""
    _jobs: deque[Job] = field(default_factory=deque)
    _answers: queue.SimpleQueue[tuple[Job, Observation | None]] = field(default_factory=queue.SimpleQueue)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _workers: int = 0

    def ask(self, job: Job) -> None:
        """Ask about this job, when its turn comes; does not wait."""
        self.open += 1
        with self._lock:
            self._jobs.append(job)
            if self._workers >= self.parallelism:
                return
            self._workers += 1
        threading.Thread(target=self._work, name="poller", daemon=True).start()

    def answers(self, *, most: int, wait_seconds: float) -> list[tuple[Job, Observation]]:
        """At most so many answers, after waiting for the first; none for questions that were dropped because of a stop or a refusal."""
        taken: list[tuple[Job, Observation]] = []
        try:
            while self.open and len(taken) < most:
                job, seen = self._answers.get(block=not taken and wait_seconds > 0, timeout=wait_seconds or None)
                self.open -= 1
                if seen is not None:
                    taken.append((job, seen))
        except queue.Empty:
            pass
        return taken

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._workers -= 1
                    return
                job = self._jobs.popleft()
            self._answers.put((job, self._answer(job)))

    def _answer(self, job: Job) -> Observation | None:
        if self.stop.is_requested or self.refused:
            return None
        try:
            seen = self.api.observe(job)
        except Exception as error:  # a poll is free: whatever goes wrong is no news
            return Observation(trouble=f"the poll ended in {type(error).__name__}")
        self.refused = self.refused or seen.stop
        return seen
