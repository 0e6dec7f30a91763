"""What providers call to tell: verified, kept, and acted on by whoever drives.

A call may come before the submit's own answer, after it, in place of it, or when nobody waits for
the job any more. Whatever it proves is in the store before the provider gets its answer.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from boards.adapters import Job, reply
from boards.engine.accepting import accepted_as
from boards.engine.flight import Flight, Heard
from boards.engine.orphans import found_after_all, is_orphan, stop
from boards.engine.rest import TRANSPORT_ERRORS, without_secrets
from boards.engine.webhooks import Replays, token_hash
from boards.errors import BoardsError, NotFoundError, WebhookError
from boards.generations import Attempt, Generation
from boards.logs import Logger, traceback_of
from boards.spec.paths import ABSENT

if TYPE_CHECKING:
    from boards.engine.following import Following
    from boards.engine.machine import Machine
    from boards.spec.compile import CompiledGenerator

__all__ = ["Calls"]

_log = Logger("boards.engine")


class Calls:
    """Takes in the calls of webhooks.

    Args:
        machine: Knows the flights, the providers and the store.
        following: Has generations driven.
    """

    def __init__(self, machine: "Machine", following: "Following") -> None:
        self._machine = machine
        self._store = machine.store
        self._following = following
        self._replays = Replays()

    async def receive(
        self, provider: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> Generation:
        """Verify a provider's call, and have its generation looked at, or finished.

        Raises:
            NotFoundError: No attempt of this provider has that token.
            WebhookError: It does not prove that it comes from the provider.
        """
        attempt = await self._store.by_token(token_hash(token))
        generation = None if attempt is None else await self._store.get(attempt.generation_id)
        flight = None
        if attempt is not None and generation is not None:
            flight = await self._called(generation, attempt, provider)
        if attempt is None or generation is None or flight is None:
            raise NotFoundError(f"No generation of {provider} waits for this webhook.")
        lower = {name.lower(): value for name, value in headers.items()}
        webhook = flight.compiled.run.webhook
        job = self._machine.job(flight)
        if (refusal := await self._refusal(provider, job, lower, body)) is not None:
            raise refusal  # not where it was caught: what it came of may have secrets
        signed = webhook is not None and webhook.verify.kind != "none"
        life = 2 * webhook.verify.tolerance if webhook is not None and signed else 0.0
        message = f"{token}.{hashlib.sha256(body).hexdigest()}"
        if self._replays.seen(message, life):
            return generation
        try:
            return await self._taken_in(provider, generation.id, flight, attempt, lower, body)
        except BaseException:
            self._replays.forget(message)
            raise

    async def _refusal(
        self, provider: str, job: Job, headers: Mapping[str, str], body: bytes
    ) -> BoardsError | None:
        """Why a call is not believed; None if it is the provider's. Without secrets."""
        client = self._machine.client(provider)
        try:
            await self._machine.stages(provider).verify_webhook(job, headers, body)
        except BoardsError as error:
            told = without_secrets(client, error)
            if told is error or not isinstance(error, WebhookError):
                return told
            return WebhookError(told.message, remedy=told.remedy, provider=provider)
        except TRANSPORT_ERRORS as error:
            why = client.explain(error)
            return WebhookError(why.message, remedy=why.remedy, provider=provider)
        except Exception as error:  # an adapter's mistake
            _log.error("a webhook cannot be verified", exception=client.scrub(traceback_of(error)))
            return WebhookError(
                client.mistake(error),
                remedy="Nothing was done, and the job is still polled; the log has more.",
                provider=provider,
                generation_id=job.generation.id,
            )
        return None

    async def _called(
        self, generation: Generation, attempt: Attempt, provider: str
    ) -> Flight | None:
        """What a call of a provider is about; None where the attempt was not sent there.

        The generation may have gone to another provider since, which its events tell.
        """
        flight = self._machine.flights.get(generation.id)
        if flight is None or flight.attempt is None or flight.attempt.number != attempt.number:
            generator = generation.generator
            for event in await self._store.events(generation.id):
                if event.type in ("queued", "fallback"):
                    generator = event.data["generator" if event.type == "queued" else "to"]
                elif event.type == "submitting" and event.data["attempt"] == attempt.number:
                    break
            compiled = self._machine.compiled(generator)
            if generator != generation.generator:
                generation = evolve(
                    generation, generator=generator, provider=compiled.spec.provider
                )
                flight = None
            flight = flight or Flight(generation, compiled, attempt)
        return flight if flight.generation.provider == provider else None

    async def _taken_in(
        self,
        provider: str,
        generation_id: str,
        flight: Flight,
        attempt: Attempt,
        lower: Mapping[str, str],
        body: bytes,
    ) -> Generation:
        """Keep what a verified call tells, and have its generation driven."""
        generation = await self._store.get(generation_id)  # the proof may have taken its time
        if generation is None:
            raise NotFoundError(f"There is no generation {generation_id}.")
        heard = _heard(lower, body, self._machine.client(provider).clean)
        if heard is not None and await self._orphaned(flight, generation, attempt, heard):
            return generation
        if generation.phase in ("submitting", "unknown") and heard is not None:
            await self._found(generation, flight.compiled, attempt, heard)
        elif generation.phase == "queued" and heard is not None:
            await self._spared(generation, flight, attempt, heard)
        if heard is not None and generation.id in self._machine.flights:
            self._machine.flights[generation.id].inbox.append(heard)
        await self._following.wake(generation.id)
        return await self._store.get(generation.id) or generation

    async def _found(
        self,
        before: Generation,
        compiled: "CompiledGenerator",
        attempt: Attempt,
        heard: Heard,
    ) -> None:
        """A webhook before the submit's answer, which may be lost: the provider did accept it."""
        found = _told_job(compiled, attempt, heard)
        if found is None:
            return
        await self._store.attempt_result(found, outcome="accepted")
        if before.phase != "unknown":
            return  # who submits looks at the attempt where the answer is lost
        await self._resolved(before, found)

    async def _spared(
        self,
        before: Generation,
        called: Flight,
        attempt: Attempt,
        heard: Heard,
    ) -> None:
        """A webhook of a lost submit that waits to be sent again: its job runs, and is paid for."""
        now = [one for one in await self._store.attempts(before.id) if one.number == attempt.number]
        found = _told_job(called.compiled, now[0], heard) if now else None
        if found is None or now[0].outcome != "ambiguous":
            return
        if not await self._resolved(before, found):
            await self._orphaned(called, before, attempt, heard)  # it was sent a moment ago
            return
        flight = self._machine.flights.get(before.id)
        if flight is not None:
            flight.spare()

    async def _resolved(self, before: Generation, found: Attempt) -> bool:
        """Go on with the job that a webhook told of; False if somebody else was faster."""
        after = await found_after_all(self._machine, before, found, "webhook")
        if after is None:
            return False
        if self._following.driving and after.id not in self._machine.flights:
            await self._machine.board(after)
        return True

    async def _orphaned(
        self, called: Flight, generation: Generation, attempt: Attempt, heard: Heard
    ) -> bool:
        """Whether a call tells of an earlier submit that arrived after all: a second job, paid for.

        It is stopped if it still runs, and shown by its attempt and an event.
        """
        attempts = await self._store.attempts(generation.id)
        compiled, sent = called.compiled, called.generation
        if sent.provider == generation.provider and not is_orphan(generation, attempt, attempts):
            return False
        found = _told_job(compiled, attempt, heard) or evolve(attempt, outcome="accepted")
        await self._store.attempt_result(found, outcome="accepted")
        status = compiled.webhook_status(heard.reply, False)[0] if compiled.webhook_status else None
        running = status not in ("succeeded", "failed", "canceled")  # another word tells nothing
        await stop(self._machine, sent, compiled, found, running=running)
        return True


def _told_job(compiled: "CompiledGenerator", attempt: Attempt, heard: Heard) -> Attempt | None:
    """The attempt with the job that a call tells of; None where it does not tell enough."""
    captures = compiled.submits[0].captures if compiled.submits else ()
    kept = {name: at(heard.reply) for name, at in captures}
    job: Any = {name: value for name, value in kept.items() if value is not ABSENT}
    if not captures:
        job = heard.reply["body"]
    if not job or compiled.job_lacks(job):
        return None
    return accepted_as(attempt, job, tuple(kept))


def _heard(headers: Mapping[str, str], body: bytes, clean: Callable[[Any], Any]) -> Heard | None:
    """A webhook's body as a reply; None where it is no JSON, and means no more than: ask."""
    try:
        return Heard(reply(clean(json.loads(body)), headers=headers), webhook=True)
    except (ValueError, RecursionError):
        return None
