"""Checks of a storage: keys, hostile ones too, listing, deletion, and addresses."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from boards.errors import StorageError
from boards.storage.protocol import Storage
from boards.testing.conformance.checks import (
    CheckTable,
    NonconformanceError,
    NotApplicable,
    require,
)
from boards.testing.conformance.storage_place import (
    Place,
    StorageSubject,
    content,
    key_of,
    opened,
    random_bytes,
    refused,
)

__all__ = ["CHECKS"]

HASH: Final = "ab" * 32

HOSTILE_KEYS: Final = (
    "",
    ".",
    "..",
    "/",
    "../{name}",
    "../../{name}",
    "{path}",
    "file://{path}",
    HASH + ".bin/../../../../{name}",
    "../" + HASH + ".bin",
    HASH + "/../" + HASH + ".bin",
    HASH + "." + "{name}",
    HASH + ".\0",
    HASH + ".b\0n",
    "\0",
    HASH + ".bin\n",
    HASH.upper() + ".bin",
    HASH[1:] + ".bin",
    HASH,
    "%2e%2e%2f{name}",
    "..\\{name}",
    "\uff41" * 64 + ".bin",
    "\ud800" + HASH[1:] + ".bin",
    "\u202e" + HASH + ".bin",
    "?" + HASH + ".bin",
    "*",
    "a" * 100_000,
)
"""Keys that no storage makes; ``{path}`` and ``{name}`` are those of a file beside the storage."""

HOSTILE_EXTENSIONS: Final = ("", "../x", "/x", "a/b", "a\0", "png\n", ".png", "PNG", "x" * 300)

WAIT: Final = 4.0
"""Seconds in which any clock of a storage goes on: the coarsest count seconds."""

TOUCHED: Final = "A blob that is written again must be as young as a new one: see delete(before=)."

EXPIRY: Final = 3.0
"""Seconds after which an address for one second is gone, whatever was rounded."""

CHECKS: Final = CheckTable[StorageSubject]()


@CHECKS.add("missing")
async def missing(subject: StorageSubject) -> None:
    """A blob that is not there is told so, and reading it is a StorageError."""
    async with opened(subject) as place:
        await _require_missing(place.storage, key_of(random_bytes(20)), "A key never written")


async def _require_missing(storage: Storage, key: str, what: str) -> None:
    require(await storage.stat(key) is None, f"{what}: stat() is not None.")
    require(await storage.delete(key) is False, f"{what}: delete() is not False.")
    await refused(content(storage, key), f"{what}: read()")


@CHECKS.add("hostile-keys")
async def hostile_keys(subject: StorageSubject) -> None:
    """A key that no storage made is refused, and leads to nothing outside the storage."""
    async with opened(subject) as place:
        beside = place.folder.parent / "beside.txt"
        await asyncio.to_thread(beside.write_text, "not a blob")
        for pattern in HOSTILE_KEYS:
            key = pattern.replace("{path}", str(beside)).replace("{name}", beside.name)
            await _require_refused(place, key)
        require(
            await asyncio.to_thread(_reads, beside, "not a blob"),
            "A file outside the storage was changed or deleted.",
        )


async def _require_refused(place: Place, key: str) -> None:
    """A hostile key may look like a missing one; to reading there is no answer but an error."""
    storage, shown = place.storage, f"{key!r:.80}"
    await refused(content(storage, key), f"read({shown})")

    async def where() -> Path | None:
        return storage.path(key)

    calls: dict[str, tuple[Callable[[], Coroutine[Any, Any, object]], tuple[object, ...]]] = {
        "stat": (lambda: storage.stat(key), (None,)),
        "delete": (lambda: storage.delete(key), (False,)),
        "url": (lambda: storage.url(key), (None,)),
        "path": (where, (None,)),
    }
    for name, (call, allowed) in calls.items():
        try:
            answer = await call()
        except StorageError:
            continue
        except Exception as error:
            raise NonconformanceError(
                f"{name}({shown}) raises {type(error).__name__}: {error}",
                "Compare keys with boards.artifacts.KEY before using them.",
            ) from error
        require(
            answer in allowed,
            f"{name}({shown}) answers {answer!r:.100}.",
            "Compare keys with boards.artifacts.KEY before using them.",
        )


def _reads(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


@CHECKS.add("hostile-extensions")
async def hostile_extensions(subject: StorageSubject) -> None:
    """Nothing but 1 to 8 of a-z and 0-9 becomes an extension."""
    async with opened(subject) as place:
        for extension in HOSTILE_EXTENSIONS:
            data = random_bytes(100)
            writer = place.storage.writer()
            await writer.write(data)
            await refused(place.commit(writer, extension), f"commit({extension!r:.30})")
            await writer.abort()
            await place.require_gone(data, f"After commit({extension!r:.30}) was refused")


@CHECKS.add("listing")
async def listing(subject: StorageSubject) -> None:
    """Every blob is listed once, with its size and hash."""
    async with opened(subject) as place:
        for number in range(40):
            await place.put(random_bytes(10 + number), ("png", "mp4")[number % 2])
        keys = [blob.key for blob in await place.listed()]
        lost = place.written.difference(keys)
        require(not lost, f"list() leaves out {len(lost)} of {len(place.written)} blobs.")
        require(len(keys) == len(set(keys)), "list() has a blob twice.")
        for blob in await place.listed():
            if blob.key in place.written:
                found = await place.stat(blob.key)
                require(
                    (blob.size, blob.sha256) == (found.size, found.sha256),
                    f"list() tells {blob!r:.300}, and stat() tells {found!r:.300}.",
                )


@CHECKS.add("deletion")
async def deletion(subject: StorageSubject) -> None:
    """A deleted blob is gone, at once and for all; no other is, and it can be written again."""
    async with opened(subject) as place:
        data, other = random_bytes(5000), random_bytes(5000)
        key, kept = (await place.put(data)).key, (await place.put(other)).key
        as_text = (await place.put(data, "txt")).key
        require(await place.storage.delete(key) is True, "delete() of a blob is not True.")
        await _require_missing(place.storage, key, "A deleted blob")
        keys = {blob.key for blob in await place.listed()}
        require(key not in keys, "list() still has a deleted blob.")
        require({kept, as_text} <= keys, "Deleting one blob takes others from list().")
        await place.require_bytes(kept, other, "After another was deleted")
        await place.require_bytes(as_text, data, "After the same bytes with another extension went")
        await place.put(data)
        await place.require_bytes(key, data, "Deleted and written again")


@CHECKS.add("deletion-before")
async def deletion_before(subject: StorageSubject) -> None:
    """With ``before``, a blob goes only if it was written before then."""
    async with opened(subject) as place:
        data = random_bytes(5000)
        began = time.time()
        blob = await place.put(data)
        at = await _stored_at(place, blob.key) or began
        for before in (at - 3600, at - 2):
            gone = await place.storage.delete(blob.key, before=before)
            require(gone is False, "delete(before=) takes a blob that was written later.")
        await place.require_bytes(blob.key, data, "After delete(before=) let it stay")
        gone = await place.storage.delete(blob.key, before=at + 3600)
        require(gone is True, "delete(before=) leaves a blob that was written earlier.")
        await _require_missing(place.storage, blob.key, "A blob deleted by its age")


@CHECKS.add("written-again")
async def written_again(subject: StorageSubject) -> None:
    """Who writes bytes that are there already makes the blob young: no clean-up takes it."""
    async with opened(subject) as place:
        data = random_bytes(5000)
        blob = await place.put(data)
        first = await _stored_at(place, blob.key)
        if first is None:
            await asyncio.sleep(WAIT)
            first = time.time() - 1
            await place.put(data)
            again = first + 2
        else:
            again, deadline = first, time.monotonic() + WAIT
            while again <= first:
                require(time.monotonic() < deadline, "stored_at stays as it was.", TOUCHED)
                await asyncio.sleep(0.1)
                await place.put(data)
                again = await _stored_at(place, blob.key) or first
        gone = await place.storage.delete(blob.key, before=(first + again) / 2)
        require(
            gone is False, "delete(before=) takes a blob that was written again since.", TOUCHED
        )
        await place.require_bytes(blob.key, data, "Written again, and not old enough to go")


async def _stored_at(place: Place, key: str) -> float | None:
    return (await place.stat(key)).stored_at


@CHECKS.add("url")
async def url(subject: StorageSubject) -> None:
    """An address gives the very bytes to whoever has it, shows no secret, and expires."""
    import aiohttp  # noqa: PLC0415 - most storages have no addresses

    async with opened(subject) as place, aiohttp.ClientSession(trust_env=False) as client:

        async def fetch(address: str) -> tuple[int, bytes]:
            async with client.get(_exact(address)) as reply:
                return reply.status, await reply.read()

        data = random_bytes(100_000)
        blob = await place.put(data, "png")
        address = await place.storage.url(blob.key, expires=60)
        if address is None:
            raise NotApplicable("the storage has no addresses")
        require(address.startswith(("http://", "https://")), f"url() is {address[:60]!r}.")
        for name, value in subject.environment.items():
            if len(value) > 8 and any(word in name for word in ("SECRET", "TOKEN", "PASSWORD")):
                require(value not in address, f"The address shows the value of {name}.")
        status, found = await fetch(address)
        require(status == 200, f"The address is answered by {status}.")
        require(found == data, "The address gives other bytes.")
        brief = await place.storage.url(blob.key, expires=1)
        await asyncio.sleep(EXPIRY)
        status, _ = await fetch(brief or "")
        require(status >= 400, f"An address for 1 second is answered by {status} after {EXPIRY:g}.")


def _exact(address: str) -> Any:
    """An address as it is: quoting it anew would break its signature."""
    from yarl import URL  # noqa: PLC0415

    return URL(address, encoded=True)
