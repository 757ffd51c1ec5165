"""One HTTP exchange as a value: how far it got and what came back. Made by `send` and `poll`, judged by `verdict` and `observe`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from reconciler.pixazo.answer import Unreadable, read_json
from reconciler.text import safe

_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,200})", re.IGNORECASE)
_TRY_AGAIN = re.compile(r"[Tt]ry again in (\d{1,6}) second")


class Stage(StrEnum):
    """How far an exchange got. The verdict goes by this, never by the class of an exception."""

    BEFORE = "before"
    """Nothing of the request was written."""
    SENT = "sent"
    """The first byte may have left; there is no whole status and header."""
    ANSWERED = "answered"
    """Status and headers are there; the body broke off."""
    TOO_LONG = "too_long"
    """Status and headers are there; we stopped reading the body at our limit."""
    COMPLETE = "complete"
    """The whole answer is there."""


class Trouble(StrEnum):
    """What ended an exchange before it was complete."""

    NAME = "the name of the host cannot be resolved"
    REFUSED = "the connection was refused"
    UNREACHABLE = "the host cannot be reached"
    CONNECT_TIMEOUT = "the connection could not be made in time"
    CERTIFICATE = "the certificate of the host is not trusted"
    TLS = "the TLS handshake failed"
    PROXY = "the proxy refused the tunnel"
    SETTINGS = "the request could not be made with these settings"
    CLOSED = "the connection was closed"
    RESET = "the connection was reset"
    TIMEOUT = "no answer in time"
    DEADLINE = "the deadline passed"
    STOPPED = "stopped by us"
    PROTOCOL = "the answer is not HTTP"
    UNEXPECTED = "an unexpected error"

    @property
    def is_broken_connection(self) -> bool:
        """Whether the connection ended without a word, as one does that was idle for too long."""
        return self in (Trouble.CLOSED, Trouble.RESET)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one request came to. `headers` have lower-case names; `body` is raw, as far as it was read; `received_at` is Unix time."""

    stage: Stage
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    trouble: Trouble | None = None
    detail: str = ""
    """More about the trouble, in our own words or the proxy's or the TLS library's; never the text of a header error."""
    received_at: float = 0.0

    def header(self, name: str) -> str:
        """The first header of that (lower-case) name, or nothing."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def problem(self) -> str:
        """The trouble as part of a sentence."""
        words = str(self.trouble or "the answer is incomplete")
        return f"{words} ({self.detail})" if self.detail else words

    @property
    def is_html(self) -> bool:
        """Whether a page was sent where JSON was asked for."""
        return "html" in self.header("content-type").lower() or self.body[:256].lstrip().lower().startswith((b"<!doctype html", b"<html"))

    @property
    def is_edge(self) -> bool:
        """Whether the edge in front of the API answered instead of the API: a challenge, or a page that forbids."""
        return "challenge" in self.header("cf-mitigated").lower() or (self.status in (403, 503) and self.is_html)

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the server asks to wait: `Retry-After` in seconds or as a date, else "Try again in N seconds" in the body."""
        value = self.header("retry-after").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        if value:
            return self._until(value)
        found = _TRY_AGAIN.search(self.body[:4096].decode("latin-1")) if self.status == 429 else None
        return float(found[1]) if found else None

    def _until(self, date: str) -> float | None:
        try:
            then = parsedate_to_datetime(date)
            now = parsedate_to_datetime(self.header("date")) if self.header("date") else datetime.fromtimestamp(self.received_at, UTC)
            return max(0.0, _utc(then).timestamp() - _utc(now).timestamp())
        except (ValueError, TypeError, OverflowError, IndexError):
            return None

    @property
    def words(self) -> str:
        """What the server says in its body, for people: made inert and cut. Empty when it says nothing readable."""
        if self.is_html:
            found = _TITLE.search(self.body[:8192].decode("utf-8", "replace"))
            return f"a web page, “{safe(found[1].strip(), limit=80)}”" if found else "a web page"
        try:
            said = message_in(read_json(self.body))
        except Unreadable:
            said = self.body[:300].decode("utf-8", "replace").strip()
        return safe(said, limit=300)


def message_in(value: Any, *, depth: int = 4) -> str:
    """The text for people in an error of any known shape: a string, `message`, `error`, `detail`, FastAPI's list of `msg`."""
    if isinstance(value, str):
        return value.strip()
    if depth == 0:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (message_in(item, depth=depth - 1) for item in value[:3])))
    if isinstance(value, dict):
        parts = [message_in(value.get(name), depth=depth - 1) for name in ("error", "message", "msg", "detail", "title", "error_message", "error_type")]
        return ": ".join(_distinct(filter(None, parts)))
    return ""


def _distinct(parts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(parts))


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
