"""Schemas of texts with tokens, paths, predicates and bodies."""

from typing import Final

from boards.spec.operators import OPERATORS
from boards.spec.predicates import PREDICATES
from boards.spec.schema.values import Json, closed, exactly, matching, reference
from boards.spec.tokens import FILTERS, NAME_PATTERN, ROOTS

__all__ = ["BODY", "PATH", "PREDICATE", "TEXT", "body_definitions"]

_TOKEN_PATTERN: Final = (
    rf"\$\{{(?:{'|'.join(ROOTS)})(?:\.[A-Za-z0-9_-]+)*\??(?:\|(?:{'|'.join(FILTERS)}))*\}}"
)
_TEXT_PATTERN: Final = rf"^(?![\s\S]*\{{\{{)(?:[^$]|\$(?!\$?\{{)|\$\$\{{|{_TOKEN_PATTERN})*$"
"""A text whose tokens are whole: ``$`` begins a token, an escape, or nothing."""

_STEP: Final = r"[A-Za-z0-9_@$:-]+"
_PATH_PATTERN: Final = rf"^{_STEP}(?:\.{_STEP}|\[[0-9]{{1,9}}\]|\[\*\])*$"

TEXT: Final = reference("Text")
PATH: Final = reference("Path")
PREDICATE: Final = reference("Predicate")
BODY: Final = reference("Body")
_TOKEN: Final = reference("Token")


def body_definitions() -> Json:
    """What :data:`TEXT`, :data:`PATH`, :data:`PREDICATE` and :data:`BODY` refer to."""
    return {
        "Text": {
            "description": "a text, with tokens such as ${input.prompt}",
            **matching(_TEXT_PATTERN, "tokens such as ${input.prompt} or ${input.image?|file}"),
            "type": ["string", "number"],
        },
        "Token": matching(f"^{_TOKEN_PATTERN}$", "one token, such as ${input.size}"),
        "Path": {
            "description": "a path into a reply",
            **matching(_PATH_PATTERN, "a path such as body.images[*].url"),
        },
        "Predicate": _predicate(),
        "Body": _body(),
        **{name: _operator(name) for name in OPERATORS},
    }


def _predicate() -> Json:
    operand = {"anyOf": [TEXT, {"type": ["boolean", "null"]}]}
    status = {"type": "integer", "minimum": 100, "maximum": 599}
    compared = {"items": [PATH, operand], **exactly(2)}
    among = {"type": "array", "items": operand, "minItems": 1}
    forms: Json = {
        "exists": PATH,
        "eq": compared,
        "in": {"items": [PATH, among], **exactly(2)},
        "contains": compared,
        "prefix": compared,
        "status": {"anyOf": [status, {"type": "array", "items": status, "minItems": 1}]},
        "not": PREDICATE,
    }
    schema = closed({name: forms[name] for name in PREDICATES})
    return {"description": "several keys mean and", "minProperties": 1, **schema}


def _body() -> Json:
    mapping: Json = {
        "type": "object",
        "patternProperties": {rf"^(?!\$){NAME_PATTERN}$": BODY},
        "additionalProperties": False,
    }
    for name in reversed(OPERATORS):
        mapping = {
            "if": {"type": "object", "required": [name]},
            "then": reference(name),
            "else": mapping,
        }
    return {
        "description": "JSON with tokens and operators",
        "allOf": [
            {"if": {"type": "string"}, "then": TEXT},
            {"if": {"type": "array"}, "then": {"items": BODY}},
            {"if": {"type": "object"}, "then": mapping},
        ],
        # For completion: operators are offered where a mapping may stand.
        "properties": {name: {} for name in OPERATORS},
    }


_BESIDE: Final = sorted({key for name, beside in OPERATORS.items() for key in (name, *beside)})


def _operator(name: str) -> Json:
    operator = {"type": "object", "minProperties": 1, "propertyNames": {"enum": _BESIDE}}
    part = {"allOf": [BODY, {"anyOf": [{"type": "array"}, operator]}]}
    forms: Json = {
        "$map": _TOKEN,
        "to": {"type": "object", "minProperties": 1, "additionalProperties": BODY},
        "$when": PREDICATE,
        "$each": _TOKEN,
        "$concat": {"type": "array", "minItems": 1, "items": part},
        "$ratio": {"items": _TOKEN, **exactly(2)},
        "$secret": {"type": "string", "minLength": 1},
    }
    keys = (name, *OPERATORS[name])
    required = [key for key in keys if key != "else"]
    return closed({key: forms.get(key, BODY) for key in keys}, required)
