"""Inputs: defaults, and every problem at once, each naming its field."""

import socket
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.spec.inputs import FileInput, InputSchema


def told(properties: dict[str, Any], value: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    """What is wrong with an input."""
    schema = InputSchema({"type": "object", "properties": properties, **more})
    return [(one.where, one.message) for one in schema.problems(value)]


@pytest.mark.parametrize(
    ("schema", "given", "meant"),
    [
        ({"type": "integer"}, 4.0, 4),
        ({"type": ["integer", "null"]}, 4.0, 4),
        ({"enum": [1, 2.5]}, 1.0, 1),
        ({"enum": [0.5, 1.0]}, 1, 1.0),
        ({"enum": [True, 2]}, 1, 1),
        ({"type": "number", "enum": [1, 2.5]}, 2.5, 2.5),
        ({"type": "integer"}, 4.5, 4.5),
        ({"type": "integer"}, 1e300, 1e300),
        ({"type": "number"}, 4.0, 4.0),
        ({"type": "boolean"}, 1.0, 1.0),
        ({}, 4.0, 4.0),
    ],
)
def test_a_whole_number_is_the_integer_that_is_meant(schema: Any, given: Any, meant: Any) -> None:
    """JSON Schema takes 4.0 for an integer, but ``4.0x4.0`` is no size and no key of a $map."""
    complete = InputSchema({"properties": {"n": schema}}).complete({"n": given})
    assert repr(complete) == repr({"n": meant})


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "string"}, 5, "must be a string, not 5"),
        ({"type": "string"}, None, "must be a string, not null"),
        ({"type": "integer"}, "7", "must be an integer, not the string '7'"),
        ({"type": "integer"}, 1.5, "must be an integer, not 1.5"),
        ({"type": "integer"}, True, "must be an integer, not true"),
        ({"type": "number"}, [1], "must be a number, not a list"),
        ({"type": "boolean"}, 1, "must be true or false, not 1"),
        ({"type": "array"}, {}, "must be a list, not a mapping"),
        ({"type": "object"}, "x", "must be a mapping, not the string 'x'"),
        ({"type": ["string", "null"]}, 1, "must be null or a string, not 1"),
        (
            {"enum": ["a", 2, None, True]},
            "b",
            "must be one of a, 2, null, true; not the string 'b'",
        ),
        ({"enum": ["a"]}, None, "must be one of a; not null"),
        ({"minimum": 1}, 0, "must be at least 1, not 0"),
        ({"minimum": 0.5}, 0.25, "must be at least 0.5, not 0.25"),
        ({"maximum": 4294967295}, 4294967296, "must be at most 4294967295, not 4294967296"),
        ({"exclusiveMinimum": 0}, 0, "must be more than 0, not 0"),
        ({"exclusiveMaximum": 1}, 1, "must be less than 1, not 1"),
        ({"multipleOf": 32}, 33, "must be a multiple of 32, not 33"),
        ({"multipleOf": 0.5}, 0.75, "must be a multiple of 0.5, not 0.75"),
        ({"minLength": 2}, "a", "must have at least 2 characters"),
        ({"maxLength": 2}, "abc", "must have at most 2 characters"),
        ({"minItems": 1}, [], "must have at least 1 items"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 items"),
        ({"pattern": "^a"}, "b", '"b" does not match "^a"'),
        ({"const": 3}, 4, "3 was expected"),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            1.5,
            "1.5 is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
    ],
)
def test_messages(schema: dict[str, Any], value: Any, message: str) -> None:
    """Each keyword says what it wants and what it got."""
    assert told({"x": schema}, {"x": value}) == [("x", message)]


def test_every_problem_is_told_at_once() -> None:
    """All fields, also those within others, are named in one go."""
    properties = {
        "prompt": {"type": "string"},
        "size": {"type": "integer", "minimum": 8},
        "box": {
            "type": "object",
            "properties": {"w": {"type": "integer"}},
            "required": ["w"],
            "additionalProperties": False,
        },
        "list": {"type": "array", "items": {"type": "object", "required": ["url"]}},
    }
    value = {"size": 1, "box": {"h": 2}, "list": [{"url": "a"}, {}], "promt": "x", "zzz": 1}
    assert sorted(told(properties, value, required=["prompt"])) == [
        ("box.h", "is not an input"),
        ("box.w", "is required"),
        ("list[1].url", "is required"),
        ("prompt", "is required"),
        ("promt", "is not an input; did you mean 'prompt'?"),
        ("size", "must be at least 8, not 1"),
        ("zzz", "is not an input; known: prompt, size, box, list"),
    ]


