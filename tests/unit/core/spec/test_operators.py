"""Request bodies: JSON with templates and operators; what is absent is left out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.spec import yaml
from boards.spec.operators import OPERATORS, compile_body, read_body
from boards.spec.paths import ABSENT
from boards.spec.places import Place, Problems, Source, locate
from boards.spec.tokens import RenderError

PLACE = Place(Source("f.yaml"))


def render(written: Any, **given: Any) -> Any:
    """A body with these inputs; YAML where it is a text."""
    problems = Problems()
    if isinstance(written, str):
        document = yaml.parse(written, "f.yaml", problems)
        assert document is not None, problems.errors
        node = document.root
    else:
        node = locate(written, PLACE)
    body = read_body(node, PLACE, problems)
    assert body is not None, problems.errors
    return compile_body(body)({"input": given, "let": {"unit": 2}})


def mistakes(written: Any) -> list[str]:
    problems = Problems()
    assert read_body(locate(written, PLACE), PLACE, problems) is None
    return [one.message.removeprefix("error: ") for one in problems.errors]


def test_json_is_itself() -> None:
    """Scalars, lists and mappings without tokens are literal, types kept."""
    written: Any = {"a": [1, 1.0, True, None, "x", {}, []], "b": {"c": ""}}
    assert repr(render(written)) == repr(written)


def test_what_is_absent_is_left_out() -> None:
    """An absent ``?`` leaves out its key or item; an emptied mapping or list stays."""
    text = '{a: "${input.x?}", b: [1, "${input.x?}", 2], c: {d: "${input.x?}"}, e: ["${input.x?}"]}'
    assert render(text) == {"b": [1, 2], "c": {}, "e": []}
    assert render(text, x=None) == {"b": [1, 2], "c": {}, "e": []}
    assert render(text, x=0) == {"a": 0, "b": [1, 0, 2], "c": {"d": 0}, "e": [0]}


@pytest.mark.parametrize(
    ("value", "result"), [("a", "A"), (2, [2]), (True, "yes"), (False, "no"), (1.5, 1.5)]
)
def test_map_compares_texts(value: Any, result: Any) -> None:
    """``$map`` finds texts, numbers and booleans by how JSON spells them."""
    text = '{$map: "${input.x}", to: {a: A, 2: ["${let.unit}"], true: yes, false: no, 1.5: 1.5}}'
    assert render(text, x=value) == result


def test_map_without_an_entry() -> None:
    """``else`` takes the rest, null included; without it a stranger is an error."""
    text = '{$map: "${input.x}", to: {a: A}, else: {other: "${input.x}"}}'
    assert render(text, x="b") == {"other": "b"}
    assert render(text, x=None) == {"other": None}
    with pytest.raises(RenderError, match="no entry for 'b'"):
        render({"$map": "${input.x}", "to": {"a": 1}}, x="b")
    with pytest.raises(RenderError, match="no entry for None"):
        render({"$map": "${input.x}", "to": {"a": 1}}, x=None)
    with pytest.raises(RenderError, match="a list cannot"):
        render({"$map": "${input.x}", "to": {"a": 1}}, x=["a"])
    assert render({"k": {"$map": "${input.x?}", "to": {"a": 1}, "else": 2}}) == {}


def test_when() -> None:
    """``$when`` chooses; without ``else`` the key is left out."""
    text = '{size: {$when: {exists: input.w}, then: {w: "${input.w}"}, else: auto}}'
    assert render(text, w=5) == {"size": {"w": 5}}
    assert render(text) == {"size": "auto"}
    assert render("{size: {$when: {eq: [input.w, 5]}, then: 1}, n: 2}", w=4) == {"n": 2}
    assert render("[{$when: {exists: input.w}, then: 1}, 2]") == [2]
    assert render("{a: {$when: {exists: input.w}, then: null}}", w=1) == {"a": None}
    assert render('{a: {$when: {contains: [input.l, "${let.unit}"]}, then: 1}}', l=[1, 2]) == {
        "a": 1
    }


def test_each() -> None:
    """``$each`` renders once for each item; absent items drop out, an absent list is left out."""
    text = '{u: {$each: "${input.l?}", do: {url: "${item.u?}", s: "${let.unit}"}}}'
    assert render(text, l=[{"u": 1}, {}]) == {"u": [{"url": 1, "s": 2}, {"s": 2}]}
    assert render(text, l=[]) == {"u": []}
    assert render(text) == {}
    assert render('{$each: "${input.l}", do: "${item}"}', l=[1, None, "a"]) == [1, None, "a"]
    assert render('{$each: "${input.l}", do: "${item?}"}', l=[1, None]) == [1]
    assert render('{$each: "${input.l}", do: "n${item.0}"}', l=[[1], [2]]) == ["n1", "n2"]
    with pytest.raises(RenderError, match="goes over a list"):
        render('{$each: "${input.l}", do: 1}', l="text")
    with pytest.raises(RenderError, match="no such value"):
        render('{$each: "${input.l}", do: 1}')


def test_concat() -> None:
    """``$concat`` joins lists; an absent part adds nothing, a nested list stays nested."""
    text = """
        $concat:
          - [{text: "${input.p}"}]
          - {$each: "${input.l?}", do: {image: "${item}"}}
          - {$when: {exists: input.z}, then: [["z"]]}
    """
    assert render(text, p="x") == [{"text": "x"}]
    assert render(text, p="x", l=["a", "b"], z=1) == [
        {"text": "x"},
        {"image": "a"},
        {"image": "b"},
        ["z"],
    ]


@pytest.mark.parametrize(
    ("width", "height", "ratio"),
    [(1344, 768, "7:4"), (1024, 1024, "1:1"), (16, 9, "16:9"), (1, 3, "1:3")],
)
def test_ratio(width: int, height: int, ratio: str) -> None:
    """Width to height in lowest terms."""
    assert render({"$ratio": ["${input.w}", "${input.h}"]}, w=width, h=height) == ratio


@pytest.mark.parametrize("width", [0, -1, "16", 1.5, True])
def test_ratio_takes_positive_integers(width: Any) -> None:
    """Anything else is an error; what is absent leaves the key out."""
    with pytest.raises(RenderError, match="positive integers"):
        render({"$ratio": ["${input.w}", "${input.h}"]}, w=width, h=9)
    assert render({"a": {"$ratio": ["${input.w?}", "${input.h?}"]}}, h=9) == {}


def test_rendering_twice_shares_nothing() -> None:
    """Each rendering is new: changing one changes no other."""
    body = read_body(locate({"a": [{"b": "${input.x?}"}], "c": {}}, PLACE), PLACE, Problems())
    assert body is not None
    compiled = compile_body(body)
    one, two = compiled({"input": {}}), compiled({"input": {}})
    one["a"].append(1)
    one["c"]["d"] = 1
    assert two == {"a": [{}], "c": {}}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"$mpa": "${input.x}", "to": {}}, "unknown operator '$mpa'; did you mean '$map'?"),
        ({"$password": "api_key"}, "unknown operator '$password'"),
        ({"$map": "${input.x}"}, "$map needs 'to'"),
        ({"$map": "${input.x}", "to": {}}, "$map needs 'to'"),
        ({"$map": "x", "to": {"a": 1}}, "token"),
        ({"$map": "a ${input.x}", "to": {"a": 1}}, "token"),
        ({"$map": 5, "to": {"a": 1}}, "token"),
        ({"$map": "${input.x}", "to": {"a": 1}, "esle": 2}, "did you mean 'else'?"),
        ({"$when": {"exists": "input.x"}}, "missing 'then'"),
        ({"$when": "${input.x}", "then": 1}, "a predicate is a mapping"),
        ({"$each": "${input.x}"}, "missing 'do'"),
        ({"$each": "${input.x}", "do": 1, "$map": 2}, "'$map' cannot stand beside $each"),
        ({"a": 1, "$each": "${input.x}", "do": 1}, "'a' cannot stand beside $each"),
        ({"$concat": []}, "$concat takes a list"),
        ({"$concat": ["a"]}, "a part of $concat is a list or an operator"),
        ({"$concat": [{"a": 1}]}, "a part of $concat is a list or an operator"),
        ({"$ratio": ["${input.w}"]}, "$ratio takes two tokens"),
        ({"$ratio": [16, 9]}, "token"),
        ({"a": ["{{input.x}}"]}, "'{{' is no token of this language"),
        ({"a": ["${input.x"]}, "is not closed"),
    ],
)
def test_mistakes(written: Any, message: str) -> None:
    """Whatever is no body is told."""
    assert any(message in told for told in mistakes(written)), mistakes(written)


def test_all_mistakes_are_told() -> None:
    """Reading goes on after a mistake."""
    assert len(mistakes({"a": "${x.y}", "b": ["{{"], "c": {"$foo": 1}, "d": {"$ratio": 1}})) == 4


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text().filter(lambda key: not key.startswith("$")), inner, max_size=3)
    ),
    max_leaves=10,
)


def escaped(value: Any) -> Any:
    """JSON as a body says it literally."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    return value


@given(_plain)
def test_any_json_can_be_said_and_sent(value: Any) -> None:
    """Any JSON is rendered as it is: literally, and as a caller's value."""
    assert render({"a": "${input.x}", "b": ["${input.x}"]}, x=value) == {"a": value, "b": [value]}
    if "{{" not in json.dumps(value):
        assert repr(render({"a": escaped(value)})) == repr({"a": value})


def test_the_table_of_operators() -> None:
    """The operators are those of the language, and absent is not null."""
    assert set(OPERATORS) == {"$map", "$when", "$each", "$concat", "$ratio", "$secret"}
    assert ABSENT is not None
    assert not ABSENT
