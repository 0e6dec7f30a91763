"""A submit that its provider refused: to the next candidate where its caller allowed that.

Only what was surely not accepted goes elsewhere. A lost answer never does, nor what is sent again
after one: it may be paid for.
"""

from typing import TYPE_CHECKING, Final

from attrs import evolve

from boards.errors import BoardsError, ProviderErrorKind
from boards.events import Happening
from boards.generations import Attempt, Progress
from boards.logs import Logger
from boards.runner import Again, Done

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["elsewhere", "refused"]

_log = Logger("boards.engine")

_ANOTHER_MAY: Final = frozenset(
    {"rate_limited", "transient", "timeout", "auth", "quota", "not_found", "provider"}
)
"""Kinds that are the provider's trouble; another one may do better with the same input."""


async def refused(
    machine: "Machine",
    flight: "Flight",
    kind: ProviderErrorKind,
    message: str,
    *,
    remedy: str = "",
    attempt: Attempt | None = None,
) -> Again | Done:
    """Go to the next alternative, or end as failed.

    Args:
        machine: The machine.
        flight: Queued, or submitting.
        kind: Why it was refused.
        message: In the provider's words.
        remedy: What mends it.
        attempt: The attempt that was refused, or that never left; None where there was none.
    """
    flight.refused = attempt
    if kind in _ANOTHER_MAY:
        outcome = await elsewhere(machine, flight, message, attempt=attempt)
        if outcome is not None:
            return outcome
    return await machine.fail(flight, kind, message, remedy=remedy, attempt=attempt)


async def elsewhere(
    machine: "Machine", flight: "Flight", reason: str, *, attempt: Attempt | None = None
) -> Again | None:
    """Go to the next alternative; None where there is none, or where it must not.

    Args:
        machine: The machine.
        flight: Queued, or submitting.
        reason: Why, for who looks at the events.
        attempt: The attempt that was refused, or that never left; None where there was none.
    """
    generation = flight.generation
    if not generation.alternatives or generation.canceling:
        return None
    if await machine.lost_before(flight, attempt or flight.attempt):
        return None
    while flight.generation.alternatives:
        outcome = await _moved(machine, flight, reason, attempt)
        if outcome is not None:
            return outcome
    return None


async def _moved(
    machine: "Machine", flight: "Flight", reason: str, attempt: Attempt | None
) -> Again | None:
    """Bring a flight to its first alternative; None where that cannot be used any more."""
    before = flight.generation
    here, *others = before.alternatives
    try:
        compiled = machine.compiled(here.generator)
        machine.client(here.provider)
    except BoardsError as error:
        _log.info(
            "no alternative", generation=before.id, generator=here.generator, error=str(error)
        )
        flight.generation = evolve(before, alternatives=tuple(others))
        return None
    told = {"from": before.generator, "to": here.generator, "reason": reason}
    moved = await machine.commit(
        flight,
        "queued",
        Happening("fallback", told),
        attempt=attempt,
        generator=here.generator,
        provider=here.provider,
        input=here.input,
        cost=here.cost,
        alternatives=tuple(others),
        progress=Progress(),
    )
    if moved:
        flight.go_elsewhere(compiled)
    return Again(0)
