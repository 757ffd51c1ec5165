"""Where the trainer API is: one origin, https, or http to this machine only. What is sent there is `send` and `poll`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, quote, urlsplit

from reconciler.errors import ApiProblem
from reconciler.text import safe

World = Literal["live", "loopback"]

STATUS_PATH = "/v2/requests/status/"
"""The common status queue (seen for siblings, dated copy of this trainer's page); the request id follows."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
_PLAIN = re.compile(r"[!-\[\]-~]{1,2048}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked endpoint. `path` is a prefix without a slash at its end, mostly empty."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and port, without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}")

    @property
    def text(self) -> str:
        """The endpoint as it is shown and recorded."""
        return self.origin + self.path

    @property
    def world(self) -> World:
        """`live` where money is real, `loopback` for a server on this machine."""
        return "live" if self.scheme == "https" else "loopback"

    def url(self, path: str) -> str:
        """The URL of an API path, which begins with a slash."""
        return self.text + path

    def status_url(self, request_id: str) -> str | None:
        """Where the common queue tells about `request_id`; None for an id that would change the path."""
        return None if request_id in (".", "..") else self.url(STATUS_PATH + quote(request_id, safe=""))

    def own_url(self, value: str) -> str | None:
        """`value` as an absolute URL on this origin, or None: the key must not follow a URL to anywhere else."""
        if not _PLAIN.fullmatch(value):
            return None
        if value.startswith("/") and not value.startswith("//"):
            return self.origin + value
        try:
            parts = urlsplit(value)
            ours = (parts.scheme, _host(parts), _port(parts)) == (self.scheme, self.host, self.port)
        except ValueError:
            return None
        return value if ours and "@" not in parts.netloc and not parts.fragment else None


def parse_endpoint(text: str) -> Endpoint:
    """The endpoint written as `text`. Raises ApiProblem for anything the key must not be sent to."""
    shown = safe(text, limit=80)
    if not _PLAIN.fullmatch(text):
        raise ApiProblem(f"The endpoint `{shown}` is not a URL: it may hold visible ASCII characters only; nothing was sent.")
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme, _host(parts), _port(parts)
    except ValueError:
        raise ApiProblem(f"The endpoint `{shown}` is not a URL; nothing was sent. It looks like https://gateway.pixazo.ai.") from None
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ApiProblem(f"The endpoint `{shown}` may hold no user name, query or fragment; nothing was sent.")
    if scheme != "https" and not (scheme == "http" and is_loopback(host)):
        raise ApiProblem(f"The endpoint `{shown}` must be https (http only to this machine: 127.0.0.1, [::1], localhost); nothing was sent.")
    if any(segment in (".", "..") for segment in parts.path.split("/")):
        raise ApiProblem(f"The endpoint `{shown}` may not hold `.` or `..` as a path segment; nothing was sent.")
    return Endpoint(scheme, host, port, parts.path.rstrip("/"))


def is_loopback(host: str) -> bool:
    """Whether `host` means this machine: `localhost`, 127.0.0.0/8 in dotted form, or ::1."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address == ipaddress.IPv6Address("::1") or (address.version == 4 and address.is_loopback)


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    if not _HOST.fullmatch(host) or host.startswith(".") or ".." in host:
        raise ValueError("not a host")
    return host


def _port(parts: SplitResult) -> int:
    port = parts.port if parts.port is not None else _DEFAULT_PORTS.get(parts.scheme, 0)
    if parts.netloc.endswith(":") or not 1 <= port <= 65535:
        raise ValueError("not a port")
    return port
