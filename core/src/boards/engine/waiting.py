"""The step between acceptance and result: ask the provider, as often as its spec says.

An outage loses nothing: whatever fails here is asked again until the deadline.
"""

import random
import time
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.engine import fetching
from boards.engine.rest import TRANSPORT_ERRORS, ProviderClient
from boards.errors import ProviderError, UnavailableError
from boards.events import Happening
from boards.generations import Progress
from boards.logs import Logger
from boards.runner import Again, Done
from boards.spec.replies import ReplyValue
from boards.spec.requests import CompiledRequest
from boards.spec.tokens import RenderError

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["interval", "judge", "poll"]

_log = Logger("boards.engine")

_AFTER_OUTAGE: Final = (0.5, 30.0)
"""Seconds to the next poll after a failed one: the first, and the most."""
_PATIENT: Final = frozenset({"rate_limited", "transient", "timeout", "auth", "quota"})
"""Error kinds that say nothing about the job: it is asked for again."""
_YOUNG: Final = 30.0
"""Seconds after acceptance in which a provider may not know its own job yet."""
_MOST_LINES: Final = 200


def interval(flight: "Flight") -> float:
    """Seconds to the next poll, by the spec's ``every``, ``backoff`` and ``max_every``."""
    poll = flight.compiled.run.poll
    if poll is None:
        return 1.0
    wait = min(poll.every * poll.backoff ** min(flight.polls, 64), max(poll.max_every, poll.every))
    return wait * random.uniform(0.95, 1.05)  # noqa: S311  # jitter


async def poll(machine: "Machine", flight: "Flight") -> Again | Done:
    """Ask the provider how the job is."""
    client = machine.client(flight.generation.provider)
    late = _late(flight)
    if late:
        await _cancel_upstream(flight, client)
        return await machine.fail(flight, "timeout", late, phase="expired", maybe_charged=True)
    if flight.generation.canceling and not flight.cancel_sent:
        if flight.compiled.cancel is None:
            return await machine.canceled(flight, upstream=False)
        await _cancel_upstream(flight, client)
        flight.polls = 0
    request = flight.compiled.poll
    assert request is not None  # noqa: S101  # a synchronous generator never waits
    reply = await _ask(machine, flight, client, request)
    if isinstance(reply, Again | Done):
        return reply
    return await judge(machine, flight, reply, submitted=False)


def _late(flight: "Flight") -> str:
    """Why the deadline has passed; empty while it has not."""
    generation, deadline, now = flight.generation, flight.compiled.deadline, time.time()
    if generation.started_at is not None:
        if now > generation.started_at + deadline.run:
            return f"The job ran longer than {deadline.run:g} s."
    elif generation.submitted_at is not None and now > generation.submitted_at + deadline.queue:
        return f"The job waited in the provider's queue longer than {deadline.queue:g} s."
    return ""


async def _cancel_upstream(flight: "Flight", client: ProviderClient) -> None:
    """Ask the provider to cancel; what it says is believed at the next poll."""
    flight.cancel_sent = True
    cancel = flight.compiled.cancel
    if cancel is None:
        return
    try:
        await client.repeat(cancel.render(flight.scope(client.config)))
    except (ProviderError, UnavailableError, RenderError) as error:
        flight.cancel_sent = isinstance(error, ProviderError) and not error.retryable
        _log.info("cancel not accepted", generation=flight.generation.id, error=str(error))


async def _ask(
    machine: "Machine", flight: "Flight", client: ProviderClient, request: CompiledRequest
) -> ReplyValue | Again | Done:
    """Send a request about an accepted job; a reply that is no error, or what to do next."""
    try:
        rendered = request.render(flight.scope(client.config))
        reply = await client.exchange(rendered)
    except TRANSPORT_ERRORS as error:
        told = client.explain(error)
        if told.kind == "untrusted_url":
            return await machine.fail(flight, told.kind, told.message, remedy=told.remedy)
        return await _ask_again(machine, flight, client.scrub(told.message), None)
    except RenderError as error:
        return await machine.fail(
            flight, "provider", f"The reply does not fit the spec: {error}", maybe_charged=True
        )
    except ProviderError as error:
        return await machine.fail(
            flight, error.kind, error.message, remedy=error.remedy, maybe_charged=True
        )
    refusal = flight.compiled.refusal(reply)
    if refusal is None:
        flight.failures = 0
        return reply
    message = client.scrub(refusal.message)
    if refusal.kind in _PATIENT or (
        refusal.kind == "not_found" and not refusal.declared and _young(flight)
    ):
        return await _ask_again(machine, flight, message, refusal.after)
    if flight.generation.canceling:
        return await machine.canceled(flight, upstream=True)
    return await machine.fail(flight, refusal.kind, message, maybe_charged=reply["status"] >= 500)


