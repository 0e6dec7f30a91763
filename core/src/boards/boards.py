"""The host's facade: generate with any installed provider."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self, Unpack, cast, overload

from boards import settings as settings_module
from boards.budgets import GROUPINGS
from boards.errors import (
    BoardsError,
    GenerationCanceledError,
    GenerationFailedError,
    GenerationUnresolvedError,
    NotFoundError,
    ProviderError,
    StoreError,
)
from boards.generations import Cost, Generation, Phase, Status

if TYPE_CHECKING:
    import builtins

    import httpx

    from boards.budgets import CostGroup, Grouping
    from boards.choosing import Options, Prepared
    from boards.dsl import Generator
    from boards.engine.engine import Engine
    from boards.engine.explaining import Explanation
    from boards.engine.garbage import Collected
    from boards.engine.transport import Transport
    from boards.entries import Availability, GeneratorEntry, ProviderEntry
    from boards.events import AnyEvent
    from boards.layers import GivenGenerators, GivenProviders
    from boards.pipelines.building import GivenPipeline
    from boards.pipelines.running import Conductor
    from boards.plugins import PluginInfo
    from boards.runs import PipelineRun
    from boards.settings import Fallback, OnAmbiguous, Overrides, Settings
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
        generators: Generators beside the installed ones: classes of :mod:`boards.dsl`, records,
            specs, mappings, or YAML files.
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
        self._conductor: Conductor | None = None
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
            self._engine = engine
            self._conductor = await self._conduct(engine)
        except BaseException:
            self._engine = None
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._engine = self._conductor = None
        await self._exit.aclose()

    @property
    def _running(self) -> "Engine":
        if self._engine is None:
            raise BoardsError(
                "Boards is not open.", remedy="Use it as: async with Boards() as boards: ..."
            )
        return self._engine

    # Generate

    @overload
    async def generate(
        self,
        generator: "Generator",
        /,
        *,
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
    ) -> Generation: ...
    @overload
    async def generate(
        self,
        name: str,
        /,
        *,
        input: Mapping[str, Any] | None = None,
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
        **inputs: Any,
    ) -> Generation: ...
    async def generate(
        self,
        name: "str | Generator",
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
        **inputs: Any,
    ) -> Generation:
        """Submit, wait, and return the generation with its artifacts.

        Args:
            name: ``provider/name``; a short name, for the first provider that is available;
                ``@provider`` for its default generator; or an instance of a class of
                :mod:`boards.dsl`, which is name and input in one.
            input: Inputs, for names that are taken here (see :data:`RESERVED`).
            dedupe_key: With a key that was used before, that generation is returned.
            priority: Lower first.
            cache: With the same request of before, a generation of this owner that succeeded, or
                is under way, is returned: nothing is paid twice for it. Only requests that were
                made with ``cache`` are known.
            fallback: Of this request, instead of :attr:`boards.settings.Settings.fallback`.
            on_ambiguous: Of this request, instead of the setting.
            inputs: The generator's inputs. A file is a :class:`pathlib.Path`, bytes, an
                http(s) URL, a data URI, or an :class:`boards.Artifact` of an earlier generation.

        Raises:
            NotFoundError: There is no such generator.
            UnavailableError: No provider of it can be used; tells why for each, and what is wrong
                with the input too.
            InvalidInputError: The input does not fit; nothing was sent.
            GenerationFailedError: The provider failed; ``failure`` says how.
            GenerationCanceledError: It was canceled meanwhile.
            GenerationUnresolvedError: Nobody can tell whether the provider accepted it.
            StoreError: The database cannot be written.
            StorageError: The artifacts cannot be written; the generation is not lost.
        """
        from boards.choosing import Options  # noqa: PLC0415  # loaded with the registry

        options = Options(dedupe_key, priority, cache, fallback, on_ambiguous)
        request = await self._prepared(name, input, inputs, options)
        return succeeded(await self._running.run(request))

    @overload
    async def submit(
        self,
        generator: "Generator",
        /,
        *,
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
    ) -> Generation: ...
    @overload
    async def submit(
        self,
        name: str,
        /,
        *,
        input: Mapping[str, Any] | None = None,
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
        **inputs: Any,
    ) -> Generation: ...
    async def submit(
        self,
        name: "str | Generator",
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
        **inputs: Any,
    ) -> Generation:
        """Queue a generation and return at once; it survives this process.

        Arguments and errors are those of :meth:`generate`, without what happens after the queue.
        """
        from boards.choosing import Options  # noqa: PLC0415  # loaded with the registry

        options = Options(dedupe_key, priority, cache, fallback, on_ambiguous)
        return await self._running.create(await self._prepared(name, input, inputs, options))

    async def wait(self, generation_id: str) -> Generation:
        """The generation when it ended, however it ended, or when it is ``unknown``.

        Raises:
            NotFoundError: There is no such generation.
            BoardsError: A fault of this machine holds it up; it is not lost.
        """
        return await self._running.wait(await self.get(generation_id))

    async def events(
        self, generation_id: str, *, after: int = 0, follow: bool = True
    ) -> "AsyncIterator[AnyEvent]":
        """A generation's events as they are committed, until it ends.

        Args:
            generation_id: Whose events.
            after: Only events after this one: resume where you were.
            follow: Wait for further events; otherwise only those that are there.
        """
        generation = await self.get(generation_id)
        if not follow:
            for event in await self._running.store.events(generation.id, after=after):
                yield cast("AnyEvent", event)
            return
        async for event in self._running.events(generation.id, after=after):
            yield cast("AnyEvent", event)

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

    async def receive_webhook(
        self, provider: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> Generation:
        """Take in a provider's call: verify it, and wake or finish its generation.

        A server hands over what came at ``BOARDS_WEBHOOK_URL/PROVIDER/GENERATION/TOKEN``.

        Args:
            provider: The provider instance, of the path.
            headers: As they came.
            body: The raw body, as it came: the signature is over its bytes.
            token: The last part of the path.

        Returns:
            The generation as it is now; it goes on by itself.

        Raises:
            NotFoundError: No generation waits for this call: answer 404.
            WebhookError: It does not come from the provider: answer 401.
        """
        return await self._running.receive_webhook(provider, headers, body, token)

    # Pipelines

    async def run(
        self,
        pipeline: "GivenPipeline",
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        **inputs: Any,
    ) -> "PipelineRun":
        """Run a pipeline, wait, and return the run with its steps and artifacts.

        Args:
            pipeline: A :class:`boards.pipelines.Pipeline`, or the path of a YAML file.
            input: Inputs, for names that are taken here (see :data:`RESERVED`).
            dedupe_key: With a key that was used before, that run is returned.
            priority: Of its generations. Lower first.
            inputs: The pipeline's inputs; files as in :meth:`generate`.

        Raises:
            SpecError: The pipeline has mistakes; nothing was begun.
            UnavailableError: A step's provider cannot be used; nothing was begun.
            InvalidInputError: The input does not fit the pipeline; nothing was begun.
            PipelineError: A step failed, and with it the run; or it was canceled, or a step's
                submit is ``unknown``. ``run`` tells what each step made.
            StoreError: The database cannot be written.
        """
        started = await self.start_run(
            pipeline, input=input, dedupe_key=dedupe_key, priority=priority, **inputs
        )
        from boards.pipelines.outcome import completed  # noqa: PLC0415  # with the pipelines

        return completed(await self._pipelines.wait(started.id))

    async def start_run(
        self,
        pipeline: "GivenPipeline",
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        **inputs: Any,
    ) -> "PipelineRun":
        """Start a run of a pipeline and return at once; it survives this process.

        Arguments and errors are those of :meth:`run`, without what happens after the start.
        """
        from boards.choosing import refuse_reserved  # noqa: PLC0415  # with the registry
        from boards.pipelines.building import Pipeline, spec_of  # noqa: PLC0415
        from boards.pipelines.starting import prepared  # noqa: PLC0415

        conductor, storage = self._pipelines, self._running.storage
        spec = spec_of(pipeline)
        for record in pipeline.records if isinstance(pipeline, Pipeline) else ():
            self.registry.add(record)
        refuse_reserved(RESERVED, inputs, spec.name)
        run = await prepared(
            spec,
            {**(input or {}), **inputs},
            self.registry,
            self.settings,
            storage,
            dedupe_key=dedupe_key,
            priority=priority,
        )
        return await conductor.start(run)

    async def wait_run(self, run_id: str) -> "PipelineRun":
        """The run when it ended, however it ended, or when all it waits for is a decision.

        Raises:
            NotFoundError: There is no such run.
            BoardsError: A fault of this machine holds it up; it is not lost.
        """
        return await self._pipelines.wait(run_id)

    async def watch_run(self, run_id: str) -> "AsyncIterator[PipelineRun]":
        """A run as it is now, and again whenever one of its steps moved, until it ends.

        Raises:
            NotFoundError: There is no such run.
            BoardsError: A fault of this machine holds it up; it is not lost.
        """
        run = await self._pipelines.get(run_id)
        async for one in self._pipelines.watch(run.id):
            yield one

    async def cancel_run(self, run_id: str) -> "PipelineRun":
        """Wish a run canceled: nothing more begins, and what is under way is canceled.

        Raises:
            NotFoundError: There is no such run.
        """
        return await self._pipelines.cancel(run_id)

    async def get_run(self, run_id: str) -> "PipelineRun":
        """A run by its id, or by the beginning of its id, its steps with their generations.

        Raises:
            NotFoundError: There is none, or several begin so.
        """
        return await self._pipelines.get(run_id)

    async def runs(
        self, *, statuses: Iterable[Status] = (), limit: int = 50, before: str | None = None
    ) -> "builtins.list[PipelineRun]":
        """Runs of pipelines, newest first; their steps without generations.

        Args:
            statuses: Only these.
            limit: At most so many.
            before: Only older ones than this id.
        """
        return await self._pipelines.list(statuses=tuple(statuses), limit=limit, before=before)

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
        from boards.choosing import choose  # noqa: PLC0415  # loaded with the registry

        return choose(self.registry, name, self.settings.fallback).entries[0]

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

    async def discover(self, name: str, /, *, refresh: bool = False) -> "GeneratorEntry":
        """The generator of that name; a provider's own model is imported if nobody wrote it.

        :meth:`generate` and :meth:`submit` do this by themselves. What was imported is kept under
        ``home``, and used from then on without asking.

        Args:
            name: ``provider/MODEL``, the model as the provider names it; or any other name.
            refresh: Import it again, even if it was imported before.

        Raises:
            NotFoundError: There is no such generator, and the provider knows no such model.
            UnavailableError: The provider's key is needed to ask, and not set.
            SpecError: The provider describes it in a way that cannot be imported.
        """
        missing: NotFoundError | None = None
        try:
            found = self.registry.resolve(name)[0]
        except NotFoundError as error:
            missing = error
        else:
            kept = self.registry.models.path(found.provider, found.name)
            if not refresh or found.source != str(kept):
                return found
        provider, _, model = name.partition("/")
        known = {entry.name for entry in self.registry.providers()}
        catalog = self.registry.provider(provider).spec.catalog if provider in known else None
        if catalog is None or not model:
            raise missing or NotFoundError(f"There is no generator {name!r}.")
        from boards.spec.importers import import_model  # noqa: PLC0415  # rarely needed

        try:
            document = await self.model_document(provider, model)
        except ProviderError as error:
            if error.kind not in ("not_found", "invalid_input"):
                raise
            raise NotFoundError(
                f"There is no generator {name!r}, and {provider} knows no such model:"
                f" {error.message}",
                suggestions=missing.suggestions if missing is not None else (),
                remedy="Search what is known: boards search WORDS",
                provider=provider,
            ) from error
        imported = import_model(
            catalog.importer, document, provider=provider, name=model, generator=model
        )
        return self.registry.keep(imported, provider, model)

    def search(self, query: str) -> "builtins.list[GeneratorEntry]":
        """Generators that have every word of a query, best first: installed ones and imported ones.

        Args:
            query: Words of a name, a kind of artifact, a tag, a description.
        """
        from boards.searching import search  # noqa: PLC0415  # rarely needed

        return search(self.registry.generators(), query)

    async def model_document(self, provider: str, model: str) -> Any:
        """A provider's own document of one of its models, as its ``catalog`` asks for it.

        Args:
            provider: The provider instance.
            model: The model, as the provider names it.

        Raises:
            NotFoundError: There is no such provider, or it has no catalog.
            UnavailableError: Its key is needed, and not set.
            ProviderError: It has no such model, or cannot be reached.
        """
        from boards.spec.requests import CompiledRequest  # noqa: PLC0415  # with the engine

        spec = self.registry.provider(provider).spec
        if spec.catalog is None:
            raise NotFoundError(
                f"The provider {provider} has no catalog of models to ask.", provider=provider
            )
        client = self._running.client(provider)
        request = CompiledRequest(spec.catalog.model, spec.headers)
        reply = await client.repeat(request.render({"model": model, "config": client.config}))
        return reply["body"]

    @overload
    def estimate(self, generator: "Generator", /) -> Cost | None: ...
    @overload
    def estimate(
        self,
        name: str,
        /,
        *,
        input: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> Cost | None: ...
    def estimate(
        self,
        name: "str | Generator",
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        **inputs: Any,
    ) -> Cost | None:
        """What a generation would cost by the spec's list price; None where it has none."""
        from boards.choosing import estimate  # noqa: PLC0415  # loaded with the registry
        from boards.engine.inputs import checked  # noqa: PLC0415  # loaded with the engine

        name, input = self._named(name, input)  # noqa: A001
        entry = self.choose(name)
        compiled = self.registry.compiled(entry.id)
        return estimate(compiled, checked(compiled.inputs, {**(input or {}), **inputs}, entry.id))

    async def collect_garbage(
        self, *, grace: timedelta = timedelta(hours=24), dry_run: bool = False
    ) -> "Collected":
        """Delete what lies in the storage and no generation mentions, of any owner.

        Args:
            grace: What was written later than so long ago stays: it may be on its way.
            dry_run: Delete nothing; only count.
        """
        from boards.engine.garbage import collect_garbage  # noqa: PLC0415  # with the engine

        engine = self._running
        return await collect_garbage(
            engine.store, engine.storage, grace=grace.total_seconds(), dry_run=dry_run
        )

    async def prune(
        self,
        *,
        older_than: timedelta = timedelta(days=30),
        keep: int = 0,
        dry_run: bool = False,
    ) -> int:
        """Delete generations that ended long ago, of any owner, with their inputs and events.

        What they cost stays, see :meth:`costs`; their files go with the next
        :meth:`collect_garbage`. What is live stays, ``unknown`` or not. A ``dedupe_key`` of one
        that is deleted is forgotten.

        Args:
            older_than: They ended longer ago; a minute at least, so that whoever waits for one has
                heard of its end.
            keep: So many of the newest that ended stay in any case.
            dry_run: Delete nothing; only count.

        Returns:
            How many were deleted, or would be.
        """
        before = datetime.now(UTC) - max(older_than, timedelta(minutes=1))
        return await self._running.store.prune(
            before=before.timestamp(), keep=keep, dry_run=dry_run
        )

    async def costs(
        self,
        *,
        since: datetime | timedelta | None = None,
        until: datetime | None = None,
        group_by: "Grouping" = "provider",
    ) -> "builtins.list[CostGroup]":
        """What was spent, and what is reserved for what is under way, of all owners.

        An attempt counts when it was submitted, however long its job took. What the provider told
        counts as told, everything else by the list price: see :class:`boards.CostGroup`.

        Args:
            since: Only what was submitted from then on; a time before now, or a moment (one
                without a time zone is local time). All if None.
            until: Only what was submitted before.
            group_by: What the records share: ``provider``, ``generator``, ``owner`` or ``day``.

        Returns:
            The dearest first; days newest first.
        """
        if group_by not in GROUPINGS:
            raise ValueError(f"group_by is {group_by!r}: expected one of {', '.join(GROUPINGS)}")
        if since is not None:
            since = since if isinstance(since, datetime) else datetime.now(UTC) - since
        return await self._running.store.costs(
            since=None if since is None else since.timestamp(),
            until=None if until is None else until.timestamp(),
            group_by=group_by,
        )

    @overload
    async def explain(self, generator: "Generator", /) -> "Explanation": ...
    @overload
    async def explain(
        self,
        name: str,
        /,
        *,
        input: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> "Explanation": ...
    async def explain(
        self,
        name: "str | Generator",
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        **inputs: Any,
    ) -> "Explanation":
        """What a generation would send: as HTTP, and as a curl command. Nothing is sent.

        Needs no open engine and no key: secrets are masked, and not even looked at.

        Raises:
            NotFoundError: There is no such generator.
            InvalidInputError: The input does not fit.
            ProviderError: A file cannot be given in a form that the provider takes, or an address
                is not the provider's.
        """
        from boards.engine import explaining  # noqa: PLC0415  # loaded with the engine

        name, input = self._named(name, input)  # noqa: A001
        entry = explaining.likely(self.registry, name)
        return await explaining.explained(
            self.registry, self.settings, entry, {**(input or {}), **inputs}
        )

    # Prepare

    def _named(
        self, generator: "str | Generator", given: Mapping[str, Any] | None
    ) -> tuple[str, Mapping[str, Any] | None]:
        """Name and input of what is to be generated; an instance of a class is both."""
        if isinstance(generator, str):
            return generator, given
        return self.registry.add(generator.__boards_record__()), generator.__boards_input__()

    @property
    def _pipelines(self) -> "Conductor":
        if self._conductor is None:
            self._running  # noqa: B018  # which tells that it is not open
            raise StoreError(
                "This store keeps no runs of pipelines.", remedy="Use the one that is built in."
            )
        return self._conductor

    async def _conduct(self, engine: "Engine") -> "Conductor | None":
        """Drives the runs of pipelines, where the store keeps them."""
        runs = getattr(engine.store, "runs", None)
        if runs is None:
            return None
        from boards.choosing import Options  # noqa: PLC0415  # loaded with the registry
        from boards.pipelines.running import Conductor  # noqa: PLC0415  # with the engine

        async def prepare(name: str, given: Mapping[str, Any], options: Options) -> "Prepared":
            return await self._prepared(name, given, {}, options)

        conductor = Conductor(engine, runs, prepare)
        self._exit.push_async_callback(conductor.close)
        await conductor.open()
        return conductor

    async def _prepared(
        self,
        name: "str | Generator",
        given: Mapping[str, Any] | None,
        inputs: Mapping[str, Any],
        options: "Options",
    ) -> "Prepared":
        """A generation that is ready to be committed, and its first events."""
        from boards import choosing  # noqa: PLC0415  # loaded with the engine

        engine = self._running
        name, given = self._named(name, given)
        fallback = options.fallback or self.settings.fallback
        whole = {**(given or {}), **inputs}
        try:
            choice = choosing.choose(self.registry, name, fallback, whole)
        except NotFoundError:
            found = await self.discover(name)
            choice = choosing.choose(self.registry, found.id, fallback, whole)
        choosing.refuse_reserved(RESERVED, inputs, choice.entries[0].id)
        return await choosing.prepare(
            self.registry,
            engine.storage,
            self.settings,
            choice,
            whole,
            options,
        )


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


def _transport(given: Any) -> Any:
    """Our transport, from whichever kind was given."""
    if given is None or hasattr(given, "send"):
        return given
    from boards.engine.transport import HttpxTransport  # noqa: PLC0415  # httpx is an extra

    return HttpxTransport(given)
