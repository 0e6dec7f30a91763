"""What a model gives: real files, in the shape of the endpoint's output schema.

The schema decides the keys; the input decides what is in the files. Pictures have the size that
was asked for (`MIN_SIDE` to `MAX_SIDE` a side), videos its proportions (`VIDEO_SIDE` at the longer
side, so that they are drawn at once). Videos and sound last as long as asked, at most
`VIDEO_SECONDS` and `AUDIO_SECONDS`.
"""

import base64
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from attrs import frozen

from boards.testing.emulators import media
from boards.testing.emulators.fal.catalogue import Endpoint
from boards.testing.emulators.fal.errors import MODEL_ERRORS, Detail, detail
from boards.testing.emulators.media import Media

PRESETS: Mapping[str, tuple[int, int]] = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
"""`image_size` by name: width and height in pixels, as in fal's toolkit."""

SIDES: Mapping[str, int] = {"0.5K": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""Side of the square with as many pixels as that `resolution`."""

MIN_SIDE, MAX_SIDE = 16, 4096
VIDEO_SIDE = 256
VIDEO_FPS = 10
VIDEO_SECONDS = 12.0
AUDIO_SECONDS = 30.0
SPEECH_RATE = 15.0
"""Characters spoken in a second."""

Input = Mapping[str, Any]
Read = Callable[[str], Media | None]
"""Reads an input file; None where it cannot know. Raises LookupError where nothing is there."""


@frozen
class Made:
    """A file of an output.

    Attributes:
        draw: Draws it, always the same.
        media: It, drawn once.
        facts: What a file object may say of it, beside its address.
    """

    draw: Callable[[], Media]
    media: Media
    facts: Mapping[str, Any]


Publish = Callable[[Made], str]
"""Makes a file available, and returns its URL."""


def complete(endpoint: Endpoint, given: Input) -> dict[str, Any]:
    """An input with the endpoint's defaults in the places that it leaves open."""
    properties: Mapping[str, Any] = endpoint.input["properties"]
    values = {name: p["default"] for name, p in properties.items() if "default" in p}
    return values | {name: value for name, value in given.items() if value is not None}


def prompt_of(given: Input) -> str:
    """The words of an input, whatever the endpoint calls them."""
    words = (given.get(name) for name in ("prompt", "text", "input", "object"))
    return next((word for word in words if isinstance(word, str) and word), "")


def file_problems(given: Input, read: Read) -> list[Detail]:
    """The input files that a runner could not load: no such file, or not a picture."""
    found = []
    for loc, url in _links(given):
        kind = "file_download_error"
        try:
            loaded = read(url)
            if loaded is not None and "image" in str(loc[0]) and "data" not in str(loc[0]):
                kind = "image_load_error"
                _size_of(loaded)
        except (LookupError, OSError):
            message = MODEL_ERRORS[kind][2]
            found.append(detail(kind, message, ("body", *loc), given=url[:100]))
    return found


def compose(
    endpoint: Endpoint, given: Input, *, seed: int, publish: Publish, read: Read
) -> tuple[dict[str, Any], float]:
    """Make an output and its files.

    Args:
        endpoint: Whose output it is.
        given: A valid input.
        seed: The seed where the input names none; with it an output is always the same.
        publish: Makes a file available.
        read: Reads an input file.

    Returns:
        The output, and the units that are charged: images, seconds of video, thousands of
        characters of speech, otherwise 1.
    """
    return _Composer(endpoint, complete(endpoint, given), seed, publish, read).compose()


class _Composer:
    def __init__(
        self, endpoint: Endpoint, values: Input, seed: int, publish: Publish, read: Read
    ) -> None:
        self.endpoint = endpoint
        self.values = values
        self.publish = publish
        self.read = read
        self.prompt = prompt_of(values) or endpoint.id
        asked = values.get("seed")
        # Some endpoints write "any seed" as -1.
        self.seed = asked if isinstance(asked, int) and asked >= 0 else seed
        self.seconds = self._seconds()
        self.units = 1.0

    def compose(self) -> tuple[dict[str, Any], float]:
        schema = self.endpoint.output
        wanted = {*schema.get("required", ()), *self._asked()}
        output = {
            name: self._value(name, schema["properties"][name])
            for name in schema.get("x-fal-order-properties", schema["properties"])
            if name in wanted and name in schema["properties"]
        }
        if self.endpoint.category == "text-to-speech":
            self.units = len(self.prompt) / 1000
        return output, self.units

    def _asked(self) -> Iterator[str]:
        """The optional parts of an output that the input asks for."""
        if self.values.get("output_mask") is True:
            yield "mask_image"
        if self.values.get("timestamps") is True:
            yield "timestamps"
        if self.values.get("chunk_level") in {"segment", "word"}:
            yield "chunks"

    def _value(self, name: str, declared: Mapping[str, Any]) -> object:
        schema = self.endpoint.resolve(declared)
        if _is_file(schema):
            return self._file(name, schema, self.seed)
        if schema.get("type") == "array":
            items = self.endpoint.resolve(schema.get("items", {}))
            if _is_file(items):
                return self._files(name, items)
        match name:
            case "seed":
                return self.seed
            case "prompt":
                return self.prompt
            case "timings":
                return {"inference": 0.5}
            case "has_nsfw_concepts":
                return [False] * self._count()
            case "duration_ms":
                return round(self.seconds * 1000)
            case "text":
                return self._transcript()
            case "chunks":
                return [{"timestamp": [0.0, 2.0], "text": self._transcript()}]
            case "timestamps":
                return [{"characters": [*self.prompt]}]
            case "inferred_languages":
                return [self.values.get("language") or "en"]
            case "objects":
                return [{"x_min": 0.25, "y_min": 0.25, "x_max": 0.75, "y_max": 0.75}]
            case "video_id":
                return f"video_{self.seed:032x}"
            case "description":
                return media.text(self.prompt, self.seed)
        empty: dict[str, object] = {"array": [], "object": {}, "integer": 0, "number": 0.0}
        return empty.get(schema.get("type", ""), "")

    def _transcript(self) -> str:
        subject = "a recording" if "audio_url" in self.values else self.prompt
        return media.text(subject, self.seed)

    def _files(self, name: str, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
        count = self._count() if name == "images" else 1
        self.units = float(count)
        return [self._file(name, schema, self.seed + index) for index in range(count)]

    def _file(self, name: str, schema: Mapping[str, Any], seed: int) -> dict[str, Any]:
        made = self._make(name, seed)
        properties = schema["properties"]
        # Some endpoints' own `sync_mode` is a word that means something else.
        if self.values.get("sync_mode") is True:
            data = base64.b64encode(made.media.content).decode()
            url = f"data:{made.media.mime};base64,{data}"
        else:
            url = self.publish(made)
        known = {
            "url": url,
            "content_type": made.media.mime,
            "file_name": url.rpartition("/")[2] if url.startswith("http") else None,
            "file_size": len(made.media.content),
            **made.facts,
        }
        order = schema.get("x-fal-order-properties", properties)
        return {key: known[key] for key in order if known.get(key) is not None}

    def _make(self, name: str, seed: int) -> Made:
        draw: Callable[[], Media]
        facts: dict[str, Any] = {}
        if "video" in name:
            width, height = self._video_size()
            seconds = min(self.seconds, VIDEO_SECONDS)
            draw = partial(
                media.video,
                self.prompt,
                seed,
                seconds=seconds,
                width=width,
                height=height,
                fps=VIDEO_FPS,
            )
            facts = {
                "width": width,
                "height": height,
                "fps": VIDEO_FPS,
                "duration": seconds,
                "num_frames": round(seconds * VIDEO_FPS),
            }
            self.units = seconds
        elif "audio" in name:
            draw = partial(media.audio, self.prompt, seed, seconds=self.seconds)
            facts = {"duration": self.seconds}
        elif "mesh" in name or "glb" in name:
            draw = partial(media.mesh, self.prompt, seed)
        elif "lora" in name:
            draw = partial(media.weights, self.prompt, seed, format="safetensors")
        elif "debug" in name:
            draw = partial(media.weights, self.prompt, seed, format="tar")
        elif "config" in name:
            draw = partial(_config, json.dumps({"seed": seed, **self.values}, sort_keys=True))
        else:
            width, height = self._picture_size()
            draw = partial(
                media.image, self.prompt, seed, width=width, height=height, format=self._format()
            )
            facts = {"width": width, "height": height}
        return Made(draw, draw(), facts)

    def _count(self) -> int:
        count = self.values.get("num_images", 1)
        return count if isinstance(count, int) else 1

    def _format(self) -> str:
        wanted = self.values.get("output_format")
        return wanted if wanted in {"png", "jpeg", "webp"} else "png"

    def _seconds(self) -> float:
        for name in ("duration", "duration_seconds", "seconds_total"):
            if match := re.match(r"\d+(\.\d+)?", str(self.values.get(name, ""))):
                return min(max(float(match[0]), 0.5), AUDIO_SECONDS)
        if self.endpoint.category == "text-to-speech":
            return min(max(len(self.prompt) / SPEECH_RATE, 1.0), AUDIO_SECONDS)
        return 2.0

    def _ratio(self) -> float | None:
        for name in ("aspect_ratio", "resolution_mode"):
            match = re.fullmatch(r"(\d+):(\d+)", str(self.values.get(name, "")))
            if match and int(match[1]) and int(match[2]):
                return int(match[1]) / int(match[2])
        return None

    def _video_size(self) -> tuple[int, int]:
        ratio = self._ratio()
        if ratio is None:
            width, height = self._source_size() or (16, 9)
            ratio = min(max(width / height, 0.25), 4.0)
        # Encoders want sides that are multiples of 16.
        sides = (VIDEO_SIDE * min(ratio, 1), VIDEO_SIDE * min(1 / ratio, 1))
        return round(sides[0] / 16) * 16, round(sides[1] / 16) * 16

    def _picture_size(self) -> tuple[int, int]:
        width, height = self._wanted_size()
        factor = self.values.get("upscale_factor", 1)
        factor = min(factor, MAX_SIDE / max(width, height, 1))
        return max(round(width * factor), MIN_SIDE), max(round(height * factor), MIN_SIDE)

    def _wanted_size(self) -> tuple[int, int]:
        size = self.values.get("image_size")
        if isinstance(size, Mapping):
            return int(size.get("width", 512)), int(size.get("height", 512))
        if isinstance(size, str) and size in PRESETS:
            return PRESETS[size]
        side = SIDES.get(str(size or self.values.get("resolution")).removeprefix("auto_"), 1024)
        if ratio := self._ratio():
            # As many pixels as the square, in multiples of 16.
            width = round(side * math.sqrt(ratio) / 16) * 16
            return width, round(side / math.sqrt(ratio) / 16) * 16
        return self._source_size() or (side, side)

    def _source_size(self) -> tuple[int, int] | None:
        """The size of the first input picture that can be read here."""
        for loc, url in _links(self.values):
            if "image" in str(loc[0]) and (loaded := self.read(url)) is not None:
                return _size_of(loaded)
        return None


def _links(given: Input) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The input files: the places and the values of strings that are named as addresses."""
    for name, value in given.items():
        if isinstance(value, str) and name.endswith("_url"):
            yield (name,), value
        elif isinstance(value, list) and name.endswith("_urls"):
            yield from (((name, n), url) for n, url in enumerate(value) if isinstance(url, str))


def _is_file(schema: Mapping[str, Any]) -> bool:
    return "url" in schema.get("properties", {})


def _size_of(picture: Media) -> tuple[int, int]:
    """Width and height in pixels; raises OSError for what is not a picture."""
    from PIL import Image  # noqa: PLC0415 - an extra, needed when something is drawn

    with Image.open(io.BytesIO(picture.content)) as opened:
        return opened.size


def _config(text: str) -> Media:
    return Media(text.encode(), "application/json", "json")
