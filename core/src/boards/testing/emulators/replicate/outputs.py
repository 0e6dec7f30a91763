"""What an emulated model makes: a value of its Output schema, with files where that has URLs.

The files follow the inputs that shape them: ``output_format``, ``width`` and ``height``,
``size``, ``resolution``, ``aspect_ratio``, ``megapixels``, ``num_outputs``, ``duration``,
``seed``. Pictures whose size is not given in pixels are drawn at half the usual scale.
"""

import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from attrs import frozen

from boards.testing.emulators import media
from boards.testing.emulators.media import Media
from boards.testing.emulators.replicate.models import Model, example_extension

_EDGE: Final = 512
_PROMPTS: Final = ("prompt", "text", "lyrics", "caption", "token_string")
_COUNTS: Final = ("num_outputs", "num_images", "max_images", "batch_size")
_MASKS: Final = 3
_PIXELS: Final = re.compile(r"(\d{3,4})\s*[x*]\s*(\d{3,4})")
_RATIO: Final = re.compile(r"(\d{1,2}):(\d{1,2})")
_LINES: Final = re.compile(r"(\d{3,4})p")
# Stems that only a model of six sources separates.
_SIX_STEMS: Final = frozenset({"piano", "guitar"})


@frozen
class File:
    """A file of an output: its name, and how to make it."""

    name: str
    render: Callable[[], Media]


def make(model: Model, given: Mapping[str, Any], seed: int) -> Any:
    """Make an output: JSON with a `File` wherever the model returns a URL."""
    maker = _Maker(model, given, seed)
    if model.concatenates:
        return re.findall(r"\S+\s*", media.text(maker.prompt, seed))
    return maker.value(model.output_schema, "output")


def train(given: Mapping[str, Any], seed: int) -> File:
    """Make the weights of a training, as a tar archive."""
    prompt = next((str(given[name]) for name in _PROMPTS if given.get(name)), "trained weights")
    return File("trained_model.tar", partial(media.weights, prompt, seed, format="tar"))


def files(output: Any) -> Iterator[File]:
    """Every file in an output, in order."""
    match output:
        case File():
            yield output
        case dict():
            for item in output.values():
                yield from files(item)
        case list():
            for item in output:
                yield from files(item)
        case _:
            return


class _Maker:
    def __init__(self, model: Model, given: Mapping[str, Any], seed: int) -> None:
        self._model = model
        self._seed = seed
        properties = model.input_schema.get("properties", {})
        defaults = {
            name: described["default"]
            for name, described in properties.items()
            if "default" in described and model.known
        }
        self._given = {**defaults, **{k: v for k, v in given.items() if v is not None}}
        self.prompt = next(
            (value for name in _PROMPTS if isinstance(value := self._given.get(name), str)),
            model.name,
        )

    def value(self, schema: Mapping[str, Any], name: str) -> Any:
        match schema.get("type"):
            case "string" if schema.get("format") == "uri":
                return self._file(name)
            case "array" if schema.get("items", {}).get("format") == "uri":
                single = name.removesuffix("s") if name != "output" else "out"
                count = self._count() if name == "output" else _MASKS
                return [self._file(f"{single}-{number}") for number in range(count)]
            case "array":
                return [self.value(schema.get("items", {}), name)]
            case "object":
                return self._parts(schema)
            case "integer" | "number":
                return self._seed % 100
            case "boolean":
                return True
            case _ if name == "segments":
                return [{"id": 0, "start": 0.0, "end": 2.0, "text": self._text()}]
            case _ if "language" in name:
                return "english"
            case _:
                return self._text()

    def _parts(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The required parts; all of them where none is required."""
        required = schema.get("required")
        asked = {"segments"} | ({"translation"} if self._given.get("translate") is True else set())
        parts: dict[str, Any] = {}
        for name, described in schema.get("properties", {}).items():
            wanted = required is None or name in required or name in asked
            if name in _SIX_STEMS and "6s" not in str(self._given.get("model_name")):
                wanted = False
            parts[name] = self.value(described, name) if wanted else None
        return parts

    def _text(self) -> str:
        return media.text(self.prompt, self._seed)

    def _file(self, name: str) -> File:
        seed = self._seed + zlib.crc32(name.encode())
        match self._model.kind:
            case "video":
                width, height = self._size()
                return File(
                    f"{name}.mp4",
                    partial(
                        media.video,
                        self.prompt,
                        seed,
                        seconds=self._seconds(5.0),
                        width=width,
                        height=height,
                    ),
                )
            case "mesh":
                return File(f"{name}.glb", partial(media.mesh, self.prompt, seed))
            case "audio":
                seconds = self._seconds(min(max(len(self.prompt) / 15, 1.0), 20.0))
                return File(f"{name}.wav", partial(media.audio, self.prompt, seed, seconds=seconds))
            case "weights":
                return File(f"{name}.tar", partial(media.weights, self.prompt, seed, format="tar"))
            case "text":
                content = self._text().encode()
                return File(f"{name}.txt", partial(Media, content, "text/plain", "txt"))
            case _:
                width, height = self._size()
                extension = self._image_format()
                return File(
                    f"{name}.{extension}",
                    partial(
                        media.image,
                        self.prompt,
                        seed,
                        width=width,
                        height=height,
                        format=extension,
                    ),
                )

    def _image_format(self) -> str:
        usual = example_extension(self._model) if self._model.known else "png"
        for wanted in (self._given.get("output_format"), usual):
            if wanted in {"png", "jpg", "jpeg", "webp"}:
                return "jpg" if wanted == "jpeg" else str(wanted)
        return "png"

    def _count(self) -> int:
        if self._given.get("sequential_image_generation") == "disabled":
            return 1
        counts = (self._given.get(name) for name in _COUNTS)
        return next((min(n, 16) for n in counts if isinstance(n, int) and n > 0), 1)

    def _size(self) -> tuple[int, int]:
        """Width and height in pixels, by the most explicit of the inputs."""
        given = self._given
        ratio = str(given.get("aspect_ratio", ""))
        named = _RATIO.fullmatch(ratio)
        pixels = given.get("width"), given.get("height")
        # Where there are both, a named ratio wins over a default size.
        if isinstance(pixels[0], int) and isinstance(pixels[1], int) and not named:
            return pixels[0], pixels[1]
        for name in ("size", "resolution", "image_size"):
            if found := _PIXELS.fullmatch(str(given.get(name, ""))):
                return int(found[1]), int(found[2])
        across, down = (int(named[1]), int(named[2])) if named else (1, 1)
        if not named and self._model.kind == "video":
            across, down = 16, 9
        area = _EDGE**2
        if str(given.get("megapixels")) == "0.25":
            area //= 4
        if found := _LINES.fullmatch(str(given.get("resolution", ""))):
            area = int(found[1]) ** 2
        scale = math.sqrt(area / (across * down))
        return round(across * scale), round(down * scale)

    def _seconds(self, default: float) -> float:
        given = self._given
        for name in ("duration", "seconds", "length_seconds", "audio_length_in_s"):
            try:
                return float(str(given[name]).removesuffix("s"))
            except (KeyError, ValueError):
                continue
        for name in ("video_length", "num_frames", "length"):
            frames, rate = given.get(name), given.get("fps", 24)
            if isinstance(frames, int) and isinstance(rate, int) and rate > 0:
                return frames / rate
        return default
