"""The step that costs money: render, commit the intent, send, commit the provider's job id.

Order matters. The slot is taken before the intent, so that at most as many submits as there are
slots can be ambiguous after a crash; the intent is committed before anything is sent, so that a
submit is never repeated unknowingly; the job id is committed before anything else happens.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.adapters import reply as reply_value
from boards.engine import listening, waiting
from boards.engine.accepting import accepted_as, answered, committed
from boards.engine.fallback import elsewhere, refused
from boards.engine.flight import CancelWishedError
from boards.engine.limits import Ticket
from boards.engine.orphans import resolved
from boards.engine.preparing import Sending, new_attempt, prepared
from boards.engine.recovering import called, lost
from boards.engine.rest import TRANSPORT_ERRORS, ProviderClient, known_refusal
from boards.engine.transport import LostReplyError, UnsentError, shown_url
from boards.errors import BoardsError, BudgetError, ProviderError, UnavailableError
from boards.events import Happening
from boards.generations import Attempt, Outcome
from boards.logs import Logger, traceback_of
from boards.runner import Again, Done
from boards.spec.model import Retry
from boards.spec.replies import Refusal, ReplyValue
from boards.spec.requests import Rendered
from boards.spec.tokens import RenderError

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["recover", "submit"]

_log = Logger("boards.engine")

_AMBIGUOUS_STATUS: Final = frozenset({502, 503, 504})
_ELSEWHERE: Final = frozenset({301, 307, 308})
"""Redirects that say: send it there. After 302 and 303 a POST may have been accepted."""
_UNHEARD: Final = frozenset({"rate_limited", "transient", "timeout", "auth", "quota"})
"""Error kinds of answers that were given before anybody looked at the idempotency key."""


async def submit(machine: "Machine", flight: "Flight") -> Again | Done:
    """Take a queued generation to its submit."""
    generation = flight.generation
    if generation.canceling:  # a shut gate is no reason to wait
        return await machine.canceled(flight, upstream=False)
    client = machine.client(generation.provider)
    patience = _longest_wait(client) if generation.alternatives else None
    if patience is not None and (why := client.gate.shut(patience)):
        outcome = await elsewhere(machine, flight, f"{client.name}: {why}")
        if outcome is not None:
            return outcome
        patience = None  # it has to wait
    flight.ticket = Ticket(asyncio.get_running_loop().create_future(), patience)
    async with client.gate.passing(
        flight.ticket, generation.owner, generation.priority
    ) as admitted:
        flight.ticket = None
        if flight.generation.canceling:
            return await machine.canceled(flight, upstream=False)
        if not admitted or flight.stale:
            return Again(0)  # a webhook told of the submit before, or the gate stays shut
        return await _submit(machine, flight, client)


async def _submit(machine: "Machine", flight: "Flight", client: ProviderClient) -> Again | Done:
    """Make the request ready, and send it."""
    attempt = new_attempt(machine, flight)
    flight.files = {}
    try:
        with flight.until_canceled():  # files are fetched and uploaded
            await machine.accounts.check(flight.generation)
            sending = await prepared(machine, flight, client, attempt)
        if sending.rendered is not None:
            client.check(sending.rendered)  # credentials and trust, before a commit
        if flight.compiled.websocket is not None:
            listening.opening(flight, client, sending.job)  # and what is said first
    except CancelWishedError:
        return await machine.canceled(flight, upstream=False)
    except RenderError as error:
        return await machine.fail(flight, "invalid_input", str(error))
    except ProviderError as error:
        return await refused(machine, flight, error.kind, error.message, remedy=error.remedy)
    except UnavailableError as error:
        return await refused(machine, flight, "auth", error.message, remedy=error.remedy)
    except BudgetError as error:
        return await machine.fail(flight, "quota", error.message, remedy=error.remedy)
    except TRANSPORT_ERRORS as error:  # of an adapter: nothing was submitted yet
        told = client.explain(error)
        return await refused(machine, flight, told.kind, told.message, remedy=told.remedy)
    except BoardsError:
        raise
    except Exception as error:  # an adapter's mistake
        _log.error("a submit cannot be prepared", exception=client.scrub(traceback_of(error)))
        return await refused(machine, flight, "provider", client.mistake(error))
    if (veto := await _vetoed(machine, flight, sending.rendered)) is not None:
        why = str(veto) or type(veto).__name__
        return await machine.fail(flight, "invalid_input", f"A plugin refused it: {why}")
    if flight.generation.canceling:
        return await machine.canceled(flight, upstream=False)
    if flight.stale:  # another process drove meanwhile: this may not be the next attempt
        return Again(0)
    attempt = evolve(attempt, request_digest=sending.digest)
    return await _uninterrupted(machine, _send(machine, flight, client, sending, attempt))


async def _vetoed(
    machine: "Machine", flight: "Flight", rendered: Rendered | None
) -> BaseException | None:
    """What a plugin's ``boards_before_submit`` raised, if any did."""
    hooks = machine.hooks
    if hooks is None:
        return None

    def veto() -> BaseException | None:
        # Told, not raised: a future carries no StopIteration, and a SystemExit ends the loop.
        try:
            hooks.before_submit(flight.generation, rendered)
        except BaseException as error:  # a veto may be anything that is raised
            return error
        return None

    return await asyncio.to_thread(veto)


