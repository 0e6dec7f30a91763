"""Documents of the language, drawn from its own table: a new key is covered by itself.

What is drawn reads without a mistake; whether it makes sense is the checker's concern.
"""

from typing import Any

import attrs
from hypothesis import strategies as st

from boards.spec.grammar import (
    AnyOf,
    BodyKind,
    Choice,
    DurationKind,
    Fields,
    FlagKind,
    JsonKind,
    Listed,
    Mapped,
    NumberKind,
    PathKind,
    PredicateKind,
    RateKind,
    Shape,
    SizeKind,
    TemplateKind,
    TextKind,
    WholeKind,
    keys_of,
)
from boards.spec.model import SchemaKind, Submit, SubmitKind
from boards.spec.tokens import FILTERS, NAME_PATTERN, ROOTS, escaped

__all__ = ["LOOK_ALIKES", "documents", "json_values", "texts", "values"]

LOOK_ALIKES = (
    "42", "1_000", "[1, 2]", "None", "${x}", "{x}", "16:9", "no", "true", "null", "~", "1e3",
    "0x10", "012", "$", "$$", "$$${", "${input.a}", "{body.x}", '"""', "\\", "2024-11-06", "",
)  # fmt: skip
"""Texts that look like something else."""

_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\ufdd0\ufdd1")


def texts() -> st.SearchStrategy[str]:
    """Texts, and texts that look like something else."""
    plain = st.text(_CHARACTERS, max_size=8) | st.sampled_from(LOOK_ALIKES)
    return plain.filter(lambda text: "{{" not in text)


def json_values() -> st.SearchStrategy[Any]:
    """JSON of any kind."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(10**18), 10**18)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts()
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
        max_leaves=6,
    )


_INPUT_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,6}", fullmatch=True)
_STEPS = (
    _INPUT_NAMES
    | st.sampled_from(["url", "file", "optional", "every", "class", "0", "007", "status", "body"])
)  # fmt: skip
# A let before its definition is no mistake of the reader's.
_TOKENS = st.builds(
    lambda root, steps, optional, filters: (
        f"${{{'.'.join([root, *steps])}{'?' if optional else ''}"
        f"{''.join(f'|{one}' for one in filters)}}}"
    ),
    st.sampled_from(ROOTS),
    st.lists(_STEPS, max_size=2),
    st.booleans(),
    st.lists(st.sampled_from(FILTERS), max_size=2),
)
_PATH_STEPS = _STEPS.map(".{}".format) | st.sampled_from(["[*]", "[0]", "[12]", "[007]"])
PATHS = st.builds(
    lambda first, steps: first + "".join(steps),
    st.sampled_from(["body", "header", "status", "input", "let", "run", "job"])
    | st.sampled_from(["id", "a-b", "@type", "$x", "0"]),
    st.lists(_PATH_STEPS, max_size=3),
)


def _templates() -> st.SearchStrategy[str]:
    pieces = texts().map(escaped) | _TOKENS
    return (
        st.lists(pieces, max_size=3)
        .map("".join)
        # Where two pieces make a token, or half of one, neither was meant.
        .filter(lambda text: "{{" not in text and text.count("${") <= 3)
        .filter(_reads)
    )


def _reads(text: str) -> bool:
    from boards.spec.tokens import TokenError, parse_template

    try:
        parse_template(text)
    except TokenError:
        return False
    return True


def _predicates() -> st.SearchStrategy[dict[str, Any]]:
    operand = st.none() | st.booleans() | st.integers(-9, 9) | _templates()
    comparison = st.tuples(PATHS, operand).map(list)

    def conditions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
        known = {
            "exists": PATHS,
            "eq": comparison,
            "in": st.tuples(PATHS, st.lists(operand, min_size=1, max_size=3)).map(list),
            "contains": comparison,
            "prefix": comparison,
            "status": st.integers(100, 599)
            | st.lists(st.integers(100, 599), min_size=2, max_size=3),
            "not": inner,
        }
        return _some_of({}, known, least=1)

    return st.recursive(
        PATHS.map(lambda path: {"exists": path}), conditions, max_leaves=3
    )  # fmt: skip


def _bodies() -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | st.integers(-9, 9) | _templates()
    token = _TOKENS

    def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        keys = texts().filter(lambda key: not key.startswith("$") and "${" not in key)
        otherwise = {"else": inner}
        operators = [
            _some_of({"$map": token, "to": st.dictionaries(texts(), inner, min_size=1, max_size=2)
                      }, otherwise),
            _some_of({"$when": _predicates(), "then": inner}, otherwise),
            st.fixed_dictionaries({"$each": token, "do": inner}),
            st.fixed_dictionaries(
                {"$concat": st.lists(st.lists(inner, max_size=2), min_size=1, max_size=2)}
            ),
            st.fixed_dictionaries({"$ratio": st.tuples(token, token).map(list)}),
        ]  # fmt: skip
        return (
            st.lists(inner, max_size=2)
            | st.dictionaries(keys, inner, max_size=2)
            | st.one_of(operators)
        )

    return st.recursive(scalars, larger, max_leaves=4)


@st.composite
def _some_of(
    draw: st.DrawFn,
    required: dict[str, st.SearchStrategy[Any]],
    optional: dict[str, st.SearchStrategy[Any]],
    least: int = 0,
) -> dict[str, Any]:
    """What is required, and a few of the rest."""
    chosen = draw(
        st.lists(st.sampled_from(sorted(optional)), unique=True, min_size=least, max_size=3)
        if optional
        else st.just([])
    )
    return {name: draw(one) for name, one in required.items()} | {
        name: draw(optional[name]) for name in chosen
    }


def documents(model: type) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of a model class."""

    def drawn() -> st.SearchStrategy[dict[str, Any]]:
        keys = keys_of(model)
        required = {
            name: values(one.metadata["kind"])
            for name, one in keys.items()
            if one.default is attrs.NOTHING
        }
        optional = {
            name: values(one.metadata["kind"]) for name, one in keys.items() if name not in required
        }
        return _some_of(required, optional)

    return st.deferred(drawn)


