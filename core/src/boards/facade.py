"""The calls that act for one owner: of the host itself, or of whoever a token names."""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

from boards.budgets import GROUPINGS
from boards.errors import (
    BoardsError,
    GenerationCanceledError,
    GenerationFailedError,
    GenerationUnresolvedError,
    InvalidInputError,
    NotFoundError,
    Problem,
    StoreError,
)
from boards.generations import PHASES, STATUSES, Cost, Generation, Phase, Status

if TYPE_CHECKING:
    import builtins

    from boards.artifacts import Artifact
    from boards.budgets import CostGroup, Grouping
    from boards.choosing import Options, Prepared
    from boards.dsl import Generator
    from boards.engine.engine import Engine
    from boards.engine.explaining import Explanation
    from boards.entries import GeneratorEntry, ProviderEntry
    from boards.events import AnyEvent
    from boards.generations import Attempt
    from boards.lineage import Lineage
    from boards.pipelines.building import GivenPipeline
    from boards.pipelines.running import Conductor
    from boards.registry import Registry
    from boards.runs import PipelineRun
    from boards.settings import Fallback, OnAmbiguous, Settings

__all__ = ["RESERVED", "Facade", "succeeded"]

T = TypeVar("T")

RESERVED: Final = frozenset(
    {"cache", "dedupe_key", "fallback", "input", "on_ambiguous", "owner", "priority", "timeout"}
)
"""Keyword arguments that are never inputs. An input of such a name is given in ``input={...}``."""


