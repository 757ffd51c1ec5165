"""The fault plan as data: which call gets which fault, and how many times. What a fault does is in `mischief.py`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal, NamedTuple

Route = Literal["submit", "status", "result", "artifact"]
ROUTES: tuple[Route, ...] = ("submit", "status", "result", "artifact")
"""submit: the paid POST. status: the common queue's GET. result: the trainer's result POST. artifact: a file."""
_ANSWERS: tuple[Route, ...] = ("submit", "status", "result")
_POLLS: tuple[Route, ...] = ("status", "result")
ValueType = Literal["number", "text", "text or number"]


class Kind(NamedTuple):
    """What one kind of fault does; `settings` are its optional values with their types."""

    name: str
    meaning: str
    routes: tuple[Route, ...] = ROUTES
    settings: Mapping[str, ValueType] = {}
    accepts: bool = True
    """On submit: whether the job is created and charged."""
    when_done: bool = False
    """Applies only to answers about a job that completed; others do not count against `times`."""


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("close_before_reading", "The connection closes after the head of the request; the body is not read, nothing is created.", accepts=False),
        Kind("close_before_accepting", "The whole request is read, nothing is created, the connection closes without an answer.", accepts=False),
        Kind("accept_then_close", "The job is created and charged; the connection closes without an answer."),
        Kind("accept_then_reset", "The job is created and charged; the connection is reset (RST) without an answer."),
        Kind("cut_headers", "The answer breaks off in its head, after `bytes` bytes (default: half of the head).", settings={"bytes": "number"}),
        Kind("cut_body", "The answer's head is whole, its body breaks off after `bytes` bytes (default: half).", settings={"bytes": "number"}),
        Kind("delay", "The job is created, and the answer comes `seconds` later (default 3600).", settings={"seconds": "number"}),
        Kind(
            "delay_before_accepting",
            "The job is created `seconds` later (default 3600), even when nobody waits for the answer.",
            settings={"seconds": "number"},
        ),
        Kind("drip", "The answer's body comes one byte every `seconds` (default 0.5).", settings={"seconds": "number"}),
        Kind("drip_headers", "The whole answer comes one byte every `seconds` (default 0.5).", settings={"seconds": "number"}),
        Kind("error_before_accept", "The backend answers `status` (default 500); nothing is created.", settings={"status": "number"}, accepts=False),
        Kind("error_after_accept", "The job is created and charged, and the answer is `status` (default 500).", _ANSWERS, {"status": "number"}),
        Kind(
            "rate_limit",
            "The gateway answers 429 with `Retry-After: retry_after` (default 1; seconds or an HTTP date).",
            settings={"retry_after": "text or number"},
            accepts=False,
        ),
        Kind(
            "refuse",
            "Answers `status` (default 403) as the `shape` `gateway` (default) or `backend` would, with `Retry-After` if `retry_after` is given.",
            settings={"status": "number", "shape": "text", "retry_after": "text or number"},
            accepts=False,
        ),
        Kind("edge_html", "The network's edge answers `status` (default 403) with an HTML challenge.", settings={"status": "number"}, accepts=False),
        Kind("edge_html_after_accept", "The job is created and charged; the edge answers `status` (default 502) with HTML.", _ANSWERS, {"status": "number"}),
        Kind("without_id", "The answer's head is fine; no field of its body holds an id.", _ANSWERS),
        Kind("empty_answer", "The answer has its status and an empty body.", _ANSWERS),
        Kind("not_json", "The body is not JSON but `text` (default: a line of prose).", _ANSWERS, {"text": "text"}),
        Kind("gzip", "The body is compressed, with `Content-Encoding: gzip`, whatever was asked for.", _ANSWERS),
        Kind("huge", "The body is valid JSON of at least `bytes` bytes (default 4 MiB).", _ANSWERS, {"bytes": "number"}),
        Kind("duplicate_keys", "The body holds each of its keys twice, the first time with another value.", _ANSWERS),
        Kind("duplicate_id", "The answer names the oldest job in the books instead of this one.", _ANSWERS),
        Kind("id", "The job gets the request id `id` (a number is appended when it is taken).", ("submit",), {"id": "text"}),
        Kind("id_field", "The id stands under `field`, a dotted path (default `data.task_id`).", _ANSWERS, {"field": "text"}),
        Kind(
            "redirect",
            "Answers `status` (default 302) to `location` (default: the same path at this server); nothing is created.",
            settings={"status": "number", "location": "text"},
            accepts=False,
        ),
        Kind(
            "redirect_after_accept",
            "The job is created and charged; answers `status` (default 303) to `location`.",
            ("submit",),
            {"status": "number", "location": "text"},
        ),
        Kind("not_found", "404, as for an unknown id; with `times`: k, only for the first k polls of each job.", ("status", "result", "artifact")),
        Kind("status_word", "The status word is `word` (default `Reticulating`), whatever the job does.", _ANSWERS, {"word": "text"}),
        Kind("contradict", "A pending job is called `completed` with an empty URL; a completed one `In progress` with its URLs.", _POLLS),
        Kind("without_artifact", "A completed job says COMPLETED and names no file.", _POLLS, when_done=True),
        Kind(
            "error_in_200",
            "200 with `error` (default: the documented text) in the body. Nothing is created on submit; a poll claims COMPLETED.",
            _ANSWERS,
            {"error": "text"},
            accepts=False,
        ),
        Kind("accept_failed", "The job is created and charged; the acceptance itself says FAILED, with `error`.", ("submit",), {"error": "text"}),
        Kind("foreign_polling_url", "`polling_url` points to `url` (default: a host that is not this one).", ("submit",), {"url": "text"}),
        Kind("without_polling_url", "The acceptance has no `polling_url`.", ("submit",)),
        Kind("padded_artifact", "The file itself is `bytes` bytes longer (default 16); its Content-Length agrees.", ("artifact",), {"bytes": "number"}),
        Kind("html_artifact", "A web page with status 200 stands where the file was, as behind a login.", ("artifact",)),
        Kind("pickle_artifact", "The file is a Python pickle that would run code, under the same name.", ("artifact",)),
        Kind("truncated_artifact", "The file itself ends after `bytes` bytes (default: half); its Content-Length agrees.", ("artifact",), {"bytes": "number"}),
    )
}


@dataclass(frozen=True, slots=True)
class When:
    """Which calls a fault is for; all conditions that are given must hold, none means every call.

    `call` counts the calls of one route from 1; `body` is a part of the request body (of the id, where there is no
    body); `probability` is drawn by hash from `seed`, the route and the call, so that it is the same in every run.
    """

    call: int | None = None
    body: str | None = None
    probability: float | None = None
    seed: int = 0

    def holds(self, route: Route, call: int, text: str) -> bool:
        """Whether this call is meant."""
        if self.call is not None and call != self.call:
            return False
        if self.body is not None and self.body not in text:
            return False
        return self.probability is None or _draw(self.seed, route, call) < self.probability


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of a fault plan. `times` bounds it: on submit in all, elsewhere for each job; None is for ever."""

    do: str
    on: Route = "submit"
    when: When = When()
    times: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What it does."""
        return KINDS[self.do]

    def number(self, name: str, default: float) -> float:
        """A numeric setting."""
        return float(self.settings.get(name, default))

    def text(self, name: str, default: str) -> str:
        """A setting as text."""
        return str(self.settings.get(name, default))

    def described(self) -> dict[str, Any]:
        """The fault as it is written in a plan."""
        given = (("call", self.when.call), ("body", self.when.body), ("probability", self.when.probability), ("seed", self.when.seed or None))
        when = {key: value for key, value in given if value is not None}
        return {"when": when, "on": self.on, "do": self.do, **({} if self.times is None else {"times": self.times}), **self.settings}


class Call(NamedTuple):
    """One request as the fault plan sees it: its route and number, its body or id, the job it is about."""

    route: Route
    number: int
    text: str = ""
    job: str = ""
    done: bool = False


class FaultPlan:
    """The faults in force and what of them is used up. The first one that fits a call is taken. Safe from any thread."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._lock = Lock()
        self._faults: tuple[Fault, ...] = tuple(faults)
        self._calls: Counter[Route] = Counter()
        self._used: Counter[tuple[int, str]] = Counter()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The plan, in its order."""
        return self._faults

    def calls(self) -> dict[str, int]:
        """How many calls each route has had since the plan was set."""
        with self._lock:
            return {route: self._calls[route] for route in ROUTES}

    def replace(self, faults: Sequence[Fault]) -> None:
        """Set another plan; all counts begin again."""
        with self._lock:
            self._faults = tuple(faults)
            self._calls.clear()
            self._used.clear()

    def next_call(self, route: Route) -> int:
        """The number of a request that has just arrived, from 1."""
        with self._lock:
            self._calls[route] += 1
            return self._calls[route]

    def unread(self, call: Call) -> Fault | None:
        """The fault that applies before a body is read, or None."""
        return self._take(call, reading=False)

    def pick(self, call: Call) -> Fault | None:
        """The fault that applies to a request that was read, or None."""
        return self._take(call, reading=True)

    def _take(self, call: Call, *, reading: bool) -> Fault | None:
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.on != call.route or (fault.do != "close_before_reading") != reading or (fault.kind.when_done and not call.done):
                    continue
                used = (index, "" if call.route == "submit" else call.job)
                if (fault.times is None or self._used[used] < fault.times) and fault.when.holds(call.route, call.number, call.text):
                    self._used[used] += 1
                    return fault
        return None


def _draw(seed: int, route: Route, call: int) -> float:
    digest = hashlib.sha256(f"{seed}/{route}/{call}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
