"""A small H.264 encoder and MP4 writer, so that emulated videos are real ones.

The stream is Constrained Baseline (ITU-T H.264, Annex A.2.1.1). The first frame sends every
macroblock raw (``I_PCM``), the others send raw only the macroblocks that changed and skip
the rest (``P_Skip``): no transform, no entropy coding to speak of, and exact pixels. The
file is ISO/IEC 14496-12 with the ``avc1`` sample entry of ISO/IEC 14496-15, index first.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

_DELTA: Final = 512
"""Ticks a frame; the time scale is so many ticks times the frames a second."""
_UNITY: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


class Frame(NamedTuple):
    """A picture in planar YCbCr 4:2:0, limited range, rows top to bottom without padding."""

    y: bytes
    cb: bytes
    cr: bytes


def encode(frames: Iterable[Frame], *, width: int, height: int, fps: int) -> bytes:
    """Encode frames into an MP4 file.

    Args:
        frames: At least one.
        width: In pixels, a multiple of 16.
        height: In pixels, a multiple of 16.
        fps: Frames a second.

    Raises:
        ValueError: The size is no multiple of 16, or there is no frame.
    """
    if width % 16 or height % 16 or min(width, height) < 16:
        raise ValueError(f"{width}x{height} is not a whole number of 16x16 macroblocks.")
    samples: list[bytes] = []
    previous: list[bytes] | None = None
    for number, frame in enumerate(frames):
        blocks = _macroblocks(frame, width, height)
        nal = _key_frame(blocks) if previous is None else _next_frame(number, blocks, previous)
        samples.append(struct.pack(">I", len(nal)) + nal)
        previous = blocks
    if not samples:
        raise ValueError("A video has at least one frame.")
    return _mp4(samples, width, height, fps)


class _Bits:
    """Writes a bit stream, most significant bit first."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._value = 0
        self._count = 0

    def u(self, bits: int, value: int) -> None:
        self._value = self._value << bits | value
        self._count += bits
        whole = self._count // 8
        if whole:
            self._count -= 8 * whole
            self._done += (self._value >> self._count).to_bytes(whole, "big")
            self._value &= (1 << self._count) - 1

    def ue(self, *values: int) -> None:
        """Exp-Golomb codes (9.1)."""
        for value in values:
            length = (value + 1).bit_length()
            self.u(2 * length - 1, value + 1)

    def align(self) -> None:
        self.u(-self._count % 8, 0)

    def raw(self, block: bytes) -> None:
        self._done += block

    def nal(self, header: int) -> bytes:
        """Close with the trailing bits, and escape what looks like a start code (7.4.1)."""
        self.u(1, 1)
        self.align()
        return bytes([header]) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", bytes(self._done))


