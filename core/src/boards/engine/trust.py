"""Where a provider's credentials may go, and where its status URLs may point."""

import re
from typing import Any, Final

from yarl import URL

from boards.spec.model import ProviderSpec

__all__ = ["TrustedHosts", "origin"]

Origin = tuple[str, str, int]

_UPGRADED: Final = re.compile(r"^ws(?=s?:)")


def origin(url: str) -> Origin | None:
    """Scheme, host and port of an http(s) URL; None for anything else."""
    try:
        parsed = URL(url, encoded=True)
        host, port = parsed.raw_host, parsed.port
    except ValueError:
        return None
    if parsed.scheme not in ("http", "https") or not host or port is None:
        return None
    if parsed.user is not None or parsed.password is not None:
        return None
    return parsed.scheme, host.lower().rstrip("."), port


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
        found = origin(url) if isinstance(url, str) else None
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
