"""What each fault does to an answer: to its fields, its bytes, and the way it is delivered. Pure; which call it hits is in `faults.py`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from reconciler.emulator.answers import DOCUMENTED, Answer, backend, edge_page, gateway, json_answer, rate_limited
from reconciler.emulator.faults import Fault

HANGING_SECONDS = 3600.0
DRIP_SECONDS = 0.5
HUGE_BYTES = 4 * 1024 * 1024
LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in to continue.</body></html>"
PICKLE = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0ftouch UNPICKLED\x85R."
"""Would make a file called UNPICKLED where somebody loads it."""
FOREIGN_URL = "https://queue.elsewhere.example/v2/requests/status/{id}"
_IDS = ("request_id", "requestId", "task_id", "prediction_id", "id")

How = Literal["whole", "nothing", "reset", "cut_headers", "cut_body", "drip_body", "drip_all"]


class Delivery(NamedTuple):
    """How an answer goes out: after so many seconds, whole or not; `amount` is bytes for cuts, seconds a byte for drips."""

    how: How = "whole"
    delay_seconds: float = 0.0
    amount: float | None = None


class Scene(NamedTuple):
    """What a fault may speak of: where the request went, and the oldest id in the books."""

    url: str
    oldest_id: str = ""


def refusal(fault: Fault, scene: Scene, *, submit: bool) -> Answer | None:
    """The answer that stands instead of the API's own although nothing happened, or None."""
    status = int(fault.number("status", 403))
    retry = (("Retry-After", _seconds(fault)),) if "retry_after" in fault.settings else ()
    match fault.do:
        case "error_before_accept":
            return backend(int(fault.number("status", 500)))
        case "rate_limit":
            return rate_limited(_seconds(fault))
        case "refuse":
            return backend(status, *retry) if fault.text("shape", "gateway") == "backend" else gateway(status, *retry)
        case "edge_html":
            return edge_page(status)
        case "redirect":
            return _redirect(fault, scene, 302)
        case "not_found":
            return backend(404)
        case "error_in_200" if submit:
            return json_answer(200, {"error": fault.text("error", DOCUMENTED[500])})
        case _:
            return None


def aftermath(fault: Fault, scene: Scene) -> Answer | None:
    """The answer that hides what did happen, or None."""
    match fault.do:
        case "error_after_accept":
            return backend(int(fault.number("status", 500)))
        case "edge_html_after_accept":
            return edge_page(int(fault.number("status", 502)))
        case "redirect_after_accept":
            return _redirect(fault, scene, 303)
        case _:
            return None


def fields(fault: Fault, told: Mapping[str, Any], scene: Scene, *, done: bool) -> dict[str, Any]:
    """The fields of an answer as the fault leaves them; `done`: the job completed."""
    match fault.do:
        case "without_id":
            return {k: v for k, v in told.items() if k not in _IDS and k != "polling_url"}
        case "duplicate_id":
            return {**told, "request_id": scene.oldest_id or told.get("request_id", "")}
        case "id_field":
            return _moved_id(told, fault.text("field", "data.task_id"))
        case "status_word":
            return {**told, "status": fault.text("word", "Reticulating")}
        case "contradict":
            return {**told, "status": "In progress"} if done else {**told, "status": "completed", "output": {"media_url": [""]}}
        case "without_artifact":
            return {**{k: v for k, v in told.items() if not k.endswith("_file")}, "status": "COMPLETED", "output": None}
        case "error_in_200":
            kept = {k: v for k, v in told.items() if not k.endswith("_file")}
            return {**kept, "status": "COMPLETED", "output": None, "error": fault.text("error", DOCUMENTED[500])}
        case "accept_failed":
            return {**told, "status": "FAILED", "error": fault.text("error", "request moderated")}
        case "foreign_polling_url":
            return {**told, "polling_url": fault.text("url", FOREIGN_URL).replace("{id}", str(told.get("request_id", "")))}
        case "without_polling_url":
            return {k: v for k, v in told.items() if k != "polling_url"}
        case _:
            return dict(told)


def content(fault: Fault, answer: Answer) -> Answer:
    """The answer's bytes as the fault leaves them."""
    match fault.do:
        case "empty_answer":
            return answer._replace(body=b"")
        case "not_json":
            return answer._replace(body=fault.text("text", "Training job queued for execution.").encode("utf-8", "surrogatepass"))
        case "gzip":
            return answer._replace(headers=(*answer.headers, ("Content-Encoding", "gzip")), body=gzip.compress(answer.body, mtime=0))
        case "huge":
            padding = "x" * int(fault.number("bytes", HUGE_BYTES))
            return answer._replace(body=json.dumps({**json.loads(answer.body), "padding": padding}).encode())
        case "duplicate_keys":
            return answer._replace(body=_twice(json.loads(answer.body)))
        case "padded_artifact":
            return answer._replace(body=answer.body + bytes(int(fault.number("bytes", 16))))
        case "html_artifact":
            return answer._replace(headers=(("Content-Type", "text/html"),), body=LOGIN_PAGE)
        case "pickle_artifact":
            return answer._replace(body=PICKLE)
        case "truncated_artifact":
            return answer._replace(body=answer.body[: int(fault.number("bytes", len(answer.body) // 2))])
        case _:
            return answer


def delivery(fault: Fault) -> Delivery:
    """How the answer goes out."""
    amount = fault.number("bytes", 0) if "bytes" in fault.settings else None
    match fault.do:
        case "close_before_reading" | "close_before_accepting" | "accept_then_close":
            return Delivery("nothing")
        case "accept_then_reset":
            return Delivery("reset")
        case "cut_headers":
            return Delivery("cut_headers", amount=amount)
        case "cut_body":
            return Delivery("cut_body", amount=amount)
        case "drip":
            return Delivery("drip_body", amount=fault.number("seconds", DRIP_SECONDS))
        case "drip_headers":
            return Delivery("drip_all", amount=fault.number("seconds", DRIP_SECONDS))
        case "delay":
            return Delivery(delay_seconds=fault.number("seconds", HANGING_SECONDS))
        case _:
            return Delivery()


def seconds_before_accepting(fault: Fault | None) -> float:
    """How long the request lies about before anybody looks at it, seconds."""
    return fault.number("seconds", HANGING_SECONDS) if fault is not None and fault.do == "delay_before_accepting" else 0.0


def _seconds(fault: Fault) -> str:
    value = fault.settings.get("retry_after", 1)
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _redirect(fault: Fault, scene: Scene, status: int) -> Answer:
    return Answer(int(fault.number("status", status)), (("Location", fault.text("location", scene.url)), ("Content-Type", "text/html")), b"")


def _moved_id(told: Mapping[str, Any], path: str) -> dict[str, Any]:
    rest = {k: v for k, v in told.items() if k != "request_id"}
    *outer, last = path.split(".")
    inner: dict[str, Any] = {last: told.get("request_id", "")}
    for name in reversed(outer):
        inner = {name: inner}
    return {**rest, **inner}


def _twice(told: Mapping[str, Any]) -> bytes:
    pairs = [(key, "first") for key in told] + list(told.items())
    return ("{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}").encode()
