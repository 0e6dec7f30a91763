"""Replicate's models, versions, deployments and hardware, as lists and documents."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from boards.testing.emulators.replicate.models import Catalogue, Model
from boards.testing.emulators.replicate.pages import page
from boards.testing.emulators.replicate.predictions import timestamp
from boards.testing.emulators.replicate.problems import invalid, not_found, problem
from boards.testing.emulators.schema import problems
from boards.testing.emulators.server import Emulator

ACCOUNT: Final = {
    "type": "user",
    "username": "emulator",
    "name": "Boards Emulator",
    "github_url": "https://github.com/emulator",
}
HARDWARE: Final = [
    {"sku": "cpu", "name": "CPU"},
    {"sku": "gpu-t4", "name": "Nvidia T4 GPU"},
    {"sku": "gpu-l40s", "name": "Nvidia L40S GPU"},
    {"sku": "gpu-a100-large", "name": "Nvidia A100 (80GB) GPU"},
    {"sku": "gpu-h100", "name": "Nvidia H100 GPU"},
]

_TEXT: Final = {"type": "string", "minLength": 1}
_MODEL_BODY: Final = {
    "type": "object",
    "required": ["owner", "name", "visibility", "hardware"],
    "properties": {
        "owner": _TEXT,
        "name": _TEXT,
        "visibility": {"enum": ["public", "private"]},
        "hardware": {"enum": [item["sku"] for item in HARDWARE]},
    },
}
_DEPLOYMENT_BODY: Final = {
    "type": "object",
    "required": ["name", "model", "version", "hardware", "min_instances", "max_instances"],
    "properties": {
        "name": _TEXT,
        "model": {"type": "string", "pattern": "^[^/]+/[^/]+$"},
        "version": _TEXT,
        "hardware": {"enum": [item["sku"] for item in HARDWARE]},
        "min_instances": {"type": "integer", "minimum": 0, "maximum": 5},
        "max_instances": {"type": "integer", "minimum": 0, "maximum": 20},
    },
    "additionalProperties": False,
}


class Library:
    """What can be run on the emulated Replicate."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.catalogue = Catalogue()
        self._deployments: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Account, hardware, models, versions and deployments."""
        return [
            web.get("/v1/account", self._account),
            web.get("/v1/hardware", self._hardware),
            web.get("/v1/models", self._models),
            web.route("QUERY", "/v1/models", self._search),
            web.post("/v1/models", self._create_model),
            web.get("/v1/models/{owner}/{name}", self._model),
            web.get("/v1/models/{owner}/{name}/versions", self._versions),
            web.get("/v1/models/{owner}/{name}/versions/{version}", self._version),
            web.get("/v1/deployments", self._list_deployments),
            web.post("/v1/deployments", self._create_deployment),
            web.get("/v1/deployments/{owner}/{name}", self._deployment),
        ]

    def clear(self) -> None:
        """Forget every model and every deployment that was created."""
        self.catalogue = Catalogue()
        self._deployments.clear()

    def deployed(self, owner: str, name: str) -> Model | None:
        """The model that a deployment runs; a stock one for one not known, unless strict."""
        strict = self._emulator.knobs.strict
        deployment = self._deployments.get(f"{owner}/{name}")
        if deployment is None:
            return self.catalogue.model(owner, name, strict=strict)
        release = deployment["current_release"]
        return self.catalogue.run(f"{release['model']}:{release['version']}", strict=strict)

    async def _account(self, request: web.Request) -> web.Response:
        return web.json_response(ACCOUNT)

    async def _hardware(self, request: web.Request) -> web.Response:
        return web.json_response(HARDWARE)

    async def _models(self, request: web.Request) -> web.Response:
        return self._page(request, self.catalogue.documents(), 25)

    async def _search(self, request: web.Request) -> web.Response:
        words = (await request.text()).lower().split()
        found = [
            document
            for document in self.catalogue.documents()
            if all(word in f"{_name(document)} {document['description']}".lower() for word in words)
        ]
        return self._page(request, found, 25)

    async def _create_model(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        if body is None:
            return problem(400, "The body is not JSON")
        if found := problems(_MODEL_BODY, body):
            return invalid(found)
        document = {
            "url": f"https://replicate.com/{body['owner']}/{body['name']}",
            "owner": body["owner"],
            "name": body["name"],
            "description": body.get("description"),
            "visibility": body["visibility"],
            "is_official": False,
            "github_url": body.get("github_url"),
            "paper_url": body.get("paper_url"),
            "license_url": body.get("license_url"),
            "run_count": 0,
            "cover_image_url": body.get("cover_image_url"),
            "default_example": None,
            "latest_version": None,
        }
        self.catalogue.create(document)
        return web.json_response(document, status=201)

    async def _model(self, request: web.Request) -> web.Response:
        owner, name = request.match_info["owner"], request.match_info["name"]
        document = self.catalogue.document(owner, name, strict=self._emulator.knobs.strict)
        if document is None:
            return not_found(f"Model not found: {owner}/{name}")
        return web.json_response(document)

    async def _versions(self, request: web.Request) -> web.Response:
        owner, name = request.match_info["owner"], request.match_info["name"]
        if self.catalogue.document(owner, name, strict=self._emulator.knobs.strict) is None:
            return not_found(f"Model not found: {owner}/{name}")
        return page(
            request,
            self.catalogue.versions(owner, name, strict=self._emulator.knobs.strict),
            size=100,
            key=lambda model: model.version_id,
            document=lambda model: model.version,
            base_url=self._emulator.base_url,
        )

    async def _version(self, request: web.Request) -> web.Response:
        owner, name, version = (request.match_info[key] for key in ("owner", "name", "version"))
        strict = self._emulator.knobs.strict
        model = self.catalogue.run(f"{owner}/{name}:{version}", strict=strict)
        return not_found() if model is None else web.json_response(model.version)

    async def _list_deployments(self, request: web.Request) -> web.Response:
        return self._page(request, list(self._deployments.values()), 100)

    async def _create_deployment(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        if body is None:
            return problem(400, "The body is not JSON")
        if found := problems(_DEPLOYMENT_BODY, body):
            return invalid(found)
        document = {
            "owner": ACCOUNT["username"],
            "name": body["name"],
            "current_release": {
                "number": 1,
                "model": body["model"],
                "version": body["version"],
                "created_at": timestamp(datetime.now(UTC)),
                "created_by": ACCOUNT,
                "configuration": {
                    name: body[name] for name in ("hardware", "min_instances", "max_instances")
                },
            },
        }
        self._deployments[_name(document)] = document
        return web.json_response(document, status=201)

    async def _deployment(self, request: web.Request) -> web.Response:
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        document = self._deployments.get(name)
        return not_found() if document is None else web.json_response(document)

    def _page(self, request: web.Request, documents: list[Any], size: int) -> web.Response:
        return page(
            request,
            documents,
            size=size,
            key=_name,
            document=lambda document: document,
            base_url=self._emulator.base_url,
        )


def _name(document: Mapping[str, Any]) -> str:
    return f"{document['owner']}/{document['name']}"


async def read_json(request: web.Request) -> Any:
    """The body as JSON; None where it is not."""
    try:
        return await request.json()
    except ValueError:
        return None
