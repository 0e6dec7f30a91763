"""Schemas of every dialect become plain JSON Schema 2020-12 that stands alone."""

from typing import Any

import pytest

from boards.spec.importers.schemas import Notes, Schemas, accepts, bare, is_usable


def plain(schema: Any, **components: Any) -> dict[str, Any]:
    """A schema, plain and without hints."""
    return read(schema, **components)[0]


def read(schema: Any, **components: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A schema, plain and without hints, and the notes."""
    notes = Notes()
    found = bare(Schemas({"components": {"schemas": components}}, notes).plain(schema, "x"))
    assert is_usable(found) is None
    return found, notes.kept()


def ref(name: str) -> dict[str, str]:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


COLOURS = {"type": "string", "enum": ["red", "blue"], "title": "colour"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (ref("Colour"), {"type": "string", "enum": ["red", "blue"]}),
        (
            {"allOf": [ref("Colour")], "default": "red", "description": "Of it.", "x-order": 3},
            {"type": "string", "enum": ["red", "blue"], "default": "red", "description": "Of it."},
        ),
        (
            {"anyOf": [ref("Colour"), {"type": "null"}]},
            {"type": ["string", "null"], "enum": ["red", "blue", None]},
        ),
        ({"type": "integer", "nullable": True}, {"type": ["integer", "null"]}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({**ref("Colour"), "nullable": True}, plain({"anyOf": [COLOURS, {"type": "null"}]})),
        (
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            {"type": ["integer", "null"]},
        ),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            {"type": "number", "exclusiveMinimum": 0},
        ),
        (
            {"type": "number", "maximum": 1, "exclusiveMaximum": False},
            {"type": "number", "maximum": 1},
        ),
        (
            {"oneOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "B"}]},
            {"enum": ["a", "b"]},
        ),
        (
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]},
            {"type": "string", "enum": ["a", "b"]},
        ),
        ({"enum": ["a", "a", "b"]}, {"enum": ["a", "b"]}),
        ({"const": None}, {"enum": [None]}),
        (True, {}),
        (False, {"not": {}}),
        ({"type": "float"}, {"type": "number"}),
        (
            {"allOf": [{"minimum": 1, "type": "number"}, {"minimum": 2, "type": "integer"}]},
            {"minimum": 2, "type": "integer"},
        ),
        (
            {"items": [{"type": "integer"}, {"type": "string"}], "type": "array"},
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
        ),
        (
            {"properties": {"a": {"type": "string", "required": True}}},
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
        ),
        ({"type": "string", "format": "image"}, {"type": "string"}),
        (
            {"description": "\n        Indented.\n        Twice.\n    "},
            {"description": "Indented.\nTwice."},
        ),
    ],
)
def test_each_dialect_is_read(written: Any, meant: dict[str, Any]) -> None:
    """OpenAPI 3.0 and 3.1, pydantic 1 and 2, drafts of old."""
    assert plain(written, Colour=COLOURS) == meant


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (ref("Nowhere"), "which the document lacks"),
        ({"$ref": "https://elsewhere.example/x.json"}, "which the document lacks"),
        ({"$ref": 7}, "which the document lacks"),
        ({"type": "Vector"}, "is no type"),
        ({"type": "string", "pattern": "(["}, "pattern"),
        ({"type": "string", "pattern": "\\Z"}, "pattern"),
        ({"minimum": "0"}, "minimum"),
        ({"maximum": float("inf")}, "maximum"),
        ({"maximum": 10**400}, "maximum"),
        ({"multipleOf": 0}, "multipleOf"),
        ({"minLength": -1}, "minLength"),
        ({"enum": []}, "enum"),
        ({"anyOf": []}, "anyOf"),
        ({"type": "integer", "enum": ["a", "b"]}, "no value of its enum"),
        ({"type": "number", "ge": 0}, "'ge' is no keyword"),
        ("string", "no mapping"),
        (None, "no mapping"),
    ],
)
def test_what_no_validator_could_use_is_left_out_and_noted(written: Any, told: str) -> None:
    """The rest of the schema stays."""
    found, notes = read(written)
    assert any(told in note for note in notes), notes
    assert not any(key in found for key in ("pattern", "ge", "multipleOf", "anyOf"))


def test_a_schema_that_contains_itself_is_cut_and_noted() -> None:
    """At its first return; the type is kept."""
    tree = {"type": "object", "properties": {"left": ref("Tree"), "name": {"type": "string"}}}
    found, notes = read(ref("Tree"), Tree=tree)
    assert found["properties"]["left"] == {"type": "object"}
    assert found["properties"]["name"] == {"type": "string"}
    assert "contains itself (Tree)" in notes[0]


def test_references_that_only_lead_in_circles_accept_anything() -> None:
    """They say nothing about a value."""
    assert plain(ref("A"), A=ref("B"), B=ref("A")) == {}


def test_schemas_that_explode_are_cut() -> None:
    """Twenty levels that each refer twice to the next are a million schemas."""
    components = {
        f"L{n}": {"type": "object", "properties": {"a": ref(f"L{n + 1}"), "b": ref(f"L{n + 1}")}}
        for n in range(22)
    }
    found, notes = read(ref("L0"), **components, L22={"type": "string"})
    assert found["type"] == "object"
    assert any("too large" in note for note in notes)


def test_all_of_that_no_flat_schema_says_stays() -> None:
    """Two patterns, and objects that allow no further names."""
    both = {"allOf": [{"pattern": "a"}, {"pattern": "b"}]}
    assert accepts(plain(both), "ab")
    assert not accepts(plain(both), "a")
    closed = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
    found = plain({"allOf": [closed, {"properties": {"b": {}}}]})
    assert not accepts(found, {"b": 1})


def test_types_that_exclude_each_other_stay_so() -> None:
    """What nothing fits, nothing fits afterwards."""
    found = plain({"allOf": [{"type": "string"}, {"type": "integer"}]})
    assert not accepts(found, "a")
    assert not accepts(found, 1)
