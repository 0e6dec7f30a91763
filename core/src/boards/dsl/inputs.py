"""The inputs of a class: annotations and :func:`field` as JSON Schema, and the types of files."""

import copy
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from os import PathLike
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Required,
    TypeAlias,
    TypedDict,
    TypeVar,
    Union,
    Unpack,
    overload,
)

import attrs
from attrs import frozen

from boards.artifacts import Artifact

__all__ = [
    "Audio",
    "File",
    "FileType",
    "Image",
    "Keywords",
    "Model",
    "Video",
    "field",
    "own_default",
    "property_of",
    "schema_of",
]

T = TypeVar("T")


@frozen
class FileType:
    """Marks an annotation: it takes a file of this format."""

    format: Literal["image", "audio", "video", "model", "file"]


Source: TypeAlias = str | PathLike[str] | bytes | Artifact

Image: TypeAlias = Annotated[Source, FileType("image")]
"""An image: a path, bytes, an :class:`boards.Artifact`, an http(s) URL or a data URI."""
Audio: TypeAlias = Annotated[Source, FileType("audio")]
"""Sound, given as an image is."""
Video: TypeAlias = Annotated[Source, FileType("video")]
"""A video, given as an image is."""
Model: TypeAlias = Annotated[Source, FileType("model")]
"""A model: weights, or a mesh; given as an image is."""
File: TypeAlias = Annotated[Source, FileType("file")]
"""A file of any kind, given as an image is."""


class Keywords(TypedDict, total=False):
    """What a field says beside its type and its default."""

    ge: float
    gt: float
    le: float
    lt: float
    multiple_of: float
    min_length: int
    max_length: int
    pattern: str
    min_items: int
    max_items: int
    unique_items: bool
    choices: Sequence[Any]
    format: str
    title: str
    description: str
    examples: Sequence[Any]
    schema: Mapping[str, Any]


KEYWORDS: Final = {
    "format": "format",
    "choices": "enum",
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "min_items": "minItems",
    "max_items": "maxItems",
    "unique_items": "uniqueItems",
    "title": "title",
    "description": "description",
    "examples": "examples",
}
"""Our keywords, and JSON Schema's."""


@overload
def field(*, default: T, name: str | None = None, **keywords: Unpack[Keywords]) -> T: ...
@overload
def field(*, name: str | None = None, **keywords: Unpack[Keywords]) -> Any: ...
def field(
    *, default: Any = attrs.NOTHING, name: str | None = None, **keywords: Unpack[Keywords]
) -> Any:
    """An input that says more than its type.

    Args:
        default: What it is where it is not given; None for an input that may be absent.
        name: What the generator calls it, if that is no Python name or taken.
        keywords: JSON Schema's, in Python's spelling: ``ge`` (minimum), ``gt``, ``le`` (maximum),
            ``lt``, ``multiple_of``, ``min_length``, ``max_length``, ``pattern``, ``min_items``,
            ``max_items``, ``unique_items``, ``choices`` (enum), ``format``, ``title``,
            ``description``, ``examples``; ``schema`` for all that these do not say.
    """
    return attrs.field(default=default, metadata={"boards": (name, keywords)})


def own_default(default: Any) -> Any:
    """A default of which each instance gets its own, where one could change it for all."""
    return attrs.Factory(_Copy(default)) if isinstance(default, list | dict) else default


@frozen
class _Copy:
    """Makes a fresh default for each instance."""

    value: Any

    def __call__(self) -> Any:
        return copy.deepcopy(self.value)


def default_of(attribute: "attrs.Attribute[Any]") -> Any:
    """The default of a field; ``attrs.NOTHING`` where it has none."""
    default: Any = attribute.default
    return default.factory() if hasattr(default, "factory") else default


