"""A picture from nothing but words: colours and shapes that follow from them, and the words."""

import colorsys
import hashlib
import random

from PIL import Image, ImageChops, ImageDraw, ImageOps

from boards_local.bench import Control, Given, Made
from boards_local.pictures.files import bounded, written
from boards_local.pictures.lettering import fitted

__all__ = ["placeholder"]

_STEPS = 3


def placeholder(given: Given, control: Control) -> Made:
    """A background with words on it. Equal inputs give equal pictures."""
    wanted = given.input
    size = wanted["width"], wanted["height"]
    bounded(*size, given)
    seed = f"{wanted.get('seed', '')}:{wanted['prompt']}"
    chance = random.Random(hashlib.sha256(seed.encode(errors="replace")).digest())  # noqa: S311
    dark, light = wanted.get("colors") or _palette(chance)
    picture = _gradient(size, dark, light)
    control.reached(1, _STEPS)
    if wanted["style"] != "gradient":
        shapes = Image.new("RGBA", size)
        (_circles if wanted["style"] == "circles" else _stripes)(shapes, chance)
        picture.alpha_composite(shapes)
    control.reached(2, _STEPS)
    width, height = size
    block = fitted(
        wanted["prompt"], given, round(width * 0.86), round(height * 0.8), largest=height // 5
    )
    block.draw(picture, (width / 2, height / 2), "#ffffff")
    return written(picture.convert("RGB"), given)


def _palette(chance: random.Random) -> tuple[str, str]:
    """Two colours that go together, dark enough for white letters."""
    hue = chance.random()
    near = hue + chance.choice((-1, 1)) * chance.uniform(0.06, 0.14)
    return _color(hue, 0.28, 0.62), _color(near, 0.55, 0.6)


def _color(hue: float, lightness: float, saturation: float) -> str:
    parts = colorsys.hls_to_rgb(hue % 1, lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def _gradient(size: tuple[int, int], dark: str, light: str) -> Image.Image:
    """From the lower left corner to the upper right one."""
    down = Image.linear_gradient("L").resize(size, Image.Resampling.BILINEAR)
    across = Image.linear_gradient("L").rotate(90).resize(size, Image.Resampling.BILINEAR)
    both = ImageChops.add(ImageOps.flip(down), across, scale=2)
    return ImageOps.colorize(both, dark, light).convert("RGBA")


def _circles(picture: Image.Image, chance: random.Random) -> None:
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    for _ in range(14):
        x, y = chance.uniform(0, width), chance.uniform(0, height)
        r = chance.uniform(0.05, 0.28) * min(picture.size)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 255, 255, chance.randint(12, 44)))


def _stripes(picture: Image.Image, chance: random.Random) -> None:
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    step = max(4, round(min(picture.size) * chance.uniform(0.06, 0.14)))
    for x in range(-height, width, 2 * step):
        corners = [(x, height), (x + step, height), (x + step + height, 0), (x + height, 0)]
        draw.polygon(corners, fill=(255, 255, 255, 26))
