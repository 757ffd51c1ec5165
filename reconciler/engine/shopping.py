"""All purchases of a plan: never more than `parallelism` in flight, every limit asked before each one.

The main thread alone decides what is sent next, and decides that before it lets anybody print; workers carry out one order
after the other and report through a queue. While it prints, and while nobody asks for the next event, nothing new is sent.
"""

from __future__ import annotations

import queue
import threading
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
_MOST_AT_ONCE = 256
"""Messages that are taken together: what they say is accounted for before the next order."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An order that ended in an exception."""

    order: Order
    error: BaseException


Message: TypeAlias = "Event | Bought | Failed"


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
    """Told of every accepted purchase."""
    idle: Callable[[], Iterator[Event]] = lambda: iter(())
    """What may be done while every purchase in flight waits for its answer."""
    _in_flight: int = 0
    _workers: int = 0
    _orders: queue.SimpleQueue[Order | None] = field(default_factory=queue.SimpleQueue)
    _bug: BaseException | None = None

    def run(self, orders: Sequence[Order]) -> Iterator[Event]:
        """Send the orders; may be called again with more. Raises only for a bug, after everything in flight was awaited."""
        waiting = deque(orders)
        try:
            self._start(waiting)
            while self._in_flight:
                messages = self._gather()
                for message in messages:
                    self._account(message)
                self._start(waiting)
                yield from (message for message in messages if isinstance(message, Event))
                if not messages:
                    yield from self.idle()
        finally:
            self._dismiss()
        self.left += waiting
        if self._bug is not None:
            raise self._bug

    def _start(self, waiting: deque[Order]) -> None:
        while waiting and self._in_flight < self.parallelism and self._may_go_on():
            refusal = self.allowance.take(waiting[0].change)
            if refusal is not None:
                self.halted, self.refused_by_budget = refusal, True
                return
            self._in_flight += 1
            self._orders.put(waiting.popleft())
            if self._workers < self._in_flight:
                self._workers += 1
                threading.Thread(target=self._work, name=f"buyer {self._workers}", daemon=True).start()

    def _dismiss(self) -> None:
        for _ in range(self._workers):
            self._orders.put(None)
        self._workers = 0

    def _may_go_on(self) -> bool:
        if not self.halted and self.stop.is_requested:
            self.halted = "stopped by a signal"
        if not self.halted and (why := self.is_paused()) is not None:
            self.halted = why
        return not self.halted and not self.has_moved

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                self.messages.put(self.buy(order))
            except BaseException as error:  # it has to reach the main thread, whatever it is
                self.messages.put(Failed(order, error))

    def _gather(self) -> list[Message]:
        """What has come in, after waiting a moment for the first."""
        messages: list[Message] = []
        try:
            messages.append(self.messages.get(timeout=_TICK_SECONDS))
            while len(messages) < _MOST_AT_ONCE:
                messages.append(self.messages.get_nowait())
        except queue.Empty:
            pass
        return messages

    def _account(self, message: Message) -> None:
        if isinstance(message, Event):
            return
        self._in_flight -= 1
        if isinstance(message, Failed):
            self._failed(message)
        else:
            self._bought(message)

    def _failed(self, message: Failed) -> None:
        if not isinstance(message.error, ReconcilerError):
            self._bug = self._bug or message.error
            self.halted = self.halted or "a bug was met"
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
            self.bought(bought)
        elif not bought.is_stale:
            self.failures += 1
        if bought.stops_run:
            self.halted = (
                self.halted
                or f"all further purchases would end the same way: {bought.verdict.message if not isinstance(bought.verdict, Accepted | InDoubt) else ''}"
            )
        if self.stop_after_failures is not None and self.failures >= self.stop_after_failures:
            self.halted = self.halted or f"guards.stop_after_failures: {self.failures} purchases failed or are in doubt"
