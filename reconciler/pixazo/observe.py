"""What one answer to a poll says about a job: the decision order of the vendor's contradicting words and fields. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.job import Phase
from reconciler.pixazo.answer import Unreadable, read_object
from reconciler.pixazo.artifact import Found, find_artifacts
from reconciler.pixazo.exchange import Exchange, Stage
from reconciler.pixazo.request_id import ids_in
from reconciler.pixazo.words import Meaning, error_in, meaning_of, says_no, status_words
from reconciler.text import safe
from reconciler.verdict import Observation

STOPPING = frozenset({401, 402, 403})
UNKNOWN_HERE = frozenset({404, 410})


def observation_of(exchange: Exchange, request_id: str) -> Observation:
    """What is known after this exchange. An error of HTTP, a page or a broken body is no news, never a phase."""
    status = exchange.status or 0
    if exchange.stage in (Stage.BEFORE, Stage.SENT, Stage.ANSWERED):
        return Observation(trouble=f"no whole answer: {exchange.problem}")
    if exchange.stage is Stage.TOO_LONG:
        return Observation(trouble=f"the answer ({status}) is longer than 1 MiB")
    if not 200 <= status < 300:
        return _without_news(exchange, status)
    try:
        return read_answer(read_object(exchange.body), request_id)
    except Unreadable as problem:
        what = "a web page" if exchange.is_html else f"an answer that cannot be believed: {problem}"
        return Observation(trouble=f"{status} with {what}")


def _without_news(exchange: Exchange, status: int) -> Observation:
    said = f": {exchange.words}" if exchange.words else ""
    wait = exchange.retry_after_seconds
    if exchange.is_edge:
        edge = f"{status}: an edge in front of the API blocks polling from this network{said}; the key is not the reason, phases are unchanged"
        return Observation(trouble=edge, retry_after_seconds=wait)
    if status in UNKNOWN_HERE:
        return Observation(missing=True, trouble=f"{status}: the API does not know this request{said}")
    if status in STOPPING:
        quota = "the quota of this key is used up" if status == 403 and exchange.header("retry-after") else "polling is refused"
        why = f"{status}: {quota}{said}; phases are unchanged"
        return Observation(stop=why, trouble=why, retry_after_seconds=wait)
    if 300 <= status < 400:
        return Observation(trouble=f"{status}: a redirect, which is never followed")
    return Observation(trouble=f"{status}{said}", retry_after_seconds=wait)


def read_answer(answer: Mapping[str, Any], request_id: str) -> Observation:
    """The decision order. A failure word wins over a file, a file with a good word (or none) over a pending word."""
    ids = ids_in(answer)
    if ids and request_id not in ids:
        other = f"the answer is about another request (…{safe(ids[0][-8:])})"
        return Observation(trouble=other, warnings=(other,))
    words = status_words(answer)
    meanings = {meaning for word in words if (meaning := meaning_of(word))}
    found = find_artifacts(answer)
    if failed := _failure(answer, meanings, found):
        return failed
    if Meaning.LOST in meanings:
        return Observation(missing=True, trouble=f"the API says {safe(', '.join(words), limit=80)}")
    if found.counts and _is_done(words, meanings, found):
        return Observation(Phase.SUCCEEDED, artifacts=found.artifacts, warnings=_refused(found))
    if Meaning.RUNNING in meanings:
        return Observation(Phase.RUNNING)
    if Meaning.QUEUED in meanings:
        return Observation(Phase.QUEUED)
    if Meaning.SUCCEEDED in meanings:
        return Observation(empty=True, trouble=f"the API says {safe(words[0], limit=40)}, but names no file", warnings=_refused(found))
    return _unknown(words)


def _failure(answer: Mapping[str, Any], meanings: set[Meaning], found: Found) -> Observation | None:
    error = error_in(answer)
    charged = Meaning.SYSTEM_ERROR not in meanings
    if meanings & {Meaning.FAILED, Meaning.SYSTEM_ERROR} or says_no(answer) or (error and not found.counts):
        words = ", ".join(safe(word, limit=40) for word in status_words(answer))
        return Observation(Phase.FAILED, error=error or words or "the API reports no success", charged=charged)
    return None


def _is_done(words: list[str], meanings: set[Meaning], found: Found) -> bool:
    if meanings & {Meaning.QUEUED, Meaning.RUNNING}:
        # `success` may only mean that the question was answered: beside a pending word, certain weights decide.
        return Meaning.SUCCEEDED in meanings and found.has_weights
    return Meaning.SUCCEEDED in meanings or not words


def _unknown(words: list[str]) -> Observation:
    if not words:
        return Observation(trouble="the answer says nothing about the job")
    word = safe(words[0], limit=40)
    return Observation(trouble=f"an unknown status word: {word}", warnings=(f"unknown status word `{word}`; the phase is kept and polling goes on slowly",))


def _refused(found: Found) -> tuple[str, ...]:
    return tuple(f"a file on {safe(host, limit=80)} was left out: its address is not https" for host in found.refused)