def test_one_input_may_require_another() -> None:
    """``dependentRequired`` names the one that lacks."""
    properties: dict[str, Any] = {"width": {}, "height": {}}
    dependent = {"width": ["height"]}
    assert told(properties, {"width": 5}, dependentRequired=dependent) == [
        ("height", "is required")
    ]
    assert told(properties, {}, dependentRequired=dependent) == []


def test_unknown_inputs_are_errors_unless_the_schema_says_otherwise() -> None:
    """``additionalProperties`` is false by default."""
    assert told({}, {"x": 1})
    assert not told({}, {"x": 1}, additionalProperties=True)
    assert told({}, {"x": 1}, additionalProperties={"type": "string"})


@pytest.mark.parametrize("value", [None, "a", 1])
def test_a_nullable_input_takes_null(value: Any) -> None:
    """Null is valid only where the schema says so."""
    assert not told({"x": {"type": ["string", "integer", "null"]}}, {"x": value})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"bytes", "is a Python bytes, which is no JSON value"),
        ({"a", "b"}, "is a Python set, which is no JSON value"),
        ([object()], "is a Python object, which is no JSON value"),
        (float("nan"), "must be a number, not nan"),
        ({"a": [float("inf")]}, "must be a number, not inf"),
        ("\ud800", "is not Unicode text: it has half of a surrogate pair"),
        ({1: "x"}, "has a name that is not a text"),
        ([10**5000], "is too large a number"),
    ],
)
def test_what_is_no_json_is_told(value: Any, message: str) -> None:
    """Values that cannot be sent are problems of their field beside all others, never crashes."""
    properties = {"x": {}, "y": {"type": "string"}}
    assert told(properties, {"x": value, "y": 1}, required=["x"]) == [
        ("x", message),
        ("y", "must be a string, not 1"),
    ]


def test_a_circle_is_told() -> None:
    """A value that holds itself is nested too deeply."""
    circle: list[Any] = []
    circle.append(circle)
    assert told({"x": {}}, {"x": circle}) == [("x", "is nested too deeply")]


# Defaults


def test_defaults_fill_in_what_was_not_given() -> None:
    """What was given wins, null and false included; without a default nothing is added."""
    properties = {"a": {"default": 1}, "b": {"default": True}, "c": {"default": None}, "d": {}}
    schema = InputSchema({"properties": properties})
    assert schema.complete({}) == {"a": 1, "b": True, "c": None}
    assert schema.complete({"a": None, "b": False, "d": 2}) == {
        "a": None,
        "b": False,
        "c": None,
        "d": 2,
    }


def test_defaults_are_never_shared() -> None:
    """Changing a completed input changes neither the schema nor the next input."""
    written = {"properties": {"a": {"default": [{"b": [1]}]}, "c": {"default": {}}}}
    schema = InputSchema(written)
    one = schema.complete({})
    one["a"][0]["b"].append(2)
    one["a"].append(3)
    one["c"]["d"] = 4
    assert schema.complete({}) == {"a": [{"b": [1]}], "c": {}}
    assert written == {"properties": {"a": {"default": [{"b": [1]}]}, "c": {"default": {}}}}


def test_completing_leaves_what_was_given_alone() -> None:
    """The caller's mapping is not changed."""
    given_ = {"x": [1]}
    InputSchema({"properties": {"y": {"default": 2}}}).complete(given_)
    assert given_ == {"x": [1]}


# Files


def test_file_inputs() -> None:
    """A text with a format of files is a file input, and so is a list of them."""
    schema = InputSchema(
        {
            "properties": {
                "image": {"type": "string", "format": "image"},
                "frames": {"type": "array", "items": {"type": "string", "format": "video"}},
                "site": {"type": "string", "format": "uri"},
                "any": {"type": "string", "format": "file"},
                "free": True,
            }
        }
    )
    assert schema.files == (
        FileInput("image", "image", many=False),
        FileInput("frames", "video", many=True),
        FileInput("any", "file", many=False),
    )


# Schemas


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"properties": [1]}, "properties"),
        ({"properties": None}, "properties"),
        ({"properties": {"a": 5}}, "properties.a"),
        ({"properties": {"a": {"type": "strnig"}}}, "properties.a.type"),
        ({"properties": {"a": {"minimum": "x"}}}, "properties.a.minimum"),
        ({"properties": {"a": {"pattern": "("}}}, "properties.a.pattern"),
        ({"required": 5}, "required"),
        ({"required": "prompt"}, "required"),
        ({"$ref": "#/$defs/none"}, "/$defs/none"),
    ],
)
def test_what_is_no_schema_is_refused(schema: dict[str, Any], message: str) -> None:
    """The message tells where the schema is wrong."""
    with pytest.raises(ValueError, match=r".") as caught:
        InputSchema(schema)
    assert message in str(caught.value)


