"""What a schema lets through, and what two schemas have in common."""

from typing import Any

import pytest

from boards.typegen.shapes import (
    ANYTHING,
    Choice,
    Field,
    File,
    ListOf,
    MapOf,
    OneOf,
    Record,
    Scalar,
    Shape,
    meet,
    shape_of,
)

TEXT, WHOLE, NUMBER = Scalar("string"), Scalar("integer"), Scalar("number")


@pytest.mark.parametrize(
    ("schema", "shape"),
    [
        ({"type": "string"}, TEXT),
        ({"type": "integer", "minimum": 1}, WHOLE),
        ({"enum": ["a", 1, None]}, Choice(("a", 1, None))),
        ({"const": "a"}, Choice(("a",))),
        ({"enum": [["a list"]]}, ANYTHING),
        ({"type": ["string", "null"]}, OneOf((TEXT, Scalar("null")))),
        ({"anyOf": [{"type": "string"}, {"oneOf": [{"type": "integer"}]}]}, OneOf((TEXT, WHOLE))),
        ({"anyOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]}, TEXT),
        ({"anyOf": [{"type": "string"}, {}]}, ANYTHING),
        ({"allOf": [{"type": "string"}]}, TEXT),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, ANYTHING),
        ({"type": "array", "items": {"type": "number"}}, ListOf(NUMBER)),
        ({"type": "array"}, ListOf(ANYTHING)),
        ({"type": "object"}, MapOf(ANYTHING)),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, MapOf(WHOLE)),
        (
            {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
            MapOf(ANYTHING),
        ),
        ({"$ref": "#/$defs/a~1b"}, TEXT),
        ({"$ref": "#/$defs/nowhere"}, ANYTHING),
        ({"$ref": "https://elsewhere.example"}, ANYTHING),
        (True, ANYTHING),
        ({}, ANYTHING),
    ],
)
def test_a_schema_has_a_shape(schema: Any, shape: Shape) -> None:
    """As near as a static type comes; anything where none says it."""
    assert shape_of(schema, {"$defs": {"a/b": {"type": "string"}}}) == shape


def test_an_object_keeps_its_names() -> None:
    """In the order of the schema, each with whether it is required."""
    path, scale = {"type": "string"}, {"type": "number", "default": 1}
    schema = {"type": "object", "required": ["path"], "properties": {"path": path, "scale": scale}}
    assert shape_of(schema, schema) == Record(
        (
            Field(name="path", shape=TEXT, required=True, schema=path),
            Field(name="scale", shape=NUMBER, required=False, schema=scale),
        )
    )


def test_a_type_that_holds_itself_ends() -> None:
    """At the first repetition anything goes."""
    schema = {"$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
    assert shape_of({"$ref": "#/$defs/tree"}, schema) == ListOf(ANYTHING)


def test_formats_mean_files_only_where_the_engine_takes_files() -> None:
    """An input, or the items of one; elsewhere it is a text."""
    image = {"type": "string", "format": "image"}
    assert shape_of(image, {}, files=True) == File("image")
    assert shape_of({"type": "array", "items": image}, {}, files=True) == ListOf(File("image"))
    assert shape_of(image, {}) == TEXT
    nested = {"type": "object", "properties": {"one": image}}
    assert shape_of(nested, {}, files=True) == Record(
        (Field(name="one", shape=TEXT, required=False, schema=image),)
    )


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (TEXT, TEXT, TEXT),
        (TEXT, WHOLE, None),
        (WHOLE, NUMBER, WHOLE),
        (Choice(("b", "a", "c")), Choice(("a", "b")), Choice(("b", "a"))),
        (Choice((1,)), Choice((True,)), None),
        (Choice(("a",)), TEXT, Choice(("a",))),
        (Choice(("a", 1)), TEXT, None),
        (Choice((1, 2)), NUMBER, Choice((1, 2))),
        (ANYTHING, TEXT, TEXT),
        (File("image"), File("file"), File("image")),
        (File("image"), TEXT, None),
        (ListOf(WHOLE), ListOf(NUMBER), ListOf(WHOLE)),
        (ListOf(WHOLE), ListOf(TEXT), None),
        (MapOf(TEXT), MapOf(TEXT), MapOf(TEXT)),
    ],
)
def test_two_shapes_have_something_in_common(one: Shape, other: Shape, both: Shape | None) -> None:
    """What fits both, whichever comes first; nothing where no value does, or nobody can say."""
    assert meet(one, other) == both
    turned = meet(other, one)
    if isinstance(both, Choice):
        assert isinstance(turned, Choice)
        assert set(turned.values) == set(both.values)
    elif not isinstance(both, File):  # of two kinds of files, the first
        assert turned == both
