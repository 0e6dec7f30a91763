"""Jobs that are heard of: server-sent events and websockets."""

from typing import Any

import pytest
from aiohttp import web

from boards.errors import GenerationFailedError
from tests.integration.acme import Acme, drop
from tests.integration.conftest import Open

STREAM = {"path": "/jobs/${job.id}/events", "timeout": "2s"}
SOCKET: dict[str, Any] = {
    "submit": {
        "path": "/unused",
        "json": {"task": "${run.uuid}", "prompt": "${input.prompt}"},
        "capture": {"task": "body.data[0].task"},
        "timeout": "2s",
    },
    "websocket": {
        "path": "/socket",
        "open": [{"key": {"$secret": "api_key"}}],
        "match": {"eq": ["data[*].task", "${run.uuid}"]},
    },
    "poll": None,
    "result": None,
    "status": {
        "at": "body.data[0].status",
        "map": {"queued": "queued", "running": "running", "done": "succeeded"},
        "unknown": "fail",
    },
    "errors": [{"when": {"eq": ["body.error.code", "key"]}, "raise": "auth"}],
    "extract": {"outputs": [{"from": "body.data[*].url", "expires": "1h"}]},
}


async def test_each_event_of_a_stream_counts_as_a_reply_to_a_poll(
    acme: Acme, open_boards: Open
) -> None:
    """The job ends as soon as the stream says so; nothing is polled."""
    async with open_boards(execution={"stream": STREAM}) as boards:
        generation = await boards.generate("draw", prompt="a cat")
        events = [event async for event in boards.events(generation.id, follow=False)]
    assert generation.status == "succeeded"
    assert acme.counts["poll"] == 0
    assert acme.counts["events"] == 1
    assert [e.data["percent"] for e in events if e.type == "progress"] == [10, 60]


async def test_a_stream_that_breaks_off_is_followed_by_polls(acme: Acme, open_boards: Open) -> None:
    """Where nobody listens the job is polled, and nothing is lost."""
    acme.answers["events"] = drop
    async with open_boards(execution={"stream": STREAM}) as boards:
        generation = await boards.generate("draw", prompt="a cat")
    assert generation.status == "succeeded"
    assert acme.counts["poll"] >= 1


async def test_a_stream_is_opened_again_where_there_is_no_poll(
    acme: Acme, open_boards: Open
) -> None:
    """Without a poll the stream is the only way: it is asked for until it answers."""
    told = acme.events

    async def first_time_nothing(request: web.Request) -> web.StreamResponse:
        return await (drop(request) if acme.counts["events"] == 1 else told(request))

    acme.answers["events"] = first_time_nothing
    async with open_boards(execution={"stream": STREAM, "poll": None}) as boards:
        generation = await boards.generate("draw", prompt="a cat")
    assert generation.status == "succeeded"
    assert acme.counts["events"] == 2


async def test_a_websocket_submits_and_tells_the_result(acme: Acme, open_boards: Open) -> None:
    """The secret goes in a frame, frames of others are passed over."""
    async with open_boards(provider=_sockets(acme), execution=SOCKET) as boards:
        generation = await boards.generate("draw", prompt="a cat")
        shown = str([event async for event in boards.events(generation.id, follow=False)])
    assert generation.status == "succeeded"
    assert acme.counts["task"] == 1
    assert "acme-secret-key" not in shown


async def test_a_refusal_in_a_frame_is_the_failure_that_the_spec_says(
    acme: Acme, open_boards: Open
) -> None:
    """A frame that an error rule knows needs no job id."""
    async with open_boards(
        provider=_sockets(acme), execution=SOCKET, environment={"ACME_KEY": "wrong"}
    ) as boards:
        with pytest.raises(GenerationFailedError, match="bad key") as caught:
            await boards.generate("draw", prompt="a cat")
    assert caught.value.kind == "auth"