def test_a_schema_fetches_nothing() -> None:
    """A reference to another document is an error; neither network nor file is read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        port = server.getsockname()[1]
        for uri in (f"http://127.0.0.1:{port}/schema.json", "file:///etc/hostname"):
            with pytest.raises(ValueError, match="stands by itself"):
                InputSchema({"properties": {"a": {"$ref": uri}}})
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_schema_may_refer_to_itself() -> None:
    """``$defs`` are part of JSON Schema."""
    schema = InputSchema(
        {
            "$defs": {"side": {"type": "integer", "maximum": 9}},
            "properties": {"w": {"$ref": "#/$defs/side"}},
        }
    )
    assert [one.where for one in schema.problems({"w": 10})] == ["w"]


# Any schema


@st.composite
def _typed(draw: st.DrawFn, depth: int = 2) -> tuple[dict[str, Any], Any, Any]:
    """A schema, a value that fits it, and one that does not."""
    kinds = ["integer", "number", "string", "boolean", "enum", "null"]
    kind = draw(st.sampled_from(kinds + (["array", "object"] if depth else [])))
    if kind in ("integer", "number"):
        low = draw(st.integers(-1000, 1000))
        high = low + draw(st.integers(0, 1000))
        number = st.integers(low, high) if kind == "integer" else st.floats(low, high)
        bounds = {"minimum": low, "maximum": high}
        return (
            {"type": kind, **bounds},
            draw(number),
            draw(st.sampled_from([high + 1, low - 1, "1"])),
        )
    if kind == "string":
        length = draw(st.integers(0, 5))
        good = draw(st.text(min_size=length, max_size=length + 3))
        schema = {"type": "string", "minLength": length, "maxLength": length + 3}
        return schema, good, draw(st.sampled_from(["x" * (length + 4), 5, None]))
    if kind == "boolean":
        return {"type": "boolean"}, draw(st.booleans()), draw(st.sampled_from([0, 1, "true", None]))
    if kind == "null":
        return {"type": "null"}, None, draw(st.sampled_from([0, "", False]))
    if kind == "enum":
        options = draw(st.lists(st.text(max_size=3), min_size=1, max_size=4, unique=True))
        return {"enum": options}, draw(st.sampled_from(options)), draw(st.sampled_from(["long", 7]))
    inner, good, bad = draw(_typed(depth=depth - 1))
    if kind == "array":
        schema = {"type": "array", "items": inner, "maxItems": 3}
        goods = draw(st.lists(st.just(good), max_size=3))
        return schema, goods, draw(st.sampled_from([[bad], [good] * 4, "list"]))
    schema = {
        "type": "object",
        "properties": {"p": inner},
        "required": ["p"],
        "additionalProperties": False,
    }
    return schema, {"p": good}, draw(st.sampled_from([{"p": bad}, {}, {"p": good, "q": 1}, []]))


@given(st.dictionaries(st.sampled_from("abcdef"), _typed(), max_size=5))
def test_what_fits_is_valid_and_what_does_not_is_named(
    fields: dict[str, tuple[dict[str, Any], Any, Any]],
) -> None:
    """Values from a schema validate; each value outside is a problem that names its field."""
    schema = InputSchema(
        {
            "type": "object",
            "properties": {name: one[0] for name, one in fields.items()},
            "required": list(fields),
        }
    )
    assert schema.problems({name: good for name, (_, good, _) in fields.items()}) == []
    problems = schema.problems({name: bad for name, (_, _, bad) in fields.items()})
    named = {one.where.partition(".")[0].partition("[")[0] for one in problems}
    assert named == set(fields)
    assert all(one.message for one in problems)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-2000, 2000) | st.floats(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["p", "q"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(_typed(), _json)
def test_problems_agree_with_the_validator(
    typed: tuple[dict[str, Any], Any, Any], value: Any
) -> None:
    """There are problems exactly where JSON Schema says that the input is not valid."""
    schema = {"type": "object", "properties": {"x": typed[0]}, "additionalProperties": False}
    valid = jsonschema_rs.is_valid(schema, {"x": value})
    assert (InputSchema(schema).problems({"x": value}) == []) == valid
