"""One forge's API over HTTP: the token to one origin only, no redirects, every answer bounded in bytes and time."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from reconciler.errors import ApiProblem, Usage
from reconciler.text import safe

DEADLINE_SECONDS = 60.0
CONNECT_SECONDS = 15.0
MOST_ANSWER_BYTES = 64_000_000
TRIES = 3
"""Of a request that changes nothing."""
LONGEST_PAUSE_SECONDS = 30.0
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
        transport = httpx.HTTPTransport(verify=_tls(environment), trust_env=False, retries=0, proxy=_proxy(self._base, environment))
        timeout = httpx.Timeout(DEADLINE_SECONDS, connect=CONNECT_SECONDS)
        said = {"User-Agent": "lora-reconciler", "Accept-Encoding": "identity", **headers}
        self._client = httpx.Client(transport=transport, headers=said, timeout=timeout, trust_env=False, follow_redirects=False)

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
        try:
            with self._client.stream(method, self._base + path, params=dict(parameters) or None, json=body) as answer:
                raw = _read(answer, what)
        except httpx.HTTPError as error:
            # Only the class: the text of a header error would hold the token.
            raise _Passing(f"{what}: the forge could not be reached ({type(error).__name__})") from None
        return _judged(answer, raw, what)


class _Passing(Exception):
    """A fault that may pass."""

    def __init__(self, message: str, pause_seconds: float = 0.0) -> None:
        self.message = message
        self.pause_seconds = pause_seconds
        super().__init__(message)


def _read(answer: httpx.Response, what: str) -> bytes:
    until = time.monotonic() + DEADLINE_SECONDS
    raw = bytearray()
    for piece in answer.iter_raw():
        raw += piece
        if len(raw) > MOST_ANSWER_BYTES or time.monotonic() > until:
            raise _Passing(f"{what}: the answer is larger than {MOST_ANSWER_BYTES} bytes or takes longer than {DEADLINE_SECONDS:g} s")
    return bytes(raw)


def _judged(answer: httpx.Response, raw: bytes, what: str) -> Any:
    status = answer.status_code
    limited = answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
    if status in _MAY_PASS or (status == 403 and limited):
        pause = answer.headers.get("retry-after", "")
        raise _Passing(f"{what}: the forge answers {status}{_message(raw)}", float(pause) if pause.isascii() and pause.isdigit() and len(pause) < 6 else 0.0)
    if status == 403:
        raise NotAllowed(f"{what}: the forge answers {status}{_message(raw)}")
    if status == 404:
        raise NotThere(f"{what}: the forge answers {status}{_message(raw)}")
    if not 200 <= status < 300:
        raise ApiProblem(f"{what}: the forge answers {status}{_message(raw)}", hint="the token is not accepted" if status == 401 else "")
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


def _proxy(base: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that the variables name for an https origin. http is loopback and never goes through one."""
    parts = urlsplit(base)
    proxy = environment.get("https_proxy") or environment.get("HTTPS_PROXY")
    exceptions = (environment.get("no_proxy") or environment.get("NO_PROXY") or "").lower().split(",")
    if parts.scheme != "https" or not proxy or any(_names(entry.strip(), parts.hostname or "") for entry in exceptions):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _names(entry: str, host: str) -> bool:
    """Whether an entry of NO_PROXY (a name, a `.suffix`, `*`) means this host."""
    suffix = entry.removeprefix("*").lstrip(".")
    return entry == "*" or (bool(suffix) and (host == suffix or host.endswith(f".{suffix}")))
