"""Where the bytes of artifacts live."""

from boards.storage.protocol import Blob, BlobWriter, Storage

__all__ = ["Blob", "BlobWriter", "Storage"]
