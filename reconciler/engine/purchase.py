"""One purchase: disk, wire, disk, screen.

The intent is durable before the first byte leaves; the answer is durable before anybody hears of it. A request is
sent once. It is sent again only where the first one is proved not to have bought anything: never sent, or refused by
a limiter in front of the trainer. Data that are sent themselves are read anew for every request and compared with what
was planned; only the body that is on its way holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, assert_never

from reconciler.canonical import body_bytes, digest_of_bytes
from reconciler.engine.origin import Origin
from reconciler.engine.stop import Stop
from reconciler.errors import AlreadyOpen, DataChanged, StateProblem, Unacknowledged
from reconciler.event import Event
from reconciler.fact import Draft, binding, intent, outcome, settled
from reconciler.job import Attempt, Phase, Sent
from reconciler.model import Dataset, Model
from reconciler.plan.change import Change
from reconciler.ports import Clock, TrainerApi, Writer
from reconciler.text import format_money, money_text, redact
from reconciler.trainer import Trainer
from reconciler.verdict import Accepted, InDoubt, NotSent, Rejected, Verdict

NOT_SENT_TRIES = 3
LIMITED_TRIES = 5
BACKOFF_SECONDS = (0.5, 2.0, 5.0)
MISDIRECTED = 421
"""The server answered for another one; a fresh connection may reach the right one, once."""
MISDIRECTED_TRIES = 2


@dataclass(frozen=True, slots=True)
class Order:
    """A paid change and what its request is made of."""

    change: Change
    model: Model
    trainer: Trainer
    environment: str

    def body(self, url: str) -> bytes:
        """The exact bytes to send: the dataset's URL and every parameter, defaults included."""
        spec = dict(self.model.spec.parameters)
        fields = {p.name: spec[p.name] for p in self.trainer.parameters if p.name in spec}
        return body_bytes({self.trainer.dataset_field: url, **fields})


