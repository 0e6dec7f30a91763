"""Pictures to try the plugin with, and what its threads are given."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

from boards_local.bench import Given

DEFAULTS = {"output_format": "png", "fit": "contain", "flip": "none", "angle": 90}


def given(files: dict[str, list[bytes]] | None = None, /, **input_: Any) -> Given:
    """What a maker is given; ``config`` may be among the keywords."""
    config = input_.pop("config", {})
    return Given({**DEFAULTS, **input_}, files or {}, config)


def encoded(picture: Image.Image, kind: str = "png", **options: Any) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def decoded(content: bytes) -> Image.Image:
    """A file as a picture."""
    return Image.open(io.BytesIO(content))


def corners(width: int = 40, height: int = 20) -> Image.Image:
    """Red at the upper left, green at the upper right, blue below."""
    picture = Image.new("RGB", (width, height), "blue")
    picture.paste("red", (0, 0, width // 2, height // 2))
    picture.paste("green", (width // 2, 0, width, height // 2))
    return picture


def header_of(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels, and has none."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    shape = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", shape) + chunk(b"IDAT", zlib.compress(b""))
