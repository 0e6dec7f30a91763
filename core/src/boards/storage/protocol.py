"""What the engine asks of a storage.

A storage makes its keys itself, from the hash of the bytes: nothing of a reply ever becomes part
of a name. Equal bytes are kept once.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

__all__ = ["Blob", "BlobWriter", "Storage"]


@frozen
class Blob:
    """Bytes that are kept.

    Attributes:
        key: ``SHA256.EXTENSION``.
        size: Bytes.
        sha256: Lower-case hex.
        head: The first bytes, at most 4,096: enough to tell the media type.
        stored_at: Unix seconds of when it was written last, be it again; None where unknown.
    """

    key: str
    size: int
    sha256: str
    head: bytes = b""
    stored_at: float | None = field(default=None, eq=False)


class BlobWriter(Protocol):
    """Bytes on their way into a storage. Nothing is visible before :meth:`commit`."""

    @property
    def size(self) -> int:
        """Bytes written so far."""

    @property
    def head(self) -> bytes:
        """The first bytes, at most 4,096."""

    async def write(self, chunk: bytes) -> None:
        """Add bytes. Never blocks the event loop."""

    async def commit(self, extension: str) -> Blob:
        """Make the bytes durable and visible under their hash; the blob afterwards."""

    async def abort(self) -> None:
        """Drop what was written. Safe at any time, also after a commit."""


class Storage(Protocol):
    """Bytes by key. Methods raise :class:`boards.errors.StorageError`."""

    async def open(self) -> None:
        """Make ready; leftovers of a crash are dropped."""

    async def close(self) -> None:
        """Release everything."""

    def writer(self) -> BlobWriter:
        """A new, empty writer."""

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of a blob, in chunks."""

    async def stat(self, key: str) -> Blob | None:
        """Size and hash of a blob (``head`` may be empty); None if there is none."""

    async def delete(self, key: str, *, before: float | None = None) -> bool:
        """Remove a blob; False if there was none, or if it stays.

        Args:
            key: Which.
            before: Only if it was written last before then (Unix seconds): a blob that somebody
                writes again at this moment stays.
        """

    def list(self) -> AsyncIterator[Blob]:
        """Every blob, in no order, with ``stored_at`` where the storage knows it."""

    def path(self, key: str) -> Path | None:
        """Where a blob lies as a file; None for storages that keep none."""

    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        """A URL that the public can fetch for so many seconds; None if it has none."""
