"""Pictures out of bytes that nobody knows, and into bytes that everybody can show."""

import io
from typing import Any, Final

from PIL import Image, ImageOps

from boards.errors import ProviderError
from boards_local.bench import Given, Made

__all__ = ["FORMATS", "bounded", "only", "opened", "written"]

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What is read. Pillow reads more, some of it by other programs: those are left alone."""
_KNOWN: Final = "PNG, JPEG, WebP, GIF, BMP or TIFF"
_PIXELS: Final = 50_000_000
"""Pixels of a picture, where ``config.max_pixels`` says nothing: 200 MB in memory."""
_SIDE: Final = 16_383
"""Pixels of a side that every format that is written can have: WebP's limit."""
_QUALITY: Final = {"jpeg": 90, "webp": 85}


def only(given: Given) -> Image.Image:
    """The picture that was given as ``image``."""
    return opened(given.files["image"][0], given)


def opened(content: bytes, given: Given, *, name: str = "image") -> Image.Image:
    """A picture, upright, as RGB or RGBA; of an animation the first frame.

    Its size is told by its first bytes, and judged before any pixel is unpacked.

    Raises:
        ProviderError: It is none, it is broken, or it has too many pixels.
    """
    try:
        picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(f"{name}: {error}") from error
    except Exception as error:  # whatever a reader stumbles over
        raise ProviderError(
            "invalid_input",
            f"{name} is no picture that can be read: {len(content):,} bytes"
            f" that begin with {content[:12]!r}.",
            remedy=f"Give a file in {_KNOWN}.",
        ) from error
    bounded(*picture.size, given, name=name)
    try:
        picture.load()
        profile = picture.info.get("icc_profile")
        plain = _plain(ImageOps.exif_transpose(picture))
    except Exception as error:  # likewise
        raise ProviderError(
            "invalid_input",
            f"{name} is a broken {picture.format} file: {error}",
            remedy="Give the whole file, or save it anew.",
        ) from error
    # Colours of other models were just changed to RGB: their profile does not fit any more.
    colours = picture.mode in ("RGB", "RGBA", "P") and isinstance(profile, bytes)
    plain.info = {"icc_profile": profile} if colours else {}
    return plain


def bounded(width: int, height: int, given: Given, *, name: str = "the result") -> None:
    """Refuse what would not fit into memory, before it is made.

    Raises:
        ProviderError: It would not.
    """
    most = given.config.get("max_pixels", _PIXELS)
    if width * height > most or max(width, height) > _SIDE:
        raise _too_large(
            f"{name} has {width} x {height} pixels; {most:,} are allowed, and {_SIDE:,} a side"
        )


def _too_large(what: str) -> ProviderError:
    return ProviderError(
        "invalid_input",
        f"The picture is too large: {what.rstrip('.')}.",
        remedy="Make it smaller first, or raise config.max_pixels of the provider.",
    )


def _plain(picture: Image.Image) -> Image.Image:
    """As RGB, or RGBA where anything is transparent. 16 bits are brought to 8, not cut off."""
    if picture.mode.startswith("I") and _highest(picture) > 255:
        picture = picture.point(lambda value: value * (1 / 256)).convert("L")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _highest(picture: Image.Image) -> float:
    extrema: Any = picture.getextrema()
    return float(extrema[1])


def written(picture: Image.Image, given: Given, *, quality: int | None = None) -> Made:
    """The picture as a file, in the format that was asked for; nothing else of the input is in it.

    Args:
        picture: As :func:`opened` makes it.
        given: With ``output_format``: ``png``, ``jpeg`` or ``webp``.
        quality: 1 to 100, for jpeg and webp.
    """
    kind = given.input["output_format"]
    bounded(*picture.size, given)
    if kind == "jpeg" and picture.mode == "RGBA":
        picture = _on_white(picture)
    options: dict[str, Any] = {}
    if kind in _QUALITY:
        options["quality"] = _QUALITY[kind] if quality is None else quality
    if (profile := picture.info.get("icc_profile")) is not None:
        options["icc_profile"] = profile
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return Made(file.getvalue(), f"image/{kind}")


def _on_white(picture: Image.Image) -> Image.Image:
    """Without transparency: JPEG has none."""
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(picture, mask=picture.getchannel("A"))
    paper.info = picture.info
    return paper
