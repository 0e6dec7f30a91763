"""Predicates: strict types, false where the first operand is absent, any value of a wildcard."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.spec.places import Place, Problems, Source, locate
from boards.spec.predicates import compile_predicate, read_predicate, same

PLACE = Place(Source("f.yaml"))
BODY = {
    "code": "abuse",
    "zero": 0,
    "one": 1,
    "yes": True,
    "none": None,
    "empty": "",
    "list": ["a", 1],
    "errors": [{"type": "x", "n": 1}, {"type": "moderated"}, {}],
}
REPLY = {"body": BODY, "header": {"x-kind": "Quota"}, "status": 429}


def holds(written: Any, subject: Any = REPLY, **scope: Any) -> bool:
    problems = Problems()
    predicate = read_predicate(locate(written, PLACE), PLACE, problems)
    assert predicate is not None, problems.errors
    return compile_predicate(predicate)(subject, scope)


@pytest.mark.parametrize(
    ("written", "result"),
    [
        ({"exists": "body.code"}, True),
        ({"exists": "body.zero"}, True),
        ({"exists": "body.empty"}, True),
        ({"exists": "body.none"}, False),
        ({"exists": "body.nope"}, False),
        ({"exists": "body.errors[*].type"}, True),
        ({"exists": "body.errors[*].nope"}, False),
        ({"eq": ["body.code", "abuse"]}, True),
        ({"eq": ["body.code", "Abuse"]}, False),
        ({"eq": ["body.one", 1]}, True),
        ({"eq": ["body.one", 1.0]}, True),
        ({"eq": ["body.one", "1"]}, False),
        ({"eq": ["body.one", True]}, False),
        ({"eq": ["body.yes", 1]}, False),
        ({"eq": ["body.yes", True]}, True),
        ({"eq": ["body.zero", False]}, False),
        ({"eq": ["body.none", None]}, True),
        ({"eq": ["body.nope", None]}, False),
        ({"eq": ["body.errors[*].type", "moderated"]}, True),
        ({"eq": ["header.X-Kind", "Quota"]}, True),
        ({"eq": ["status", 429]}, True),
        ({"in": ["body.code", ["spam", "abuse"]]}, True),
        ({"in": ["body.one", ["1", True]]}, False),
        ({"in": ["body.nope", ["a"]]}, False),
        ({"in": ["body.errors[*].type", ["moderated", "y"]]}, True),
        ({"contains": ["body.code", "bus"]}, True),
        ({"contains": ["body.code", ""]}, True),
        ({"contains": ["body.list", 1]}, True),
        ({"contains": ["body.list", True]}, False),
        ({"contains": ["body.list", "b"]}, False),
        ({"contains": ["body.one", 1]}, False),
        ({"contains": ["body.nope", "a"]}, False),
        ({"contains": ["body.errors[*].type", "derat"]}, True),
        ({"prefix": ["body.code", "ab"]}, True),
        ({"prefix": ["body.code", "buse"]}, False),
        ({"prefix": ["body.list", "a"]}, False),
        ({"status": 429}, True),
        ({"status": [500, 429]}, True),
        ({"status": 500}, False),
        ({"not": {"status": 500}}, True),
        ({"not": {"eq": ["body.nope", "x"]}}, True),
        ({"status": 429, "eq": ["body.code", "abuse"]}, True),
        ({"status": 500, "eq": ["body.code", "abuse"]}, False),
        ({"not": {"status": 429, "eq": ["body.code", "x"]}}, True),
        ({"status": 429, "not": {"exists": "body.nope"}}, True),
    ],
)
def test_predicates(written: Any, result: bool) -> None:
    """Each predicate, its types and what is absent; several keys mean *and*."""
    assert holds(written) is result


def test_the_second_operand_may_be_a_token() -> None:
    """In requests and in ``reconcile`` a path is compared with a rendered value."""
    scope: dict[str, Any] = {"input": {"a": [1, 2], "b": 2}, "run": {"id": "g1"}}
    assert holds({"contains": ["input.a", "${input.b}"]}, scope, **scope)
    assert not holds({"eq": ["input.b", "${input.c?}"]}, scope, **scope)
    element = {"webhook": "https://h/g1?x"}
    assert holds({"contains": ["webhook", "${run.id}"]}, element, **scope)
    assert holds({"contains": ["webhook", "/${run.id}?"]}, element, **scope)


def test_an_escaped_token_is_a_literal() -> None:
    """``$${`` in an operand is the text ``${``."""
    assert holds({"eq": ["body", "${x}"]} | {"eq": ["body", "$${x}"]}, {"body": "${x}"})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, "a predicate is a mapping"),
        ("body.x", "a predicate is a mapping"),
        ({"equals": ["body.x", 1]}, "unknown predicate 'equals'"),
        ({"exist": "body.x"}, "did you mean 'exists'?"),
        ({"eq": "body.x"}, "eq takes two operands"),
        ({"eq": ["body.x"]}, "eq takes two operands"),
        ({"eq": [1, "body.x"]}, "the first operand is a path"),
        ({"eq": ["body..x", 1]}, "is not a path"),
        ({"eq": ["body.x", [1]]}, "an operand is a scalar"),
        ({"eq": ["body.x", "${inptu.a}"]}, "unknown root 'inptu'"),
        ({"eq": ["body.x", "{{a}}"]}, "'{{' is no token"),
        ({"in": ["body.x", "a"]}, "the second operand of in is a list"),
        ({"in": ["body.x", []]}, "the second operand of in is a list"),
        ({"status": "429"}, "status takes an HTTP status"),
        ({"status": True}, "status takes an HTTP status"),
        ({"status": []}, "status takes an HTTP status"),
        ({"status": 42}, "status takes an HTTP status"),
        ({"exists": ["body.x"]}, "the first operand is a path"),
        ({"not": {"not": {}}}, "a predicate is a mapping"),
    ],
)
def test_mistakes(written: Any, message: str) -> None:
    """What is no predicate is told."""
    problems = Problems()
    assert read_predicate(locate(written, PLACE), PLACE, problems) is None
    (problem,) = problems.errors
    assert message in problem.message


_json = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.floats(0, 2) | st.sampled_from(["", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner, max_size=1),
    max_leaves=4,
)


@given(_json, _json)
def test_sameness_is_pythons_but_for_booleans(left: Any, right: Any) -> None:
    """Values are the same if they are equal and their booleans stand in the same places."""

    def tagged(value: Any) -> Any:
        if isinstance(value, bool):
            return ("bool", value)
        if isinstance(value, list):
            return [tagged(item) for item in value]
        if isinstance(value, dict):
            return {key: tagged(item) for key, item in value.items()}
        return value

    assert same(left, right) == same(right, left) == (tagged(left) == tagged(right))
    assert same(left, left)
