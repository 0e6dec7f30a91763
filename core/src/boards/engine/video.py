"""Dimensions, durations and rates in the headers of MP4, QuickTime and WebM.

No small library in Python reads them: what there is wraps FFmpeg or is not kept any more. Sources:
ISO/IEC 14496-12 (boxes), the QuickTime File Format Specification, RFC 8794 (EBML) and RFC 9559
(Matroska).
"""

import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

__all__ = ["video"]

_EBML: Final = b"\x1a\x45\xdf\xa3"


def video(file: BinaryIO) -> dict[str, Any]:
    """What the headers tell: ``width height duration fps sample_rate channels``, where known.

    Raises:
        ValueError: The file is not what it says.
        struct.error: It ends in the middle of a header.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    return _matroska(file, end) if file.read(4) == _EBML else _mp4(file, end)


def _read(file: BinaryIO, layout: str, at: int) -> tuple[Any, ...]:
    file.seek(at)
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


# MP4 and QuickTime: boxes of size, kind and content


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each box between two places: its kind, and where its content begins and ends."""
    while start + 8 <= end:
        size, kind = _read(file, ">I4s", start)
        body = start + 8
        if size == 1:
            (size,) = _read(file, ">Q", body)
            body += 8
        elif size == 0:
            size = end - start
        if not body <= start + size <= end:
            raise ValueError("a box is longer than what it lies in")
        yield kind, body, start + size
        start += size


def _mp4(file: BinaryIO, end: int) -> dict[str, Any]:
    for kind, start, stop in _boxes(file, 0, end):
        if kind == b"moov":
            return _movie(file, start, stop)
    return {}


def _movie(file: BinaryIO, start: int, end: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    scale = 0
    for kind, body, stop in _boxes(file, start, end):
        match kind:
            case b"mvhd":
                scale, units = _times(file, body)
                found["duration"] = _seconds(units, scale)
            case b"mvex":  # a fragmented film tells its length here, or nowhere
                for inner, at, _ in _boxes(file, body, stop):
                    if inner == b"mehd":
                        (version,) = _read(file, ">B", at)
                        (units,) = _read(file, ">Q" if version else ">I", at + 4)
                        found["duration"] = _seconds(units, scale)
            case b"trak":
                for name, value in _track(file, body, stop).items():
                    found.setdefault(name, value)
            case _:
                pass
    return found


def _times(file: BinaryIO, body: int) -> tuple[int, int]:
    """Units per second and units, of ``mvhd`` or ``mdhd``."""
    (version,) = _read(file, ">B", body)
    scale, units = _read(file, ">IQ" if version else ">II", body + (20 if version else 12))
    unknown = units == (2**64 - 1 if version else 2**32 - 1)
    return scale, 0 if unknown else units


def _seconds(units: int, scale: int) -> float | None:
    return units / scale if units and scale else None


def _track(file: BinaryIO, start: int, end: int) -> dict[str, Any]:
    """What one track adds: the first of each kind counts."""
    boxes: dict[bytes, int] = {}
    for kind, body in _tree(file, start, end):
        boxes.setdefault(kind, body)  # QuickTime has a second handler, of the data
    (handler,) = _read(file, ">4s", boxes[b"hdlr"] + 8)
    if handler == b"vide":
        (version,) = _read(file, ">B", boxes[b"tkhd"])
        matrix = boxes[b"tkhd"] + (52 if version else 40)
        across, _, _, _, down, *_, width, height = _read(file, ">9i2I", matrix)
        width, height = width >> 16, height >> 16
        if not across and not down:  # a quarter turn
            width, height = height, width
        scale, units = _times(file, boxes[b"mdhd"])
        frames = 0
        if b"stsz" in boxes:
            (frames,) = _read(file, ">I", boxes[b"stsz"] + 8)
        fps = frames * scale / units if units else None
        return {"width": width, "height": height, "fps": fps}
    if handler == b"soun":
        # The sample table's first description: 8 bytes of it, 8 of a box, 16 up to the channels.
        (channels,) = _read(file, ">H", boxes[b"stsd"] + 32)
        (rate,) = _read(file, ">I", boxes[b"stsd"] + 40)
        return {"channels": channels, "sample_rate": rate >> 16}
    return {}


_WITHIN_TRACKS: Final = (b"mdia", b"minf", b"stbl")


def _tree(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """The boxes of a track, on all levels that matter, and where their contents begin."""
    for kind, body, stop in _boxes(file, start, end):
        if kind in _WITHIN_TRACKS:
            yield from _tree(file, body, stop)
        else:
            yield kind, body


# Matroska and WebM: elements of id, size and content

_SEGMENT: Final = 0x18538067
_CLUSTER: Final = 0x1F43B675
_PARENTS: Final = frozenset({0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0xE1})
"""Info, Tracks, and in those a track with its video or audio."""
_NAMES: Final = {
    0x2AD7B1: "scale",
    0x4489: "units",
    0x23E383: "frame",
    0xB0: "width",
    0xBA: "height",
    0x54B0: "display_width",
    0x54BA: "display_height",
    0x54B2: "display_unit",
    0xB5: "sample_rate",
    0x9F: "channels",
}
_FLOATS: Final = (0x4489, 0xB5)


def _number(file: BinaryIO, at: int, *, marker: bool) -> tuple[int, int]:
    """A number of variable length, with or without the bit that tells it; where it ends."""
    (first,) = _read(file, ">B", at)
    length = 9 - first.bit_length()
    if length > 8:
        raise ValueError("a number of more than 8 bytes")
    value = int.from_bytes(_read(file, f">{length}s", at)[0], "big")
    return value if marker else value & ~(1 << 7 * length), at + length


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Each element between two places: its id, and where its content begins and ends."""
    while start + 2 <= end:
        name, at = _number(file, start, marker=True)
        size, body = _number(file, at, marker=False)
        if size == (1 << 7 * (body - at)) - 1:  # unknown: it ends where its parent does
            size = end - body
        if body + size > end:
            raise ValueError("an element is longer than what it lies in")
        yield name, body, body + size
        start = body + size


def _matroska(file: BinaryIO, end: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, start, stop in _elements(file, 0, end):
        if name == _SEGMENT:
            _segment(file, start, stop, found)
            break
    units, scale, frame = (found.pop(key, None) for key in ("units", "scale", "frame"))
    across, down = found.pop("display_width", None), found.pop("display_height", None)
    if not found.pop("display_unit", 0) and across and down:
        found |= {"width": across, "height": down}
    if units:
        found["duration"] = units * (scale or 1_000_000) / 1e9
    if frame:
        found["fps"] = 1e9 / frame
    return found


def _segment(file: BinaryIO, start: int, end: int, found: dict[str, Any]) -> None:
    for name, body, stop in _elements(file, start, end):
        if name == _CLUSTER:
            return  # the media begin: headers come before
        if name in _PARENTS:
            _segment(file, body, stop, found)
        elif name in _NAMES:
            (content,) = _read(file, f">{min(stop - body, 8)}s", body)
            found.setdefault(_NAMES[name], _value(name, content))


def _value(name: int, content: bytes) -> float:
    if name not in _FLOATS:
        return int.from_bytes(content, "big")
    return float(struct.unpack({4: ">f", 8: ">d"}[len(content)], content)[0])
