"""The keys of an issuer: found by OpenID Connect discovery, kept, and fetched again in time.

Whoever asks with a key that is known never waits for the issuer, and an issuer that is down keeps
nobody out whose key is known.
"""

import asyncio
import ipaddress
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from boards.errors import BoardsError
from boards_jwt.keys import VerificationKey, fitting, key_set

__all__ = ["IssuerKeys"]

_log = logging.getLogger("boards_jwt")

_MOST_BYTES: Final = 1_000_000
_DISCOVERY: Final = "/.well-known/openid-configuration"
"""OpenID Connect Discovery 1.0, section 4."""


class IssuerKeys:
    """The keys that an issuer publishes. Implements :class:`boards_jwt.Keys`.

    Args:
        issuer: Its address, as tokens have it in ``iss``; it tells where the keys are.
        jwks_url: Where the keys are, for an issuer without discovery; wins over that.
        fresh: Seconds for which keys are used without asking again.
        kept: Seconds for which they are used while the issuer does not answer.
        pause: Seconds at least between two times that it is asked, whatever tokens name.
        timeout: Seconds for it to answer.
        clock: Seconds that never go back.

    Raises:
        ValueError: An address is missing, or none of HTTPS. Loopback may be without.
    """

    def __init__(
        self,
        issuer: str | None = None,
        *,
        jwks_url: str | None = None,
        fresh: float = 3600.0,
        kept: float = 86_400.0,
        pause: float = 10.0,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if (address := jwks_url or issuer) is None:
            raise ValueError("an issuer, or where its keys are")
        _check(address)
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._fresh = fresh
        self._kept = kept
        self._pause = pause
        self._timeout = timeout
        self._clock = clock
        self._keys: tuple[VerificationKey, ...] = ()
        self._fetched: float | None = None
        self._tried: float | None = None
        self._answered = False
        self._flight: asyncio.Task[None] | None = None

    async def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """The keys that a token may be signed with.

        A key that is not known is asked for at once, but not more often than every ``pause``
        seconds: whoever makes names up cannot make this host trouble the issuer.

        Raises:
            BoardsError: The issuer does not answer, and that key is not known.
        """
        age = self._age()
        if age > self._kept:
            await self._ask()
        elif age > self._fresh:
            self._begin()  # meanwhile the keys that are there will do
        if self._age() <= self._kept:
            found = fitting(self._keys, kid, algorithm)
            if found or any(one.kid == kid for one in self._keys if kid is not None):
                return found
            await self._ask()
            if (found := fitting(self._keys, kid, algorithm)) or self._answered:
                return found
        error = BoardsError(
            f"The keys of {self._issuer or self._jwks_url} cannot be fetched now.",
            remedy="Try again soon. If it stays so, look at the issuer and at the log.",
        )
        error.retryable = True
        raise error

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._clock() - self._fetched

    async def _ask(self) -> None:
        if (flight := self._begin()) is not None:
            # One who stops waiting does not end it for the others.
            await asyncio.wait([flight])

    def _begin(self) -> "asyncio.Task[None] | None":
        """Ask the issuer, unless that was just done; the question under way, if there is one."""
        if self._flight is not None and not self._flight.done():
            return self._flight
        now = self._clock()
        if self._tried is not None and now - self._tried < self._pause:
            return None
        self._tried = now
        self._flight = asyncio.create_task(self._refresh(), name="boards-jwt-keys")
        return self._flight

    async def _refresh(self) -> None:
        try:
            keys = await self._fetch()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            told = str(error) or type(error).__name__
            self._answered = False
            _log.warning("The keys of %s: %s", self._issuer or self._jwks_url, told)
        else:
            self._keys, self._fetched, self._answered = keys, self._clock(), True

    async def _fetch(self) -> tuple[VerificationKey, ...]:
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            address = self._jwks_url or await self._discovered(session)
            return key_set(await _document(session, address))

    async def _discovered(self, session: aiohttp.ClientSession) -> str:
        issuer = self._issuer or ""
        document = await _document(session, f"{issuer.removesuffix('/')}{_DISCOVERY}")
        told = document.get("issuer") if isinstance(document, dict) else None
        if told != issuer:
            raise ValueError(f"its configuration is of the issuer {told!r}")
        address = document.get("jwks_uri")
        if not isinstance(address, str):
            raise ValueError("its configuration does not tell where the keys are")  # noqa: TRY004
        _check(address)
        return address

    async def close(self) -> None:
        """Stop asking; it may be used again."""
        flight, self._flight = self._flight, None
        if flight is not None and not flight.done():
            flight.cancel()
            await asyncio.wait([flight])


async def _document(session: aiohttp.ClientSession, address: str) -> Any:
    headers = {"Accept": "application/json"}
    async with session.get(address, headers=headers, allow_redirects=False) as response:
        if response.status != 200:
            raise ValueError(f"{address} answers {response.status}")
        content = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise ValueError(f"{address} answers more than {_MOST_BYTES:,} bytes")
    try:
        return json.loads(bytes(content))
    except (ValueError, RecursionError):
        raise ValueError(f"{address} does not answer JSON") from None


def _check(address: str) -> None:
    """Refuse what somebody on the way could change: keys that come so prove nothing."""
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme != "http" or not _is_loopback(parts.hostname or ""):
        raise ValueError(f"{address!r} is no https address")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
