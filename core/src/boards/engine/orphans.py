"""Answers that come when their generation has gone on: what they prove is kept, none is paid twice.

The job may be the generation's after all; or a second one, or one that was given up: an orphan, of
which nobody takes the result.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import evolve

from boards.engine.flight import Flight
from boards.events import Happening
from boards.generations import Attempt, Generation
from boards.logs import Logger
from boards.store import Change

if TYPE_CHECKING:
    from boards.engine.machine import Machine
    from boards.spec.compile import CompiledGenerator

__all__ = ["found_after_all", "is_orphan", "keep", "own_attempt", "resolved", "stop"]

_log = Logger("boards.engine")


def resolved(decision: str, found: Attempt | None = None) -> Happening:
    """The event of a decision, with the job of the attempt that was found."""
    job = None if found is None else found.provider_job_id
    return Happening("resolved", {"decision": decision, "provider_job_id": job})


def own_attempt(generation: Generation, attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt that a generation goes on with: whose job it has, else the last one.

    A webhook may tell of a lost submit when the next one was refused already.
    """
    job = generation.provider_job_id
    own = [one for one in attempts if job is not None and one.provider_job_id == job]
    return (own or [*attempts])[-1] if attempts else None


def is_orphan(generation: Generation, attempt: Attempt, attempts: Sequence[Attempt]) -> bool:
    """Whether an attempt is not the one that its generation goes on with, or may go on with."""
    later = [one for one in attempts if one.number > attempt.number]
    if generation.phase == "queued":  # what was refused since made no other job
        later = [one for one in later if one.outcome not in ("refused", "unsent")]
    own = own_attempt(generation, attempts)
    if own is None or own.number != attempt.number:
        return bool(later)
    return generation.final and own.outcome in ("ambiguous", "abandoned")  # it was given up


async def found_after_all(
    machine: "Machine", before: Generation, found: Attempt, decision: str
) -> Generation | None:
    """Go on with the job of a submit that was taken for lost; None if somebody was faster."""
    now = time.time()
    after = evolve(
        before,
        phase="waiting",
        provider_job_id=found.provider_job_id,
        submitted_at=now,
        due_at=now,
    )
    change = Change(before.phase, after, [resolved(decision, found)], found, fenced=False)
    return after if await machine.store.cas(change) else None


async def keep(machine: "Machine", compiled: "CompiledGenerator", found: Attempt) -> None:
    """Keep the answer to a submit, whatever became of its generation in another process.

    Args:
        machine: The machine.
        compiled: What was submitted.
        found: The attempt, accepted, with its job.
    """
    store = machine.store
    attempts = await store.attempts(found.generation_id)
    await store.attempt_result(found, outcome="accepted")
    now = await store.get(found.generation_id)
    if now is None:
        return
    sent = evolve(now, generator=compiled.id, provider=compiled.provider_name)
    lost = sent.provider != now.provider or is_orphan(now, found, attempts)
    if not lost and now.phase == "queued":  # to be sent again; or it was, a moment ago
        lost = await found_after_all(machine, now, found, "answered") is None
    if lost:
        await stop(machine, sent, compiled, found)
    else:
        await store.make_due(now.id)


async def stop(
    machine: "Machine",
    sent: Generation,
    compiled: "CompiledGenerator",
    found: Attempt,
    *,
    running: bool = True,
) -> None:
    """Tell of an orphan, and stop it if it still runs: it is paid for, and nobody wants it.

    Args:
        machine: The machine.
        sent: Its generation as it was submitted.
        compiled: What was submitted.
        found: The attempt that was accepted.
        running: Whether it may still run.
    """
    if running and found.job is not None:
        orphan = Flight(sent, compiled, found)
        try:
            await machine.stages(sent.provider).cancel(machine.job(orphan))
        except Exception as error:  # whatever it is, the job goes its way
            text = machine.client(sent.provider).scrub(f"{type(error).__name__}: {error}")
            # The generation's own job is another one.
            facts = {**orphan.facts(), "provider_job_id": found.provider_job_id}
            _log.warning("an orphan runs on", **facts, error=text)
    now = await machine.store.get(sent.id)
    if now is not None and not now.final:
        told = [resolved("orphan", found)]
        await machine.store.cas(Change(now.phase, now, told, fenced=False))
