"""Fetching outputs: untrusted URLs, streamed into the storage, capped while they stream."""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urljoin

from attrs import frozen

from boards.engine.transport import (
    LostReplyError,
    Reply,
    Request,
    Transport,
    UnsentError,
)
from boards.engine.trust import origin
from boards.errors import ProviderError
from boards.storage import BlobWriter, Storage

__all__ = ["Downloaded", "Downloader", "Fetcher"]

MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_GONE: Final = frozenset({403, 404, 410})


@frozen
class Downloaded:
    """Bytes that arrived, still to be committed.

    Attributes:
        writer: Holds them.
        content_type: As the server declared it, without parameters.
    """

    writer: BlobWriter
    content_type: str | None


class Fetcher(Protocol):
    """Fetches outputs."""

    async def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Downloaded:
        """Fetch one URL: see :meth:`Downloader.fetch`."""


class Downloader:
    """Fetches URLs into a storage.

    Args:
        transport: Checks every address that it connects to.
        storage: Where the bytes go.
        limit: Bytes that an output may have at most.
        concurrency: Downloads at once: each holds up to 1 MiB in memory.
        timeout: Seconds for one download.
    """

    def __init__(
        self,
        transport: Transport,
        storage: Storage,
        *,
        limit: int,
        concurrency: int = 32,
        timeout: float = 1800.0,
    ) -> None:
        self._transport = transport
        self._storage = storage
        self._limit = limit
        self._timeout = timeout
        self._slots = asyncio.Semaphore(concurrency)

    async def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Downloaded:
        """Fetch one URL.

        Args:
            url: http(s), from a reply.
            headers: For the URL's own origin only, credentials included; dropped at a redirect
                elsewhere.

        Raises:
            ProviderError: ``untrusted_url`` for an address that is not public or a scheme other
                than http(s), ``not_found``, ``transient`` where trying again may help, and
                ``provider`` for what is too large.
        """
        async with self._slots:
            return await self._follow(url, headers or {})

    async def _follow(self, url: str, own: Mapping[str, str]) -> Downloaded:
        """Fetch a URL through its redirects, each checked like the first."""
        first = origin(url)
        here = url
        for _ in range(MAX_REDIRECTS + 1):
            at = origin(here)
            if at is None:
                raise ProviderError("untrusted_url", f"The output URL {here[:200]} is not http(s).")
            headers = {"Accept-Encoding": "identity", "Accept": "*/*"}
            if at == first:
                headers.update(own)
            reply = await self._send(Request("GET", here, headers, timeout=self._timeout))
            try:
                if reply.status in _REDIRECTS and "location" in reply.headers:
                    here = urljoin(here, reply.headers["location"])
                    continue
                return await self._read(reply, here)
            finally:
                await reply.close()
        raise ProviderError("untrusted_url", f"The output URL {url[:200]} redirects in circles.")

    async def _send(self, request: Request) -> Reply:
        try:
            return await self._transport.send(request)
        except UnsentError as error:
            if error.forbidden is not None:
                raise ProviderError(
                    "untrusted_url",
                    f"The output URL {request.url[:200]} was not fetched: {error}.",
                    remedy=(
                        "If the address is meant, allow it: "
                        f"BOARDS_ALLOW_PRIVATE_HOSTS={error.forbidden}"
                    ),
                ) from error
            raise ProviderError("transient", f"The output could not be fetched: {error}") from error
        except LostReplyError as error:
            raise ProviderError("transient", f"The output could not be fetched: {error}") from error

    async def _read(self, reply: Reply, url: str) -> Downloaded:
        if reply.status in _GONE:
            raise ProviderError(
                "not_found", f"The output URL answers HTTP {reply.status}.", status=reply.status
            )
        if reply.status >= 500 or reply.status in (408, 429):
            raise ProviderError(
                "transient", f"The output URL answers HTTP {reply.status}.", status=reply.status
            )
        if reply.status != 200:
            raise ProviderError(
                "provider", f"The output URL answers HTTP {reply.status}.", status=reply.status
            )
        declared = reply.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limit:
            raise self._too_large(f"{int(declared):,} bytes")
        writer = self._storage.writer()
        try:
            async for chunk in reply.chunks():
                await writer.write(chunk)
                if writer.size > self._limit:
                    raise self._too_large(f"more than {self._limit:,} bytes")  # noqa: TRY301
        except LostReplyError as error:
            await writer.abort()
            raise ProviderError("transient", f"The output broke off: {error}") from error
        except BaseException:
            await writer.abort()
            raise
        content_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Downloaded(writer, content_type or None)

    def _too_large(self, size: str) -> ProviderError:
        return ProviderError(
            "provider",
            f"The output has {size}; at most {self._limit:,} are kept.",
            remedy="Raise BOARDS_MAX_OUTPUT_SIZE, then generate again.",
        )
