"""One operation of any OpenAPI 3 document."""

from pathlib import Path
from typing import Any

import pytest
from tests.documents import DATA

from boards.errors import SpecError
from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.importers import Imported, import_model
from boards.spec.importers.reading import parse_document
from boards.spec.places import Problems
from boards.spec.writing import to_yaml
from boards.testing.fixtures import run_fixtures

STUDIO = parse_document((DATA / "studio.yaml").read_text(), "studio.yaml")
OPERATIONS = [
    "createImage", "editImage", "POST /speech/{voice_id}", "createVideo", "describe", "translate"
]  # fmt: skip


def studio(operation: str) -> Imported:
    """An operation of the made-up API."""
    return import_model("openapi", STUDIO, provider="studio", name=operation)


def submit(operation: str) -> dict[str, Any]:
    """How it is sent."""
    found: dict[str, Any] = studio(operation).document["execution"]["submit"]
    return found


def api(operation: dict[str, Any] | None = None, **more: Any) -> Imported:
    """An API of one operation."""
    document = {"openapi": "3.0.0", "paths": {"/draw": {"post": operation or {}}}, **more}
    return import_model("openapi", document, provider="2-d", name="POST /draw")


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_operation_checks_and_its_fixtures_pass(operation: str) -> None:
    """With the provider that comes of the same document."""
    found = studio(operation)
    problems = Problems()
    parsed = yaml.parse(to_yaml(found.file()), "studio", problems)
    assert parsed is not None
    check_documents([parsed], problems)
    assert problems.errors == []
    results = await run_fixtures(
        [f"studio/{found.document['name']}"],
        generators=[found.document],
        providers=found.providers,
    )
    assert [(one.name, one.problems) for one in results if one.problems] == []
    assert len(results) == 2


@pytest.mark.parametrize("media_type", ["multipart/form-data", "application/json"])
async def test_fixtures_know_defaults_and_how_values_are_written(media_type: str) -> None:
    """A default in the path, true and false in texts, and lists as parts of one name."""
    texts = {"type": "array", "items": {"type": "string"}, "default": ["a", "b"]}
    properties = {
        "hd": {"type": "boolean", "default": True},
        "scale": {"type": "number", "default": 0.5},
        "tags": texts,
        "one": {**texts, "default": ["a"]},
        "none": {**texts, "default": []},
    }
    schema = {"type": "object", "properties": properties}
    version = {"name": "version", "in": "path", "required": True, "schema": {"default": "v 1"}}
    safe = {"name": "safe", "in": "path", "required": True, "schema": {"type": "boolean"}}
    operation = {
        "parameters": [version, safe],
        "requestBody": {"required": True, "content": {media_type: {"schema": schema}}},
        "responses": {"200": {"content": {"image/png": {}}}},
    }
    document = {"openapi": "3.1.0", "paths": {"/{version}/{safe}/draw": {"post": operation}}}
    found = import_model("openapi", document, provider="acme", name="", generator="draw")
    success = found.document["tests"][0]["exchanges"][0]
    assert success["expect"]["path"].startswith("/v%201/")
    results = await run_fixtures(
        ["acme/draw"], generators=[found.document], providers=found.providers
    )
    assert [(one.name, one.problems) for one in results if one.problems] == []


def test_the_provider_comes_of_servers_and_security() -> None:
    """A variable of the address has its default."""
    assert studio("createImage").providers == {
        "studio": {
            "display_name": "Studio",
            "description": "Images, speech and more.",
            "docs": "https://studio.example/docs",
            "setup": "Set STUDIO_API_KEY.",
            "config": {
                "base_url": "https://eu.studio.example/v1",
                "api_key_env": "STUDIO_API_KEY",
            },
            "auth": {"kind": "bearer"},
        }
    }


