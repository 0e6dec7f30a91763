"""Artifacts in a bucket of S3, or of a server that speaks its protocol: the storage ``s3``."""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from boards_s3.bucket import Bucket, Keys
    from boards_s3.storage import S3Storage

__all__ = ["Bucket", "Keys", "S3Storage"]

_HOMES: Final = {
    "Bucket": "boards_s3.bucket",
    "Keys": "boards_s3.bucket",
    "S3Storage": "boards_s3.storage",
}


def __getattr__(name: str) -> Any:
    # Every listing of plugins imports this package, for its hooks; few use the storage.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
