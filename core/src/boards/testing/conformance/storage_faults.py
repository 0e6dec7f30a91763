"""Checks of a storage: nothing is visible before its commit, whatever becomes of the writer."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, cast

from boards.storage.protocol import Storage
from boards.testing.conformance.checks import CheckTable, NotApplicable, require
from boards.testing.conformance.installed import create
from boards.testing.conformance.storage_place import (
    MB,
    Place,
    StorageSubject,
    chunked,
    content,
    key_of,
    opened,
    random_bytes,
    refused,
)

__all__ = ["CHECKS", "write_until_killed"]

KILLS: Final = ((3, 0.0), (6, 0.003), (10, 0.007), (15, 0.02))
"""A process is killed so many blobs, and then so many seconds, after its start: amid a write."""

CHECKS: Final = CheckTable[StorageSubject]()


@CHECKS.add("abandoned")
async def abandoned(subject: StorageSubject) -> None:
    """Bytes are visible to nobody before the commit, and never after an abort."""
    async with opened(subject) as place:
        for size in (100, 3 * MB, 11 * MB):
            data = random_bytes(size)
            for ending in ("aborted", "left alone"):
                writer = place.storage.writer()
                for piece in chunked(data, MB):
                    await writer.write(piece)
                    await place.require_gone(data, "Before the commit")
                if ending == "aborted":
                    await writer.abort()
                    await writer.abort()
                    await refused(place.commit(writer), "A commit after the abort")
                await place.require_gone(data, f"After a writer of {size:,} bytes was {ending}")
                del writer


@CHECKS.add("abort-after-commit")
async def abort_after_commit(subject: StorageSubject) -> None:
    """An abort after the commit drops nothing: it stands in a ``finally``."""
    async with opened(subject) as place:
        for size in (100, 3 * MB):
            data = random_bytes(size)
            writer = place.storage.writer()
            await writer.write(data)
            blob = await place.commit(writer)
            await writer.abort()
            await place.require_bytes(blob.key, data, "After an abort that followed the commit")


_UNDER_WAY: Final = 0.25
"""Seconds within which a request that was canceled on its way comes to its end, if ever."""


@CHECKS.add("canceled", seconds=120)
async def canceled(subject: StorageSubject) -> None:
    """A write or commit that is canceled leaves nothing visible, or the whole."""
    async with opened(subject) as place:
        for delay in (0.0, 0.001, 0.005, 0.02):
            data = random_bytes(6 * MB)
            writer = place.storage.writer()

            async def work(writer=writer, data=data) -> None:  # type: ignore[no-untyped-def]
                for piece in chunked(data, 2 * MB):
                    await writer.write(piece)
                await place.commit(writer)

            task = asyncio.create_task(work())
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.wait([task])
            await writer.abort()
            await asyncio.sleep(_UNDER_WAY)
            if await place.storage.stat(key_of(data)) is None:
                await place.require_gone(data, "After a write was canceled")
            else:
                place.written.add(key_of(data))
                await place.require_bytes(key_of(data), data, "After a commit was canceled")


@CHECKS.add("killed", seconds=120)
async def killed(subject: StorageSubject) -> None:
    """A host that is killed while it writes leaves whole blobs, all that it was told of."""
    if not subject.storage:
        raise NotApplicable("the storage has no name, by which another process could make it")
    async with opened(subject) as place:
        before = {blob.key for blob in await place.listed()}
        committed: set[str] = set()
        for number, delay in KILLS:
            committed |= await _kill_a_writer(place, number, delay)
        await place.storage.close()
        await place.storage.open()
        after = {blob.key for blob in await place.listed()} - before
        place.written |= after | committed
        lost = committed - after
        require(not lost, f"Of {len(committed)} committed blobs, {len(lost)} are lost.")
        for key in after:
            found = await content(place.storage, key)
            require(
                key_of(found) == key,
                f"The killed host left a blob of {len(found):,} bytes that are not its hash's.",
                "Write beside, make it durable, and only then give it its name.",
            )


async def _kill_a_writer(place: Place, number: int, delay: float) -> set[str]:
    """Have another process write so many blobs, and kill it; the keys that it committed."""
    script = (
        "from boards.testing.conformance.storage_faults import write_until_killed as main; main()"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        place.subject.storage,
        str(place.folder),
        stdout=asyncio.subprocess.PIPE,
        env={**place.subject.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    stdout = cast("asyncio.StreamReader", process.stdout)
    keys: list[bytes] = []
    try:
        while len(keys) < number:
            line = await stdout.readline()
            require(line, "A process that writes ended by itself, after its output above.")
            keys.append(line)
        await asyncio.sleep(delay)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        keys += (await stdout.read()).splitlines(keepends=True)
        await process.wait()
    return {line.decode().strip() for line in keys if line.endswith(b"\n")}


def write_until_killed() -> None:
    """Write blobs of all sizes, and print the key of each that is committed.

    It is what :func:`killed` runs in another process. Its arguments are the storage's name and
    the directory.
    """
    name, folder = sys.argv[1:]
    asyncio.run(_write_forever(name, Path(folder)))


async def _write_forever(name: str, folder: Path) -> None:
    storage = create("storages", name, folder, os.environ)
    await storage.open()

    async def write(size: int) -> None:
        async for data in _many(size):
            writer = storage.writer()
            for piece in chunked(data, 300_000):
                await writer.write(piece)
            blob = await writer.commit("bin")
            os.write(1, f"{blob.key}\n".encode())

    await asyncio.gather(*(write(100_000 + number * 400_000) for number in range(8)))


async def _many(size: int) -> AsyncIterator[bytes]:
    rest = random_bytes(size)
    while True:
        # Fresh to the storage, and made in no time: what is killed is the writing.
        yield random_bytes(20) + rest
        await asyncio.sleep(0)


@CHECKS.add("closed")
async def closed(subject: StorageSubject) -> None:
    """Before it is opened and after it was closed, a storage refuses; it can be opened again."""
    async with opened(subject) as place:
        storage, data = place.storage, random_bytes(100)
        key = (await place.put(data)).key
        await storage.open()
        await place.require_bytes(key, data, "Opened twice")
        await storage.close()
        await storage.close()
        try:
            await _require_closed(storage, key, "After close()")
            await _require_closed(subject.make_storage(place.folder), key, "Before open()")
        finally:
            await storage.open()
        await place.require_bytes(key, data, "Closed and opened again")


async def _require_closed(storage: Storage, key: str, when: str) -> None:
    async def put() -> object:
        writer = storage.writer()
        await writer.write(b"too late")
        return await writer.commit("bin")

    await refused(storage.stat(key), f"{when}, stat()")
    await refused(content(storage, key), f"{when}, read()")
    await refused(storage.delete(key), f"{when}, delete()")
    await refused(put(), f"{when}, a commit")
