"""What is wrong with a value, by a provider's own schema: place, kind and reason of each.

Providers describe their inputs in OpenAPI 3.0 or in JSON Schema. Each emulator words the
problems as its provider does, from what is found here.
"""

from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs
from attrs import frozen

_KEPT: Final = 512


@frozen
class Problem:
    """One violation."""

    path: tuple[str | int, ...]
    """Where in the value: the field itself, also for a missing or an unexpected one."""
    kind: str
    """The JSON Schema keyword that is violated: ``required``, ``enum``, ``maximum`` ..."""
    message: str
    expected: Any
    """What that keyword asks for: the limit, the list of options, the list of types ..."""
    value: Any
    """What was there instead; None where something is missing."""


_validators: dict[int, tuple[Mapping[str, Any], jsonschema_rs.Draft202012Validator]] = {}


def problems(schema: Mapping[str, Any], value: object) -> list[Problem]:
    """Validate a value, and tell every problem at once.

    Compiled schemas are kept by identity: do not change a schema once it has been used.

    Args:
        schema: A JSON Schema, or one of OpenAPI 3.0 (``nullable`` and boolean exclusive
            limits are understood). A ``$ref`` is looked up in this same object.
        value: Anything JSON can express.

    Raises:
        ValueError: The schema itself is not valid.
    """
    key = id(schema)
    entry = _validators.get(key)
    if entry is None or entry[0] is not schema:
        if len(_validators) >= _KEPT:
            _validators.clear()
        entry = schema, jsonschema_rs.Draft202012Validator(json_schema(schema))
        _validators[key] = entry
    validator = entry[1]
    if validator.is_valid(value):
        return []
    return [problem for error in validator.iter_errors(value) for problem in _read(error)]


def json_schema(schema: Any) -> Any:
    """Rewrite what OpenAPI 3.0 says in its own way into JSON Schema 2020-12, at any depth."""
    if isinstance(schema, list):
        return [json_schema(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    rewritten = {key: json_schema(item) for key, item in schema.items()}
    for exclusive, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(rewritten.get(exclusive), bool):
            strict = rewritten.pop(exclusive)
            if strict and limit in rewritten:
                rewritten[exclusive] = rewritten.pop(limit)
    if rewritten.get("nullable") is True:
        return {"anyOf": [{"type": "null"}, rewritten]}
    return rewritten


def _read(error: jsonschema_rs.ValidationError) -> list[Problem]:
    path, kind, value = tuple(error.instance_path), error.kind, error.instance
    expected: Any = None
    match kind:
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            return [Problem((*path, name), kind.name, error.message, None, None)]
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
            instance = value if isinstance(value, dict) else {}
            return [
                Problem((*path, name), kind.name, error.message, None, instance.get(name))
                for name in names
            ]
        case jsonschema_rs.ValidationErrorKind.AnyOf(context=branches):
            # Of "null or this", what "this" finds wrong says more than "neither fits".
            told = [branch for branch in branches if not _wants_null(branch)]
            if len(told) == 1 and len(branches) == 2:
                return [problem for inner in told[0] for problem in _read(inner)]
        case jsonschema_rs.ValidationErrorKind.Enum(options=options):
            expected = options
        case jsonschema_rs.ValidationErrorKind.Type(types=types):
            expected = types
        case _:
            named = (getattr(kind, name, None) for name in ("limit", "pattern", "multiple_of"))
            expected = next((limit for limit in named if limit is not None), None)
    return [Problem(path, kind.name, error.message, expected, value)]


def _wants_null(branch: list[jsonschema_rs.ValidationError]) -> bool:
    return len(branch) == 1 and getattr(branch[0].kind, "types", None) == ["null"]
