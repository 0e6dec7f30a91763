"""Providers in YAML alone, against servers on loopback: what fixtures cannot run.

A websocket that submits, and outputs that are files of a server instead of addresses.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from boards import Boards, GenerationFailedError
from boards.engine import waiting
from tests.integration.acme import PNG

SPECS = Path(__file__).parents[1] / "specs"

Frames = Callable[[dict[str, Any]], list[dict[str, Any]]]


@asynccontextmanager
async def served(*routes: web.RouteDef) -> AsyncIterator[str]:
    """The address of a server."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Runware:
    """Runware's websocket and the REST endpoint beside it.

    Args:
        answer: The frames for a task.
    """

    def __init__(self, answer: Frames) -> None:
        self.frames: list[Any] = []
        self.asked: list[Any] = []
        self.made: dict[str, Any] | None = None
        self.host = ""
        self._answer = answer

    def open(self) -> Any:
        """Serve it."""
        return served(
            web.get("/socket", self._socket),
            web.post("/v1", self._tasks),
            web.get("/fox.png", self._file),
        )

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            (task,) = json.loads(message.data)
            self.frames.append(task)
            if task["taskType"] == "authentication":
                told = {"taskType": "authentication", "connectionSessionUUID": "s1"}
                await socket.send_json({"data": [told]})
                continue
            for frame in self._answer(task):
                await socket.send_json(frame)
            await socket.close()
        return socket

    async def _tasks(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        return web.json_response({"data": [self.made]})

    async def _file(self, _request: web.Request) -> web.Response:
        return web.Response(body=PNG, content_type="image/png")

    def image(self, task: dict[str, Any]) -> dict[str, Any]:
        """The result of a task."""
        return {
            "taskType": "imageInference",
            "taskUUID": task["taskUUID"],
            "imageURL": f"http://{self.host}/fox.png",
            "seed": 3,
        }


def runware(home: Path, host: str) -> Boards:
    """A host that knows a Runware at an address."""
    here = {"base_url": f"http://{host}", "websocket_url": f"ws://{host}/socket"}
    return Boards(
        home=home,
        environment={"RUNWARE_API_KEY": "runware-secret"},
        providers={"here": {"type": "runware", "config": here}},
        generators=[SPECS / "runware.yaml", SPECS / "live" / "runware-live.yaml"],
        allow_private_hosts=True,
    )


def comfyui(home: Path, host: str) -> Boards:
    """A host that knows a ComfyUI at an address."""
    return Boards(
        home=home,
        environment={},
        providers={"here": {"type": "comfyui", "config": {"base_url": f"http://{host}"}}},
        generators=[SPECS / "comfyui.yaml"],
        allow_private_hosts=True,
    )


async def test_a_task_over_a_websocket_is_answered_by_a_frame(tmp_path: Path) -> None:
    """The key goes first; the answer to it is not taken for the result."""
    server = Runware(lambda task: [{"data": [server.image(task)]}])
    async with server.open() as server.host, runware(tmp_path, server.host) as boards:
        generation = await boards.generate("here/image-inference-live", prompt="a red fox", seed=3)
    (artifact,) = generation.artifacts
    assert artifact.meta["seed"] == 3
    assert server.frames[0] == {"taskType": "authentication", "apiKey": "runware-secret"}
    assert server.frames[1]["positivePrompt"] == "a red fox"
    assert server.asked == []


async def test_an_error_over_a_websocket_has_its_kind(tmp_path: Path) -> None:
    """It is in `errors`, which the frame's predicate must not miss."""
    code = {"code": "invalidProviderContent", "message": "Invalid content detected."}
    server = Runware(lambda task: [{"errors": [{**code, "taskUUID": task["taskUUID"]}]}])
    async with server.open() as server.host, runware(tmp_path, server.host) as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("here/image-inference-live", prompt="something forbidden")
    assert caught.value.kind == "moderated"


async def test_a_task_whose_socket_closed_is_asked_for_over_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted and then cut off: `poll` is for that."""
    monkeypatch.setattr(waiting, "_SAFETY", 0.1)  # seconds of silence before it is asked for

    def cut_off(task: dict[str, Any]) -> list[dict[str, Any]]:
        server.made = {**server.image(task), "status": "success"}
        return [{"data": [{"taskType": "imageInference", "taskUUID": task["taskUUID"]}]}]

    server = Runware(cut_off)
    async with server.open() as server.host, runware(tmp_path, server.host) as boards:
        generation = await boards.generate("here/image-inference-live", prompt="a red fox")
    assert len(generation.artifacts) == 1
    ((question,),) = server.asked
    assert question == {"taskType": "getResponse", "taskUUID": server.frames[1]["taskUUID"]}


async def test_outputs_that_a_server_names_as_files_are_fetched_by_their_request(
    tmp_path: Path,
) -> None:
    """ComfyUI's history has names; GET /view has the bytes."""
    viewed: list[dict[str, str]] = []
    image = {"filename": "boards_00001_.png", "subfolder": "", "type": "output"}
    preview = {"filename": "x.png", "subfolder": "", "type": "temp"}

    async def prompt(_request: web.Request) -> web.Response:
        return web.json_response({"prompt_id": "p1", "number": 1, "node_errors": {}})

    async def history(_request: web.Request) -> web.Response:
        outputs = {"9": {"images": [image]}, "10": {"images": [preview]}}
        status = {"status_str": "success", "completed": True, "messages": []}
        return web.json_response({"p1": {"outputs": outputs, "status": status}})

    async def view(request: web.Request) -> web.Response:
        viewed.append(dict(request.query))
        return web.Response(body=PNG, content_type="image/png")

    routes = (
        web.post("/prompt", prompt),
        web.get("/history/p1", history),
        web.get("/view", view),
    )
    async with served(*routes) as host, comfyui(tmp_path, host) as boards:
        generation = await boards.generate("here/txt2img", prompt="a red fox", seed=7)
    (artifact,) = generation.artifacts
    assert artifact.mime == "image/png"
    assert viewed == [image]


async def test_a_workflow_whose_answer_was_lost_is_found_in_the_history(tmp_path: Path) -> None:
    """By the mark that its submit carried; that of somebody else is left alone."""
    image = {"filename": "boards_00001_.png", "subfolder": "", "type": "output"}
    entry = {
        "outputs": {"9": {"images": [image]}},
        "status": {"status_str": "success", "completed": True, "messages": []},
    }
    marks: list[str] = []

    async def prompt(request: web.Request) -> web.Response:
        marks.append((await request.json())["client_id"])
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def every(_request: web.Request) -> web.Response:
        ours = {**entry, "prompt": [2, "p2", {}, {"client_id": marks[0]}, ["9"]]}
        theirs = {**entry, "prompt": [1, "p1", {}, {"client_id": "somebody"}, ["9"]]}
        return web.json_response({"p1": theirs, "p2": ours})

    async def one(_request: web.Request) -> web.Response:
        return web.json_response({"p2": entry})

    async def view(_request: web.Request) -> web.Response:
        return web.Response(body=PNG, content_type="image/png")

    routes = (
        web.post("/prompt", prompt),
        web.get("/history", every),
        web.get("/history/p2", one),
        web.get("/view", view),
    )
    async with served(*routes) as host, comfyui(tmp_path, host) as boards:
        generation = await boards.generate("here/txt2img", prompt="a red fox", seed=7)
    assert generation.provider_job_id == "p2"
    assert len(generation.artifacts) == 1
    assert len(marks) == 1
