"""Decisions about submits whose answer was lost, by a person, when nobody else can tell."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.engine.machine import failed
from boards.engine.orphans import resolved
from boards.engine.recovering import known
from boards.errors import BoardsError, Failure, StoreError
from boards.generations import Generation

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.following import Following
    from boards.engine.machine import Machine

__all__ = ["resolve"]

_ANSWERED: Final = "the provider's answer was found"
_OTHERWISE: Final = "Decide with --resubmit or --abandon."
_ABANDONED: Final = "The submit's answer was lost, and the generation was abandoned."


async def resolve(
    machine: "Machine",
    following: "Following",
    generation: Generation,
    *,
    job: str | None,
    captured: Mapping[str, str],
    resubmit: bool,
) -> Generation:
    """Decide what became of an ``unknown`` generation, when nobody else can tell.

    Any process may: what it commits is what whoever drives goes on with.

    Args:
        machine: Commits the decision.
        following: Has it driven.
        generation: In phase ``unknown``.
        job: The provider's id of the job, found by hand: it is polled from now on.
        captured: What else the submit's reply would have told of it, by the names that the spec
            has for it.
        resubmit: Submit once more; a job that did start is paid for twice.

    Raises:
        BoardsError: It is not unknown, or not any more; or what was given does not lead to the
            job.
        ClaimedError: The job is another generation's.
    """
    if generation.phase != "unknown":
        raise BoardsError(
            f"The generation is {generation.phase}, not unknown: nothing is to be decided.",
            generation_id=generation.id,
        )
    # Not the one that is driven: a step that ends now must not be taken for the decision's.
    try:
        flight = await machine.look_at(generation)
    except StoreError:
        raise
    except BoardsError:  # its generator is gone: it can be given up all the same
        if job is not None or resubmit:
            raise
        return await _given_up(machine, generation)
    if flight.attempt is not None and known(flight.attempt):
        await _look_again(machine, following, generation.id)
        raise _decided(generation, _ANSWERED)
    if job is not None:
        decided = await _found(machine, flight, job, captured)
    elif resubmit:
        decided = await machine.commit(
            flight, "queued", resolved("resubmit"), fenced=False, due_at=time.time()
        )
    else:
        decided = await _abandoned(machine, flight)
    await _look_again(machine, following, generation.id)
    if not decided:
        phase = flight.generation.phase
        raise _decided(generation, _ANSWERED if phase == "unknown" else f"it is {phase}")
    return flight.generation


async def _found(
    machine: "Machine", flight: "Flight", job: str, captured: Mapping[str, str]
) -> bool:
    """Go on with a job of the provider, by its id; False where somebody decided meanwhile."""
    attempt = flight.attempt
    if attempt is None or flight.compiled.run.synchronous or not job.strip():
        raise BoardsError(
            "There is no job of that id that could be asked for: nothing was decided.",
            remedy=_OTHERWISE,
            generation_id=flight.generation.id,
        )
    told = {**_nested(captured), "id": job}
    attempt = evolve(attempt, outcome="accepted", provider_job_id=job, job=told)
    if lacking := flight.compiled.job_lacks(told):
        raise BoardsError(
            f"The id {job!r} alone does not lead to the job: the spec's requests also need what "
            f"the lost reply told as {', '.join(lacking)}.",
            remedy=f"If you know that, give --captured {lacking[0]}=VALUE too. {_OTHERWISE}",
            generation_id=flight.generation.id,
        )
    now = time.time()
    return await machine.commit(
        flight, "waiting", resolved("job", attempt), attempt=attempt, fenced=False, claims=True,
        provider_job_id=job, submitted_at=now, due_at=now,
    )  # fmt: skip


def _nested(captured: Mapping[str, str]) -> dict[str, Any]:
    """``{"urls.get": "https://..."}`` as the reply had it."""
    told: dict[str, Any] = {}
    for name, value in captured.items():
        *above, last = name.split(".")
        inside = told
        for key in above:
            if not isinstance(inside.get(key), dict):
                inside[key] = {}
            inside = inside[key]
        inside[last] = value
    return told


async def _abandoned(machine: "Machine", flight: "Flight") -> bool:
    """Give the submit up; False where somebody decided meanwhile."""
    attempt = flight.attempt
    abandoned = None if attempt is None else evolve(attempt, outcome="abandoned")
    if not await machine.commit(
        flight, "unknown", resolved("abandon"), attempt=abandoned, fenced=False
    ):
        return False
    await machine.fail(flight, "provider", _ABANDONED, maybe_charged=True, fenced=False)
    return True


async def _given_up(machine: "Machine", generation: Generation) -> Generation:
    """Abandon an ``unknown`` generation whose generator is gone, or has mistakes."""
    attempts = await machine.store.attempts(generation.id)
    answered = bool(attempts) and known(attempts[-1])
    error = Failure("provider", _ABANDONED, maybe_charged=True)
    if answered or not await machine.give_up(
        generation, "failed", resolved("abandon"), failed(error), error=error, fenced=False
    ):
        raise _decided(generation, _ANSWERED if answered else "it is not unknown any more")
    return await machine.store.get(generation.id) or generation


async def _look_again(machine: "Machine", following: "Following", generation_id: str) -> None:
    """Have what the store has of a generation driven, by whoever drives."""
    flight = machine.flights.get(generation_id)
    if flight is not None:
        flight.stale = True
    await following.wake(generation_id)


def _decided(generation: Generation, how: str) -> BoardsError:
    return BoardsError(
        f"It was decided meanwhile: {how}. Nothing was decided here.",
        remedy=f"Look at it again: boards status {generation.id}",
        generation_id=generation.id,
    )
