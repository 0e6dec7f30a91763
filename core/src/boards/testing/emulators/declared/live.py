"""Jobs that are told of without being asked for: streams of events, and websockets."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from aiohttp import WSMsgType, web

from boards.spec.compile import CompiledSocket
from boards.spec.paths import ABSENT
from boards.testing.emulators.declared.reading import Bound, UnlikeError
from boards.testing.emulators.declared.served import Served
from boards.testing.emulators.declared.tasks import Task

_LOOK: Final = 0.01
"""Seconds between two looks at a job that runs."""


async def stream(request: web.Request, task: Task) -> web.StreamResponse:
    """Server-sent events: each change of what a poll would answer, until the job has ended."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
    )
    await response.prepare(request)
    async for told in _changes(task):
        await response.write(f"data: {json.dumps(told)}\n\n".encode())
    await response.write_eof()
    return response


async def _changes(task: Task) -> AsyncIterator[Any]:
    """What a poll would answer, each time that it is something else, up to the end."""
    before: Any = ABSENT
    while True:
        over = task.state() in ("ended", "canceled")
        told = task.told().body
        if told != before or over:
            yield told
            before = told
        if over:
            return
        left = task.job.ends - time.monotonic()
        await asyncio.sleep(max(0.0, min(_LOOK, left)))


Admit = Callable[[Served, Bound], Task]


async def socket(
    request: web.Request,
    served: list[Served],
    accepts: Callable[[str | None], bool],
    admit: Admit,
) -> web.StreamResponse:
    """A websocket: frames that open it, a frame for each job, and frames about those jobs.

    Args:
        request: The upgrade.
        served: The generators that have this address.
        accepts: Whether a credential in a frame is the right one.
        admit: Accepts a job.
    """
    response = web.WebSocketResponse()
    await response.prepare(request)
    telling: list[asyncio.Task[None]] = []
    try:
        async for message in response:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                frame = json.loads(message.data)
            except ValueError:
                frame = ABSENT
            opened = _opening(served, frame)
            if opened is not None:
                if not all(accepts(one) for one in opened):
                    break
                continue
            found = _job(served, frame)
            if found is None:
                await response.send_json({"error": "The spec sends no such frame."})
                break
            task = admit(*found)
            telling.append(asyncio.create_task(_tell(response, task)))
    finally:
        for one in telling:
            one.cancel()
        await response.close()
    return response


async def _tell(response: web.WebSocketResponse, task: Task) -> None:
    """The submit's reply, then what polls would answer."""
    match = _socket(task.served).match

    async def send(frame: Any) -> None:
        if match(frame, task.scope):
            await response.send_json(frame)

    if task.answers_at_once or task.job.lose_reply:
        await asyncio.sleep(max(0.0, task.job.ends - time.monotonic()))
        if task.job.lose_reply:
            await response.close()
            return
        await response.send_json((task.at_once() or task.accepted).body)
        return
    await send(task.accepted.body)
    async for told in _changes(task):
        await send(told)


def _socket(served: Served) -> CompiledSocket:
    assert served.compiled.websocket is not None  # noqa: S101  # only such are asked
    return served.compiled.websocket


def _opening(served: list[Served], frame: Any) -> list[str] | None:
    """The secrets in a frame that opens a socket; None for any other."""
    for one in served:
        spec = one.compiled.run.websocket
        for body in spec.open if spec is not None else ():
            try:
                bound: Mapping[str, Any] = one.reader.read(body, frame, "frame", {})
            except UnlikeError:
                continue
            return [str(value) for name, value in bound.items() if name.startswith("secret.")]
    return None


def _job(served: list[Served], frame: Any) -> tuple[Served, Bound] | None:
    """The generator that sends such a frame."""
    for one in served:
        for submit in one.submits:
            if submit.request.spec.json is None:
                continue
            try:
                return one, one.reader.read(submit.request.spec.json, frame, "frame", {})
            except UnlikeError:
                continue
    return None
