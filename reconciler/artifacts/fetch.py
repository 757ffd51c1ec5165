"""One GET of a foreign address: every hop judged before it is opened, the address connected to is the one that was judged, one deadline over all.

Neither key nor cookie nor anything of the environment goes along. What the bytes are for is decided elsewhere.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore

from reconciler import __version__
from reconciler.artifacts.address import Target, Unreachable, check_address, next_target, target_of
from reconciler.text import safe

MOST_HOPS = 3
CONNECT_SECONDS = 15.0
READ_SECONDS = 30.0
GRACE_SECONDS = 60.0
LEAST_BYTES_PER_SECOND = 16 * 1024
LONGEST_SECONDS = 6 * 3600.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

ProxyFor = Callable[[str], str | None]
"""The URL of the proxy that leads to a URL, or None."""


class Broken(Exception):
    """The exchange came to no end; the same may work later."""


@dataclass(slots=True)
class Pace:
    """How long a transfer may take: a minute, and longer only as long as bytes come; six hours at most."""

    began: float = field(default_factory=time.monotonic)
    received: int = 0

    @property
    def left_seconds(self) -> float:
        """What is left for the next read. Raises Broken when it is over."""
        allowed = min(GRACE_SECONDS + self.received / LEAST_BYTES_PER_SECOND, LONGEST_SECONDS)
        left = self.began + allowed - time.monotonic()
        if left <= 0:
            raise Broken(f"it came slower than {LEAST_BYTES_PER_SECOND // 1024} KiB a second")
        return left


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (lower-case names) and the body as it comes, raw."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterable[bytes]
    host: str


@dataclass(frozen=True, slots=True)
class Fetcher:
    """What every download of a command shares. `loopback`: whether this machine may be asked too."""

    environment: Mapping[str, str]
    proxy_for: ProxyFor
    loopback: bool = False

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """The answer to a GET, after at most three redirects. Raises Unreachable, Broken."""
        pace = Pace()
        target = target_of(url, loopback=self.loopback)
        for _ in range(MOST_HOPS + 1):
            with ExitStack() as stack:
                with _spoken():
                    pool = stack.enter_context(self._pool(target, pace))
                    answer = stack.enter_context(pool.stream("GET", target.url, headers=_request_headers(headers), extensions=_timeouts()))
                found = {name.decode("ascii", "replace").lower(): value.decode("latin-1") for name, value in answer.headers}
                if answer.status not in _REDIRECTS:
                    yield Answer(answer.status, found, _paced(answer.iter_stream(), pace), target.host)
                    return
            target = next_target(target, found.get("location", ""))
        raise Unreachable(f"it redirects more than {MOST_HOPS} times")

    def _pool(self, target: Target, pace: Pace) -> httpcore.ConnectionPool:
        context = _tls(self.environment) if target.scheme == "https" else None
        proxy = self.proxy_for(target.url)
        if proxy is None:
            return httpcore.ConnectionPool(ssl_context=context, network_backend=_Network(pace, target), max_connections=1)
        _check_written(target)
        return httpcore.HTTPProxy(
            httpcore.URL(proxy),
            proxy_auth=_credentials(proxy),
            ssl_context=context,
            proxy_ssl_context=context if proxy.startswith("https:") else None,
            network_backend=_Network(pace, None),
            max_connections=1,
        )


def _check_written(target: Target) -> None:
    """Behind a proxy only the proxy resolves names; an address that is written out is judged all the same."""
    try:
        check_address(target, target.host)
    except ValueError:
        return


def _credentials(proxy: str) -> tuple[str, str] | None:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(proxy)
    return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))


def _request_headers(own: Mapping[str, str]) -> list[tuple[str, str]]:
    common = {"User-Agent": f"lora-reconciler/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
    return list({**common, **own}.items())


def _timeouts() -> dict[str, Any]:
    return {"timeout": {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS, "pool": CONNECT_SECONDS}}


def _paced(pieces: Iterable[bytes], pace: Pace) -> Iterator[bytes]:
    with _spoken():
        for piece in pieces:
            pace.received += len(piece)
            yield piece


def _tls(environment: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=environment.get("SSL_CERT_FILE") or None)
    except OSError:
        raise Unreachable("the certificates in SSL_CERT_FILE cannot be read") from None
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context


class _Network(httpcore.NetworkBackend):
    """Resolves once, judges every address, connects to one of those. `target` None: to a proxy, whose place the environment chose."""

    def __init__(self, pace: Pace, target: Target | None) -> None:
        self._pace = pace
        self._target = target
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        del local_address, socket_options  # the pool gives none
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise Broken(f"the name {safe(host, limit=100)} cannot be resolved") from None
        addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
        if self._target is not None:
            for address in addresses:
                check_address(self._target, address)
        for address in addresses[:-1]:
            try:
                return self._connected(address, port, timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connected(addresses[-1], port, timeout)

    def _connected(self, address: str, port: int, timeout: float | None) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(address, port, min(timeout or CONNECT_SECONDS, self._pace.left_seconds)), self._pace)


class _Stream(httpcore.NetworkStream):
    """A connection whose every read ends with the whole transfer's time."""

    def __init__(self, inner: httpcore.NetworkStream, pace: Pace) -> None:
        self._inner = inner
        self._pace = pace

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, min(timeout or READ_SECONDS, self._pace.left_seconds))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, min(timeout or READ_SECONDS, self._pace.left_seconds))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, min(timeout or CONNECT_SECONDS, self._pace.left_seconds)), self._pace)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


@contextmanager
def _spoken() -> Iterator[None]:
    """Everything that a transport can raise, in our words."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError, OSError) as error:
        certificate = next((e for e in (error, error.__cause__, error.__context__) if isinstance(e, ssl.SSLCertVerificationError)), None)
        if certificate is not None:  # asking again does not make it better
            raise Unreachable(f"the certificate of the host is not trusted ({safe(certificate.verify_message, limit=120)})") from None
        raise Broken(_words(error)) from None


def _words(error: Exception) -> str:
    match error:
        case httpcore.ProxyError():
            return f"the proxy refused ({safe(error, limit=120)})"
        case httpcore.ConnectError() | httpcore.ConnectTimeout():
            return "the connection could not be made"
        case httpcore.TimeoutException():
            return "nothing came in time"
        case httpcore.RemoteProtocolError():
            return "the connection was closed before the end"
        case httpcore.LocalProtocolError() | httpcore.UnsupportedProtocol():
            return "the request could not be made"
        case _:
            return "the connection broke off"
