"""What the API says: acceptances, states of a job, refusals of the gateway, the backend and the edge. Pure.

Texts and fields follow the vendor's page and its siblings; where nothing is documented the most likely shape stands here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from reconciler.emulator.timeline import Stage, Timeline, error_text
from reconciler.emulator.weights import CONFIG_NAME, WEIGHTS_NAME

JSON_TYPE = "application/json"
OCTETS = "application/octet-stream"
KEY_HEADER = "Ocp-Apim-Subscription-Key"

DOCUMENTED: Mapping[int, str] = {
    400: "Invalid request parameters",
    401: "Invalid or missing authentication",
    402: "Insufficient Balance",
    403: "Access denied for this operation",
    404: "Endpoint not found",
    429: "Rate limit exceeded, please retry later",
    500: "An unexpected error occurred, please try again later",
}
_GATEWAY: Mapping[int, str] = {
    401: "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.",
    403: "Out of call volume quota. Quota will be replenished later.",
    404: "Resource not found",
    500: "Internal server error",
}
MISSING_KEY = "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API."
_G1_WORDS: Mapping[Stage, str] = {Stage.QUEUED: "IN_QUEUE", Stage.PROCESSING: "IN_PROGRESS"}


class Answer(NamedTuple):
    """One HTTP answer: status, headers beyond Content-Length, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def json_answer(status: int, fields: Mapping[str, Any], *headers: tuple[str, str]) -> Answer:
    """`fields` as JSON."""
    return Answer(status, (("Content-Type", JSON_TYPE), *headers), json.dumps(fields).encode())


def accepted_g1(request_id: str) -> dict[str, Any]:
    """The documented acceptance of the trainer's page (HTTP 200)."""
    return {"status": "IN_QUEUE", "request_id": request_id, "message": "Training job queued for execution."}


def accepted_g2(request_id: str, polling_url: str) -> dict[str, Any]:
    """The acceptance of the common queue (HTTP 202)."""
    return {"request_id": request_id, "status": Stage.QUEUED.value, "polling_url": polling_url}


def state_g1(request_id: str, line: Timeline, now: float, base: str) -> dict[str, Any]:
    """The answer of the result path: a pending word, a failure, or the bare result without a status."""
    match line.stage(now):
        case Stage.COMPLETED:
            return {"diffusers_lora_file": file_object(base, WEIGHTS_NAME, OCTETS), "config_file": file_object(base, CONFIG_NAME, JSON_TYPE)}
        case Stage.QUEUED | Stage.PROCESSING as pending:
            return {"status": _G1_WORDS[pending], "request_id": request_id}
        case Stage.FAILED | Stage.ERROR as failure:
            return {"status": failure.value, "request_id": request_id, "error": error_text(failure)}


def state_g2(request_id: str, line: Timeline, now: float, *, api: str, base: str) -> dict[str, Any]:
    """The status object of the common queue."""
    stage = line.stage(now)
    output = {"media_url": [f"{base}/{WEIGHTS_NAME}", f"{base}/{CONFIG_NAME}"], "media_type": OCTETS} if stage is Stage.COMPLETED else None
    return {
        "request_id": request_id,
        "status": stage.value,
        "model_id": api,
        "error": error_text(stage),
        "output": output,
        "created_at": instant(line.accepted_at),
        "updated_at": instant(line.updated_at(now)),
        "completed_at": instant(line.ends_at) if stage.settled else None,
    }


def file_object(base: str, name: str, content_type: str) -> dict[str, str]:
    """A file as the trainer's bare result describes it."""
    return {"url": f"{base}/{name}", "content_type": content_type, "file_name": name}


def instant(epoch_seconds: float) -> str:
    """UTC with milliseconds and Z."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def backend(status: int, *headers: tuple[str, str], text: str = "", **fields: Any) -> Answer:
    """An error of the backend or its queue, with the documented text unless another is given."""
    return json_answer(status, {"error": text or DOCUMENTED.get(status) or "Failed to reach upstream API", **_extra(status, text), **fields}, *headers)


def _extra(status: int, text: str) -> dict[str, Any]:
    if status == 402 and not text:
        return {"message": "Your wallet does not cover this request. Please top up."}
    return {} if status in DOCUMENTED else {"status": status}


def missing_field(name: str) -> Answer:
    """400 for a required field that is not there."""
    return json_answer(400, {"error": f"Missing required field: {name}", "status": 400})


def gateway(status: int, *headers: tuple[str, str], text: str = "") -> Answer:
    """An error of the API gateway, sent before anything reached the backend."""
    return json_answer(status, {"statusCode": status, "message": text or _GATEWAY.get(status) or DOCUMENTED.get(status) or "Request refused"}, *headers)


def unauthorized(*, missing: bool) -> Answer:
    """401 of the gateway, with its two texts."""
    challenge = ("WWW-Authenticate", f'AzureApiManagementKey realm="https://gateway.pixazo.ai/",name="{KEY_HEADER}",type="header"')
    return gateway(401, challenge, text=MISSING_KEY if missing else "")


def rate_limited(retry_after: str) -> Answer:
    """429 of the gateway."""
    seconds = f" Try again in {retry_after} seconds." if retry_after.isdigit() else ""
    return gateway(429, ("Retry-After", retry_after), text=f"Rate limit is exceeded.{seconds}")


def edge_page(status: int) -> Answer:
    """An HTML page of the network's edge: a challenge for 403, else an error page."""
    title = "Just a moment..." if status == 403 else f"{status}: the web server reported an error"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=UTF-8"), ("Cache-Control", "no-store"))
    if status == 403:
        headers += (("cf-mitigated", "challenge"),)
    page = f'<!DOCTYPE html><html lang="en-US"><head><title>{title}</title></head><body><h1>{title}</h1><noscript>Enable JavaScript and cookies to continue</noscript></body></html>'
    return Answer(status, headers, page.encode())
