"""An imported schema takes and refuses what the document's own schema takes and refuses.

The document's schema is validated with its references and OpenAPI spellings in place, rewritten
by the emulators' code, which shares nothing with the importers.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.documents import Published, published

from boards.spec.importers.schemas import Notes, Schemas, accepts, bare
from boards.spec.inputs import FILE_FORMATS, InputSchema
from boards.testing.emulators.schema import json_schema

DOCUMENTS = published()
URLS = ("https://example.com/a.png", "http://example.com/b", "data:image/png;base64,ZmlsZQ==")
CHANGES = ("any value is accepted", "no value of its enum", "takes one file or a list")
"""Notes on inputs that accept something else here than in the document."""
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(-2, 2, allow_nan=False),
    st.sampled_from(["", "a", "1:1", "x" * 40]),
    st.lists(st.integers(0, 2), max_size=2),
    st.dictionaries(st.sampled_from(["width", "height", "url", "path"]), st.integers(-1, 600)),
)


@cache
def _pair(name: str) -> tuple[dict[str, Any], Any, InputSchema, dict[str, Any]]:
    """Both schemas of a document, its own without what the notes say is another here.

    And an input that fits.
    """
    one = next(one for one in DOCUMENTS if one.name == name)
    imported = one.imported()
    own = dict(one.schema)
    while "$ref" in own:
        own = {**_follow(own, own["$ref"]), "components": own["components"]}
    changed = {
        note.partition(":")[0] for note in imported.notes if any(one in note for one in CHANGES)
    }
    changed |= {note.split("'")[1] for note in imported.notes if "is no name of an input" in note}
    own["properties"] = {k: v for k, v in own["properties"].items() if k not in changed}
    own["required"] = [k for k in own.get("required", ()) if k not in changed]
    ours = json.loads(json.dumps(imported.document["io"]["input_schema"]))
    ours["required"] = [k for k in ours.get("required", ()) if k not in changed]
    validator = jsonschema_rs.Draft202012Validator(json_schema(own))
    (base, *_) = [one["input"] for one in imported.document["tests"]]
    return own, validator, InputSchema(ours), base


def _follow(root: Mapping[str, Any], reference: str) -> dict[str, Any]:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _values(schema: Any, root: Mapping[str, Any], depth: int = 4) -> st.SearchStrategy[Any]:
    """Values at the edges of a schema: some fit, others nearly do."""
    if not isinstance(schema, Mapping) or depth == 0:
        return ANYTHING
    parts: list[st.SearchStrategy[Any]] = []
    if "$ref" in schema:
        parts.append(_values(_follow(root, schema["$ref"]), root, depth - 1))
    for key in ("allOf", "anyOf", "oneOf"):
        parts += [_values(one, root, depth - 1) for one in schema.get(key, ())]
    if schema.get("enum"):
        parts.append(st.sampled_from(schema["enum"]))
    bounds = [
        schema[key]
        for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        if type(schema.get(key)) in (int, float)
    ]
    if bounds:
        near = [bound + step for bound in bounds for step in (-1, -0.5, 0, 0.5, 1)]
        parts.append(st.sampled_from([*near, *(int(one) for one in near)]))
    lengths = [schema[key] for key in ("minLength", "maxLength") if key in schema]
    if lengths:
        parts.append(
            st.sampled_from([n + step for n in lengths for step in (-1, 0, 1)]).map(
                lambda length: "x" * max(0, min(length, 5000))
            )
        )
    if schema.get("type") == "array":
        parts.append(st.lists(_values(schema.get("items"), root, depth - 1), max_size=4))
    if isinstance(schema.get("properties"), Mapping):
        parts.append(_objects(schema, root, depth - 1))
    if "default" in schema:
        parts.append(st.just(schema["default"]))
    return st.one_of(*parts, ANYTHING) if parts else ANYTHING


def _objects(
    schema: Mapping[str, Any], root: Mapping[str, Any], depth: int
) -> st.SearchStrategy[dict[str, Any]]:
    every = {name: _values(one, root, depth) for name, one in schema["properties"].items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: one for name, one in every.items() if name in required},
        optional={name: one for name, one in every.items() if name not in required},
    )


def _inputs(
    own: Mapping[str, Any], ours: InputSchema, base: Mapping[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """Inputs that fit but for one value, or for one that is not there; files are addresses."""
    strategies = {}
    for name, schema in own["properties"].items():
        values = _values(schema, own)
        typed = ours.properties[name]
        items = typed.get("items")
        if typed.get("format") in FILE_FORMATS:
            values = st.sampled_from([*URLS, None, 3])
        elif isinstance(items, Mapping) and items.get("format") in FILE_FORMATS:
            values = st.lists(st.sampled_from([*URLS, 3]), max_size=4)
        strategies[name] = values
    lacking = st.builds(
        lambda name: {k: v for k, v in base.items() if k != name}, st.sampled_from([*base, ""])
    )
    # One value at a time: among several, what one schema misses would hide behind another.
    changed = [
        one.map(lambda value, name=name: {**base, name: value}) for name, one in strategies.items()
    ]
    return st.one_of(lacking, *changed)


@pytest.mark.parametrize("one", DOCUMENTS, ids=lambda one: one.name)
def test_an_imported_schema_judges_as_the_documents_own(one: Published) -> None:
    """The same inputs pass, and the same are refused."""
    own, validator, ours, base = _pair(one.name)
    names = max(1, len(own["properties"]))

    @settings(max_examples=12 * names)
    @given(_inputs(own, ours, base))
    def judged_alike(value: dict[str, Any]) -> None:
        wanted = validator.is_valid(value)
        problems = ours.problems(value)
        assert wanted is (not problems), (value, [str(one) for one in problems])

    judged_alike()


def test_the_comparison_sees_both_verdicts() -> None:
    """Inputs that fit, and inputs that do not, are among those that are compared."""
    own, validator, ours, base = _pair("openai/whisper")
    seen = set()

    @given(_inputs(own, ours, base))
    def look(value: dict[str, Any]) -> None:
        seen.add(validator.is_valid(value))

    look()
    assert seen == {True, False}


BOUNDS = st.integers(-2, 2)
LEAVES = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": BOUNDS,
            "maximum": BOUNDS,
            "exclusiveMinimum": st.booleans() | BOUNDS,
            "exclusiveMaximum": st.booleans() | BOUNDS,
            "multipleOf": st.sampled_from([1, 2]),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "enum": st.lists(st.sampled_from(["a", "", "1:1", None]), min_size=1, max_size=3),
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(0, 2),
            "pattern": st.sampled_from(["^a", "1$"]),
        },
    ),
    st.sampled_from(
        [
            {}, True, {"type": "null"}, {"type": "boolean"}, {"const": 1},
            {"type": ["string", "null"]},
            {"$ref": "#/components/schemas/Colour"}, {"$ref": "#/components/schemas/Size"},
        ]
    ),
)  # fmt: skip


def _dialect(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    names = st.sampled_from(["width", "height"])
    return st.one_of(
        *(st.fixed_dictionaries({key: several}) for key in ("allOf", "anyOf", "oneOf")),
        st.builds(lambda one: {"anyOf": [one, {"type": "null"}]}, inner),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner},
                              optional={"minItems": st.just(1), "maxItems": st.just(1)}),
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(names, inner)},
            optional={
                "required": st.lists(names, unique=True),
                "additionalProperties": st.booleans() | inner,
            },
        ),
        st.builds(
            lambda one: {**one, "nullable": True} if isinstance(one, dict) else one, inner
        ),
        st.builds(
            lambda one: {**one, "description": "It.", "title": "X"} if isinstance(one, dict)
            else one,
            inner,
        ),
    )  # fmt: skip


DIALECT = st.recursive(LEAVES, _dialect, max_leaves=6)
SHARED = {
    "Colour": {"type": "string", "enum": ["a", "1:1"], "description": "An enumeration."},
    "Size": {"type": "object", "required": ["width"],
             "properties": {"width": {"type": "integer", "minimum": 1}}},
}  # fmt: skip


@settings(max_examples=500)
@given(DIALECT, st.data())
def test_every_spelling_means_here_what_it_means(schema: Any, data: st.DataObject) -> None:
    """References, nullable, exclusive bounds, alternatives: in all combinations."""
    notes = Notes()
    document = {"components": {"schemas": SHARED}}
    own = {**document, "allOf": [schema]}
    value = data.draw(_values(schema, document) | ANYTHING)
    plain = bare(Schemas(document, notes).plain(schema, "x"))
    assume(not any(one in note for note in notes.kept() for one in CHANGES))
    wanted = jsonschema_rs.Draft202012Validator(json_schema(own)).is_valid(value)
    assert accepts(plain, value) is wanted, (plain, notes.kept())
