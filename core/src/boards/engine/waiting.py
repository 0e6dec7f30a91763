"""The step between acceptance and result: ask the provider, as often as its spec says.

An outage loses nothing: whatever fails here is asked again until the deadline.
"""

import math
import random
import time
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.adapters import Adapter
from boards.engine import fetching, listening
from boards.engine.flight import CancelWishedError, Heard
from boards.engine.rest import TRANSPORT_ERRORS, known_refusal
from boards.errors import BoardsError, ProviderError
from boards.events import Happening
from boards.generations import Progress
from boards.logs import Logger, traceback_of
from boards.runner import Again, Done
from boards.spec.paths import ABSENT
from boards.spec.replies import Refusal, ReplyValue
from boards.spec.tokens import RenderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from boards.adapters import Job
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["grace", "in_time", "interval", "judge", "wait"]

_log = Logger("boards.engine")

_AFTER_OUTAGE: Final = (0.5, 30.0)
"""Seconds to the next poll after a failed one: the first, and the most."""
_YOUNG: Final = 30.0
"""Seconds after acceptance in which a provider may not know its own job yet."""
_MOST_LINES: Final = 200
_SAFETY: Final = 30.0
"""Seconds between polls while somebody listens: what was missed is found so."""
_GRACE: Final = 60.0
"""Seconds after its deadline, or after that was noticed, in which a job that nobody can be asked
about is not given up: a laptop wakes before its network does."""
_EMPTY: Final = 1.0
"""Seconds to the next look where there is no way to look at all: a plugin was changed meanwhile."""


def interval(flight: "Flight", reply: ReplyValue | None) -> float:
    """Seconds to the next poll: by the spec, and no sooner than the last reply asks for."""
    wait = _interval(flight)
    if reply is None or flight.generation.canceling:  # when it would be ready is no matter then
        return wait
    asked = flight.compiled.pause(reply) or 0.0
    return max(wait, asked * random.uniform(1.0, 1.05))  # noqa: S311  # jitter


def _interval(flight: "Flight") -> float:
    """Seconds to the next poll, by the spec's ``every``, ``backoff`` and ``max_every``."""
    poll = flight.compiled.run.poll
    if poll is None:
        return 1.0  # an adapter's own look, or a stream that is not open yet
    wait = min(poll.every * poll.backoff ** min(flight.polls, 64), max(poll.max_every, poll.every))
    if flight.attempt is not None and flight.attempt.token_hash is not None:
        wait = max(wait, poll.max_every)  # a webhook comes first; this is the safety net
    return wait * random.uniform(0.95, 1.05)  # noqa: S311  # jitter


async def wait(machine: "Machine", flight: "Flight") -> Again | Done:
    """One look at an accepted job: what was heard of it, else what the provider says when asked."""
    late = _late(flight)
    if late and not flight.late_at:
        flight.late_at = time.monotonic()
    asked = False
    while flight.inbox:  # a fault of this machine leaves it there: it is told only once
        heard = flight.inbox[0]
        try:
            outcome = await _judge_heard(machine, flight, heard)
        except BoardsError:
            raise
        except Exception:
            flight.inbox.pop(0)
            raise
        if flight.generation.phase != "waiting":
            return outcome or Again(0)
        if isinstance(outcome, Again) and _told_once(machine, flight, heard):
            return outcome
        flight.inbox.pop(0)
        asked = asked or outcome is None
    if flight.generation.canceling and not flight.cancel_sent:
        if not _cancelable(machine, flight):
            return await machine.canceled(flight, upstream=False)
        await _cancel_upstream(machine, flight)
        flight.polls = 0
    if late:
        return await _last_look(machine, flight, late)
    if not asked and listening.begin(machine, flight):
        quiet = time.monotonic() - flight.heard_at
        if flight.compiled.poll is None or quiet < _SAFETY:
            return Again(time.time() + max(_SAFETY - quiet, 1.0))
        flight.heard_at = time.monotonic()  # it fell silent: ask, then listen on
    if flight.compiled.poll is None and not _adapted(machine, flight):
        # There is no other way to hear of the job.
        return Again(
            max(flight.listen_at, time.time() + (0.0 if flight.compiled.listens else _EMPTY))
        )
    reply = await _ask(machine, flight, machine.stages(flight.generation.provider).status)
    if isinstance(reply, Again | Done):
        return reply
    return await judge(machine, flight, reply, submitted=False)


