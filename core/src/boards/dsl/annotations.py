"""From JSON Schema to fields: the annotation and the arguments that say the same."""

import builtins
from collections.abc import Mapping
from typing import Any, Final

import attrs
from attrs import frozen

from boards import dsl
from boards.dsl.inputs import KEYWORDS, property_of
from boards.dsl.layout import Brackets, Code, Expression
from boards.dsl.layout import quoted as _quoted

__all__ = ["InputField", "field_of", "same"]

_PLAIN: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_FILES: Final = {
    "image": "Image", "audio": "Audio", "video": "Video", "model": "Model", "file": "File",
}  # fmt: skip


@frozen
class InputField:
    """A property as a field of a class.

    Attributes:
        annotation: Its type.
        optional: It may be absent, and None is its default.
        arguments: Those of ``field(...)``.
        made: The property that they make.
    """

    annotation: Expression
    optional: bool
    arguments: dict[str, Any]
    made: dict[str, Any]


@frozen
class _Typed:
    """An annotation: its source, itself, and the keywords of the schema that it says."""

    source: Expression
    type: Any
    says: frozenset[str]


_ANY: Final = _Typed(Code("Any"), Any, frozenset())


def field_of(schema: Mapping[str, Any], *, required: bool) -> InputField:
    """A property of a JSON Schema as a field; where no annotation says it, of any type."""
    found = _field(schema, _typed(schema) or _ANY, required)
    if same(found.made, dict(schema)):
        return found
    return _field(schema, _ANY, required)


def _field(schema: Mapping[str, Any], typed: _Typed, required: bool) -> InputField:
    has_default = schema.get("default") is not None
    default = schema["default"] if has_default else attrs.NOTHING if required else None
    keywords: dict[str, Any] = {}
    left = {key: value for key, value in schema.items() if key not in typed.says}
    if has_default:
        del left["default"]
    if typed is not _ANY:
        for ours, theirs in KEYWORDS.items():
            listed = theirs in ("enum", "examples")
            if theirs in left and (not listed or isinstance(left[theirs], list)):
                keywords[ours] = left.pop(theirs)
    if left:
        keywords["schema"] = left
    made, optional = property_of(typed.type, keywords, default)
    given = {} if default is attrs.NOTHING else {"default": default}
    return InputField(typed.source, optional, {**given, **keywords}, made)


def _typed(schema: Mapping[str, Any]) -> _Typed | None:
    kind, format_, choices = schema.get("type"), schema.get("format"), schema.get("enum")
    if not isinstance(kind, str):
        return None
    if kind == "string" and isinstance(format_, str) and format_ in _FILES:
        name = _FILES[format_]
        return _Typed(Code(name), getattr(dsl, name), frozenset({"type", "format"}))
    if choices is not None and _are_choices(choices):
        source = Brackets("Literal", tuple(Code(_code(one)) for one in choices))
        return _Typed(source, _literal(choices), frozenset({"type", "enum"}))
    if kind in _PLAIN:
        return _Typed(Code(_PLAIN[kind]), getattr(builtins, _PLAIN[kind]), frozenset({"type"}))
    if kind == "object":
        return _Typed(Code("dict[str, Any]"), dict[str, Any], frozenset({"type"}))
    return _listed(schema) if kind == "array" else None


def _listed(schema: Mapping[str, Any]) -> _Typed:
    items = schema.get("items")
    inner = _typed(items) if isinstance(items, dict) else None
    if inner is None or items is None or not inner.says >= items.keys():
        return _Typed(Code("list[Any]"), list[Any], frozenset({"type"}))
    listed: Any = list
    says = frozenset({"type", "items"})
    return _Typed(Brackets("list", (inner.source,)), listed[inner.type], says)


def _are_choices(values: Any) -> bool:
    return (
        isinstance(values, list)
        and bool(values)
        and all(type(one) in (str, int, bool) for one in values)
        and len({(type(one), one) for one in values}) == len(values)
    )


def _literal(values: list[Any]) -> Any:
    from typing import Literal  # noqa: PLC0415  # as a value, not as a type

    literal: Any = Literal
    return literal[tuple(values)]


def _code(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else repr(value)


def same(left: Any, right: Any) -> bool:
    """Equal JSON of equal types: 1 is neither true nor 1.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)
