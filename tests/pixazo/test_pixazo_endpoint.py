"""Where the key may be sent at all, and through which proxy."""

from __future__ import annotations

import pytest

from reconciler.errors import ApiProblem
from reconciler.pixazo.endpoint import parse_endpoint
from reconciler.pixazo.proxy import proxy_for

LIVE = parse_endpoint("https://gateway.pixazo.ai")


@pytest.mark.parametrize(
    ("text", "shown", "world"),
    [
        ("https://gateway.pixazo.ai", "https://gateway.pixazo.ai", "live"),
        ("https://Gateway.Pixazo.AI:443/", "https://gateway.pixazo.ai", "live"),
        ("HTTPS://gateway.pixazo.ai:8443/prefix/", "https://gateway.pixazo.ai:8443/prefix", "live"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443", "live"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "loopback"),
        ("http://127.9.9.9", "http://127.9.9.9", "loopback"),
        ("http://[::1]:80/", "http://[::1]", "loopback"),
        ("http://[0:0:0:0:0:0:0:1]:81/", "http://[::1]:81", "loopback"),
        ("http://localhost:1", "http://localhost:1", "loopback"),
    ],
)
def test_an_endpoint_is_https_or_this_machine(text, shown, world):
    endpoint = parse_endpoint(text)
    assert (endpoint.text, endpoint.world) == (shown, world)
    assert parse_endpoint(endpoint.text) == endpoint
    assert endpoint.url("/a") == f"{shown}/a"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gateway.pixazo.ai",
        "//gateway.pixazo.ai",
        "http://gateway.pixazo.ai",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://[::ffff:127.0.0.1]",
        "http://[::2]",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://user:s3cret@gateway.pixazo.ai",
        "https://@gateway.pixazo.ai",
        "https://gateway.pixazo.ai?key=s3cret",
        "https://gateway.pixazo.ai/?",
        "https://gateway.pixazo.ai#x",
        "https://gateway.pixazo.ai#",
        "https://gateway.pixazo.ai:0",
        "https://gateway.pixazo.ai:65536",
        "https://gateway.pixazo.ai:",
        "https://gateway.pixazo.ai:x",
        "https://",
        "https:///x",
        "https://[::1",
        "https://[x]",
        "https://gate way",
        " https://gateway.pixazo.ai",
        "https://gateway.pixazo.ai\n",
        "https://gateway.pixazo.ai\\@evil.example",
        "https://gäteway.example",
        "https://gateway..example",
        "https://gateway.pixazo.ai/a/../b",
        "https://gateway.pixazo.ai/%0a".replace("%0a", "\x00"),
        "https://" + "a" * 5000,
    ],
)
def test_anything_else_is_an_error_that_repeats_no_secret(text):
    with pytest.raises(ApiProblem) as caught:
        parse_endpoint(text)
    assert "s3cret" not in caught.value.message
    assert "nothing was sent" in caught.value.message


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"https_proxy": "proxy:3128", "HTTPS_PROXY": "http://other"}, "http://proxy:3128"),
        ({"HTTPS_PROXY": "https://u:p@proxy"}, "https://u:p@proxy"),
        ({"HTTP_PROXY": "http://proxy", "ALL_PROXY": "http://proxy"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "example.com, PIXAZO.ai"}, None),
        ({"HTTPS_PROXY": "http://proxy", "no_proxy": ".pixazo.ai"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "gateway.pixazo.ai:443"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "gateway.pixazo.ai:444"}, "http://proxy"),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "teway.pixazo.ai,10.0.0.0/8,[::1]:443,,:"}, "http://proxy"),
    ],
)
def test_the_proxy_is_the_one_for_https(environment, proxy):
    assert proxy_for(LIVE, environment) == proxy


def test_networks_are_exceptions_for_addresses():
    endpoint = parse_endpoint("https://10.1.2.3")
    assert proxy_for(endpoint, {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "10.0.0.0/8"}) is None
    assert proxy_for(endpoint, {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "11.0.0.0/8"}) == "http://proxy"


def test_this_machine_is_reached_without_a_proxy():
    assert proxy_for(parse_endpoint("http://127.0.0.1:80"), {"HTTPS_PROXY": "http://proxy", "HTTP_PROXY": "http://proxy"}) is None


@pytest.mark.parametrize(
    "value", ["socks5://p4ss@proxy", "http://", "http://u:p4ss@proxy:x", "http://proxy:99999", "http://p4ss@proxy/path", "http://p4ss word", "http://[p4ss"]
)
def test_an_odd_proxy_is_an_error_that_does_not_repeat_it(value):
    with pytest.raises(ApiProblem, match="HTTPS_PROXY") as caught:
        proxy_for(LIVE, {"HTTPS_PROXY": value})
    assert "p4ss" not in caught.value.message
