"""The step that costs money: render, commit the intent, send, commit the provider's job id.

Order matters. The slot is taken before the intent, so that at most as many submits as there are
slots can be ambiguous after a crash; the intent is committed before anything is sent, so that a
submit is never repeated unknowingly; the job id is committed before anything else happens.
"""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.engine import fetching, waiting
from boards.engine.files import FileForms
from boards.engine.rest import TRANSPORT_ERRORS, FilePart, ProviderClient
from boards.engine.transport import UnsentError
from boards.errors import ProviderError, StoreError, UnavailableError
from boards.events import Happening
from boards.generations import Attempt, Outcome, Progress
from boards.runner import Again, Done
from boards.spec.compile import CompiledSubmit
from boards.spec.model import Retry
from boards.spec.paths import ABSENT
from boards.spec.replies import Refusal, ReplyValue
from boards.spec.requests import Rendered
from boards.spec.tokens import RenderError

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["recover", "submit"]

_AMBIGUOUS_STATUS: Final = frozenset({502, 503, 504})
_COMMIT_TRIES: Final = 6


async def submit(machine: "Machine", flight: "Flight") -> Again | Done:
    """Take a queued generation to its submit."""
    if flight.generation.canceling:
        return await machine.canceled(flight, upstream=False)
    client = machine.client(flight.generation.provider)
    attempt = _new_attempt(flight, machine.store.epoch)
    try:
        chosen, rendered = await _render(machine, flight, client, attempt)
        client.request(rendered)  # credentials and trust, before anything is committed
    except RenderError as error:
        return await machine.fail(flight, "invalid_input", str(error))
    except ProviderError as error:
        return await machine.fail(flight, error.kind, error.message, remedy=error.remedy)
    except UnavailableError as error:
        return await machine.fail(flight, "auth", error.message, remedy=error.remedy)
    if (veto := await _vetoed(machine, flight, rendered)) is not None:
        return await machine.fail(flight, "invalid_input", f"A plugin refused it: {veto}")
    attempt = evolve(attempt, request_digest=_digest(rendered))
    async with machine.slots(flight.generation.provider):
        if flight.generation.canceling:
            return await machine.canceled(flight, upstream=False)
        return await _uninterrupted(
            machine, _send(machine, flight, client, chosen, rendered, attempt)
        )


async def _vetoed(machine: "Machine", flight: "Flight", rendered: Rendered) -> Exception | None:
    """What a plugin's ``boards_before_submit`` raised, if any did."""
    if machine.hooks is None:
        return None
    try:
        await asyncio.to_thread(machine.hooks.before_submit, flight.generation, rendered)
    except Exception as error:  # a veto may be any exception
        return error
    return None


async def recover(machine: "Machine", flight: "Flight") -> Again | Done:
    """A submit whose process died: nobody knows whether it arrived.

    With an idempotency key the same attempt is sent again; otherwise it stays unknown.
    """
    attempt = flight.attempt
    if attempt is None or attempt.outcome in ("unsent", "refused"):
        await machine.commit(flight, "queued")
        return Again(0)
    if attempt.outcome == "accepted" and attempt.job is not None:
        return await _committed(machine, flight, attempt, None)
    client = machine.client(flight.generation.provider)
    try:
        chosen, rendered = await _render(machine, flight, client, attempt)
    except (RenderError, ProviderError):
        return await _unknown(machine, flight, attempt, "the process ended during the submit")
    if chosen.idempotency is None or _digest(rendered) != attempt.request_digest:
        return await _unknown(machine, flight, attempt, "the process ended during the submit")
    async with machine.slots(flight.generation.provider):
        return await _uninterrupted(
            machine, _answer(machine, flight, client, chosen, rendered, attempt)
        )


def _new_attempt(flight: "Flight", epoch: int) -> Attempt:
    number = flight.attempt.number + 1 if flight.attempt is not None else 1
    return Attempt(
        generation_id=flight.generation.id,
        number=number,
        uuid=str(uuid.uuid4()),
        idempotency_key=f"{flight.generation.id}-{number}",
        request_digest="",
        epoch=epoch,
        intent_at=time.time(),
    )


