"""Media files drawn from a prompt and a seed: real ones, small, and always the same.

An emulator has to answer with files that PIL, browsers and ffmpeg open. Each function is
a pure function of its arguments and remembers its latest results.
"""

import array
import base64
import functools
import hashlib
import io
import json
import math
import random
import struct
import sys
import tarfile
import textwrap
import wave
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

from boards.testing.emulators import mp4

if TYPE_CHECKING:
    from PIL.Image import Image

_KEPT: Final = 64
_LONGEST_EDGE: Final = 4096
_VIDEO_EDGE: Final = 256
_VIDEO_SECONDS: Final = 12.0
_VIDEO_FRAMES: Final = 120
_AUDIO_SECONDS: Final = 30.0
_SAMPLE_RATE: Final = 22_050
_PENTATONIC: Final = (0, 2, 4, 7, 9, 12, 14, 16)

# Sky above, sky at the horizon, far hills, near hills, sun.
_PALETTES: Final = (
    ("#1b2a5c", "#f4a26b", "#6b5b95", "#2a2140", "#ffe3b0"),
    ("#4aa3df", "#fdf0d5", "#7fb685", "#25594a", "#fff7d6"),
    ("#0f2027", "#5fb3a8", "#3b6978", "#12303a", "#f2f7f5"),
    ("#7b4397", "#f7b2ad", "#a05c8a", "#3d2352", "#fff0f5"),
    ("#2c3e50", "#fd746c", "#b5525c", "#3a2634", "#ffd9a0"),
    ("#3a7bd5", "#d9f2ff", "#8fb8de", "#335c81", "#fffbe6"),
)
_MIMES: Final = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_WORDS: Final = (
    "light slow bright water under every morning and the river carries a quiet colour toward "
    "open hills where one lantern keeps its small promise of warm rain after long summer wind"
)


@frozen
class Media:
    """A file: its bytes, its media type, and the extension (without a dot) for its name."""

    content: bytes
    mime: str
    extension: str


@functools.lru_cache(maxsize=_KEPT)
def image(
    prompt: str,
    seed: int,
    *,
    width: int = 512,
    height: int = 512,
    format: str = "png",  # noqa: A002
) -> Media:
    """Draw a landscape with the words of the prompt below it.

    Args:
        prompt: Written on the picture.
        seed: Together with the prompt decides the colours and the hills.
        width: In pixels, up to 4096.
        height: In pixels, up to 4096.
        format: ``png``, ``jpeg``, ``jpg`` or ``webp``.

    Raises:
        ValueError: The format is another one.
    """
    extension = "jpg" if format == "jpeg" else format
    if extension not in _MIMES:
        raise ValueError(f"Images are drawn as {', '.join(_MIMES)}, not as {format!r}.")
    size = min(max(width, 16), _LONGEST_EDGE), min(max(height, 16), _LONGEST_EDGE)
    picture = _landscape(_random(prompt, seed), size)
    _caption(picture, prompt)
    file = io.BytesIO()
    options: dict[str, Any] = {"png": {"compress_level": 1}, "webp": {"method": 0}}
    picture.save(file, "JPEG" if extension == "jpg" else extension, **options.get(extension, {}))
    return Media(file.getvalue(), _MIMES[extension], extension)