@pytest.mark.parametrize(
    ("scheme", "auth"),
    [
        ({"type": "http", "scheme": "Bearer"}, {"kind": "bearer"}),
        ({"type": "http", "scheme": "basic"}, {"kind": "basic"}),
        ({"type": "apiKey", "in": "query", "name": "key"}, {"kind": "query", "name": "key"}),
        ({"type": "apiKey", "in": "header", "name": "X-Key"}, {"kind": "header", "name": "X-Key"}),
        (
            {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Fal Key"},
            {"kind": "header", "name": "Authorization", "prefix": "Key "},
        ),
        ({"type": "oauth2", "flows": {}}, {"kind": "bearer"}),
        ({"type": "mutualTLS"}, {"kind": "bearer"}),
        ({"type": "apiKey", "in": "cookie", "name": "sid"}, {"kind": "bearer"}),
    ],
)
def test_security_becomes_auth(scheme: dict[str, Any], auth: dict[str, str]) -> None:
    """What has no equal is written as bearer, and told."""
    found = api(security=[{"s": []}], components={"securitySchemes": {"s": scheme}})
    provider = found.providers["2-d"]
    assert provider["auth"] == auth
    assert provider["config"]["api_key_env"] == "API_2_D_API_KEY"


def test_a_choice_without_security_needs_no_key() -> None:
    """And an operation's own security wins."""
    assert api({"security": []}, security=[{"s": []}]).providers["2-d"]["auth"] == {"kind": "none"}
    assert studio("describe").providers["studio"]["auth"] == {"kind": "none"}
    assert submit("POST /speech/{voice_id}")["path"] == "/speech/${input.voice_id_path}"


def test_an_address_that_is_missing_or_relative_is_told() -> None:
    """So that one knows what to complete."""
    assert "the document names no server: complete base_url" in api().notes
    found = api(servers=[{"url": "/v2"}])
    assert found.providers["2-d"]["config"]["base_url"] == "https://api.example.com/v2"
    assert any("relative" in note for note in found.notes)


def test_parameters_stand_where_they_belong() -> None:
    """Path, query and header; what cannot be sent is told."""
    found = studio("POST /speech/{voice_id}")
    sent = found.document["execution"]["submit"]
    assert sent["query"] == {"output_format": "${input.output_format}"}
    assert sent["headers"] == {"X-Trace": "${input.X-Trace}", "Accept": "audio/mpeg"}
    assert sent["accept"] == "binary"
    assert found.document["execution"]["extract"]["outputs"] == [
        {"from": "body", "as": "bytes", "mime": "audio/mpeg"}
    ]
    assert any(note.startswith("tags: a list") for note in found.notes)
    assert any(note.startswith("session: a cookie") for note in found.notes)


def test_files_go_as_parts() -> None:
    """And mappings as JSON text."""
    assert submit("editImage")["multipart"] == {
        "image": "${input.image|bytes}",
        "mask": "${input.mask?|bytes}",
        "prompt": "${input.prompt}",
        "style": "${input.style?|json}",
    }
    assert submit("describe")["body"] == "${input.file|bytes}"
    assert submit("translate")["form"]["languages"] == "${input.languages?|json}"


def test_addresses_and_base64_of_a_reply_are_outputs() -> None:
    """Whichever of them is there."""
    found = studio("createImage")
    outputs = found.document["execution"]["extract"]["outputs"]
    assert [(one["from"], one["as"]) for one in outputs] == [
        ("body.data[*].url", "url"),
        ("body.data[*].b64_json", "base64"),
    ]
    assert "stream" not in found.document["io"]["input_schema"]["properties"]
    assert found.document["name"] == "create-image"


def test_a_receipt_cannot_be_told_and_that_is_told() -> None:
    """202 makes it likely."""
    notes = studio("createVideo").notes
    assert any("202 Accepted" in note for note in notes)
    assert any("OpenAPI cannot say whether a reply is the result" in note for note in notes)


def test_an_operation_is_chosen_by_id_or_by_method_and_path() -> None:
    """Else the document's operations are listed."""
    assert submit("post /videos")["path"] == "/videos"
    with pytest.raises(SpecError, match=r"There is no operation .createImages.") as caught:
        studio("createImages")
    assert "createImage" in (caught.value.remedy or "")


def test_an_id_that_two_operations_have_is_refused() -> None:
    """One of them is named by method and path."""
    twice = {"/a": {"post": {"operationId": "x"}}, "/b": {"post": {"operationId": "x"}}}
    with pytest.raises(SpecError, match="POST /a and POST /b"):
        import_model("openapi", {"openapi": "3.0.0", "paths": twice}, provider="acme", name="x")


def test_references_lead_to_parameters_bodies_replies_and_paths() -> None:
    """Each may stand in the components."""
    document = {
        "openapi": "3.1.0",
        "paths": {"/draw": {"$ref": "#/components/pathItems/draw"}},
        "components": {
            "pathItems": {
                "draw": {
                    "post": {
                        "parameters": [{"$ref": "#/components/parameters/size"}],
                        "requestBody": {"$ref": "#/components/requestBodies/draw"},
                        "responses": {"200": {"$ref": "#/components/responses/image"}},
                    }
                }
            },
            "parameters": {"size": {"name": "size", "in": "query", "schema": {"type": "integer"}}},
            "requestBodies": {"draw": {"content": {"text/plain": {"schema": {"type": "string"}}}}},
            "responses": {"image": {"content": {"image/png": {}}}},
        },
    }
    found = import_model("openapi", document, provider="acme", name="POST /draw")
    assert found.document["execution"]["submit"] == {
        "method": "POST",
        "path": "/draw",
        "query": {"size": "${input.size?}"},
        "headers": {"Content-Type": "text/plain", "Accept": "image/png"},
        "body": "${input.body?}",
        "accept": "binary",
    }


def test_a_body_that_is_no_object_is_one_input() -> None:
    """A list, say."""
    schema = {"type": "array", "items": {"type": "string"}}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    found = api({"requestBody": body})
    assert found.document["execution"]["submit"]["json"] == "${input.body}"


def test_the_data_is_here() -> None:
    """The document of these tests is part of the repository."""
    assert Path(DATA / "studio.yaml").is_file()
