"""Uploads that live at providers: what a store may keep, so that a file is uploaded once.

It is a cache that outlives the process: what is lost of it costs an upload, and nothing else.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from attrs import astuple, frozen

from boards.store.writer import Transaction, Write

__all__ = ["SQLiteUploads", "UploadKey", "UploadStore"]


@frozen
class UploadKey:
    """What makes two uploads the same one.

    Attributes:
        account: Where it goes, and as whom: the digest of a provider's addresses and credentials.
        sha256: Of the file's bytes, hex.
        how: The digest of how the provider takes it: its spec's part, and the media type.
    """

    account: str
    sha256: str
    how: str


class UploadStore(Protocol):
    """Uploads. Methods that are awaited raise :class:`boards.errors.StoreError`.

    A store has one as ``uploads``, if it keeps any at all.
    """

    async def get(self, key: UploadKey, now: float) -> str | None:
        """What a request says instead of the file, if it was uploaded and may be used still."""

    async def keep(self, key: UploadKey, address: str, *, at: float, until: float) -> None:
        """Keep an upload that was begun at one time, to be used until another (Unix seconds)."""

    def forget(self, keys: Iterable[UploadKey]) -> None:
        """Use these no more; nobody waits for it."""


_OF_KEY: Final = "account = ? AND sha256 = ? AND how = ?"
# One that was uploaded in the future was uploaded before the clock was set back: it may be gone.
_GET: Final = f"SELECT address FROM uploads WHERE {_OF_KEY} AND at <= ? AND until > ?"  # noqa: S608
_PRUNE: Final = "DELETE FROM uploads WHERE until <= ?"
_KEEP: Final = """
    INSERT OR REPLACE INTO uploads (account, sha256, how, address, at, until)
    VALUES (?, ?, ?, ?, ?, ?)"""
_FORGET: Final = f"DELETE FROM uploads WHERE {_OF_KEY}"  # noqa: S608


class _Keep(Write):
    """Insert an upload, and delete those that are over."""

    __slots__ = ("_row",)

    def __init__(self, row: tuple[Any, ...]) -> None:
        super().__init__()
        self._row = row

    def apply(self, transaction: Transaction) -> None:
        """Delete and insert rows."""
        transaction.cursor.execute(_PRUNE, (transaction.now,))
        transaction.cursor.execute(_KEEP, self._row)


class _Forget(Write):
    """Delete uploads."""

    __slots__ = ("_keys",)

    def __init__(self, keys: list[tuple[Any, ...]]) -> None:
        super().__init__()
        self._keys = keys

    def apply(self, transaction: Transaction) -> None:
        """Delete their rows."""
        transaction.cursor.executemany(_FORGET, self._keys)


class SQLiteUploads:
    """Uploads in the database of a :class:`boards.store.sqlite.SQLiteStore`.

    Args:
        commit: Writes with the next group.
        queue: Writes with the next group, and nobody waits.
        rows: Reads.
    """

    def __init__(
        self,
        commit: Callable[[Write], Awaitable[Any]],
        queue: Callable[[Write], None],
        rows: Callable[[str, Sequence[object]], Awaitable[list[Any]]],
    ) -> None:
        self._commit = commit
        self._queue = queue
        self._rows = rows

    async def get(self, key: UploadKey, now: float) -> str | None:
        """What a request says instead of the file, if it was uploaded and may be used still."""
        found = await self._rows(_GET, (*astuple(key), now, now))
        return str(found[0][0]) if found else None

    async def keep(self, key: UploadKey, address: str, *, at: float, until: float) -> None:
        """Keep an upload that was begun at one time, to be used until another (Unix seconds)."""
        await self._commit(_Keep((*astuple(key), address, at, until)))

    def forget(self, keys: Iterable[UploadKey]) -> None:
        """Use these no more; nobody waits for it."""
        self._queue(_Forget([astuple(key) for key in keys]))
