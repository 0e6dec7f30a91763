"""What boards-core itself offers, as a plugin like any other."""

from typing import TYPE_CHECKING

from boards.hookspecs import hookimpl
from boards.records import AuthRecord, RunnerRecord, StorageRecord, StoreRecord

if TYPE_CHECKING:
    from boards.auth.protocol import Auth
    from boards.runner.protocol import Runner
    from boards.settings import Settings
    from boards.storage.protocol import Storage
    from boards.store.protocol import Store

__all__ = ["boards_auths", "boards_runners", "boards_storages", "boards_stores"]

# Each import waits for its use: a listing needs none of these.


@hookimpl
def boards_storages() -> list[StorageRecord]:
    """``local``: files in the home directory."""
    return [StorageRecord("local", _local_storage)]


@hookimpl
def boards_auths() -> list[AuthRecord]:
    """``none``: everything belongs to one owner."""
    return [AuthRecord("none", _no_auth)]


@hookimpl
def boards_stores() -> list[StoreRecord]:
    """``sqlite``: one file in the home directory."""
    return [StoreRecord("sqlite", _sqlite_store)]


@hookimpl
def boards_runners() -> list[RunnerRecord]:
    """``embedded``: the host's own event loop."""
    return [RunnerRecord("embedded", _embedded_runner)]


def _local_storage(settings: "Settings") -> "Storage":
    from boards.storage.local import LocalStorage  # noqa: PLC0415

    return LocalStorage(settings.home / "artifacts")


def _no_auth(settings: "Settings") -> "Auth":
    from boards.auth.none import NoAuth  # noqa: PLC0415

    return NoAuth()


def _sqlite_store(settings: "Settings") -> "Store":
    from boards.store.sqlite import SQLiteStore  # noqa: PLC0415

    return SQLiteStore(settings.database)


def _embedded_runner(settings: "Settings") -> "Runner":
    from boards.runner.embedded import EmbeddedRunner  # noqa: PLC0415

    return EmbeddedRunner()
