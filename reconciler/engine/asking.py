"""Several jobs asked about at once, in threads that end when there was nothing to ask for a while. What an answer means is not decided here."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field

from reconciler.engine.stop import Stop
from reconciler.job import Job
from reconciler.ports import TrainerApi
from reconciler.verdict import Observation

_LINGER_SECONDS = 1.0


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
    _jobs: queue.SimpleQueue[Job] = field(default_factory=queue.SimpleQueue)
    _answers: queue.SimpleQueue[tuple[Job, Observation | None]] = field(default_factory=queue.SimpleQueue)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _workers: int = 0

    def ask(self, job: Job) -> None:
        """Ask about this job, when its turn comes; does not wait."""
        self.open += 1
        self._jobs.put(job)
        with self._lock:
            if self._workers >= min(self.parallelism, self.open):
                return
            self._workers += 1
        threading.Thread(target=self._work, name="poller", daemon=True).start()

    def answers(self, *, most: int, wait_seconds: float) -> list[tuple[Job, Observation]]:
        """What is answered within this time, at most so many and no longer than something is open. Questions dropped for a stop or a refusal have none."""
        taken: list[tuple[Job, Observation]] = []
        until = time.monotonic() + wait_seconds
        try:
            while self.open and len(taken) < most:
                left = until - time.monotonic()
                job, seen = self._answers.get(timeout=left) if left > 0 else self._answers.get_nowait()
                self.open -= 1
                if seen is not None:
                    taken.append((job, seen))
        except queue.Empty:
            pass
        return taken

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_LINGER_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._workers -= 1
                        return
            else:
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