async def recover(machine: "Machine", flight: "Flight") -> Again | Done:
    """A submit whose answer is not committed: of a process that died, or still to be asked again.

    Where the provider knows a repeated submit, the same attempt is sent again; otherwise the job
    is looked for.
    """
    attempt = flight.attempt
    if attempt is not None and flight.answer is not None:
        accepted, reply = flight.answer
        if accepted.number == attempt.number:  # a fault of this machine kept it from the store
            return await _uninterrupted(machine, _kept(machine, flight, accepted, reply))
    attempt = _last(flight)
    if attempt is None or attempt.outcome in ("unsent", "refused"):
        await machine.commit(flight, "queued", attempt=attempt)
        return Again(0)
    if attempt.outcome == "accepted" and attempt.job is not None:
        return await committed(machine, flight, attempt, None)
    if (told := await called(machine, attempt)) is not None:  # so that no replay is needed
        return await committed(machine, flight, told, None, resolved("webhook", told))
    reason = "the process ended during the submit"
    client = machine.client(flight.generation.provider)
    stages = machine.stages(flight.generation.provider)
    try:
        chosen = flight.compiled.choose_submit(machine.job(flight).scope)
        recognised = chosen is not None and chosen.idempotency is not None
        sending = await prepared(machine, flight, client, attempt)
    except RenderError:
        return await lost(machine, flight, attempt, reason)
    except (ProviderError, *TRANSPORT_ERRORS) as error:
        why = error if isinstance(error, ProviderError) else client.explain(error)
        if recognised and why.kind in _UNHEARD:  # a file cannot be made ready just now
            return await _unheard(machine, flight, client, attempt, why.message, why.retry_after)
        return await lost(machine, flight, attempt, reason)
    except BoardsError:
        raise
    except Exception as error:  # an adapter's mistake
        _log.error("a submit cannot be prepared", exception=client.scrub(traceback_of(error)))
        return await lost(machine, flight, attempt, reason)
    if not (recognised or stages.repeatable) or sending.digest != attempt.request_digest:
        return await lost(machine, flight, attempt, reason)
    sending = evolve(sending, replayed=recognised)
    generation = flight.generation
    ticket = Ticket(asyncio.get_running_loop().create_future())  # a cancel cannot withdraw this one
    async with client.gate.passing(ticket, generation.owner, generation.priority):
        return await _uninterrupted(machine, _answer(machine, flight, client, sending, attempt))


def _last(flight: "Flight") -> Attempt | None:
    """The attempt, refused if it was and a fault of this machine kept that from the store."""
    attempt, refusal = flight.attempt, flight.refused
    if attempt is None or attempt.outcome is not None or refusal is None:
        return attempt
    return refusal if refusal.number == attempt.number else attempt


async def _uninterrupted(
    machine: "Machine", step: Coroutine[Any, Any, Again | Done]
) -> Again | Done:
    """Run to its end what must not stop half-way, even when the runner stops."""
    task = asyncio.ensure_future(step)
    machine.critical.add(task)
    task.add_done_callback(machine.critical.discard)
    return await asyncio.shield(task)


async def _send(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    sending: Sending,
    attempt: Attempt,
) -> Again | Done:
    """Commit the intent and reserve its price, then send."""
    happening = Happening("submitting", {"attempt": attempt.number})
    flight.answer = None
    flight.begin_anew()
    try:
        if not await machine.commit(flight, "submitting", happening, attempt=attempt):
            return Again(0)
    except BudgetError as error:
        return await machine.fail(flight, "quota", error.message, remedy=error.remedy)
    return await _answer(machine, flight, client, sending, attempt)


