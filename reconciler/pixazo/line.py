"""One connection to the API and one exchange at a time on it. Knows how far an exchange got; what that means is not decided here."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httpx

from reconciler import __version__
from reconciler.errors import ApiProblem
from reconciler.pixazo.direct import CLOSE, DirectTransport
from reconciler.pixazo.endpoint import Endpoint
from reconciler.pixazo.exchange import Exchange, Stage, Trouble
from reconciler.pixazo.key import Key
from reconciler.pixazo.proxy import proxy_for
from reconciler.pixazo.watchdog import Guard, Watchdog
from reconciler.text import safe

_LOG = logging.getLogger("reconciler.pixazo")
TRACE = 5
KEY_HEADER = b"Ocp-Apim-Subscription-Key"
CONNECT_SECONDS = 10.0
"""For one address of the host; the exchange's own deadline ends it earlier."""


class Ask(NamedTuple):
    """A request: without a body it is a GET, with one a POST of JSON."""

    url: str
    body: bytes | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The documented headers but the key, and who we are."""
        content = {} if self.body is None else {"Content-Type": "application/json"}
        return {
            **content,
            "Cache-Control": "no-cache",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"lora-reconciler/{__version__}",
        }


class Wire:
    """What all lines to one endpoint share: TLS context, proxy, key, watchdog. Raises ApiProblem for settings that cannot work."""

    def __init__(self, endpoint: Endpoint, key: Key, environment: Mapping[str, str]) -> None:
        self.key = key
        self.watchdog = Watchdog()
        self._endpoint = endpoint
        self._context = _tls_context(endpoint, environment)
        self._proxy = proxy_for(endpoint, environment)
        proxy = urlsplit(self._proxy).hostname if self._proxy else None
        _LOG.debug("wire", extra={"data": {"origin": endpoint.origin, "proxy": proxy}})

    def transport(self) -> httpx.BaseTransport:
        """A transport of one connection: no retries, no redirects, nothing read from the environment."""
        if self._proxy is None:
            return DirectTransport(self._endpoint.host, self._endpoint.port, self._context if self._endpoint.scheme == "https" else None)
        proxy = httpx.Proxy(self._proxy, ssl_context=self._context if self._proxy.startswith("https:") else None)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30)
        return httpx.HTTPTransport(verify=self._context, trust_env=False, http1=True, http2=False, retries=0, limits=limits, proxy=proxy)


class Line:
    """One connection at a time. Not for several threads at once."""

    def __init__(self, wire: Wire, *, keep_alive: bool) -> None:
        self._wire = wire
        self._keep_alive = keep_alive
        self._transport = wire.transport()
        self._socket: socket.socket | None = None
        self.used = False
        """Whether an exchange was completed on it, so that its connection may have gone stale."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def exchange(
        self,
        ask: Ask,
        *,
        most_bytes: int,
        deadline_seconds: float,
        stop: Callable[[], bool] = lambda: False,
        before_first_byte: Callable[[], None] = lambda: None,
    ) -> Exchange:
        """Send `ask` once and read what comes. Raises nothing but what `before_first_byte` raises."""
        with self._wire.watchdog.guard(deadline_seconds, stop) as guard:
            progress = _Progress(guard, before_first_byte, self._socket)
            began = time.monotonic()
            try:
                exchange = self._without_key(self._attempt(self._request(ask, progress, deadline_seconds), progress, most_bytes))
            except Exception as error:
                if error is progress.hook_error:
                    raise
                trouble, detail = (guard.reason, "") if guard.reason else trouble_of(error)
                exchange = Exchange(progress.stage, trouble=trouble, detail=detail, received_at=time.time())
            finally:
                self._socket = progress.release()
        _log_exchange(ask, exchange, time.monotonic() - began)
        return exchange

    def _without_key(self, exchange: Exchange) -> Exchange:
        # Here, before anything is cut to length: half a key would not be recognised afterwards.
        key = self._wire.key
        headers = tuple((name, key.redact(value)) for name, value in exchange.headers)
        return replace(exchange, headers=headers, body=key.redact_bytes(exchange.body))

    def _request(self, ask: Ask, progress: _Progress, deadline_seconds: float) -> httpx.Request:
        # The key joins below everything that could print headers: this request lives only inside the transport call.
        headers = [(name.encode(), value.encode()) for name, value in ask.headers.items()]
        headers.append((KEY_HEADER, self._wire.key.reveal()))
        if not self._keep_alive:
            headers.append(CLOSE)
        # Reads and writes are ended by the watchdog; these limits only stand in should it be late.
        late, connect = deadline_seconds + 5, min(CONNECT_SECONDS, deadline_seconds)
        timeout = {"connect": connect, "read": late, "write": late, "pool": late}
        method = "GET" if ask.body is None else "POST"
        return httpx.Request(method, _url(ask.url), headers=headers, content=ask.body, extensions={"trace": progress, "timeout": timeout})

    def _attempt(self, request: httpx.Request, progress: _Progress, most_bytes: int) -> Exchange:
        response = self._transport.handle_request(request)
        body = bytearray()
        trouble, detail = None, ""
        progress.stage = Stage.ANSWERED
        try:
            for piece in response.iter_raw():
                body += piece
                if len(body) > most_bytes:
                    progress.stage = Stage.TOO_LONG
                    break
            else:
                progress.stage = progress.end_of(response.headers)
        except Exception as error:
            trouble, detail = trouble_of(error)
        finally:
            with contextlib.suppress(Exception):
                response.close()
        if progress.stage is Stage.ANSWERED and progress.cut:
            trouble, detail = progress.cut, ""
        self.used = True
        headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
        return Exchange(progress.stage, response.status_code, headers, bytes(body[:most_bytes]), trouble, detail, time.time())


