"""The host's facade: generate with any installed provider."""

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from boards import settings as settings_module
from boards.errors import (
    BoardsError,
    GenerationCanceledError,
    GenerationFailedError,
    GenerationUnresolvedError,
    InvalidInputError,
    NotFoundError,
    Problem,
    ProviderError,
    UnavailableError,
)
from boards.events import Event, Happening
from boards.generations import Cost, Generation, Phase, Status, new_id

if TYPE_CHECKING:
    import builtins

    import httpx

    from boards.engine.engine import Engine
    from boards.engine.transport import Transport
    from boards.entries import Availability, GeneratorEntry, ProviderEntry
    from boards.layers import GivenGenerators, GivenProviders
    from boards.plugins import PluginInfo
    from boards.settings import Overrides, Settings
    from boards.spec.compile import CompiledGenerator
    from boards.storage import Storage
    from boards.store import Store

__all__ = ["RESERVED", "Boards", "succeeded"]

RESERVED: Final = frozenset(
    {"cache", "dedupe_key", "fallback", "input", "on_ambiguous", "owner", "priority", "timeout"}
)
"""Keyword arguments that are never inputs. An input of such a name is given in ``input={...}``."""


class Boards:
    """Generates with any installed provider; an asynchronous context manager.

    Example:
        >>> async with Boards() as boards:
        ...     generation = await boards.generate("flux-dev", prompt="a cat")
        ...     generation.artifacts[0].path

    Args:
        providers: Providers beside the installed ones: records, or by name specs or mappings in
            the shape of YAML. They win over plugins and the host's files.
        generators: Generators beside the installed ones: records, specs, mappings, or YAML files.
        drive: Take up what is live and drive it, if no other process does. Without it, this
            object reads, submits and cancels, and another process does the work.
        transport: What carries HTTP: a :class:`boards.engine.transport.Transport`, or any httpx
            transport.
        store: Where generations live; SQLite under ``home`` by default.
        storage: Where artifacts live; files under ``home`` by default.
        settings: See :func:`boards.settings.load`: an argument wins over ``BOARDS_*``.

    Raises:
        SettingsError: A setting cannot be used.
        SpecError: A provider or generator given here has mistakes.
    """

    def __init__(
        self,
        *,
        providers: "GivenProviders | None" = None,
        generators: "GivenGenerators | None" = None,
        drive: bool = True,
        transport: "Transport | httpx.AsyncBaseTransport | None" = None,
        store: "Store | None" = None,
        storage: "Storage | None" = None,
        **settings: "Unpack[Overrides]",
    ) -> None:
        from boards.registry import Registry  # noqa: PLC0415  # `import boards` stays light

        self.settings: Settings = settings_module.load(**settings)
        self.registry: Registry = Registry(
            self.settings, providers=providers, generators=generators
        )
        self._drive = drive
        self._transport = transport
        self._store = store
        self._storage = storage
        self._engine: Engine | None = None
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        from boards.engine.engine import Engine  # noqa: PLC0415  # HTTP and SQLite load here

        parts = self.registry.hooks
        store = self._store or parts.stores()["sqlite"].create(self.settings)
        storage = self._storage or parts.storages()["local"].create(self.settings)
        engine = Engine(
            self.settings,
            self.registry,
            store=store,
            storage=storage,
            runner=parts.runners()["embedded"].create(self.settings),
            transport=_transport(self._transport),
        )
        self._exit.push_async_callback(engine.close)
        try:
            await engine.open(drive=self._drive)
        except BaseException:
            await self._exit.aclose()
            raise
        self._engine = engine
        return self

    async def __aexit__(self, *_: object) -> None:
        self._engine = None
        await self._exit.aclose()

    @property
    def _running(self) -> "Engine":
        if self._engine is None:
            raise BoardsError(
                "Boards is not open.", remedy="Use it as: async with Boards() as boards: ..."
            )
        return self._engine

    # Generate

    async def generate(
        self,
        name: str,
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        **inputs: Any,
    ) -> Generation:
        """Submit, wait, and return the generation with its artifacts.

        Args:
            name: ``provider/name``; a short name, for the first provider that is available; or
                ``@provider`` for its default generator.
            input: Inputs, for names that are taken here (see :data:`RESERVED`).
            dedupe_key: With a key that was used before, that generation is returned.
            priority: Lower first.
            inputs: The generator's inputs. A file is a :class:`pathlib.Path`, bytes, an
                http(s) URL, a data URI, or an :class:`boards.Artifact` of an earlier generation.

        Raises:
            NotFoundError: There is no such generator.
            UnavailableError: No provider of it can be used; tells why for each.
            InvalidInputError: The input does not fit; nothing was sent.
            GenerationFailedError: The provider failed; ``failure`` says how.
            GenerationCanceledError: It was canceled meanwhile.
            GenerationUnresolvedError: Nobody can tell whether the provider accepted it.
            StoreError: The database cannot be written.
            StorageError: The artifacts cannot be written; the generation is not lost.
        """
        generation, happenings = await self._prepared(name, input, dedupe_key, priority, inputs)
        return succeeded(await self._running.run(generation, happenings))

    async def submit(
        self,
        name: str,
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        **inputs: Any,
    ) -> Generation:
        """Queue a generation and return at once; it survives this process.

        Arguments and errors are those of :meth:`generate`, without what happens after the queue.
        """
        generation, happenings = await self._prepared(name, input, dedupe_key, priority, inputs)
        return await self._running.create(generation, happenings)

    async def wait(self, generation_id: str) -> Generation:
        """The generation when it ended, however it ended, or when it is ``unknown``.

        Raises:
            NotFoundError: There is no such generation.
            BoardsError: A fault of this machine holds it up; it is not lost.
        """
        return await self._running.wait(await self.get(generation_id))

    async def events(
        self, generation_id: str, *, after: int = 0, follow: bool = True
    ) -> AsyncIterator[Event]:
        """A generation's events as they are committed, until it ends.

        Args:
            generation_id: Whose events.
            after: Only events after this one: resume where you were.
            follow: Wait for further events; otherwise only those that are there.
        """
        generation = await self.get(generation_id)
        if not follow:
            for event in await self._running.store.events(generation.id, after=after):
                yield event
            return
        async for event in self._running.events(generation.id, after=after):
            yield event

    async def cancel(self, generation_id: str) -> Generation:
        """Wish a generation canceled, here and at the provider.

        It is ``canceled`` only when the provider says so: what finished meanwhile succeeds.

        Raises:
            NotFoundError: There is no such generation.
        """
        generation = await self.get(generation_id)
        return await self._running.cancel(generation.id)

    async def resolve(
        self, generation_id: str, *, job: str | None = None, resubmit: bool = False
    ) -> Generation:
        """Decide an ``unknown`` generation; without arguments it is abandoned.

        Args:
            generation_id: Which.
            job: The provider's id of its job, found by hand.
            resubmit: Submit once more, at the risk of paying twice.
        """
        generation = await self.get(generation_id)
        return await self._running.resolve(generation, job=job, resubmit=resubmit)

    # Look

    async def get(self, generation_id: str) -> Generation:
        """A generation by its id, or by the beginning of its id.

        Raises:
            NotFoundError: There is none, or several begin so.
        """
        store = self._running.store
        found = await store.get(generation_id, owner="")
        if found is not None:
            return found
        candidates = await store.find(generation_id) if generation_id else []
        if len(candidates) == 1:
            return candidates[0]
        what = "Several generations begin" if candidates else "There is no generation that begins"
        raise NotFoundError(
            f"{what} with {generation_id!r}.",
            suggestions=[one.id for one in candidates],
            remedy="List them with: boards generations",
        )

    async def list(
        self,
        *,
        statuses: Iterable[Status] = (),
        phases: Iterable[Phase] = (),
        generator: str | None = None,
        provider: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> "builtins.list[Generation]":
        """Generations, newest first.

        Args:
            statuses: Only these.
            phases: Only these; ``unknown`` for those that wait for a decision.
            generator: Only of this full id.
            provider: Only of this provider instance.
            limit: At most so many.
            before: Only older ones than this id.
        """
        from boards.store import Listing  # noqa: PLC0415  # loaded with the engine

        return await self._running.store.list(
            Listing(
                statuses=tuple(statuses),
                phases=tuple(phases),
                generator=generator,
                provider=provider,
                limit=limit,
                before=before,
            )
        )

    def generators(
        self, *, provider: str | None = None, artifact_type: str | None = None
    ) -> "builtins.list[GeneratorEntry]":
        """What is there to generate with, by id. Needs no open engine."""
        return self.registry.generators(provider=provider, artifact_type=artifact_type)

    def choose(self, name: str, /) -> "GeneratorEntry":
        """The generator that a name stands for now: the first whose provider can be used.

        Raises:
            NotFoundError: There is no such generator.
            UnavailableError: No provider of it can be used; tells why for each.
        """
        return self._choose(name)[0]

    def providers(self) -> "builtins.list[ProviderEntry]":
        """The providers, in the order in which they are asked. Needs no open engine."""
        return self.registry.providers()

    def plugins(self) -> "builtins.list[PluginInfo]":
        """Every installed plugin, broken ones with their error and remedy."""
        return self.registry.plugins()

    async def check_provider(self, name: str) -> "Availability":
        """Ask a provider whether it accepts the credentials; costs nothing.

        Raises:
            NotFoundError: There is no such provider.
        """
        from boards.entries import Availability  # noqa: PLC0415  # loaded with the registry
        from boards.spec.requests import CompiledRequest  # noqa: PLC0415

        entry = self.registry.provider(name)
        availability = entry.availability()
        check = entry.spec.check if availability.ok else None
        if check is None:
            return availability
        client = self._running.client(name)
        try:
            await client.repeat(
                CompiledRequest(check, entry.spec.headers).render({"config": client.config})
            )
        except ProviderError as error:
            remedy = entry.setup if error.kind == "auth" else "Ask again later."
            return Availability(False, error.message, error.remedy or remedy)
        return availability

    def estimate(
        self,
        name: str,
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        **inputs: Any,
    ) -> Cost | None:
        """What a generation would cost by the spec's list price; None where it has none."""
        from boards.engine.inputs import checked  # noqa: PLC0415  # loaded with the engine

        entry = self.choose(name)
        compiled = self.registry.compiled(entry.id)
        return _estimate(compiled, checked(compiled.inputs, {**(input or {}), **inputs}, entry.id))

    # Prepare

    def _choose(self, name: str) -> "tuple[GeneratorEntry, builtins.list[tuple[str, str]]]":
        """The first available candidate for a name, and those passed over with the reason."""
        entries = self.registry.resolve(name)
        passed: list[tuple[str, str]] = []
        reasons: dict[str, tuple[str, str]] = {}
        for entry in entries:
            availability = self.registry.provider(entry.provider).availability()
            if availability.ok:
                return entry, passed
            passed.append((entry.id, availability.reason))
            reasons[entry.provider] = (f"{availability.reason}.", availability.setup)
        raise UnavailableError(
            f"No provider of {name} can be used now.",
            reasons=reasons,
            remedy="Set up one of them, then check it: boards providers --check",
            provider=entries[0].provider if len(entries) == 1 else None,
            generator=entries[0].id if len(entries) == 1 else None,
        )

    async def _prepared(
        self,
        name: str,
        given: Mapping[str, Any] | None,
        dedupe_key: str | None,
        priority: int,
        inputs: Mapping[str, Any],
    ) -> "tuple[Generation, builtins.list[Happening]]":
        """A generation that is ready to be committed, and its first events."""
        from boards.engine.inputs import checked, ingested  # noqa: PLC0415  # with the engine

        engine = self._running
        entry, passed = self._choose(name)
        taken = sorted(RESERVED & inputs.keys())
        if taken:
            raise InvalidInputError(
                f"{', '.join(taken)}: reserved as arguments of Boards.",
                [Problem(one, "give it as input={...} if the generator takes it") for one in taken],
                generator=entry.id,
            )
        compiled = self.registry.compiled(entry.id)
        complete = checked(compiled.inputs, {**(given or {}), **inputs}, entry.id)
        complete = await ingested(compiled.inputs, complete, engine.storage)
        now = time.time()
        generation = Generation(
            id=new_id(),
            generator=entry.id,
            provider=entry.provider,
            artifact_type=entry.artifact_type,
            input=complete,
            cost=_estimate(compiled, complete),
            dedupe_key=dedupe_key,
            priority=priority,
            created_at=now,
            due_at=now,
        )
        happenings = [
            Happening("fallback", {"from": one, "to": entry.id, "reason": reason})
            for one, reason in passed
        ]
        return generation, [Happening("queued", {"generator": entry.id}), *happenings]


def succeeded(generation: Generation) -> Generation:
    """The generation, if it succeeded.

    Raises:
        GenerationFailedError: It failed.
        GenerationCanceledError: It was canceled.
        GenerationUnresolvedError: It is ``unknown``.
    """
    if generation.phase == "unknown":
        raise GenerationUnresolvedError(generation)
    if generation.error is not None:
        raise GenerationFailedError(generation, generation.error)
    if generation.phase == "canceled":
        raise GenerationCanceledError(generation)
    return generation


def _estimate(compiled: "CompiledGenerator", complete: Mapping[str, Any]) -> Cost | None:
    found = compiled.estimate({"input": complete, "let": {}, "config": {}, "run": {}})
    return None if found is None else Cost(*found)


def _transport(given: Any) -> Any:
    """Our transport, from whichever kind was given."""
    if given is None or hasattr(given, "send"):
        return given
    from boards.engine.transport import HttpxTransport  # noqa: PLC0415  # httpx is an extra

    return HttpxTransport(given)
