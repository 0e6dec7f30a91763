"""Artifacts as objects of a bucket, named by the hash of their bytes: ``PREFIX/SHA256.EXTENSION``.

An object becomes visible when its upload is complete: in one request, or with the last one of a
multipart upload. As its name is the hash of all of it, a larger file waits in a temporary file of
this machine until its end, and is uploaded once, to where it stays.

S3 cannot delete an object on the condition that nobody wrote it meanwhile, and equal bytes are
written to the same name. Whoever deletes by age therefore announces it first, by an object
``PREFIX/deleting/KEY``, and whoever wrote looks for that afterwards: either the one who deletes
sees the new object, or the one who wrote sees the announcement, or that the object is gone.
"""

import asyncio
import contextlib
import hashlib
import mimetypes
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from boards.artifacts import KEY
from boards.errors import StorageError
from boards.storage.protocol import Blob, BlobWriter
from boards_s3.bucket import Bucket
from boards_s3.failures import is_missing, told
from boards_s3.writer import S3Writer

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import S3Config, S3Store

__all__ = ["S3Storage"]

_HEAD: Final = 4096
_FIRST: Final = 1 << 20
"""Bytes of the first request of a reader: who wants the headers of a medium stops there."""
_RANGE: Final = 8 << 20
"""Bytes of each later one. Nothing is open between two, however slow the reader is."""
_CHUNK: Final = 1 << 18

_PART: Final = 8 << 20
"""Bytes of a part of a multipart upload, and of the largest file that goes in one request."""
_PARTS: Final = 2
_UPLOADS: Final = 8
"""Uploads at once, of two parts each: together they hold 128 MiB."""

_EMPTY: Final = hashlib.sha256().hexdigest()
_LONGEST: Final = 7 * 24 * 3600
"""Seconds that a signed address may last."""

_DELETING: Final = "deleting"
_SECOND: Final = 1.0
"""S3 counts when an object was written in whole seconds, cut off."""
_DELETION: Final = 30.0
"""Seconds in which a deletion is done after its announcement, or given up."""
_STALE: Final = 120.0
"""Seconds after which an announcement is a leftover of a crash."""
_AGAIN: Final = 0.25
_UPLOADED_AGAIN: Final = 5

_TIMEOUT: Final = timedelta(minutes=2)
_CONNECT: Final = timedelta(seconds=5)
_BACKOFF: Final = timedelta(seconds=5)

_DRAWING: Final = "image/svg+xml"
_SAFE_TYPES: Final = frozenset({"application/json", "application/pdf", "application/zip"})


