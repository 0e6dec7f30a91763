"""Which addresses may be connected to."""

import pytest

from boards.engine.addresses import AddressPolicy, ForbiddenAddressError

FORBIDDEN = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2001:2::1",
    "3fff::1",
    "5f00::1",
    "fec0::1",
    "100::1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "::ffff:168.63.129.16",
    "168.63.129.16",
    "192.0.0.192",
    "192.88.99.1",
    "198.51.100.1",
    "203.0.113.1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_is_not_public_is_refused(address: str) -> None:
    """Private, loopback, link-local, metadata, reserved, and all ways to write them in IPv6."""
    with pytest.raises(ForbiddenAddressError) as caught:
        AddressPolicy().check(address, 443)
    assert caught.value.address == address


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "2001:4860::8888",
        "::ffff:8.8.8.8",
    ],
)
def test_public_addresses_are_allowed(address: str) -> None:
    """The internet."""
    AddressPolicy().check(address, 443)


@pytest.mark.parametrize(
    ("entry", "address", "port", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1", 1, True),
        ("127.0.0.1:8765", "127.0.0.1", 8765, True),
        ("127.0.0.1:8765", "127.0.0.1", 8766, False),
        ("127.0.0.1:8765", "::ffff:127.0.0.1", 8765, True),
        ("[::1]:8765", "::1", 8765, True),
        ("[::1]:8765", "::1", 80, False),
        ("10.0.0.0/8", "10.9.8.7", 80, True),
        ("10.0.0.0/8", "192.168.0.1", 80, False),
        ("localhost:80", "127.0.0.1", 80, True),
    ],
)
def test_the_settings_allow_exactly_what_they_name(
    entry: str, address: str, port: int, allowed: bool
) -> None:
    """An address, an address with its port, or a network."""
    policy = AddressPolicy((entry,))
    if allowed:
        policy.check(address, port)
    else:
        with pytest.raises(ForbiddenAddressError):
            policy.check(address, port)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_was_refused_is_allowed_by_the_name_that_the_refusal_told(address: str) -> None:
    """The remedy repeats it: ``BOARDS_ALLOW_PRIVATE_HOSTS=ADDRESS``."""
    AddressPolicy((address,)).check(address, 443)


def test_true_allows_everything() -> None:
    """For emulators and networks of one's own."""
    for address in FORBIDDEN:
        AddressPolicy(True).check(address, 80)
