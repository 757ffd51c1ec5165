"""Which proxy leads to the endpoint. The variables are read here, so that a library's own reading cannot decide where the key goes."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from reconciler.errors import ApiProblem
from reconciler.pixazo.endpoint import Endpoint

_VARIABLES = ("https_proxy", "HTTPS_PROXY")
_EXCEPTIONS = ("no_proxy", "NO_PROXY")
_PLAIN = re.compile(r"[!-~]{1,2048}")


def proxy_for(endpoint: Endpoint, environment: Mapping[str, str]) -> str | None:
    """The URL of the proxy whose CONNECT leads to `endpoint`, or None. Raises ApiProblem for one that cannot be used.

    http endpoints are on this machine and never go through a proxy.
    """
    name = next((name for name in _VARIABLES if environment.get(name)), None)
    exceptions = next((environment[name] for name in _EXCEPTIONS if environment.get(name)), "")
    if endpoint.scheme != "https" or name is None or is_excepted(endpoint, exceptions):
        return None
    return _checked(name, environment[name].strip())


def is_excepted(endpoint: Endpoint, exceptions: str) -> bool:
    """Whether the comma-separated `exceptions` (names, `.suffixes`, addresses, networks, `host:port`, `*`) name the endpoint's host."""
    return any(_names(entry.strip().lower(), endpoint) for entry in exceptions.split(",")[:1000])


def _names(entry: str, endpoint: Endpoint) -> bool:
    if entry in ("", "*"):
        return entry == "*"
    host, _, port = entry.rpartition(":")
    if host and port.isdigit() and (host.startswith("[") or ":" not in host):
        return int(port[:6]) == endpoint.port and _names(host, endpoint)
    entry = entry.strip("[]")
    try:
        return ipaddress.ip_address(endpoint.host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        suffix = entry.removeprefix("*").removeprefix(".")
        return bool(suffix) and (endpoint.host == suffix or endpoint.host.endswith("." + suffix))


def _checked(name: str, value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        usable = _PLAIN.fullmatch(url) and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        # The value is not repeated: it may hold the proxy's password.
        raise ApiProblem(f"{name} is not the URL of an http or https proxy (http://HOST:PORT); nothing was sent.")
    return url