async def _render(
    machine: "Machine", flight: "Flight", client: ProviderClient, attempt: Attempt
) -> tuple[CompiledSubmit, Rendered]:
    """The request of the variant that fits, its files prepared."""
    before, flight.attempt = flight.attempt, attempt
    try:
        scope = flight.scope(client.config)
    finally:
        flight.attempt = before
    forms = FileForms(client, machine.storage, scope)
    scope["files"] = forms
    chosen = flight.compiled.choose_submit(scope)
    rendered = chosen.request.render(scope)
    if await forms.prepare():
        rendered = chosen.request.render(scope)
    if chosen.idempotency is not None and chosen.idempotency.header is not None:
        headers = {**rendered.headers, chosen.idempotency.header: attempt.idempotency_key}
        rendered = evolve(rendered, headers=headers)
    return chosen, rendered


def _digest(rendered: Rendered) -> str:
    """SHA-256 of what would be sent, credentials aside."""

    def plain(value: Any) -> Any:
        if value is ABSENT:
            return None
        if isinstance(value, FilePart):
            return hashlib.sha256(value.content).hexdigest()
        return str(value)

    told = [
        rendered.method,
        rendered.base,
        rendered.url,
        rendered.query,
        plain(rendered.json) if rendered.json is ABSENT else rendered.json,
        rendered.form,
        rendered.multipart,
        rendered.body,
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=plain).encode()).hexdigest()


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
    chosen: CompiledSubmit,
    rendered: Rendered,
    attempt: Attempt,
) -> Again | Done:
    """Commit the intent, then send."""
    if not await machine.commit(
        flight, "submitting", Happening("submitting", {"attempt": attempt.number}), attempt=attempt
    ):
        return Again(0)
    return await _answer(machine, flight, client, chosen, rendered, attempt)


async def _answer(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    chosen: CompiledSubmit,
    rendered: Rendered,
    attempt: Attempt,
) -> Again | Done:
    """Send a submit whose intent is committed, and commit what comes of it."""
    try:
        reply = await client.exchange(rendered, fresh=True)
    except UnsentError as error:
        if error.forbidden is not None:
            told = client.explain(error)
            return await machine.fail(
                flight,
                told.kind,
                told.message,
                remedy=told.remedy,
                attempt=_ended(attempt, "unsent"),
            )
        return await _retry_later(
            machine, flight, client, _ended(attempt, "unsent"), client.explain(error).message, None
        )
    except TRANSPORT_ERRORS as error:
        if chosen.idempotency is not None and flight.failures < _tries(client):
            flight.failures += 1
            return Again(time.time() + _backoff(client, flight.failures))
        return await _unknown(machine, flight, attempt, client.scrub(str(error)))
    if chosen.conflict is not None and chosen.conflict(reply, {}):
        refusal = None
    else:
        refusal = flight.compiled.refusal(reply)
    if refusal is not None:
        return await _refused(machine, flight, client, attempt, reply, refusal)
    return await _accepted(machine, flight, chosen, attempt, reply)


def _ended(attempt: Attempt, outcome: Outcome, **facts: Any) -> Attempt:
    return evolve(attempt, outcome=outcome, **facts)


def _tries(client: ProviderClient) -> int:
    return (client.spec.retry or Retry()).max


def _backoff(client: ProviderClient, tries: int) -> float:
    retry = client.spec.retry or Retry()
    return min(retry.base * 2.0 ** (tries - 1), retry.cap)


async def _refused(
    machine: "Machine",
    flight: "Flight",
    client: ProviderClient,
    attempt: Attempt,
    reply: ReplyValue,
    refusal: Refusal,
) -> Again | Done:
    """The provider answered with an error."""
    status = reply["status"]
    message = client.scrub(refusal.message)
    if refusal.refused:
        return await _retry_later(
            machine, flight, client, _ended(attempt, "refused"), message, refusal.after,
            kind=refusal.kind,
        )  # fmt: skip
    if status in _AMBIGUOUS_STATUS and not refusal.declared:
        return await _unknown(machine, flight, attempt, message)
    return await machine.fail(
        flight,
        refusal.kind,
        message,
        maybe_charged=status >= 500,
        attempt=_ended(attempt, "refused"),
    )


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
        return await machine.fail(flight, kind, message, attempt=attempt)
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


