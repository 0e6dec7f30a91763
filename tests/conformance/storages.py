"""A right storage, which shares nothing with Boards' own, and storages with one defect each.

A defect is one line: a method of :class:`Shelf` or of its writer that is overridden.
"""

import asyncio
import hashlib
import hmac
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from boards.errors import StorageError
from boards.settings import Settings
from boards.storage.protocol import Blob

__all__ = ["MUTANTS", "SECRET", "Shelf", "served"]

SECRET = "shelf-secret-0123456789"
MB = 1 << 20


class Writer:
    """Keeps everything in memory until the commit."""

    def __init__(self, shelf: "Shelf") -> None:
        self.shelf = shelf
        self.data = bytearray()
        self.blob: Blob | None = None
        self.dropped = False

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def head(self) -> bytes:
        return bytes(self.data[:4096])

    async def write(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        self.data += chunk

    async def commit(self, extension: str) -> Blob:
        if self.blob is None:
            self.require_fit(extension)
            digest = hashlib.sha256(self.data).hexdigest()
            key = f"{digest}.{extension}"
            self.shelf.keep(self.shelf.file(key), bytes(self.data))
            self.blob = Blob(key, self.size, digest, self.head)
        return self.blob

    def require_fit(self, extension: str) -> None:
        if self.dropped or not re.fullmatch("[a-z0-9]{1,8}", extension):
            raise StorageError("The writer was aborted, or that is no extension.")

    async def abort(self) -> None:
        self.dropped = True


class Shelf:
    """One file for each blob, all in one directory."""

    base_url: ClassVar[str] = ""
    writing: ClassVar[type[Writer]] = Writer

    def __init__(self, root: Path) -> None:
        self.root = root
        self.is_open = False

    async def open(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    def writer(self) -> Writer:
        return self.writing(self)

    def file(self, key: str) -> Path:
        if not self.is_open or not re.fullmatch(r"[0-9a-f]{64}\.[a-z0-9]{1,8}", key):
            raise StorageError("The shelf is closed, or that is no key.")
        return self.root / key

    def keep(self, file: Path, data: bytes) -> None:
        temporary = self.root / f"tmp-{os.urandom(8).hex()}"
        temporary.write_bytes(data)
        temporary.replace(file)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        if not self.file(key).exists():
            raise StorageError("There is no such blob.")
        with self.file(key).open("rb") as file:
            while chunk := file.read(100_000):
                await asyncio.sleep(0)
                yield chunk

    async def stat(self, key: str) -> Blob | None:
        if not self.file(key).exists():
            return None
        facts = self.file(key).stat()
        return Blob(key, facts.st_size, key[:64], b"", facts.st_mtime)

    async def delete(self, key: str, *, before: float | None = None) -> bool:
        if not self.file(key).exists():
            return False
        if before is not None and self.file(key).stat().st_mtime >= before:
            return False
        self.file(key).unlink()
        return True

    async def list(self) -> AsyncIterator[Blob]:
        for file in sorted(self.root.iterdir()):
            if not file.name.startswith("tmp-"):
                blob = await self.stat(file.name)
                assert blob is not None
                yield blob

    def path(self, key: str) -> Path | None:
        return self.file(key)

    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        until = f"{time.time() + expires}"
        file = self.file(key)
        return f"{self.base_url}{file}?until={until}&signature={_sign(f'{file}{until}')}"


def _sign(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()


async def served(request: web.Request) -> web.StreamResponse:
    """What lies behind the addresses: any file, to whoever has its signature in time."""
    until = request.query.get("until", "0")
    signed = request.query.get("signature") == _sign(f"{request.path}{until}")
    if not signed or float(until) < time.time():
        return web.Response(status=403)
    return web.FileResponse(Path(request.path))


# Each defect below is named by what is wrong, and told with the check that must notice it.

MUTANTS: dict[str, tuple[str, Callable[[Settings], Any]]] = {}


def defect(check: str, *, of: type = Shelf) -> Callable[[type], type]:
    """A storage with a defect, which a check must notice."""

    def enter(cls: type) -> type:
        def create(settings: Settings) -> Any:
            kind = cls if of is Shelf else type(cls.__name__, (Shelf,), {"writing": cls})
            return kind(settings.home)

        MUTANTS[cls.__name__] = (check, create)
        globals()[f"make_{cls.__name__}"] = create
        return cls

    return enter


@defect("round-trip", of=Writer)
class TellsNoHead(Writer):
    async def commit(self, extension: str) -> Blob:
        blob = await super().commit(extension)
        return Blob(blob.key, blob.size, blob.sha256)


@defect("round-trip")
class StatCountsWrong(Shelf):
    async def stat(self, key: str) -> Blob | None:
        blob = await super().stat(key)
        return blob and Blob(key, blob.size + 1, blob.sha256)


@defect("round-trip")
class StripsWhiteSpace(Shelf):
    def keep(self, file: Path, data: bytes) -> None:
        super().keep(file, data.replace(b" ", b""))


@defect("sizes", of=Writer)
class LosesAWholeMegabyte(Writer):
    async def write(self, chunk: bytes) -> None:
        await super().write(b"" if len(chunk) == MB else chunk)


@defect("sizes")
class HasNoEmptyBlobs(Shelf):
    async def read(self, key: str) -> AsyncIterator[bytes]:
        if not self.file(key).stat().st_size:
            raise StorageError("It is empty.")
        async for chunk in super().read(key):
            yield chunk


@defect("writer-counts", of=Writer)
class CountsAtTheCommit(Writer):
    @property
    def size(self) -> int:
        return len(self.data) // 4096 * 4096


@defect("writer-counts", of=Writer)
class HeadIsTheFirstChunk(Writer):
    first = b""

    async def write(self, chunk: bytes) -> None:
        self.first = self.first or chunk[:4096]
        await super().write(chunk)

    @property
    def head(self) -> bytes:
        return self.first


@defect("streaming")
class ReadsAllAtOnce(Shelf):
    async def read(self, key: str) -> AsyncIterator[bytes]:
        yield b"".join([chunk async for chunk in super().read(key)])


@defect("streaming")
class LocksWhatIsRead(Shelf):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reading: set[str] = set()

    async def read(self, key: str) -> AsyncIterator[bytes]:
        self.reading.add(key)
        async for chunk in super().read(key):
            yield chunk
        self.reading.discard(key)

    async def delete(self, key: str, *, before: float | None = None) -> bool:
        return key not in self.reading and await super().delete(key, before=before)


@defect("same-content")
class KeepsOneExtension(Shelf):
    def keep(self, file: Path, data: bytes) -> None:
        for other in self.root.glob(f"{file.stem}.*"):
            other.unlink()
        super().keep(file, data)


@defect("same-content", of=Writer)
class NumbersItsKeys(Writer):
    async def commit(self, extension: str) -> Blob:
        self.data += os.urandom(1)
        return await super().commit(extension)


@defect("concurrent-same")
class NamesTemporariesByHash(Shelf):
    def file(self, key: str) -> Path:
        return super().file(key)

    def writer(self) -> Writer:
        shelf = self

        class Exclusive(Writer):
            async def commit(self, extension: str) -> Blob:
                lock = shelf.root / f"tmp-{hashlib.sha256(self.data).hexdigest()}"
                lock.touch(exist_ok=False)
                await asyncio.sleep(0.01)
                lock.unlink()
                return await super().commit(extension)

        return Exclusive(self)


@defect("concurrent-different")
class SharesOneBuffer(Shelf):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.buffer = bytearray()

    def writer(self) -> Writer:
        writer = super().writer()
        writer.data = self.buffer
        return writer


@defect("concurrent-different")
class SharesOneFile(Shelf):
    async def read(self, key: str) -> AsyncIterator[bytes]:
        self.last = super().read(key)
        while (chunk := await anext(self.last, None)) is not None:
            yield chunk


@defect("reopened")
class ForgetsWhenClosed(Shelf):
    async def close(self) -> None:
        for file in self.root.iterdir():
            file.unlink()
        await super().close()


@defect("path")
class TellsAnotherPath(Shelf):
    def path(self, key: str) -> Path | None:
        return self.file(key).with_suffix("")


@defect("missing")
class ReadsNothingForMissing(Shelf):
    async def read(self, key: str) -> AsyncIterator[bytes]:
        if self.file(key).exists():
            async for chunk in super().read(key):
                yield chunk


@defect("missing")
class RaisesItsOwnErrors(Shelf):
    async def read(self, key: str) -> AsyncIterator[bytes]:
        self.file(key).stat()
        async for chunk in super().read(key):
            yield chunk


@defect("missing")
class DeletesWhatIsNotThere(Shelf):
    async def delete(self, key: str, *, before: float | None = None) -> bool:
        return await super().delete(key, before=before) or True


@defect("hostile-keys")
class TrustsKeys(Shelf):
    def file(self, key: str) -> Path:
        return self.root / key


@defect("hostile-keys")
class ComparesOnlyTheStart(Shelf):
    def file(self, key: str) -> Path:
        if not re.match(r"[0-9a-f]{64}\.", key):
            raise StorageError("That is no key.")
        return self.root / key


@defect("hostile-keys")
class SignsAnyAddress(Shelf):
    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        return f"http://127.0.0.1/{key}"


@defect("hostile-keys")
class AllowsALineFeed(Shelf):
    def file(self, key: str) -> Path:
        return super().file(key.removesuffix("\n"))

    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        return f"{self.file(key)}"


@defect("hostile-extensions", of=Writer)
class TrustsExtensions(Writer):
    async def commit(self, extension: str) -> Blob:
        digest = hashlib.sha256(self.data).hexdigest()
        self.shelf.keep(self.shelf.root / digest, bytes(self.data))
        return Blob(f"{digest}.{extension}", self.size, digest, self.head)


@defect("hostile-extensions", of=Writer)
class RefusesAfterKeeping(Writer):
    async def commit(self, extension: str) -> Blob:
        self.shelf.keep(
            self.shelf.root / f"{hashlib.sha256(self.data).hexdigest()}.bin", bytes(self.data)
        )
        return await super().commit(extension)


@defect("listing")
class ListsOnlyPictures(Shelf):
    async def list(self) -> AsyncIterator[Blob]:
        async for blob in super().list():
            if blob.key.endswith(".png"):
                yield blob


@defect("listing")
class ListsOnePage(Shelf):
    async def list(self) -> AsyncIterator[Blob]:
        for number, blob in enumerate([blob async for blob in super().list()]):
            if number < 20:
                yield blob


@defect("listing")
class ListsTwice(Shelf):
    async def list(self) -> AsyncIterator[Blob]:
        async for blob in super().list():
            yield blob
            yield blob


@defect("listing")
class ListsNoSizes(Shelf):
    async def list(self) -> AsyncIterator[Blob]:
        async for blob in super().list():
            yield Blob(blob.key, 0, blob.sha256)


@defect("deletion")
class TellsNothingOfDeleting(Shelf):
    async def delete(self, key: str, *, before: float | None = None) -> bool:
        return bool(await super().delete(key, before=before)) and None  # type: ignore[return-value]


@defect("deletion")
class DeletesAllExtensions(Shelf):
    async def delete(self, key: str, *, before: float | None = None) -> bool:
        gone = await super().delete(key, before=before)
        for other in self.root.glob(f"{key[:64]}.*"):
            other.unlink()
        return gone


@defect("deletion")
class OnlyHidesWhatIsDeleted(Shelf):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.hidden: set[str] = set()

    async def delete(self, key: str, *, before: float | None = None) -> bool:
        self.hidden.add(key)
        return True

    async def stat(self, key: str) -> Blob | None:
        return None if key in self.hidden else await super().stat(key)


@defect("deletion-before")
class IgnoresTheAge(Shelf):
    async def delete(self, key: str, *, before: float | None = None) -> bool:
        return await super().delete(key)


@defect("deletion-before")
class DeletesTheYoung(Shelf):
    async def delete(self, key: str, *, before: float | None = None) -> bool:
        if before is not None and self.file(key).stat().st_mtime < before:
            return False
        return await super().delete(key)


@defect("written-again")
class LeavesTheOldOneAsItIs(Shelf):
    def keep(self, file: Path, data: bytes) -> None:
        if not file.exists():
            super().keep(file, data)


@defect("written-again")
class TellsNoAgeAndLeavesTheOldOne(Shelf):
    def keep(self, file: Path, data: bytes) -> None:
        if not file.exists():
            super().keep(file, data)

    async def stat(self, key: str) -> Blob | None:
        blob = await super().stat(key)
        return blob and Blob(blob.key, blob.size, blob.sha256)


@defect("url")
class AddressesNeverExpire(Shelf):
    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        return await super().url(key)


@defect("url")
class AddressesAreNotSigned(Shelf):
    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        return f"{self.base_url}{self.file(key)}"


@defect("url")
class AddressesShowTheSecret(Shelf):
    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        return f"{await super().url(key, expires=expires)}&secret={SECRET}"


@defect("url")
class AddressesAreFiles(Shelf):
    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        return self.file(key).as_uri()


@defect("abandoned", of=Writer)
class CommitsOnAbort(Writer):
    async def abort(self) -> None:
        await self.commit("bin")


@defect("abandoned", of=Writer)
class CommitsAfterAnAbort(Writer):
    async def abort(self) -> None:
        pass


@defect("abandoned", of=Writer)
class ShowsEachPart(Writer):
    async def write(self, chunk: bytes) -> None:
        await super().write(chunk)
        digest = hashlib.sha256(self.data).hexdigest()
        self.shelf.keep(self.shelf.file(f"{digest}.bin"), bytes(self.data))


@defect("abort-after-commit", of=Writer)
class AbortsTheCommitted(Writer):
    async def abort(self) -> None:
        await super().abort()
        if self.blob is not None:
            await self.shelf.delete(self.blob.key)


@defect("canceled", of=Writer)
class KeepsWhatItHasWhenCanceled(Writer):
    async def write(self, chunk: bytes) -> None:
        try:
            await super().write(chunk)
        except asyncio.CancelledError:
            self.data += chunk
            await self.commit("bin")
            raise


@defect("killed")
class WritesInPlace(Shelf):
    def keep(self, file: Path, data: bytes) -> None:
        with file.open("wb") as out:
            for start in range(0, len(data), 50_000):
                out.write(data[start : start + 50_000])
                time.sleep(0.0005)  # a disk of 100 MB a second


@defect("killed")
class WritesBehind(Shelf):
    def keep(self, file: Path, data: bytes) -> None:
        keep = super().keep
        asyncio.get_running_loop().call_later(0.2, lambda: keep(file, data))


@defect("closed")
class WorksWhenClosed(Shelf):
    async def close(self) -> None:
        pass


@defect("closed")
class WorksBeforeItIsOpened(Shelf):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.is_open = True


@defect("closed")
class ClosesOnce(Shelf):
    async def close(self) -> None:
        if not self.is_open:
            raise RuntimeError("It is closed.")
        await super().close()


def make(settings: Settings) -> Shelf:
    """The right one."""
    return Shelf(settings.home)
