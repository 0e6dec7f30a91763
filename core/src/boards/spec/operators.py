"""Request bodies: plain JSON with templates, and the operators ``$map $when $each $concat $ratio``.

A body is read once into a small tree, and compiled once to closures. An absent value leaves out
its key or its list item; an emptied mapping stays.
"""

from collections.abc import Callable
from math import gcd
from typing import Any, Final

from attrs import field, frozen

from boards.spec.paths import ABSENT
from boards.spec.places import Mapping, Place, Problems, Sequence, did_you_mean
from boards.spec.predicates import (
    Predicate,
    compile_predicate,
    read_predicate,
    write_predicate,
)
from boards.spec.tokens import (
    NAME_WORDS,
    Render,
    RenderError,
    Scope,
    Template,
    Token,
    TokenError,
    compile_template,
    compile_token,
    escaped,
    parse_template,
    scalar_text,
)

__all__ = [
    "OPERATORS",
    "Body",
    "Concat",
    "Each",
    "Items",
    "Literal",
    "MapTo",
    "Members",
    "Ratio",
    "Secret",
    "When",
    "compile_body",
    "parts_of",
    "read_body",
    "read_template",
    "tokens_of",
    "write_body",
]


@frozen
class Literal:
    """A JSON scalar, or text without tokens."""

    value: Any


@frozen
class Members:
    """A mapping."""

    members: tuple[tuple[str, "Body"], ...]


@frozen
class Items:
    """A list."""

    items: tuple["Body", ...]


@frozen
class MapTo:
    """``{$map: token, to: {a: x}, else: z}``: keys are compared as text."""

    token: Token
    to: tuple[tuple[str, "Body"], ...]
    otherwise: "Body | None" = None
    place: Place | None = field(default=None, eq=False, repr=False)


@frozen
class When:
    """``{$when: predicate, then: v, else: w}``."""

    predicate: Predicate
    then: "Body"
    otherwise: "Body | None" = None


@frozen
class Each:
    """``{$each: token, do: v}``: ``item`` is the element."""

    token: Token
    do: "Body"
    place: Place | None = field(default=None, eq=False, repr=False)


@frozen
class Concat:
    """``{$concat: [...]}``: the parts' items, one list."""

    parts: tuple["Body", ...]


@frozen
class Ratio:
    """``{$ratio: [w, h]}``: 1344 and 768 are ``7:4``."""

    width: Token
    height: Token
    place: Place | None = field(default=None, eq=False, repr=False)


@frozen
class Secret:
    """``{$secret: api_key}``: a secret of the provider, in the frames that open a websocket."""

    name: str
    place: Place | None = field(default=None, eq=False, repr=False)


Body = Literal | Template | Members | Items | MapTo | When | Each | Concat | Ratio | Secret

OPERATORS: Final[dict[str, tuple[str, ...]]] = {
    "$map": ("to", "else"),
    "$when": ("then", "else"),
    "$each": ("do",),
    "$concat": (),
    "$ratio": (),
    "$secret": (),
}
"""The keys that may stand beside each operator."""


def compile_body(body: Body) -> Render:
    """A closure from a scope to the rendered JSON value, or :data:`ABSENT`."""
    match body:
        case Literal(value):
            return lambda _scope: value
        case Template():
            return compile_template(body)
        case Members(members):
            return _compile_members(members)
        case Items(items):
            parts = [compile_body(item) for item in items]
            return lambda scope: [value for part in parts if (value := part(scope)) is not ABSENT]
        case MapTo():
            return _compile_map(body)
        case When():
            return _compile_when(body)
        case Each():
            return _compile_each(body)
        case Concat(parts):
            return _compile_concat(tuple(compile_body(part) for part in parts))
        case Ratio():
            return _compile_ratio(body)
        case Secret(name):
            return lambda scope: scope["secrets"](name)


def _compile_members(members: tuple[tuple[str, Body], ...]) -> Render:
    compiled = [(key, compile_body(value)) for key, value in members]

    def render(scope: Scope) -> dict[str, Any]:
        return {key: value for key, part in compiled if (value := part(scope)) is not ABSENT}

    return render


def _compile_map(body: MapTo) -> Render:
    look_up = compile_token(body.token)
    to = {key: compile_body(value) for key, value in body.to}
    otherwise = compile_body(body.otherwise) if body.otherwise is not None else None

    def render(scope: Scope) -> Any:
        value = look_up(scope)
        if value is ABSENT:
            return ABSENT
        chosen = otherwise if value is None else to.get(scalar_text(body.token, value), otherwise)
        if chosen is None:
            raise RenderError(body.token, f"$map has no entry for {value!r}")
        return chosen(scope)

    return render


