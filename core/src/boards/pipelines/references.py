"""What the input of a step refers to: inputs of the pipeline, and what other steps made."""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

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
)
from boards.spec.paths import Path
from boards.spec.places import NOWHERE, Place
from boards.spec.predicates import Condition, Predicate
from boards.spec.tokens import Template, Token

__all__ = ["Reference", "paths_in", "predicate_steps", "references"]


@frozen
class Reference:
    """A token where it stands.

    Attributes:
        token: As it is written.
        place: Where.
        embedded: It stands in a longer text, or where only a scalar can.
        guarded: A condition makes sure that it is there.
        over: An operator goes over it, element by element.
        each: It stands under ``$each``, where ``item`` is known.
    """

    token: Token
    place: Place
    embedded: bool = False
    guarded: bool = False
    over: bool = False
    each: bool = False

    @property
    def step(self) -> str | None:
        """The step that it refers to."""
        return self.token.name if self.token.root == "steps" and self.token.name else None

    @property
    def may_be_absent(self) -> bool:
        """Whether the step can do without it. A status is always there."""
        return self.token.optional or self.guarded or self.token.steps[1:] == ("status",)


def references(
    body: Body | None,
    when: Predicate | None = None,
    guards: frozenset[str] = frozenset(),
    *,
    each: bool = False,
) -> Iterator[Reference]:
    """Every token of a body and of the conditions in it.

    Args:
        body: The input of a step.
        when: The condition under which it is rendered.
        guards: What is there for sure, as ``root.name``.
        each: It stands under ``$each``.
    """
    yield from _operands(when)
    guards = guards | frozenset(_existing(when))

    def token_at(token: Token, place: Place, **facts: bool) -> Reference:
        guarded = f"{token.root}.{token.name}" in guards
        return Reference(token, place.find(token.text), guarded=guarded, each=each, **facts)

    def below(inner: Body | None, when: Predicate | None = None) -> Iterator[Reference]:
        return references(inner, when, guards, each=each)

    match body:
        case Template():
            for token in body.tokens:
                alone = body.only_token is not None
                yield token_at(token, body.place or NOWHERE, embedded=not alone)
        case Members(members):
            for _, value in members:
                yield from below(value)
        case Items(parts) | Concat(parts):
            for part in parts:
                yield from below(part)
        case MapTo(token, to, otherwise, place):
            yield token_at(token, (place or NOWHERE).at("$map"), embedded=True)
            for _, value in to:
                yield from below(value)
            yield from below(otherwise)
        case When(predicate, then, otherwise):
            yield from below(then, predicate)
            yield from below(otherwise)
        case Each(token, do, place):
            yield token_at(token, (place or NOWHERE).at("$each"), over=True)
            yield from references(do, None, guards, each=True)
        case Ratio(width, height, place):
            for token in (width, height):
                yield token_at(token, (place or NOWHERE).at("$ratio"), embedded=True)
        case Literal() | Secret() | None:
            pass


def _operands(predicate: Predicate | None) -> Iterator[Reference]:
    """The tokens among a condition's second operands."""
    for condition in predicate.conditions if predicate else ():
        yield from _operands(condition.negated)
        for operand in condition.operands:
            if isinstance(operand, Template):
                for token in operand.tokens:
                    place = (operand.place or NOWHERE).find(token.text)
                    yield Reference(token, place, embedded=True)


def _existing(predicate: Predicate | None) -> Iterator[str]:
    """What a condition that holds proves to be there."""
    for condition in predicate.conditions if predicate else ():
        if condition.path is not None and _proves(condition):
            yield ".".join(str(step) for step in condition.path.steps[:2])


def _proves(condition: Condition) -> bool:
    """A condition on a step's status proves its result only where it says ``succeeded``."""
    path = condition.path
    if path is None or path.root != "steps" or path.steps[2:] != ("status",):
        return True
    return condition.operator == "eq" and condition.operands == ("succeeded",)


def paths_in(body: Any, when: Predicate | None = None) -> Iterator[tuple[Path, Predicate]]:
    """The paths of all conditions, each with the condition that it stands in."""
    for condition in when.conditions if when else ():
        if condition.path is not None and when is not None:
            yield condition.path, when
        yield from paths_in(None, condition.negated)
    for part in parts_of(body):
        under = body.predicate if isinstance(body, When) and part is body.then else None
        yield from paths_in(part, under)


def predicate_steps(body: Body, when: Predicate | None, field: str | None = None) -> Iterator[str]:
    """The steps that conditions ask about; with a field, those of which they ask for that."""
    for path, _ in paths_in(body, when):
        if path.root == "steps" and len(path.steps) > 1 and field in (None, *path.steps[2:]):
            yield str(path.steps[1])
