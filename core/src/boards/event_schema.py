"""The JSON Schema of events, made of the table of :mod:`boards.events`."""

import inspect
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from boards.events import EVENT_DATA

__all__ = ["event_schema"]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_SIMPLE: Final[Mapping[Any, str]] = {
    bool: "boolean",
    float: "number",
    int: "integer",
    str: "string",
    NoneType: "null",
}


def event_schema() -> dict[str, Any]:
    """One event: one of ``$defs``, by its ``type``.

    Keys that it does not name are allowed: a later version may add some.
    """
    return {
        "$schema": _DRAFT,
        "title": "An event of a generation",
        "description": "An event, as `boards events ID --json` tells it, in the order of `id`.",
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in EVENT_DATA],
        "$defs": {kind: _event(kind, data) for kind, data in EVENT_DATA.items()},
    }


def _event(kind: str, data: type) -> dict[str, Any]:
    properties = {
        "id": {"type": "integer", "description": "Grows; resume after the last one seen."},
        "generation": {"type": "string", "description": "Whose event it is."},
        "type": {"const": kind},
        "at": {"type": "string", "format": "date-time", "description": "When it was committed."},
        "data": _record(data),
    }
    return {
        "description": _doc(data),
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _record(data: type) -> dict[str, Any]:
    hints = get_type_hints(data, include_extras=True)
    return {
        "type": "object",
        "properties": {name: _value(hint) for name, hint in hints.items()},
        "required": list(hints),
    }


def _value(hint: Any) -> dict[str, Any]:
    """The schema of a type: of those, and only those, that the table uses."""
    if get_origin(hint) is Annotated:
        inner, description = get_args(hint)
        return {**_value(inner), "description": description}
    if is_typeddict(hint):
        return _record(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _value(arguments[0])}
    if origin is dict:
        return {"type": "object"}
    if origin is UnionType:
        return {"anyOf": [_value(one) for one in arguments]}
    return {"type": _SIMPLE[hint]}


def _doc(data: type) -> str:
    """The docstring as plain text."""
    text = " ".join((inspect.getdoc(data) or "").split())
    return re.sub(r":\w+:`~?([^`]+)`", r"\1", text).replace("``", "`")
