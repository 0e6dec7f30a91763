"""Schemas of single values, and the pieces that all schemas are made of."""

from functools import singledispatch
from typing import Any

from boards.spec.grammar import (
    DURATION,
    RATE,
    SIZE,
    Choice,
    DurationKind,
    FlagKind,
    JsonKind,
    NumberKind,
    RateKind,
    SizeKind,
    TextKind,
    WholeKind,
)
from boards.spec.model import SchemaKind

__all__ = ["Json", "closed", "exactly", "matching", "reference", "value_schema"]

Json = dict[str, Any]


def closed(properties: Json, required: list[str] | None = None) -> Json:
    """A mapping with these keys and no others."""
    needed = {"required": required} if required else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": False}


def exactly(count: int) -> Json:
    """A list of so many items."""
    return {"type": "array", "minItems": count, "maxItems": count}


def matching(pattern: str, what: str) -> Json:
    """A text of some form; editors tell what is expected, not the pattern."""
    return {"type": "string", "pattern": pattern, "patternErrorMessage": f"expected {what}"}


def reference(name: str) -> Json:
    """What a definition says."""
    return {"$ref": f"#/definitions/{name}"}


@singledispatch
def value_schema(kind: Any) -> Json:
    """The schema of what a kind reads that has no kinds within it."""
    raise TypeError(f"{type(kind).__name__} has no JSON Schema")


@value_schema.register
def _(kind: TextKind) -> Json:
    if kind.pattern is None:
        return {"type": ["string", "null"] if kind.or_null else "string"}
    return matching(f"^(?:{kind.pattern})$", kind.what)


@value_schema.register
def _(_kind: FlagKind) -> Json:
    return {"type": "boolean"}


@value_schema.register
def _(kind: WholeKind) -> Json:
    return {"type": "integer", "minimum": kind.minimum}


@value_schema.register
def _(kind: NumberKind) -> Json:
    return {"type": "number", "minimum": kind.minimum}


@value_schema.register
def _(_kind: DurationKind) -> Json:
    return matching(f"^{DURATION.pattern}$", "a duration such as 500ms, 10s, 5m or 24h")


@value_schema.register
def _(_kind: SizeKind) -> Json:
    return matching(f"^{SIZE.pattern}$", "a size such as 256KB, 1MB or 2GB")


@value_schema.register
def _(_kind: RateKind) -> Json:
    return matching(f"^{RATE.pattern}$", "a rate such as 600/1m or 5/1s")


@value_schema.register
def _(kind: Choice) -> Json:
    return {"enum": list(kind.words)}


@value_schema.register
def _(kind: JsonKind) -> Json:
    return {"type": "object"} if kind.mapping else {}


@value_schema.register
def _(_kind: SchemaKind) -> Json:
    return {"type": "object"}