class _Progress:
    """httpx's trace extension: sees the connection made, and the moment before the first byte of our own request."""

    def __init__(self, guard: Guard, before_first_byte: Callable[[], None], known: socket.socket | None) -> None:
        self._guard = guard
        self._hook = before_first_byte
        self._socket = known
        self._double: socket.socket | None = None
        self.stage = Stage.BEFORE
        self.hook_error: Exception | None = None
        if known is not None:
            guard.hold(known)

    def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        if _LOG.isEnabledFor(logging.DEBUG):
            _LOG.debug("connection", extra={"data": {"event": name}})  # the name alone: `info` holds headers
        if name.endswith("connect_tcp.complete"):
            self._connected(info["return_value"].get_extra_info("socket"))
        elif name.endswith("start_tls.complete"):
            self._secured(info["return_value"].get_extra_info("socket"))
        elif name == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
            self._about_to_send()

    @property
    def cut(self) -> Trouble | None:
        """Why the watchdog ended it, if it did."""
        return self._guard.reason

    def end_of(self, headers: httpx.Headers) -> Stage:
        """The stage after the body ended. Without a length, being cut looks like the end."""
        is_sure = not self.cut or "content-length" in headers or "transfer-encoding" in headers
        return Stage.COMPLETE if is_sure else Stage.ANSWERED

    def release(self) -> socket.socket | None:
        """Let go of the double; the connection's own socket is kept for a next exchange."""
        self._guard.hold()
        if self._double is not None:
            self._double.close()
        return self._socket if self._socket is not None and self._socket.fileno() >= 0 else None

    def _connected(self, connected: socket.socket) -> None:
        # During a TLS handshake the socket belongs to an object that nobody can reach yet; its double can still be shut down.
        self._socket = connected
        self._double = connected.dup()
        self._guard.hold(self._double)

    def _secured(self, secured: socket.socket) -> None:
        self._socket = secured
        held = [secured] if self._double is None else [secured, self._double]
        self._guard.hold(*held)

    def _about_to_send(self) -> None:
        assert self.stage is Stage.BEFORE, "a request is sent once"
        if self._guard.reason is None:
            try:
                self._hook()
            except Exception as error:
                self.hook_error = error
                raise
        if self._guard.reason is not None:
            raise TimeoutError("cut before the first byte")
        self.stage = Stage.SENT


_url = lru_cache(maxsize=256)(httpx.URL)


def _log_exchange(ask: Ask, exchange: Exchange, seconds: float) -> None:
    """One line a request, without bodies and headers; `trace` adds the answer's headers, which hold no key any more."""
    if not _LOG.isEnabledFor(logging.INFO):
        return
    data: dict[str, object] = {
        "method": "GET" if ask.body is None else "POST",
        "path": urlsplit(ask.url).path,
        "status": exchange.status,
        "stage": exchange.stage.value,
        "duration_ms": round(seconds * 1000),
        "bytes": len(exchange.body),
    }
    if exchange.trouble is not None:
        data["trouble"] = exchange.trouble.name.lower()
    if _LOG.isEnabledFor(TRACE):
        data["headers"] = {name: safe(value, limit=200) for name, value in exchange.headers[:100]}
    _LOG.info("request", extra={"data": data})


def _tls_context(endpoint: Endpoint, environment: Mapping[str, str]) -> ssl.SSLContext:
    if endpoint.scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    file = environment.get("SSL_CERT_FILE") or None
    try:
        context = ssl.create_default_context(cafile=file)
    except OSError:
        raise ApiProblem(f"The certificates in SSL_CERT_FILE ({safe(file, limit=200)}) cannot be read; nothing was sent.") from None
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    context.set_alpn_protocols(["http/1.1"])
    return context


def trouble_of(error: Exception) -> tuple[Trouble, str]:
    """What `error` says about the world. Its text is used only where it cannot hold a header of ours."""
    chain = _chain(error)
    for cause in chain:
        match cause:
            case ssl.SSLCertVerificationError():
                return Trouble.CERTIFICATE, safe(cause.verify_message, limit=120)
            case socket.gaierror():
                return Trouble.NAME, ""
            case ConnectionRefusedError():
                return Trouble.REFUSED, ""
            case httpx.ProxyError():
                return Trouble.PROXY, safe(cause, limit=120)
            case httpx.ConnectTimeout() | httpx.PoolTimeout():
                return Trouble.CONNECT_TIMEOUT, ""
            case httpx.TimeoutException() | TimeoutError():
                return Trouble.TIMEOUT, ""
            case httpx.RemoteProtocolError():
                gone = str(cause).startswith(("Server disconnected", "peer closed"))
                return (Trouble.CLOSED if gone else Trouble.PROTOCOL), ""
            case httpx.LocalProtocolError() | httpx.UnsupportedProtocol() | httpx.InvalidURL():
                return Trouble.SETTINGS, ""
            case _:
                continue
    return _from_system(chain)


def _from_system(chain: list[BaseException]) -> tuple[Trouble, str]:
    system = next((cause for cause in chain if isinstance(cause, OSError)), None)
    if isinstance(chain[0], httpx.ConnectError):
        if isinstance(system, ssl.SSLError):
            return Trouble.TLS, safe(system.reason or "", limit=80)
        return Trouble.UNREACHABLE, safe(system.strerror or "", limit=80) if system else ""
    if isinstance(system, ssl.SSLEOFError):
        return Trouble.CLOSED, ""
    if isinstance(chain[0], httpx.NetworkError) or system is not None:
        return Trouble.RESET, ""
    return Trouble.UNEXPECTED, type(chain[0]).__name__


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and len(chain) < 10:
        chain.append(following)
        following = following.__cause__ or following.__context__
    return chain
