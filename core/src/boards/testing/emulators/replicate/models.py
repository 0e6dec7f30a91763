"""The models that the emulated Replicate offers, and what each of them accepts and returns.

The documents in ``data/replicate`` have the form of ``GET /v1/models/{owner}/{name}``. Most
come from Replicate's public metadata. The others were written from field lists: of their
version ids at most the first twelve digits are the real ones, and enumerations may be short.
"""

import functools
import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Final, Literal

from attrs import define, field

from boards.testing.emulators.schema import Problem, problems

Kind = Literal["image", "video", "audio", "text", "mesh", "weights"]

MODEL_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+")
_STOCK: Final = "black-forest-labs/flux-schnell"
_KINDS: Final[dict[str, Kind]] = {
    "mp4": "video", "webm": "video", "mov": "video", "gif": "video",
    "wav": "audio", "mp3": "audio", "flac": "audio", "ogg": "audio",
    "png": "image", "jpg": "image", "jpeg": "image", "webp": "image",
    "glb": "mesh", "zip": "weights", "tar": "weights", "safetensors": "weights",
}  # fmt: skip


@define(eq=False)
class Model:
    """One version of one model."""

    owner: str
    name: str
    document: Mapping[str, Any]
    known: bool = True
    """Whether it stands for itself; a stock model stands in for one that is not known."""
    available: float = 0.0
    """From when on it can be run, on the monotonic clock: a training makes a version late."""
    kind: Kind = field(init=False)
    input_schema: Mapping[str, Any] = field(init=False)
    output_schema: Mapping[str, Any] = field(init=False)
    training_schema: Mapping[str, Any] | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        components = self.version["openapi_schema"]["components"]
        schemas = components["schemas"]
        self.input_schema = {**schemas["Input"], "components": components}
        training = schemas.get("TrainingInput")
        self.training_schema = training and {**training, "components": components}
        self.output_schema = _resolved(schemas["Output"], schemas)
        self.kind = _kind(self)

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    @property
    def official(self) -> bool:
        """Whether it runs on its model route, without a version."""
        return bool(self.document.get("is_official"))

    @property
    def version(self) -> Mapping[str, Any]:
        """The document of its newest version."""
        version: Mapping[str, Any] = self.document["latest_version"]
        return version

    @property
    def version_id(self) -> str:
        """64 hexadecimal digits."""
        return str(self.version["id"])

    @property
    def concatenates(self) -> bool:
        """Whether its output is text that arrives in pieces, which makes it stream."""
        return self.output_schema.get("x-cog-array-display") == "concatenate"

    def problems(self, given: object, *, training: bool = False) -> list[Problem]:
        """What its schema finds wrong with an input; a stock model accepts every object."""
        schema: Mapping[str, Any] = {"type": "object"}
        if self.known:
            schema = (self.training_schema or schema) if training else self.input_schema
        found = problems(schema, given)
        if not isinstance(given, dict):
            return found
        for name, value in given.items():
            described = schema.get("properties", {}).get(name, {})
            if described.get("format") == "uri" and isinstance(value, str) and ":" not in value:
                found.append(Problem((name,), "format", "is no URI", "uri", value))
        return found

    def derive(self, owner: str, name: str, version_id: str, available: float) -> "Model":
        """A model of another name with this one's schema: fine-tuned, or stood in for."""
        document = {
            **self.document,
            "url": f"https://replicate.com/{owner}/{name}",
            "owner": owner,
            "name": name,
            "is_official": False,
            "latest_version": {**self.version, "id": version_id},
        }
        return Model(owner, name, document, known=self.known, available=available)


