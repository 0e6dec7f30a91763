"""The endpoints that the emulator knows, and the documents that fal publishes of them.

The data files hold what differs between endpoints: the category, the input, the output and the
components that they name. Some are fal's own documents (flux-2, flux-kontext, playai, the
variants of flux/dev and flux-lora), the others were written from published field tables. What all
documents share (paths, queue status, security) is built here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from attrs import evolve, frozen

STOCK = "fal-ai/flux/dev"
"""What an unknown endpoint runs, unless the emulator is strict."""

REFERENCE = "#/components/schemas/"
NAMESPACES = ("workflows", "comfy")


def app_of(endpoint_id: str) -> str:
    """The `{namespace/}owner/alias` of an endpoint: its path counts only when submitting.

    `fal-ai/flux/dev` -> `fal-ai/flux`; the legacy `12345-my-app` -> `12345/my-app`.
    """
    if match := re.fullmatch(r"(\d+)-([A-Za-z0-9-]+)", endpoint_id):
        return f"{match[1]}/{match[2]}"
    parts = endpoint_id.split("/")
    return "/".join(parts[: 3 if parts[0] in NAMESPACES else 2])


@frozen
class Endpoint:
    """One endpoint: its id, category, and the JSON Schemas of what it takes and gives.

    Attributes:
        id: The whole id, such as `fal-ai/flux/dev`.
        category: fal's word for what it does, such as `text-to-image`.
        input: The schema of the input, which may refer to `components`.
        output: The schema of the output, likewise.
        components: The schemas that both refer to, by name.
        stock: Whether this stands in for an endpoint that the emulator does not know.
    """

    id: str
    category: str
    input: Mapping[str, Any]
    output: Mapping[str, Any]
    components: Mapping[str, Any]
    stock: bool = False

    @property
    def app(self) -> str:
        """The owner and alias, which URLs of requests carry."""
        return app_of(self.id)

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow `$ref`, or the single `allOf` that pydantic wraps around one."""
        for part in (schema, *schema.get("allOf", ())):
            if "$ref" in part:
                target: Mapping[str, Any] = self.components[part["$ref"].removeprefix(REFERENCE)]
                return target
        return schema

    def input_schema(self) -> dict[str, Any]:
        """The input's schema with the components in it: complete, for a validator."""
        return {**self.input, "components": {"schemas": self.components}}

    def metadata(self) -> dict[str, str]:
        """What the document says of the endpoint in `x-fal-metadata`."""
        page = f"https://fal.ai/models/{self.id}"
        return {
            "endpointId": self.id,
            "category": self.category,
            "playgroundUrl": page,
            "documentationUrl": f"{page}/api",
        }

    def document(self) -> dict[str, Any]:
        """The OpenAPI document, as fal answers it."""
        name = "".join(
            part[:1].upper() + part[1:]
            for part in re.split(r"[^A-Za-z0-9]+", self.id.removeprefix("fal-ai/"))
        )
        request = f"/{self.id}/requests/{{request_id}}"
        return {
            "openapi": "3.0.4",
            "info": {
                "title": f"Queue OpenAPI for {self.id}",
                "version": "1.0.0",
                "description": f"The OpenAPI schema for the {self.id} queue.",
                "x-fal-metadata": self.metadata(),
            },
            "components": {
                "securitySchemes": {
                    "apiKeyAuth": {
                        "type": "apiKey",
                        "in": "header",
                        "name": "Authorization",
                        "description": "Fal Key",
                    }
                },
                "schemas": {
                    "QueueStatus": QUEUE_STATUS,
                    f"{name}Input": self.input,
                    f"{name}Output": self.output,
                    **self.components,
                },
            },
            "paths": {
                f"{request}/status": {
                    "get": {
                        "parameters": [REQUEST_ID, LOGS],
                        "responses": _answer("The request status.", _reference("QueueStatus")),
                    }
                },
                f"{request}/cancel": {
                    "put": {
                        "parameters": [REQUEST_ID],
                        "responses": _answer("The request was cancelled.", CANCELLED),
                    }
                },
                f"/{self.id}": {
                    "post": {
                        "requestBody": {
                            "required": True,
                            "content": {"application/json": {"schema": _reference(f"{name}Input")}},
                        },
                        "responses": _answer("The request status.", _reference("QueueStatus")),
                    }
                },
                request: {
                    "get": {
                        "parameters": [REQUEST_ID],
                        "responses": _answer("Result of the request.", _reference(f"{name}Output")),
                    }
                },
            },
            "servers": [{"url": "https://queue.fal.run"}],
            "security": [{"apiKeyAuth": []}],
        }


@cache
def endpoints() -> Mapping[str, Endpoint]:
    """Every known endpoint by id, in the order of their ids."""
    shared = _data("components.json")
    return {
        name: Endpoint(
            id=name,
            category=entry["category"],
            input=entry["input"],
            output=entry["output"],
            components=_closure(entry, {**shared, **entry.get("components", {})}),
        )
        for name, entry in _data("endpoints.json").items()
    }


def stock(endpoint_id: str) -> Endpoint:
    """The endpoint that stands in for one that is not known: text to image."""
    return evolve(endpoints()[STOCK], id=endpoint_id, stock=True)


def _data(name: str) -> dict[str, Any]:
    text = (resources.files("boards.testing.emulators") / "data" / "fal" / name).read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _closure(entry: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """The components that an entry's schemas refer to, and those that these refer to."""
    found: dict[str, Any] = {}
    pending = [entry["input"], entry["output"]]
    while pending:
        for name in _references(pending.pop()):
            if name not in found:
                found[name] = components[name]
                pending.append(components[name])
    return found


def _references(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(target := node.get("$ref"), str):
            yield target.removeprefix(REFERENCE)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE + name}


def _answer(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"200": {"description": description, "content": content}}


QUEUE_STATUS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]},
        "request_id": {"type": "string", "description": "The request id."},
        "response_url": {"type": "string", "description": "The response url."},
        "status_url": {"type": "string", "description": "The status url."},
        "cancel_url": {"type": "string", "description": "The cancel url."},
        "logs": {"type": "object", "description": "The logs.", "additionalProperties": True},
        "metrics": {"type": "object", "description": "The metrics.", "additionalProperties": True},
        "queue_position": {"type": "integer", "description": "The queue position."},
    },
    "required": ["status", "request_id"],
}

CANCELLED: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "success": {
            "type": "boolean",
            "description": "Whether the request was cancelled successfully.",
        }
    },
}

REQUEST_ID: Mapping[str, Any] = {
    "name": "request_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "description": "Request ID"},
}

LOGS: Mapping[str, Any] = {
    "name": "logs",
    "in": "query",
    "required": False,
    "schema": {
        "type": "number",
        "description": "Whether to include logs (`1`) in the response or not (`0`).",
    },
}