@functools.lru_cache(maxsize=_KEPT // 4)
def video(
    prompt: str,
    seed: int,
    *,
    seconds: float = 2.0,
    width: int = 256,
    height: int = 144,
    fps: int = 12,
) -> Media:
    """Film the sun on its way over a landscape, as H.264 in MP4.

    Args:
        prompt: Together with the seed decides the picture.
        seed: See `prompt`.
        seconds: Up to 12.
        width: In pixels; a larger picture is scaled down to 256, keeping its proportions,
            and both sides are rounded to multiples of 16.
        height: See `width`.
        fps: Frames a second; fewer where that would make more than about 120 frames.
    """
    scale = min(1.0, _VIDEO_EDGE / max(width, height, 1))
    across, down = (max(32, round(side * scale / 16) * 16) for side in (width, height))
    seconds = min(max(seconds, 0.1), _VIDEO_SECONDS)
    fps = min(max(fps, 1), round(_VIDEO_FRAMES / max(seconds, 5)))
    count = max(1, round(seconds * fps))
    content = mp4.encode(
        _film(_random(prompt, seed), (across, down), count), width=across, height=down, fps=fps
    )
    return Media(content, "video/mp4", "mp4")


@functools.lru_cache(maxsize=_KEPT // 4)
def audio(
    prompt: str,
    seed: int,
    *,
    seconds: float = 2.0,
    format: str = "wav",  # noqa: A002
) -> Media:
    """Play a pentatonic melody, as 16-bit mono WAV at 22,050 Hz.

    Args:
        prompt: Together with the seed decides the melody.
        seed: See `prompt`.
        seconds: Up to 30.
        format: What was asked for. There is no encoder here: the answer is WAV whatever it
            says, and `Media.mime` and `Media.extension` tell the truth.
    """
    choose = _random(prompt, seed)
    base = choose.choice((196.0, 220.0, 261.63, 293.66))
    beat = choose.choice((0.2, 0.25, 0.3))
    total = int(_SAMPLE_RATE * min(max(seconds, 0.1), _AUDIO_SECONDS))
    samples = array.array("h")
    step = choose.randrange(len(_PENTATONIC))
    while len(samples) < total:
        samples.extend(_note(base * 2 ** (_PENTATONIC[step] / 12), beat))
        step = min(max(step + choose.choice((-2, -1, -1, 1, 1, 2)), 0), len(_PENTATONIC) - 1)
    del samples[total:]
    if sys.byteorder == "big":
        samples.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_SAMPLE_RATE)
        out.writeframes(samples.tobytes())
    return Media(file.getvalue(), "audio/wav", "wav")


def text(prompt: str, seed: int) -> str:
    """Write three sentences about the prompt."""
    choose = _random(prompt, seed)
    subject = " ".join(prompt.split()[:12]).strip(" .!?") or "an empty prompt"
    sentences = [f"You asked about {subject}."]
    for _ in range(2):
        words = " ".join(choose.choice(_WORDS.split()) for _ in range(choose.randint(7, 12)))
        sentences.append(words.capitalize() + ".")
    return " ".join(sentences)


@functools.lru_cache(maxsize=_KEPT)
def mesh(prompt: str, seed: int) -> Media:
    """Model a coloured tetrahedron, as binary glTF 2.0."""
    choose = _random(prompt, seed)
    corners = [(1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0)]
    faces = (0, 1, 2, 0, 3, 1, 0, 2, 3, 1, 3, 2)
    indices = struct.pack("<12H", *faces)
    positions = struct.pack("<12f", *(value for corner in corners for value in corner))
    colour = [round(choose.uniform(0.2, 0.95), 3) for _ in range(3)]
    document = {
        "asset": {"version": "2.0", "generator": "boards emulator"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": prompt[:80]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": [*colour, 1.0]}}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 1}, "indices": 0, "material": 0}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5123, "count": 12, "type": "SCALAR"},
            {
                "bufferView": 1,
                "componentType": 5126,
                "count": 4,
                "type": "VEC3",
                "min": [-1.0, -1.0, -1.0],
                "max": [1.0, 1.0, 1.0],
            },
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 24, "target": 34963},
            {"buffer": 0, "byteOffset": 24, "byteLength": 48, "target": 34962},
        ],
        "buffers": [{"byteLength": 72}],
    }
    head = json.dumps(document, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    body = indices + positions
    chunks = struct.pack("<I4s", len(head), b"JSON") + head
    chunks += struct.pack("<I4s", len(body), b"BIN\0") + body
    content = struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
    return Media(content, "model/gltf-binary", "glb")


@functools.lru_cache(maxsize=_KEPT)
def weights(
    prompt: str,
    seed: int,
    *,
    format: Literal["safetensors", "tar"] = "safetensors",  # noqa: A002
) -> Media:
    """Make the weights of a very small LoRA, alone or in a tar archive.

    Raises:
        ValueError: The format is another one.
    """
    choose = _random(prompt, seed)
    down, up = (struct.pack("<8f", *(choose.gauss(0, 0.1) for _ in range(8))) for _ in range(2))
    header = json.dumps(
        {
            "__metadata__": {"prompt": prompt[:200], "seed": str(seed)},
            "lora_down.weight": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]},
            "lora_up.weight": {"dtype": "F32", "shape": [4, 2], "data_offsets": [32, 64]},
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    content = struct.pack("<Q", len(header)) + header + down + up
    if format == "safetensors":
        return Media(content, "application/octet-stream", "safetensors")
    if format != "tar":
        raise ValueError(f"Weights are made as safetensors or tar, not as {format!r}.")
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("output/lora.safetensors")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return Media(file.getvalue(), "application/x-tar", "tar")


def data_uri(media: Media) -> str:
    """The whole file as a ``data:`` URI."""
    return f"data:{media.mime};base64,{base64.b64encode(media.content).decode()}"


def _random(prompt: str, seed: int) -> random.Random:
    # Not hash(): it differs from one process to the next.
    digest = hashlib.sha256(f"{seed}\0{prompt}".encode()).digest()
    return random.Random(digest)  # noqa: S311 - pictures, not keys


def _landscape(
    choose: random.Random, size: tuple[int, int], sun: tuple[float, float] | None = None
) -> "Image":
    """Draw sky, sun and hills; the sun's place is in parts of the width and the height."""
    from PIL import Image, ImageDraw, ImageOps  # noqa: PLC0415 - an extra

    width, height = size
    high, low, far, near, light = choose.choice(_PALETTES)
    sky = ImageOps.colorize(Image.linear_gradient("L"), high, low).resize(size)
    draw = ImageDraw.Draw(sky)
    x, y = sun or (choose.uniform(0.2, 0.8), choose.uniform(0.2, 0.45))
    radius = min(size) * 0.09
    draw.circle((x * width, y * height), radius, fill=light)
    for layer in range(4):
        depth = layer / 3
        ground = 0.5 + 0.13 * layer
        waves = [
            (choose.uniform(1.0, 2.6 + layer), choose.uniform(0, math.tau), choose.uniform(0.3, 1))
            for _ in range(3)
        ]
        step = max(1, width // 96)
        ridge = [
            (
                across,
                height
                * (
                    ground
                    - 0.045
                    * sum(
                        weight * math.sin(math.tau * speed * across / width + phase)
                        for speed, phase, weight in waves
                    )
                ),
            )
            for across in range(0, width + step, step)
        ]
        colour = _blend(far, near, depth)
        draw.polygon([*ridge, (width + step, height), (0, height)], fill=colour)
    return sky


def _blend(first: str, second: str, part: float) -> tuple[int, int, int]:
    from PIL import ImageColor  # noqa: PLC0415 - an extra

    one, two = ImageColor.getrgb(first), ImageColor.getrgb(second)
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one[:3], two[:3], strict=True))
    return red, green, blue


