"""What a generator takes: defaults, validation with every problem told at once, file inputs."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

import jsonschema_rs
from attrs import frozen

from boards.errors import Problem
from boards.spec.places import did_you_mean, plain

__all__ = ["FILE_FORMATS", "FileInput", "InputSchema"]

FILE_FORMATS: Final = frozenset({"image", "audio", "video", "model", "file"})
"""``{type: string, format: image}`` and so on is an artifact input."""

_MAX_DEPTH: Final = 100
_MAX_BITS: Final = 1024
_LARGE: Final = 1 << _MAX_BITS - 1
_EXACT: Final = 1 << 53
"""Below this a float is the integer that somebody wrote."""
_NAMES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


@frozen
class FileInput:
    """An input that takes files.

    Attributes:
        name: Of the input.
        format: One of :data:`FILE_FORMATS`.
        many: It takes a list of them.
    """

    name: str
    format: str
    many: bool


class InputSchema:
    """A compiled input schema.

    Args:
        schema: JSON Schema 2020-12 of an object. Unknown keys are refused unless it says otherwise.

    Raises:
        ValueError: It is not a JSON Schema; the message tells where.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema: dict[str, Any] = {"additionalProperties": False, **plain(schema)}
        try:
            self._validator = jsonschema_rs.Draft202012Validator(self.schema, retriever=_retrieve)
        except (jsonschema_rs.ValidationError, ValueError) as error:
            at = ".".join(str(step) for step in getattr(error, "instance_path", ()))
            message = getattr(error, "message", str(error))
            raise ValueError(f"{at}: {message}" if at else message) from error
        self.properties: dict[str, Any] = self.schema.get("properties", {})
        self.required: frozenset[str] = frozenset(self.schema.get("required", ()))
        self.defaults: dict[str, Any] = {
            name: one["default"]
            for name, one in self.properties.items()
            if isinstance(one, Mapping) and "default" in one
        }
        self.files: tuple[FileInput, ...] = tuple(
            found
            for name, one in self.properties.items()
            if (found := _file_input(name, one)) is not None
        )

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The input with defaults of its own filled in; what was given wins.

        To a schema 4.0 is the integer 4, and 1 one of its numbers 0.5 and 1.0; in a text of a
        request, and to a ``$map``, they must be.
        """
        completed = {**plain(self.defaults), **given}
        for name, value in completed.items():
            if type(value) is int or (type(value) is float and value.is_integer()):
                completed[name] = _as_declared(self.properties.get(name), value)
        return completed

    def problems(self, value: Mapping[str, Any]) -> list[Problem]:
        """Everything that is wrong with a completed input, each naming its field."""
        strange = {
            name: flaw
            for name, one in value.items()
            if not (type(name) is str and _is_plain(name) and _is_plain(one))
            and (flaw := _flaw({name: one})) is not None
        }
        if strange:
            rest = {name: one for name, one in value.items() if name not in strange}
            return [
                *(Problem(str(name), flaw) for name, flaw in strange.items()),
                *(one for one in self.problems(rest) if one.where not in strange),
            ]
        if self._validator.is_valid(value):
            return []
        found: list[Problem] = []
        for error in self._validator.iter_errors(value):
            found.extend(self._explain(error))
        return found

    def _explain(self, error: jsonschema_rs.ValidationError) -> list[Problem]:
        where = _field(error.instance_path)
        match error.kind.as_dict():
            case {"property": str(name)}:
                return [Problem(_join(where, name), "is required")]
            case {"unexpected": list(names)}:
                known = self.properties if not where else ()
                return [
                    Problem(_join(where, name), f"is not an input{did_you_mean(name, known)}")
                    for name in names
                ]
            case {"options": list(options)}:
                allowed = ", ".join(_shown(one) for one in options)
                return [
                    Problem(where, f"must be one of {allowed}; not {_described(error.instance)}")
                ]
            case {"types": list(types)}:
                wanted = " or ".join(_NAMES.get(str(name), str(name)) for name in types)
                return [Problem(where, f"must be {wanted}, not {_described(error.instance)}")]
            case {"limit": limit}:
                return [Problem(where, _limit(error.kind.name, limit, error.instance))]
            case {"multiple_of": step}:
                return [
                    Problem(where, f"must be a multiple of {_shown(step)}, not {error.instance!r}")
                ]
            case _:
                return [Problem(where, error.message)]


_LIMITS: Final = {
    "minimum": "must be at least {0}, not {1!r}",
    "maximum": "must be at most {0}, not {1!r}",
    "exclusiveMinimum": "must be more than {0}, not {1!r}",
    "exclusiveMaximum": "must be less than {0}, not {1!r}",
    "minLength": "must have at least {0} characters",
    "maxLength": "must have at most {0} characters",
    "minItems": "must have at least {0} items",
    "maxItems": "must have at most {0} items",
}


def _limit(keyword: str, limit: Any, value: Any) -> str:
    return _LIMITS.get(keyword, keyword + " {0}").format(_shown(limit), value)


def _described(value: Any) -> str:
    if isinstance(value, str):
        return f"the string {value[:60]!r}"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else _shown(value)


def _shown(value: Any) -> str:
    """A value as JSON, but a text without quotes; 32.0 is 32."""
    if isinstance(value, str):
        return value[:60]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)[:60]


def _retrieve(uri: str) -> Any:
    raise ValueError(f"a schema stands by itself: {uri} is not fetched")


def _is_plain(value: Any) -> bool:
    """Whether a scalar has no flaw, for sure; a quick look that spares most of them a close one."""
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is int:
        return bool(-_LARGE < value < _LARGE)
    if kind is float:
        return isfinite(value)
    return value is None or kind is bool


def _flaw(value: Any, depth: int = _MAX_DEPTH) -> str | None:
    """Why a value cannot be sent as JSON, if so: what no schema tells."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if value.bit_length() <= _MAX_BITS else "is too large a number"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "is not Unicode text: it has half of a surrogate pair"
        return None
    if isinstance(value, float):
        return None if isfinite(value) else f"must be a number, not {value}"
    if depth == 0:
        return "is nested too deeply"
    if isinstance(value, list | tuple):
        flaws = (_flaw(item, depth - 1) for item in value)
        return next((flaw for flaw in flaws if flaw is not None), None)
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            return "has a name that is not a text"
        return _flaw([*value, *value.values()], depth - 1)
    return f"is a Python {type(value).__name__}, which is no JSON value"


def _field(path: list[str | int]) -> str:
    text = ""
    for step in path:
        text = f"{text}[{step}]" if isinstance(step, int) else _join(text, step)
    return text


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _as_declared(schema: Any, value: float) -> int | float:
    """A whole number as the integer that its schema means, or as its enum has it."""
    if not isinstance(schema, Mapping):
        return value
    for one in schema.get("enum", ()):
        if type(one) in (int, float) and one == value:
            return one  # type: ignore[no-any-return]
    types = schema.get("type")
    is_integer = types == "integer" or (isinstance(types, list) and "integer" in types)
    return int(value) if is_integer and abs(value) < _EXACT else value


def _file_input(name: str, schema: Any) -> FileInput | None:
    if not isinstance(schema, Mapping):
        return None
    format_ = schema.get("format")
    if format_ in FILE_FORMATS:
        return FileInput(name, format_, many=False)
    items = schema.get("items")
    if isinstance(items, Mapping) and items.get("format") in FILE_FORMATS:
        return FileInput(name, items["format"], many=True)
    return None