async def _answer(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    sending: Sending,
    attempt: Attempt,
) -> Again | Done:
    """Send a submit whose intent is committed, and commit what comes of it."""
    chosen = sending.chosen
    flight.sent = True
    try:
        reply = await _asked(machine, flight, sending)
    except UnsentError as error:
        ended = _ended(attempt, "unsent")
        told = client.explain(error)
        if sending.replayed:
            return await _unheard(machine, flight, client, attempt, told.message, None)
        if error.forbidden is not None:
            return await machine.fail(
                flight, told.kind, told.message, remedy=told.remedy, attempt=ended
            )
        return await _retry_later(machine, flight, client, ended, told.message, None)
    except TRANSPORT_ERRORS as error:
        known = known_refusal(flight.compiled, error, sending.job.scope)
        if known is None:
            heard = not isinstance(error, LostReplyError)
            return await _maybe_lost(
                machine, flight, client, sending, attempt, str(error), heard=heard
            )
        reply = known
    except UnavailableError as error:
        ended = _ended(attempt, "unsent")
        if sending.replayed:
            return await _unheard(machine, flight, client, attempt, error.message, None)
        return await refused(
            machine, flight, "auth", error.message, remedy=error.remedy, attempt=ended
        )
    except ProviderError as error:  # an adapter's word, whatever the status: nothing runs
        refusal = Refusal(error.kind, error.message, error.retry_after, refused=error.retryable)
        word = reply_value(None, status=400)
        return await _refused(machine, flight, client, sending, attempt, word, refusal)
    except Exception as error:  # an adapter's mistake: it may have begun something
        _log.error("a submit failed", exception=client.scrub(traceback_of(error)))
        return await machine.fail(
            flight,
            "provider",
            client.mistake(error),
            maybe_charged=not machine.stages(client.name).repeatable,
            attempt=_ended(attempt, "refused"),
        )
    reply = {**reply, "scope": sending.job.scope}
    conflict = chosen.conflict if chosen is not None else None
    if conflict is not None and conflict(reply, sending.job.scope):
        refusal_ = None
    else:
        refusal_ = flight.compiled.refusal(reply)
    if refusal_ is not None:
        return await _refused(machine, flight, client, sending, attempt, reply, refusal_)
    return await _accepted(machine, flight, client, sending, attempt, reply)


async def _asked(machine: "Machine", flight: "Flight", sending: Sending) -> ReplyValue:
    """The answer to a submit, by whatever way it goes."""
    if flight.compiled.websocket is not None and sending.rendered is not None:
        return await listening.submit(machine, flight, sending.job, sending.rendered)
    stages = machine.stages(flight.generation.provider)
    return await stages.submit(sending.job, sending.rendered)


async def _maybe_lost(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    sending: Sending,
    attempt: Attempt,
    reason: str,
    *,
    heard: bool = False,
) -> Again | Done:
    """No answer, or one that tells nothing: sent again only where the provider knows it again.

    What was ``heard``, and cannot be read, is most likely the same each time.
    """
    recognised = sending.chosen is not None and sending.chosen.idempotency is not None
    if recognised and not heard:
        return await _unheard(machine, flight, client, attempt, reason, None)
    if recognised and flight.failures < _tries(client):
        flight.failures += 1
        return Again(time.time() + _backoff(client, flight.failures))
    return await lost(machine, flight, attempt, client.scrub(reason))


def _ended(attempt: Attempt, outcome: Outcome, **facts: Any) -> Attempt:
    return evolve(attempt, outcome=outcome, **facts)


def _tries(client: ProviderClient) -> int:
    return (client.spec.retry or Retry()).max


def _longest_wait(client: ProviderClient) -> float:
    """Seconds that a provider may ask to wait before another one is asked instead."""
    return (client.spec.retry or Retry()).cap


def _backoff(client: ProviderClient, tries: int) -> float:
    retry = client.spec.retry or Retry()
    return min(retry.base * 2.0 ** (tries - 1), retry.cap)


async def _refused(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    sending: Sending,
    attempt: Attempt,
    reply: ReplyValue,
    refusal: Refusal,
) -> Again | Done:
    """The provider answered with an error."""
    message, status = client.scrub(refusal.message), reply["status"]
    if refusal.refused and refusal.kind == "rate_limited":
        client.gate.pause(_backoff(client, 1) if refusal.after is None else refusal.after)
    if sending.replayed and (refusal.refused or refusal.kind in _UNHEARD):
        return await _unheard(machine, flight, client, attempt, message, refusal.after)
    if refusal.refused:
        return await _retry_later(
            machine, flight, client, _ended(attempt, "refused"), message, refusal.after,
            kind=refusal.kind,
        )  # fmt: skip
    if status in _AMBIGUOUS_STATUS and not refusal.declared:
        return await _maybe_lost(machine, flight, client, sending, attempt, message)
    if 300 <= status < 500 and not sending.replayed:
        ended = _ended(attempt, "refused")
        return await refused(machine, flight, refusal.kind, message, attempt=ended)
    flight.hear_cost(reply)
    return await machine.fail(
        flight,
        refusal.kind,
        message,
        maybe_charged=True,
        attempt=_ended(attempt, "refused"),
    )


