"""The API's behaviour: what a request means, what it creates and costs, what is answered. No sockets.

Everything durable is in `books.py`; a submit is in the books before this hands back its answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, unquote

from reconciler.emulator import admin, answers, files, mischief, names, request
from reconciler.emulator.answers import Answer
from reconciler.emulator.books import Books, Entry, Order, Submission
from reconciler.emulator.captions import lacks_captions
from reconciler.emulator.faults import Call, Fault, FaultPlan, Route
from reconciler.emulator.mischief import Delivery, Scene
from reconciler.emulator.timeline import Stage, Timeline, course, ending_of
from reconciler.trainer import Trainer

Protocol = Literal["g1", "g2", "both"]
STATUS_PATH = "/v2/requests/status/"
FILES_PATH = "/r2/v1/"


class Request(NamedTuple):
    """One request as it came: `path` without its query, still quoted; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Arrival(NamedTuple):
    """A request whose head was read: its route and the number of the call there. `unread` forbids reading on."""

    route: Route | Literal["admin", "other"]
    call: int
    unread: Fault | None = None


class Reply(NamedTuple):
    """What to send, and how."""

    answer: Answer
    delivery: Delivery = Delivery()


@dataclass(frozen=True, slots=True)
class Rules:
    """What an emulator was started with. `keys` None takes any key that is not empty; `strict` checks bodies."""

    trainers: Mapping[str, Trainer]
    protocol: Protocol = "g2"
    speed: float = 1.0
    price: Decimal = Decimal("8.00")
    keys: frozenset[str] | None = None
    seed: int = 0
    strict: bool = True
    inspect_datasets: bool = False


