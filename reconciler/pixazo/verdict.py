"""Which answers to a submit may have cost $8. All of that knowledge is here, as functions from an Exchange to a Verdict; no I/O.

The rule behind every row: "not sent" and "rejected" are claims that have to be proved, everything else is in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from reconciler.job import Phase
from reconciler.pixazo.answer import Unreadable, read_object
from reconciler.pixazo.endpoint import Endpoint
from reconciler.pixazo.exchange import Exchange, Stage, Trouble
from reconciler.pixazo.request_id import ids_in, salvage_id
from reconciler.pixazo.words import Meaning, error_in, meaning_of, says_no, status_words
from reconciler.text import format_duration, safe
from reconciler.verdict import Accepted, InDoubt, NotSent, Rejected, Verdict

REFUSED = frozenset({400, 404, 405, 406, 410, 411, 413, 414, 415, 417, 422, 431})
"""Refused before anything was made, for this request only."""
STOPPING = frozenset({401, 402, 403, 407})
"""Refused in a way that every further purchase would meet too."""
DEFAULT_WAIT_SECONDS = 15.0
LONGEST_WAIT_SECONDS = 300.0

POLL_URL_FIELDS = ("polling_url", "pollingUrl", "poll_url", "status_url", "pollingEndpoint", "polling_endpoint", "response_url")

_NO_SECOND_TRY = frozenset({Trouble.CERTIFICATE, Trouble.SETTINGS, Trouble.UNEXPECTED, Trouble.STOPPED})
_FREE = "nothing was charged"


def judge(exchange: Exchange, endpoint: Endpoint) -> Verdict:
    """The verdict of one submit."""
    match exchange.stage:
        case Stage.BEFORE:
            trouble = exchange.trouble or Trouble.UNEXPECTED
            return NotSent(f"{exchange.problem}; nothing was sent and {_FREE}", retry=trouble not in _NO_SECOND_TRY)
        case Stage.SENT:
            return InDoubt(f"after the request left, before an answer: {exchange.problem}")
        case Stage.ANSWERED:
            return _doubt(exchange, f"the answer broke off: {exchange.problem}")
        case Stage.TOO_LONG | Stage.COMPLETE:
            return _by_status(exchange, exchange.status or 0, endpoint)
        case _ as unreachable:
            assert_never(unreachable)


def _by_status(exchange: Exchange, status: int, endpoint: Endpoint) -> Verdict:
    if 200 <= status < 300:
        return _success(exchange, status, endpoint)
    if 300 <= status < 400:
        return _redirect(exchange, status)
    if status == 421:
        return NotSent(f"421: the server says that this connection was not for it; nothing was taken on and {_FREE}", http_status=421)
    if status == 429:
        return _limited(exchange)
    if status in STOPPING:
        return Rejected(status, _stopping_message(exchange, status), stops_run=True)
    if status in REFUSED:
        return Rejected(status, _refusal(status, f"the API refused the request{_said(exchange)}"))
    return _doubt(exchange, "an edge challenge, not the API" if exchange.is_edge else "this answer does not say whether a job was made")


def _success(exchange: Exchange, status: int, endpoint: Endpoint) -> Verdict:
    if exchange.stage is Stage.TOO_LONG:
        return _doubt(exchange, "the answer is longer than 64 KiB")
    try:
        answer = read_object(exchange.body)
    except Unreadable as problem:
        return _doubt(exchange, f"a web page{_said(exchange)}" if exchange.is_html else f"the body cannot be believed: {problem}")
    ids = ids_in(answer)
    if not ids:
        return _doubt(exchange, "no usable request id")
    poll_url, warnings = poll_url_in(answer, ids[0], endpoint)
    phase, error = _first_phase(answer)
    return Accepted(ids[0], status, poll_url, phase, error, warnings)


def _first_phase(answer: Mapping[str, Any]) -> tuple[Phase, str]:
    meanings = {meaning_of(word) for word in status_words(answer)}
    error = error_in(answer)
    if error or says_no(answer) or meanings & {Meaning.FAILED, Meaning.SYSTEM_ERROR}:
        words = ", ".join(safe(word, limit=40) for word in status_words(answer))
        return Phase.FAILED, error or f"failed at once{f' ({words})' if words else ''}"
    return (Phase.RUNNING if Meaning.RUNNING in meanings else Phase.QUEUED), ""


def poll_url_in(answer: Mapping[str, Any], request_id: str, endpoint: Endpoint) -> tuple[str | None, tuple[str, ...]]:
    """Where the answer says to poll, on our own origin only; for an address elsewhere the common queue's, and a warning."""
    places = [place for place in (answer, answer.get("data")) if isinstance(place, dict)]
    named = [value for field in POLL_URL_FIELDS for place in places if isinstance(value := place.get(field), str) and value]
    for value in named:
        if own := endpoint.own_url(value):
            return own, ()
    if not named:
        return None, ()
    warning = f"the polling URL {safe(named[0], limit=120)} is not on {endpoint.origin}; the key is not sent there, {endpoint.origin} is asked instead"
    return endpoint.status_url(request_id), (warning,)


def _redirect(exchange: Exchange, status: int) -> Verdict:
    if status == 303 or salvage_id(exchange.body) is not None:
        return _doubt(exchange, "a redirect that may follow a purchase")
    place = exchange.header("location")
    target = f" to {safe(place, limit=120)}" if place else ""
    return Rejected(status, _refusal(status, f"the server redirects{target}, which is never followed; check the endpoint"))


def _limited(exchange: Exchange) -> Rejected:
    asked = exchange.retry_after_seconds
    edge = " by an edge in front of the API" if exchange.is_edge else ""
    if asked is not None and asked > LONGEST_WAIT_SECONDS:
        message = _refusal(429, f"too many requests{edge}{_said(exchange)}; the limit passes in {format_duration(asked)}, run again then")
        return Rejected(429, message, stops_run=True)
    wait = DEFAULT_WAIT_SECONDS if asked is None else asked
    return Rejected(429, _refusal(429, f"too many requests{edge}{_said(exchange)}"), retry_after_seconds=wait)


def _stopping_message(exchange: Exchange, status: int) -> str:
    if exchange.is_edge:
        return _refusal(status, f"an edge in front of the API blocks this network{_said(exchange)}; the key is not the reason, try from another network")
    if status == 403 and exchange.header("retry-after"):
        wait = exchange.retry_after_seconds
        until = f"; it is renewed in {format_duration(wait)}" if wait is not None else ""
        return _refusal(status, f"the quota of this key is used up{_said(exchange)}{until}")
    causes = {
        401: "the API does not know this key",
        402: "the balance of the account does not suffice",
        403: "this key may not do that, or the account has no balance left",
        407: "a proxy asks for a login",
    }
    return _refusal(status, f"{causes[status]}{_said(exchange)}")


def _refusal(status: int, reason: str) -> str:
    return f"{status}: {reason}; {_FREE}"


def _said(exchange: Exchange) -> str:
    words = exchange.words
    return f" ({words})" if words else ""


def _doubt(exchange: Exchange, reason: str) -> InDoubt:
    began = safe(exchange.body[:300].decode("utf-8", "replace"), limit=200)
    edge = ", from an edge in front of the API" if exchange.is_edge else ""
    evidence = f"HTTP {exchange.status}{edge}, {len(exchange.body)} bytes of body: {reason}" + (f"; it begins: {began}" if began else "")
    return InDoubt(evidence, exchange.status, salvage_id(exchange.body))