async def _last_look(machine: "Machine", flight: "Flight", late: str) -> Again | Done:
    """The deadline has passed, maybe while nobody looked: a job that has ended counts as it is."""
    if flight.compiled.poll is not None or _adapted(machine, flight):
        status_of = machine.stages(flight.generation.provider).status
        told = await _ask(machine, flight, status_of, anyway=grace(flight) <= 0)
        if not isinstance(told, Again | Done) and flight.compiled.status is not None:
            status, _ = flight.compiled.status(told, False)
            if status not in ("queued", "running"):
                told = await judge(machine, flight, told, submitted=False)
        if flight.generation.phase != "waiting":
            return told if isinstance(told, Again) else Done()
        left = grace(flight)
        if isinstance(told, Again) and left > 0:
            return Again(min(told.at, time.time() + left))
    await _cancel_upstream(machine, flight)
    return await machine.fail(flight, "timeout", late, phase="expired", maybe_charged=True)


def grace(flight: "Flight") -> float:
    """Seconds for which what is late is still asked for, where nobody answers."""
    return flight.late_at + _GRACE - time.monotonic() if flight.late_at else _GRACE


def _told_once(machine: "Machine", flight: "Flight", heard: Heard) -> bool:
    """Whether what was heard is a success that nobody will tell again; its result lacks."""
    compiled = flight.compiled
    if heard.webhook or compiled.poll is not None or compiled.status is None:
        return False
    reply = {**heard.reply, "scope": machine.job(flight).scope}
    if compiled.refusal(reply) is not None or grace(flight) <= 0:
        return False
    return compiled.status(reply, False)[0] == "succeeded"


def _adapted(machine: "Machine", flight: "Flight") -> bool:
    """Whether the provider's adapter, not the spec, says how a job is."""
    stages = machine.stages(flight.generation.provider)
    return flight.compiled.run.type == "adapter" and isinstance(stages, Adapter)


def _cancelable(machine: "Machine", flight: "Flight") -> bool:
    stages = machine.stages(flight.generation.provider)
    if isinstance(stages, Adapter) and type(stages).cancel is not Adapter.cancel:
        return True
    return flight.compiled.cancel is not None


async def _judge_heard(machine: "Machine", flight: "Flight", heard: Heard) -> Again | Done | None:
    """Do what a reply that nobody asked for calls for; None where it only means: ask."""
    reply = {**heard.reply, "scope": machine.job(flight).scope}
    compiled = flight.compiled
    if not heard.webhook:
        refusal = compiled.refusal(reply)
        if refusal is None:
            return await judge(machine, flight, reply, submitted=False)
        return await _refused(machine, flight, reply, refusal)
    webhook = compiled.run.webhook
    if webhook is None or webhook.then != "accept" or compiled.webhook_status is None:
        return None
    status, _ = compiled.webhook_status(reply, False)
    if status != "succeeded":
        return None  # the poll tells the rest in the words that the spec knows
    flight.remember(reply)
    if compiled.webhook_body is None:
        flight.hear_cost(reply)
        return await _succeeded(machine, flight, reply)
    result = {**reply, "body": compiled.webhook_body(reply)}
    if result["body"] is ABSENT:
        return None
    flight.hear_cost(result)
    found = compiled.outputs(result)
    return await fetching.announce(machine, flight, found) if found else None


def _late(flight: "Flight") -> str:
    """Why the deadline has passed; empty while it has not."""
    if time.time() <= _ends(flight):
        return ""
    deadline = flight.compiled.deadline
    if flight.generation.started_at is not None:
        return f"The job ran longer than {deadline.run:g} s."
    return f"The job waited in the provider's queue longer than {deadline.queue:g} s."


