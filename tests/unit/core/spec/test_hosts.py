"""Which host a URL names: the one that is connected to, or none."""

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from boards.spec.hosts import TrustedHosts, origin
from boards.spec.model import ProviderSpec

PIECES = (
    "http", "https", "ws", "file", ":", "/", "//", "\\", "@", "?", "#", "[", "]", "%", "%2f",
    "%00", "%40", ".", "..", "a", "acme.example", "127.0.0.1", "0x7f", "0177", "1", "::1",
    "::ffff:1.2.3.4", "fe80::1", "%25lo", "80", "443", "0", "65536", "+", "-", "_", " ", "\t", "\n",
    "\r", "\x00", ";", ",", "*", "é", "\u3002", "\uff0f", "\u2024", "\u00ad", "\u2460", "x" * 300,
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_who_checks_a_url_and_who_connects_read_the_same_host(tail: str) -> None:
    """What is accepted means the same to the client, and to the standard library."""
    for url in (tail, f"http://{tail}", f"https://acme.example{tail}"):
        found = origin(url)
        if found is None:
            continue
        scheme, host, port = found
        for parsed in (URL(url, encoded=True), urlsplit(url)):
            theirs = parsed.raw_host if isinstance(parsed, URL) else parsed.hostname
            assert theirs is not None
            if ":" in theirs:
                theirs = str(ipaddress.IPv6Address(theirs))
            assert theirs.lower().removesuffix(".") == host
            assert (parsed.port or {"http": 80, "https": 443}[scheme]) == port
            assert parsed.scheme == scheme


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://acme.example", ("https", "acme.example", 443)),
        ("HTTPS://ACME.example.:443/x?y@z#w", ("https", "acme.example", 443)),
        ("http://my_service:8188/", ("http", "my_service", 8188)),
        ("http://localhost:/", ("http", "localhost", 80)),
        ("http://[0:0::1]:80", ("http", "::1", 80)),
        ("http://xn--bcher-kva.example", ("http", "xn--bcher-kva.example", 80)),
        ("http://127.0.0.1", ("http", "127.0.0.1", 80)),
        ("http://127.1", None),
        ("http://1", None),
        ("http://a.0x7f", None),
        ("http://256.1.1.1", None),
        ("http://127.0.0.1.", None),
        ("http://.", None),
        ("http://a..b", None),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, found: tuple[str, str, int] | None) -> None:
    """In one spelling, or none."""
    assert origin(url) == found


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("http://localhost:8188/any", True),
        ("http://localhost:8189/any", False),
        ("https://localhost:8188/any", False),
        ("https://a.cdn.example/x", True),
        ("https://a.b.cdn.example/x", True),
        ("https://cdn.example/x", False),
        ("https://a.cdn.example:444/x", False),
        ("http://a.cdn.example/x", False),
        ("https://exact.example./x", True),
        ("https://a.exact.example/x", False),
        ("https://api.example/socket", True),
    ],
)
def test_trusted_are_the_origins_of_config_and_https_of_hosts(url: str, trusted: bool) -> None:
    """Also of a websocket in it."""
    config = {"base_url": "http://localhost:8188", "more": {"socket": "wss://api.example/ws"}}
    hosts = ("*.cdn.example", "exact.example")
    assert (url in TrustedHosts(ProviderSpec(config=config, hosts=hosts))) is trusted