async def _unknown(
    machine: "Machine", flight: "Flight", attempt: Attempt, reason: str
) -> Again | Done:
    """Whether the submit arrived cannot be told: a live state, shown and never repeated."""
    await machine.commit(
        flight,
        "unknown",
        Happening("unknown", {"reason": reason}),
        attempt=_ended(attempt, "ambiguous"),
    )
    return Done()


async def _accepted(
    machine: "Machine",
    flight: "Flight",
    chosen: CompiledSubmit,
    attempt: Attempt,
    reply: ReplyValue,
) -> Again | Done:
    """A 2xx reply: keep what it tells of the job, durably, before anything else."""
    compiled = flight.compiled
    if compiled.run.synchronous:
        attempt = _ended(attempt, "accepted", provider_job_id=attempt.uuid)
        return await _result(machine, flight, attempt, reply)
    job: Any = chosen.capture(reply) if chosen.captures else reply["body"]
    if job is None or not compiled.job_suffices(job):
        return await _unknown(
            machine, flight, attempt, "the provider accepted it without telling the job's id"
        )
    job_id = _job_id(chosen, job, attempt)
    return await _committed(
        machine, flight, _ended(attempt, "accepted", job=job, provider_job_id=job_id), reply
    )


def _job_id(chosen: CompiledSubmit, job: Any, attempt: Attempt) -> str:
    told = job.get("id") if isinstance(job, dict) else None
    if told is None and chosen.captures:
        told = job[chosen.captures[0][0]]
    return str(told) if isinstance(told, str | int) else attempt.uuid


async def _committed(
    machine: "Machine", flight: "Flight", attempt: Attempt, reply: ReplyValue | None
) -> Again | Done:
    """Commit the provider's job id, whatever it takes; then see what the reply already tells."""
    compiled = flight.compiled
    now = time.time()
    status = "queued"
    if reply is not None and compiled.status is not None:
        status = compiled.status(reply, True)[0] or "queued"
    progress = Progress("running" if status != "queued" else "queued")
    await _insist(
        machine,
        flight,
        attempt,
        Happening("submitted", {"provider_job_id": attempt.provider_job_id}),
        provider_job_id=attempt.provider_job_id,
        submitted_at=now,
        progress=progress,
    )
    flight.failures = 0
    if flight.generation.phase != "waiting":
        return Again(0)
    if reply is not None:
        flight.previous = reply["body"]
        if status in ("succeeded", "failed", "canceled"):
            return await waiting.judge(machine, flight, reply, submitted=True)
    return Again(now + waiting.interval(flight))


async def _insist(
    machine: "Machine", flight: "Flight", attempt: Attempt, happening: Happening, **changes: Any
) -> None:
    """Commit the acceptance; a store that fails for a moment must not lose a paid job."""
    for tried in range(_COMMIT_TRIES):
        try:
            if not await machine.commit(flight, "waiting", happening, attempt=attempt, **changes):
                await machine.store.attempt_result(
                    attempt,
                    provider_job_id=attempt.provider_job_id,
                    job=attempt.job,
                    outcome="accepted",
                )
        except StoreError:
            if tried == _COMMIT_TRIES - 1:
                raise
            await asyncio.sleep(0.5 * 2**tried)
        else:
            return


async def _result(
    machine: "Machine", flight: "Flight", attempt: Attempt, reply: ReplyValue
) -> Again | Done:
    """A synchronous generator: the reply is the result."""
    compiled = flight.compiled
    if compiled.status is not None:
        status, raw = compiled.status(reply, True)
        if status == "failed" or status is None:
            kind, message = compiled.failure(reply)
            if status is None:
                message = f"the reply has the unknown status {raw!r}"
            return await machine.fail(flight, kind, message, attempt=attempt)
    found = compiled.outputs(reply)
    if not found:
        return await machine.fail(
            flight, "provider", "the reply has no output", maybe_charged=True, attempt=attempt
        )
    return await fetching.announce(machine, flight, found, attempt=attempt)
