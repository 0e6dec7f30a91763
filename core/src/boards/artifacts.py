"""An artifact: one file or text that a generation produced."""

import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from attrs import field, frozen

__all__ = [
    "ARTIFACT_TYPES",
    "EXTENSION",
    "KEY",
    "REFERENCE_PREFIX",
    "Artifact",
    "ArtifactType",
    "declared_type",
    "extension_of",
    "type_of",
]

ArtifactType = Literal["image", "audio", "video", "text", "model", "intermediate"]
ARTIFACT_TYPES: tuple[ArtifactType, ...] = get_args(ArtifactType)

REFERENCE_PREFIX = "artifact:"
"""An input that begins so names a blob of the storage: ``artifact:KEY``."""

EXTENSION = re.compile(r"[a-z0-9]{1,8}")
"""What the extension of a key looks like."""
KEY = re.compile(rf"([0-9a-f]{{64}})\.{EXTENSION.pattern}")
"""What a key of a storage looks like: the hash of the bytes, and an extension."""

_LONGEST = 255
"""Characters of a media type."""

# What the platform's own table lacks or spells in a way that no viewer expects.
_EXTENSIONS = {
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/wav": "wav",
    "audio/webm": "webm",
    "audio/x-wav": "wav",
    "application/json": "json",
    "application/octet-stream": "bin",
    "application/x-tar": "tar",
    "application/zip": "zip",
    "image/avif": "avif",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/webp": "webp",
    "model/gltf-binary": "glb",
    "text/plain": "txt",
    "text/vtt": "vtt",
    "application/x-subrip": "srt",
    "video/mp4": "mp4",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/webm": "webm",
}


@frozen
class Artifact:
    """One output of a generation, kept in the storage.

    Attributes:
        id: ``GENERATION_ID.INDEX``, the index counting from 0 in the provider's order.
        type: What it is.
        mime: The media type, sniffed from the bytes.
        size: Bytes.
        sha256: The hash of the bytes, lower-case hex.
        key: Its name in the storage; equal bytes have equal keys.
        path: Where it lies as a file, if the storage keeps files.
        meta: Facts of it that the spec names, as the provider told them: ``seed``, for example.
        width: Pixels, as displayed. This and what follows is read from the bytes' own headers;
            None where they have no such thing, or do not tell.
        height: Pixels, as displayed.
        duration: Seconds of sound or film.
        fps: Frames of a film per second, on average.
        sample_rate: Samples of sound per second.
        channels: Channels of sound.
    """

    id: str
    type: ArtifactType
    mime: str
    size: int
    sha256: str
    key: str
    path: Path | None = None
    meta: Mapping[str, Any] = field(factory=dict)
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    fps: float | None = None
    sample_rate: int | None = None
    channels: int | None = None

    @property
    def reference(self) -> str:
        """The artifact as an input of another generation."""
        return f"{REFERENCE_PREFIX}{self.key}"

    def as_dict(self) -> dict[str, Any]:
        """The artifact as JSON."""
        return {
            "id": self.id,
            "type": self.type,
            "mime": self.mime,
            "path": str(self.path) if self.path else None,
            "size": self.size,
            "sha256": self.sha256,
            "meta": dict(self.meta),
            "width": self.width,
            "height": self.height,
            "duration": self.duration,
            "fps": self.fps,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
        }


def declared_type(written: Any) -> str | None:
    """A media type as somebody else wrote it; None for what is none, and should not be shown."""
    if not isinstance(written, str) or "/" not in written or len(written) > _LONGEST:
        return None
    return written if written.isascii() and written.isprintable() else None


def extension_of(mime: str) -> str:
    """The file extension of a media type, without a dot; ``bin`` where none is known."""
    essence = mime.partition(";")[0].strip().lower()
    if essence in _EXTENSIONS:
        return _EXTENSIONS[essence]
    # The platform's table has some that no key may have: webmanifest, x_t, c++.
    guessed = (mimetypes.guess_extension(essence) or "")[1:]
    return guessed if EXTENSION.fullmatch(guessed) else "bin"


def type_of(mime: str) -> ArtifactType | None:
    """The artifact type that a media type tells; None where it tells none."""
    family = mime.partition("/")[0].lower()
    if family in ("image", "audio", "video", "text", "model"):
        return family  # type: ignore[return-value]
    return None
