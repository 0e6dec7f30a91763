"""Which network addresses may be connected to.

URLs in a provider's replies are untrusted. The check sits where the socket is made, so that the
address that was checked is the one that is connected to, whatever the name said or resolved to.
"""

import ipaddress
from typing import Final

__all__ = ["AddressPolicy", "ForbiddenAddressError"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that IPv6 has assigned to the public so far; translated addresses lie outside of it."""

# What the standard library calls global, and is not, or is not in every release of it: the special
# registries of IANA, 6to4 and its relays, Teredo, and Azure's host, which answers inside alone.
_SPECIAL: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "2001::/23",
        "2002::/16",
        "2001:db8::/32",
        "3fff::/20",
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
    )
)


class ForbiddenAddressError(OSError):
    """The address is not public, and not allowed by the settings."""

    def __init__(self, address: str) -> None:
        # One text for all addresses: the connector raises the first of equal errors unchanged.
        super().__init__("the address is private, loopback, link-local or reserved")
        self.address = address


class AddressPolicy:
    """Public addresses, and those that the settings allow beside them.

    Args:
        allow: True allows every address; otherwise addresses (``127.0.0.1``), addresses with a
            port (``127.0.0.1:8765``, ``[::1]:8765``) and networks (``10.0.0.0/8``).

    Raises:
        ValueError: An entry is none of these.
    """

    def __init__(self, allow: bool | tuple[str, ...] = False) -> None:
        self._all = allow is True
        self._allowed: list[tuple[_Network, int | None]] = []
        for entry in () if isinstance(allow, bool) else allow:
            self._allowed.append(_entry(entry))

    def check(self, host: str, port: int) -> None:
        """Refuse an address.

        Args:
            host: An IP address, as the socket layer has it.
            port: The port.

        Raises:
            ForbiddenAddressError: It may not be connected to.
        """
        if self._all:
            return
        address = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if _public(address) or self._exempt(address, port):
            return
        raise ForbiddenAddressError(host)

    def _exempt(self, address: _Address, port: int) -> bool:
        return any(
            address.version == network.version
            and address in network
            and allowed_port in (None, port)
            for network, allowed_port in self._allowed
        )


def _public(address: _Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address.version == one.version and address in one for one in _SPECIAL)


def _entry(text: str) -> tuple[_Network, int | None]:
    host, port = text.strip(), None
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port = int(rest[1:]) if rest.startswith(":") else None
    elif host.count(":") == 1:
        host, _, digits = host.partition(":")
        port = int(digits)
    if host == "localhost":
        host = "127.0.0.1"
    network: _Network = ipaddress.ip_network(host)
    if isinstance(network, ipaddress.IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen == 128:  # as check() looks at it
            network = ipaddress.ip_network(mapped)
    return network, port
