"""Which addresses may be opened: judged before every hop, by the text of the URL and by what its host resolves to. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

MOST_URL = 8192
_URL = re.compile(r"https?://[!-~]{1,8192}", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unreachable(Exception):
    """An address that is not opened; the text says why, and holds nothing of the URL but its host."""


class Target(NamedTuple):
    """A URL that may be opened, taken apart. `path` has its query."""

    url: str
    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may be shown of it."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{shown}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


def target_of(url: str, *, loopback: bool) -> Target:
    """The target that `url` names: https, or http to this machine where `loopback` allows that. Raises Unreachable."""
    if len(url) > MOST_URL or not _URL.fullmatch(url):
        raise Unreachable("this is no http or https URL")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError:
        raise Unreachable("the URL's host or port cannot be read") from None
    if not host or port == 0:
        raise Unreachable("the URL has no host" if not host else "the port 0 cannot be opened")
    if parts.username is not None or parts.password is not None:
        raise Unreachable("user names and passwords in a URL are not used")
    scheme = parts.scheme.lower()
    if names_this_machine(host):
        if not loopback:
            raise Unreachable(f"{host} is this machine, and no download from the network leads there")
    elif scheme != "https":
        raise Unreachable(f"plain http to {host}; only https is opened")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(url, scheme, host, port or _PORTS[scheme], path)


def next_target(before: Target, location: str) -> Target:
    """Where a redirect of `before` leads: to this machine only from this machine. Raises Unreachable."""
    if not location or len(location) > MOST_URL:
        raise Unreachable(f"{before.host} redirects without saying where to")
    try:
        url = urljoin(before.url, location).partition("#")[0]
    except ValueError:
        raise Unreachable(f"{before.host} redirects to something that is no URL") from None
    return target_of(url, loopback=names_this_machine(before.host))


def names_this_machine(host: str) -> bool:
    """Whether `host` is written as this machine: `localhost` or a loopback address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(target: Target, address: str) -> None:
    """`address` is what the host of `target` resolves to. Raises Unreachable where it may not be connected to.

    Whoever is named by this machine's name gets this machine; every other name must lead to the public network, also
    when it hides an inner address in a mapped, translated or tunnelled one.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if names_this_machine(target.host):
        if not ip.is_loopback:
            raise Unreachable(f"{target.host} does not resolve to this machine")
        return
    if not all(_is_public(each) for each in (ip, *_within(ip))):
        raise Unreachable(f"{target.host} resolves to {address}, which is not an address of the public network")


def _is_public(ip: IpAddress) -> bool:
    # of IPv6, what translates IPv4 counts as reserved too: there the address inside decides
    reserved = ip.is_reserved and ip.version == 4
    return ip.is_global and not (ip.is_multicast or reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local)


def _within(ip: IpAddress) -> list[IpAddress]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    found: list[IpAddress | None] = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64:
        found.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
