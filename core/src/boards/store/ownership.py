"""Which process drives: a lock that the operating system gives back when its holder dies."""

import sqlite3
from pathlib import Path

from boards.store.faults import store_error

__all__ = ["OwnerLock"]


class OwnerLock:
    """An exclusive lock on a file beside the database.

    The lock is SQLite's own, on an empty database: it holds on every platform where the store
    itself is safe, between processes and between two stores of one process, it is not inherited
    by a fork, and no kill leaves it behind. The file stays: to delete it would let two processes
    lock two files of one name.

    Args:
        path: The file, made when the lock is first tried.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: sqlite3.Connection | None = None

    def acquire(self) -> bool:
        """Take the lock, without waiting; True if it is held now, or was already.

        Raises:
            StoreError: The file cannot be made or locked.
        """
        if self._held is not None:
            return True
        try:
            lock = sqlite3.connect(
                self.path, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except BaseException:
                lock.close()
                raise
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise store_error(error, self.path) from error
        self._held = lock
        return True

    def release(self) -> None:
        """Give the lock up, if it is held."""
        if self._held is not None:
            self._held.close()
            self._held = None
