"""One forge's API over HTTP: the token to one origin only, no redirects, every answer bounded in bytes and time."""

from __future__ import annotations

import json
import logging
import re
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from reconciler.errors import ApiProblem, Usage
from reconciler.forge.proxy import proxy_of
from reconciler.forge.watch import Watch
from reconciler.secret import MARK, pattern_of
from reconciler.text import safe

_LOG = logging.getLogger("reconciler.forge")

DEADLINE_SECONDS = 60.0
CONNECT_SECONDS = 15.0
MOST_ANSWER_BYTES = 64_000_000
TRIES = 3
"""Of a request that changes nothing."""
LONGEST_PAUSE_SECONDS = 30.0
TRACE = 5
_TOKEN = re.compile(r"[!-~]{4,1000}")
_MAY_PASS = frozenset({429, 500, 502, 503, 504})


class NotAllowed(ApiProblem):
    """The forge's token may not do that."""


class NotThere(ApiProblem):
    """The forge does not know that, or does not show it to this token."""


class Wire:
    """`base` is https, or http to loopback. `headers` hold the token and go to that origin alone. Raises Usage for a token that cannot be one."""

    def __init__(self, base: str, headers: Mapping[str, str], token: str, environment: Mapping[str, str], *, pause_seconds: float = 1.0) -> None:
        if not _TOKEN.fullmatch(token):
            raise Usage(f"the forge's token has {len(token)} characters, not all of which can be sent; a line break at its end, maybe")
        self._base = base.rstrip("/")
        self._pause_seconds = pause_seconds
        self._secret = pattern_of(token)
        proxy = proxy_of(self._base, environment)
        transport = httpx.HTTPTransport(verify=_tls(environment), trust_env=False, retries=0, limits=httpx.Limits(max_keepalive_connections=0), proxy=proxy)
        timeout = httpx.Timeout(DEADLINE_SECONDS, connect=CONNECT_SECONDS)
        said = {"User-Agent": "lora-reconciler", "Accept-Encoding": "identity", **headers}
        self._client = httpx.Client(transport=transport, headers=said, timeout=timeout, trust_env=False, follow_redirects=False)
        _LOG.debug("wire", extra={"data": {"origin": self._base, "proxy": proxy}})

    def redact(self, text: str) -> str:
        """`text` without the token, however it is spelled: a forge may repeat what it was sent."""
        return self._secret.sub(MARK, text)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def get(self, path: str, **parameters: str | int) -> Any:
        """What is there. Tried again after faults of the way. Raises NotAllowed, NotThere, ApiProblem."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._once("GET", path, parameters, None)
            except _Passing as error:
                if attempt == TRIES:
                    raise ApiProblem(error.message) from None
                time.sleep(min(error.pause_seconds or self._pause_seconds * attempt, LONGEST_PAUSE_SECONDS))
        raise AssertionError("the last try returns or raises")

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Change something, once. Raises NotAllowed, NotThere, ApiProblem."""
        try:
            return self._once(method, path, {}, body)
        except _Passing as error:
            raise ApiProblem(f"{error.message}; it may have been done all the same, the next run looks again") from None

    def _once(self, method: str, path: str, parameters: Mapping[str, str | int], body: Mapping[str, Any] | None) -> Any:
        what = f"{method} {safe(path, limit=200)}"
        watch = Watch(DEADLINE_SECONDS)
        try:
            with watch, self._client.stream(method, self._base + path, params=dict(parameters) or None, json=body, extensions={"trace": watch.see}) as answer:
                raw = _read(answer, what)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            late = f" within {DEADLINE_SECONDS:g} s" if watch.is_late else f" ({type(error).__name__})"
            self._log(method, path, watch, {"trouble": type(error).__name__})
            # Only the class: the text of a header error would hold the token.
            raise _Passing(f"{what}: the forge could not be reached{late}") from None
        self._log(method, path, watch, {"status": answer.status_code, "bytes": len(raw)}, answer.headers)
        return _judged(answer, raw, what, self.redact)

    def _log(self, method: str, path: str, watch: Watch, end: Mapping[str, object], headers: Mapping[str, str] | None = None) -> None:
        """No body, nothing that we sent but method and path; the token is taken out of whatever a forge may repeat."""
        if _LOG.isEnabledFor(logging.INFO):
            data = {"method": method, "path": self.redact(path), **end, "duration_ms": round(watch.seconds * 1000)}
            if headers is not None and _LOG.isEnabledFor(TRACE):
                data["headers"] = {name: self.redact(safe(value, limit=200)) for name, value in list(headers.items())[:100]}
            _LOG.info("request", extra={"data": data})


class _Passing(Exception):
    """A fault that may pass."""

    def __init__(self, message: str, pause_seconds: float = 0.0) -> None:
        self.message = message
        self.pause_seconds = pause_seconds
        super().__init__(message)


def _read(answer: httpx.Response, what: str) -> bytes:
    raw = bytearray()
    for piece in answer.iter_raw():
        raw += piece
        if len(raw) > MOST_ANSWER_BYTES:
            raise _Passing(f"{what}: the answer is larger than {MOST_ANSWER_BYTES} bytes")
    return bytes(raw)


def _judged(answer: httpx.Response, raw: bytes, what: str, redact: Callable[[str], str]) -> Any:
    status, said = answer.status_code, redact(_message(raw))
    limited = answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
    if status in _MAY_PASS or (status == 403 and limited):
        pause = answer.headers.get("retry-after", "")
        raise _Passing(f"{what}: the forge answers {status}{said}", float(pause) if pause.isascii() and pause.isdigit() and len(pause) < 6 else 0.0)
    if status == 403:
        raise NotAllowed(f"{what}: the forge answers {status}{said}")
    if status == 404:
        raise NotThere(f"{what}: the forge answers {status}{said}")
    if not 200 <= status < 300:
        raise ApiProblem(f"{what}: the forge answers {status}{said}", hint="the token is not accepted" if status == 401 else "")
    if not raw.strip():
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise ApiProblem(f"{what}: the forge's answer is not JSON") from None


def _message(raw: bytes) -> str:
    """What the forge says about it, if it says so the way forges do."""
    try:
        document = json.loads(raw[:65536])
    except (ValueError, RecursionError):
        return ""
    said = document.get("message") or document.get("error") if isinstance(document, dict) else None
    return f": {safe(said, limit=200)}" if isinstance(said, str) else ""


def _tls(environment: Mapping[str, str]) -> ssl.SSLContext:
    file = environment.get("SSL_CERT_FILE") or None
    try:
        context = ssl.create_default_context(cafile=file)
    except OSError as error:
        raise ApiProblem(f"SSL_CERT_FILE cannot be used: {error.strerror or type(error).__name__}") from None
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context
