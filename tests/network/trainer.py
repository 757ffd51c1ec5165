"""A trainer that answers each submit after a while, or only when enough of them wait at once; and counts what came how."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.pixazo.raw_server import Peer, reply


@dataclass
class Trainer:
    """A play of `RawServer`. `hold_for`: no submit is answered before so many were in flight together (or five seconds are over)."""

    latency_seconds: float = 0.0
    poll_seconds: float = 0.0
    hold_for: int = 0
    submits: int = 0
    polls: int = 0
    most_submits: int = 0
    """The most that were in flight together."""
    before_poll: Callable[[], object] = lambda: None
    poll_peers: set[Peer] = field(default_factory=set)
    _in_flight: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, peer: Peer) -> bool:
        request = peer.read_request()
        if request is None:
            return False
        if not request.path.endswith("-request"):
            self.polls += 1
            self.poll_peers.add(peer)
            self.before_poll()
            time.sleep(self.poll_seconds)
            peer.send(reply(200, {"status": "IN_PROGRESS"}))
            return True
        number = self._begin()
        time.sleep(self.latency_seconds)
        with self._changed:
            self._in_flight -= 1
        peer.send(reply(200, {"status": "IN_QUEUE", "request_id": f"id-{number}"}))
        return True

    def _begin(self) -> int:
        with self._changed:
            self.submits += 1
            number = self.submits
            self._in_flight += 1
            self.most_submits = max(self.most_submits, self._in_flight)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most_submits >= self.hold_for, timeout=5)
        return number
