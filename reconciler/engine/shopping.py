"""All purchases of a plan: never more than `parallelism` in flight, every limit asked before each one.

A worker for each slot carries out one order after the other. What may be sent next is decided under one lock, after what
the slot's last order came to was accounted for; the thread that prints is not on that way, but when it falls behind, or
nobody asks for the next event any more, nothing new is sent.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from reconciler.engine.allowance import Allowance
from reconciler.engine.purchase import Bought, Order
from reconciler.engine.stop import Stop
from reconciler.errors import AlreadyOpen, HeadMoved, ReconcilerError
from reconciler.event import Event
from reconciler.verdict import Accepted, InDoubt

_TICK_SECONDS = 0.1
_MOST_UNTOLD = 32
"""So many messages a slot may wait to be read before no more orders are sent."""
_LET_READ_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Failed:
    """An order that ended in an exception."""

    order: Order
    error: BaseException


Message: TypeAlias = "Event | Bought | None"
"""None: a worker has nothing more to do."""


@dataclass(slots=True)
class Shopping:
    """The purchases of one apply and what came of them. `run` yields events until nothing is in flight any more."""

    buy: Callable[[Order], Bought]
    allowance: Allowance
    stop: Stop
    messages: queue.SimpleQueue[Message]
    parallelism: int
    stop_after_failures: int | None = None
    is_paused: Callable[[], str | None] = lambda: None
    """Why purchases are paused, asked before every one."""
    done: list[Bought] = field(default_factory=list)
    left: list[Order] = field(default_factory=list)
    """Orders that were not sent."""
    errors: list[tuple[Order, ReconcilerError]] = field(default_factory=list)
    halted: str = ""
    """Why it ended before all orders were sent."""
    refused_by_budget: bool = False
    has_moved: bool = False
    """Another runner wrote to the journal first: what is left has to be planned again, unless `halted`."""
    failures: int = 0
    """How many purchases of this apply failed or are in doubt."""
    bought: Callable[[Bought], None] = lambda _: None
    """Told of every accepted purchase, by the thread that runs."""
    idle: Callable[[], Iterator[Event]] = lambda: iter(())
    """What may be done while every purchase in flight waits for its answer."""
    _waiting: deque[Order] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_over: bool = False
    _bug: BaseException | None = None

    def run(self, orders: Sequence[Order]) -> Iterator[Event]:
        """Send the orders; may be called again with more. Raises only for a bug, after everything in flight was awaited."""
        self._waiting = deque(orders)
        workers = min(self.parallelism, len(orders))
        for number in range(workers):
            threading.Thread(target=self._work, name=f"buyer {number + 1}", daemon=True).start()
        try:
            while workers:
                try:
                    message = self.messages.get(timeout=_TICK_SECONDS)
                except queue.Empty:
                    yield from self.idle()
                    continue
                if message is None:
                    workers -= 1
                elif isinstance(message, Event):
                    yield message
                else:
                    self.bought(message)
        finally:
            self._is_over = bool(workers)
        self.left += self._waiting
        if self._bug is not None:
            raise self._bug

    def _work(self) -> None:
        try:
            while (order := self._next()) is not None:
                result = self._result(order)
                with self._lock:
                    self._account(result)
        except BaseException as error:  # whoever waits for this worker has to hear of it
            with self._lock:
                self._meet(error)
        finally:
            self.messages.put(None)

    def _result(self, order: Order) -> Bought | Failed:
        try:
            return self.buy(order)
        except BaseException as error:  # it has to be accounted for, whatever it is
            return Failed(order, error)

    def _next(self) -> Order | None:
        """The next order, if one may be sent."""
        while self.messages.qsize() > _MOST_UNTOLD * self.parallelism and not self._is_over:
            time.sleep(_LET_READ_SECONDS)
        with self._lock:
            if self._is_over or not self._waiting or not self._may_go_on():
                return None
            refusal = self.allowance.take(self._waiting[0].change)
            if refusal is not None:
                self.halted, self.refused_by_budget = refusal, True
                return None
            return self._waiting.popleft()

    def _may_go_on(self) -> bool:
        if not self.halted and self.stop.is_requested:
            self.halted = "stopped by a signal"
        if not self.halted and (why := self.is_paused()) is not None:
            self.halted = why
        return not self.halted and not self.has_moved

    def _account(self, result: Bought | Failed) -> None:
        if isinstance(result, Failed):
            self._failed(result)
        else:
            self._bought(result)

    def _meet(self, bug: BaseException) -> None:
        self._bug = self._bug or bug
        self.halted = self.halted or "a bug was met"

    def _failed(self, message: Failed) -> None:
        if not isinstance(message.error, ReconcilerError):
            self._meet(message.error)
            return
        if isinstance(message.error, HeadMoved):
            self.left.append(message.order)
            self.has_moved = True
            return
        self.errors.append((message.order, message.error))
        if not isinstance(message.error, AlreadyOpen):
            self.halted = self.halted or message.error.message

    def _bought(self, bought: Bought) -> None:
        self.done.append(bought)
        if not bought.spent:
            self.allowance.give_back(bought.order.change)
        if isinstance(bought.verdict, Accepted):
            self.messages.put(bought)
        elif not bought.is_stale:
            self.failures += 1
        if bought.stops_run:
            self.halted = (
                self.halted
                or f"all further purchases would end the same way: {bought.verdict.message if not isinstance(bought.verdict, Accepted | InDoubt) else ''}"
            )
        if self.stop_after_failures is not None and self.failures >= self.stop_after_failures:
            self.halted = self.halted or f"guards.stop_after_failures: {self.failures} purchases failed or are in doubt"