class S3Storage:
    """Blobs in a bucket. Implements :class:`boards.storage.Storage`.

    Args:
        bucket: Which, where, and with whose keys.
        patience: Seconds for which a request is tried again that the server does not answer, or
            answers by an error of its own.
    """

    def __init__(self, bucket: Bucket, *, patience: float = 60.0) -> None:
        self.bucket = bucket
        self._patience = patience
        self._store: S3Store | None = None
        self._uploads = asyncio.Semaphore(_UPLOADS)

    async def open(self) -> None:
        """Make ready. Nothing is asked of the server yet: a look at a list needs no bucket."""
        if self._store is None:
            store = await asyncio.to_thread(self._connected)
            self._uploads = asyncio.Semaphore(_UPLOADS)
            self._store = store

    async def close(self) -> None:
        """Release the connections, once nobody uses them."""
        self._store = None

    def writer(self) -> BlobWriter:
        """A new, empty writer."""
        return S3Writer(self)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of a blob, in chunks of at most 256 KiB.

        Raises:
            StorageError: There is no such blob, or it cannot be read.
        """
        digest, doing = _hash_of(key), f"read {key}"
        store, name = self._ready(), self.bucket.key(key)
        with self._telling(doing):
            size = (await store.head_async(name))["size"] if digest == _EMPTY else _FIRST
        position = 0
        while position < size and digest != _EMPTY:
            until = position + (_RANGE if position else _FIRST)
            with self._telling(doing):
                found = await store.get_async(name, options={"range": (position, until)})
                size = found.meta["size"]
                content = bytes(await found.bytes_async())
            for start in range(0, len(content), _CHUNK):
                yield content[start : start + _CHUNK]
            position += len(content)

    async def stat(self, key: str) -> Blob | None:
        """Size, hash and first bytes of a blob; None if there is none."""
        digest = _hash_of(key)
        store, name = self._ready(), self.bucket.key(key)
        try:
            with self._telling(f"look at {key}", missing=True):
                if digest == _EMPTY:  # of nothing there is no first byte to be asked for
                    return _blob(key, await store.head_async(name))
                found = await store.get_async(name, options={"range": (0, _HEAD)})
                return _blob(key, found.meta, bytes(await found.bytes_async()))
        except FileNotFoundError:
            return None

    async def delete(self, key: str, *, before: float | None = None) -> bool:
        """Remove a blob; False if there was none, or if it was written since ``before``."""
        if before is None:
            found = await self.stat(key) is not None
            if found:
                await self._remove(key)
            return found
        _hash_of(key)
        announcement = f"{_DELETING}/{key}"
        await self._put(announcement, b"")
        try:
            async with asyncio.timeout(_DELETION):
                blob = await self.stat(key)
                gone = blob is not None and _older(blob, before)
                if gone:
                    await self._remove(key)
        except TimeoutError:
            raise StorageError(
                f"The {self.bucket.where} took more than {_DELETION:g} seconds to delete {key}.",
                remedy="Try again.",
            ) from None
        finally:
            await self._remove(announcement)
        return gone

    async def list(self) -> AsyncIterator[Blob]:
        """Every blob, in no order. What else lies in the bucket is passed over."""
        pages = self._ready().list(self.bucket.prefix or None, chunk_size=1000)
        begin = len(self.bucket.key(""))
        while True:
            with self._telling("list the objects"):
                page = await anext(pages, None)
            if page is None:
                return
            for one in page:
                if KEY.fullmatch(key := one["path"][begin:]):
                    yield _blob(key, one)

    def path(self, key: str) -> Path | None:
        """None: objects are no files of this machine.

        Raises:
            StorageError: The key is none that a storage made.
        """
        _hash_of(key)
        return None

    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        """A signed address, for 7 days at most; None where the bucket cannot be reached by all.

        It is not looked whether there is such a blob. Where the keys are temporary, the address
        ends with them.
        """
        _hash_of(key)
        store, name = self._ready(), self.bucket.key(key)
        if not self.bucket.public:
            return None
        from obstore import sign_async  # noqa: PLC0415  # loaded with the first storage

        lasts = timedelta(seconds=min(max(int(expires), 1), _LONGEST))
        with self._telling(f"sign an address of {key}"):
            return await sign_async(store, "GET", name, lasts)

    async def keep(self, key: str, content: bytes | IO[bytes], size: int) -> None:
        """Upload the bytes whose key this is, and see that they stay. For writers.

        Raises:
            StorageError: They cannot be uploaded; nothing of them is visible.
        """
        kind = {"Content-Type": _media_type(key)}
        if kind["Content-Type"] == _DRAWING:  # a page shows it; alone it would run its scripts
            kind["Content-Disposition"] = "attachment"
        for _ in range(_UPLOADED_AGAIN):
            if not isinstance(content, bytes):
                content.seek(0)
            async with self._uploads:
                await self._put(key, content, kind, multipart=size > _PART)
            if await self._stays(key):
                return
        raise StorageError(
            f"The {self.bucket.where} took {key} {_UPLOADED_AGAIN} times, and does not have it.",
            remedy="See whether something else deletes objects there.",
        )

    async def _stays(self, key: str) -> bool:
        """Whether a blob that was just written is there, once nobody is about to delete it."""
        began = time.monotonic()
        while True:
            # In this order: who announced before this look, and did not find the new object old,
            # has deleted before the next look or not at all.
            announced = await self._head(f"{_DELETING}/{key}")
            kept = await self._head(key)
            if announced is None or kept is None:
                return kept is not None
            age = _seconds(kept) - _seconds(announced) + time.monotonic() - began
            if age > _STALE:
                return True
            await asyncio.sleep(_AGAIN)

    async def _put(
        self,
        name: str,
        content: bytes | IO[bytes],
        attributes: dict[str, str] | None = None,
        *,
        multipart: bool = False,
    ) -> None:
        with self._telling(f"write {name}"):
            await self._ready().put_async(
                self.bucket.key(name),
                content,
                attributes=attributes,
                use_multipart=multipart,
                chunk_size=_PART,
                max_concurrency=_PARTS,
            )

    async def _head(self, name: str) -> "ObjectMeta | None":
        try:
            with self._telling(f"look at {name}", missing=True):
                return await self._ready().head_async(self.bucket.key(name))
        except FileNotFoundError:
            return None

    async def _remove(self, name: str) -> None:
        with self._telling(f"delete {name}"):
            await self._ready().delete_async(self.bucket.key(name))

    def _ready(self) -> "S3Store":
        if self._store is None:
            raise StorageError(
                f"The storage of the {self.bucket.where} is not open.",
                remedy="Call open() before using it.",
            )
        return self._store

    @contextlib.contextmanager
    def _telling(self, doing: str, *, missing: bool = False) -> Iterator[None]:
        """Tell the client's errors as Boards does; that an object is missing may pass as it is."""
        from obstore.exceptions import BaseError  # noqa: PLC0415  # loaded with the first storage

        try:
            yield
        except (BaseError, FileNotFoundError, ValueError, OSError) as error:
            if missing and is_missing(error):
                raise
            # Without its cause, which quotes the server, and that quotes requests.
            raise told(error, self.bucket, doing) from None

    def _connected(self) -> "S3Store":
        """The client. Loading it takes long enough for a thread of its own."""
        from obstore.store import S3Store  # noqa: PLC0415  # its library is large

        bucket, keys = self.bucket, self.bucket.keys
        more: dict[str, Any] = {}
        if keys is not None:
            # Not as settings: a token in the process's environment would be mixed in.
            given = {
                "access_key_id": keys.id,
                "secret_access_key": keys.secret,
                "token": keys.token,
                "expires_at": None,
            }
            more["credential_provider"] = lambda: given
        with self._telling("make the client"):
            return S3Store(
                # One by one: not every server has the request that deletes many.
                config=cast("S3Config", {**bucket.config(), "disable_bulk_delete": True}),
                client_options={
                    "allow_http": bucket.server.startswith("http://"),
                    "connect_timeout": _CONNECT,
                    "timeout": _TIMEOUT,
                },
                retry_config={
                    "max_retries": 12,
                    "retry_timeout": timedelta(seconds=self._patience),
                    "backoff": {"max_backoff": _BACKOFF},
                },
                **more,
            )


def _hash_of(key: str) -> str:
    """The hash in a key.

    Raises:
        StorageError: The key is none that a storage made. Nothing was asked of the bucket.
    """
    match = KEY.fullmatch(key)
    if match is None:
        raise StorageError(f"{key[:100]!r} is no key of a storage: SHA256.EXTENSION.")
    return match[1]


def _blob(key: str, facts: "ObjectMeta", head: bytes = b"") -> Blob:
    return Blob(key, facts["size"], _hash_of(key), head, _seconds(facts))


def _seconds(facts: "ObjectMeta") -> float:
    return facts["last_modified"].timestamp()


def _older(blob: Blob, before: float) -> bool:
    """Whether a blob was written before then, whatever its second left out."""
    return blob.stored_at is not None and blob.stored_at + _SECOND <= before


def _media_type(key: str) -> str:
    """What a browser is told of a blob: never that it is a page, which could have scripts."""
    guessed, encoding = mimetypes.guess_type(key, strict=False)
    family = (guessed or "").partition("/")[0]
    shown = family in ("image", "audio", "video", "model") or guessed in _SAFE_TYPES
    if guessed == "text/plain":
        return "text/plain; charset=utf-8"
    return guessed if guessed and shown and not encoding else "application/octet-stream"