async def _unheard(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    attempt: Attempt,
    message: str,
    after: float | None,
) -> Again | Done:
    """A submit with a key was not answered: it is sent again, with that key, until it is.

    A replay that did not come through tells nothing of the send before, so the key must stay. A
    new attempt would have another key, and be paid for beside the one that may be running.
    """
    late = time.time() > attempt.intent_at + flight.compiled.deadline.queue
    if late and not flight.late_at:  # a process that came back late has not asked yet
        flight.late_at = time.monotonic()
    if late and waiting.grace(flight) <= 0:
        return await lost(machine, flight, attempt, client.scrub(message))
    flight.polls += 1
    seconds = max(_backoff(client, min(flight.polls, 16)), after or 0.0)
    happening = Happening(
        "retrying", {"reason": client.scrub(message), "seconds": round(seconds, 3)}
    )
    await machine.store.note(flight.generation, [happening])
    return Again(time.time() + seconds)


async def _retry_later(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    attempt: Attempt,
    message: str,
    after: float | None,
    kind: Any = "transient",
) -> Again | Done:
    """Back to the queue: nothing was accepted, so the same submit may be sent again."""
    flight.failures += 1
    if flight.failures > _tries(client):
        return await refused(machine, flight, kind, message, attempt=attempt)
    flight.refused = attempt
    if after is not None and after > _longest_wait(client):
        outcome = await elsewhere(machine, flight, message, attempt=attempt)
        if outcome is not None:
            return outcome
    seconds = _backoff(client, flight.failures) if after is None else after
    due = time.time() + seconds
    await machine.commit(
        flight,
        "queued",
        Happening("retrying", {"reason": message, "seconds": round(seconds, 3)}),
        attempt=attempt,
        due_at=due,
    )
    return Again(due)


async def _accepted(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    sending: Sending,
    attempt: Attempt,
    reply: ReplyValue,
) -> Again | Done:
    """A reply that is no error: keep what it tells of the job, durably, before anything else."""
    compiled, chosen = flight.compiled, sending.chosen
    if compiled.run.synchronous:
        if _is_elsewhere(reply):
            return await _redirected(machine, flight, client, sending, attempt, reply)
        return await _kept(machine, flight, attempt, reply)
    captures = chosen.captures if chosen is not None else ()
    job: Any = chosen.capture(reply) if chosen is not None and captures else reply["body"]
    if job is None or compiled.job_lacks(job):
        if reply["status"] >= 300:
            return await _redirected(machine, flight, client, sending, attempt, reply)
        return await lost(
            machine, flight, attempt, "the provider accepted it without telling the job's id"
        )
    names = tuple(name for name, _ in captures)
    return await _kept(machine, flight, accepted_as(attempt, job, names), reply)


def _is_elsewhere(reply: ReplyValue) -> bool:
    """Whether a reply is nothing but a redirect, of one that did not look at the request."""
    return reply["status"] in _ELSEWHERE and not isinstance(reply["body"], dict | list)


async def _redirected(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    sending: Sending,
    attempt: Attempt,
    reply: ReplyValue,
) -> Again | Done:
    """A submit that was answered by a redirect, which is not followed."""
    where = reply["header"].get("location")
    to = "" if where is None else f" to {client.scrub(shown_url(where))}"
    told = f"a redirect ({reply['status']}){to} was the answer, and none is followed"
    if not _is_elsewhere(reply) or sending.replayed:
        return await lost(machine, flight, attempt, told)
    return await refused(
        machine,
        flight,
        "provider",
        f"Nothing was accepted: {told}.",
        remedy=f"Correct the address: providers.{client.name}.config.base_url",
        attempt=_ended(attempt, "refused"),
    )


async def _kept(
    machine: "Machine", flight: "Flight", attempt: Attempt, reply: ReplyValue
) -> Again | Done:
    """Go on with an answer that is paid for; it stays in memory until the store has it."""
    flight.answer = attempt, reply
    if flight.compiled.run.synchronous:
        outcome = await answered(machine, flight, attempt, reply)
    else:
        outcome = await committed(machine, flight, attempt, reply)
    flight.answer = None
    return outcome
