"""A storage that is being tried, and everything that was written to it."""

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from attrs import define, field

from boards.errors import StorageError
from boards.storage.protocol import Blob, BlobWriter, Storage
from boards.testing.conformance.checks import NonconformanceError, require

__all__ = [
    "Place",
    "StorageSubject",
    "chunked",
    "content",
    "key_of",
    "opened",
    "random_bytes",
    "refused",
]

KB = 1 << 10
MB = 1 << 20


class StorageSubject(Protocol):
    """What the kit asks of an author."""

    @property
    def storage(self) -> str:
        """The storage's name, by which another process finds it; empty where it has none."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment in which it is made."""

    def make_storage(self, folder: Path) -> Storage:
        """A new storage, not yet open."""


@define
class Place:
    """Where a check works: an open storage, beside whatever else is already in it.

    Attributes:
        subject: What made it.
        folder: The directory that was given to the subject.
        storage: The storage, open.
        written: Every key that the check made; they are deleted at its end.
    """

    subject: StorageSubject
    folder: Path
    storage: Storage
    written: set[str] = field(factory=set)

    async def put(self, data: bytes, extension: str = "bin", *, chunk: int = 256 * KB) -> Blob:
        """Store bytes, in chunks of so many."""
        writer = self.storage.writer()
        for piece in chunked(data, chunk):
            await writer.write(piece)
        return await self.commit(writer, extension)

    async def commit(self, writer: BlobWriter, extension: str = "bin") -> Blob:
        """Commit a writer, and note what came of it."""
        blob = await writer.commit(extension)
        self.written.add(blob.key)
        return blob

    async def stat(self, key: str) -> Blob:
        """What the storage tells of a blob that it has."""
        found = await self.storage.stat(key)
        if found is None:
            raise NonconformanceError("stat() does not know a blob that was committed.")
        return found

    async def listed(self, storage: Storage | None = None) -> list[Blob]:
        """What the storage lists."""
        return [blob async for blob in (storage or self.storage).list()]

    async def require_bytes(self, key: str, data: bytes, when: str) -> None:
        """Require that a blob has exactly these bytes."""
        try:
            found = await content(self.storage, key)
        except StorageError as error:
            raise NonconformanceError(f"{when}, the blob cannot be read: {error}") from error
        if found != data:
            raise NonconformanceError(
                f"{when}, the blob has {len(found):,} bytes that are not the {len(data):,} that"
                " were written."
            )

    async def require_gone(self, data: bytes, when: str, extension: str = "bin") -> None:
        """Require that bytes, or a part of them from the start, are nowhere visible."""
        key = key_of(data, extension)
        require(await self.storage.stat(key) is None, f"{when}, stat() still knows the blob.")
        for blob in await self.listed():
            partial = 0 < blob.size <= len(data) and blob.key not in self.written
            if partial and blob.sha256 == hashlib.sha256(data[: blob.size]).hexdigest():
                self.written.add(blob.key)
                raise NonconformanceError(
                    f"{when}, list() has a blob with {blob.size:,} of the {len(data):,} bytes."
                )


@contextlib.asynccontextmanager
async def opened(subject: StorageSubject) -> AsyncIterator[Place]:
    """A storage in a directory of its own; at the end, what was written is deleted."""
    with tempfile.TemporaryDirectory(prefix="boards-storage-") as name:
        folder = await asyncio.to_thread(_prepare, name)
        place = Place(subject, folder, subject.make_storage(folder))
        await place.storage.open()
        try:
            yield place
        finally:
            # The place may be a shared one, as a bucket is.
            for key in place.written:
                with contextlib.suppress(Exception):
                    await place.storage.delete(key)
            await place.storage.close()


def _prepare(name: str) -> Path:
    folder = Path(name).resolve() / "place"
    folder.mkdir()
    return folder


def random_bytes(size: int) -> bytes:
    """Bytes that no storage has yet."""
    return os.urandom(size)


def chunked(data: bytes, size: int) -> Iterable[bytes]:
    """Bytes in pieces of so many."""
    return (data[start : start + size] for start in range(0, len(data), size))


def key_of(data: bytes, extension: str = "bin") -> str:
    """The key that a storage makes for bytes."""
    return f"{hashlib.sha256(data).hexdigest()}.{extension}"


async def content(storage: Storage, key: str) -> bytes:
    """All bytes of a blob."""
    return b"".join([chunk async for chunk in storage.read(key)])


async def refused(asked: Awaitable[object], what: str) -> None:
    """Require that a call raises a :class:`boards.errors.StorageError` and nothing else."""
    try:
        answer = await asked
    except StorageError:
        return
    except Exception as error:
        raise NonconformanceError(
            f"{what} raises {type(error).__name__}: {error}", "Raise a StorageError instead."
        ) from error
    raise NonconformanceError(
        f"{what} is not refused: it returns {answer!r:.100}", "Raise a StorageError."
    )