def property_of(
    annotation: Any, keywords: Mapping[str, Any], default: Any
) -> tuple[dict[str, Any], bool]:
    """An input as a property of a JSON Schema, and whether it is optional.

    Raises:
        TypeError: No JSON value has such a type.
    """
    optional = default is None
    if optional:
        annotation = _without_none(annotation)
    schema = schema_of(annotation)
    for keyword, name in KEYWORDS.items():
        if keyword in keywords:
            value = keywords[keyword]
            schema[name] = list(value) if keyword in ("choices", "examples") else value
    if default is not None and default is not attrs.NOTHING:
        schema["default"] = default
    return {**schema, **keywords.get("schema", {})}, optional


_SCALARS: Final = {
    str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null",
}  # fmt: skip


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (Union, types.UnionType):
        kept = tuple(one for one in typing.get_args(annotation) if one is not type(None))
        if len(kept) == 1:  # Union would look it up, and find Literals of another order equal
            return kept[0]
        return Union[kept] if kept else annotation  # noqa: UP007  # of a tuple
    return annotation


def schema_of(annotation: Any) -> dict[str, Any]:
    """A type as JSON Schema.

    Raises:
        TypeError: No JSON value has such a type.
    """
    if annotation is Any:
        return {}
    if annotation in _SCALARS:
        return {"type": _SCALARS[annotation]}
    if annotation in (list, dict):
        return {"type": "array" if annotation is list else "object"}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        for mark in annotation.__metadata__:
            if isinstance(mark, FileType):
                return {"type": "string", "format": mark.format}
        return schema_of(arguments[0])
    if origin in (Required, NotRequired):
        return schema_of(arguments[0])
    if origin is Literal:
        return _choices(arguments)
    if origin in (Union, types.UnionType):
        return _any_of([schema_of(one) for one in arguments])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        values = schema_of(arguments[1]) if len(arguments) == 2 else {}
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    if origin in (list, Sequence) or (origin is tuple and arguments[1:] == (...,)):
        items = schema_of(arguments[0])
        return {"type": "array", **({"items": items} if items else {})}
    if typing.is_typeddict(annotation):
        hints = typing.get_type_hints(annotation, include_extras=True)
        return _object(hints, annotation.__required_keys__)
    if isinstance(annotation, type) and attrs.has(annotation):
        hints = typing.get_type_hints(annotation, include_extras=True)
        required = [
            one.name
            for one in attrs.fields(annotation)
            if one.init and one.default is attrs.NOTHING
        ]
        return _object({one.name: hints[one.name] for one in attrs.fields(annotation)}, required)
    raise TypeError(f"{_named(annotation)} is no type of an input{_instead(annotation)}")


def _choices(values: tuple[Any, ...]) -> dict[str, Any]:
    found = {_SCALARS[type(value)] for value in values if type(value) in _SCALARS}
    return {**({"type": found.pop()} if len(found) == 1 else {}), "enum": list(values)}


def _any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """Plain types are one list of types; with a null, all else of the one type stays."""
    if all(one.keys() == {"type"} for one in schemas):
        return {"type": [one["type"] for one in schemas]}
    return {"anyOf": schemas}


def _object(hints: Mapping[str, Any], required: Any) -> dict[str, Any]:
    properties = {name: schema_of(hint) for name, hint in hints.items()}
    listed = [name for name in hints if name in required]
    return {
        "type": "object",
        **({"required": listed} if listed else {}),
        "properties": properties,
        "additionalProperties": False,
    }


def _instead(annotation: Any) -> str:
    """What says nearly the same, or what there is."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return f"; say Literal[{', '.join(repr(one.value) for one in annotation)}]"
    if annotation in (bytes, bytearray, Path):
        return "; say File, or Image, Audio, Video or Model"
    if (typing.get_origin(annotation) or annotation) in (tuple, set, frozenset):
        return "; say list[...]"
    return (
        "; known: str, int, float, bool, Literal, list, dict, Any, unions, a TypedDict, "
        "an attrs class, and Image, Audio, Video, Model and File"
    )


def _named(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
