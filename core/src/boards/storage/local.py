"""Artifacts as files of one directory, named by the hash of their bytes.

A blob lies at ``ROOT/ab/SHA256.EXTENSION``, where the hash begins with ``ab``: one level of
directories, because to make one durable costs as much as a file. It is written beside, in
``ROOT/tmp``, made durable and then renamed: a reader sees all of it or none.
"""

import asyncio
import contextlib
import errno
import hashlib
import math
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from boards.artifacts import EXTENSION, KEY
from boards.errors import StorageError
from boards.storage.protocol import Blob, BlobWriter

__all__ = ["LocalStorage"]

T = TypeVar("T")

_FAN: Final = re.compile(r"[0-9a-f]{2}")

_HEAD: Final = 4096
_BATCH: Final = 1 << 20
"""Bytes that a writer keeps in memory; more are hashed and written in one go, in a thread."""
_READ: Final = 1 << 18
_THREADS: Final = 8

_ABANDONED: Final = 3600.0
"""Seconds after which a temporary file that nobody adds to is taken for abandoned."""

# Whose a temporary file is: process numbers mean nothing on another host or in another
# container, and in a container every run has the same one.
_HOST: Final = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_RUN: Final = secrets.token_hex(4)

_APPEND: Final = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)

_NO_FOLDER_WITHIN: Final = 2
"""Links to a directory without another one in it, where the file system counts them."""

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_DENIED: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


