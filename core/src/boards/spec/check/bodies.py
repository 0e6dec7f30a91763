"""Bodies and predicates: operators that cover their values, conditions that can hold."""

from collections.abc import Iterator
from typing import Any

from boards.spec.check.context import RESPONSE, Context
from boards.spec.check.references import check_paths, check_template, check_token
from boards.spec.grammar import shown
from boards.spec.operators import (
    Body,
    Concat,
    Each,
    Items,
    Literal,
    MapTo,
    Members,
    Ratio,
    Secret,
    When,
    parts_of,
    tokens_of,
)
from boards.spec.places import NOWHERE, did_you_mean
from boards.spec.predicates import Condition, Predicate, same
from boards.spec.tokens import Template, Token

__all__ = [
    "check_body",
    "check_reply_predicate",
    "check_request_predicate",
    "may_be_absent",
    "tokens_in",
]


def check_body(body: Body | None, context: Context) -> None:
    """Note what is wrong with a JSON body."""
    match body:
        case Template():
            check_template(body, context)
        case Members(members):
            for _, value in members:
                check_body(value, context)
        case Items(parts) | Concat(parts):
            for part in parts:
                check_body(part, context)
        case MapTo():
            _check_map(body, context)
        case When(predicate, then, otherwise):
            check_request_predicate(predicate, context)
            check_body(then, context.guard(predicate))
            check_body(otherwise, context)
        case Each():
            _check_each(body, context)
        case Ratio(width, height, place):
            for token in (width, height):
                check_token(token, (place or NOWHERE).find(token.text), context)
        case Secret():
            _check_secret(body, context)
        case Literal() | None:
            pass


def may_be_absent(body: Body | None, context: Context) -> bool:
    """Whether a body may come to nothing, so that its key is left out."""
    match body:
        case Template() | Ratio() | Each():
            return any(_may_lack(token, context) for token in tokens_of(body))
        case MapTo():
            return _may_lack(body.token, context) or any(
                may_be_absent(one, context) for one in parts_of(body)
            )
        case When(predicate, then, otherwise):
            return (
                otherwise is None
                or may_be_absent(then, context.guard(predicate))
                or may_be_absent(otherwise, context)
            )
        case _:
            return False


def _may_lack(token: Token, context: Context) -> bool:
    """Whether a token with ``?`` may have no value: that it has one is checked of all others."""
    if not token.optional:
        return False
    if token.root == "let":
        return token.name in context.absent or len(token.steps) > 1
    if token.root != "input" or len(token.steps) > 1 or not context.is_certain(token.name):
        return True
    named = context.schema_of("input", token.name).get("type")
    return not isinstance(named, str) or named == "null"


def _check_map(body: MapTo, context: Context) -> None:
    place = (body.place or NOWHERE).at("$map")
    check_token(body.token, place.find(body.token.text), context)
    for _, value in body.to:
        check_body(value, context)
    if body.otherwise is not None:
        check_body(body.otherwise, context)
        return
    allowed = _allowed(context.schema_of(body.token.root, body.token.name))
    if allowed is None:
        if body.token.root == "input" and context.schema is not None:
            context.problems.error(place, f"{body.token.text} has no enum: $map needs an else")
        return
    entries = {name for name, _ in body.to}
    lacking = [
        one
        for one in allowed
        if (not body.token.optional if one is None else _text(one) not in entries)
    ]
    if lacking:
        names = ", ".join("null" if one is None else repr(one) for one in lacking)
        context.problems.error(place, f"$map lacks {names} of {body.token.text}, and has no else")


def _allowed(schema: dict[str, Any]) -> list[Any] | None:
    """The values that an input can have, where they are few."""
    enum = schema.get("enum")
    if isinstance(enum, list):
        return enum
    return [True, False] if schema.get("type") == "boolean" else None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_each(body: Each, context: Context) -> None:
    place = (body.place or NOWHERE).at("$each")
    if "item" in context.roots:
        context.problems.error(place, "$each does not nest")
    check_token(body.token, place.find(body.token.text), context, whole=True)
    if body.token.root != "input":
        context.problems.error(place, "$each goes over an input")
    elif (schema := context.schema_of("input", body.token.name)) and "maxItems" not in schema:
        context.problems.error(place, f"{body.token.text} has no maxItems: $each must be bounded")
    check_body(body.do, context.with_roots("item"))


def _check_secret(body: Secret, context: Context) -> None:
    place = (body.place or NOWHERE).at("$secret")
    if not context.secrets:
        context.problems.error(place, "$secret stands only in websocket.open: elsewhere use auth")
    elif body.name not in context.secrets:
        near = did_you_mean(body.name, sorted(context.secrets))
        context.problems.error(place, f"there is no secret {body.name!r}{near}")


def check_request_predicate(predicate: Predicate | None, context: Context) -> None:
    """Note what is wrong with a predicate that is asked before a request: over inputs."""
    for condition in predicate.conditions if predicate else ():
        _check_operands(condition, context)
        if condition.negated is not None:
            check_request_predicate(condition.negated, context)
        elif condition.path is None:
            place = (predicate.place if predicate else None) or NOWHERE
            context.problems.error(
                place.at("status"), "status: there is no reply before the request"
            )
        else:
            check_paths(context.problems, context.roots, condition.path)
            _check_input_condition(condition, context)


def _check_input_condition(condition: Condition, context: Context) -> None:
    path, problems = condition.path, context.problems
    if path is None or path.root != "input" or len(path.steps) < 2 or context.schema is None:
        return
    name = str(path.steps[1])
    context.used.add(name)
    place = path.place or NOWHERE
    properties = context.schema.properties
    if name not in properties:
        near = did_you_mean(name, properties)
        problems.error(place, f"{path.text}: there is no {name!r}{near}")
        return
    allowed = _allowed(context.schema_of("input", name))
    if allowed is None or len(path.steps) > 2 or condition.operator not in ("eq", "in"):
        return
    for operand in condition.operands:
        if not isinstance(operand, Template) and not any(same(operand, one) for one in allowed):
            alike = [one for one in allowed if type(one) is type(operand)]
            near = did_you_mean(_text(operand), map(_text, alike))
            near = near or f"; known: {', '.join(map(shown, allowed))}"  # types are strict
            problems.error(place, f"{path.text} is never {shown(operand)}{near}")


def check_reply_predicate(
    predicate: Predicate | None, context: Context, roots: frozenset[str] | None = RESPONSE
) -> None:
    """Note what is wrong with a predicate over a reply.

    Args:
        predicate: What is asked; None is nothing to check.
        context: What the tokens of second operands may refer to.
        roots: What its paths may begin with; None for anything, as in a frame.
    """
    for condition in predicate.conditions if predicate else ():
        if condition.path is not None and roots is not None:
            check_paths(context.problems, roots, condition.path)
        if condition.operator == "status" and roots is None:
            place = (predicate.place if predicate else None) or NOWHERE
            context.problems.error(
                place.at("status"), "status is that of a reply: of a value here, eq: [status, ...]"
            )
        _check_operands(condition, context)
        check_reply_predicate(condition.negated, context, roots)


def _check_operands(condition: Condition, context: Context) -> None:
    """The second operands that have tokens."""
    for operand in condition.operands:
        if isinstance(operand, Template):
            check_template(operand, context)


def tokens_in(body: Body | None) -> Iterator[str]:
    """Every token of a body, as ``root.name``."""
    yield from (f"{token.root}.{token.name}" for token in tokens_of(body))
    for part in parts_of(body):
        yield from tokens_in(part)
