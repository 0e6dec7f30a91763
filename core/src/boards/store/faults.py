"""SQLite's errors, told so that the reader knows what to do."""

import sqlite3
from pathlib import Path
from typing import Final

from boards.errors import StoreError

__all__ = ["concerns_database", "store_error"]

_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DENIED: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN)
_DAMAGED: Final = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_DISK: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _code(error: BaseException) -> int | None:
    """The primary result code: the low byte, the rest of it tells details."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def concerns_database(error: BaseException) -> bool:
    """Whether an error is the database's, so that no other statement would fare better."""
    return _code(error) in (*_BUSY, *_DENIED, *_DAMAGED, *_DISK)


def store_error(error: BaseException, path: Path) -> StoreError:
    """An error of SQLite, or of the system below it, as Boards tells it."""
    if isinstance(error, StoreError):
        return error
    code = _code(error)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    retryable = False
    if code in _BUSY:
        retryable = True
        message = f"The database {path} is locked: another process has been writing to it."
        remedy = "Close the program that holds it (a shell, a backup), then try again."
    elif code == sqlite3.SQLITE_FULL:
        retryable = True
        message = f"There is no space left to write the database {path}."
        remedy = f"Free space on the disk of {path.parent}, then try again."
    elif code in _DENIED or isinstance(error, PermissionError):
        message = f"The database {path} cannot be opened for writing: {error}."
        remedy = (
            f"Make {path.parent} and the files in it writable for this user,"
            " or choose another directory with BOARDS_HOME."
        )
    elif code in _DAMAGED:
        message = f"The file {path} is not a database, or it is damaged: {error}."
        remedy = "Restore it from a backup, or move it away: a new one is made then."
    elif code == sqlite3.SQLITE_IOERR or isinstance(error, OSError):
        retryable = True
        message = f"The database {path} cannot be read or written: {error} ({name})."
        remedy = f"Look at the disk of {path.parent}: space, quota, and its health."
    else:
        message = f"The database {path} refused a write: {error} ({name})."
        remedy = ""
    told = StoreError(message, remedy=remedy)
    told.retryable = retryable
    return told
