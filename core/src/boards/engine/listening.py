"""Hearing of a job without asking: server-sent events, and websockets that also submit.

A listener is one task. What it hears goes to the flight's inbox and has the flight driven, so that
there is still one writer for each generation.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from boards.adapters import reply as reply_value
from boards.engine.flight import Heard
from boards.engine.rest import TRANSPORT_ERRORS
from boards.engine.transport import LostReplyError, Socket, UnsentError
from boards.errors import BoardsError
from boards.logs import Logger, traceback_of
from boards.spec.paths import ABSENT
from boards.spec.tokens import RenderError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from boards.adapters import Job
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine
    from boards.engine.rest import ProviderClient
    from boards.spec.replies import ReplyValue
    from boards.spec.requests import Rendered

__all__ = ["PATIENT", "begin", "opening", "submit"]

_log = Logger("boards.engine")

PATIENT: Final = frozenset({"rate_limited", "transient", "timeout", "auth", "quota"})
"""Error kinds that say nothing about an accepted job: it is asked for again."""
_MOST_UNHEARD: Final = 64
"""Replies that may wait to be judged."""
_LEAVE_TO_JUDGE: Final = 0.05
"""Seconds to the next look at how many of them there are."""
_AGAIN: Final = (0.5, 30.0)
"""Seconds until listening begins again after its end: at first, and at most."""


def begin(machine: "Machine", flight: "Flight") -> bool:
    """Begin to listen, where the spec says so and nobody does yet; whether somebody listens now."""
    if flight.listener is None and time.time() >= flight.listen_at:
        compiled = flight.compiled
        if compiled.stream is not None:
            _start(machine, flight, _follow(machine, flight))
        elif compiled.websocket is not None:
            _start(machine, flight, _rejoin(machine, flight))
    return flight.listener is not None


def _start(machine: "Machine", flight: "Flight", hearing: "Coroutine[Any, Any, None]") -> None:
    flight.leave()  # it may listen still, for a submit that was lost
    flight.heard_at = time.monotonic()
    flight.listener = asyncio.create_task(_listen(machine, flight, hearing))


async def _listen(
    machine: "Machine", flight: "Flight", hearing: "Coroutine[Any, Any, None]"
) -> None:
    """Hear until the end, however it comes; the next step asks, or listens again."""
    try:
        await hearing
    except (*TRANSPORT_ERRORS, BoardsError, RenderError) as error:
        client = machine.client(flight.generation.provider)
        text = client.scrub(str(error))
        _log.info("listening ended", generation=flight.generation.id, error=text)
    except Exception as error:
        scrub = machine.client(flight.generation.provider).scrub
        _log.error("listening failed", exception=scrub(traceback_of(error)))
    first, most = _AGAIN
    flight.listen_at = time.time() + min(first * 2 ** min(flight.deaf, 16), most)
    flight.deaf += 1
    flight.listener = None
    machine.wake(flight.generation.id)


async def _hear(machine: "Machine", flight: "Flight", reply: "ReplyValue") -> None:
    """Have a reply judged. Where many wait for that, no more is read: the provider has to wait."""
    flight.heard_at = time.monotonic()
    flight.deaf = 0
    flight.inbox.append(Heard(reply))
    machine.wake(flight.generation.id)
    while len(flight.inbox) >= _MOST_UNHEARD:  # noqa: ASYNC110  # rare, and nothing else tells
        await asyncio.sleep(_LEAVE_TO_JUDGE)


async def _follow(machine: "Machine", flight: "Flight") -> None:
    """Each event of the stream."""
    stream = flight.compiled.stream
    assert stream is not None  # noqa: S101  # the caller looked
    client = machine.client(flight.generation.provider)
    heard = 0
    async for reply in client.stream(stream.render(machine.job(flight).scope)):
        await _hear(machine, flight, reply)
        heard += 1
    if not heard:
        raise LostReplyError("the stream ended before it said anything")


async def submit(
    machine: "Machine", flight: "Flight", job: "Job", rendered: "Rendered"
) -> "ReplyValue":
    """Send a job over a websocket of its own; the first frame about it, as a reply.

    Raises:
        UnsentError: There was no connection.
        LostReplyError: The frame was sent, and none came back.
    """
    socket = await _opened(machine, flight, job)
    try:
        await socket.send(None if rendered.json is ABSENT else rendered.json)
        try:
            async with asyncio.timeout(rendered.timeout):
                reply = await _next(flight, job, socket)
        except TimeoutError as error:
            raise LostReplyError(f"no answer within {rendered.timeout:g} s") from error
    except BaseException:
        await socket.close()
        raise
    _start(machine, flight, _hear_all(machine, flight, job, socket))
    return reply


def opening(flight: "Flight", client: "ProviderClient", job: "Job") -> "tuple[Rendered, list[Any]]":
    """Where a connection goes, and its first frames.

    Raises:
        RenderError: They cannot be told.
        UnavailableError: A secret is not set.
    """
    websocket = flight.compiled.websocket
    assert websocket is not None  # noqa: S101  # the callers looked
    scope = {**job.scope, "secrets": client.named_secret}
    return websocket.request.render(job.scope), [frame(scope) for frame in websocket.open]


async def _opened(machine: "Machine", flight: "Flight", job: "Job") -> Socket:
    """A new connection with its first frames sent."""
    client = machine.client(flight.generation.provider)
    rendered, frames = opening(flight, client, job)
    socket = await client.connect(rendered)
    try:
        for frame in frames:
            await socket.send(frame)
    except LostReplyError as error:
        await socket.close()
        raise UnsentError(f"the websocket was closed at once: {error}") from error
    return socket


async def _rejoin(machine: "Machine", flight: "Flight") -> None:
    """Listen again for a job that was submitted over another connection."""
    job = machine.job(flight)
    socket = await _opened(machine, flight, job)
    await _hear_all(machine, flight, job, socket, patient=True)


async def _hear_all(
    machine: "Machine", flight: "Flight", job: "Job", socket: Socket, *, patient: bool = False
) -> None:
    try:
        while True:
            await _hear(machine, flight, await _next(flight, job, socket, patient=patient))
    finally:
        await socket.close()


async def _next(
    flight: "Flight", job: "Job", socket: Socket, *, patient: bool = False
) -> "ReplyValue":
    """The next frame about the job.

    A frame that an error rule knows counts too: a refusal often names no job, and there is no
    other on this connection. Where the job was submitted over another one, a refusal of those that
    are ``patient`` is of the connection, which is opened again.

    Raises:
        LostReplyError: The connection is gone, or refused.
    """
    websocket = flight.compiled.websocket
    assert websocket is not None  # noqa: S101  # the callers looked
    while True:
        frame = await socket.receive()
        reply = {**reply_value(frame), "scope": job.scope}
        if websocket.match(frame, job.scope):
            return reply
        refusal = flight.compiled.refusal(reply)
        if refusal is not None and refusal.declared:
            if patient and refusal.kind in PATIENT:
                raise LostReplyError(refusal.message)
            return reply
