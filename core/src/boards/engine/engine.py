"""The engine in one process: store, storage, runner and machine, put together.

It owns the store if it can, takes up what a former owner left, and follows what other processes
write.
"""

import asyncio
import contextlib
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.adapters import Stages, load_adapter, reply
from boards.engine.accepting import accepted_as
from boards.engine.accounting import Accounts
from boards.engine.addresses import AddressPolicy
from boards.engine.download import Downloader
from boards.engine.flight import Flight, Heard
from boards.engine.machine import Machine, failed, own_attempt
from boards.engine.observing import Observers, Teller, pruned
from boards.engine.recovering import known
from boards.engine.rest import TRANSPORT_ERRORS, ProviderClient
from boards.engine.stages import SpecStages
from boards.engine.transport import AiohttpTransport, Transport
from boards.engine.uploading import Uploads
from boards.engine.webhooks import Addresses, Replays, token_hash
from boards.errors import BoardsError, Failure, NotFoundError, SettingsError, StoreError
from boards.events import Event, Happening
from boards.generations import Attempt, Generation
from boards.logs import Logger, traceback_of
from boards.spec.paths import ABSENT
from boards.store import Change

if TYPE_CHECKING:
    from boards.choosing import Prepared
    from boards.registry import Registry
    from boards.runner import Runner
    from boards.settings import Settings
    from boards.spec.compile import CompiledGenerator
    from boards.storage import Storage
    from boards.store import Store
    from boards.telemetry import Telemetry

__all__ = ["Engine"]

_log = Logger("boards.engine")

_FOLLOW: Final = 0.1
"""Seconds between looks at what other processes wrote."""
_CONTEND: Final = 1.0
"""Seconds between tries to become the owner."""
_DUE: Final = 1000
"""Generations that are asked for at once, at first, when others wrote."""
_LEAVE_TO_LISTEN: Final = 1.0
"""Seconds that listeners get at the end to say goodbye to their providers."""
_LONGEST: Final = 3600.0
"""Seconds that the engine lets pass between two looks at the most: what the database has beyond
that was written while the clock was ahead."""
_ANSWERED: Final = "the provider's answer was found"
_ABANDONED: Final = "The submit's answer was lost, and the generation was abandoned."