@dataclass(frozen=True, slots=True)
class Bought:
    """The end of one order. `attempt` is the last one; None when not even a connection came about."""

    order: Order
    verdict: Verdict
    attempt: str | None
    job: str | None = None
    stops_run: bool = False
    is_stale: bool = False
    """Nothing was sent, because the data were not what was planned any more."""
    spent: Decimal = Decimal("0.00")
    """What it cost or may have cost (USD)."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Carries out orders, one after the other or several threads at once."""

    writer: Writer
    api: TrainerApi
    clock: Clock
    origin: Origin
    stop: Stop
    tell: Callable[[Event], None]
    url_of: Callable[[Dataset], str] = lambda dataset: dataset.url
    """What to send of a dataset. Raises DataChanged where the data that are to be sent are not what was planned."""
    is_shared: bool = False
    """The journal lies elsewhere: an id is said before it is on its way there, should this disk be gone tomorrow."""

    def buy(self, order: Order) -> Bought:
        """Buy once. Raises AlreadyOpen or StateProblem when it could not be written down; then nothing more may be sent.

        Raises HeadMoved when another runner wrote to the journal first: nothing was sent, and it has to be planned again.
        """
        unsent = limited = 0
        while True:
            try:
                attempt, verdict = self._send(order)
            except DataChanged as changed:
                return self._refused(order, changed)
            match verdict:
                case NotSent():
                    unsent += 1
                    tries = MISDIRECTED_TRIES if verdict.http_status == MISDIRECTED else NOT_SENT_TRIES
                    if not verdict.retry or unsent >= tries or self._pause(order, BACKOFF_SECONDS[unsent - 1], verdict.message):
                        return Bought(order, verdict, attempt, stops_run=not verdict.retry)
                case Rejected() if verdict.retry_after_seconds is not None and not verdict.stops_run:
                    limited += 1
                    self._say_rejected(order, attempt, verdict, final=limited >= LIMITED_TRIES)
                    if limited >= LIMITED_TRIES or self.stop.wait(verdict.retry_after_seconds):
                        return Bought(order, verdict, attempt)
                case Rejected():
                    self._say_rejected(order, attempt, verdict, final=True)
                    return Bought(order, verdict, attempt, stops_run=verdict.stops_run)
                case Accepted():
                    assert attempt is not None
                    return Bought(order, verdict, attempt, job=job_id(attempt), spent=order.change.cost)
                case InDoubt():
                    return Bought(order, verdict, attempt, spent=order.change.cost)
                case _:
                    assert_never(verdict)

    def _pause(self, order: Order, seconds: float, why: str) -> bool:
        """Wait before another try; true when the run is to stop instead."""
        data = {"severity": "warning", "code": "not_sent", "summary": why, "retry_after_seconds": seconds}
        self.tell(Event("diagnostic", self.clock.now(), f"not sent: {why}; nothing charged, again in {seconds:g} s", order.change.name, "warn", data))
        return self.stop.wait(seconds)

    def _refused(self, order: Order, changed: DataChanged) -> Bought:
        data = {"severity": "error", "code": changed.failure_reason, "summary": changed.message, "detail": changed.hint}
        self.tell(Event("diagnostic", self.clock.now(), changed.message, order.change.name, "error", data))
        return Bought(order, NotSent(changed.message, retry=False), None, is_stale=True)

    def _send(self, order: Order) -> tuple[str | None, Verdict]:
        body, kept = self._bodies(order)
        attempt = self._attempt(order, body, kept)
        written = False

        def before_first_byte() -> None:
            nonlocal written
            if self.stop.is_requested:
                raise _Stopped
            self.writer.record([intent(attempt)])
            written = True
            data = {"attempt": attempt.id, "price": money_text(attempt.price), "spec_digest": attempt.spec_digest}
            self.tell(Event("purchase_intent", attempt.sent_at, "the intent is recorded; sending", attempt.name, "info", data))

        try:
            verdict = self.api.submit(order.trainer.id, body, before_first_byte=before_first_byte, stop=self.stop.is_over)
        except _Stopped:
            return None, NotSent("stopped before it was sent", retry=False)
        except (AlreadyOpen, StateProblem):
            raise
        except Exception as error:  # a bug of ours after the first byte must not lose the money that may be spent
            if not written:
                raise
            self._settle(order, attempt, InDoubt(f"the exchange ended in {type(error).__name__}"))
            raise
        if not written:
            assert isinstance(verdict, NotSent), "nothing may leave without a durable intent"
            return None, verdict
        self._settle(order, attempt, verdict)
        return attempt.id, verdict

    def _bodies(self, order: Order) -> tuple[bytes, str]:
        """The body to send, and as it is remembered: without signing parameters and inline data. Nothing is ever sent from the latter."""
        url = self.url_of(order.model.dataset)
        return order.body(url), redact(order.body(redact(url)).decode("utf-8"))

    def _attempt(self, order: Order, body: bytes, kept: str) -> Attempt:
        change = order.change
        assert change.spec_digest is not None, "a paid change has a spec"
        return Attempt(
            id=f"at-{self.origin.new_id()}",
            environment=order.environment,
            name=change.name,
            trainer=order.trainer.id,
            spec_digest=change.spec_digest,
            spec=order.model.spec.document(),
            price=change.cost,
            sent_at=self.clock.now(),
            endpoint=self.origin.endpoint,
            world=self.origin.world,
            body=kept,
            body_sha256=digest_of_bytes(body),
            actor=self.origin.actor,
            commit=self.origin.commit,
            run_url=self.origin.run_url,
            key=self.origin.key,
            consents=change.consents,
            consent_reason=str(change.reason) if change.consents else "",
        )

    def _settle(self, order: Order, attempt: Attempt, verdict: Verdict) -> None:
        now = self.clock.now()
        if self.is_shared and isinstance(verdict, Accepted):
            text = f"answered as {verdict.request_id}; not acknowledged by the journal yet"
            data = {"severity": "info", "code": "answered", "summary": text, "attempt": attempt.id, "request_id": verdict.request_id}
            self.tell(Event("diagnostic", now, text, attempt.name, "info", data))
        try:
            self.writer.record_outcome(facts_of(order, attempt, verdict, now))
        except StateProblem as problem:
            if not isinstance(verdict, Accepted):
                raise
            bought = f"{attempt.name} is request id {verdict.request_id} (attempt {attempt.id}, {format_money(attempt.price)})"
            raise Unacknowledged(f"BOUGHT: {bought}; {problem.message}", hint=problem.hint) from problem
        self._say(attempt, verdict, now)

    def _say(self, attempt: Attempt, verdict: Verdict, now: str) -> None:
        name, price = attempt.name, money_text(attempt.price)
        data: dict[str, Any] = {"attempt": attempt.id, "price": price, "spec_digest": attempt.spec_digest}
        match verdict:
            case Accepted():
                data |= {"job": job_id(attempt.id), "request_id": verdict.request_id}
                self.tell(Event("purchase_accepted", now, f"accepted as {verdict.request_id}, {format_money(attempt.price)}", name, "info", data))
                for warning in verdict.warnings:
                    self.tell(Event("diagnostic", now, warning, name, "warn", {"severity": "warning", "code": "answer", "summary": warning}))
            case InDoubt():
                data |= {"evidence": verdict.evidence, "salvaged": verdict.salvaged}
                text = f"in doubt: {verdict.evidence}; not sent again, {format_money(attempt.price)} counts as spent"
                self.tell(Event("purchase_in_doubt", now, text, name, "error", data))
            case Rejected() | NotSent():
                pass  # said by `buy`, which knows whether it tries again
            case _:
                assert_never(verdict)

    def _say_rejected(self, order: Order, attempt: str | None, verdict: Rejected, *, final: bool) -> None:
        again = "" if final else f", again in {verdict.retry_after_seconds:g} s"
        data = {
            "attempt": attempt,
            "http_status": verdict.http_status,
            "message": verdict.message,
            "retry_after_seconds": verdict.retry_after_seconds,
            "final": final,
        }
        text = f"rejected: {verdict.http_status} {verdict.message}{again}; nothing charged"
        self.tell(Event("purchase_rejected", self.clock.now(), text, order.change.name, "error" if final else "warn", data))