class Catalogue:
    """The models by name and by version."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Model]] = {}
        self._by_version: dict[str, Model] = {}
        self._empty: dict[str, dict[str, Any]] = {}
        for model in _shipped():
            self.add(model)

    def add(self, model: Model) -> None:
        """Offer a model; once available, it is the newest version of that name."""
        self._by_name.setdefault(model.full_name, []).append(model)
        self._by_version[model.version_id] = model

    def withdraw(self, version_id: str) -> None:
        """No longer offer a version; one that is not offered is ignored."""
        if model := self._by_version.pop(version_id, None):
            self._by_name[model.full_name].remove(model)

    def create(self, document: dict[str, Any]) -> None:
        """Make a model that has no version yet."""
        self._empty[f"{document['owner']}/{document['name']}"] = document

    def exists(self, full_name: str) -> bool:
        """Whether a model of that name exists, with or without a version."""
        return bool(self._by_name.get(full_name)) or full_name in self._empty

    def documents(self) -> list[Mapping[str, Any]]:
        """Every model's document, by name."""
        found: dict[str, Mapping[str, Any]] = dict(self._empty)
        for name in self._by_name:
            if versions := self._offered(name):
                found[name] = versions[-1].document
        return [document for _, document in sorted(found.items())]

    def document(self, owner: str, name: str, *, strict: bool) -> Mapping[str, Any] | None:
        """One model's document; without `strict` a stock one for a name that is not known."""
        versions = self.versions(owner, name, strict=strict)
        return versions[0].document if versions else self._empty.get(f"{owner}/{name}")

    def versions(self, owner: str, name: str, *, strict: bool) -> list[Model]:
        """A model's versions, newest first; without `strict` a stock one if not known."""
        full_name = f"{owner}/{name}"
        if versions := self._offered(full_name):
            return versions[::-1]
        return [] if strict or full_name in self._empty else [stock(owner, name)]

    def model(self, owner: str, name: str, *, strict: bool) -> Model | None:
        """A model's newest version; without `strict` a stock one for a name not known."""
        versions = self.versions(owner, name, strict=strict)
        return versions[0] if versions else None

    def run(self, reference: str, *, strict: bool) -> Model | None:
        """The model that `version` in the body of a create means.

        Args:
            reference: ``owner/name`` (official models only), ``owner/name:ID`` or ``ID``.
            strict: Whether a model or an id that is not known is refused.

        Returns:
            None where Replicate answers "invalid version or not permitted".
        """
        full_name, _, version_id = reference.rpartition(":")
        if MODEL_NAME.fullmatch(reference):
            model = self.model(*reference.split("/"), strict=strict)
            return model if model and (model.official or not model.known) else None
        if full_name and not MODEL_NAME.fullmatch(full_name):
            return None
        model = self._by_version.get(version_id)
        if (
            model is not None
            and full_name in {"", model.full_name}
            and model.available <= time.monotonic()
        ):
            return model
        if strict:
            return None
        return stock(*(full_name or "emulator/stock").split("/"), version_id)

    def _offered(self, full_name: str) -> list[Model]:
        now = time.monotonic()
        return [model for model in self._by_name.get(full_name, ()) if model.available <= now]


@functools.lru_cache(maxsize=256)
def stock(owner: str, name: str, version_id: str = "") -> Model:
    """A text-to-image model that stands in for one that is not known."""
    base = next(model for model in _shipped() if model.full_name == _STOCK)
    made_up = hashlib.sha256(f"{owner}/{name}".encode()).hexdigest()
    model = base.derive(owner, name, version_id or made_up, 0.0)
    model.known = False
    return model


@functools.cache
def _shipped() -> tuple[Model, ...]:
    directory = resources.files("boards.testing.emulators") / "data" / "replicate"
    documents = (json.loads(file.read_text("utf-8")) for file in directory.iterdir())
    return tuple(Model(document["owner"], document["name"], document) for document in documents)


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return schema


def _kind(model: Model) -> Kind:
    """What it makes, by its example's output; text where that has no file."""
    if model.concatenates:
        return "text"
    example = model.document.get("default_example") or {}
    for url in _urls(example.get("output")):
        return _KINDS.get(url.rpartition(".")[2].lower(), "image")
    return "text"


def _urls(value: object) -> Iterator[str]:
    match value:
        case str() if value.startswith("https://"):
            yield value
        case dict():
            for item in value.values():
                yield from _urls(item)
        case list():
            for item in value:
                yield from _urls(item)
        case _:
            return


def example_extension(model: Model) -> str | None:
    """The extension of the first file in its example's output, without the dot."""
    example = model.document.get("default_example") or {}
    for url in _urls(example.get("output")):
        return url.rpartition(".")[2].lower()
    return None
