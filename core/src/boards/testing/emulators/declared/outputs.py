"""Outputs of a job: the places where a fixture has addresses, base64 or bytes get real media."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from boards.artifacts import type_of
from boards.spec.compile import CompiledGenerator
from boards.spec.model import OutputSpec
from boards.spec.paths import Path, parse_path
from boards.spec.replies import Found
from boards.testing.emulators import media
from boards.testing.emulators.declared.answers import Answer
from boards.testing.emulators.declared.synthesis import output_path
from boards.testing.emulators.media import Media

_KINDS: Final = {
    "png": "image", "jpg": "image", "jpeg": "image", "webp": "image", "gif": "image",
    "mp4": "video", "mov": "video", "webm": "video",
    "wav": "audio", "mp3": "audio", "ogg": "audio", "opus": "audio", "flac": "audio",
    "m4a": "audio", "aac": "audio",
    "glb": "model", "gltf": "model", "obj": "model", "ply": "model",
    "safetensors": "weights", "tar": "weights", "zip": "weights", "bin": "weights",
    "json": "json", "txt": "text", "srt": "text", "vtt": "text",
}  # fmt: skip
_COUNT: Final = re.compile(r"\An\Z|num|count|batch|samples")
"""Names of inputs that say how many outputs there are to be."""
_IMAGES: Final = ("png", "jpg", "jpeg", "webp")
_PROMPTS: Final = ("prompt", "text", "input", "lyrics", "message")
_SIDE: Final = 256
_LONGEST: Final = 1024


@frozen
class Maker:
    """Makes the media of one job.

    Attributes:
        kind: The artifact type of the generator.
        input: What is known of the input.
        number: Of the job: jobs that differ in nothing else have other outputs all the same.
    """

    kind: str
    input: Mapping[str, Any]
    number: int

    def make(self, index: int, hint: str = "") -> Media:
        """The output of an index, counted from 0.

        Args:
            index: Which one.
            hint: An extension or a media type that tells what it is.
        """
        kind = _kind(hint) or self.kind
        prompt, seed = self.prompt, self.seed + index
        match kind:
            case "image":
                extension = hint.rpartition("/")[2] or "png"
                wanted = extension if extension in _IMAGES else self._format()
                width, height = self._size()
                return media.image(prompt, seed, width=width, height=height, format=wanted)
            case "video":
                return media.video(prompt, seed, seconds=1.0)
            case "audio":
                return media.audio(prompt, seed, seconds=1.0)
            case "model":
                return media.mesh(prompt, seed)
            case "text":
                return Media(self.text(index).encode(), "text/plain", "txt")
            case "json":
                content = json.dumps({"text": self.text(index)}).encode()
                return Media(content, "application/json", "json")
        return media.weights(prompt, seed, format="tar" if hint == "tar" else "safetensors")

    def text(self, index: int) -> str:
        """Some sentences about the prompt."""
        return media.text(self.prompt, self.seed + index)

    @property
    def prompt(self) -> str:
        """The text of the input that says the most."""
        found = [self.input.get(name) for name in _PROMPTS]
        return next((one for one in found if isinstance(one, str) and one), f"job {self.number}")

    @property
    def seed(self) -> int:
        """Of the input; else one of the job's own."""
        given = self.input.get("seed")
        own = isinstance(given, int) and given > 0
        return int(given) if own else self.number * 1_000_003  # type: ignore[arg-type]  # an int

    def _format(self) -> str:
        wanted = str(self.input.get("output_format", "png"))
        return wanted if wanted in _IMAGES else "png"

    def _size(self) -> tuple[int, int]:
        sides = [self.input.get(name) for name in ("width", "height")]
        width, height = (one if isinstance(one, int) and one > 0 else _SIDE for one in sides)
        return min(width, _LONGEST), min(height, _LONGEST)


