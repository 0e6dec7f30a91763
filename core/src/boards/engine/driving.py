"""Driving: one generation, one step at a time, each step safe to begin again.

``drive`` looks at the phase in the store and does what is next. What holds a generation up is told
to who waits for it, and tried again: nothing is lost.
"""

import time
from typing import TYPE_CHECKING, Final

from attrs import evolve

from boards.engine import fetching, recovering, submitting, waiting
from boards.engine.rest import without_secrets
from boards.errors import BoardsError, StorageError, StoreError
from boards.events import Happening
from boards.logs import Logger, about
from boards.runner import Again, Done

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["drive"]

_log = Logger("boards.engine")

_AFTER_TROUBLE: Final = 15.0
"""Seconds before a generation is looked at again that a local fault held up: a full disk, say."""


async def drive(machine: "Machine", generation_id: str) -> Again | Done:
    """Take a generation one step further; idempotent, and safe to call from anywhere."""
    outer = about.set(lambda: {"generation": generation_id})
    outcome = await _driven(machine, generation_id)
    about.reset(outer)  # not after a bug: whoever logs that has the generation at hand
    return outcome


async def _driven(machine: "Machine", generation_id: str) -> Again | Done:
    if not machine.store.epoch:  # another process drives now
        _leave(machine, generation_id)
        return Done()
    flight = machine.flights.get(generation_id)
    try:
        if flight is None:
            flight = await _take_up(machine, generation_id)
            if flight is None:
                return Done()
        elif flight.stale:
            await _read_again(machine, flight)
        about.set(flight.facts)
        outcome = await _step(machine, flight)
    except BoardsError as error:
        return await _held_up(machine, generation_id, flight, error)
    except Exception as error:  # a bug: the runner tries again, and who waits is told
        if flight is not None:
            _failed(machine, flight, error)
        raise
    if flight.generation.final or isinstance(outcome, Done):
        _leave(machine, generation_id)
        return Done()
    return waiting.in_time(flight, outcome)


def _leave(machine: "Machine", generation_id: str) -> None:
    flight = machine.flights.pop(generation_id, None)
    if flight is not None:
        flight.leave()


async def _take_up(machine: "Machine", generation_id: str) -> "Flight | None":
    """A generation that this process does not know yet: of a crash, or of another process."""
    generation = await machine.store.get(generation_id)
    if generation is None or generation.final:
        return None
    try:
        flight = await machine.board(generation)
    except StoreError:
        raise
    except BoardsError:  # its generator is gone, so nobody can be asked to cancel it
        if not generation.canceling or generation.phase == "unknown":
            raise
        await machine.give_up(generation, "canceled", Happening("canceled", {"upstream": False}))
        return None
    if generation.phase == "queued":  # of a process that died, and maybe tried before
        await machine.remember_attempt(flight)
    # A wish to cancel that was committed before the flight was known is only in the store.
    now = await machine.store.get(generation_id)
    if now is not None and now.canceling:
        flight.wish_canceled()
    return flight


async def _read_again(machine: "Machine", flight: "Flight") -> None:
    """Bring a flight to what the store has; what it heard, and listens to, is kept."""
    flight.stale = False  # first: it may become so again while the store is read
    generation = await machine.store.get(flight.generation.id)
    if generation is None:
        return
    if generation.phase != flight.generation.phase == "unknown":  # somebody decided
        flight.failures = flight.polls = flight.lookups = 0
    if generation.generator != flight.generation.generator:
        flight.go_elsewhere(machine.compiled(generation.generator))
    canceling = generation.canceling or flight.generation.canceling
    flight.generation = evolve(generation, canceling=canceling)
    await machine.remember_attempt(flight)


def _failed(machine: "Machine", flight: "Flight", error: Exception) -> None:
    """Tell who waits of what nobody expected."""
    generation = flight.generation
    client = machine.client(generation.provider)
    told = BoardsError(
        client.scrub(f"It is held up by a mistake: {type(error).__name__}: {error}"),
        remedy="It is not lost, and tried again; the log has more.",
        generation_id=generation.id,
        generator=generation.generator,
        provider=generation.provider,
    )
    machine.trouble(generation, told)


async def _step(machine: "Machine", flight: "Flight") -> Again | Done:
    match flight.generation.phase:
        case "queued":
            return await submitting.submit(machine, flight)
        case "submitting":
            return await submitting.recover(machine, flight)
        case "waiting":
            return await waiting.wait(machine, flight)
        case "fetching":
            return await fetching.fetch(machine, flight)
        case "unknown":
            return await recovering.look(machine, flight)
        case _:
            return Done()


async def _held_up(
    machine: "Machine", generation_id: str, flight: "Flight | None", error: BoardsError
) -> Again | Done:
    """A fault of this machine or its set-up, not of the provider: wait, and lose nothing."""
    generation = flight.generation if flight else None
    if generation is None:
        try:
            generation = await machine.store.get(generation_id)
        except StoreError:
            return Again(time.time() + _AFTER_TROUBLE)
    if generation is None:
        return Done()
    if flight is not None and not isinstance(error, StoreError | StorageError):
        error = without_secrets(machine.client(generation.provider), error)
    error.generation_id = error.generation_id or generation.id
    error.generator = error.generator or generation.generator
    error.provider = error.provider or generation.provider
    if flight is None and not isinstance(error, StoreError | StorageError):
        how = "resolve --abandon" if generation.phase == "unknown" else "cancel"
        error.remedy = f"{error.remedy} Or give it up: boards {how} {generation.id}".lstrip()
        if generation.phase != "unknown" and generation.due_at is not None:
            # Or it is looked at whenever others write.
            await machine.store.note(evolve(generation, due_at=None), ())
    _log.warning("held up", generation=generation.id, error=error.message)
    if flight is not None and isinstance(error, StoreError | StorageError):
        flight.stale = True  # what the store has may be older than memory
    machine.trouble(generation, error)
    return Again(time.time() + _AFTER_TROUBLE)
