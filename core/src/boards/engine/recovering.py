"""What becomes of a submit whose answer was lost: the job is looked for, and never begun again.

First at once, while the caller waits; then, as ``unknown``, less and less often. A webhook may
bring the answer at any time, and a person may decide.
"""

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.engine.accepting import accepted_as, committed, identified
from boards.engine.orphans import resolved
from boards.engine.rest import TRANSPORT_ERRORS
from boards.errors import BoardsError, ClaimedError, ProviderError, UnavailableError
from boards.events import Happening
from boards.generations import Attempt
from boards.logs import Logger, traceback_of
from boards.runner import Again, Done
from boards.spec.tokens import RenderError

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["called", "known", "look", "lost"]

_log = Logger("boards.engine")

_SOON: Final = (1.0, 3.0)
"""Seconds to the next looks, before the generation is called unknown."""
_MOST_LOST: Final = 3
"""Submits that may be lost with ``on_ambiguous="resubmit"``; what was refused is not among them."""
_LATER: Final = (30.0, 120.0, 600.0, 3600.0)
"""Seconds to the next looks afterwards."""


async def lost(machine: "Machine", flight: "Flight", attempt: Attempt, reason: str) -> Again | Done:
    """Whether a submit arrived cannot be told from its answer: look for the job.

    Where it cannot be found, the generation is ``unknown``: a live state, shown, never repeated.
    """
    flight.attempt, flight.sent = attempt, False
    if (told := await called(machine, attempt)) is not None:
        return await committed(machine, flight, told, None, resolved("webhook", told))
    jobs = await _unclaimed(machine, flight)
    if jobs is not None and len(jobs) == 1:
        with contextlib.suppress(ClaimedError):  # another generation was faster
            found = accepted_as(attempt, jobs[0])
            return await committed(machine, flight, found, None, claims=True)
    if jobs is not None and flight.lookups < len(_SOON):
        flight.lookups += 1
        return Again(time.time() + _SOON[flight.lookups - 1])
    if (told := await called(machine, attempt)) is not None:  # while it was looked for
        return await committed(machine, flight, told, None, resolved("webhook", told))
    flight.lookups = 0
    match flight.generation.on_ambiguous:
        case "resubmit":
            return await _again(machine, flight, attempt, reason)
        case "fail":
            return await machine.fail(
                flight,
                "provider",
                f"Whether the provider accepted it cannot be told: {reason}.",
                maybe_charged=True,
                attempt=evolve(attempt, outcome="ambiguous"),
            )
    next_look = time.time() + _LATER[0] if jobs is not None else None
    await machine.commit(
        flight,
        "unknown",
        Happening("unknown", {"reason": reason}),
        attempt=evolve(attempt, outcome="ambiguous"),
        due_at=next_look,
    )
    flight.look_at = next_look or 0.0
    return Done() if next_look is None else Again(next_look)


async def called(machine: "Machine", attempt: Attempt) -> Attempt | None:
    """The attempt with its job, where a webhook was faster than the answer."""
    attempts = await machine.store.attempts(attempt.generation_id)
    kept = [one for one in attempts if one.number == attempt.number and known(one)]
    return kept[-1] if kept else None


async def _again(
    machine: "Machine", flight: "Flight", attempt: Attempt, reason: str
) -> Again | Done:
    """Submit once more, as its caller wished: the lost job may be paid for too."""
    before = await machine.store.attempts(attempt.generation_id)
    count = 1 + sum(one.outcome == "ambiguous" for one in before if one.number < attempt.number)
    if count >= _MOST_LOST:
        return await machine.fail(
            flight,
            "provider",
            f"{count} submits were lost; the last one: {reason}.",
            maybe_charged=True,
            attempt=evolve(attempt, outcome="ambiguous"),
        )
    await machine.commit(
        flight,
        "queued",
        Happening("retrying", {"reason": f"{reason}; it is submitted again", "seconds": 0}),
        attempt=evolve(attempt, outcome="ambiguous"),
    )
    return Again(0)


async def look(machine: "Machine", flight: "Flight") -> Again | Done:
    """Look for the job of an ``unknown`` generation."""
    attempts = await machine.store.attempts(flight.generation.id)
    flight.attempt = attempt = attempts[-1] if attempts else None
    if attempt is None:
        return Done()
    if known(attempt):
        # A former owner was slow, and kept the answer when it came after all.
        happening = resolved("answered", attempt)
        outcome = await committed(machine, flight, attempt, None, happening)
        return Done() if flight.generation.phase == "unknown" else outcome
    if time.time() < flight.look_at:
        return Again(flight.look_at)
    jobs = await _unclaimed(machine, flight)
    if jobs is None:
        return Done()
    if len(jobs) == 1:
        found = accepted_as(attempt, jobs[0])
        happening = resolved("reconciled", found)
        with contextlib.suppress(ClaimedError):
            return await committed(machine, flight, found, None, happening, claims=True)
    flight.lookups += 1
    if flight.lookups >= len(_LATER):
        await machine.commit(flight, "unknown")  # it is not due any more
        return Done()
    flight.look_at = time.time() + _LATER[flight.lookups]
    return Again(flight.look_at)


def known(attempt: Attempt) -> bool:
    """Whether the job of an attempt is known: nothing is left to be decided."""
    return attempt.outcome == "accepted" and attempt.job is not None


def _alike(machine: "Machine", flight: "Flight") -> bool:
    """Whether the answer to an equal request is still to come: its job cannot be told from ours."""
    own = flight.attempt
    return any(
        one.sent
        and one.generation.phase == "submitting"
        and own is not None
        and one.attempt is not None
        and one.attempt.request_digest == own.request_digest
        for one in machine.flights.values()
    )


async def _unclaimed(machine: "Machine", flight: "Flight") -> list[dict[str, Any]] | None:
    """Jobs at the provider that may be this generation's and belong to no other.

    None where there is no way to look. Only exactly one counts: none proves nothing.
    """
    provider = flight.generation.provider
    if _alike(machine, flight):
        return []  # a job that is listed may be that one's
    try:
        jobs = await machine.stages(provider).reconcile(machine.job(flight))
    except (ProviderError, UnavailableError, RenderError, *TRANSPORT_ERRORS) as error:
        text = machine.client(provider).scrub(str(error))
        _log.info("cannot look for the job", generation=flight.generation.id, error=text)
        return []
    except BoardsError:
        raise
    except Exception as error:  # an adapter's mistake
        scrub = machine.client(provider).scrub
        _log.error("cannot look for the job", exception=scrub(traceback_of(error)))
        return []
    if not jobs or flight.attempt is None:
        return jobs
    own = flight.attempt
    ids = {identified(job, tuple(job), own): job for job in jobs}
    claimed = await machine.store.claimed(provider, list(ids))
    return [
        job for id_, job in ids.items() if id_ not in claimed and not flight.compiled.job_lacks(job)
    ]
