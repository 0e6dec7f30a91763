"""What Pillow is asked for, and what is refused before it is asked."""

from typing import Any

import pytest
from PIL import Image, ImageCms
from tests.unit.plugins.local.samples import corners, decoded, encoded, given, header_of

from boards.errors import ProviderError
from boards_local.bench import Control
from boards_local.pictures import MAKERS, lettering
from boards_local.pictures.files import opened
from boards_local.pictures.lettering import fitted

RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)


def made(name: str, files: dict[str, list[bytes]] | None = None, /, **input_: Any) -> Image.Image:
    """What a generator makes, as a picture."""
    return decoded(MAKERS[name](given(files, **input_), Control()).content)


def edited(name: str, picture: Image.Image | None = None, **input_: Any) -> Image.Image:
    """What it makes of a picture."""
    return made(name, {"image": [encoded(picture or corners())]}, **input_)


@pytest.mark.parametrize("style", ["gradient", "circles", "stripes"])
def test_a_placeholder_is_of_the_size_that_was_asked_for(style: str) -> None:
    """Nothing but words goes in."""
    assert made("placeholder", prompt="A fox", style=style, width=320, height=90).size == (320, 90)


def test_equal_words_give_equal_placeholders() -> None:
    """Other words, or another seed, give other ones."""

    def drawn(**input_: Any) -> bytes:
        wanted = given(style="circles", width=96, height=64, **input_)
        return MAKERS["placeholder"](wanted, Control()).content

    assert drawn(prompt="A fox") == drawn(prompt="A fox")
    assert len({drawn(prompt="A fox"), drawn(prompt="A hare"), drawn(prompt="A fox", seed=1)}) == 3


def test_a_placeholder_has_the_colors_that_were_asked_for() -> None:
    """From the lower left corner to the upper right one."""
    picture = made(
        "placeholder",
        prompt="x",
        style="gradient",
        width=400,
        height=400,
        colors=["#000000", "#ffffff"],
    )
    low, high = picture.getpixel((2, 397)), picture.getpixel((397, 2))
    assert isinstance(low, tuple)
    assert isinstance(high, tuple)
    assert max(low) < 10
    assert min(high) > 245


@pytest.mark.parametrize(
    ("wanted", "size"),
    [
        ({"width": 20}, (20, 10)),
        ({"height": 40}, (80, 40)),
        ({"width": 30, "height": 30}, (30, 15)),
        ({"width": 30, "height": 30, "fit": "cover"}, (30, 30)),
        ({"width": 30, "height": 30, "fit": "stretch"}, (30, 30)),
        ({"width": 1}, (1, 1)),
    ],
)
def test_resizing(wanted: dict[str, Any], size: tuple[int, int]) -> None:
    """One side follows from the other; with both, fit says what becomes of the shape."""
    assert edited("resize", **wanted).size == size


def test_covering_cuts_edges_off_and_stretching_keeps_them() -> None:
    """The left third of a wide picture is red, the rest of it blue."""
    wide = Image.new("RGB", (90, 30), "blue")
    wide.paste("red", (0, 0, 30, 30))
    cover = edited("resize", wide, width=30, height=30, fit="cover")
    stretch = edited("resize", wide, width=30, height=30, fit="stretch")
    assert [picture.getpixel((2, 15)) for picture in (cover, stretch)] == [BLUE, RED]


@pytest.mark.parametrize(
    ("turn", "size", "upper_left"),
    [
        ({"angle": 90}, (20, 40), BLUE),
        ({"angle": -90}, (20, 40), GREEN),
        ({"angle": 180}, (40, 20), BLUE),
        ({"angle": 360}, (40, 20), RED),
        ({"angle": 0, "flip": "horizontal"}, (40, 20), GREEN),
        ({"angle": 0, "flip": "vertical"}, (40, 20), BLUE),
        ({"angle": 90, "flip": "vertical"}, (20, 40), RED),
    ],
)
def test_turning_is_clockwise_and_after_flipping(
    turn: dict[str, Any], size: tuple[int, int], upper_left: tuple[int, ...]
) -> None:
    """Quarters lose nothing."""
    picture = edited("rotate", **turn)
    assert (picture.size, picture.getpixel((1, 1))) == (size, upper_left)


