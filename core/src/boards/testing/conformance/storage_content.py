"""Checks of a storage: what was written is what is read, whoever else writes at the time."""

import asyncio
from itertools import zip_longest
from typing import Final

from boards.errors import StorageError
from boards.testing.conformance.checks import CheckTable, NotApplicable, require
from boards.testing.conformance.storage_place import (
    KB,
    MB,
    StorageSubject,
    chunked,
    content,
    key_of,
    opened,
    random_bytes,
)

__all__ = ["CHECKS"]

HEAD: Final = 4096
LARGE: Final = 24 * MB
LARGEST_CHUNK: Final = 16 * MB
"""No storage may need the whole of a film in memory."""

SIZES: Final = (0, 1, HEAD - 1, HEAD, HEAD + 1, 64 * KB - 1, MB - 1, MB, MB + 1, 5 * MB + 1)
"""Bytes, on both sides of where buffers, pages and parts of uploads end."""

CHECKS: Final = CheckTable[StorageSubject]()


@CHECKS.add("round-trip")
async def round_trip(subject: StorageSubject) -> None:
    """What is written is read back, and its key, size and hash are those of the bytes."""
    async with opened(subject) as place:
        for data in (b"Boards " + random_bytes(10_000), b"Boards " + random_bytes(20)):
            blob = await place.put(data, "txt", chunk=3000)
            expected = (key_of(data, "txt"), len(data), key_of(data)[:64], data[:HEAD])
            told = (blob.key, blob.size, blob.sha256, blob.head)
            require(told == expected, f"commit() told {told!r:.300}, not {expected!r:.300}.")
            await place.require_bytes(blob.key, data, "After the commit")
            found = await place.stat(blob.key)
            facts = (found.key, found.size, found.sha256)
            require(facts == expected[:3], f"stat() tells {facts!r}, not {expected[:3]!r}.")
            require(
                found.head in (b"", data[:HEAD]),
                "stat() tells first bytes that are not the blob's.",
                "Tell the first 4,096 bytes, or none.",
            )


@CHECKS.add("sizes", seconds=180)
async def sizes(subject: StorageSubject) -> None:
    """Streams of any size, in chunks of any size, are kept byte for byte."""
    async with opened(subject) as place:
        for size in SIZES:
            data = random_bytes(size)
            for chunk in (max(size, 1), 65_537, 1000 if size <= MB else 300_000):
                blob = await place.put(data, chunk=chunk)
                what = f"Of {size:,} bytes in chunks of {chunk:,}"
                require(blob.size == size, f"{what}, commit() tells {blob.size:,}.")
                require(blob.key == key_of(data), f"{what}, the key has another hash.")
                require(blob.head == data[:HEAD], f"{what}, the first 4,096 are told wrong.")
                await place.require_bytes(blob.key, data, f"After {size:,} bytes by {chunk:,}")


@CHECKS.add("writer-counts")
async def writer_counts(subject: StorageSubject) -> None:
    """A writer tells at any time how much it has, and the first 4,096 bytes of it."""
    async with opened(subject) as place:
        writer = place.storage.writer()
        data = random_bytes(3 * MB)
        done = 0
        for size in (0, 1, 0, 4000, 95, 1, MB, MB, 100):
            await writer.write(data[done : done + size])
            done += size
            require(writer.size == done, f"After {done:,} bytes, size is {writer.size:,}.")
            require(writer.head == data[: min(done, HEAD)], f"After {done:,} bytes, head is wrong.")
        await place.commit(writer)
        await place.require_bytes(key_of(data[:done]), data[:done], "With empty chunks between")


@CHECKS.add("streaming", seconds=120)
async def streaming(subject: StorageSubject) -> None:
    """A large blob is read in chunks, and reading may stop early."""
    async with opened(subject) as place:
        data = random_bytes(LARGE)
        blob = await place.put(data, chunk=MB)
        position = 0
        async for chunk in place.storage.read(blob.key):
            require(
                len(chunk) <= LARGEST_CHUNK,
                f"read() gives {len(chunk):,} of {LARGE:,} bytes at once.",
                "Read in chunks; 256 KiB is a good size.",
            )
            require(data.startswith(chunk, position), f"Byte {position:,} and on are others.")
            position += len(chunk)
        require(position == LARGE, f"read() ends after {position:,} of {LARGE:,} bytes.")
        async for _ in place.storage.read(blob.key):
            break
        require(
            await place.storage.delete(blob.key), "A blob that was half read cannot be deleted."
        )


