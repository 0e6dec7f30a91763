"""Pictures made of pictures: resized, turned, blurred, labelled, converted, laid out."""

import math
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from boards_local.bench import Control, Given, Made
from boards_local.pictures.files import bounded, only, opened, written
from boards_local.pictures.lettering import bright, fitted

__all__ = ["blur", "caption", "contact_sheet", "convert", "resize", "rotate"]

_SHARP: Final = Image.Resampling.LANCZOS
_GAP: Final = 8
"""Pixels between the pictures of a contact sheet."""
_PAPER: Final = "#16181d"
_QUARTERS: Final = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
"""Pillow turns the other way round."""
_FLIPS: Final = {
    "horizontal": Image.Transpose.FLIP_LEFT_RIGHT,
    "vertical": Image.Transpose.FLIP_TOP_BOTTOM,
}


def resize(given: Given, control: Control) -> Made:
    """To a width, a height, or both: inside of them, filling them, or stretched to them."""
    picture = only(given)
    control.reached(1, 2)
    width: Any = given.input.get("width")
    height: Any = given.input.get("height")
    if width is None or height is None:
        factor = height / picture.height if width is None else width / picture.width
        size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
        bounded(*size, given)
        return written(_kept(picture, picture.resize(size, _SHARP)), given)
    bounded(width, height, given)
    match given.input["fit"]:
        case "cover":
            made = ImageOps.fit(picture, (width, height), _SHARP)
        case "stretch":
            made = picture.resize((width, height), _SHARP)
        case _:
            made = _contained(picture, width, height)
    return written(_kept(picture, made), given)


def rotate(given: Given, control: Control) -> Made:
    """Flipped first, then turned clockwise; by a quarter or a half without any loss."""
    picture = only(given)
    control.reached(1, 2)
    made = picture
    if (flip := _FLIPS.get(given.input["flip"])) is not None:
        made = made.transpose(flip)
    angle = given.input["angle"] % 360
    if angle in _QUARTERS:
        made = made.transpose(_QUARTERS[angle])
    elif angle:
        turn = math.radians(angle)
        across, up = abs(math.cos(turn)), abs(math.sin(turn))
        bounded(
            math.ceil(picture.width * across + picture.height * up),
            math.ceil(picture.width * up + picture.height * across),
            given,
        )
        made = made.convert("RGBA").rotate(-angle, Image.Resampling.BICUBIC, expand=True)
    return written(_kept(picture, made), given)


def blur(given: Given, control: Control) -> Made:
    """Gaussian, by a radius in pixels."""
    picture = only(given)
    control.reached(1, 2)
    made = picture.filter(ImageFilter.GaussianBlur(given.input["radius"]))
    return written(_kept(picture, made), given)


def convert(given: Given, control: Control) -> Made:
    """Another file format, upright and without metadata."""
    picture = only(given)
    control.reached(1, 2)
    return written(picture, given, quality=given.input.get("quality"))


def caption(given: Given, control: Control) -> Made:
    """Words on a band across the picture, at its top or its bottom."""
    picture = only(given)
    control.reached(1, 2)
    width, height = picture.size
    color = given.input["color"]
    block = fitted(
        given.input["caption"],
        given,
        round(width * 0.92),
        round(height * 0.4),
        largest=max(12, min(width, height) // 12),
    )
    band = min(height, block.height + block.size)
    top = 0 if given.input["position"] == "top" else height - band
    over = Image.new("RGBA", picture.size)
    shade = (0, 0, 0, 140) if bright(color) else (255, 255, 255, 170)
    ImageDraw.Draw(over).rectangle((0, top, width, top + band), fill=shade)
    made = Image.alpha_composite(picture.convert("RGBA"), over)
    block.draw(made, (width / 2, top + band / 2), color)
    return written(_kept(picture, made.convert(picture.mode)), given)


def contact_sheet(given: Given, control: Control) -> Made:
    """Many pictures on one, each whole: columns of one width, rows as high as they need to be."""
    contents = given.files["images"]
    side = given.input["size"]
    columns = given.input.get("columns") or math.ceil(math.sqrt(len(contents)))
    columns = min(columns, len(contents))
    small = []
    for number, content in enumerate(contents):
        control.reached(number, len(contents))
        picture = opened(content, given, name=f"images[{number}]")
        small.append(_contained(picture, side, side))
    rows = [small[first : first + columns] for first in range(0, len(small), columns)]
    heights = [max(picture.height for picture in row) for row in rows]
    size = (columns * (side + _GAP) + _GAP, sum(heights) + _GAP * (len(rows) + 1))
    bounded(*size, given)
    sheet = Image.new("RGB", size, _PAPER)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            left = _GAP + column * (side + _GAP)
            at = left + (side - picture.width) // 2, top + (height - picture.height) // 2
            sheet.paste(picture, at, picture if picture.mode == "RGBA" else None)
        top += height + _GAP
    return written(sheet, given)


def _contained(picture: Image.Image, width: int, height: int) -> Image.Image:
    """All of it inside of a frame. Pillow's own contain leaves nothing of what is very thin."""
    factor = min(width / picture.width, height / picture.height)
    inside = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    return picture.resize(inside, _SHARP)


def _kept(before: Image.Image, after: Image.Image) -> Image.Image:
    """The picture with the colour profile that it had; whatever else Pillow carries along goes."""
    after.info = before.info
    return after
