"""Fetching outputs: untrusted URLs, streamed into the storage, capped while they stream.

A download that breaks off goes on where it stopped, if the server's answer proves that these are
still the same bytes; otherwise it begins again.
"""

import asyncio
import heapq
import math
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Protocol
from urllib.parse import quote, urljoin

from attrs import define, frozen

from boards.artifacts import declared_type
from boards.engine.transport import (
    CONTROLS,
    LostReplyError,
    Reply,
    Request,
    Transport,
    UnsentError,
    shown_url,
    unsilent,
)
from boards.errors import ProviderError
from boards.spec.hosts import origin
from boards.storage import BlobWriter, Storage

__all__ = ["Downloaded", "Downloader", "Fetcher"]

MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_GONE: Final = frozenset({403, 404, 410})
_NOT_YET: Final = frozenset({202, 408, 425, 429})
_SILENCE: Final = 60.0
"""Seconds without a byte after which a download is taken for broken."""
_RESUMES: Final = 20
"""How often one download goes on after a break."""
_FRUITLESS: Final = 4
"""How often in a row it goes on without a single new byte."""
_PAUSES: Final = (0.1, 5.0)
"""Seconds before it goes on: doubled with each fruitless try, and at most."""
_WORTH_KEEPING: Final = 1_048_576
"""Bytes from which what arrived is kept for the next fetch of the same URL."""
_KEPT: Final = 32
_KEPT_SECONDS: Final = 600.0
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.ASCII)
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


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

    async def fetch(
        self, url: str, headers: Mapping[str, str] | None = None, *, expires_at: float = 0.0
    ) -> Downloaded:
        """Fetch one URL: see :meth:`Downloader.fetch`."""


