"""Schemas of OpenAPI 3.0, 3.1 and older habits, as plain JSON Schema 2020-12 that stands alone.

References are put in place, ``nullable`` becomes a type, ``allOf`` of one thing that thing. What
means the same to a validator is kept as written. What no validator could use (a word that is no
type, a pattern that does not compile) is left out and noted.
"""

import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import jsonschema_rs

from boards.spec.inputs import FILE_FORMATS

__all__ = ["HINTS", "Notes", "Schemas", "accepts", "bare", "is_usable", "types_of"]

_DEPTHS: Final = (24, 10, 8, 6, 5, 4, 3)
"""How deep a schema is taken: as deep as it has no more than so many nodes."""
_MAX_NODES: Final = 2_000
_MAX_DIGITS: Final = 300  # of a number, as YAML here reads it

HINTS: Final = frozenset(
    {
        "title",
        "examples",
        "readOnly",
        "writeOnly",
        "contentEncoding",
        "contentMediaType",
        "ui",
        "x-cog-accept",
        "x-cog-secret",
        "x-cog-array-type",
        "x-cog-array-display",
        "x-order",
    }
)
"""Keywords that say how a value is meant, not which it may be: kept for the importers alone."""

_TYPES: Final = ("string", "integer", "number", "boolean", "array", "object", "null")
_MEANT: Final = {
    "str": "string",
    "text": "string",
    "file": "string",
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
_ANNOTATIONS: Final = frozenset({"description", "default", "deprecated", "format"}) | HINTS
_SILENT: Final = frozenset(
    {
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "definitions",
        "discriminator",  # `oneOf` beside it says which values are allowed
        "example",
        "externalDocs",
        "id",
        "xml",
    }
)


class Notes:
    """Sentences about what could not be told, each kept once, in order."""

    def __init__(self) -> None:
        self._kept: dict[str, None] = {}

    def add(self, where: str, text: str) -> None:
        """Keep a sentence; ``where`` is the name of an input, or empty."""
        self._kept[f"{where}: {text}" if where else text] = None

    def extend(self, others: "Notes") -> None:
        """Keep the sentences of others, too."""
        self._kept.update(others._kept)

    def kept(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._kept)


def types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that a plain schema names, without ``null``; empty where it names none."""
    named = schema.get("type", ())
    return frozenset([named] if isinstance(named, str) else named) - {"null"}


def accepts(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether a value fits a plain schema."""
    try:
        return jsonschema_rs.Draft202012Validator(dict(schema)).is_valid(value)
    except (jsonschema_rs.ValidationError, ValueError):
        return False


def is_usable(schema: Mapping[str, Any]) -> str | None:
    """Why a validator cannot use a schema; None if it can."""
    try:
        jsonschema_rs.Draft202012Validator(dict(schema))
    except (jsonschema_rs.ValidationError, ValueError) as error:
        return " ".join(str(getattr(error, "message", error)).split())[:160]
    return None


def bare(schema: Any) -> Any:
    """A plain schema without hints, as a generator has it."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    stripped = {}
    for key, value in schema.items():
        if key in HINTS:
            continue
        if key in ("properties", "patternProperties", "dependentSchemas"):
            stripped[key] = {name: bare(one) for name, one in value.items()}
        elif key in ("default", "enum", "const", "required", "dependentRequired"):
            stripped[key] = value
        else:
            stripped[key] = bare(value)
    return {key: stripped[key] for key in sorted(stripped, key=_rank)}


_FIRST: Final = ("type", "format", "enum", "const", "required", "properties", "items")
_LATE: Final = ("default", "deprecated", "description")


def _rank(keyword: str) -> int:
    """Where people look for a keyword; the others keep their order between."""
    if keyword in _FIRST:
        return _FIRST.index(keyword) - len(_FIRST)
    return _LATE.index(keyword) + 1 if keyword in _LATE else 0


class _TooLargeError(Exception):
    """A schema has too many nodes at this depth."""


class Schemas:
    """The schemas of one document.

    Args:
        document: Where references lead.
        notes: Where is kept what had to be left out.
    """

    def __init__(self, document: Mapping[str, Any], notes: Notes) -> None:
        self._document = document
        self._notes = self._kept = notes
        self._nodes = 0
        self._depth = _DEPTHS[0]

    def plain(self, schema: Any, where: str) -> dict[str, Any]:
        """A schema by itself, with its hints.

        Args:
            schema: Of the document.
            where: Names it in notes.
        """
        for self._depth in _DEPTHS:
            self._nodes, self._notes = 0, Notes()  # of this try
            try:
                plain = self._plain(schema, where, (), 0)
            except _TooLargeError:
                continue
            self._kept.extend(self._notes)
            return plain
        self._kept.add(where, "its schema is too large; any value is accepted")
        return {}

    def target(self, reference: Any) -> Any:
        """What a local reference leads to; None where it leads nowhere."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        found: Any = self._document
        for step in unquote(reference[1:]).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                return None
        return found

    def _plain(self, schema: Any, where: str, trail: tuple[str, ...], depth: int) -> dict[str, Any]:
        if schema is True:
            return {}
        if schema is False:
            return {"not": {}}
        if not isinstance(schema, Mapping):
            self._notes.add(where, "its schema is no mapping; any value is accepted")
            return {}
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise _TooLargeError
        if depth > self._depth:
            outermost = where.partition(".")[0]
            self._notes.add(outermost, "its schema is too large; its depth accepts any value")
            return {}
        own = self._own(schema, where, trail, depth)
        parts = []
        if "$ref" in schema:
            parts.append(self._referred(schema["$ref"], where, trail, depth))
        listed = schema.get("allOf")
        if isinstance(listed, list):
            parts += [self._plain(one, where, trail, depth + 1) for one in listed]
        whole = _together(parts, own)
        return _nullable(whole) if schema.get("nullable") is True else whole

    def _referred(
        self, reference: Any, where: str, trail: tuple[str, ...], depth: int
    ) -> dict[str, Any]:
        target = self.target(reference)
        if not isinstance(target, Mapping | bool):
            self._notes.add(
                where, f"refers to {reference!r}, which the document lacks; any value is accepted"
            )
            return {}
        if reference in trail:
            self._notes.add(
                where,
                f"its schema contains itself ({reference.rpartition('/')[2]}); "
                "any value is accepted where it does",
            )
            kept = target.get("type") if isinstance(target, Mapping) else None
            return {"type": kept} if isinstance(kept, str) and kept in _TYPES else {}
        return self._plain(target, where, (*trail, reference), depth + 1)

    def _own(
        self, schema: Mapping[str, Any], where: str, trail: tuple[str, ...], depth: int
    ) -> dict[str, Any]:
        """The keywords that stand in the schema itself."""

        def inner(value: Any, at: str = where) -> dict[str, Any]:
            return self._plain(value, at, trail, depth + 1)

        kept: dict[str, Any] = {}
        for key, value in schema.items():
            if key in ("$ref", "allOf", "nullable", *_SILENT):
                continue
            if key in _SIMPLE:
                read = _SIMPLE[key](value)
                if read is not None:
                    kept[key] = read
                elif not (key in _BOUNDS and isinstance(value, bool)):
                    self._notes.add(where, f"{key}: {_shown(value)} cannot be; left out")
            elif key in ("not", "contains", "propertyNames", "if", "then", "else"):
                kept[key] = inner(value)
            elif key in ("additionalProperties", "unevaluatedProperties", "unevaluatedItems"):
                kept[key] = value if isinstance(value, bool) else inner(value)
            elif key in ("anyOf", "oneOf", "prefixItems") or (
                key == "items" and isinstance(value, list)
            ):
                if isinstance(value, list) and value:
                    kept["prefixItems" if key == "items" else key] = [inner(one) for one in value]
                else:
                    self._notes.add(where, f"{key}: {_shown(value)} cannot be; left out")
            elif key == "items":
                kept[key] = inner(value)
            elif key in ("properties", "patternProperties", "dependentSchemas"):
                if isinstance(value, Mapping):
                    kept[key] = {
                        str(name): inner(one, f"{where}.{name}" if where else str(name))
                        for name, one in value.items()
                    }
            elif key == "type":
                self._type(value, kept, where)
            elif key == "required":
                if isinstance(value, list):
                    kept[key] = list(dict.fromkeys(one for one in value if isinstance(one, str)))
            elif key == "default":
                if value is not None:  # null is what an absent value is
                    kept[key] = value
            elif key == "const":
                kept.update({"const": value} if value is not None else {"enum": [None]})
            elif key in HINTS:
                kept[key] = value
            elif not key.startswith("x-"):
                self._notes.add(where, f"{key!r} is no keyword of JSON Schema; left out")
        self._tidy(schema, kept, where)
        return _alternatives(kept)

    def _type(self, value: Any, kept: dict[str, Any], where: str) -> None:
        named = value if isinstance(value, list) else [value]
        known = list(dict.fromkeys(_MEANT.get(one, one) for one in named if isinstance(one, str)))
        strange = [one for one in known if one not in _TYPES]
        if strange or not known:
            self._notes.add(where, f"type: {_shown(value)} is no type; any value is accepted")
            return
        if value == "file":
            kept["format"] = "binary"
        kept["type"] = known[0] if len(known) == 1 else known

    def _tidy(self, schema: Mapping[str, Any], kept: dict[str, Any], where: str) -> None:
        """What several keywords mean together."""
        for exclusive, bound in (
            ("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")
        ):  # fmt: skip
            if schema.get(exclusive) is True and bound in kept:  # OpenAPI 3.0
                kept[exclusive] = kept.pop(bound)
        if "example" in schema and not isinstance(kept.get("examples"), list):
            kept["examples"] = [schema["example"]]
        if isinstance(kept.get("examples"), Mapping):  # as in a parameter
            named = kept["examples"].values()
            kept["examples"] = [one.get("value") for one in named if isinstance(one, Mapping)]
        if kept.get("format") in FILE_FORMATS:  # these mean a file here
            del kept["format"]
        names = [
            name
            for name, one in (schema.get("properties") or {}).items()
            if isinstance(one, Mapping) and one.get("required") is True
        ] if isinstance(schema.get("properties"), Mapping) else []  # fmt: skip
        if names:
            kept["required"] = list(dict.fromkeys([*kept.get("required", ()), *names]))
        if "properties" in kept and "type" not in kept and "$ref" not in schema:
            kept["type"] = "object"
        if "enum" in kept and "type" in kept:
            fitting = {"type": kept["type"]}
            if not any(accepts(fitting, one) for one in kept["enum"]):
                self._notes.add(
                    where, f"no value of its enum is of type {_shown(kept['type'])}: left out"
                )
                del kept["type"]


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if abs(value) < 10**_MAX_DIGITS else None


def _step(value: Any) -> int | float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _count(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def _text(value: Any) -> str | None:
    return inspect.cleandoc(value).strip() if isinstance(value, str) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _pattern(value: Any) -> str | None:
    return value if isinstance(value, str) and _compiles(value) else None


@lru_cache(256)
def _compiles(pattern: str) -> bool:
    """Whether the validator knows it; some patterns cost it long to find out, and come often."""
    return is_usable({"pattern": pattern}) is None


def _enum(value: Any) -> list[Any] | None:
    if not isinstance(value, list) or not value:
        return None
    return list({json.dumps(one, sort_keys=True): one for one in value}.values())


def _names(value: Any) -> dict[str, list[str]] | None:
    return (
        value
        if isinstance(value, dict) and is_usable({"dependentRequired": value}) is None
        else None
    )


_BOUNDS: Final = ("exclusiveMinimum", "exclusiveMaximum")
_SIMPLE: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("minimum", "maximum", *_BOUNDS), _number),
    "multipleOf": _step,
    **dict.fromkeys(
        (
            "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
            "minContains", "maxContains",
        ),
        _count,
    ),
    "pattern": _pattern,
    "uniqueItems": _flag,
    "deprecated": _flag,
    "enum": _enum,
    "format": _text,
    "description": _text,
    "dependentRequired": _names,
}  # fmt: skip


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or null."""
    constraints = schema.keys() - _ANNOTATIONS
    if not constraints or accepts(schema, None):
        return schema
    if "type" in schema and not constraints & {"const", "not", "anyOf", "oneOf", "allOf", "if"}:
        named = schema["type"]
        listed = [named] if isinstance(named, str) else list(named)
        widened = {**schema, "type": [*listed, *([] if "null" in listed else ["null"])]}
        if "enum" in schema and None not in schema["enum"]:
            widened["enum"] = [*schema["enum"], None]
        return widened
    if constraints == {"enum"}:
        return {**schema, "enum": [*schema["enum"], None]}
    if constraints == {"anyOf"}:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    outside = {key: value for key, value in schema.items() if key in _ANNOTATIONS}
    inside = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
    return {**outside, "anyOf": [inside, {"type": "null"}]}


def _alternatives(schema: dict[str, Any]) -> dict[str, Any]:
    """``anyOf`` and ``oneOf`` in their simplest form that means the same."""
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key)
        if branches is None:
            continue
        rest = {name: value for name, value in schema.items() if name != key}
        null = [one for one in branches if one.get("type") == "null"]
        others = [one for one in branches if one.get("type") != "null"]
        null_twice = len(null) > 1 or (null and any(accepts(one, None) for one in others))
        if not others or (key == "oneOf" and null_twice):
            continue
        one = others[0] if len(others) == 1 else _one_enum(others, exclusive=key == "oneOf")
        if one is None:
            continue
        joined = _merged(_nullable(one) if null else one, rest)
        if joined is not None:
            schema = joined
    return schema


def _one_enum(branches: list[dict[str, Any]], *, exclusive: bool) -> dict[str, Any] | None:
    """Alternatives that are all constants, as one enum."""
    values: list[Any] = []
    types = []
    for branch in branches:
        constraints = branch.keys() - _ANNOTATIONS
        if not constraints <= {"type", "enum", "const"} or not constraints & {"enum", "const"}:
            return None
        listed = branch["enum"] if "enum" in branch else [branch["const"]]
        values += [one for one in listed if accepts(bare(branch), one)]
        types.append(branch.get("type"))
    distinct = _enum(values)
    if distinct is None or (exclusive and len(distinct) < len(values)):
        return None
    if types[0] is not None and all(one == types[0] for one in types):
        return {"type": types[0], "enum": distinct}
    return {"enum": distinct}


def _together(parts: Iterable[dict[str, Any]], own: dict[str, Any]) -> dict[str, Any]:
    """All of these at once: one flat schema where that says the same, else ``allOf``."""
    parts = list(parts)
    if not parts:
        return own
    whole: dict[str, Any] | None = parts[0]
    for part in [*parts[1:], own]:
        whole = None if whole is None else _merged(whole, part)
    if whole is not None:
        return whole
    return {**own, "allOf": [*parts, *own.get("allOf", ())]}


_CLOSING: Final = frozenset({"additionalProperties", "unevaluatedProperties", "patternProperties"})
"""Keywords that look at the names that stand beside them."""
_NAMING: Final = _CLOSING | {"properties"}

_STRICTER: Final[dict[str, Callable[[Any, Any], Any]]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}


def _merged(inner: dict[str, Any], outer: dict[str, Any]) -> dict[str, Any] | None:
    """Both at once; the outer's words win. None where one flat schema cannot say it."""
    if any(
        _CLOSING & one.keys() and _NAMING & other.keys()
        for one, other in ((inner, outer), (outer, inner))
    ):
        return None
    merged = dict(inner)
    for key, value in outer.items():
        if key not in merged or key in _ANNOTATIONS or merged[key] == value:
            if not (key == "description" and merged.get(key) and not value):
                merged[key] = value
        elif key in _STRICTER:
            merged[key] = _STRICTER[key](merged[key], value)
        elif key == "required":
            merged[key] = list(dict.fromkeys([*merged[key], *value]))
        elif key == "properties":
            both = dict(merged[key])
            for name, one in value.items():
                both[name] = _together([both[name]], one) if name in both else one
            merged[key] = both
        elif key == "enum":
            common = [one for one in merged[key] if one in value]
            if not common:
                return None
            merged[key] = common
        elif key == "type":
            common = _common_types(merged[key], value)
            if common is None:
                return None
            merged[key] = common
        else:
            return None
    return merged


def _common_types(first: Any, second: Any) -> Any:
    one = {first} if isinstance(first, str) else set(first)
    other = {second} if isinstance(second, str) else set(second)
    common = one & other
    if ("number" in one and "integer" in other) or ("integer" in one and "number" in other):
        common.add("integer")  # each integer is a number
    if {"integer", "number"} <= common:
        common.remove("integer")
    if not common:
        return None
    named = [name for name in _TYPES if name in common]
    return named[0] if len(named) == 1 else named