class Service:
    """The API. Safe from any thread; `pause` waits for so many seconds (or until the server stops)."""

    def __init__(self, rules: Rules, books: Books, plan: FaultPlan, *, clock: Callable[[], float], pause: Callable[[float], None]) -> None:
        self.rules = rules
        self.books = books
        self.plan = plan
        self.clock = clock
        self.pause = pause
        self.base = ""
        """Scheme, host and port under which the service is reached; set by the server."""
        self._submits = {t.submit_url_path: t for t in rules.trainers.values()}
        self._results = {t.result_url_path: t for t in rules.trainers.values() if t.result_url_path is not None}

    def arrive(self, method: str, path: str) -> Arrival:
        """Where a request belongs; counts it."""
        route = self._route(method, path)
        match route:
            case "admin" | "other":
                return Arrival(route, 0)
            case "submit" | "status" | "result" | "artifact":
                number = self.plan.next_call(route)
        unread = self.plan.unread(Call(route, number, job=self._id_in(path)))
        if unread is not None and route == "submit":
            self.books.record(Submission(self.clock(), path, self._submits[path].id, "", fault=unread.do, outcome="unread"))
        return Arrival(route, number, unread)

    def answer(self, arrival: Arrival, asked: Request) -> Reply:
        """What to say to a request that was read."""
        match arrival.route:
            case "submit":
                return self._submit(arrival, asked, self._submits[asked.path])
            case "status" | "result" as route:
                return self._poll(arrival, asked, route)
            case "artifact":
                return self._artifact(arrival, asked)
            case "admin":
                return Reply(admin.answer(asked.method, asked.path, asked.body, books=self.books, plan=self.plan))
            case "other":
                return Reply(self._unknown(asked))

    def _route(self, method: str, path: str) -> Route | Literal["admin", "other"]:
        if path.startswith(admin.PATH):
            return "admin"
        if method == "POST" and path in self._submits:
            return "submit"
        if method == "POST" and path in self._results and self.rules.protocol != "g2":
            return "result"
        if method == "GET" and path.startswith(STATUS_PATH) and self.rules.protocol != "g1":
            return "status"
        return "artifact" if method in ("GET", "HEAD") and path.startswith(FILES_PATH) else "other"

    def _submit(self, arrival: Arrival, asked: Request, trainer: Trainer) -> Reply:
        wanted = request.understood(trainer, asked.body)
        fault = self.plan.pick(Call("submit", arrival.call, asked.body.decode("utf-8", "replace")))
        self.pause(mischief.seconds_before_accepting(fault))
        draft = self._draft(asked, trainer, fault, wanted)
        if fault is not None and fault.do == "close_before_accepting":
            self._record(draft, outcome="dropped")
            return Reply(Answer(0, (), b""), mischief.delivery(fault))
        refused = self._unauthorized(asked) or self._refused(asked, fault, submit=True)
        if refused is None and (self.rules.strict or wanted is None):
            refused = request.objection(trainer, wanted, asked.headers.get("content-type", ""))
        if refused is not None:
            self._record(draft, http_status=refused.status)
            return _faulty(refused, fault)
        assert wanted is not None, "a body that is not understood was refused"
        entry = self.books.record(Submission(**draft, order=self._order(trainer, wanted, fault, draft["at"])))
        return _faulty(answers.backend(402), fault) if entry.request_id is None else self._accepted(asked, entry.request_id, fault)

    def _draft(self, asked: Request, trainer: Trainer, fault: Fault | None, wanted: request.Wanted | None) -> dict[str, Any]:
        told = {} if wanted is None else {"dataset": wanted.told_dataset(), "parameters": wanted.told_parameters()}
        digest = "sha256:" + hashlib.sha256(asked.body).hexdigest()
        return {"at": self.clock(), "path": asked.path, "trainer": trainer.id, "body_digest": digest, "fault": "" if fault is None else fault.do, **told}

    def _record(self, draft: Mapping[str, Any], **outcome: Any) -> None:
        self.books.record(Submission(**draft, **outcome))

    def _order(self, trainer: Trainer, wanted: request.Wanted, fault: Fault | None, at: float) -> Order:
        line = course(
            accepted_at=at,
            steps=wanted.steps(trainer),
            seconds_per_step=trainer.seconds_per_step,
            speed=self.rules.speed,
            ending=self._ending(wanted),
        )
        if fault is not None and fault.do == "id":
            given = fault.text("id", "a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8")
            return Order(self.rules.price, line, lambda _number: names.given_names(given))
        if self.rules.protocol == "g1":
            return Order(self.rules.price, line, lambda number: names.uuid_names(self.rules.seed, number, at))
        return Order(self.rules.price, line, lambda number: names.queue_names(trainer.api, self.rules.seed, number, at))

    def _ending(self, wanted: request.Wanted) -> Stage:
        if self.rules.inspect_datasets and "default_caption" not in wanted.parameters and lacks_captions(wanted.dataset or ""):
            return Stage.FAILED
        return ending_of(wanted.dataset or "")

    def _accepted(self, asked: Request, request_id: str, fault: Fault | None) -> Reply:
        if self.rules.protocol == "g1":
            status, told = 200, answers.accepted_g1(request_id)
        else:
            status, told = 202, answers.accepted_g2(request_id, f"{self.base}{STATUS_PATH}{quote(request_id, safe='')}")
        return self._told(asked, status, told, fault, done=False)

    def _poll(self, arrival: Arrival, asked: Request, route: Literal["status", "result"]) -> Reply:
        request_id = self._id_in(asked.path) if route == "status" else _id_in_body(asked.body)
        job = None if request_id is None else self.books.job(request_id)
        now = self.clock()
        done = job is not None and _line(job).stage(now) is Stage.COMPLETED
        fault = self.plan.pick(Call(route, arrival.call, asked.body.decode("utf-8", "replace") or request_id or "", request_id or "", done))
        self.pause(mischief.seconds_before_accepting(fault))
        refused = self._unauthorized(asked) or self._refused(asked, fault, submit=False)
        if refused is None and request_id is None:
            refused = answers.missing_field("request_id")
        if refused is None and (job is None or (route == "result" and self._results[asked.path].id != job.trainer)):
            refused = answers.backend(404)
        if refused is not None:
            return _faulty(refused, fault)
        assert job is not None
        return self._state(asked, job, fault, route, done=done, now=now)

    def _state(self, asked: Request, job: Entry, fault: Fault | None, route: Literal["status", "result"], *, done: bool, now: float) -> Reply:
        request_id = str(job.request_id)
        base = f"{self.base}{FILES_PATH}{quote(request_id, safe='')}"
        if route == "result":
            told = answers.state_g1(request_id, _line(job), now, base)
        else:
            # The books may know a trainer that this run was not given; its path begins with the API's name all the same.
            told = answers.state_g2(request_id, _line(job), now, api=job.path.split("/")[1], base=base)
        return self._told(asked, 200, told, fault, done=done)

    def _told(self, asked: Request, status: int, told: dict[str, Any], fault: Fault | None, *, done: bool) -> Reply:
        if fault is not None:
            scene = self._scene(asked, fault)
            hidden = mischief.aftermath(fault, scene)
            if hidden is not None:
                return _faulty(hidden, fault)
            told = mischief.fields(fault, told, scene, done=done)
        return _faulty(answers.json_answer(status, told), fault)

    def _artifact(self, arrival: Arrival, asked: Request) -> Reply:
        request_id, _, name = asked.path.removeprefix(FILES_PATH).rpartition("/")
        request_id = unquote(request_id)
        job = self.books.job(request_id)
        done = job is not None and _line(job).stage(self.clock()) is Stage.COMPLETED
        fault = self.plan.pick(Call("artifact", arrival.call, asked.path, request_id, done))
        self.pause(mischief.seconds_before_accepting(fault))
        if answers.KEY_HEADER.lower() in asked.headers:
            return _faulty(answers.backend(400, text="the API key must not be sent to the host of the files"), fault)
        refused = self._refused(asked, fault, submit=False)
        if refused is not None:
            return _faulty(refused, fault)
        whole = files.file_of(job, name) if job is not None and done else None
        if whole is None:
            return _faulty(Answer(404, (("Content-Type", "text/html"),), b"<!DOCTYPE html><title>404</title>Object not found"), fault)
        if fault is not None:
            whole = mischief.content(fault, whole)
        return Reply(files.ranged(whole, asked.headers), Delivery() if fault is None else mischief.delivery(fault))

    def _unknown(self, asked: Request) -> Answer:
        """A call of something that is not there. A POST is on record, because it was meant to do something."""
        known = any(asked.path.startswith(f"/{t.api}/") for t in self.rules.trainers.values())
        refused = (self._unauthorized(asked) if known else None) or (answers.backend(404) if known else answers.gateway(404))
        if asked.method == "POST":
            digest = "sha256:" + hashlib.sha256(asked.body).hexdigest()
            self.books.record(Submission(self.clock(), asked.path[:500], "", digest, http_status=refused.status))
        return refused

    def _unauthorized(self, asked: Request) -> Answer | None:
        key = asked.headers.get(answers.KEY_HEADER.lower(), "").strip()
        if not key:
            return answers.unauthorized(missing=True)
        return answers.unauthorized(missing=False) if self.rules.keys is not None and key not in self.rules.keys else None

    def _refused(self, asked: Request, fault: Fault | None, *, submit: bool) -> Answer | None:
        return None if fault is None else mischief.refusal(fault, self._scene(asked, fault), submit=submit)

    def _scene(self, asked: Request, fault: Fault) -> Scene:
        oldest = self.books.first_job() if fault.do == "duplicate_id" else None
        return Scene(self.base + asked.path, "" if oldest is None else str(oldest.request_id))

    @staticmethod
    def _id_in(path: str) -> str:
        return unquote(path.removeprefix(STATUS_PATH))


def _faulty(answer: Answer, fault: Fault | None) -> Reply:
    if fault is None:
        return Reply(answer)
    is_json = ("Content-Type", answers.JSON_TYPE) in answer.headers
    return Reply(mischief.content(fault, answer) if is_json else answer, mischief.delivery(fault))


def _line(job: Entry) -> Timeline:
    assert job.timeline is not None, "every job has a course"
    return job.timeline


def _id_in_body(body: bytes) -> str | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = value.get("request_id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None
