"""Documents that nobody expects: refused with a reason, or imported with a note; never a crash."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.errors import SpecError
from boards.registry import Registry
from boards.settings import load
from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.importers import Imported, import_model
from boards.spec.importers.reading import parse_document
from boards.spec.places import Problems
from boards.spec.writing import to_yaml

REGISTRY = Registry(load(environment={}))
URI = {"type": "string", "format": "uri"}


def cog(properties: Any = None, output: Any = None, /, **more: Any) -> dict[str, Any]:
    """A model of Replicate."""
    schemas = {
        "Input": {"type": "object", "properties": properties or {"prompt": {"type": "string"}}},
        "Output": URI if output is None else output,
    }
    version = {"id": "c0ffee", "openapi_schema": {"components": {"schemas": schemas}}}
    return {"owner": "acme", "name": "fox", "latest_version": version, **more}


def fal(schema: Any, output: Any = None) -> dict[str, Any]:
    """An endpoint of fal."""
    body = {"content": {"application/json": {"schema": schema}}}
    reply = {"content": {"application/json": {"schema": output or {}}}}
    return {
        "openapi": "3.0.4",
        "info": {"x-fal-metadata": {"endpointId": "fal-ai/fox", "category": "text-to-image"}},
        "paths": {
            "/fal-ai/fox": {"post": {"requestBody": body}},
            "/fal-ai/fox/requests/{request_id}": {"get": {"responses": {"200": reply}}},
        },
    }


def openapi(**operation: Any) -> dict[str, Any]:
    """An API with one operation."""
    return {"openapi": "3.1.0", "paths": {"/draw": {"post": operation}}}


def imported(importer: str, document: Any, name: str = "acme/fox") -> Imported:
    """What comes of a document; it has no mistake."""
    provider = {"cog": "replicate", "fal": "fal", "openapi": "acme"}[importer]
    found = import_model(importer, document, provider=provider, name=name)
    problems = Problems()
    parsed = yaml.parse(to_yaml(found.file()), "imported", problems)
    assert parsed is not None
    check_documents([parsed], problems, lambda name: REGISTRY.provider(name).spec)
    assert [str(one) for one in problems.errors] == []
    return found


def properties(found: Imported) -> dict[str, Any]:
    """The inputs of an import."""
    found_: dict[str, Any] = found.document["io"]["input_schema"]["properties"]
    return found_


REFUSED = [
    ("cog", "<!doctype html><html>", "a web page"),
    ("cog", [], "is a list, not a JSON object"),
    ("cog", None, "is empty, not a JSON object"),
    ("cog", {}, "no model of Replicate"),
    ("cog", {"detail": "Model not found: a/b"}, "Model not found"),
    ("cog", {"latest_version": None}, "has no version"),
    ("cog", {"latest_version": {"id": "1"}}, "no openapi_schema"),
    ("cog", {"openapi_schema": {}}, "no components.schemas"),
    ("cog", {"openapi_schema": {"components": {"schemas": {}}}}, "no component Input"),
    (
        "cog",
        {"openapi_schema": {"components": {"schemas": {"Request": None}}}},
        "no component Input",
    ),
    (
        "cog",
        {"openapi_schema": {"components": {"schemas": {"Input": {"type": "string"}}}}},
        "no object",
    ),
    ("fal", {}, "neither paths nor components"),
    ("fal", {"detail": "Endpoint not found"}, "Endpoint not found"),
    ("fal", {"paths": {}}, "does not say what it takes"),
    ("fal", {"paths": {"/ /": {"post": {}}}}, "no endpoint of fal"),
    ("fal", {"components": {"schemas": ["x"]}, "paths": {"/a/b": {}}}, "does not say what it"),
    ("openapi", {"swagger": "2.0", "paths": {"/a": {}}}, "Swagger 2.0"),
    ("openapi", {}, "names no version"),
    ("openapi", {"openapi": "4.0.0", "paths": {"/a": {}}}, "'4.0.0'"),
    ("openapi", {"openapi": 4.0, "paths": {"/a": {}}}, "4.0"),
    ("openapi", {"openapi": "3.0.0", "paths": {}}, "no paths"),
    ("openapi", {"openapi": "3.0.0", "paths": {"/a": {"get": {}}, "/b": 3}}, "no operation"),
    ("nothing", {}, "no importer 'nothing'"),
]


@pytest.mark.parametrize(("importer", "document", "told"), REFUSED)
def test_nonsense_is_refused_with_the_reason(importer: str, document: Any, told: str) -> None:
    """As a mistake of the document."""
    with pytest.raises(SpecError, match=told):
        import_model(importer, document, provider="acme", name="acme/fox")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<!DOCTYPE html><title>404</title>", "web page"),
        ('{"a": ', "not JSON"),
        ("[" * 100_000, "not JSON|too deeply"),
        ("a: [" + "[" * 300 + "]" * 300 + "]", "nested deeper"),
        ("a: b: c: d", "neither JSON nor YAML"),
        ("a: !!python/object:os.system {}", "neither JSON nor YAML"),
    ],
)
def test_texts_that_are_no_document_are_refused(text: str, told: str) -> None:
    """Before anything is built of them."""
    with pytest.raises(SpecError, match=told):
        parse_document(text, "it")


def test_a_version_that_yaml_takes_for_a_number_is_one() -> None:
    """``openapi: 3.1`` is what people write."""
    document = parse_document("openapi: 3.1\npaths: {/a: {get: {operationId: a}}}", "it")
    imported = import_model("openapi", document, provider="acme", name="a")
    assert imported.document["execution"]["submit"]["path"] == "/a"


def test_yaml_is_read_as_json_would_be() -> None:
    """A date is a text; a byte order mark is no part of a document."""
    assert parse_document("version: 2025-06-01\non: yes", "it")["version"] == "2025-06-01"
    assert parse_document('\ufeff{"a": 1}', "it") == {"a": 1}


def test_inputs_without_an_order_keep_that_of_the_document() -> None:
    """And x-order wins where it is there."""
    given = {"b": {"x-order": 1}, "z": {}, "a": {"x-order": 0}}
    assert list(properties(imported("cog", cog(given)))) == ["a", "b", "z"]


def test_an_input_without_a_type_takes_anything() -> None:
    """Cog's Any."""
    assert properties(imported("cog", cog({"data": {"description": "Any."}}))) == {
        "data": {"description": "Any."}
    }


