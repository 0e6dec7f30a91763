"""What the plugin offers; see :mod:`boards.hookspecs`."""

from typing import TYPE_CHECKING

from boards.hookspecs import hookimpl
from boards.records import StorageRecord

if TYPE_CHECKING:
    from boards.settings import Settings
    from boards.storage import Storage

__all__ = ["boards_storages"]


@hookimpl
def boards_storages() -> list[StorageRecord]:
    """``s3``: artifacts in a bucket."""
    return [StorageRecord("s3", _s3)]


def _s3(settings: "Settings") -> "Storage":
    from boards_s3.environment import bucket_of  # noqa: PLC0415  # where it is used
    from boards_s3.storage import S3Storage  # noqa: PLC0415

    return S3Storage(bucket_of(settings))
