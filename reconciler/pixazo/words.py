"""The vendor's status words and the phases they mean. Assumptions about words live here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from reconciler.pixazo.exchange import message_in
from reconciler.text import safe

WORD_FIELDS = ("task_status", "status", "state")
WORD_PLACES = ("output", "data")
"""Where a word may stand besides the top level."""


class Meaning(StrEnum):
    """What a status word says. SYSTEM_ERROR is a failure that is documented as not charged."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SYSTEM_ERROR = "system_error"
    LOST = "lost"


_TABLE: Mapping[Meaning, str] = {
    Meaning.QUEUED: "in_queue queued queue pending submitted accepted created starting waiting scheduled unassigned preparing not_started",
    Meaning.RUNNING: "in_progress processing running training started training_started working generating cancellation_requested",
    Meaning.SUCCEEDED: "completed complete succeeded success successful done ready finished ok training_completed",
    Meaning.FAILED: "failed failure rejected request_moderated content_moderated nsfw canceled cancelled aborted training_cancelled",
    Meaning.SYSTEM_ERROR: "error errored",
    Meaning.LOST: "expired not_found task_not_found unknown deleted",
}
_MEANINGS = {word: meaning for meaning, words in _TABLE.items() for word in words.split()}
_GAPS = re.compile(r"[-\s]+")


def meaning_of(word: str) -> Meaning | None:
    """What `word` means, whatever its case, hyphens and blanks; None for a word that nobody has seen."""
    return _MEANINGS.get(_GAPS.sub("_", word.strip()).casefold())


def status_words(answer: Mapping[str, Any]) -> list[str]:
    """The status words of an answer as they stand, the top level first. Numbers and empty strings are no words."""
    places = [answer, *(answer.get(name) for name in WORD_PLACES)]
    found = [place.get(field) for place in places if isinstance(place, dict) for field in WORD_FIELDS]
    return [word for word in found if isinstance(word, str) and word.strip()]


def error_in(answer: Mapping[str, Any]) -> str:
    """What an answer says went wrong, for people; empty when it says nothing of the kind."""
    places = [answer, *(answer.get(name) for name in WORD_PLACES)]
    found = [place.get(field) for place in places if isinstance(place, dict) for field in ("error", "error_message", "error_type")]
    said = [message_in(value) or safe(value, limit=200) for value in found if _is_said(value)]
    return safe(": ".join(dict.fromkeys(said)), limit=300)


def says_no(answer: Mapping[str, Any]) -> bool:
    """Whether the answer carries `success: false`."""
    return answer.get("success") is False


def _is_said(value: Any) -> bool:
    """A non-empty error; the texts "null" and "none" come from servers that print their absence."""
    return bool(value) and not (isinstance(value, str) and value.strip().casefold() in ("", "null", "none"))
