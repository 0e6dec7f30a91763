"""Text on pictures: a font that has its letters, lines that fit, letters that can be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from PIL import Image, ImageColor, ImageDraw, ImageFont

from boards.errors import ProviderError
from boards_local.bench import Given

__all__ = ["Block", "bright", "fitted"]

_SYSTEM: Final = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
)
"""Fonts that many machines have, for letters that Pillow's own font, which is ASCII, lacks."""
_NOWHERE: Final = "\uffff"
"""No font has a letter for it: what is drawn instead is what is drawn for all that it lacks."""
_DASHES: Final = {0x2013: "-", 0x2014: "-"}
"""Dashes as hyphens, for fonts without."""
_SMALLEST: Final = 8
_SPACING: Final = 0.3

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_Sized = Callable[[int], Font]


@frozen
class Block:
    """Lines of text in one size.

    Attributes:
        text: With its line breaks.
        font: In its size.
        size: Pixels.
        width: Of the lines as they are drawn, in pixels.
        height: Likewise.
    """

    text: str
    font: Font
    size: int
    width: int
    height: int

    def draw(self, picture: Image.Image, centre: tuple[float, float], color: str) -> None:
        """Draw it on an RGBA picture, its middle at a point, with an edge that stands out."""
        over = Image.new("RGBA", picture.size)
        ImageDraw.Draw(over).multiline_text(
            centre,
            self.text,
            fill=color,
            font=self.font,
            anchor="mm",
            align="center",
            spacing=self.size * _SPACING,
            stroke_width=_edge(self.size),
            stroke_fill="#00000048" if bright(color) else "#ffffff48",
        )
        picture.alpha_composite(over)


def bright(color: str) -> bool:
    """Whether a colour is nearer to white than to black."""
    red, green, blue = ImageColor.getcolor(color, "RGB")  # type: ignore[misc]  # three, by "RGB"
    return 0.299 * red + 0.587 * green + 0.114 * blue > 127


def fitted(text: str, given: Given, width: int, height: int, *, largest: int) -> Block:
    """A text in the largest size in which it fits into a box.

    What fits in no size is drawn in the smallest.

    Raises:
        ProviderError: No font at hand has its letters.
    """
    text, sized = _font(text.strip(), given)
    small, large = _SMALLEST, max(largest, _SMALLEST)
    best = _block(text, sized, small, width)
    while small < large:
        middle = (small + large + 1) // 2
        block = _block(text, sized, middle, width)
        if block.height <= height and block.width <= width:
            small, best = middle, block
        else:
            large = middle - 1
    return best


def _block(text: str, sized: _Sized, size: int, width: int) -> Block:
    font = sized(size)
    edge = _edge(size)
    inner = width - 2 * edge - 1  # a letter may reach a pixel beyond where the next one begins
    lines = [line for part in text.splitlines() for line in _wrapped(part, font, inner)]
    wrapped = "\n".join(lines)
    canvas = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = canvas.multiline_textbbox(
        (0, 0), wrapped, font=font, spacing=size * _SPACING, stroke_width=edge
    )
    return Block(wrapped, font, size, round(right - left), round(bottom - top))


def _edge(size: int) -> int:
    """Pixels of the edge around letters."""
    return max(1, size // 24)


def _wrapped(line: str, font: Font, width: int) -> list[str]:
    """A line as lines that fit; a word that is too long stays whole."""
    lines: list[str] = []
    for word in line.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]


def _font(text: str, given: Given) -> tuple[str, _Sized]:
    """A text, maybe with plainer dashes, and a font that has all of its letters."""
    chosen = given.config.get("font")
    fonts: list[_Sized] = []
    if chosen is not None:
        fonts.append(_of_file(Path(str(chosen)).expanduser()))
    else:
        fonts.append(_own)
        fonts += [_of_name(name) for name in _SYSTEM]
    lacking = ""
    for sized in fonts:
        try:
            font = sized(_SMALLEST)
        except OSError as error:
            if chosen is None:
                continue  # this machine has no such font
            raise ProviderError(
                "provider",
                f"The font {chosen} cannot be read: {error}",
                remedy="config.font of the provider names a TrueType or OpenType font.",
            ) from error
        for words in (text, text.translate(_DASHES)):
            missing = _missing(words, font)
            if not missing:
                return words, sized
            lacking = lacking or missing
    raise ProviderError(
        "invalid_input",
        f"No font at hand has letters for {lacking[:20]}",
        remedy="Name a font file that has them, as config.font of the provider.",
    )


def _missing(text: str, font: Font) -> str:
    """The letters of a text that a font does not have."""
    none = _drawn(font, _NOWHERE)
    letters = dict.fromkeys("".join(text.split()))
    return "".join(one for one in letters if _drawn(font, one) == none)


def _drawn(font: Font, letter: str) -> tuple[Any, bytes]:
    mask: Any = font.getmask(letter)
    return mask.size, bytes(mask)


def _own(size: int) -> Font:
    return ImageFont.load_default(size)


def _of_file(path: Path) -> _Sized:
    return lambda size: ImageFont.truetype(path, size)


def _of_name(name: str) -> _Sized:
    return lambda size: ImageFont.truetype(name, size)