def _compile_when(body: When) -> Render:
    test = compile_predicate(body.predicate)
    then = compile_body(body.then)
    otherwise = compile_body(body.otherwise) if body.otherwise is not None else None

    def render(scope: Scope) -> Any:
        if test(scope, scope):
            return then(scope)
        return ABSENT if otherwise is None else otherwise(scope)

    return render


def _compile_each(body: Each) -> Render:
    look_up = compile_token(body.token)
    do = compile_body(body.do)

    def render(scope: Scope) -> Any:
        found = look_up(scope)
        if found is ABSENT:
            return ABSENT
        if not isinstance(found, list):
            raise RenderError(body.token, "$each goes over a list")
        rendered = (do({**scope, "item": item}) for item in found)
        return [value for value in rendered if value is not ABSENT]

    return render


def _compile_concat(parts: tuple[Render, ...]) -> Render:
    def render(scope: Scope) -> list[Any]:
        joined: list[Any] = []
        for part in parts:
            value = part(scope)
            if value is not ABSENT:
                joined.extend(value if isinstance(value, list) else [value])
        return joined

    return render


def _compile_ratio(body: Ratio) -> Render:
    sides = (compile_token(body.width), compile_token(body.height))

    def render(scope: Scope) -> Any:
        width, height = (side(scope) for side in sides)
        if width is ABSENT or height is ABSENT:
            return ABSENT
        if not (_positive(width) and _positive(height)):
            raise RenderError(body.width, f"$ratio takes two positive integers, not {width!r}")
        divisor = gcd(width, height)
        return f"{width // divisor}:{height // divisor}"

    return render


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def read_template(value: Any, place: Place, problems: Problems) -> Template | None:
    """Read a string with tokens; None where a mistake was noted."""
    if not isinstance(value, str):
        problems.error(place, "expected a text, perhaps with tokens such as ${input.prompt}")
        return None
    try:
        return parse_template(value, place)
    except TokenError as error:
        problems.error(place, str(error))
        return None


def read_body(value: Any, place: Place, problems: Problems) -> Body | None:
    """Read a body from a document; None where a mistake was noted."""
    if isinstance(value, str):
        template = read_template(value, place, problems)
        if template is None or template.tokens:
            return template
        return Literal("".join(str(part) for part in template.parts))
    if isinstance(value, Sequence):
        items = _read_items(value, problems)
        return None if items is None else Items(items)
    if isinstance(value, Mapping):
        return _read_mapping(value, place, problems)
    return Literal(value)


def _read_mapping(value: Mapping, place: Place, problems: Problems) -> Body | None:
    with_tokens = [key for key in value if "${" in key]
    for key in with_tokens:
        problems.error(value.key_places[key], f"expected {NAME_WORDS}, not {key!r}")
    named = [key for key in value if key.startswith("$") and key not in with_tokens]
    if named:
        return _read_operator(named[0], value, place, problems)
    members = _read_members(value, problems)
    return None if members is None or with_tokens else Members(members)


def _read_items(value: Sequence, problems: Problems) -> tuple[Body, ...] | None:
    read = [
        read_body(item, at, problems) for item, at in zip(value, value.item_places, strict=True)
    ]
    done = tuple(item for item in read if item is not None)
    return done if len(done) == len(read) else None


def _read_members(value: Mapping, problems: Problems) -> tuple[tuple[str, Body], ...] | None:
    read = [
        (key, read_body(item, value.value_places[key], problems)) for key, item in value.items()
    ]
    done = tuple((key, item) for key, item in read if item is not None)
    return done if len(done) == len(read) else None


def _read_operator(name: str, value: Mapping, place: Place, problems: Problems) -> Body | None:
    at = value.key_places[name]
    if name not in OPERATORS:
        problems.error(at, f"unknown operator {name!r}{did_you_mean(name, OPERATORS)}")
        return None
    allowed = (name, *OPERATORS[name])
    strange = [key for key in value if key not in allowed and "${" not in key]
    for key in strange:
        problems.error(
            value.key_places[key],
            f"{key!r} cannot stand beside {name}{did_you_mean(key, OPERATORS[name])}",
        )
    return None if strange else _OPERATOR_READERS[name](value, place, problems)


def _part(value: Mapping, key: str, place: Place, problems: Problems) -> Body | None:
    if key not in value:
        problems.error(place, f"missing {key!r}")
        return None
    return read_body(value[key], value.value_places[key], problems)


def _read_token(value: Any, place: Place, problems: Problems) -> Token | None:
    template = read_template(value, place, problems)
    if template is None:
        return None
    if template.only_token is None:
        problems.error(place, "expected exactly one token, such as ${input.size}")
    return template.only_token


