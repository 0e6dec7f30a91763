"""Bytes on their way into a bucket: in memory, then in a temporary file, uploaded at the end."""

import asyncio
import hashlib
import tempfile
import threading
import weakref
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final, TypeVar

from boards.artifacts import EXTENSION
from boards.errors import StorageError
from boards.storage.protocol import Blob

if TYPE_CHECKING:
    from boards_s3.storage import S3Storage

__all__ = ["S3Writer"]

T = TypeVar("T")

_HEAD: Final = 4096
_BATCH: Final = 1 << 20
"""Bytes that a writer keeps in memory; more go into a temporary file, in a thread."""


class S3Writer:
    """Bytes on their way into a :class:`boards_s3.S3Storage`.

    The temporary file has no name, where the system can do that: it is gone with the process.
    """

    def __init__(self, storage: "S3Storage") -> None:
        self._storage = storage
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._size = 0
        self._head = b""
        self._digest = hashlib.sha256()
        self._file: IO[bytes] | None = None
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
            await self._in_thread(self._spill)
            self._usable = True

    async def commit(self, extension: str) -> Blob:
        """Upload the bytes under their hash; the blob afterwards.

        Args:
            extension: 1 to 8 lower-case letters and digits, without a dot.

        Raises:
            StorageError: The extension is none, or the bytes cannot be uploaded.
        """
        if self._blob is not None:
            return self._blob
        if not EXTENSION.fullmatch(extension):
            raise StorageError(f"{extension!r} is no file extension: 1 to 8 of a-z and 0-9.")
        self._check()
        self._usable = False
        content = await self._in_thread(self._whole)
        digest = self._digest.hexdigest()
        blob = Blob(f"{digest}.{extension}", self._size, digest, self._head)
        await self._storage.keep(blob.key, content, self._size)
        self._blob = blob
        await self._in_thread(self._drop)
        return blob

    async def abort(self) -> None:
        """Drop what was written. Safe at any time, also after a commit."""
        self._usable = False
        await self._in_thread(self._drop)

    def _check(self) -> None:
        if not self._usable:
            raise StorageError("The writer is finished: it was committed, aborted, or it failed.")

    async def _in_thread(self, function: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(function)
        except OSError as error:
            raise StorageError(
                f"A temporary file in {tempfile.gettempdir()} cannot be used: {error.strerror}.",
                remedy="Free space there, or name another directory by TMPDIR.",
            ) from error

    def _spill(self) -> None:
        """Move what is buffered into the temporary file."""
        with self._busy:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="boards-s3-")  # noqa: SIM115  # kept open
                weakref.finalize(self, self._file.close)  # of a writer that is forgotten
            for chunk in self._chunks:
                self._digest.update(chunk)
                self._file.write(chunk)
            self._chunks.clear()
            self._buffered = 0

    def _whole(self) -> bytes | IO[bytes]:
        """All that was written, hashed."""
        if self._file is not None:
            self._spill()
        with self._busy:
            for chunk in self._chunks:
                self._digest.update(chunk)
            if self._file is None:
                return b"".join(self._chunks)
            self._file.flush()
            return self._file

    def _drop(self) -> None:
        with self._busy:
            self._chunks.clear()
            if self._file is not None:
                self._file.close()
                self._file = None
