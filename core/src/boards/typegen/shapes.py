"""What values a JSON Schema lets through, as far as a static type can say it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from attrs import frozen

from boards.spec.inputs import FILE_FORMATS

__all__ = [
    "ANYTHING",
    "Anything",
    "Choice",
    "Field",
    "File",
    "ListOf",
    "MapOf",
    "OneOf",
    "Record",
    "Scalar",
    "Shape",
    "meet",
    "shape_of",
]

ScalarKind = Literal["string", "integer", "number", "boolean", "null"]

_KINDS: Final[Mapping[type, ScalarKind]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


@frozen
class Anything:
    """No static type says it."""


@frozen
class Scalar:
    """Any value of a simple type."""

    kind: ScalarKind


@frozen
class Choice:
    """One of some simple values, in the order of the schema."""

    values: tuple[Any, ...]

    @property
    def kinds(self) -> set[ScalarKind]:
        """The simple types of the values."""
        return {_KINDS[type(value)] for value in self.values}


@frozen
class File:
    """An artifact input; ``format`` is what kind of file, for people."""

    format: str


@frozen
class ListOf:
    """A list."""

    item: "Shape"


@frozen
class MapOf:
    """A mapping with names that nobody foresees."""

    value: "Shape"


@frozen
class Record:
    """A mapping with known names."""

    fields: "tuple[Field, ...]"


@frozen
class OneOf:
    """One of several shapes."""

    options: "tuple[Shape, ...]"


Shape = Anything | Scalar | Choice | File | ListOf | MapOf | Record | OneOf
ANYTHING: Final = Anything()


@frozen(kw_only=True)
class Field:
    """A name in a mapping, or an input of a generator.

    Attributes:
        name: As the schema spells it.
        shape: What it takes.
        required: Whether it cannot be left out. What has a default can be.
        schema: For what only people read: description, default, limits.
    """

    name: str
    shape: Shape
    required: bool
    schema: Mapping[str, Any]


def shape_of(schema: Any, root: Mapping[str, Any], *, files: bool = False) -> Shape:
    """The shape of a schema.

    Args:
        schema: JSON Schema 2020-12.
        root: The whole schema, in which ``$ref`` points.
        files: Whether formats such as ``image`` mean files here: they do for an input, and for
            the items of an input that is a list.
    """
    return _Reading(root).read(schema, files, ())


class _Reading:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def read(self, schema: Any, files: bool, within: tuple[str, ...]) -> Shape:
        """The shape of a schema that was reached through the references ``within``."""
        if not isinstance(schema, Mapping):
            return ANYTHING
        if files and schema.get("format") in FILE_FORMATS:
            return File(schema["format"])
        if isinstance(reference := schema.get("$ref"), str):
            if reference in within:
                return ANYTHING  # a type that holds itself
            return self.read(self._target(reference), False, (*within, reference))
        if "const" in schema or "enum" in schema:
            return _choice([schema["const"]] if "const" in schema else schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return _one_of([self.read(one, False, within) for one in schema[key]])
        if "allOf" in schema:
            parts = schema["allOf"]
            return self.read(parts[0], False, within) if len(parts) == 1 else ANYTHING
        types = schema.get("type")
        if isinstance(types, list):
            return _one_of([self.read({**schema, "type": one}, files, within) for one in types])
        match types:
            case "string" | "integer" | "number" | "boolean" | "null":
                return Scalar(types)
            case "array":
                return ListOf(self.read(schema.get("items"), files, within))
            case "object":
                return self._mapping(schema, within)
            case _:
                return ANYTHING

    def _mapping(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> Shape:
        others = schema.get("additionalProperties")
        properties = schema.get("properties", {})
        if not properties:
            return MapOf(self.read(others, False, within))
        if others not in (None, False):
            return MapOf(ANYTHING)
        required = schema.get("required", ())
        return Record(
            tuple(
                Field(
                    name=name,
                    shape=self.read(one, False, within),
                    required=name in required,
                    schema=one if isinstance(one, Mapping) else {},
                )
                for name, one in properties.items()
            )
        )

    def _target(self, reference: str) -> Any:
        found: Any = self._root
        if not reference.startswith("#"):
            return None
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


def _choice(values: Sequence[Any]) -> Shape:
    return Choice(tuple(values)) if all(type(one) in _KINDS for one in values) else ANYTHING


def _one_of(options: Sequence[Shape]) -> Shape:
    flat: list[Shape] = []
    for one in options:
        flat += one.options if isinstance(one, OneOf) else (one,)
    different = tuple(one for number, one in enumerate(flat) if one not in flat[:number])
    if ANYTHING in different or not different:
        return ANYTHING
    return different[0] if len(different) == 1 else OneOf(different)


def meet(one: Shape, other: Shape) -> Shape | None:
    """What both shapes take; None where they have nothing in common, or it is hard to say."""
    match one, other:
        case (Anything(), shape) | (shape, Anything()):
            return shape
        case Choice(values), Choice(others):
            both = tuple(value for value in values if _among(value, others))
            return Choice(both) if both else None
        case (Choice() as choice, Scalar(kind)) | (Scalar(kind), Choice() as choice):
            return choice if choice.kinds <= _taken_by(kind) else None
        case Scalar(kind), Scalar(another):
            if kind in _taken_by(another):
                return one
            return other if another in _taken_by(kind) else None
        case File(), File():
            return one
        case ListOf(item), ListOf(another_item):
            both_items = meet(item, another_item)
            return None if both_items is None else ListOf(both_items)
        case _:
            return one if one == other else None


def _among(value: Any, others: tuple[Any, ...]) -> bool:
    """Whether a value is one of others; 1 is not True."""
    return any(type(value) is type(one) and value == one for one in others)


def _taken_by(kind: ScalarKind) -> set[ScalarKind]:
    return {"integer", "number"} if kind == "number" else {kind}
