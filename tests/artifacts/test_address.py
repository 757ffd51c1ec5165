"""Which addresses a download may open, as facts about values: no socket is touched."""

from __future__ import annotations

import pytest

from reconciler.artifacts.address import Unreachable, check_address, next_target, target_of


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example.com/a", "ftp://files.example.com/a", "file:///etc/passwd", "https:///a", "https://user:pass@files.example.com/a",
        "https://files.example.com:0/a", "https://files.example.com:99999/a", "https://files.example.com/a b", "//files.example.com/a", "", "https://[::1/a",
        "https://127.0.0.1/a", "http://localhost/a", "https://a.localhost/a", "https://" + "a" * 9000,
    ],
)  # fmt: skip
def test_what_is_not_https_to_the_network_is_not_opened(url: str) -> None:
    with pytest.raises(Unreachable):
        target_of(url, loopback=False)


def test_this_machine_is_opened_only_where_that_is_allowed() -> None:
    assert target_of("http://127.0.0.1:8080/a?b=c", loopback=True).path == "/a?b=c"
    assert target_of("http://[::1]:80/a", loopback=True).origin == "http://[::1]"
    with pytest.raises(Unreachable):
        target_of("http://files.example.com/a", loopback=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::",
        "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_a_public_name_must_lead_to_the_public_network(address: str) -> None:
    """Also where an inner address hides in a mapped, translated or tunnelled one."""
    with pytest.raises(Unreachable):
        check_address(target_of("https://files.example.com/a", loopback=False), address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_public_addresses_are_good_also_through_a_translator(address: str) -> None:
    check_address(target_of("https://files.example.com/a", loopback=False), address)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "169.254.169.254", "[fd00:ec2::254]"])
def test_odd_spellings_are_judged_by_what_they_resolve_to(host: str) -> None:
    """As text they may pass; the address behind them does not."""
    target = target_of(f"https://{host}/", loopback=False)
    inner = {"169.254.169.254": host, "[fd00:ec2::254]": "fd00:ec2::254"}.get(host, "127.0.0.1")
    with pytest.raises(Unreachable):
        check_address(target, inner)


def test_a_name_of_this_machine_must_lead_to_this_machine() -> None:
    with pytest.raises(Unreachable):
        check_address(target_of("http://localhost/a", loopback=True), "93.184.216.34")


def test_no_redirect_leads_from_the_network_to_this_machine_or_out_of_tls() -> None:
    outside = target_of("https://files.example.com/a/b", loopback=False)
    assert next_target(outside, "../c#x").url == "https://files.example.com/c"
    assert next_target(outside, "//cdn.example.com/d").host == "cdn.example.com"
    for location in ("http://files.example.com/c", "http://127.0.0.1/", "https://localhost/", "file:///etc/passwd", "", "https://x:y@z.example/"):
        with pytest.raises(Unreachable):
            next_target(outside, location)
