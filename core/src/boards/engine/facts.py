"""What a medium tells of itself in its headers: dimensions, duration, rates.

Images are read by ``imagesize`` and sound by ``tinytag``; video by :mod:`boards.engine.video`. All
of them get a file that they can neither read much of nor read for long, and whatever they stumble
over means no facts: an artifact is not refused for a header.
"""

import asyncio
import io
import math
import os
from pathlib import Path
from typing import BinaryIO, Final, cast

from attrs import evolve, frozen

from boards.errors import StorageError
from boards.storage import Blob, Storage

__all__ = ["Facts", "facts", "facts_of"]

_BUDGET: Final = 1 << 20
"""Bytes that are read of a medium."""
_READS: Final = 20_000
"""Reads of it: a few bytes each would take long."""
_LONGEST: Final = 1_000_000
"""Pixels of an edge, and seconds, from which a header is taken to lie."""

_IMAGES: Final = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/heic", "image/tiff"}
)
_VIDEOS: Final = frozenset({"video/mp4", "video/quicktime", "video/webm", "audio/webm"})


@frozen
class Facts:
    """Each is None where the medium has none, or does not tell.

    Attributes:
        width: Pixels, as displayed: a rotation in the header is applied.
        height: Pixels, as displayed.
        duration: Seconds.
        fps: Frames per second, on average.
        sample_rate: Samples of sound per second.
        channels: Channels of sound.
    """

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    fps: float | None = None
    sample_rate: int | None = None
    channels: int | None = None


async def facts_of(storage: Storage, blob: Blob, mime: str) -> Facts:
    """The facts of a blob: of most images from its first bytes, of the rest off the event loop.

    Of a storage that keeps no files only the first MiB is looked at.
    """
    if mime not in _IMAGES and mime not in _VIDEOS and not mime.startswith("audio/"):
        return Facts()
    if mime in _IMAGES and (told := facts(io.BytesIO(blob.head), blob.size, mime)).width:
        return told  # most images tell their size in the first bytes, which are at hand
    try:
        source = storage.path(blob.key) or await _beginning(storage, blob.key)
    except StorageError:
        return Facts()
    return await asyncio.to_thread(_look, source, blob.size, mime)


async def _beginning(storage: Storage, key: str) -> bytes:
    parts, size = [], 0
    async for chunk in storage.read(key):
        parts.append(chunk)
        size += len(chunk)
        if size >= _BUDGET:
            break
    return b"".join(parts)[:_BUDGET]


def _look(source: Path | bytes, size: int, mime: str) -> Facts:
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            return facts(cast("BinaryIO", file), size, mime)
    except OSError:
        return Facts()


def facts(file: BinaryIO, size: int, mime: str) -> Facts:
    """What a medium's headers tell. Never raises for what is in the file.

    Args:
        file: Seekable, at its beginning; perhaps only the beginning of the medium.
        size: Bytes of the whole medium.
        mime: What the bytes are, sniffed.
    """
    bounded = cast("BinaryIO", _Bounded(file, size))
    try:
        if mime in _IMAGES:
            return _believable(_image(bounded))
        if mime in _VIDEOS:
            from boards.engine.video import video  # noqa: PLC0415  # most runs see no video

            return _believable(Facts(**video(bounded)))
        return _believable(_audio(bounded))
    except Exception:  # parsers raise what they like on hostile bytes
        return Facts()


def _image(file: BinaryIO) -> Facts:
    import imagesize  # type: ignore[import-untyped]  # noqa: PLC0415  # imports urllib.request

    width, height = imagesize.get(file)
    return Facts(width, height)


def _audio(file: BinaryIO) -> Facts:
    from tinytag import TinyTag  # noqa: PLC0415  # only where there is sound

    tag = TinyTag.get(file_obj=file, tags=False)
    found = Facts(duration=tag.duration, sample_rate=tag.samplerate, channels=tag.channels)
    length = (tag.bitrate or 0) * 125 * (tag.duration or 0)
    # Headers of streams promise 4 GiB; those of cut files promise what is not there.
    return evolve(found, duration=None) if length > tag.filesize * 1.1 + _BUDGET else found


def _believable(found: Facts) -> Facts:
    """Facts without those that cannot be: negative, absurd, not a number."""

    def number(value: float | None) -> float | None:
        fine = value is not None and math.isfinite(value) and 0 < value < _LONGEST
        return round(cast("float", value), 3) if fine else None

    def whole(value: float | None) -> int | None:
        told = number(value)
        return int(told) if told is not None and told >= 1 else None

    width, height = whole(found.width), whole(found.height)
    return Facts(
        width if height else None,
        height if width else None,
        number(found.duration),
        number(found.fps),
        whole(found.sample_rate),
        whole(found.channels),
    )


class _Bounded(io.RawIOBase):
    """A file of which only so much can be read, in so many pieces."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__()
        self._size = size
        self._file = file
        self._left = _BUDGET
        self._reads = _READS

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == os.SEEK_END:
            return self._file.seek(max(self._size + offset, 0))
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1, /) -> bytes:
        """Read; all of the rest is more than what may be read."""
        self._reads -= 1
        if self._reads < 0 or not 0 <= size <= self._left:
            raise ValueError("more is to be read of the file than its headers")
        content = self._file.read(size)
        self._left -= len(content)
        return content
