"""fal's endpoints: the OpenAPI document of an endpoint's queue.

``GET https://fal.ai/api/openapi/queue/openapi.json?endpoint_id=...``, or an item of
``GET https://api.fal.ai/v1/models?expand=openapi-3.0``.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from boards.errors import SpecError
from boards.spec.importers.generators import body_of, generator_name, head, line, succeeding
from boards.spec.importers.imported import Imported
from boards.spec.importers.inputs import Inputs, inputs_of
from boards.spec.importers.media import MediaKind
from boards.spec.importers.outputs import Outputs, find_outputs, outputs_of
from boards.spec.importers.samples import sample_of
from boards.spec.importers.schemas import Notes, Schemas, types_of

__all__ = ["import_fal"]

_ENDPOINT = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)+")
_QUEUE: Final = "https://queue.fal.run"
_JOB: Final = "764cabcf-b745-4b3e-ae38-1200304cf45b"
_MOST_REFERENCES: Final = 8
"""How often a reference may lead to another: some lead back to themselves."""
_NAMESPACES: Final = ("workflows", "comfy")
_MADE: Final[dict[str, MediaKind]] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "speech": "audio",
    "music": "audio",
    "3d": "model",
    "training": "model",
    "text": "text",
    "json": "text",
    "llm": "text",
    "vision": "text",
}
"""fal's categories, by what stands last in them: ``image-to-3d``, ``training``."""