class LocalStorage:
    """Blobs in a directory of this machine. Implements :class:`boards.storage.Storage`.

    Args:
        root: The directory. It is made by :meth:`open`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._temporary = root / "tmp"
        self._pool: ThreadPoolExecutor | None = None
        self._lasting: set[Path] = set()

    async def open(self) -> None:
        """Make ready; leftovers of a crash are dropped."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="boards-storage")
            try:
                await self._run(self._prepare)
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Wait for what is being written, then end the threads."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)

    def writer(self) -> BlobWriter:
        """A new, empty writer."""
        return _LocalWriter(self)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of a blob, in chunks of at most 256 KiB.

        Raises:
            StorageError: There is no such blob, or it cannot be read.
        """
        path = self._path(key)
        file = await self._run(lambda: path.open("rb"))
        try:
            while chunk := await self._run(lambda: file.read(_READ)):
                yield chunk
        finally:
            # In a thread: closing waits for a read that a canceled caller left behind.
            if self._pool is None:
                file.close()
            else:
                self._pool.submit(file.close)

    async def stat(self, key: str) -> Blob | None:
        """Size, hash and first bytes of a blob; None if there is none."""
        path = self._path(key)

        def look() -> Blob | None:
            try:
                with path.open("rb") as file:
                    facts = os.fstat(file.fileno())
                    head = file.read(_HEAD)
                    return Blob(key, facts.st_size, _hash_of(key), head, facts.st_mtime)
            except FileNotFoundError:
                return None

        return await self._run(look)

    async def delete(self, key: str, *, before: float | None = None) -> bool:
        """Remove a blob; False if there was none, or if it was written since ``before``."""
        path = self._path(key)
        return await self._run(partial(self._remove, path, math.inf if before is None else before))

    async def list(self) -> AsyncIterator[Blob]:
        """Every blob, in no order. What else lies in the directory is passed over."""
        for folder in await self._run(partial(_folders, self.root)):
            for blob in await self._run(partial(_blobs, folder)):
                yield blob

    def path(self, key: str) -> Path:
        """Where a blob lies, or would lie.

        Raises:
            StorageError: The key is none that a storage made.
        """
        return self._path(key)

    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        """None: the public cannot fetch files of this machine."""
        self._path(key)
        return None

    def _path(self, key: str) -> Path:
        digest = _hash_of(key)
        return self.root / digest[:2] / key

    async def _run(self, function: Callable[[], T]) -> T:
        """Call a function in one of the storage's threads."""
        if self._pool is None:
            raise StorageError(
                f"The storage {self.root} is not open.", remedy="Call open() before using it."
            )
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function)
        except OSError as error:
            raise _storage_error(error, self.root) from error

    def _prepare(self) -> None:
        made = [folder for folder in (self.root, *self.root.parents) if not folder.exists()]
        self._temporary.mkdir(parents=True, exist_ok=True)
        for folder in made:
            _sync_directory(folder.parent)
        now = time.time()
        with os.scandir(self._temporary) as entries:
            for entry in entries:
                # Another process may be doing the same.
                with contextlib.suppress(FileNotFoundError):
                    if _abandoned(entry, now):
                        Path(entry.path).unlink()
        for folder in _folders(self.root):
            if folder.stat().st_nlink != _NO_FOLDER_WITHIN:
                _lift(folder)

    def _name_temporary(self) -> Path:
        return self._temporary / f"{_HOST}-{os.getpid()}-{_RUN}-{secrets.token_hex(8)}"

    def _create_temporary(self) -> tuple[Path, int]:
        path = self._name_temporary()
        flags = os.O_CREAT | os.O_EXCL | _APPEND
        try:
            return path, os.open(path, flags, 0o666)
        except FileNotFoundError:  # the directory may have been deleted by hand
            self._temporary.mkdir(exist_ok=True)
            return path, os.open(path, flags, 0o666)

    def _remove(self, path: Path, before: float) -> bool:
        aside = self._name_temporary()
        try:
            if path.stat().st_mtime >= before:
                return False
            # Out of the way first: whoever writes the same bytes now either touched the file
            # before, which is seen below, or finds no file and makes one.
            path.rename(aside)
        except FileNotFoundError:
            return False
        if aside.stat().st_mtime >= before:
            aside.replace(path)
            return False
        aside.unlink()
        return True

    def _known(self, key: str, size: int) -> bool:
        """Whether a blob is there already; it is marked as wanted again, and its name is durable.

        Whoever wrote it may not have come to the last of these.
        """
        final = self._path(key)
        try:
            if final.stat().st_size != size:
                return False
            os.utime(final)  # see _remove()
            self._make_lasting(final.parent)
            _sync_directory(final.parent)
        except FileNotFoundError:
            return False
        return True

    def _keep(self, temporary: Path, key: str) -> None:
        """Give a durable temporary file its name, and make the name durable."""
        final = self._path(key)
        self._make_lasting(final.parent)
        try:
            temporary.replace(final)
        except FileNotFoundError:  # the directory may have been deleted by hand
            self._lasting.clear()
            self._make_lasting(final.parent)
            temporary.replace(final)
        _sync_directory(final.parent)

    def _make_lasting(self, folder: Path) -> None:
        """Make a directory, and its entry in its parent durable."""
        if folder == self.root or folder in self._lasting:
            return
        self._make_lasting(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_directory(folder.parent)
        self._lasting.add(folder)


class _LocalWriter:
    """Bytes on their way into a :class:`LocalStorage`.

    Up to 1 MiB stays in memory and becomes a file at the commit, in one turn of a thread. More
    is hashed and written in batches of that size. No file is open between two batches, so
    thousands of downloads need no more descriptors than there are threads.
    """

    def __init__(self, storage: LocalStorage) -> None:
        self._storage = storage
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._size = 0
        self._head = b""
        self._digest = hashlib.sha256()
        self._temporary: Path | None = None
        self._blob: Blob | None = None
        # A batch may be half written when its caller is canceled: only an abort is left then.
        self._usable = True
        # An abort waits for a batch that a canceled caller left to its thread.
        self._busy = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    @property
    def head(self) -> bytes:
        """The first bytes, at most 4,096."""
        return self._head

    async def write(self, chunk: bytes) -> None:
        """Add bytes. Never blocks the event loop.

        Raises:
            StorageError: They cannot be written: :meth:`abort` is all that is left to do.
        """
        self._check()
        if len(self._head) < _HEAD:
            self._head += bytes(chunk[: _HEAD - len(self._head)])
        self._chunks.append(bytes(chunk))
        self._buffered += len(chunk)
        self._size += len(chunk)
        if self._buffered > _BATCH:
            self._usable = False
            await self._storage._run(self._spill)
            self._usable = True

    async def commit(self, extension: str) -> Blob:
        """Make the bytes durable and visible under their hash; the blob afterwards.

        Args:
            extension: 1 to 8 lower-case letters and digits, without a dot.

        Raises:
            StorageError: The extension is none, or the bytes cannot be kept.
        """
        if self._blob is not None:
            return self._blob
        if not EXTENSION.fullmatch(extension):
            raise StorageError(f"{extension!r} is no file extension: 1 to 8 of a-z and 0-9.")
        self._check()
        self._usable = False
        self._blob = await self._storage._run(lambda: self._finish(extension))
        return self._blob

    async def abort(self) -> None:
        """Drop what was written. Safe at any time, also after a commit."""
        self._usable = False
        if self._blob is None and self._storage._pool is not None:
            await self._storage._run(self._drop)

    def _check(self) -> None:
        if not self._usable:
            raise StorageError("The writer is finished: it was committed, aborted, or it failed.")

    def _spill(self) -> None:
        with self._busy:
            try:
                for chunk in self._chunks:
                    self._digest.update(chunk)
                self._append(durable=False)
            except BaseException:
                self._remove()
                raise
            self._chunks.clear()
            self._buffered = 0

    def _finish(self, extension: str) -> Blob:
        with self._busy:
            try:
                for chunk in self._chunks:
                    self._digest.update(chunk)
                digest = self._digest.hexdigest()
                key = f"{digest}.{extension}"
                if self._storage._known(key, self._size):
                    self._remove()
                else:
                    self._storage._keep(self._append(durable=True), key)
            except BaseException:
                self._remove()
                raise
            self._temporary = None
            self._chunks.clear()
            return Blob(key, self._size, digest, self._head)

    def _append(self, *, durable: bool) -> Path:
        """Add what is buffered to the temporary file."""
        if self._temporary is None:
            self._temporary, descriptor = self._storage._create_temporary()
        else:
            # Not made again: a file without its beginning would get the name of the whole.
            descriptor = os.open(self._temporary, _APPEND)
        try:
            for chunk in self._chunks:
                _write(descriptor, chunk)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return self._temporary

    def _drop(self) -> None:
        with self._busy:
            self._chunks.clear()
            self._remove()

    def _remove(self) -> None:
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None


def _write(descriptor: int, content: bytes) -> None:
    """Write all of it: the system may take less at once."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _hash_of(key: str) -> str:
    """The hash in a key.

    Raises:
        StorageError: The key is none that a storage made. No file was looked at.
    """
    match = KEY.fullmatch(key)
    if match is None:
        raise StorageError(f"{key[:100]!r} is no key of a storage: SHA256.EXTENSION.")
    return match[1]


def _folders(parent: Path) -> list[Path]:
    """The directories of the fan-out in another one."""
    with os.scandir(parent) as entries:
        return [Path(one.path) for one in entries if _FAN.fullmatch(one.name) and one.is_dir()]


def _blobs(folder: Path) -> list[Blob]:
    """The blobs in one of the directories of the fan-out."""
    blobs = []
    with os.scandir(folder) as entries:
        for entry in entries:
            match = KEY.fullmatch(entry.name)
            if match is None or not entry.name.startswith(folder.name):
                continue
            # It may have been deleted since.
            with contextlib.suppress(FileNotFoundError):
                facts = entry.stat()
                blobs.append(Blob(entry.name, facts.st_size, match[1], stored_at=facts.st_mtime))
    return blobs


def _lift(folder: Path) -> None:
    """Move blobs to where they are looked for: they lay one directory deeper once."""
    for leaf in _folders(folder):
        # Another process may be doing the same.
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(leaf):
                if KEY.fullmatch(name):
                    with contextlib.suppress(FileNotFoundError):
                        (leaf / name).replace(folder / name)
            _sync_directory(folder)
            with contextlib.suppress(OSError):  # something else lies there
                leaf.rmdir()


def _abandoned(entry: os.DirEntry[str], now: float) -> bool:
    """Whether nobody will go on with a temporary file."""
    if not entry.is_file():
        return False
    match entry.name.split("-"):
        case [host, process, run, _] if host == _HOST and process.isdecimal():
            if int(process) == os.getpid():
                return run != _RUN
            if not _alive(int(process)):
                return True
    return now - entry.stat().st_mtime > _ABANDONED


def _alive(process: int) -> bool:
    """Whether a process of this host may still run."""
    if sys.platform == "win32":
        return True  # there, asking by a signal would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _sync_directory(folder: Path) -> None:
    """Make the names in a directory durable."""
    if sys.platform == "win32":
        return  # directories cannot be opened there; the file system's journal has to do
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _storage_error(error: OSError, root: Path) -> StorageError:
    """An error of the system, told so that the reader knows what to do."""
    path = error.filename or root
    if error.errno in _FULL:
        message = f"There is no space left, or a quota is used up, at {path}."
        remedy = f"Free space on the disk of {root}, then try again."
    elif error.errno == errno.EFBIG:
        message = f"A file at {path} grew beyond what the system allows for one."
        remedy = "Raise the limit of file sizes (ulimit -f), or choose another file system."
    elif error.errno in _DENIED:
        message = f"The storage may not use {path}: {error.strerror}."
        remedy = (
            f"Make {root} and the directories in it writable for this user,"
            " or choose another directory with BOARDS_HOME."
        )
    elif isinstance(error, FileNotFoundError):
        message = f"There is no file {path}."
        remedy = "It was deleted since, by hand or by another process."
    else:
        message = f"The storage failed at {path}: {error}."
        remedy = f"Look at the disk of {root}: space, quota, and its health."
    told = StorageError(message, remedy=remedy)
    told.retryable = error.errno in _FULL
    return told
