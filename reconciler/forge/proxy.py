"""Which proxy leads to a forge. The variables are read here, so that a library's own reading cannot decide where the token goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from reconciler.errors import ApiProblem

_PLAIN = re.compile(r"[!-~]{1,2048}")


def proxy_of(base: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that the variables name for an https origin. Raises ApiProblem for one that cannot be used.

    http is loopback and never goes through one.
    """
    parts = urlsplit(base)
    name = next((name for name in ("https_proxy", "HTTPS_PROXY") if environment.get(name)), None)
    exceptions = (environment.get("no_proxy") or environment.get("NO_PROXY") or "").lower().split(",")
    if parts.scheme != "https" or name is None or any(_names(entry.strip(), parts.hostname or "") for entry in exceptions[:1000]):
        return None
    return _checked(name, environment[name].strip())


def _checked(name: str, value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        usable = _PLAIN.fullmatch(url) and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        # The value is not repeated: it may hold the proxy's password.
        raise ApiProblem(f"{name} is not the URL of an http or https proxy (http://HOST:PORT); the forge was not asked.")
    return url


def _names(entry: str, host: str) -> bool:
    """Whether an entry of NO_PROXY (a name, a `.suffix`, `*`) means this host."""
    suffix = entry.removeprefix("*").lstrip(".")
    return entry == "*" or (bool(suffix) and (host == suffix or host.endswith(f".{suffix}")))