def import_fal(
    document: Mapping[str, Any], *, provider: str, name: str, generator: str | None = None
) -> Imported:
    """A generator from fal's document of an endpoint: see :func:`import_model`.

    Raises:
        SpecError: It describes no endpoint of a queue.
    """
    notes = Notes()
    document = _unwrapped(document, name)
    info = document.get("info")
    info = info if isinstance(info, Mapping) else {}
    metadata = info.get("x-fal-metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    endpoint = _endpoint(document, metadata, name)
    schemas = Schemas(document, notes)
    takes = schemas.plain(_input(document, endpoint), "")
    if not types_of(takes) <= {"object"}:
        raise SpecError(f"The input of {endpoint} is no object: it has no inputs to name.")
    order = {one: number for number, one in enumerate(_ordered(document, schemas, endpoint, takes))}
    inputs = inputs_of(takes, notes, order=lambda key, _: order.get(key, len(order)))
    gives = schemas.plain(_output(document, endpoint, notes), "output")
    category = metadata.get("category")
    told = _MADE.get(category.rpartition("-")[2]) if isinstance(category, str) else None
    outputs = outputs_of(gives, notes, told=told, described=(endpoint,), expires="168h")
    execution = _execution(endpoint, inputs)
    title = line(info.get("title"))
    written = {
        **head(
            name=generator or generator_name(endpoint),
            provider=provider,
            display_name=endpoint,
            description="" if title.startswith("Queue OpenAPI") else title,
            docs=f"https://fal.ai/models/{endpoint}/api",
            tags=[category] if isinstance(category, str) and category else [],
            inputs=inputs,
            outputs=outputs,
        ),
        "execution": {**execution, "extract": outputs.extract},
    }
    tests = _fixtures(endpoint, execution, inputs, outputs, gives, notes)
    version = info.get("version")
    return Imported(
        {**written, "tests": tests} if tests else written,
        notes.kept(),
        version if isinstance(version, str) else None,
    )


def _unwrapped(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The OpenAPI document: by itself, in a model of the catalogue, or in a page of one model."""
    models = document.get("models")
    if isinstance(models, list) and len(models) == 1 and isinstance(models[0], Mapping):
        document = models[0]
    if isinstance(document.get("openapi"), Mapping):
        document = document["openapi"]
    if not isinstance(document.get("components"), Mapping) and not isinstance(
        document.get("paths"), Mapping
    ):
        told = document.get("detail")
        raise SpecError(
            f"The document of {name} is no OpenAPI of fal: it has neither paths nor components"
            f"{f'; it says {told[:200]!r}' if isinstance(told, str) else ''}."
        )
    return document


def _endpoint(document: Mapping[str, Any], metadata: Mapping[str, Any], name: str) -> str:
    told = metadata.get("endpointId")
    endpoint = told if isinstance(told, str) and told else ""
    if not endpoint:
        posts = [
            path.strip("/")
            for path, item in _paths(document).items()
            if isinstance(item, Mapping) and "post" in item
        ]
        endpoint = posts[0] if len(posts) == 1 else name
    if not _ENDPOINT.fullmatch(endpoint):
        raise SpecError(f"{endpoint!r} is no endpoint of fal; one is called fal-ai/flux/dev.")
    return endpoint


def _paths(document: Mapping[str, Any]) -> Mapping[str, Any]:
    paths = document.get("paths")
    return paths if isinstance(paths, Mapping) else {}


def _at(tree: Any, *steps: str) -> Any:
    for step in steps:
        tree = tree.get(step) if isinstance(tree, Mapping) else None
    return tree


def _component(document: Mapping[str, Any], ending: str) -> Any:
    """The component that ends so, where there is one: documents without paths have no other way."""
    schemas = _at(document, "components", "schemas")
    listed = schemas.items() if isinstance(schemas, Mapping) else ()
    found = [schema for key, schema in listed if str(key).endswith(ending)]
    return found[0] if len(found) == 1 else None


def _input(document: Mapping[str, Any], endpoint: str) -> Any:
    item = _paths(document).get(f"/{endpoint}")
    schema = _at(item, "post", "requestBody", "content", "application/json", "schema")
    schema = schema if schema is not None else _component(document, "Input")
    if schema is None:
        raise SpecError(
            f"The document of {endpoint} does not say what it takes: it has no POST /{endpoint} "
            "with a JSON body, and not one component whose name ends in Input."
        )
    return schema


def _output(document: Mapping[str, Any], endpoint: str, notes: Notes) -> Any:
    item = _paths(document).get(f"/{endpoint}/requests/{{request_id}}")
    schema = _at(item, "get", "responses", "200", "content", "application/json", "schema")
    schema = schema if schema is not None else _component(document, "Output")
    if schema is None:
        notes.add("", "the document does not say what the endpoint gives")
        return {}
    return schema


def _ordered(
    document: Mapping[str, Any], schemas: Schemas, endpoint: str, takes: Mapping[str, Any]
) -> list[str]:
    """The names of the inputs as fal orders them: what is required first, where it says nothing."""
    schema, followed = _input(document, endpoint), 0
    while isinstance(schema, Mapping) and "$ref" in schema and followed < _MOST_REFERENCES:
        schema, followed = schemas.target(schema["$ref"]), followed + 1
    told = schema.get("x-fal-order-properties") if isinstance(schema, Mapping) else None
    if isinstance(told, list):
        return [one for one in told if isinstance(one, str)]
    return list(takes.get("required", ()))


def _execution(endpoint: str, inputs: Inputs) -> dict[str, Any]:
    captured = {"id": "body.request_id"}
    captured |= {name: f"body.{name}" for name in ("status_url", "response_url", "cancel_url")}
    return {
        "type": "rest",
        "submit": {
            "method": "POST",
            "base": "queue_url",
            "path": f"/{endpoint}",
            "query": {"fal_webhook": "${run.webhook_url?}"},
            "json": body_of(inputs),
            "capture": captured,
        },
        "poll": {
            "method": "GET",
            "url": "${job.status_url}",
            "query": {"logs": "1"},
            "every": "500ms",
            "max_every": "5s",
        },
        "result": {"method": "GET", "url": "${job.response_url}"},
    }


def _app(endpoint: str) -> str:
    """The part of an endpoint's id that addresses of its requests carry."""
    parts = endpoint.split("/")
    return "/".join(parts[: 3 if parts[0] in _NAMESPACES else 2])


def _fixtures(
    endpoint: str,
    execution: dict[str, Any],
    inputs: Inputs,
    outputs: Outputs,
    gives: Mapping[str, Any],
    notes: Notes,
) -> list[dict[str, Any]]:
    given = inputs.sample(inputs.examples(), notes)
    if given is None:
        return []
    url = f"{_QUEUE}/{_app(endpoint)}/requests/{_JOB}"
    queued = {
        "expect": {
            "method": "POST",
            "path": execution["submit"]["path"],
            "json": inputs.sent(given),
        },
        "reply": {
            "status": 200,
            "json": {
                "status": "IN_QUEUE",
                "request_id": _JOB,
                "response_url": url,
                "status_url": f"{url}/status",
                "cancel_url": f"{url}/cancel",
                "queue_position": 0,
            },
        },
    }
    completed = {
        "expect": {"method": "GET", "url": f"{url}/status", "query": {"logs": "1"}},
        "reply": {
            "status": 200,
            "json": {"status": "COMPLETED", "request_id": _JOB, "logs": []},
        },
    }
    result = {"method": "GET", "url": url}
    tests = []
    output = json.loads(json.dumps(sample_of(gives, "output")))
    found = find_outputs(outputs.extract, outputs.artifact_type, output)
    if found:
        last = {"expect": result, "reply": {"status": 200, "json": output}}
        tests.append(succeeding(given, [queued, completed, last], found))
    else:
        notes.add("", "no sample output could be made: there is no fixture of a success")
    begun = {"expect": {"method": "POST"}, "reply": queued["reply"]}
    detail = [{"loc": ["body"], "msg": "The input is invalid.", "type": "value_error"}]
    refused = {"expect": result, "reply": {"status": 422, "json": {"detail": detail}}}
    return [
        *tests,
        {
            "name": "an input that the model refuses",
            "input": given,
            "exchanges": [begun, completed, refused],
            "raises": "invalid_input",
        },
    ]
