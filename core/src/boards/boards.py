"""The host's facade: generate with any installed provider."""

from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from boards import settings as settings_module
from boards.errors import (
    AuthError,
    BoardsError,
    NotFoundError,
    ProviderError,
    SettingsError,
    StoreError,
    UnavailableError,
)
from boards.facade import RESERVED, Facade, succeeded
from boards.generations import Generation

if TYPE_CHECKING:
    import builtins
    from asyncio import AbstractEventLoop

    import httpx

    from boards.auth import Auth, Identity
    from boards.budgets import CostGroup, Grouping
    from boards.choosing import Options, Prepared
    from boards.dsl import Generator
    from boards.engine.engine import Engine
    from boards.engine.garbage import Collected
    from boards.engine.transport import Transport
    from boards.entries import Availability, GeneratorEntry
    from boards.layers import GivenGenerators, GivenProviders
    from boards.pipelines.running import Conductor
    from boards.plugins import PluginInfo
    from boards.scoped import ScopedBoards
    from boards.settings import Overrides, Settings
    from boards.storage import Storage
    from boards.store import Store

__all__ = ["RESERVED", "Boards", "succeeded"]

R = TypeVar("R")


class Boards(Facade):
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
        storage: Where artifacts live: a storage, or the name of one that is installed; by default
            what ``BOARDS_STORAGE`` names, else files under ``home``.
        auth: Tells who asks, see :meth:`as_owner`: an auth, or the name of one that is installed;
            by default what ``BOARDS_AUTH`` names, else ``none``.
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
        storage: "Storage | str | None" = None,
        auth: "Auth | str | None" = None,
        **settings: "Unpack[Overrides]",
    ) -> None:
        from boards.registry import Registry  # noqa: PLC0415  # `import boards` stays light

        self.settings: Settings = settings_module.load(
            storage=storage if isinstance(storage, str) else None,
            auth=auth if isinstance(auth, str) else None,
            **settings,
        )
        self.scope = ""
        self.registry: Registry = Registry(
            self.settings, providers=providers, generators=generators
        )
        self._drive = drive
        self._transport = transport
        self._store = store
        self._storage = None if isinstance(storage, str) else storage
        self._auth = None if isinstance(auth, str) else auth
        self._engine: Engine | None = None
        self._conductor: Conductor | None = None
        self._loop: AbstractEventLoop | None = None
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        import asyncio  # noqa: PLC0415  # slow to import, and listings do without

        from boards.engine.engine import Engine  # noqa: PLC0415  # HTTP and SQLite load here

        parts, settings = self.registry.hooks, self.settings
        store = self._store or parts.stores()["sqlite"].create(settings)
        storage = self._storage
        if storage is None:
            storage = _chosen(parts.storages(), "storage", settings.storage).create(settings)
        if self._auth is None:
            self._auth = _chosen(parts.auths(), "auth", settings.auth).create(settings)
        engine = Engine(
            self.settings,
            self.registry,
            store=store,
            storage=storage,
            runner=parts.runners()["embedded"].create(self.settings),
            transport=_transport(self._transport),
        )
        self._exit.push_async_callback(engine.close)
        if (close := getattr(self._auth, "close", None)) is not None:
            self._exit.push_async_callback(close)
        try:
            await engine.open(drive=self._drive)
            self._engine, self._loop = engine, asyncio.get_running_loop()
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
        import asyncio  # noqa: PLC0415  # loaded when it was opened

        with suppress(RuntimeError):  # no loop runs here: nothing is awaited
            if asyncio.get_running_loop() is not self._loop:
                # What is awaited there never comes, and what was submitted would be paid for.
                raise BoardsError(
                    "Boards was opened in another event loop; nothing was done.",
                    remedy="Open one in each event loop, or share a boards.sync.Boards.",
                )
        return self._engine

    async def as_owner(self, credentials: "str | Mapping[str, str] | Identity") -> "ScopedBoards":
        """This host as one owner sees it: for each request of a server, say.

        Who that is is settled here: it stays so however long it is used, and a token that expires
        meanwhile changes nothing.

        Args:
            credentials: What the caller brought along: a token, or the headers of a request, by
                name in any case. The :attr:`auth` tells who that is. An identity is taken as it
                is: for a server that asked already, and for operators.

        Raises:
            AuthError: They are missing, wrong or expired: answer 401.
            BoardsError: Whether they are right cannot be told now: answer 503.
        """
        from boards.auth import Identity  # noqa: PLC0415  # rarely needed
        from boards.auth.none import NoAuth  # noqa: PLC0415
        from boards.scoped import ScopedBoards  # noqa: PLC0415

        self._running  # noqa: B018  # which tells that it is not open
        if isinstance(credentials, Identity):
            identity = credentials
        else:
            if isinstance(credentials, str):
                credentials = {"authorization": f"Bearer {credentials}"}
            named = {name.lower(): value for name, value in credentials.items()}
            identity = await self.auth.identify(named)
        if not identity.scope and not isinstance(self.auth, NoAuth):
            # The empty scope is the host's own, whose files nobody is kept from.
            raise AuthError("The credentials name neither an owner nor a tenant.")
        return ScopedBoards(self, identity)

    @property
    def auth(self) -> "Auth":
        """What tells who asks.

        Raises:
            BoardsError: It is not open.
        """
        self._running  # noqa: B018  # which tells that it is not open
        if self._auth is None:
            raise BoardsError("Boards is not open.")
        return self._auth

    # Operate

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
        except UnavailableError as error:
            return Availability(False, error.message, error.remedy or "")
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
        :meth:`collect_garbage`. What is live stays, ``unknown`` or not. A run of a pipeline goes
        with the last of its generations. A ``dedupe_key`` of what is deleted is forgotten, and in
        the lineage of what stays it is no more than a name.

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
        return await self._costs(since, until, group_by, None)

    # Prepare

    @property
    def _pipelines(self) -> "Conductor":
        self._running  # noqa: B018  # which tells that it is not open
        if self._conductor is None:
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
        await self._refuse_foreign_files(whole, options.owner)
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


def _transport(given: Any) -> Any:
    """Our transport, from whichever kind was given."""
    if given is None or hasattr(given, "send"):
        return given
    from boards.engine.transport import HttpxTransport  # noqa: PLC0415  # httpx is an extra

    return HttpxTransport(given)


def _chosen(installed: Mapping[str, R], what: str, name: str) -> R:
    """The part of that name.

    Raises:
        SettingsError: None is installed.
    """
    found = installed.get(name)
    if found is None:
        from boards.spec.places import did_you_mean  # noqa: PLC0415  # rarely needed

        raise SettingsError(
            f"No {what} {name!r} is installed{did_you_mean(name, sorted(installed))};"
            f" there are: {', '.join(sorted(installed))}.",
            remedy=(
                f"Install the plugin that has it, or change BOARDS_{what.upper()};"
                " see what is wrong with one: boards plugins"
            ),
        )
    return found