def _caption(picture: "Image", prompt: str) -> None:
    from PIL import ImageDraw, ImageFont  # noqa: PLC0415 - an extra

    words = " ".join(prompt.split())
    if not words or min(picture.size) < 96:
        return
    size = max(11, round(min(picture.size) / 22))
    font = ImageFont.load_default(size)
    lines = textwrap.wrap(words, max(8, int(picture.width * 0.88 / (size * 0.52))), max_lines=3)
    ImageDraw.Draw(picture).multiline_text(
        (picture.width * 0.06, picture.height - size * 1.35 * len(lines) - size),
        "\n".join(lines),
        font=font,
        fill="#ffffffe6",
        spacing=size * 0.35,
    )


def _film(choose: random.Random, size: tuple[int, int], count: int) -> list[mp4.Frame]:
    from PIL import Image  # noqa: PLC0415 - an extra

    state = choose.getstate()
    # Full range, as Pillow has it, to the limited range that players assume.
    luma = [16 + round(value * 219 / 255) for value in range(256)]
    chroma = [128 + round((value - 128) * 224 / 255) for value in range(256)]
    frames = []
    for number in range(count):
        choose.setstate(state)
        part = number / max(1, count - 1)
        place = 0.12 + 0.76 * part, 0.34 - 0.16 * math.sin(math.pi * part)
        y, cb, cr = _landscape(choose, size, place).convert("YCbCr").split()
        half = size[0] // 2, size[1] // 2
        small = [
            plane.resize(half, Image.Resampling.BOX).point(chroma).tobytes() for plane in (cb, cr)
        ]
        frames.append(mp4.Frame(y.point(luma).tobytes(), *small))
    return frames


@functools.lru_cache(maxsize=128)
def _note(frequency: float, seconds: float) -> "array.array[int]":
    """A plucked tone: two harmonics that die away, starting and ending in silence."""
    count = int(_SAMPLE_RATE * seconds)
    turn = math.tau * frequency / _SAMPLE_RATE
    return array.array(
        "h",
        (
            int(
                9000
                * math.exp(-4 * i / count)
                * min(1.0, i / 200, (count - i) / 200)
                * (math.sin(turn * i) + 0.35 * math.sin(2 * turn * i))
            )
            for i in range(count)
        ),
    )