class _Stopped(Exception):
    """The stop flag was seen at the last moment before anything was sent."""


def job_id(attempt_id: str) -> str:
    """The job that an accepted attempt begins."""
    return "j-" + attempt_id.removeprefix("at-")


def facts_of(order: Order, attempt: Attempt, verdict: Verdict, now: str) -> list[Draft]:
    """What has to be written down of a verdict: the outcome, and with an acceptance the binding of its name."""
    match verdict:
        case Accepted():
            job = job_id(attempt.id)
            change = order.change
            facts = [
                outcome(
                    now,
                    attempt.id,
                    Sent.ACCEPTED,
                    job=job,
                    request_id=verdict.request_id,
                    http_status=verdict.http_status,
                    poll_url=verdict.poll_url,
                ),
                binding(
                    now,
                    environment=attempt.environment,
                    name=attempt.name,
                    job=job,
                    metadata=change.metadata or order.model.metadata,
                    reason=change.action.value,
                ),
            ]
            if change.previous_name is not None:
                facts.append(binding(now, environment=attempt.environment, name=change.previous_name, job=None, metadata={}, reason=change.action.value))
            if verdict.phase is Phase.FAILED:
                facts.append(settled(now, job, Phase.FAILED, error=verdict.error, request_id=verdict.request_id))
            return facts
        case InDoubt():
            return [outcome(now, attempt.id, Sent.IN_DOUBT, http_status=verdict.http_status, evidence=verdict.evidence, salvaged=verdict.salvaged)]
        case Rejected():
            return [outcome(now, attempt.id, Sent.REJECTED, http_status=verdict.http_status, evidence=verdict.message)]
        case NotSent():
            return [outcome(now, attempt.id, Sent.NOT_SENT, http_status=verdict.http_status, evidence=verdict.message)]
        case _:
            assert_never(verdict)
