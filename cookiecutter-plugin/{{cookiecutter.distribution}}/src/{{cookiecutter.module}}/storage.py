"""Artifacts as files of one directory: a storage that works, to be replaced by yours.

A writer's bytes go into a file of their own, which gets its name when it is whole and durable: so
a reader sees all of a blob or none of it, and equal bytes are kept once.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from boards.artifacts import KEY
from boards.errors import StorageError
from boards.storage import Blob, BlobWriter

__all__ = ["DirectoryStorage"]

T = TypeVar("T")

HEAD = 4096
CHUNK = 1 << 18
PARTIAL = ".partial"
ABANDONED = 24 * 3600.0


class DirectoryStorage:
    """Blobs in a directory. Implements :class:`boards.storage.Storage`.

    Args:
        root: The directory. It is made by :meth:`open`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open = False

    async def open(self) -> None:
        """Make ready; leftovers of a crash are dropped."""
        self._open = True
        await self.run(self._prepare)

    async def close(self) -> None:
        """Nothing is held; from now on everything is refused."""
        self._open = False

    async def run(self, function: Callable[[], T]) -> T:
        """Call a function that blocks, in a thread; what the system refuses is a StorageError."""
        if not self._open:
            raise StorageError("The storage is not open.", remedy="Call open() before using it.")
        try:
            return await asyncio.to_thread(function)
        except OSError as error:
            raise StorageError(
                f"The storage failed: {error}.",
                remedy="Look at the directory: its space, and who may write there.",
            ) from error

    def writer(self) -> BlobWriter:
        """A new, empty writer."""
        return DirectoryWriter(self)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of a blob, in chunks."""
        path = self.path(key)
        file = await self.run(lambda: path.open("rb"))
        try:
            while chunk := await self.run(lambda: file.read(CHUNK)):
                yield chunk
        finally:
            file.close()

    async def stat(self, key: str) -> Blob | None:
        """Size, hash and first bytes of a blob; None if there is none."""
        path = self.path(key)

        def look() -> Blob | None:
            try:
                with path.open("rb") as file:
                    facts = os.fstat(file.fileno())
                    head = file.read(HEAD)
            except FileNotFoundError:
                return None
            return Blob(key, facts.st_size, hash_of(key), head, facts.st_mtime)

        return await self.run(look)

    async def delete(self, key: str, *, before: float | None = None) -> bool:
        """Remove a blob; False if there was none, or if it was written since ``before``."""
        path = self.path(key)

        def remove() -> bool:
            try:
                if before is not None and path.stat().st_mtime >= before:
                    return False
                path.unlink()
            except FileNotFoundError:
                return False
            return True

        return await self.run(remove)

    async def list(self) -> AsyncIterator[Blob]:
        """Every blob, in no order. What else lies in the directory is passed over."""
        for blob in await self.run(lambda: [*self._blobs()]):
            yield blob

    def path(self, key: str) -> Path:
        """Where a blob lies, or would lie."""
        hash_of(key)
        return self.root / key

    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        """None: the public cannot fetch files of this machine."""
        hash_of(key)
        return None

    def _prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        for left in self.root.glob(f"*{PARTIAL}"):
            with contextlib.suppress(FileNotFoundError):  # another process may clean up as well
                if time.time() - left.stat().st_mtime > ABANDONED:
                    left.unlink()

    def _blobs(self) -> Iterator[Blob]:
        for path in self.root.iterdir():
            if KEY.fullmatch(path.name):
                with contextlib.suppress(FileNotFoundError):  # deleted since
                    facts = path.stat()
                    yield Blob(
                        path.name, facts.st_size, hash_of(path.name), stored_at=facts.st_mtime
                    )


class DirectoryWriter:
    """Bytes on their way into a :class:`DirectoryStorage`."""

    def __init__(self, storage: DirectoryStorage) -> None:
        self._storage = storage
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._blob: Blob | None = None
        self._finished = False
        self._busy = threading.Lock()  # an abort waits for the thread of a canceled caller
        self.size = 0
        self.head = b""

    async def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self._check()
        self._finished = True  # half a chunk may be written where the caller is canceled
        await self._storage.run(lambda: self._append(bytes(chunk)))
        self._finished = False

    async def commit(self, extension: str) -> Blob:
        """Make the bytes durable and visible under their hash; the blob afterwards."""
        if self._blob is not None:
            return self._blob
        if not re.fullmatch(r"[a-z0-9]{1,8}", extension):
            raise StorageError(f"{extension!r} is no file extension: 1 to 8 of a-z and 0-9.")
        self._check()
        self._finished = True
        try:
            self._blob = await self._storage.run(lambda: self._keep(extension))
        except BaseException:
            await asyncio.to_thread(self._drop)
            raise
        return self._blob

    async def abort(self) -> None:
        """Drop what was written. Safe at any time, also after a commit."""
        self._finished = True
        await asyncio.to_thread(self._drop)

    def _check(self) -> None:
        if self._finished:
            raise StorageError("The writer is finished: it was committed, aborted, or it failed.")

    def _opened(self) -> BinaryIO:
        if self._file is None:
            # Closed by commit and by abort: it stays open between two writes.
            self._file = tempfile.NamedTemporaryFile(  # type: ignore[assignment]  # noqa: SIM115
                dir=self._storage.root, suffix=PARTIAL, delete=False
            )
        assert self._file is not None
        return self._file

    def _append(self, chunk: bytes) -> None:
        with self._busy:
            self._opened().write(chunk)
            self._digest.update(chunk)
            self.head += chunk[: HEAD - len(self.head)]
            self.size += len(chunk)

    def _keep(self, extension: str) -> Blob:
        with self._busy:
            file = self._opened()
            file.flush()
            os.fsync(file.fileno())
            file.close()
            digest = self._digest.hexdigest()
            key = f"{digest}.{extension}"
            Path(file.name).replace(self._storage.root / key)
            self._file = None
            sync_directory(self._storage.root)
            return Blob(key, self.size, digest, self.head)

    def _drop(self) -> None:
        with self._busy:
            if self._file is not None:
                self._file.close()
                Path(self._file.name).unlink(missing_ok=True)
                self._file = None


def hash_of(key: str) -> str:
    """The hash in a key; a StorageError for what no storage made, such as ``../etc/passwd``."""
    match = KEY.fullmatch(key)
    if match is None:
        raise StorageError(f"{key[:100]!r} is no key of a storage: SHA256.EXTENSION.")
    return match[1]


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable, where the system can."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
