"""Blobs that no generation mentions: refused results, inputs of what was never created."""

import time
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, frozen

if TYPE_CHECKING:
    from boards.storage import Storage
    from boards.store import Store

__all__ = ["GRACE", "Collected", "collect_garbage"]

GRACE: Final = 24 * 3600.0
"""Seconds for which a blob may lie unmentioned: its generation may still be on its way."""


@frozen
class Collected:
    """What a collection found.

    Attributes:
        deleted: Blobs that were deleted, or would be.
        freed: Their bytes.
        kept: Blobs that stay, because a generation mentions them or because they are young.
    """

    deleted: int
    freed: int
    kept: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


async def collect_garbage(
    store: "Store", storage: "Storage", *, grace: float = GRACE, dry_run: bool = False
) -> Collected:
    """Delete the blobs that no generation mentions, and that were written before the grace time.

    Safe while other processes generate: a blob that is written again meanwhile is young again.

    Args:
        store: Which keys are mentioned; of all owners.
        storage: Where the blobs are. What it tells no age of, stays.
        grace: Seconds.
        dry_run: Delete nothing; only count.

    Raises:
        StoreError: The store cannot be read; nothing was deleted.
        StorageError: The storage cannot be read, or a blob cannot be deleted.
    """
    before = time.time() - grace
    kept = deleted = freed = 0
    old: dict[str, int] = {}
    # First the blobs, then who mentions them: what is created meanwhile is seen.
    async for blob in storage.list():
        if blob.stored_at is not None and blob.stored_at < before:
            old[blob.key] = blob.size
        else:
            kept += 1
    async for key in store.referenced_keys():
        kept += old.pop(key, None) is not None
    for key, size in old.items():
        if dry_run or await storage.delete(key, before=before):
            deleted += 1
            freed += size
        else:
            kept += 1
    return Collected(deleted, freed, kept)