def _young(flight: "Flight") -> bool:
    submitted = flight.generation.submitted_at
    return (
        not flight.generation.canceling
        and submitted is not None
        and time.time() < submitted + _YOUNG
    )


async def _ask_again(
    machine: "Machine", flight: "Flight", reason: str, after: float | None
) -> Again:
    first, most = _AFTER_OUTAGE
    seconds = min(first * 2 ** min(flight.failures, 16), most) if after is None else after
    flight.failures += 1
    happening = Happening("retrying", {"reason": reason, "seconds": round(seconds, 3)})
    await machine.store.note(flight.generation, [happening])
    return Again(time.time() + seconds)


async def judge(
    machine: "Machine", flight: "Flight", reply: ReplyValue, *, submitted: bool
) -> Again | Done:
    """Do what a reply about the job calls for."""
    compiled = flight.compiled
    flight.previous = reply["body"]
    assert compiled.status is not None  # noqa: S101  # the checker saw to it
    status, raw = compiled.status(reply, submitted)
    if status is None:
        return await machine.fail(
            flight,
            "provider",
            f"The provider answered with {raw!r}, a status that its spec does not know.",
            maybe_charged=True,
        )
    if status in ("queued", "running"):
        await _advance(machine, flight, status, reply)
        return Again(time.time() + interval(flight))
    if status == "canceled":
        return await machine.canceled(flight, upstream=True)
    if status == "failed":
        if flight.generation.canceling:
            return await machine.canceled(flight, upstream=True)
        kind, message = compiled.failure(reply)
        client = machine.client(flight.generation.provider)
        return await machine.fail(flight, kind, client.scrub(message))
    return await _succeeded(machine, flight, reply)


async def _advance(machine: "Machine", flight: "Flight", status: Any, reply: ReplyValue) -> None:
    """Tell progress where there is some; a reply that says nothing new costs no write."""
    told = flight.compiled.progress(reply)
    before = flight.generation
    progress = Progress(status, told.percent, told.queue_position)
    happenings = []
    new_lines = told.logs[flight.lines :][-_MOST_LINES:]
    if new_lines:
        flight.lines = len(told.logs)
        happenings.append(Happening("log", {"lines": list(new_lines)}))
    if progress != before.progress:
        happenings.append(
            Happening(
                "progress",
                {
                    "status": status,
                    "percent": told.percent,
                    "queue_position": told.queue_position,
                },
            )
        )
    if status != before.progress.status:
        flight.polls = 0
    else:
        flight.polls += 1
    started = before.started_at
    if started is None and status == "running":
        started = time.time()
    if happenings or started != before.started_at:
        flight.generation = evolve(before, progress=progress, started_at=started, due_at=None)
        await machine.store.note(flight.generation, happenings)


async def _succeeded(machine: "Machine", flight: "Flight", reply: ReplyValue) -> Again | Done:
    """Read the result and announce its outputs."""
    compiled = flight.compiled
    if compiled.result is not None:
        client = machine.client(flight.generation.provider)
        answer = await _ask(machine, flight, client, compiled.result)
        if isinstance(answer, Again | Done):
            return answer
        reply = answer
        flight.previous = reply["body"]
    found = compiled.outputs(reply)
    if not found:
        return await machine.fail(
            flight,
            "provider",
            "The job succeeded, and its reply has no output where the spec looks for it.",
            maybe_charged=True,
        )
    return await fetching.announce(machine, flight, found)
