"""What follows a submit that was accepted: the provider's job id, committed before all else."""

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.engine import fetching, orphans, waiting
from boards.engine.flight import Heard
from boards.errors import BoardsError, ProviderError, StoreError
from boards.events import Happening
from boards.generations import Attempt, Progress
from boards.logs import Logger, traceback_of
from boards.runner import Again, Done
from boards.spec.replies import ReplyValue

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["accepted_as", "answered", "committed", "identified"]

_log = Logger("boards.engine")

_COMMIT_TRIES: Final = 6


def identified(job: Any, names: tuple[str, ...], attempt: Attempt) -> str:
    """The provider's id of a job: ``id``, else what was captured first, else the attempt's uuid."""
    told = job.get("id") if isinstance(job, dict) else None
    if told is None and names and isinstance(job, dict):
        told = job.get(names[0])
    if not isinstance(told, str | int):
        return attempt.uuid
    return str(told).encode(errors="replace").decode()  # half a surrogate pair can be in no column


def accepted_as(attempt: Attempt, job: Any, names: tuple[str, ...] = ()) -> Attempt:
    """The attempt, with the job that the provider made of it."""
    return evolve(
        attempt, outcome="accepted", job=job, provider_job_id=identified(job, names, attempt)
    )


async def committed(
    machine: "Machine",
    flight: "Flight",
    attempt: Attempt,
    reply: ReplyValue | None,
    *happenings: Happening,
    claims: bool = False,
) -> Again | Done:
    """Commit the provider's job id, whatever it takes; then see what the reply already tells.

    Args:
        machine: The machine.
        flight: In ``submitting``, or ``unknown``.
        attempt: Accepted, with its job.
        reply: The submit's; None where it was lost.
        happenings: What else is to be told, before ``submitted``.
        claims: The job was found, and must be no other generation's.

    Raises:
        ClaimedError: It is.
    """
    compiled = flight.compiled
    now = time.time()
    status = "queued"
    if reply is not None:
        flight.hear_cost(reply)  # with the job's id: a crash forgets neither
        if compiled.status is not None:
            status = compiled.status(reply, True)[0] or "queued"
    await _insist(
        machine,
        flight,
        attempt,
        *happenings,
        Happening("submitted", {"provider_job_id": attempt.provider_job_id}),
        claims=claims,
        provider_job_id=attempt.provider_job_id,
        submitted_at=now,
        progress=Progress("running" if status != "queued" else "queued"),
    )
    flight.failures = flight.polls = 0
    flight.late_at = 0.0
    if flight.generation.phase != "waiting":
        return Again(0)
    if reply is not None:
        flight.remember(reply)
        if status in ("succeeded", "failed", "canceled"):
            if compiled.refusal(reply) is not None:  # what says so is "already accepted"
                return await waiting.judge(machine, flight, reply, submitted=True)
            # Outside of what must not be interrupted: closing does not wait for the outputs.
            flight.inbox.insert(0, Heard(reply))
    if flight.inbox or compiled.listens:
        return Again(0)
    return Again(now + waiting.interval(flight, reply))


async def _insist(
    machine: "Machine",
    flight: "Flight",
    attempt: Attempt,
    *happenings: Happening,
    claims: bool,
    **changes: Any,
) -> None:
    """Commit the acceptance; a store that fails for a moment must not lose a paid job."""
    for tried in range(_COMMIT_TRIES):
        try:
            applied = await machine.commit(
                flight, "waiting", *happenings, attempt=attempt, claims=claims, **changes
            )
            # A job that was only found gives way to what was decided, or told, while it was found.
            if not applied and not claims:
                await orphans.keep(machine, flight.compiled, attempt)
        except StoreError:
            if tried == _COMMIT_TRIES - 1:
                raise
            await asyncio.sleep(0.5 * 2**tried)
        else:
            return


async def answered(
    machine: "Machine", flight: "Flight", attempt: Attempt, reply: ReplyValue
) -> Again | Done:
    """A synchronous generator: the submit's reply is the result."""
    compiled = flight.compiled
    attempt = evolve(attempt, outcome="accepted", provider_job_id=attempt.uuid)
    flight.hear_cost(reply)
    if compiled.status is not None:
        status, raw = compiled.status(reply, True)
        if status == "failed" or status is None:
            kind, message = compiled.failure(reply)
            if status is None:
                message = f"The reply has the unknown status {raw!r}."
            message = message or f"The provider says no more than {raw!r}."
            return await machine.fail(flight, kind, message, attempt=attempt)
    stages = machine.stages(flight.generation.provider)
    try:
        found = await stages.outputs(machine.job(flight), reply)
    except ProviderError as error:
        return await machine.fail(
            flight, error.kind, error.message, remedy=error.remedy, maybe_charged=True,
            attempt=attempt,
        )  # fmt: skip
    except BoardsError:
        raise
    except Exception as error:  # an adapter's mistake
        client = machine.client(flight.generation.provider)
        _log.error("an answer cannot be read", exception=client.scrub(traceback_of(error)))
        return await machine.fail(
            flight, "provider", client.mistake(error), maybe_charged=True, attempt=attempt
        )
    if not found:
        return await machine.fail(
            flight, "provider", "the reply has no output", maybe_charged=True, attempt=attempt
        )
    return await fetching.announce(machine, flight, found, attempt=attempt)