async def test_a_websocket_that_closes_before_an_answer_leaves_the_generation_unknown(
    acme: Acme, open_boards: Open
) -> None:
    """The frame was sent: whether the job began cannot be told, and it is not sent again."""

    async def close(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_json()
        await socket.receive_json()
        return socket

    acme.answers["socket"] = close
    async with open_boards(provider=_sockets(acme), execution=SOCKET) as boards:
        submitted = await boards.submit("draw", prompt="a cat")
        generation = await boards.wait(submitted.id)
    assert generation.phase == "unknown"
    assert acme.counts["socket"] == 1


async def test_a_job_is_heard_of_again_after_a_restart(acme: Acme, open_boards: Open) -> None:
    """Without a poll another process opens the websocket again, and listens."""
    tasks: list[str] = []

    async def one_frame_a_connection(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_json()
        if not tasks:
            tasks.append((await socket.receive_json())["task"])
            await socket.send_json({"data": [{"task": tasks[0], "status": "running"}]})
        else:
            url = f"{acme.url}/files/a.png"
            await socket.send_json({"data": [{"task": tasks[0], "status": "done", "url": url}]})
        await socket.receive()
        return socket

    acme.answers["socket"] = one_frame_a_connection
    async with open_boards(provider=_sockets(acme), execution=SOCKET) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        async for event in boards.events(generation.id):
            if event.type == "submitted":
                break
    async with open_boards(provider=_sockets(acme), execution=SOCKET) as boards:
        assert (await boards.wait(generation.id)).status == "succeeded"
    assert len(tasks) == 1


def _sockets(acme: Acme) -> dict[str, Any]:
    base = f"{acme.url}/v1"
    websocket = base.replace("http", "ws", 1)
    return {
        "config": {"base_url": base, "websocket_url": websocket, "api_key_env": "ACME_KEY"},
        "cancel": None,
        "progress": None,
    }


async def test_a_first_frame_that_cannot_be_told_costs_nothing(
    acme: Acme, open_boards: Open
) -> None:
    """It is the input's fault, and known before anything is committed or sent."""
    first = {"key": {"$secret": "api_key"}, "count": "${input.prompt|int}"}
    spoken = {**SOCKET, "websocket": {**SOCKET["websocket"], "open": [first]}}
    async with open_boards(provider=_sockets(acme), execution=spoken) as boards:
        with pytest.raises(GenerationFailedError, match="cannot read a text") as caught:
            await boards.generate("draw", prompt="a cat")
    assert caught.value.kind == "invalid_input"
    assert not caught.value.failure.maybe_charged
    assert acme.counts["socket"] == 0


async def test_what_a_refused_submits_connection_tells_is_not_about_the_next(
    acme: Acme, open_boards: Open
) -> None:
    """The first connection says that it is over; the job was begun on another one."""

    async def busy_at_first(request: web.Request) -> web.StreamResponse:
        if acme.counts["socket"] > 1:
            return await acme.socket(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_json()
        await socket.receive_json()
        await socket.send_json({"error": {"code": "busy", "message": "come back"}})
        await socket.send_json({"error": {"code": "over", "message": "the session is over"}})
        await socket.receive()
        return socket

    acme.answers["socket"] = busy_at_first
    busy = {"when": {"eq": ["body.error.code", "busy"]}, "raise": "rate_limited", "refused": True}
    over = {"when": {"exists": "body.error"}, "raise": "provider"}
    spoken = {**SOCKET, "errors": [busy, over]}
    async with open_boards(provider=_sockets(acme), execution=spoken) as boards:
        generation = await boards.generate("draw", prompt="a cat")
    assert generation.status == "succeeded"
    assert acme.counts["socket"] == 2


async def test_a_connection_that_is_refused_says_nothing_of_the_job_that_runs(
    acme: Acme, open_boards: Open
) -> None:
    """After a restart the provider is busy for a moment: the job is paid for, and listened to."""
    tasks: list[str] = []

    async def busy_once(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_json()
        if not tasks:
            tasks.append((await socket.receive_json())["task"])
            await socket.send_json({"data": [{"task": tasks[0], "status": "running"}]})
        elif acme.counts["socket"] == 2:
            await socket.send_json({"error": {"code": "busy", "message": "too many of you"}})
        else:
            url = f"{acme.url}/files/a.png"
            await socket.send_json({"data": [{"task": tasks[0], "status": "done", "url": url}]})
        await socket.receive()
        return socket

    acme.answers["socket"] = busy_once
    busy = {"when": {"eq": ["body.error.code", "busy"]}, "raise": "rate_limited"}
    spoken = {**SOCKET, "errors": [busy]}
    async with open_boards(provider=_sockets(acme), execution=spoken) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        async for event in boards.events(generation.id):
            if event.type == "submitted":
                break
    async with open_boards(provider=_sockets(acme), execution=spoken) as boards:
        ended = await boards.wait(generation.id)
    assert ended.status == "succeeded"
    assert (acme.counts["socket"], len(tasks)) == (3, 1)