def _ends(flight: "Flight") -> float:
    """When the deadline passes; Unix seconds."""
    generation, deadline = flight.generation, flight.compiled.deadline
    if generation.started_at is not None:
        return generation.started_at + deadline.run
    if generation.submitted_at is not None:
        return generation.submitted_at + deadline.queue
    return math.inf


def in_time(flight: "Flight", outcome: Again | Done) -> Again | Done:
    """A next step, not later than the deadline: neither a rare poll nor an outage is a reason."""
    if isinstance(outcome, Done) or flight.generation.phase != "waiting":
        return outcome
    ends = _ends(flight) + 0.01
    return Again(ends) if time.time() < ends < outcome.at else outcome


async def _cancel_upstream(machine: "Machine", flight: "Flight") -> None:
    """Ask the provider to cancel; what it says is believed at the next poll."""
    flight.cancel_sent = True
    try:
        await machine.stages(flight.generation.provider).cancel(machine.job(flight))
    except Exception as error:  # whatever it is, the job goes its way
        flight.cancel_sent = isinstance(error, ProviderError) and not error.retryable
        text = machine.client(flight.generation.provider).scrub(f"{type(error).__name__}: {error}")
        _log.info("cancel not accepted", generation=flight.generation.id, error=text)


async def _ask(
    machine: "Machine",
    flight: "Flight",
    stage: "Callable[[Job], Awaitable[ReplyValue]]",
    *,
    anyway: bool = False,
    ended: bool = False,
) -> ReplyValue | Again | Done:
    """Have a stage ask about an accepted job; a reply that is no error, or what to do next.

    Who does not answer is let be for a while, unless it is to be asked ``anyway``: for the last
    time. A job that has ``ended`` is asked for its result.
    """
    client = machine.client(flight.generation.provider)
    if (wait := client.gate.breaker.wait) > 0 and not anyway:
        return Again(time.time() + wait * random.uniform(1.0, 1.2))  # noqa: S311  # jitter
    client.gate.breaker.begin()
    job = machine.job(flight)
    try:
        with flight.until_canceled():
            reply = await stage(job)
    except CancelWishedError:
        return Again(0)
    except TRANSPORT_ERRORS as error:
        told = client.explain(error)
        if told.kind == "untrusted_url":
            return await machine.fail(
                flight, told.kind, told.message, remedy=told.remedy, maybe_charged=True
            )
        known = known_refusal(flight.compiled, error, job.scope)
        if known is None:
            return await _ask_again(machine, flight, client.scrub(told.message), None)
        reply = known
    except RenderError as error:
        return await machine.fail(
            flight, "provider", f"The reply does not fit the spec: {error}", maybe_charged=True
        )
    except ProviderError as error:
        if error.retryable:
            return await _ask_again(machine, flight, error.message, error.retry_after)
        charged = not machine.stages(client.name).repeatable
        return await machine.fail(
            flight, error.kind, error.message, remedy=error.remedy, maybe_charged=charged
        )
    except BoardsError:
        raise
    except Exception as error:  # an adapter's mistake
        return await _mistaken(machine, flight, error)
    reply = {**reply, "scope": job.scope}
    refusal = flight.compiled.refusal(reply)
    if refusal is None:
        flight.failures = 0
        return reply
    return await _refused(machine, flight, reply, refusal, ended=ended)


async def _mistaken(machine: "Machine", flight: "Flight", error: Exception) -> Again:
    """An adapter raised what nobody expects: the job runs on, and the adapter may be mended."""
    client = machine.client(flight.generation.provider)
    _log.error("a look failed", exception=client.scrub(traceback_of(error)))
    return await _ask_again(machine, flight, client.mistake(error), None)


