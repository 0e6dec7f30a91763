"""A provider of the tests' own: a real server on loopback whose every answer a test can script."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
    b"\x1f\x15\xc4\x89\x00\x00\x00\nIDATx\x9cc\x00\x01\x00\x00\x05\x00\x01\r\n-\xb4"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)

WEBHOOK_KEY = b"acme-signs-its-webhooks"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Acme:
    """Jobs that are queued, run, and end, unless a test overrides an answer.

    ``answers`` maps ``submit poll result cancel file me list events socket content secret upload
    put`` to a handler that stands in for the built-in one; ``counts`` tells how often each was
    asked.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Handler] = {}
        self.counts: Counter[str] = Counter()
        self.requests: list[tuple[str, Any]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.polls_needed = 1
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes(
            [
                web.post("/v1/jobs", self._route("submit", self.submit)),
                web.get("/v1/jobs/{id}", self._route("poll", self.poll)),
                web.get("/v1/jobs/{id}/result", self._route("result", self.result)),
                web.post("/v1/jobs/{id}/cancel", self._route("cancel", self.cancel)),
                web.get("/v1/jobs", self._route("list", self.list)),
                web.get("/v1/jobs/{id}/events", self._route("events", self.events)),
                web.get("/v1/socket", self._route("socket", self.socket)),
                web.get("/v1/content/{id}", self._route("content", self.content)),
                web.get("/v1/secret", self._route("secret", self.secret)),
                web.get("/v1/me", self._route("me", self.me)),
                web.get("/files/{name}", self._route("file", self.file)),
                web.post("/v1/uploads", self._route("upload", self.upload)),
                web.put("/v1/uploads/{name}", self._route("put", self.put)),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def _route(self, name: str, default: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.counts[name] += 1
            body = await request.read()
            self.requests.append((name, (request, body)))
            return await self.answers.get(name, default)(request)

        return handle

    async def submit(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer acme-secret-key":
            return web.json_response({"error": {"message": "bad key"}}, status=401)
        job = {"id": f"job-{len(self.jobs) + 1}", "status": "queued", "polls": 0}
        self.jobs[str(job["id"])] = {**job, "input": await request.json()}
        return web.json_response(job, status=201)

    async def lost(self, request: web.Request) -> web.StreamResponse:
        """A submit that arrives, and whose answer does not."""
        await self.submit(request)
        return await drop(request)

    async def poll(self, request: web.Request) -> web.StreamResponse:
        job = self.jobs.get(request.match_info["id"])
        if job is None:
            return web.json_response({"error": {"message": "no such job"}}, status=404)
        job["polls"] += 1
        if job["status"] not in ("canceled", "failed"):
            job["status"] = "done" if job["polls"] > self.polls_needed else "running"
        return web.json_response(
            {"id": job["id"], "status": job["status"], "percent": min(job["polls"] * 50, 100)}
        )

    async def result(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"images": [{"url": f"{self.url}/files/a.png"}], "seed": 7})

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        self.jobs[request.match_info["id"]]["status"] = "canceled"
        return web.json_response({"ok": True})

    async def list(self, request: web.Request) -> web.StreamResponse:
        """All jobs, one on each page."""
        page = int(request.query.get("page", 0))
        jobs = list(self.jobs.values())
        more = f"{self.url}/v1/jobs?page={page + 1}" if page + 1 < len(jobs) else None
        return web.json_response({"jobs": jobs[page : page + 1], "next": more})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """What happens to a job, as server-sent events, to its end."""
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        job = self.jobs[request.match_info["id"]]
        for status, percent in (("running", 10), ("running", 60), ("done", 100)):
            job["status"] = status
            told = json.dumps({"id": job["id"], "status": status, "percent": percent})
            await stream.write(f": hello\r\nevent: x\ndata: {told}\n\n".encode())
        await stream.write(b"data: [DONE]\n\n")
        return stream

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """Jobs by frames: the key first, then a task."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        key = await socket.receive_json()
        if key != {"key": "acme-secret-key"}:
            await socket.send_json({"error": {"message": "bad key", "code": "key"}})
            return socket
        task = await socket.receive_json()
        self.counts["task"] += 1
        await socket.send_json({"data": [{"task": "another's", "status": "done"}]})
        for status in ("queued", "running"):
            await socket.send_json({"data": [{"task": task["task"], "status": status}]})
        url = f"{self.url}/files/a.png"
        await socket.send_json({"data": [{"task": task["task"], "status": "done", "url": url}]})
        await socket.receive()
        return socket

    async def content(self, request: web.Request) -> web.StreamResponse:
        """The bytes of an output, for those who have the key."""
        if request.headers.get("Authorization") != "Bearer acme-secret-key":
            return web.json_response({"error": {"message": "bad key"}}, status=401)
        return web.Response(body=PNG, content_type="image/png")

    async def secret(self, request: web.Request) -> web.StreamResponse:
        """What signs webhooks."""
        return web.json_response({"key": f"whsec_{base64.b64encode(WEBHOOK_KEY).decode()}"})

    async def me(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer acme-secret-key":
            return web.json_response({"error": {"message": "bad key"}}, status=401)
        return web.json_response({"name": "tester"})

    async def upload(self, _request: web.Request) -> web.StreamResponse:
        """Where to put a file, and where it will be."""
        url = f"{self.url}/v1/uploads/1"
        return web.json_response({"put": url, "url": f"{self.url}/files/uploaded.png"})

    async def put(self, _request: web.Request) -> web.StreamResponse:
        return web.Response()

    async def file(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=PNG, content_type="image/png")

    def provider(self, **changes: Any) -> dict[str, Any]:
        """The provider's definition, as YAML would say it."""
        return {
            "type": "rest",
            "setup": "Set ACME_KEY.",
            "config": {"base_url": f"{self.url}/v1", "api_key_env": "ACME_KEY"},
            "auth": {"kind": "bearer"},
            "default_generator": "draw",
            "check": {"path": "/me"},
            "retry": {"max": 2, "base": "10ms", "cap": "50ms"},
            "status": {
                "at": "body.status",
                "map": {
                    "queued": "queued",
                    "running": "running",
                    "done": "succeeded",
                    "failed": "failed",
                    "canceled": "canceled",
                },
                "unknown": "fail",
            },
            "failure": {
                "message": "body.reason",
                "raise": [{"when": {"contains": ["body.reason", "policy"]}, "raise": "moderated"}],
            },
            "cancel": {"method": "POST", "path": "/jobs/${job.id}/cancel"},
            "progress": {"percent": "body.percent"},
            **changes,
        }


def generator(**execution: Any) -> dict[str, Any]:
    """The generator ``acme/draw``, as YAML would say it."""
    return {
        "name": "draw",
        "artifact_type": "image",
        "provider": "acme",
        "io": {
            "input_schema": {
                "type": "object",
                "properties": {
                    "prompt": {"type": "string", "minLength": 1},
                    "seed": {"type": "integer"},
                    "size": {"type": "integer", "default": 512, "minimum": 64, "maximum": 1024},
                    "style": {"enum": ["photo", "paint"]},
                    "image": {"type": "string", "format": "image"},
                },
                "required": ["prompt"],
            }
        },
        "execution": {
            "submit": {
                "path": "/jobs",
                "json": {
                    "prompt": "${input.prompt}",
                    "seed": "${input.seed?}",
                    "size": "${input.size}",
                    "style": "${input.style?}",
                    "image": "${input.image?|file}",
                },
                "capture": {"id": "body.id"},
            },
            "poll": {"path": "/jobs/${job.id}", "every": "20ms", "backoff": 1},
            "result": {"path": "/jobs/${job.id}/result"},
            "extract": {
                "outputs": [
                    {"from": "body.images[*].url", "expires": "1h", "meta": {"seed": "body.seed"}}
                ]
            },
            **execution,
        },
    }


async def drop(_request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    transport = _request.transport
    assert transport is not None
    transport.close()
    await asyncio.sleep(0)
    return web.Response()
