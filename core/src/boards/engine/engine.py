"""The engine in one process: store, storage, runner and machine, put together."""

import asyncio
import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from boards.adapters import Stages, load_adapter
from boards.engine.accounting import Accounts
from boards.engine.addresses import AddressPolicy
from boards.engine.calls import Calls
from boards.engine.deciding import resolve
from boards.engine.download import Downloader
from boards.engine.following import Following
from boards.engine.machine import Machine
from boards.engine.observing import Observers, Teller, pruned
from boards.engine.rest import ProviderClient
from boards.engine.seeing import seen_through
from boards.engine.stages import SpecStages
from boards.engine.transport import AiohttpTransport, Transport
from boards.engine.uploading import Uploads
from boards.engine.webhooks import Addresses
from boards.errors import NotFoundError, SettingsError, StorageError
from boards.events import Event, Happening
from boards.generations import Generation

if TYPE_CHECKING:
    from boards.choosing import Prepared
    from boards.registry import Registry
    from boards.runner import Runner
    from boards.settings import Settings
    from boards.storage import Storage
    from boards.store import Store
    from boards.telemetry import Telemetry

__all__ = ["Engine"]

_LEAVE_TO_LISTEN: Final = 1.0
"""Seconds that listeners get at the end to say goodbye to their providers."""


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
        self._observers = Observers()
        self._creating: set[str] = set()  # waited for before it is there
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
            max_output=settings.max_output_bytes,
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
        self._following = Following(self.machine, runner, self._observers, self._creating)
        self._calls = Calls(self.machine, self._following)
        store.subscribe(self.machine.uploads.committed)
        if self._telemetry is not None:
            store.subscribe(self._committed)
        self._teller: Teller | None = None
        if hooks.implements("boards_generation_event"):
            self._teller = Teller(store, hooks.generation_event, lambda: self.driving)
            store.subscribe(self._teller.committed)

    async def open(self, *, drive: bool) -> None:
        """Open store and storage; with ``drive``, take up what is live if nobody else does."""
        await self.store.open()
        await self.storage.open()
        self.store.subscribe(self._observers.committed)
        await self._following.start(drive=drive)

    async def close(self) -> None:
        """Begin nothing new, let submits under way be committed, leave.

        Who is canceled meanwhile leaves these submits to whoever drives next.
        """
        async with AsyncExitStack() as leaving:
            # From the last to the first, whatever is interrupted: while the store is open, it is
            # owned, and nobody else drives.
            leaving.push_async_callback(self.store.close)
            leaving.push_async_callback(self.storage.close)
            leaving.push_async_callback(self._transport.close)
            leaving.push_async_callback(self._downloader.close)
            if self._telemetry is not None:
                leaving.callback(self._telemetry.close)
            if self._teller is not None:
                leaving.push_async_callback(self._teller.close)
            leaving.callback(self._observers.close)
            leaving.push_async_callback(self._listen_no_more)
            leaving.push_async_callback(self.machine.uploads.close)
            leaving.push_async_callback(self._let_go)
            await self._following.stop()
            await self._runner.stop()
            if self.machine.critical:
                await asyncio.wait(self.machine.critical)

    async def _let_go(self) -> None:
        """Leave submits that are still under way, if any are."""
        for task in self.machine.critical:
            task.cancel()
        await asyncio.gather(*self.machine.critical, return_exceptions=True)

    async def _listen_no_more(self) -> None:
        listeners = [flight.listener for flight in self.machine.flights.values() if flight.listener]
        for flight in self.machine.flights.values():
            flight.leave()
        if listeners:
            await asyncio.wait(listeners, timeout=_LEAVE_TO_LISTEN)

    def follow(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call back when another process wrote, and when this one begins to drive."""
        self._following.tell(callback)

    @property
    def driving(self) -> bool:
        """Whether this process is the one that drives."""
        return self._following.driving

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

    async def create(self, request: "Prepared") -> Generation:
        """Commit a new generation and have it driven; or the one that stands for it.

        Raises:
            ConflictError: Its owner has as many under way as the settings allow.
        """
        return await seen_through(self._created(request))

    async def _created(self, request: "Prepared") -> Generation:
        generation = request.generation
        create = functools.partial(
            self.store.create,
            generation,
            request.happenings,
            shared_as=request.shared_as,
            max_in_flight=self._settings.max_in_flight,
            sources=request.sources,
        )
        created, lost = await create(), list[str]()
        while await self._is_lost(request, created):
            lost.append(created.id)
            created = await create(not_shared=lost)
        if self.driving and created.id == generation.id:
            if self._telemetry is not None:
                self._telemetry.begin(created)
            await self.machine.board(created)
            self._runner.enqueue(created.id)
        return created

    async def _is_lost(self, request: "Prepared", shared: Generation) -> bool:
        """Whether files are gone of a success that would answer an equal request."""
        wanted = request.generation
        if request.shared_as is None or shared.phase != "succeeded":
            return False
        if wanted.dedupe_key is not None and shared.dedupe_key == wanted.dedupe_key:
            return False  # it is not like this one: it is this one
        with contextlib.suppress(StorageError):  # nobody can tell
            for artifact in shared.artifacts:
                if await self.storage.stat(artifact.key) is None:
                    return True
        return False

    def _committed(self, generation: Generation, happenings: "Sequence[Happening]") -> None:
        if self._telemetry is not None and self.driving:
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
        return await seen_through(self._wished(generation_id))

    async def _wished(self, generation_id: str) -> Generation:
        found = await self.store.wish_cancel(generation_id)
        if found is None:
            found = await self.store.get(generation_id)
            if found is None:
                raise NotFoundError(f"There is no generation {generation_id}.")
            return found
        flight = self.machine.flights.get(generation_id)
        if flight is not None:
            flight.wish_canceled()
        if self.driving:
            self._runner.wake(generation_id)
        return found

    async def events(self, generation_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """A generation's events after one, as they are committed, until it ends."""
        news, let_go = self._observers.news_of(generation_id)
        ended = False
        try:
            while True:
                news.clear()
                self._observers.check()  # the close may have been among the news
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
        finally:
            let_go()

    async def resolve(
        self,
        generation: Generation,
        *,
        job: str | None,
        captured: Mapping[str, str] | None = None,
        resubmit: bool,
    ) -> Generation:
        """Decide what became of an ``unknown`` generation: see :func:`deciding.resolve`."""
        return await seen_through(
            resolve(
                self.machine,
                self._following,
                generation,
                job=job,
                captured=captured or {},
                resubmit=resubmit,
            )
        )

    async def receive_webhook(
        self, provider: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> Generation:
        """Take in a provider's call: see :meth:`calls.Calls.receive`."""
        return await seen_through(self._calls.receive(provider, headers, body, token))


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