def test_enums_with_null_and_type_lists() -> None:
    """Are what they say."""
    given = {
        "a": {"enum": ["x", None]},
        "b": {"type": ["integer", "null"], "default": None},
        "c": {"allOf": [{"$ref": "#/components/schemas/Gone"}]},
    }
    found = imported("cog", cog(given))
    assert properties(found) == {"a": {"enum": ["x", None]}, "b": {"type": ["integer", "null"]},
                                 "c": {}}  # fmt: skip
    assert any("which the document lacks" in note for note in found.notes)


def test_huge_numbers_stay() -> None:
    """A seed of 64 bits, and what is no number of JSON goes."""
    given = {
        "seed": {"type": "integer", "maximum": 2**64 - 1, "default": 2**64 - 1},
        "big": {"type": "number", "maximum": float("inf"), "minimum": float("nan")},
    }
    found = properties(imported("cog", cog(given)))
    assert found["seed"]["maximum"] == found["seed"]["default"] == 2**64 - 1
    assert found["big"] == {"type": "number"}


def test_a_required_input_with_a_default_has_both() -> None:
    """Boards fills it in."""
    document = cog({"prompt": {"type": "string", "default": "a fox"}})
    document["latest_version"]["openapi_schema"]["components"]["schemas"]["Input"]["required"] = [
        "prompt"
    ]
    found = imported("cog", document)
    assert found.document["io"]["input_schema"]["required"] == ["prompt"]
    assert found.document["tests"][0]["input"] == {}


@pytest.mark.parametrize("name", ["top p", "1st", "é", "", "a.b", "image[]"])
def test_a_name_that_is_none_here_is_left_out_or_changed(name: str) -> None:
    """An optional input is left out; a required one is renamed, and sent by its own name."""
    document = cog({"prompt": {"type": "string"}, name: {"type": "string"}})
    found = imported("cog", document)
    assert list(properties(found)) == ["prompt"]
    assert any(repr(name) in note for note in found.notes)
    schemas = document["latest_version"]["openapi_schema"]["components"]["schemas"]
    schemas["Input"]["required"] = [name]
    found = imported("cog", document)
    (renamed,) = properties(found).keys() - {"prompt"}
    sent = found.document["execution"]["submit"]["json"]["input"]
    assert sent[name] == f"${{input.{renamed}}}"


def test_texts_with_our_own_marks_are_no_tokens() -> None:
    """Descriptions, defaults and enums may hold ${ and {{."""
    given = {"template": {"type": "string", "default": "${a} {{b}}", "description": "{{x}} ${y}"}}
    assert properties(imported("cog", cog(given)))["template"]["default"] == "${a} {{b}}"


def test_a_model_without_inputs_and_without_output() -> None:
    """Is a specification all the same; the notes say what is missing."""
    document = cog({})
    schemas = document["latest_version"]["openapi_schema"]["components"]["schemas"]
    schemas["Input"] = {"type": "object"}
    del schemas["Output"]
    found = imported("cog", document)
    assert properties(found) == {}
    assert "the document has no component Output" in found.notes


def test_the_first_cog_had_its_input_inside_the_request() -> None:
    """And a bare list as output."""
    schemas = {
        "Request": {"properties": {"input": {"$ref": "#/components/schemas/In"}}},
        "In": {"properties": {"text": {"type": "string"}}},
        "Response": {"properties": {"output": {"type": "array", "items": {"type": "string"}}}},
    }
    document = {"id": "c0ffee", "openapi_schema": {"components": {"schemas": schemas}}}
    found = imported("cog", document)
    assert (list(properties(found)), found.document["artifact_type"]) == (["text"], "text")