class _Slots:
    """So many at once; of those that wait, the one that can wait the shortest goes first."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._number = 0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def taken(self, until: float) -> AsyncIterator[None]:
        """Hold one; ``until`` when what it is for has to be done."""
        if self._free > 0:
            self._free -= 1
        else:
            given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._number += 1
            heapq.heappush(self._waiting, (until, self._number, given))
            try:
                await given
            except asyncio.CancelledError:
                if given.done() and not given.cancelled():
                    self._leave()
                raise
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        while self._waiting:
            _, _, given = heapq.heappop(self._waiting)
            if not given.done():
                given.set_result(None)
                return
        self._free += 1


@define
class _Partial:
    """What arrived of a download so far.

    Attributes:
        writer: Holds it; None before the first answer.
        validator: The strong ETag or date of the bytes; None where they cannot be gone on with.
        total: Bytes of the whole, if the server told.
        content_type: As it declared it.
        kept_at: When it was laid aside for another fetch; monotonic seconds.
    """

    writer: BlobWriter | None = None
    validator: str | None = None
    total: int | None = None
    content_type: str | None = None
    kept_at: float = 0.0

    @property
    def size(self) -> int:
        """Bytes that arrived."""
        return self.writer.size if self.writer is not None else 0

    @property
    def resumable(self) -> bool:
        """Whether to ask for the rest alone."""
        return self.size > 0 and self.validator is not None

    async def drop(self) -> None:
        """Forget all of it."""
        if self.writer is not None:
            await self.writer.abort()
        self.writer = self.validator = self.total = self.content_type = None


class Downloader:
    """Fetches URLs into a storage.

    What arrived of a download that failed for now is kept for ten minutes, in this process: the
    next fetch of the same URL goes on with it.

    Args:
        transport: Checks every address that it connects to.
        storage: Where the bytes go.
        limit: Bytes that an output may have at most.
        concurrency: Downloads at once: each holds up to 1 MiB in memory.
        timeout: Seconds for one download, however often it breaks off.
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
        self._slots = _Slots(concurrency)
        self._kept: OrderedDict[str, _Partial] = OrderedDict()

    async def fetch(
        self, url: str, headers: Mapping[str, str] | None = None, *, expires_at: float = 0.0
    ) -> Downloaded:
        """Fetch one URL.

        Args:
            url: http(s), from a reply.
            headers: For the URL's own origin only, credentials included; dropped for good at a
                redirect elsewhere.
            expires_at: Where many wait, the soonest goes first: Unix seconds.

        Raises:
            ProviderError: ``untrusted_url`` for an address that is not public or a scheme other
                than http(s), ``not_found``, ``transient`` where trying again may help, and
                ``provider`` for what is too large.
        """
        async with self._slots.taken(expires_at):
            await self._forget(before=time.monotonic() - _KEPT_SECONDS)
            partial = self._kept.pop(url, None) or _Partial()
            try:
                return await self._to_its_end(url, headers or {}, partial)
            except ProviderError as error:
                if error.retryable and partial.resumable and partial.size >= _WORTH_KEEPING:
                    await self._keep(url, partial)
                else:
                    await partial.drop()
                raise
            except BaseException:
                await partial.drop()
                raise

    async def close(self) -> None:
        """Drop what was kept of broken downloads."""
        await self._forget(before=float("inf"))

    async def _keep(self, url: str, partial: _Partial) -> None:
        partial.kept_at = time.monotonic()
        if (other := self._kept.pop(url, None)) is not None:
            await other.drop()
        self._kept[url] = partial
        while len(self._kept) > _KEPT:
            await self._kept.popitem(last=False)[1].drop()

    async def _forget(self, *, before: float) -> None:
        while self._kept and next(iter(self._kept.values())).kept_at < before:
            await self._kept.popitem(last=False)[1].drop()

    async def _to_its_end(self, url: str, own: Mapping[str, str], partial: _Partial) -> Downloaded:
        """Fetch a URL, going on after breaks."""
        deadline = time.monotonic() + self._timeout
        fruitless = 0
        for _ in range(_RESUMES):
            before = partial.size
            try:
                return await self._follow(url, own, partial, deadline - time.monotonic())
            except _ChangedError:
                await partial.drop()
            except _BrokenOffError as error:
                if not partial.resumable:
                    raise ProviderError("transient", str(error)) from error
            fruitless = 0 if partial.size > before else fruitless + 1
            first, most = _PAUSES
            pause = min(first * 2**fruitless, most)
            if fruitless >= _FRUITLESS or time.monotonic() + pause > deadline:
                break
            await asyncio.sleep(pause)
        raise ProviderError("transient", f"The output {shown_url(url)} broke off again and again.")

    async def _follow(
        self, url: str, own: Mapping[str, str], partial: _Partial, seconds: float
    ) -> Downloaded:
        """Fetch a URL through its redirects, each checked like the first."""
        here = _encoded(url)
        first = origin(here)
        headers = {"Accept-Encoding": "identity", "Accept": "*/*", **own}
        for _ in range(MAX_REDIRECTS + 1):
            at = origin(here)
            if at is None:
                raise ProviderError(
                    "untrusted_url",
                    f"The output URL {shown_url(here)} was not fetched: it is not http(s) with a"
                    " plain host.",
                )
            if at != first:
                # Also where a redirect leads back: whoever sent it must not steer credentials.
                headers = {"Accept-Encoding": "identity", "Accept": "*/*"}
            more = {}
            if partial.resumable:
                more = {"Range": f"bytes={partial.size}-", "If-Range": str(partial.validator)}
            whole = math.ceil(seconds)  # the transport keeps what it makes of a timeout
            reply = await self._send(Request("GET", here, {**headers, **more}, timeout=whole))
            try:
                if reply.status in _REDIRECTS and "location" in reply.headers:
                    here = _redirected(here, reply.headers["location"])
                    continue
                return await self._read(reply, partial)
            finally:
                await reply.close()
        raise ProviderError(
            "untrusted_url", f"The output URL {shown_url(url)} redirects in circles."
        )

    async def _send(self, request: Request) -> Reply:
        try:
            return await self._transport.send(request)
        except UnsentError as error:
            if error.forbidden is not None:
                raise ProviderError(
                    "untrusted_url",
                    f"The output URL {shown_url(request.url)} was not fetched: {error}.",
                    remedy=(
                        "If the address is meant, allow it: "
                        f"BOARDS_ALLOW_PRIVATE_HOSTS={error.forbidden}"
                    ),
                ) from error
            raise _BrokenOffError(f"The output could not be fetched: {error}") from error
        except LostReplyError as error:
            raise _BrokenOffError(f"The output could not be fetched: {error}") from error

    async def _read(self, reply: Reply, partial: _Partial) -> Downloaded:
        if partial.resumable and reply.status in (206, 416):
            _go_on(partial, reply)
        else:
            _accept(reply.status)
            await partial.drop()
            _begin(partial, reply)
            partial.writer = self._storage.writer()
        if partial.total is not None and partial.total > self._limit:
            raise too_large(f"{partial.total:,} bytes", self._limit)
        writer = partial.writer
        assert writer is not None  # noqa: S101  # made above, or before the break
        try:
            async for chunk in unsilent(reply.chunks(), _SILENCE):
                await writer.write(chunk)
                if writer.size > self._limit:
                    raise too_large(f"more than {self._limit:,} bytes", self._limit)
        except LostReplyError as error:
            raise _BrokenOffError(f"The output broke off: {error}") from error
        if partial.total is not None and writer.size < partial.total:
            raise _BrokenOffError(f"The output broke off after {writer.size:,} bytes.")
        if partial.total is not None and writer.size > partial.total:
            raise _ChangedError
        return Downloaded(writer, partial.content_type)