@CHECKS.add("same-content")
async def same_content(subject: StorageSubject) -> None:
    """Equal bytes have one key and are kept once; another extension is another key."""
    async with opened(subject) as place:
        data = random_bytes(2 * MB)
        first = await place.put(data, "png")
        second = await place.put(data, "png", chunk=1000)
        require(first == second, f"The same bytes are {first.key}, and then {second.key}.")
        other = await place.put(data, "jpg")
        require(other.key == key_of(data, "jpg"), f"As jpg, the bytes are {other.key}.")
        for blob in (first, other):
            times = sum(one.key == blob.key for one in await place.listed())
            require(times == 1, f"list() has {blob.key} {times} times.")
            await place.require_bytes(blob.key, data, "Written twice")


@CHECKS.add("concurrent-same")
async def concurrent_same(subject: StorageSubject) -> None:
    """Many who write the same bytes at the same time all succeed, with one blob."""
    async with opened(subject) as place:
        data = random_bytes(MB + 7)
        blobs = await asyncio.gather(
            *(place.put(data, chunk=50_000 + number) for number in range(12)),
            return_exceptions=True,
        )
        failed = [blob for blob in blobs if isinstance(blob, BaseException)]
        require(not failed, f"Of 12 who write the same bytes, {len(failed)} fail: {failed[:1]}")
        await place.require_bytes(key_of(data), data, "Written by 12 at once")
        times = sum(blob.key == key_of(data) for blob in await place.listed())
        require(times == 1, f"list() has the blob {times} times.")


@CHECKS.add("concurrent-different")
async def concurrent_different(subject: StorageSubject) -> None:
    """Many who write and read different bytes at the same time get each their own."""
    async with opened(subject) as place:
        many = [random_bytes(200_000 + 70_000 * number) for number in range(12)]
        writers = [place.storage.writer() for _ in many]
        # In turns, so that no chunk follows one of its own.
        for pieces in zip_longest(*(chunked(data, 65_536) for data in many)):
            for writer, piece in zip(writers, pieces, strict=True):
                if piece is not None:
                    await writer.write(piece)
        blobs = await asyncio.gather(*map(place.commit, writers))
        for data, blob in zip(many, blobs, strict=True):
            require(blob.key == key_of(data), "The bytes of writers that take turns are mixed up.")
        found = await asyncio.gather(*(content(place.storage, blob.key) for blob in blobs))
        require(found == many, "The bytes that readers at the same time get are mixed up.")


@CHECKS.add("reopened")
async def reopened(subject: StorageSubject) -> None:
    """What was committed is there for another host, and after the storage was closed."""
    async with opened(subject) as place:
        data = random_bytes(100_000)
        blob = await place.put(data)
        other = subject.make_storage(place.folder)
        await other.open()
        try:
            require(await other.stat(blob.key), "A second storage of the same place lacks a blob.")
            require(
                await content(other, blob.key) == data,
                "A second storage of the same place reads other bytes.",
            )
        finally:
            await other.close()
        await place.storage.close()
        await place.storage.open()
        await place.require_bytes(blob.key, data, "After the storage was closed and opened")


@CHECKS.add("path")
async def path(subject: StorageSubject) -> None:
    """A path is that of a file with the very bytes; a storage without files tells none."""
    async with opened(subject) as place:
        data = random_bytes(10_000)
        blob = await place.put(data, "png")
        where = place.storage.path(blob.key)
        if where is None:
            raise NotApplicable("the storage keeps no files")
        try:
            found = await asyncio.to_thread(where.read_bytes)
        except OSError as error:
            raise StorageError(f"path() tells {where}, which cannot be read: {error}") from error
        require(found == data, f"The file that path() tells, {where.name}, has other bytes.")
        require(where.suffix == ".png", f"The file {where.name} has not the extension of its key.")
