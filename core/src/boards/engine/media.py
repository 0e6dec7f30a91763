"""What bytes are: media types told from the first bytes, never from a name."""

import codecs
from typing import Final

from boards.artifacts import ArtifactType, type_of

__all__ = ["SNIFF_BYTES", "as_wanted", "mismatch", "sniff"]

SNIFF_BYTES: Final = 512

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"glTF", "model/gltf-binary"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"%PDF-", "application/pdf"),
)
_RIFF: Final = {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_EITHER: Final = {
    ("video/mp4", "audio"): "audio/mp4",
    ("video/webm", "audio"): "audio/webm",
    ("audio/ogg", "video"): "video/ogg",
}
"""Containers of sound and of film, whose first bytes do not tell which of the two they hold."""


def sniff(head: bytes) -> str | None:
    """The media type that the first bytes tell; None where they tell none."""
    for magic, mime in _MAGIC:
        if head.startswith(magic):
            return mime
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:12] == b"ftypmif1":  # pictures of any coding: the other brands tell which
        brands = head[16 : int.from_bytes(head[:4], "big")]
        return "image/avif" if b"avif" in brands else "image/heic"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06:
        return "audio/mpeg"
    return _sniff_text(head)


def as_wanted(mime: str | None, wanted: ArtifactType) -> str | None:
    """What :func:`sniff` told; of a container that may hold what is wanted, the type for that."""
    return mime and _EITHER.get((mime, wanted), mime)


def _sniff_text(head: bytes) -> str | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    while start.startswith((b"<?", b"<!--")):  # declarations and comments
        start = start.partition(b"?>" if start.startswith(b"<?") else b"-->")[2].lstrip()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "text/html"
    return "image/svg+xml" if start.startswith((b"<svg", b"<!doctype svg")) else None


_STRICT: Final = frozenset({"image", "audio", "video"})


def mismatch(mime: str | None, wanted: ArtifactType, head: bytes = b"") -> str:
    """What bytes are that cannot be such an artifact, a web page for an image say; else empty.

    Args:
        mime: What they were told to be by :func:`sniff`, or by whoever sent them.
        wanted: What they should be.
        head: The first of them, where text cannot be taken for a medium.
    """
    if mime is None:
        return "text" if wanted in _STRICT and _readable(head) else ""
    return mime if _excludes(mime, wanted) else ""


def _readable(head: bytes) -> bool:
    """Whether bytes are text: an error in JSON, say, that was answered as if it were the medium."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(one.isprintable() or one in "\t\r\n" for one in text)


def _excludes(mime: str, wanted: ArtifactType) -> bool:
    if mime == "text/html":
        return wanted != "text"
    if wanted not in _STRICT:
        return False
    if wanted == "video" and mime in ("image/gif", "image/webp"):
        return False  # animations
    return type_of(mime) != wanted