@frozen
class Dresser:
    """Puts a job's media into the reply that has its outputs.

    Attributes:
        compiled: The generator.
        maker: Of the media.
        publish: Serves a file, and returns its address: the media, the address that stood there,
            and whether it is fetched with credentials.
        token: Goes into the names of files that have no address of their own.
    """

    compiled: CompiledGenerator
    maker: Maker
    publish: Callable[[Media, str, bool], str]
    token: str = ""
    _made: list[Media] = field(factory=list)

    def dress(self, answer: Answer) -> Answer:
        """The reply with real outputs."""
        extract, text = self.compiled.run.extract, self.maker.kind == "text"
        for path in extract.output_paths:
            whole = parse_path(f"body.{path.text}")
            answer = answer.change(whole, self._texts if text else self._leaves)
        for output in extract.outputs:
            answer = self._output(output, answer)
        return answer

    def _output(self, output: OutputSpec, answer: Answer) -> Answer:
        path = output_path(output)
        literal = output.mime if output.mime is not None and "/" in output.mime else ""
        if output.request is not None:
            return answer.change(path, self._named)
        if output.form == "bytes":
            return self._bytes(output, path, literal, answer)
        if output.form == "text":
            return answer.change(path, self._texts)
        if output.form == "json":
            return answer
        told = answer.at(_beside(output)) if output.mime and not literal else []
        hints = [literal] if literal else [one for one in told if isinstance(one, str)]

        def real(value: Any) -> Any:
            if isinstance(value, list):
                return [real(one) for one in value]
            if not isinstance(value, str):
                return value
            hint = hints[min(len(self._made), len(hints) - 1)] if hints else ""
            return self._value(output, value, hint)

        return answer.change(path, real)

    def _named(self, value: Any) -> Any:
        """An output that has a request of its own, with names of files that are the job's."""
        if isinstance(value, dict):
            return {name: self._named(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._named(one) for one in value]
        extension = _extension(value) if isinstance(value, str) else ""
        if extension not in _KINDS or not self.token:
            return value
        return f"{value.removesuffix(f'.{extension}')}-{self.token}.{extension}"

    def fetchable(self, answer: Answer) -> list[tuple[Found, Media]]:
        """The outputs of a dressed reply that have requests of their own, each with its file."""
        found = self.compiled.outputs(answer.value())
        return [
            (one, self._next(one.mime or _named_extension(one.value)))
            for one in found
            if one.request is not None
        ]

    def _value(self, output: OutputSpec, value: str, hint: str) -> str:
        if output.form == "base64":
            return base64.b64encode(self._next(hint).content).decode()
        if output.form == "data_uri" or value.startswith("data:"):
            return media.data_uri(self._next(hint or _mime_of(value)))
        made = self._next(_extension(value) or hint)
        return self.publish(made, value, output.fetch_auth == "same_origin")

    def _bytes(self, output: OutputSpec, path: Path, literal: str, answer: Answer) -> Answer:
        declared = answer.headers.get("content-type", "").partition(";")[0]
        made = self._next(literal or declared)
        headers = dict(answer.headers)
        if type_of(made.mime) is not None or "content-type" not in headers:
            headers["content-type"] = made.mime
        return evolve(answer, raw=made.content, headers=headers)

    def _texts(self, value: Any) -> Any:
        """A text for a text; a list of chunks for a list of chunks."""
        if isinstance(value, list):
            words = self.maker.text(0).split(" ")
            return [f"{word} " for word in words[:-1]] + words[-1:]
        return self.maker.text(0) if isinstance(value, str) else value

    def _leaves(self, value: Any) -> Any:
        """Every address, through lists and mappings, as the short form of ``extract`` does it."""
        if isinstance(value, str):
            if value.startswith("data:"):
                return media.data_uri(self._next(_mime_of(value)))
            if value.startswith(("http://", "https://")):
                return self.publish(self._next(_extension(value)), value, False)
            return value
        if isinstance(value, dict):
            return {name: self._leaves(one) for name, one in value.items()}
        return [self._leaves(one) for one in value] if isinstance(value, list) else value

    def _next(self, hint: str) -> Media:
        made = self.maker.make(len(self._made), hint)
        self._made.append(made)
        return made


def counted(
    answer: Answer, compiled: CompiledGenerator, shown: Mapping[str, Any], given: Mapping[str, Any]
) -> Answer:
    """A reply with as many outputs as were asked for, where its fixture tells which input counts.

    That is an input named as a number of things whose value in the fixture is the length of the
    list that its outputs are in.

    Args:
        answer: As the fixture has it.
        compiled: The generator.
        shown: The fixture's input.
        given: What is known of the input that came.
    """
    for output in compiled.run.extract.outputs:
        steps = output_path(output).steps
        ends = [at for at, step in enumerate(steps) if isinstance(step, tuple)]
        if not ends or steps[0] != "body":
            continue
        items = Path(output.source.text, steps[: ends[-1]])
        told = answer.at(items)
        if len(told) != 1 or not isinstance(told[0], list) or not told[0]:
            continue
        for name, value in shown.items():
            wanted = given.get(name)
            if value == len(told[0]) and isinstance(wanted, int) and _COUNT.search(name):
                return answer.put(items, [told[0][at % len(told[0])] for at in range(wanted)])
    return answer


def _kind(hint: str) -> str | None:
    """What an extension or a media type is of; None where it tells nothing."""
    if "/" in hint:
        return type_of(hint)
    return _KINDS.get(hint)


def _extension(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).suffix.lower().removeprefix(".")


def _named_extension(value: Any) -> str:
    """The extension of the file that an output names, alone or among other facts."""
    texts = value.values() if isinstance(value, dict) else [value]
    found = (_extension(one) for one in texts if isinstance(one, str))
    return next((one for one in found if one in _KINDS), "")


def _mime_of(data_uri: str) -> str:
    return data_uri.removeprefix("data:").partition(",")[0].partition(";")[0]


def _beside(output: OutputSpec) -> Path:
    """The path of an output's media type, its ``each`` included."""
    assert output.mime is not None  # noqa: S101  # the caller looked
    told = parse_path(output.mime)
    steps = (*output.each.steps, *told.steps) if output.each is not None else told.steps
    return Path(output.mime, steps)