def too_large(size: str, limit: int) -> ProviderError:
    """Why an output is not kept that has more bytes than are allowed."""
    return ProviderError(
        "provider",
        f"The output has {size}; at most {limit:,} are kept.",
        remedy="Raise BOARDS_MAX_OUTPUT_SIZE, then generate again.",
    )


class _BrokenOffError(Exception):
    """The connection failed: before the reply, or in the middle of it."""


class _ChangedError(Exception):
    """What the server has are not the bytes that it began with."""


def _accept(status: int) -> None:
    """Raise for a status that does not bring the whole."""
    if status == 200:
        return
    message = f"The output URL answers HTTP {status}."
    if status in _GONE:
        raise ProviderError("not_found", message, status=status)
    if status >= 500 or status in _NOT_YET:
        raise ProviderError("transient", message, status=status)
    raise ProviderError("provider", message, status=status)


def _begin(partial: _Partial, reply: Reply) -> None:
    """Note what the first answer tells of the whole."""
    headers = reply.headers
    declared = headers.get("content-length", "")
    # With a coding, lengths and ranges count other bytes than those that arrive here.
    plain = _uncoded(headers)
    partial.total = int(declared) if plain and declared.isdecimal() else None
    essence = headers.get("content-type", "").partition(";")[0].strip().lower()
    partial.content_type = declared_type(essence)
    ranges = headers.get("accept-ranges", "bytes").strip().lower() == "bytes"
    partial.validator = _validator(headers) if plain and ranges else None


def _validator(headers: Mapping[str, str]) -> str | None:
    """What proves later that the bytes are the same (RFC 9110, section 13.1.5)."""
    etag = headers.get("etag", "")
    if etag:
        return etag if etag.startswith('"') else None  # W/: alike, not the same
    modified = headers.get("last-modified", "")
    try:
        age = parsedate_to_datetime(headers.get("date", "")) - parsedate_to_datetime(modified)
    except (ValueError, TypeError):
        return None
    # Bytes of this very second may change within it, and keep their date.
    return modified if age >= timedelta(seconds=1) else None


def _go_on(partial: _Partial, reply: Reply) -> None:
    """Make sure that a reply is the rest of what arrived.

    Raises:
        _ChangedError: It is not.
    """
    headers, validator = reply.headers, partial.validator
    found = _RANGE.fullmatch(headers.get("content-range", "").strip())
    if reply.status != 206 or validator is None or found is None or not _uncoded(headers):
        raise _ChangedError
    start, end = int(found[1]), int(found[2])
    total = partial.total if found[3] == "*" else int(found[3])
    same = headers.get("etag" if validator.startswith('"') else "last-modified", validator)
    if (
        start != partial.size
        or end < start
        or (total is not None and end >= total)
        or partial.total not in (None, total)
        or same != validator
    ):
        raise _ChangedError
    partial.total = total


def _uncoded(headers: Mapping[str, str]) -> bool:
    return headers.get("content-encoding", "").strip().lower() in ("", "identity")


def _encoded(url: str) -> str:
    """A URL with blanks and other than ASCII percent-encoded, as browsers do; the rest as it is."""
    return url if CONTROLS.search(url) else quote(url, safe=_PRINTABLE, errors="replace")


def _redirected(here: str, location: str) -> str:
    """Where a redirect leads.

    Raises:
        ProviderError: ``untrusted_url``: nowhere.
    """
    try:
        # Checked as it came: urljoin drops tabs and line ends.
        return location if CONTROLS.search(location) else _encoded(urljoin(here, location))
    except ValueError as error:
        raise ProviderError(
            "untrusted_url", f"The output URL {shown_url(here)} redirects to nowhere: {error}."
        ) from error