def test_official_models_run_by_name_and_others_by_version() -> None:
    """Where nobody says which, the version is pinned, and the notes say so."""
    official = imported("cog", cog(is_official=True)).document["execution"]["submit"]
    assert official["path"] == "/models/acme/fox/predictions"
    assert "version" not in official["json"]
    community = imported("cog", cog(is_official=False))
    assert community.document["execution"]["submit"]["json"]["version"] == "c0ffee"
    assert community.notes == (
        "artifact_type cannot be told from the document: intermediate is written",
    )
    assert any("official" in note for note in imported("cog", cog()).notes)


def test_a_version_that_cannot_be_named_needs_an_official_model() -> None:
    """A Cog image by itself tells no version."""
    document = cog()["latest_version"]["openapi_schema"]
    submit = imported("cog", document).document["execution"]["submit"]
    assert submit["path"] == "/models/acme/fox/predictions"
    with pytest.raises(SpecError, match="owner/name"):
        import_model("cog", document, provider="replicate", name="fox")


def test_fal_lists_files_of_references_in_its_own_order() -> None:
    """With null beside them, as pydantic 2 writes it."""
    schema = {
        "type": "object",
        "required": ["image_urls"],
        "x-fal-order-properties": ["image_urls", "seed"],
        "properties": {
            "seed": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "image_urls": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        },
    }
    found = imported("fal", fal(schema))
    assert list(properties(found)) == ["image_urls", "seed"]
    assert properties(found)["seed"] == {"type": ["integer", "null"]}
    assert len(found.document["tests"][0]["input"]["image_urls"]) == 2


def test_alternatives_of_whole_inputs_have_all_their_names() -> None:
    """Names of every branch; what one branch demands, that branch demands."""
    schema = {
        "oneOf": [
            {"type": "object", "required": ["a", "c"],
             "properties": {"a": {"type": "string"}, "c": {"type": "integer", "default": 1}}},
            {"type": "object", "required": ["b", "c"],
             "properties": {"b": {"type": "string"}, "c": {"type": "integer"}}},
        ]
    }  # fmt: skip
    found = imported("fal", fal(schema))
    assert list(properties(found)) == ["a", "c", "b"]
    assert found.document["io"]["input_schema"]["required"] == ["c"]
    assert len(found.document["io"]["input_schema"]["oneOf"]) == 2
    assert found.document["tests"]


def test_open_inputs_are_closed_and_told() -> None:
    """What has no name cannot be sent."""
    found = imported("fal", fal({"type": "object", "additionalProperties": True}))
    assert "additionalProperties" not in found.document["io"]["input_schema"]
    assert any("further inputs" in note for note in found.notes)


@pytest.mark.parametrize("importer", ["cog", "fal", "openapi"])
def test_a_schema_that_is_but_a_reference_to_itself_is_no_endless_one(importer: str) -> None:
    """It says nothing, and is refused or takes anything."""
    loop = {"$ref": "#/components/schemas/Input"}
    document = {"openapi": "3.1.0", "components": {"schemas": {"Input": loop}}}
    content = {"application/json": {"schema": loop}}
    document["paths"] = {"/acme/fox": {"post": {"requestBody": {"content": content}}}}
    if importer == "cog":
        document = {"latest_version": {"id": "1", "openapi_schema": document}}
    with contextlib.suppress(SpecError):
        import_model(importer, document, provider="acme", name="acme/fox")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "properties", "items", "anyOf", "allOf", "enum", "default", "format", "$ref",
             "required", "nullable", "minimum", "description", "title", "x-order", "pattern",
             "additionalProperties", "examples", "oneOf", "not", "const", "maxItems", "a", "url"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON, JSON)
def test_no_schema_crashes_an_importer(takes: Any, gives: Any) -> None:
    """Whatever it is, it is imported without a mistake, or refused."""
    for importer, document in (
        ("cog", cog({"x": takes, "image": {"type": "string"}}, gives)),
        ("fal", fal(takes, gives)),
        ("openapi", openapi(
            requestBody={"content": {"application/json": {"schema": takes}}},
            responses={"200": {"content": {"application/json": {"schema": gives}}}},
        )),
    ):  # fmt: skip
        try:
            imported(importer, document)
        except SpecError as error:
            assert error.message  # noqa: PT017  # both ends are right


@given(JSON)
def test_no_document_crashes_an_importer(document: Any) -> None:
    """Nonsense is refused as such."""
    for importer in ("cog", "fal", "openapi"):
        for wrapped in (document, {"openapi": "3.0.0", "paths": {"/a": {"post": document}}},
                        {"openapi_schema": {"components": {"schemas": document}}}):  # fmt: skip
            try:
                import_model(importer, wrapped, provider="acme", name="acme/fox")
            except SpecError as error:
                assert json.dumps(error.as_dict())  # noqa: PT017