class Facade:
    """What a caller may ask: each call sees, changes and counts what is one owner's alone.

    :class:`boards.Boards` is one, of the host's own; :class:`boards.ScopedBoards` another.

    Attributes:
        settings: What the host has set.
        registry: What there is to generate with.
        scope: The ``owner`` of all that is made here; see :attr:`boards.auth.Identity.scope`.
    """

    settings: "Settings"
    registry: "Registry"
    scope: str

    @property
    def _running(self) -> "Engine":
        """The engine.

        Raises:
            BoardsError: It is not open.
        """
        raise NotImplementedError

    @property
    def _pipelines(self) -> "Conductor":
        """What drives runs of pipelines.

        Raises:
            BoardsError: It is not open, or its store keeps none.
        """
        raise NotImplementedError

    async def _prepared(
        self,
        name: "str | Generator",
        given: Mapping[str, Any] | None,
        inputs: Mapping[str, Any],
        options: "Options",
    ) -> "Prepared":
        """A generation that is ready to be committed, and its first events."""
        raise NotImplementedError

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
                made with ``cache`` are known, and whose files are there still.
            fallback: Of this request, instead of :attr:`boards.settings.Settings.fallback`.
            on_ambiguous: Of this request, instead of the setting.
            inputs: The generator's inputs. A file is a :class:`pathlib.Path`, bytes, an
                http(s) URL, a data URI, or an :class:`boards.Artifact` of an earlier generation
                (or its ``reference``).

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

        options = Options(dedupe_key, priority, cache, fallback, on_ambiguous, self.scope)
        try:
            request = await self._prepared(name, input, inputs, options)
        except BoardsError:
            if (known := await self._deduped(options)) is None:
                raise
            return succeeded(await self._running.wait(known))
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

        options = Options(dedupe_key, priority, cache, fallback, on_ambiguous, self.scope)
        try:
            request = await self._prepared(name, input, inputs, options)
        except BoardsError:
            if (known := await self._deduped(options)) is None:
                raise
            return known
        return await self._running.create(request)

    async def _deduped(self, options: "Options") -> Generation | None:
        """What a request's key stands for: whoever repeats it gets that, even if its file is gone.

        Only asked where the request cannot be made; otherwise its creation finds it.
        """
        key, owner = options.dedupe_key, options.owner
        return None if key is None else await self._running.store.deduped(key, owner=owner)

    async def wait(self, generation_id: str) -> Generation:
        """The generation when it ended, however it ended, or when it is ``unknown``.

        Raises:
            NotFoundError: There is no such generation; or it ended, and was pruned meanwhile.
            BoardsError: A fault of this machine holds it up; it is not lost.
        """
        return await self._running.wait(await self.get(generation_id))

    async def events(
        self, generation_id: str, *, after: int = 0, follow: bool = True
    ) -> "AsyncIterator[AnyEvent]":
        """A generation's events as they are committed, until it ends.

        Also until it is ``unknown``, as long as that waits for a decision.

        Args:
            generation_id: Whose events.
            after: Only events after this one: resume where you were.
            follow: Wait for further events; otherwise only those that are there.
        """
        generation = await self.get(generation_id)
        if not follow:
            kept = await self._running.store.events(generation.id, after=after, owner=self.scope)
            for event in kept:
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
        self,
        generation_id: str,
        *,
        job: str | None = None,
        captured: Mapping[str, str] | None = None,
        resubmit: bool = False,
    ) -> Generation:
        """Decide an ``unknown`` generation; without arguments it is abandoned.

        Args:
            generation_id: Which.
            job: The provider's id of its job, found by hand.
            captured: What else the lost reply told, where the id alone does not lead to the job, by
                the names that the spec captures it under: fal's ``status_url``. Only the host may
                say that: it could lead to the job of another owner.
            resubmit: Submit once more, at the risk of paying twice.

        Raises:
            NotFoundError: There is no such generation.
            BoardsError: It is not ``unknown``.
            ClaimedError: The job is another generation's, whose outputs would become this one's.
        """
        generation = await self.get(generation_id)
        if captured and job is None:
            raise BoardsError(
                "What was captured of a job is given without the job's id: nothing was decided.",
                remedy="Give job too.",
                generation_id=generation.id,
            )
        if captured and self.scope:
            raise BoardsError(
                "Only the host may say more of a job than its id: nothing was decided.",
                remedy="Give the id alone, or ask whoever runs the host.",
                generation_id=generation.id,
            )
        return await self._running.resolve(
            generation, job=job, captured=captured, resubmit=resubmit
        )

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

        return completed(await self._pipelines.wait(started.id, owner=self.scope))

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
        from boards.choosing import Options, refuse_reserved  # noqa: PLC0415  # with the registry
        from boards.pipelines.building import Pipeline, spec_of  # noqa: PLC0415
        from boards.pipelines.starting import prepared  # noqa: PLC0415

        conductor, storage = self._pipelines, self._running.storage
        options = Options(dedupe_key, priority, owner=self.scope)
        try:
            spec = spec_of(pipeline, self.registry)
            for record in pipeline.records if isinstance(pipeline, Pipeline) else ():
                self.registry.add(record)
            refuse_reserved(RESERVED, inputs, spec.name)
            whole = {**(input or {}), **inputs}
            await self._refuse_foreign_files(whole, self.scope)
            run = await prepared(
                spec,
                whole,
                self.registry,
                self.settings,
                storage,
                owner=options.owner,
                dedupe_key=options.dedupe_key,
                priority=options.priority,
            )
        except BoardsError:
            known = await conductor.deduped(options.dedupe_key, owner=options.owner)
            if known is None:
                raise
            return known
        return await conductor.start(run)

    async def wait_run(self, run_id: str) -> "PipelineRun":
        """The run when it ended, however it ended, or when all it waits for is a decision.

        Raises:
            NotFoundError: There is no such run.
            BoardsError: A fault of this machine holds it up; it is not lost.
        """
        return await self._pipelines.wait(run_id, owner=self.scope)

    async def watch_run(self, run_id: str) -> "AsyncIterator[PipelineRun]":
        """A run as it is now, and again whenever one of its steps moved, until it ends.

        Raises:
            NotFoundError: There is no such run.
            BoardsError: A fault of this machine holds it up; it is not lost.
        """
        run = await self._pipelines.get(run_id, owner=self.scope)
        async for one in self._pipelines.watch(run.id, owner=self.scope):
            yield one

    async def cancel_run(self, run_id: str) -> "PipelineRun":
        """Wish a run canceled: nothing more begins, and what is under way is canceled.

        Raises:
            NotFoundError: There is no such run.
        """
        return await self._pipelines.cancel(run_id, owner=self.scope)

    async def get_run(self, run_id: str) -> "PipelineRun":
        """A run by its id, or by the beginning of its id, its steps with their generations.

        Raises:
            NotFoundError: There is none, or several begin so.
        """
        return await self._pipelines.get(run_id, owner=self.scope)

    async def runs(
        self, *, statuses: Iterable[Status] = (), limit: int = 50, before: str | None = None
    ) -> "builtins.list[PipelineRun]":
        """Runs of pipelines, newest first; their steps without generations.

        Args:
            statuses: Only these.
            limit: At most so many.
            before: Only older ones than this id.

        Raises:
            ValueError: There is no such status or phase.
        """
        return await self._pipelines.list(
            owner=self.scope,
            statuses=_among("statuses", statuses, STATUSES),
            limit=limit,
            before=before,
        )

    # Look

    async def get(self, generation_id: str) -> Generation:
        """A generation by its id, or by the beginning of its id.

        Raises:
            NotFoundError: There is none, or several begin so.
        """
        store = self._running.store
        if not isinstance(generation_id, str):
            raise NotFoundError(
                f"{type(generation_id).__name__} is no id of a generation.",
                remedy="Give the id, a text: generation.id.",
            )
        found = await store.get(generation_id, owner=self.scope)
        if found is not None:
            return found
        candidates = await store.find(generation_id, owner=self.scope) if generation_id else []
        if len(candidates) == 1:
            return candidates[0]
        what = "Several generations begin" if candidates else "There is no generation that begins"
        raise NotFoundError(
            f"{what} with {generation_id!r}.",
            suggestions=[one.id for one in candidates],
            remedy="List them with: boards generations",
        )

    async def lineage(
        self, of: "str | Artifact | Generation", /, *, limit: int = 1000
    ) -> "Lineage":
        """Which artifacts an artifact or a generation was made from, and what was made from it.

        Args:
            of: An artifact, a generation, or the id of either.
            limit: At most so many generations in either direction, the nearest ones.

        Raises:
            NotFoundError: There is no such generation, or it has no such artifact.
            StoreError: The store keeps no lineage.
        """
        from boards.lineage import named  # noqa: PLC0415  # loaded with the engine

        generation_id, number = named(of)
        generation = await self.get(generation_id)
        if number is not None and generation.final and number >= len(generation.artifacts):
            raise NotFoundError(
                f"The generation {generation.id} has no artifact {number}: it has"
                f" {len(generation.artifacts)}, counted from 0.",
                generation_id=generation.id,
            )
        kept = getattr(self._running.store, "lineage", None)
        if kept is None:
            raise StoreError("This store keeps no lineage.", remedy="Use the one that is built in.")
        found: Lineage = await kept.get(generation, number, limit=limit)
        return found

    # Bytes

    async def read(self, of: "str | Artifact", /) -> AsyncIterator[bytes]:
        """The bytes of an artifact, in chunks, wherever the storage keeps them.

        Args:
            of: An artifact, or its id.

        Raises:
            NotFoundError: There is no such artifact.
            StorageError: Its bytes cannot be read.
        """
        artifact = await self._artifact(of)
        async for chunk in self._running.storage.read(artifact.key):
            yield chunk

    async def url(
        self, of: "str | Artifact", /, *, expires: timedelta = timedelta(hours=1)
    ) -> str | None:
        """An address from which everybody can fetch an artifact for so long.

        Args:
            of: An artifact, or its id.
            expires: How long. A storage may allow less.

        Returns:
            The address; None where the storage has none, as for files of this machine.

        Raises:
            NotFoundError: There is no such artifact.
            StorageError: The storage cannot make one.
        """
        artifact = await self._artifact(of)
        return await self._running.storage.url(artifact.key, expires=expires.total_seconds())

    async def _artifact(self, of: "str | Artifact") -> "Artifact":
        """An artifact as the store has it: what a caller made up leads to nobody's bytes."""
        from boards.lineage import named  # noqa: PLC0415  # loaded with the engine

        generation_id, number = named(of)
        generation = await self.get(generation_id)
        if number is None or number >= len(generation.artifacts):
            raise NotFoundError(
                f"There is no artifact {of if isinstance(of, str) else of.id}: the generation has"
                f" {len(generation.artifacts)}, counted from 0.",
                generation_id=generation.id,
                remedy="Name it by its id, GENERATION.NUMBER.",
            )
        return generation.artifacts[number]

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

        Raises:
            ValueError: There is no such status or phase.
        """
        from boards.store import Listing  # noqa: PLC0415  # loaded with the engine

        return await self._running.store.list(
            Listing(
                owner=self.scope,
                statuses=_among("statuses", statuses, STATUSES),
                phases=_among("phases", phases, PHASES),
                generator=generator,
                provider=provider,
                limit=limit,
                before=before,
            )
        )

    async def attempts(self, generation_id: str) -> "builtins.list[Attempt]":
        """A generation's attempts to submit it, in order.

        Raises:
            NotFoundError: There is no such generation.
        """
        generation = await self.get(generation_id)
        return await self._running.store.attempts(generation.id, owner=self.scope)

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

    def search(self, query: str) -> "builtins.list[GeneratorEntry]":
        """Generators that have every word of a query, best first: installed ones and imported ones.

        Args:
            query: Words of a name, a kind of artifact, a tag, a description.
        """
        from boards.searching import search  # noqa: PLC0415  # rarely needed

        return search(self.registry.generators(), query)

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
        from boards.choosing import choose, estimate  # noqa: PLC0415  # loaded with the registry
        from boards.engine.inputs import checked  # noqa: PLC0415  # loaded with the engine

        name, input = self._named(name, input)  # noqa: A001
        whole = {**(input or {}), **inputs}
        entry = choose(self.registry, name, self.settings.fallback, whole).entries[0]
        compiled = self.registry.compiled(entry.id)
        return estimate(compiled, checked(compiled.inputs, whole, entry.id))

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
        whole = {**(input or {}), **inputs}
        await self._refuse_foreign_files(whole, self.scope)
        return await explaining.explained(self.registry, self.settings, entry, whole)

    # Prepare

    def _named(
        self, generator: "str | Generator", given: Mapping[str, Any] | None
    ) -> tuple[str, Mapping[str, Any] | None]:
        """Name and input of what is to be generated; an instance of a class is both."""
        if isinstance(generator, str):
            return generator, given
        if isinstance(generator, type) or not hasattr(generator, "__boards_record__"):
            told = f"must be a name, or an instance of a class of boards.dsl, not {generator!r}"
            raise InvalidInputError(
                "The request cannot be made so; nothing was sent.", [Problem("generator", told)]
            )
        return self.registry.add(generator.__boards_record__()), generator.__boards_input__()

    async def _refuse_foreign_files(self, given: Mapping[str, Any], owner: str) -> None:
        """Refuse files of others. The host itself, whose scope is empty, may use any.

        Raises:
            InvalidInputError: A file of the storage is no generation's of this owner.
        """
        if owner:
            from boards.foreign import refuse_foreign_files  # noqa: PLC0415  # rarely needed

            await refuse_foreign_files(self._running.store, given, owner)

    async def _costs(
        self,
        since: datetime | timedelta | None,
        until: datetime | None,
        group_by: "Grouping",
        owner: str | None,
    ) -> "builtins.list[CostGroup]":
        """What was spent by one owner, or by all."""
        if group_by not in GROUPINGS:
            raise ValueError(f"group_by is {group_by!r}: expected one of {', '.join(GROUPINGS)}")
        if since is not None:
            since = since if isinstance(since, datetime) else datetime.now(UTC) - since
        return await self._running.store.costs(
            since=None if since is None else since.timestamp(),
            until=None if until is None else until.timestamp(),
            group_by=group_by,
            owner=owner,
        )


def _among(name: str, given: Iterable[T], known: tuple[T, ...]) -> tuple[T, ...]:
    """What was given, all of it known."""
    chosen = tuple(given)
    if unknown := [one for one in chosen if one not in known]:
        raise ValueError(
            f"{name} has {unknown[0]!r}: expected some of {', '.join(map(str, known))}"
        )
    return chosen


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
