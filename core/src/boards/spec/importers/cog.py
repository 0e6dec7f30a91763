"""Replicate's models: documents of Cog, of every age.

Read are the answers of ``GET /models/{owner}/{name}`` and of ``.../versions/{id}``, and the
``/openapi.json`` of a Cog image. https://replicate.com/docs/reference/http#models.get
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from boards.errors import SpecError
from boards.spec.importers.generators import (
    body_of,
    generator_name,
    head,
    line,
    succeeding,
    text_of,
)
from boards.spec.importers.imported import Imported
from boards.spec.importers.inputs import Inputs, inputs_of
from boards.spec.importers.outputs import Outputs, find_outputs, outputs_of
from boards.spec.importers.samples import sample_of
from boards.spec.importers.schemas import Notes, Schemas, types_of

__all__ = ["import_cog"]

_LAST: Final = 1_000_000
_LARGEST_SAMPLE: Final = 6_000
_JOB: Final = "ufawqhfynnddngldkgtslldrkq"
_MODEL = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")


def import_cog(
    document: Mapping[str, Any], *, provider: str, name: str, generator: str | None = None
) -> Imported:
    """A generator from Replicate's document of a model: see :func:`import_model`.

    Raises:
        SpecError: It describes no model, or one without a version.
    """
    notes = Notes()
    version = _version(document, name)
    openapi = _openapi(version, name)
    schemas = Schemas(openapi, notes)
    model = _model_name(document, name)
    example = document.get("default_example")
    example = example if isinstance(example, Mapping) else {}
    components = openapi["components"]["schemas"]
    takes = schemas.plain(_input(components, name), "")
    if not types_of(takes) <= {"object"}:
        raise SpecError(f"Input of {name} is no object: it has no inputs to name.")
    _show(takes, example.get("input"))
    inputs = _undescribed(inputs_of(takes, notes, order=_order))
    gives = schemas.plain(_output(components, notes), "Output")
    sample = example.get("output")
    outputs = outputs_of(
        gives,
        notes,
        path="body.output",
        sample=sample,
        described=(model.rpartition("/")[2], text_of(document.get("description"))),
        expires="1h",
    )
    version_id = version.get("id")
    pinned = isinstance(version_id, str) and version_id not in ("", "hidden")
    official = document.get("is_official")
    if official is None and "latest_version" in document and pinned:
        notes.add("", "the document does not say whether the model is official: version is pinned")
    execution = _execution(model, version_id if pinned and official is not True else None, inputs)
    written = {
        **head(
            name=generator or generator_name(model),
            provider=provider,
            display_name=model.rpartition("/")[2],
            description=line(document.get("description")),
            docs=_docs(document, model),
            tags=(),
            inputs=inputs,
            outputs=outputs,
        ),
        "execution": {**execution, "extract": outputs.extract},
    }
    tests = _fixtures(execution, inputs, outputs, gives, example, notes)
    return Imported(
        {**written, "tests": tests} if tests else written,
        notes.kept(),
        version_id if pinned else None,
        text_of(version.get("created_at")) or None,
    )


def _version(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The part that describes a version."""
    if "latest_version" in document:
        version = document["latest_version"]
        if not isinstance(version, Mapping):
            raise SpecError(f"The model {name} has no version: there is nothing to run.")
        return version
    if "openapi_schema" in document:
        return document
    if "openapi" in document or "components" in document:
        return {"openapi_schema": document}
    told = text_of(document.get("detail") or document.get("title"))
    raise SpecError(
        f"The document of {name} is no model of Replicate: it has neither latest_version nor "
        f"openapi_schema{f'; it says {told[:200]!r}' if told else ''}."
    )