def _read_map(value: Mapping, place: Place, problems: Problems) -> Body | None:
    token = _read_token(value["$map"], value.value_places["$map"], problems)
    to = value.get("to")
    if not isinstance(to, Mapping) or not to:
        problems.error(value.value_places.get("to", place), "$map needs 'to': a mapping of values")
        return None
    members = _read_members(to, problems)
    otherwise = _part(value, "else", place, problems) if "else" in value else None
    if token is None or members is None or ("else" in value and otherwise is None):
        return None
    return MapTo(token, members, otherwise, place)


def _read_when(value: Mapping, place: Place, problems: Problems) -> Body | None:
    predicate = read_predicate(value["$when"], value.value_places["$when"], problems)
    then = _part(value, "then", place, problems)
    otherwise = _part(value, "else", place, problems) if "else" in value else None
    if predicate is None or then is None or ("else" in value and otherwise is None):
        return None
    return When(predicate, then, otherwise)


def _read_each(value: Mapping, place: Place, problems: Problems) -> Body | None:
    token = _read_token(value["$each"], value.value_places["$each"], problems)
    do = _part(value, "do", place, problems)
    return None if token is None or do is None else Each(token, do, place)


def _read_concat(value: Mapping, _place: Place, problems: Problems) -> Body | None:
    parts, at = value["$concat"], value.value_places["$concat"]
    if not isinstance(parts, Sequence) or not parts:
        problems.error(at, "$concat takes a list of lists and operators")
        return None
    before = problems.count
    for part, part_at in zip(parts, parts.item_places, strict=True):
        is_operator = isinstance(part, Mapping) and any(key.startswith("$") for key in part)
        if not is_operator and not isinstance(part, Sequence):
            problems.error(part_at, "a part of $concat is a list or an operator")
    read = _read_items(parts, problems)
    return None if read is None or problems.count > before else Concat(read)


def _read_ratio(value: Mapping, place: Place, problems: Problems) -> Body | None:
    sides, at = value["$ratio"], value.value_places["$ratio"]
    if not isinstance(sides, Sequence) or len(sides) != 2:
        problems.error(at, "$ratio takes two tokens: [width, height]")
        return None
    tokens = [
        _read_token(side, side_at, problems)
        for side, side_at in zip(sides, sides.item_places, strict=True)
    ]
    width, height = tokens
    return None if width is None or height is None else Ratio(width, height, place)


def _read_secret(value: Mapping, place: Place, problems: Problems) -> Body | None:
    name = value["$secret"]
    if not isinstance(name, str) or not name:
        problems.error(value.value_places["$secret"], "$secret names a secret, such as api_key")
        return None
    return Secret(name, place)


_OPERATOR_READERS: Final[dict[str, Callable[[Mapping, Place, Problems], Body | None]]] = {
    "$map": _read_map,
    "$when": _read_when,
    "$each": _read_each,
    "$concat": _read_concat,
    "$ratio": _read_ratio,
    "$secret": _read_secret,
}


def parts_of(body: Body | None) -> tuple[Body, ...]:
    """The bodies that stand directly in a body, in order."""
    match body:
        case Members(members):
            return tuple(value for _, value in members)
        case Items(parts) | Concat(parts):
            return parts
        case MapTo(_, to, otherwise):
            return tuple(one for _, one in to) + (() if otherwise is None else (otherwise,))
        case When(_, then, otherwise):
            return (then,) if otherwise is None else (then, otherwise)
        case Each(_, do):
            return (do,)
        case _:
            return ()


def tokens_of(body: Body | None) -> tuple[Token, ...]:
    """The tokens of a body itself, without those of its parts and of its condition."""
    match body:
        case Template():
            return body.tokens
        case MapTo(token) | Each(token):
            return (token,)
        case Ratio(width, height):
            return (width, height)
        case _:
            return ()


def write_body(body: Body) -> Any:
    """A body as a document has it."""
    match body:
        case Literal(value):
            return escaped(value) if isinstance(value, str) else value
        case Template():
            return body.text
        case Members(members):
            return {key: write_body(value) for key, value in members}
        case Items(items):
            return [write_body(item) for item in items]
        case MapTo(token, to, otherwise):
            written = {"$map": token.text, "to": {key: write_body(value) for key, value in to}}
            return _with_else(written, otherwise)
        case When(predicate, then, otherwise):
            written = {"$when": write_predicate(predicate), "then": write_body(then)}
            return _with_else(written, otherwise)
        case Each(token, do):
            return {"$each": token.text, "do": write_body(do)}
        case Concat(parts):
            return {"$concat": [write_body(part) for part in parts]}
        case Ratio(width, height):
            return {"$ratio": [width.text, height.text]}
        case Secret(name):
            return {"$secret": name}


def _with_else(written: dict[str, Any], otherwise: Body | None) -> dict[str, Any]:
    return written if otherwise is None else {**written, "else": write_body(otherwise)}
