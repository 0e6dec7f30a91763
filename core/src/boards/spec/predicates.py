"""Predicates: ``{eq: [body.error.code, abuse]}``; several keys mean *and*, types are strict."""

from collections.abc import Callable
from typing import Any, Final

from attrs import field, frozen

from boards.spec.paths import Path, PathError, parse_path, values
from boards.spec.places import Mapping, Place, Problems, Sequence, did_you_mean
from boards.spec.tokens import (
    Render,
    RenderError,
    Scope,
    Template,
    TokenError,
    compile_template,
    escaped,
    parse_template,
)

__all__ = [
    "PREDICATES",
    "Condition",
    "Predicate",
    "compile_predicate",
    "compile_reply_predicate",
    "read_predicate",
    "same",
    "write_predicate",
]

PREDICATES: Final = ("exists", "eq", "in", "contains", "prefix", "status", "not")


@frozen
class Condition:
    """One key of a predicate.

    Attributes:
        operator: One of :data:`PREDICATES`.
        path: The first operand, for those that have one.
        operands: The second: literals and templates; ``in`` has any number, the others one.
        statuses: The HTTP statuses of ``status``.
        negated: The inner predicate of ``not``.
    """

    operator: str
    path: Path | None = None
    operands: tuple[Any, ...] = ()
    statuses: tuple[int, ...] = ()
    negated: "Predicate | None" = None


@frozen
class Predicate:
    """A conjunction of conditions."""

    conditions: tuple[Condition, ...]
    place: Place | None = field(default=None, eq=False, repr=False)


Test = Callable[[Any, Scope], bool]
"""A closure over what the paths start at, and the scope of the tokens."""


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values with strict types: true is not 1; 1 and 1.0 are the same number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


def compile_predicate(predicate: Predicate) -> Test:
    """A closure: does the predicate hold for what the paths start at?"""
    tests = [_compile(condition) for condition in predicate.conditions]
    if len(tests) == 1:
        return tests[0]
    return lambda subject, scope: all(test(subject, scope) for test in tests)


def compile_reply_predicate(predicate: Predicate) -> Test:
    """Like :func:`compile_predicate`, of a reply: one that cannot be told does not hold.

    It may compare with a job that is not known before the reply, or have ``|int`` read a word; and
    the reply may tell of a job that is paid for.
    """
    test = compile_predicate(predicate)

    def holds(subject: Any, scope: Scope) -> bool:
        try:
            return test(subject, scope)
        except RenderError:
            return False

    return holds


def _compile(condition: Condition) -> Test:
    if condition.negated is not None:
        inner = compile_predicate(condition.negated)
        return lambda subject, scope: not inner(subject, scope)
    if condition.operator == "status":
        statuses = frozenset(condition.statuses)
        return lambda subject, _scope: subject.get("status") in statuses
    assert condition.path is not None  # noqa: S101  # the reader saw to it
    found_at = values(condition.path)
    if condition.operator == "exists":
        return lambda subject, _scope: any(value is not None for value in found_at(subject))
    wanted = [_compile_operand(operand) for operand in condition.operands]
    matches = _MATCHES[condition.operator]

    def test(subject: Any, scope: Scope) -> bool:
        found = found_at(subject)
        if not found:
            return False
        others = [render(scope) for render in wanted]
        return any(matches(value, other) for value in found for other in others)

    return test


def _compile_operand(operand: Any) -> Render:
    if isinstance(operand, Template):
        return compile_template(operand)
    return lambda _scope: operand


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    return isinstance(value, list) and any(same(one, wanted) for one in value)


def _prefix(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and isinstance(wanted, str) and value.startswith(wanted)


_MATCHES: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": same,
    "in": same,
    "contains": _contains,
    "prefix": _prefix,
}


def read_predicate(value: Any, place: Place, problems: Problems) -> Predicate | None:
    """Read a predicate from a document; None where a mistake was noted."""
    if not isinstance(value, Mapping) or not value:
        problems.error(place, "a predicate is a mapping such as {eq: [body.status, done]}")
        return None
    conditions = []
    for operator, operand in value.items():
        key_place, at = value.key_places[operator], value.value_places[operator]
        if operator not in PREDICATES:
            problems.error(
                key_place, f"unknown predicate {operator!r}{did_you_mean(operator, PREDICATES)}"
            )
            continue
        condition = _READERS.get(operator, _read_comparison)(operator, operand, at, problems)
        if condition is not None:
            conditions.append(condition)
    return Predicate(tuple(conditions), place) if len(conditions) == len(value) else None


def _read_path(value: Any, place: Place, problems: Problems) -> Path | None:
    if not isinstance(value, str):
        problems.error(place, "the first operand is a path such as body.status")
        return None
    try:
        return parse_path(value, place)
    except PathError as error:
        problems.error(place, str(error))
        return None


def _read_exists(operator: str, value: Any, place: Place, problems: Problems) -> Condition | None:
    path = _read_path(value, place, problems)
    return None if path is None else Condition(operator, path)


def _read_not(operator: str, value: Any, place: Place, problems: Problems) -> Condition | None:
    inner = read_predicate(value, place, problems)
    return None if inner is None else Condition(operator, negated=inner)


def _read_status(operator: str, value: Any, place: Place, problems: Problems) -> Condition | None:
    statuses = value if isinstance(value, list) else [value]
    if not statuses or not all(type(one) is int and 100 <= one <= 599 for one in statuses):
        problems.error(place, "status takes an HTTP status such as 429, or a list of them")
        return None
    return Condition(operator, statuses=tuple(statuses))


def _read_comparison(
    operator: str, value: Any, place: Place, problems: Problems
) -> Condition | None:
    if not isinstance(value, Sequence) or len(value) != 2:
        problems.error(place, f"{operator} takes two operands: [path, value]")
        return None
    path = _read_path(value[0], value.item_places[0], problems)
    second, at = value[1], value.item_places[1]
    if operator == "in":
        if not isinstance(second, Sequence) or not second:
            problems.error(at, "the second operand of in is a list of values")
            return None
        read = [
            _read_operand(one, one_at, problems)
            for one, one_at in zip(second, second.item_places, strict=True)
        ]
    else:
        read = [_read_operand(second, at, problems)]
    if path is None or _BAD in read:
        return None
    return Condition(operator, path, tuple(read))


_BAD: Final = object()


def _read_operand(value: Any, place: Place, problems: Problems) -> Any:
    if isinstance(value, dict | list):
        problems.error(place, "an operand is a scalar or a token")
        return _BAD
    if not isinstance(value, str):
        return value
    try:
        template = parse_template(value, place)
    except TokenError as error:
        problems.error(place, str(error))
        return _BAD
    return template if template.tokens else "".join(str(part) for part in template.parts)


_READERS: Final = {"exists": _read_exists, "not": _read_not, "status": _read_status}


def write_predicate(predicate: Predicate) -> dict[str, Any]:
    """A predicate as a document has it."""
    return {condition.operator: _write(condition) for condition in predicate.conditions}


def _write(condition: Condition) -> Any:
    if condition.negated is not None:
        return write_predicate(condition.negated)
    if condition.path is None:
        statuses = list(condition.statuses)
        return statuses[0] if len(statuses) == 1 else statuses
    if condition.operator == "exists":
        return condition.path.text
    operands = [_write_operand(operand) for operand in condition.operands]
    return [condition.path.text, operands if condition.operator == "in" else operands[0]]


def _write_operand(operand: Any) -> Any:
    if isinstance(operand, Template):
        return operand.text
    return escaped(operand) if isinstance(operand, str) else operand