class Engine:
    """Runs generations.

    Args:
        settings: Addresses that are allowed, size limits.
        registry: Providers and generators.
        store: The truth.
        storage: The artifacts' bytes.
        runner: Calls ``drive``.
        transport: Carries requests; the default one if None.
    """

    def __init__(
        self,
        settings: "Settings",
        registry: "Registry",
        *,
        store: "Store",
        storage: "Storage",
        runner: "Runner",
        transport: Transport | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self.store = store
        self.storage = storage
        self._runner = runner
        self._telemetry = _telemetry(settings)
        self._transport = transport or AiohttpTransport(_policy(settings))
        if self._telemetry is not None:
            self._transport = self._telemetry.transport(self._transport)
        self._clients: dict[str, ProviderClient] = {}
        self._stages: dict[str, Stages] = {}
        self._replays = Replays()
        self._observers = Observers()
        self._creating: set[str] = set()  # waited for before it is there
        self._follower: asyncio.Task[None] | None = None
        self._told_of_others: list[Callable[[], Awaitable[None]]] = []
        self._driving = False
        self._taken_up = False
        self._wants_to_drive = False
        hooks = registry.hooks
        self._downloader = Downloader(self._transport, storage, limit=settings.max_output_bytes)
        self.machine = Machine(
            store=store,
            storage=storage,
            client=self.client,
            stages=self.stages,
            compiled=registry.compiled,
            downloader=(
                self._downloader
                if self._telemetry is None
                else self._telemetry.fetcher(self._downloader)
            ),
            hooks=hooks if hooks.implements("boards_before_submit") else None,
            trouble=self._observers.troubled,
            wake=runner.wake,
            addresses=_addresses(settings),
            accounts=Accounts(
                store, settings.budget + settings.owner_budget, settings.budget_unpriced
            ),
            uploads=Uploads(store),
            flights={},
            critical=set(),
            attempted=None if self._telemetry is None else self._telemetry.attempted,
        )
        store.subscribe(self.machine.uploads.committed)
        if self._telemetry is not None:
            store.subscribe(self._committed)
        self._teller: Teller | None = None
        if hooks.implements("boards_generation_event"):
            self._teller = Teller(store, hooks.generation_event, lambda: self._driving)
            store.subscribe(self._teller.committed)

    async def open(self, *, drive: bool) -> None:
        """Open store and storage; with ``drive``, take up what is live if nobody else does."""
        await self.store.open()
        await self.storage.open()
        self.store.subscribe(self._observers.committed)
        self._wants_to_drive = drive
        if drive:
            self._runner.start(self.machine.drive)
            await self._contend()
        self._follower = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Begin nothing new, let submits under way be committed, leave."""
        self._wants_to_drive = False
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower
        await self._runner.stop()
        if self.machine.critical:
            await asyncio.gather(*self.machine.critical, return_exceptions=True)
        await self.machine.uploads.close()
        listeners = [flight.listener for flight in self.machine.flights.values() if flight.listener]
        for flight in self.machine.flights.values():
            flight.leave()
        if listeners:
            await asyncio.wait(listeners, timeout=_LEAVE_TO_LISTEN)
        self._observers.close()
        if self._teller is not None:
            await self._teller.close()
        if self._telemetry is not None:
            self._telemetry.close()
        await self._downloader.close()
        await self._transport.close()
        await self.storage.close()
        await self.store.close()

    def follow(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call back when another process wrote, and when this one begins to drive."""
        self._told_of_others.append(callback)

    @property
    def driving(self) -> bool:
        """Whether this process is the one that drives."""
        return self._driving

    def client(self, name: str) -> ProviderClient:
        """The client of a provider instance.

        Raises:
            NotFoundError: There is no such provider.
        """
        client = self._clients.get(name)
        if client is None:
            spec = self._registry.provider(name).spec
            client = ProviderClient(name, spec, self._settings, self._transport)
            self._clients[name] = client
        return client

    def stages(self, name: str) -> Stages:
        """The stages of a provider instance: its spec's, or those of its adapter over them.

        Raises:
            NotFoundError: There is no such provider.
            PluginError: Its adapter cannot be imported.
        """
        stages = self._stages.get(name)
        if stages is None:
            client = self.client(name)
            stages = SpecStages(client)
            if client.spec.adapter is not None:
                stages = load_adapter(client.spec.adapter)(stages, client)
                client.authenticate = stages.authenticate
            self._stages[name] = stages
        return stages

    async def _contend(self) -> None:
        """Try to become the owner; take up every live generation if so."""
        self._taken_up = False  # until it is done: the store may fail half-way
        self._driving = await self.store.own()
        if self._driving:
            latest = time.time() + _LONGEST
            for flight in self.machine.flights.values():
                flight.spare()  # of a time before: another one may have driven it since
            async for generation in self.store.live():
                due = generation.due_at
                if generation.phase != "unknown" or due is not None:
                    self._runner.enqueue(generation.id, at=due if due and due <= latest else 0.0)
            await self._tell_of_others()
            self._taken_up = True

    async def _tell_of_others(self) -> None:
        for callback in self._told_of_others:
            await callback()

    async def _follow(self) -> None:
        """Look at what other processes wrote, and contend for the store while another owns it."""
        contended = time.monotonic()
        behind = False
        while True:
            await asyncio.sleep(_FOLLOW)
            try:
                now = time.monotonic()
                if self._driving and not self.store.epoch:  # another process fenced this one off
                    self._driving, contended, behind = False, 0.0, True
                drives = self._driving and self._taken_up
                if self._wants_to_drive and not drives and now > contended + _CONTEND:
                    contended = now
                    await self._contend()
                if await self.store.changed_elsewhere() or behind:
                    behind = True  # until it was caught up: nobody may write again
                    await self._catch_up()
                    behind = False
            except StoreError as error:
                _log.warning("the store cannot be followed", error=str(error))
            except Exception as error:  # a bug: others must be heard all the same
                _log.error("the store cannot be followed", exception=traceback_of(error))

    async def _catch_up(self) -> None:
        if self._driving:
            for generation in await self._due():
                flight = self.machine.flights.get(generation.id)
                if flight is not None and generation.canceling:
                    flight.wish_canceled()
                elif flight is not None and flight.generation.phase == "queued":
                    if generation.phase == "queued":  # its turn comes without this
                        if flight.ticket is not None:  # thousands may wait there
                            await self._seen(flight)
                        continue
                    flight.spare()
                if flight is not None and flight.generation.phase == "unknown":
                    flight.stale = True  # it may have been resolved
                self._runner.wake(generation.id)
                if flight is not None and generation.phase in ("waiting", "fetching"):
                    await self._seen(flight)  # or it is asked for at whatever is written next
        driven = self.machine.flights if self._driving else ()
        for generation_id in self._observers.asking(driven):
            existed = generation_id not in self._creating
            found = await self.store.get(generation_id)
            if found is not None:
                self._observers.committed(found, ())
            elif existed:
                self._observers.gone(generation_id)
        await self._tell_of_others()

    async def _seen(self, flight: Flight) -> None:
        """Have a flight due no more: when it is driven next is kept in mind here."""
        if not flight.stale:
            flight.generation = evolve(flight.generation, due_at=None)
            await self.machine.note(flight)

    async def _due(self) -> list[Generation]:
        """All that is due: what waits at a gate is, too, and must not hide what came after it."""
        limit = _DUE
        while len(found := await self.store.due(time.time(), limit)) == limit:
            limit *= 4
        return found

    async def create(self, request: "Prepared") -> Generation:
        """Commit a new generation and have it driven; or the one that stands for it.

        Raises:
            ConflictError: Its owner has as many under way as the settings allow.
        """
        generation = request.generation
        created = await self.store.create(
            generation,
            request.happenings,
            shared_as=request.shared_as,
            max_in_flight=self._settings.max_in_flight,
            sources=request.sources,
        )
        if self._driving and created.id == generation.id:
            if self._telemetry is not None:
                self._telemetry.begin(created)
            await self.machine.board(created)
            self._runner.enqueue(created.id)
        return created

    def _committed(self, generation: Generation, happenings: "Sequence[Happening]") -> None:
        if self._telemetry is not None and self._driving:
            self._telemetry.committed(generation, happenings)

    async def wait(self, generation: Generation) -> Generation:
        """The generation when it ends, or when it is ``unknown`` and waits for a decision.

        Raises:
            NotFoundError: It ended, and was pruned meanwhile.
            BoardsError: A fault of this machine holds it up: a full disk, say. It is not lost.
        """
        future = self._observers.end_of(generation.id)
        try:
            now = await self.store.get(generation.id)
            if now is None:
                raise pruned(generation.id)
            if now.final or now.phase == "unknown":
                return now
            return await future
        finally:
            future.cancel()

    async def run(self, request: "Prepared") -> Generation:
        """Create and wait, without a look at the store between."""
        generation = request.generation
        future = self._observers.end_of(generation.id)
        self._creating.add(generation.id)
        try:
            try:
                created = await self.create(request)
            finally:
                self._creating.discard(generation.id)
            if created.id != generation.id:
                return await self.wait(created)
            return await future
        finally:
            future.cancel()

    async def cancel(self, generation_id: str) -> Generation:
        """Wish a generation canceled; its owner asks the provider.

        Raises:
            NotFoundError: There is no such generation.
        """
        found = await self.store.wish_cancel(generation_id)
        if found is None:
            found = await self.store.get(generation_id)
            if found is None:
                raise NotFoundError(f"There is no generation {generation_id}.")
            return found
        flight = self.machine.flights.get(generation_id)
        if flight is not None:
            flight.wish_canceled()
        if self._driving:
            self._runner.wake(generation_id)
        return found

    async def events(self, generation_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """A generation's events after one, as they are committed, until it ends."""
        news, let_go = self._observers.news_of(generation_id)
        ended = False
        try:
            while True:
                news.clear()
                events = await self.store.events(generation_id, after=after)
                for event in events:
                    after = event.id
                    yield event
                if not events:
                    if ended:
                        return
                    # The end may have been committed since: its events are looked for once more.
                    now = await self.store.get(generation_id)
                    ended = now is None or now.final or now.phase == "unknown"
                    if not ended:
                        await news.wait()
                        self._observers.check()
        finally:
            let_go()

    async def resolve(
        self, generation: Generation, *, job: str | None, resubmit: bool
    ) -> Generation:
        """Decide what became of an ``unknown`` generation, when nobody else can tell.

        Any process may: what it commits is what whoever drives goes on with.

        Args:
            generation: In phase ``unknown``.
            job: The provider's id of the job, found by hand: it is polled from now on.
            resubmit: Submit once more; a job that did start is paid for twice.

        Raises:
            BoardsError: It is not unknown, or not any more; or the id alone does not lead to the
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
            flight = await self.machine.look_at(generation)
        except StoreError:
            raise
        except BoardsError:  # its generator is gone: it can be given up all the same
            if job is not None or resubmit:
                raise
            return await self._given_up(generation)
        attempt = flight.attempt
        if attempt is not None and known(attempt):
            await self._look_again(generation.id)
            raise _decided(generation, _ANSWERED)
        if job is not None and (flight.compiled.run.synchronous or not job.strip()):
            raise BoardsError(
                "There is no job of that id that could be asked for: nothing was decided.",
                remedy="Decide with --resubmit or --abandon.",
                generation_id=generation.id,
            )
        decision = "job" if job else "resubmit" if resubmit else "abandon"
        happening = Happening("resolved", {"decision": decision, "provider_job_id": job})
        if job is not None and attempt is not None:
            found = _known_job(attempt, job)
            if not flight.compiled.job_suffices(found.job):
                raise BoardsError(
                    "The id alone does not lead to the job: the spec needs more of the reply.",
                    remedy="Decide with --resubmit or --abandon.",
                    generation_id=generation.id,
                )
            decided = await self.machine.commit(
                flight, "waiting", happening, attempt=found, fenced=False, claims=True,
                provider_job_id=job, submitted_at=time.time(), due_at=time.time(),
            )  # fmt: skip
        elif resubmit:
            decided = await self.machine.commit(
                flight, "queued", happening, fenced=False, due_at=time.time()
            )
        else:
            abandoned = evolve(attempt, outcome="abandoned") if attempt is not None else None
            decided = await self.machine.commit(
                flight, "unknown", happening, attempt=abandoned, fenced=False
            )
            if decided:
                await self.machine.fail(
                    flight,
                    "provider",
                    _ABANDONED,
                    maybe_charged=True,
                    fenced=False,
                )
        if not decided:
            await self._look_again(generation.id)
            phase = flight.generation.phase
            raise _decided(generation, _ANSWERED if phase == "unknown" else f"it is {phase}")
        await self._look_again(generation.id)
        return flight.generation

    async def _given_up(self, generation: Generation) -> Generation:
        """Abandon an ``unknown`` generation whose generator is gone, or has mistakes."""
        attempts = await self.store.attempts(generation.id)
        answered = bool(attempts) and known(attempts[-1])
        told = Happening("resolved", {"decision": "abandon", "provider_job_id": None})
        error = Failure("provider", _ABANDONED, maybe_charged=True)
        if answered or not await self.machine.give_up(
            generation, "failed", told, failed(error), error=error, fenced=False
        ):
            raise _decided(generation, _ANSWERED if answered else "it is not unknown any more")
        return await self.store.get(generation.id) or generation

    async def _look_again(self, generation_id: str) -> None:
        """Have what the store has of a generation driven, by whoever drives."""
        if not self._driving:
            await self.store.make_due(generation_id)
            return
        flight = self.machine.flights.get(generation_id)
        if flight is not None:
            flight.stale = True
        self._runner.wake(generation_id)

    async def receive_webhook(
        self, provider: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> Generation:
        """Verify a provider's call, and have its generation looked at, or finished.

        Raises:
            NotFoundError: No attempt of this provider has that token.
            WebhookError: It does not prove that it comes from the provider.
        """
        attempt = await self.store.by_token(token_hash(token))
        generation = None if attempt is None else await self.store.get(attempt.generation_id)
        flight = None
        if attempt is not None and generation is not None:
            flight = await self._called(generation, attempt, provider)
        if attempt is None or generation is None or flight is None:
            raise NotFoundError(f"No generation of {provider} waits for this webhook.")
        lower = {name.lower(): value for name, value in headers.items()}
        webhook = flight.compiled.run.webhook
        job = self.machine.job(flight)
        await self.stages(provider).verify_webhook(job, lower, body)
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

    async def _called(
        self, generation: Generation, attempt: Attempt, provider: str
    ) -> Flight | None:
        """What a call of a provider is about; None where the attempt was not sent there.

        The generation may have gone to another provider since, which its events tell.
        """
        flight = self.machine.flights.get(generation.id)
        if flight is None or flight.attempt is None or flight.attempt.number != attempt.number:
            generator = generation.generator
            for event in await self.store.events(generation.id):
                if event.type in ("queued", "fallback"):
                    generator = event.data["generator" if event.type == "queued" else "to"]
                elif event.type == "submitting" and event.data["attempt"] == attempt.number:
                    break
            compiled = self._registry.compiled(generator)
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
        generation = await self.store.get(generation_id)  # the proof may have taken its time
        if generation is None:
            raise NotFoundError(f"There is no generation {generation_id}.")
        heard = _heard(lower, body, self.client(provider).clean)
        if heard is not None and await self._orphaned(flight, generation, attempt, heard):
            return generation
        if generation.phase in ("submitting", "unknown") and heard is not None:
            await self._found(generation, flight.compiled, attempt, heard)
        elif generation.phase == "queued" and heard is not None:
            await self._spared(generation, flight, attempt, heard)
        if heard is not None and generation.id in self.machine.flights:
            self.machine.flights[generation.id].inbox.append(heard)
        if self._driving:
            self._runner.wake(generation.id)
        else:
            await self.store.make_due(generation.id)
        return await self.store.get(generation.id) or generation

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
        await self.store.attempt_result(found, outcome="accepted")
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
        now = [one for one in await self.store.attempts(before.id) if one.number == attempt.number]
        found = _told_job(called.compiled, now[0], heard) if now else None
        if found is None or now[0].outcome != "ambiguous":
            return
        if not await self._resolved(before, found):
            await self._orphaned(called, before, attempt, heard)  # it was sent a moment ago
            return
        flight = self.machine.flights.get(before.id)
        if flight is not None:
            flight.spare()

    async def _resolved(self, before: Generation, found: Attempt) -> bool:
        """Go on with the job that a webhook told of; False if somebody else was faster."""
        happening = Happening(
            "resolved", {"decision": "webhook", "provider_job_id": found.provider_job_id}
        )
        after = evolve(
            before,
            phase="waiting",
            provider_job_id=found.provider_job_id,
            submitted_at=time.time(),
            due_at=time.time(),
        )
        change = Change(before.phase, after, [happening], found, fenced=False)
        resolved = await self.store.cas(change)
        if resolved and self._driving and after.id not in self.machine.flights:
            await self.machine.board(after)
        return resolved

    async def _orphaned(
        self, called: Flight, generation: Generation, attempt: Attempt, heard: Heard
    ) -> bool:
        """Whether a call tells of an earlier submit that arrived after all: a second job, paid for.

        It is stopped if it still runs, and shown by its attempt and an event.
        """
        attempts = await self.store.attempts(generation.id)
        compiled, sent = called.compiled, called.generation
        if sent.provider == generation.provider and not _overtaken(generation, attempt, attempts):
            return False
        found = _told_job(compiled, attempt, heard) or evolve(attempt, outcome="accepted")
        await self.store.attempt_result(found, outcome="accepted")
        status = compiled.webhook_status(heard.reply, False)[0] if compiled.webhook_status else None
        if status in ("queued", "running") and found.job is not None:
            try:
                job = self.machine.job(Flight(sent, compiled, found))
                await self.stages(sent.provider).cancel(job)
            except (BoardsError, *TRANSPORT_ERRORS) as error:
                _log.warning("an orphan runs on", generation=generation.id, error=str(error))
        now = await self.store.get(generation.id)
        if now is not None and not now.final:
            told = {"decision": "orphan", "provider_job_id": found.provider_job_id}
            await self.store.note(now, [Happening("resolved", told)])
        return True


def _decided(generation: Generation, how: str) -> BoardsError:
    return BoardsError(
        f"It was decided meanwhile: {how}. Nothing was decided here.",
        remedy=f"Look at it again: boards status {generation.id}",
        generation_id=generation.id,
    )


def _overtaken(generation: Generation, attempt: Attempt, attempts: Sequence[Attempt]) -> bool:
    """Whether an attempt is not the one that its generation goes on with, or may go on with."""
    later = [one for one in attempts if one.number > attempt.number]
    if generation.phase == "queued":  # what was refused since made no other job
        later = [one for one in later if one.outcome not in ("refused", "unsent")]
    own = own_attempt(generation, attempts)
    if own is None or own.number != attempt.number:
        return bool(later)
    return generation.final and own.outcome in ("ambiguous", "abandoned")  # it was given up


def _known_job(attempt: Attempt, job: str) -> Attempt:
    """The attempt with a job found by hand."""
    return evolve(attempt, outcome="accepted", provider_job_id=job, job={"id": job})


def _told_job(compiled: "CompiledGenerator", attempt: Attempt, heard: Heard) -> Attempt | None:
    """The attempt with the job that a call tells of; None where it does not tell enough."""
    captures = compiled.submits[0].captures if compiled.submits else ()
    kept = {name: at(heard.reply) for name, at in captures}
    job: Any = {name: value for name, value in kept.items() if value is not ABSENT}
    if not captures:
        job = heard.reply["body"]
    if not job or not compiled.job_suffices(job):
        return None
    return accepted_as(attempt, job, tuple(kept))


def _heard(headers: Mapping[str, str], body: bytes, clean: Callable[[Any], Any]) -> Heard | None:
    """A webhook's body as a reply; None where it is no JSON, and means no more than: ask."""
    try:
        return Heard(reply(clean(json.loads(body)), headers=headers), webhook=True)
    except (ValueError, RecursionError):
        return None


def _addresses(settings: "Settings") -> Addresses | None:
    if settings.webhook_url is None:
        return None
    return Addresses(settings.webhook_url, settings.home / "webhook.key")


def _telemetry(settings: "Settings") -> "Telemetry | None":
    """OpenTelemetry's observer: where the host uses that already, unless the settings say."""
    wanted = settings.opentelemetry
    if not (wanted if wanted is not None else "opentelemetry" in sys.modules):
        return None
    try:
        from boards.telemetry import Telemetry  # noqa: PLC0415  # of an extra
    except ImportError as error:
        if wanted is None:
            return None
        raise SettingsError(
            f"BOARDS_OPENTELEMETRY is set, and OpenTelemetry cannot be imported: {error}.",
            remedy="pip install 'boards-core[otel]'",
        ) from error
    return Telemetry()


def _policy(settings: "Settings") -> AddressPolicy:
    try:
        return AddressPolicy(settings.allow_private_hosts)
    except ValueError as error:
        raise SettingsError(
            f"BOARDS_ALLOW_PRIVATE_HOSTS: {error}.",
            remedy="Give 1, or addresses such as 127.0.0.1:8765 and 10.0.0.0/8.",
        ) from error