_WHOLE = st.integers(1, 999)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a kind, as a document has them."""
    match kind:
        case SubmitKind():
            one = documents(Submit)
            return one | st.lists(one, min_size=2, max_size=2).map(lambda two: {"variants": two})
        case SchemaKind():
            return _schemas()
        case Fields(kinds=kinds):
            return _some_of({}, {name: values(one) for name, one in kinds.items()})
        case TextKind(pattern=None):
            return texts()
        case TextKind(pattern=pattern) if pattern == NAME_PATTERN:
            return texts().filter(lambda text: "${" not in text)
        case TextKind(pattern=pattern):
            return st.from_regex(pattern, fullmatch=True)
        case FlagKind():
            return st.booleans()
        case WholeKind(minimum=minimum):
            return st.integers(minimum, 10**9)
        case NumberKind(minimum=minimum):
            return st.integers(int(minimum), 999) | st.floats(minimum, 999)
        case DurationKind():
            return st.builds("{}{}".format, _WHOLE, st.sampled_from(["ms", "s", "m", "h"]))
        case SizeKind():
            return st.builds("{}{}".format, _WHOLE, st.sampled_from(["KB", "MB", "GB"]))
        case RateKind():
            return st.builds("{}/{}s".format, _WHOLE, _WHOLE)
        case Choice(words=words):
            return st.sampled_from(words)
        case JsonKind(mapping=True):
            return st.dictionaries(texts(), json_values(), max_size=3)
        case JsonKind():
            return json_values()
        case TemplateKind():
            return _templates()
        case BodyKind():
            return _bodies()
        case PredicateKind():
            return _predicates()
        case PathKind():
            return PATHS
        case Mapped(kind=inner, keys=keys):
            return st.dictionaries(values(keys), values(inner), max_size=2)
        case Listed(kind=inner):
            return st.lists(values(inner), max_size=2)
        case AnyOf(kind=inner):
            return values(inner) | st.lists(values(inner), min_size=2, max_size=3)
        case Shape(model=model):
            return documents(model)
    raise NotImplementedError(f"nothing draws values of {kind}: add them here")


@st.composite
def _schemas(draw: st.DrawFn) -> dict[str, Any]:
    """Input schemas; most are what people write, some are no schemas at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.dictionaries(texts(), json_values(), max_size=3))
    names = st.sampled_from(["prompt", "status", "class", "input", "self", "model", "Any"])
    properties = draw(st.dictionaries(names | _INPUT_NAMES | texts(), _properties(), max_size=4))
    required = draw(st.lists(st.sampled_from([*properties, "other"]), unique=True, max_size=3))
    more = draw(
        st.sampled_from([{}, {"additionalProperties": True}, {"dependentRequired": {"a": ["b"]}}])
    )
    schema = {"type": "object", "properties": properties, "required": required, **more}
    if draw(st.integers(0, 9)) == 0:
        del schema[draw(st.sampled_from(sorted(schema)))]
    return schema


def _properties() -> st.SearchStrategy[dict[str, Any]]:
    about = {
        "description": texts(),
        "title": texts(),
        "default": json_values(),
        "x-other": json_values(),
        "examples": json_values(),
    }
    numbers = {name: st.integers(0, 9) for name in ("minimum", "exclusiveMaximum", "multipleOf")}
    lengths = {name: st.integers(0, 9) for name in ("minLength", "maxLength")}
    listed = st.lists(texts() | st.integers(0, 3) | st.booleans(), max_size=3)
    scalar = (
        _some_of({"type": st.just("string")}, {**about, **lengths, "pattern": texts()})
        | _some_of({"type": st.sampled_from(["integer", "number"])}, {**about, **numbers})
        | _some_of({"type": st.just("boolean")}, about)
        | _some_of({"type": st.just("string"), "format": st.sampled_from(
            ["image", "audio", "video", "model", "file", "uri"])}, about)
        | _some_of({"type": st.sampled_from(["string", "integer"]), "enum": listed}, about)
        | _some_of({"enum": listed}, about)
        | _some_of({"type": st.sampled_from(["object", ["string", "null"]])}, about)
    )  # fmt: skip
    return scalar | _some_of(
        {"type": st.just("array")}, {**about, "items": scalar, "maxItems": st.integers(0, 9)}
    )