def _sequence_parameters(width: int, height: int) -> bytes:
    bits = _Bits()
    bits.u(8, 66)  # Baseline,
    bits.u(8, 0b1110_0000)  # constrained,
    bits.u(8, 30)  # level 3: up to 720x576 at 25
    bits.ue(0, 4)  # id; frame_num of 8 bits
    bits.ue(2)  # output order is decoding order
    bits.ue(1)  # one reference frame,
    bits.u(1, 0)  # without gaps
    bits.ue(width // 16 - 1, height // 16 - 1)
    bits.u(4, 0b1100)  # frames only, direct_8x8_inference, no cropping, no VUI
    return bits.nal(0x67)


def _picture_parameters() -> bytes:
    bits = _Bits()
    bits.ue(0, 0)  # ids
    bits.u(2, 0)  # CAVLC; no bottom field order
    bits.ue(0, 0, 0)  # one slice group; one reference
    bits.u(3, 0)  # no weighted prediction
    bits.ue(0, 0, 0)  # quantisers
    bits.u(3, 0b100)  # slices control deblocking
    return bits.nal(0x68)


def _key_frame(blocks: Sequence[bytes]) -> bytes:
    bits = _Bits()
    bits.ue(0, 7, 0)  # first macroblock; I slices only; picture parameter set
    bits.u(8, 0)  # frame_num
    bits.ue(0)  # idr_pic_id
    bits.u(2, 0)  # not long-term
    bits.ue(0, 1)  # quantiser; no deblocking
    for block in blocks:
        bits.ue(25)  # I_PCM
        bits.align()
        bits.raw(block)
    return bits.nal(0x65)


def _next_frame(number: int, blocks: Sequence[bytes], previous: Sequence[bytes]) -> bytes:
    bits = _Bits()
    bits.ue(0, 5, 0)  # first macroblock; P slices only; picture parameter set
    bits.u(8, number % 256)  # frame_num
    bits.u(3, 0)  # no overrides of reference lists or marking
    bits.ue(0, 1)  # quantiser; no deblocking
    skipped = 0
    for block, before in zip(blocks, previous, strict=True):
        if block == before:
            skipped += 1
            continue
        bits.ue(skipped, 5 + 25)  # I_PCM, after the five types of P
        bits.align()
        bits.raw(block)
        skipped = 0
    if skipped:
        bits.ue(skipped)
    return bits.nal(0x41)


def _macroblocks(frame: Frame, width: int, height: int) -> list[bytes]:
    """The samples of each macroblock: 16x16 of Y, then 8x8 of Cb and of Cr."""
    blocks = []
    for top in range(0, height, 16):
        for left in range(0, width, 16):
            y = [frame.y[i : i + 16] for i in _rows(top, left, width, 16)]
            chroma = [
                plane[i : i + 8]
                for plane in (frame.cb, frame.cr)
                for i in _rows(top // 2, left // 2, width // 2, 8)
            ]
            blocks.append(b"".join(y + chroma))
    return blocks


def _rows(top: int, left: int, stride: int, size: int) -> range:
    start = top * stride + left
    return range(start, start + size * stride, stride)


def _mp4(samples: Sequence[bytes], width: int, height: int, fps: int) -> bytes:
    scale, duration = _DELTA * fps, _DELTA * len(samples)
    sps, pps = _sequence_parameters(width, height), _picture_parameters()
    avcc = (
        struct.pack(">B3sBBH", 1, sps[1:4], 0xFF, 0xE1, len(sps))
        + sps
        + struct.pack(">BH", 1, len(pps))
        + pps
    )
    entry = (
        struct.pack(">6xH16xHH", 1, width, height)
        + struct.pack(">IIIH", 0x00480000, 0x00480000, 0, 1)
        + b"\5Boards".ljust(32, b"\0")
        + struct.pack(">Hh", 24, -1)
        + _box("avcC", avcc)
    )
    ftyp = _box("ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")

    def moov(offset: int) -> bytes:
        table = _box(
            "stbl",
            _full("stsd", struct.pack(">I", 1), _box("avc1", entry)),
            _full("stts", struct.pack(">III", 1, len(samples), _DELTA)),
            _full("stss", struct.pack(">II", 1, 1)),
            _full("stsc", struct.pack(">IIII", 1, 1, len(samples), 1)),
            _full("stsz", struct.pack(f">II{len(samples)}I", 0, len(samples), *map(len, samples))),
            _full("stco", struct.pack(">II", 1, offset)),
        )
        reference = _full("dref", struct.pack(">I", 1), _full("url ", flags=1))
        media = _box(
            "mdia",
            _full("mdhd", struct.pack(">IIIIHH", 0, 0, scale, duration, 0x55C4, 0)),
            _full("hdlr", struct.pack(">I4s12x", 0, b"vide"), b"Boards\0"),
            _box("minf", _full("vmhd", bytes(8), flags=1), _box("dinf", reference), table),
        )
        track = _box(
            "trak",
            _full(
                "tkhd",
                struct.pack(">IIIIIQHHHH", 0, 0, 1, 0, duration, 0, 0, 0, 0, 0),
                _UNITY,
                struct.pack(">II", width << 16, height << 16),
                flags=3,
            ),
            media,
        )
        header = _full(
            "mvhd",
            struct.pack(">IIIIIH10x", 0, 0, scale, duration, 0x10000, 0x100),
            _UNITY,
            struct.pack(">24xI", 2),
        )
        return _box("moov", header, track)

    offset = len(ftyp) + len(moov(0)) + 8
    return ftyp + moov(offset) + _box("mdat", *samples)


def _box(kind: str, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind.encode()) + b"".join(parts)


def _full(kind: str, *parts: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)