def test_a_slanting_picture_is_whole_and_its_corners_are_free() -> None:
    """They are transparent, and white where the format knows no transparency."""
    png = edited("rotate", angle=45)
    assert png.size[0] > 40
    assert png.convert("RGBA").getpixel((0, 0)) == (0, 0, 0, 0)
    jpeg = edited("rotate", angle=45, output_format="jpeg")
    assert jpeg.getpixel((0, 0)) == pytest.approx((255, 255, 255), abs=8)  # it loses a little


def test_blurring_mixes_neighbours() -> None:
    """A radius of 0 mixes none."""
    assert edited("blur", radius=0).getpixel((19, 2)) == RED
    assert edited("blur", radius=6).getpixel((19, 2)) not in (RED, GREEN)


@pytest.mark.parametrize(("kind", "mime"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_converting(kind: str, mime: str) -> None:
    """Into each format that is offered."""
    picture = edited("convert", output_format=kind, quality=50)
    assert (picture.format, picture.size) == (mime, (40, 20))


@pytest.mark.parametrize(("position", "bright_at"), [("top", 0.9), ("bottom", 0.1)])
def test_a_caption_is_on_a_band_and_the_rest_stays(position: str, bright_at: float) -> None:
    """The band darkens the picture at one end."""
    white = Image.new("RGB", (200, 100), "white")
    labelled = edited("caption", white, caption="A fox", position=position, color="#ffffff")
    assert labelled.getpixel((1, round(100 * bright_at))) == (255, 255, 255)
    dark = labelled.getpixel((1, round(100 * (1 - bright_at))))
    assert isinstance(dark, tuple)
    assert max(dark) < 160
    assert labelled.mode == "RGB"


@pytest.mark.parametrize(("size", "inside"), [((3000, 4), (64, 1)), ((4, 3000), (1, 64))])
def test_what_is_very_thin_keeps_a_pixel(size: tuple[int, int], inside: tuple[int, int]) -> None:
    """A line in a frame is a line; on a sheet, too."""
    line = Image.new("RGB", size, "red")
    assert edited("resize", line, width=64, height=64).size == inside
    sheet = made("contact-sheet", {"images": [encoded(line)]}, size=64)
    assert RED in [color for _, color in sheet.getcolors() or ()]


def test_a_contact_sheet_has_every_picture_in_the_order_of_reading() -> None:
    """Columns of one width; rows as high as their highest picture."""
    colors = ["red", "green", "blue", "white", "yellow"]
    pictures = [encoded(Image.new("RGB", (64, 32), color)) for color in colors]
    sheet = made("contact-sheet", {"images": pictures}, size=32)
    assert sheet.size == (3 * 40 + 8, 2 * 24 + 8)
    found = [sheet.getpixel((24 + 40 * (n % 3), 16 + 24 * (n // 3))) for n in range(6)]
    assert found == [RED, GREEN, BLUE, (255, 255, 255), (255, 255, 0), (0x16, 0x18, 0x1D)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no picture that can be read: 0 bytes"),
        (b"hello", "b'hello'"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "no picture"),
        (encoded(corners(400, 400), "jpeg")[:-600], "a broken JPEG file"),
        (encoded(corners(), "png")[:60], "a broken PNG file"),
    ],
)
def test_what_is_no_picture_is_told_as_such(content: bytes, words: str) -> None:
    """With its first bytes, or with what is wrong with it."""
    with pytest.raises(ProviderError, match=r"^image is") as caught:
        opened(content, given())
    assert words in caught.value.message
    assert (caught.value.kind, bool(caught.value.remedy)) == ("invalid_input", True)


@pytest.mark.parametrize("side", [8_000, 10_000, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header(side: int) -> None:
    """Below Pillow's own limit, beyond its warning, beyond its error."""
    with pytest.raises(ProviderError, match="too large") as caught:
        opened(header_of(side, side), given())
    assert "max_pixels" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("resize", {"width": 120}),
        ("resize", {"width": 80, "height": 80, "fit": "stretch"}),
        ("rotate", {"angle": 45}),
        ("placeholder", {"prompt": "x", "style": "gradient", "width": 80, "height": 80}),
    ],
)
def test_what_would_become_too_large_is_not_made(name: str, wanted: dict[str, Any]) -> None:
    """The host's limit holds for results too."""
    files = {"image": [encoded(corners(60, 60))]}
    with pytest.raises(ProviderError, match="the result has"):
        MAKERS[name](given(files, **wanted, config={"max_pixels": 5000}), Control())


def test_a_picture_is_upright_and_its_metadata_stay_behind() -> None:
    """A camera says how it was held; where the picture was taken is nobody's business."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    exif[0x010E] = "at home"
    held = encoded(corners(), "jpeg", exif=exif)
    picture = made("convert", {"image": [held]}, output_format="jpeg")
    assert picture.size == (20, 40)
    assert dict(picture.getexif()) == {}


def test_a_colour_profile_is_kept_where_it_still_fits() -> None:
    """RGB keeps it; what was CMYK has become RGB."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kept = encoded(corners(), "jpeg", icc_profile=profile)
    lost = encoded(corners().convert("CMYK"), "jpeg", icc_profile=profile)
    for content, there in ((kept, True), (lost, False)):
        picture = made("blur", {"image": [content]}, radius=1)
        assert ("icc_profile" in picture.info) is there


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_way_to_write_pixels_is_read(mode: str) -> None:
    """A middle grey is a middle grey, of however many bits."""
    grey = 128 * 257 if mode == "I;16" else corners().convert("L").point(lambda _: 128)
    picture = Image.new(mode, (8, 8), grey) if isinstance(grey, int) else grey.convert(mode)
    kind = "tiff" if mode == "CMYK" else "png"
    plain = opened(encoded(picture, kind), given())
    assert plain.mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")
    if mode != "1":
        pixel = plain.getpixel((4, 4))
        assert isinstance(pixel, tuple)
        assert pixel[0] == pytest.approx(128, abs=2)


def test_of_an_animation_the_first_picture_counts() -> None:
    """The others are not unpacked."""
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    content = encoded(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert made("resize", {"image": [content]}, width=4).getpixel((1, 1)) == RED


def test_letters_are_as_large_as_fits() -> None:
    """Long texts are wrapped, and get smaller."""
    short = fitted("Fox", given(), 400, 200, largest=64)
    long = fitted("A red fox in the snow " * 12, given(), 400, 200, largest=64)
    assert short.size == 64
    assert 8 < long.size < 64
    assert long.text.count("\n") > 3
    assert (long.width <= 400, long.height <= 200) == (True, True)


def test_letters_that_no_font_has_are_told() -> None:
    """Nobody gets little boxes instead."""
    with pytest.raises(ProviderError, match="No font at hand has letters for \U00013080") as caught:
        fitted("the eye \U00013080", given(), 100, 100, largest=20)
    assert "config.font" in caught.value.remedy


def test_dashes_need_no_font_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own font has none: they become hyphens, and the rest stays as it is."""
    monkeypatch.setattr(lettering, "_SYSTEM", ())
    assert fitted("It\u2019s \u2013 red", given(), 400, 100, largest=20).text == "It\u2019s - red"


def test_a_font_that_cannot_be_read_is_told() -> None:
    """The host chose it, so nothing else is taken in its place."""
    with pytest.raises(ProviderError, match="cannot be read") as caught:
        fitted("Fox", given(config={"font": "/nowhere/font.ttf"}), 100, 100, largest=20)
    assert caught.value.kind == "provider"
