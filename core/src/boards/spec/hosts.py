"""Where a provider's credentials may go, and where its status URLs may point.

The engine asks it of each request, and the checker of the addresses that a file has whole.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Any, Final

from boards.spec.model import ProviderSpec

__all__ = ["TrustedHosts", "origin"]

Origin = tuple[str, str, int]

_UPGRADED: Final = re.compile(r"^ws(?=s?:)")
_PORTS: Final = {"http": 80, "https": 443}

# Parsers differ on the rest: on which host `a\@b` names, on tabs, on escapes in a name.
_AUTHORITY: Final = re.compile(
    r"(https?)://(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::([0-9]{0,5}))?(?=[/?#]|\Z)",
    re.ASCII | re.IGNORECASE,
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


def origin(url: str) -> Origin | None:
    """Scheme, host and port of an http(s) URL that can be read in one way only.

    None for anything else: a user or a password, an escape, a backslash or other than ASCII in
    the host, control characters anywhere, and addresses that are not written in full
    (``127.1``, ``0x7f000001``).
    """
    match = _AUTHORITY.match(url)
    if match is None or _CONTROL.search(url):
        return None
    scheme, address, name, digits = match.groups()
    scheme = scheme.lower()
    port = int(digits) if digits else _PORTS[scheme]
    host = _name(name.lower()) if name else _address(address)
    return (scheme, host, port) if host and 0 < port < 65_536 else None


@lru_cache(maxsize=1024)  # a provider has few hosts, and each request names one
def _name(host: str) -> str | None:
    """A host name without the dot of the root, or an IPv4 address."""
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1] or labels[-2 if len(labels) > 1 else -1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            return None
    if labels[-1] == "":
        labels.pop()
    return ".".join(labels) if labels and all(labels) else None


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return None


class TrustedHosts:
    """The origins in a provider's config, and the host patterns of its spec.

    A pattern counts for https on its default port only. ``*.example.com`` is any number of
    labels below ``example.com``, never ``example.com`` itself.
    """

    def __init__(self, provider: ProviderSpec) -> None:
        # A websocket is trusted, and asked for, by the http(s) origin that it is upgraded from.
        self._origins = {
            found
            for value in _strings(provider.config)
            if (found := origin(_UPGRADED.sub("http", value, count=1))) is not None
        }
        self._patterns = tuple(pattern.lower() for pattern in provider.hosts)

    def __contains__(self, url: object) -> bool:
        return isinstance(url, str) and self.has(origin(url))

    def has(self, found: Origin | None) -> bool:
        """Whether an origin is one of them."""
        if found is None:
            return False
        scheme, host, port = found
        if found in self._origins:
            return True
        return (
            scheme == "https"
            and port == 443
            and any(_matches(host, pattern) for pattern in self._patterns)
        )


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    return [value] if isinstance(value, str) else []
