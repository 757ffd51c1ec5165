"""Polling: which of the two protocol generations is asked, in which order, and over which pooled connections. Polls cost nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal, NamedTuple

from reconciler.canonical import body_bytes
from reconciler.job import Job
from reconciler.pixazo.endpoint import Endpoint
from reconciler.pixazo.exchange import Exchange, Stage
from reconciler.pixazo.limiter import LONGEST_PAUSE_SECONDS, Limiter
from reconciler.pixazo.line import Ask, Line, Wire
from reconciler.pixazo.observe import UNKNOWN_HERE, observation_of
from reconciler.text import format_duration, safe
from reconciler.trainer import Trainer
from reconciler.verdict import Observation

MOST_BYTES = 1024 * 1024
DEADLINE_SECONDS = 30.0
MOST_LINES = 64
_PAUSING = frozenset({429, 503})

Style = Literal["g1", "g2"]


class Question(NamedTuple):
    """One way to ask about a job."""

    style: Style
    ask: Ask


class Lines:
    """Kept-alive connections, each used by one thread at a time; the last one given back is the first one taken."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._idle: list[Line] = []
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_LINES)
        self._closed = False

    @contextmanager
    def borrow(self) -> Iterator[Line]:
        """A line; it must be whole when it comes back, or be closed by an exception."""
        with self._room:
            with self._lock:
                line = self._idle.pop() if self._idle else None
            line = line or Line(self._wire, keep_alive=True)
            try:
                yield line
            except BaseException:
                line.close()
                raise
            self._give_back(line)

    def _give_back(self, line: Line) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(line)
                return
        line.close()

    def close(self) -> None:
        """Close every idle line; a borrowed one is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()


class Poller:
    """Asks about jobs. Safe from several threads; never raises for what a server does."""

    def __init__(self, wire: Wire, endpoint: Endpoint, limiter: Limiter, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._endpoint = endpoint
        self._limiter = limiter
        self._lines = Lines(wire)
        self._deadline_seconds = deadline_seconds

    def observe(self, job: Job, trainer: Trainer | None) -> Observation:
        """One round: the likelier style, and the other one only if that one is not served, blocked, or does not know the job."""
        ways, warnings = questions(job, trainer, self._endpoint)
        if not ways:
            return Observation(trouble="this request id can only be asked about in a body, and the trainer has no result path", warnings=warnings)
        tried: list[tuple[Exchange, Observation]] = []
        for way in ways:
            pause = self._limiter.take()
            if pause > 0:
                return tried[-1][1] if tried else _paused(pause, warnings)
            exchange = self._ask(way.ask)
            seen = replace(observation_of(exchange, job.request_id), style=way.style)
            self.obey(exchange)
            tried.append((exchange, seen))
            if not wants_other_style(exchange, seen):
                return _with(seen, warnings)
        return _with(together(tried), warnings)

    def obey(self, exchange: Exchange) -> None:
        """When the server asks to wait, all polls wait; also when it said so to a purchase."""
        if exchange.status in _PAUSING and (wait := exchange.retry_after_seconds) is not None:
            self._limiter.pause(min(wait, LONGEST_PAUSE_SECONDS))

    def close(self) -> None:
        """Close the connections."""
        self._lines.close()

    def _ask(self, ask: Ask) -> Exchange:
        with self._lines.borrow() as line:
            was_used = line.used
            exchange = line.exchange(ask, most_bytes=MOST_BYTES, deadline_seconds=self._deadline_seconds)
            # An idle connection may have been closed by the server just as we wrote: asked once more on a new one.
            if was_used and exchange.stage is Stage.SENT and exchange.trouble is not None and exchange.trouble.is_broken_connection:
                exchange = line.exchange(ask, most_bytes=MOST_BYTES, deadline_seconds=self._deadline_seconds)
            return exchange


def questions(job: Job, trainer: Trainer | None, endpoint: Endpoint) -> tuple[list[Question], tuple[str, ...]]:
    """The ways to ask about `job`, the likelier first, and what to warn about. The key only goes to our own origin."""
    own = endpoint.own_url(job.poll_url) if job.poll_url else None
    warnings = (f"the polling URL {safe(job.poll_url, limit=120)} is not on {endpoint.origin} and is not used",) if job.poll_url and own is None else ()
    get = own or endpoint.status_url(job.request_id)
    post = trainer.result_url_path if trainer is not None else None
    ways: list[Question] = []
    if post is not None:
        ways.append(Question("g1", Ask(endpoint.url(post), body_bytes({"request_id": job.request_id}))))
    if get is not None:
        ways.append(Question("g2", Ask(get)))
    preferred = job.style or ("g2" if job.poll_url else "g1")
    return sorted(ways, key=lambda way: way.style != preferred), warnings


def wants_other_style(exchange: Exchange, seen: Observation) -> bool:
    """Whether the other style may know more: not served here, not known here, or blocked by an edge."""
    return seen.missing or exchange.status in UNKNOWN_HERE or exchange.status == 405 or exchange.is_edge


def together(tried: list[tuple[Exchange, Observation]]) -> Observation:
    """What a round amounts to when no style gave an answer: unknown only if every style says so."""
    for exchange, seen in tried:
        if exchange.is_edge:
            return replace(seen, stop=seen.trouble, style=None)
    if all(seen.missing for _, seen in tried):
        return replace(tried[0][1], style=None)
    if all(seen.missing or exchange.status == 405 for exchange, seen in tried) and any(seen.missing for _, seen in tried):
        return replace(next(seen for _, seen in tried if seen.missing), style=None)
    return replace(tried[-1][1], style=None)


def _paused(seconds: float, warnings: tuple[str, ...]) -> Observation:
    return Observation(trouble=f"the API asked to wait; {format_duration(seconds)} are left", retry_after_seconds=seconds, warnings=warnings)


def _with(seen: Observation, warnings: tuple[str, ...]) -> Observation:
    return replace(seen, warnings=(*warnings, *seen.warnings))