async def _refused(
    machine: "Machine",
    flight: "Flight",
    reply: ReplyValue,
    refusal: Refusal,
    *,
    ended: bool = False,
) -> Again | Done:
    """A reply about an accepted job that is an error: ask again, or believe it."""
    message = machine.client(flight.generation.provider).scrub(refusal.message)
    status = reply["status"]
    # A 2xx reply is about the job itself.
    unsure = status >= 300 and refusal.kind in listening.PATIENT
    if status >= 500 and not ended and flight.compiled.result is not None:
        unsure = True  # how the job ended is told by its result: whoever was asked is broken
    if unsure or (refusal.kind == "not_found" and status == 404 and _young(flight)):
        return await _ask_again(machine, flight, message, refusal.after)
    flight.hear_cost(reply)
    if flight.generation.canceling:
        return await machine.canceled(flight, upstream=True)
    # That it is not known any more does not say that it never ran; what has a result did run.
    charged = status >= 500 or status < 300 or refusal.kind == "not_found" or ended
    return await machine.fail(flight, refusal.kind, message, maybe_charged=charged)


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
    seconds = max(seconds, first)
    flight.failures += 1
    happening = Happening("retrying", {"reason": reason, "seconds": round(seconds, 3)})
    await machine.note(flight, happening)
    return Again(time.time() + seconds)


async def judge(
    machine: "Machine", flight: "Flight", reply: ReplyValue, *, submitted: bool
) -> Again | Done:
    """Do what a reply about the job calls for."""
    compiled = flight.compiled
    assert compiled.status is not None  # noqa: S101  # the checker saw to it
    status, raw = compiled.status(reply, submitted)
    if status is None and _is_empty(reply):
        return await _ask_again(machine, flight, f"HTTP {reply['status']}, and no more", None)
    flight.remember(reply)
    if status is None:
        return await machine.fail(
            flight,
            "provider",
            f"The provider answered with {raw!r}, a status that its spec does not know.",
            maybe_charged=True,
        )
    if status in ("queued", "running"):
        await _advance(machine, flight, status, reply)
        return Again(time.time() + interval(flight, reply))
    flight.hear_cost(reply)
    if status == "canceled":
        return await machine.canceled(flight, upstream=True)
    if status == "failed":
        if flight.generation.canceling:
            return await machine.canceled(flight, upstream=True)
        kind, message = compiled.failure(reply)
        message = message or f"The provider says no more than {raw!r}."
        client = machine.client(flight.generation.provider)
        return await machine.fail(flight, kind, client.scrub(message))
    return await _succeeded(machine, flight, reply)


def _is_empty(reply: ReplyValue) -> bool:
    """Whether a reply is an empty page, or the way to another one: it says nothing of the job."""
    return reply["body"] is None or reply["status"] >= 300


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
        await machine.note(flight, *happenings)


async def _succeeded(machine: "Machine", flight: "Flight", reply: ReplyValue) -> Again | Done:
    """Read the result and announce its outputs."""
    compiled = flight.compiled
    stages = machine.stages(flight.generation.provider)
    if compiled.result is not None or isinstance(stages, Adapter):
        told = reply
        answer = await _ask(machine, flight, lambda job: stages.result(job, told), ended=True)
        if isinstance(answer, Again | Done):
            return answer
        reply = answer
        flight.remember(reply)
        flight.hear_cost(reply)
    try:
        found = await stages.outputs(machine.job(flight), reply)
    except ProviderError as error:
        if error.retryable:
            return await _ask_again(machine, flight, error.message, error.retry_after)
        return await machine.fail(
            flight, error.kind, error.message, remedy=error.remedy, maybe_charged=True
        )
    except BoardsError:
        raise
    except Exception as error:  # an adapter's mistake
        return await _mistaken(machine, flight, error)
    if not found and compiled.result is not None and _is_empty(reply):
        return await _ask_again(machine, flight, f"HTTP {reply['status']}, and no more", None)
    if not found:
        return await machine.fail(
            flight,
            "provider",
            "The job succeeded, and its reply has no output where the spec looks for it.",
            maybe_charged=True,
        )
    return await fetching.announce(machine, flight, found)