def _openapi(version: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    openapi = version.get("openapi_schema")
    if not isinstance(openapi, Mapping):
        raise SpecError(f"The version of {name} has no openapi_schema: its inputs are unknown.")
    components = openapi.get("components")
    schemas = components.get("schemas") if isinstance(components, Mapping) else None
    if not isinstance(schemas, Mapping):
        raise SpecError(f"The OpenAPI of {name} has no components.schemas: its inputs are unknown.")
    return openapi


def _input(components: Mapping[str, Any], name: str) -> Any:
    """``Input``; Cog before 0.4 had it inside ``Request``."""
    if "Input" in components:
        return components["Input"]
    for outer in ("PredictionRequest", "Request"):
        properties = _properties(components.get(outer))
        if "input" in properties:
            return properties["input"]
    raise SpecError(f"The OpenAPI of {name} has no component Input: its inputs are unknown.")


def _output(components: Mapping[str, Any], notes: Notes) -> Any:
    if "Output" in components:
        return components["Output"]
    for outer in ("PredictionResponse", "Response"):
        properties = _properties(components.get(outer))
        if "output" in properties:
            return properties["output"]
    notes.add("", "the document has no component Output")
    return {}


def _properties(schema: Any) -> Mapping[str, Any]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return properties if isinstance(properties, Mapping) else {}


def _model_name(document: Mapping[str, Any], name: str) -> str:
    """``owner/name``, of the document or as asked for."""
    owner, own = document.get("owner"), document.get("name")
    if isinstance(owner, str) and isinstance(own, str):
        name = f"{owner}/{own}"
    return name.partition(":")[0]


def _docs(document: Mapping[str, Any], model: str) -> str:
    url = document.get("url")
    if isinstance(url, str) and url.startswith("https://"):
        return f"{url}/api"
    return f"https://replicate.com/{model}/api" if _MODEL.fullmatch(model) else ""


def _order(key: str, schema: Mapping[str, Any]) -> int:
    place = schema.get("x-order")
    return place if isinstance(place, int) else _LAST


def _show(takes: Mapping[str, Any], example: Any) -> None:
    """Put the example's values to the properties that they are of."""
    for key, schema in takes.get("properties", {}).items():
        if isinstance(example, Mapping) and example.get(key) is not None:
            schema["examples"] = [example[key]]


def _undescribed(inputs: Inputs) -> Inputs:
    """Without what Cog says of every enum."""
    for one in inputs.given:
        if one.schema.get("description") in ("An enumeration.", ""):
            del one.schema["description"]
    return inputs


def _execution(model: str, version: str | None, inputs: Inputs) -> dict[str, Any]:
    body: dict[str, Any] = {"input": body_of(inputs), "webhook": "${run.webhook_url?}"}
    if version is not None:
        submit = {"method": "POST", "path": "/predictions", "json": {"version": version, **body}}
    elif _MODEL.fullmatch(model):
        submit = {"method": "POST", "path": f"/models/{model}/predictions", "json": body}
    else:
        raise SpecError(
            f"Without a version, {model!r} cannot be run: an official model is called owner/name."
        )
    return {
        "type": "rest",
        "submit": {**submit, "capture": {"id": "body.id"}},
        "poll": {"method": "GET", "path": "/predictions/${job.id}", "every": "1s"},
    }


def _fixtures(
    execution: dict[str, Any],
    inputs: Inputs,
    outputs: Outputs,
    gives: Mapping[str, Any],
    example: Mapping[str, Any],
    notes: Notes,
) -> list[dict[str, Any]]:
    given = inputs.sample(example.get("input"), notes)
    if given is None:
        return []
    submit = execution["submit"]
    rest = {key: value for key, value in submit["json"].items() if key == "version"}
    accepted = {
        "expect": {
            "method": "POST",
            "path": submit["path"],
            "json": {**rest, "input": inputs.sent(given)},
        },
        "reply": {"status": 201, "json": _prediction("starting", None)},
    }
    polled = {"method": "GET", "path": f"/predictions/{_JOB}"}
    tests = []
    for output in (example.get("output"), sample_of(gives, "output")):
        found = find_outputs(outputs.extract, outputs.artifact_type, {"output": output})
        if found and len(json.dumps(output)) <= _LARGEST_SAMPLE:
            reply = {"status": 200, "json": _prediction("succeeded", output)}
            tests.append(succeeding(given, [accepted, {"expect": polled, "reply": reply}], found))
            break
    if not tests:
        notes.add("", "no sample output could be made: there is no fixture of a success")
    begun = {"expect": {"method": "POST"}, "reply": accepted["reply"]}
    failed = {**_prediction("failed", None), "error": "CUDA out of memory."}
    return [
        *tests,
        {
            "name": "the model fails",
            "input": given,
            "exchanges": [begun, {"expect": polled, "reply": {"status": 200, "json": failed}}],
            "raises": "provider",
        },
    ]


def _prediction(status: str, output: Any) -> dict[str, Any]:
    return {"id": _JOB, "status": status, "output": output, "error": None}
