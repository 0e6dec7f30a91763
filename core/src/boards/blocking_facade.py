"""The calls of :class:`boards.facade.Facade` without ``await``."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    import builtins
    from datetime import datetime

    from boards import facade, scoped
    from boards.artifacts import Artifact
    from boards.auth import Identity
    from boards.budgets import CostGroup, Grouping
    from boards.dsl import Generator
    from boards.engine.explaining import Explanation
    from boards.entries import GeneratorEntry, ProviderEntry
    from boards.events import AnyEvent
    from boards.generations import Attempt, Cost, Generation, Phase, Status
    from boards.lineage import Lineage
    from boards.pipelines.building import GivenPipeline
    from boards.runs import PipelineRun
    from boards.settings import Fallback, OnAmbiguous, Settings

__all__ = ["Facade", "ScopedBoards"]

T = TypeVar("T")


class Facade:
    """What a caller may ask, each call for one owner: :class:`boards.facade.Facade`.

    Each blocks only the thread that makes it.
    """

    _boards: "facade.Facade"

    @property
    def settings(self) -> "Settings":
        """What this host has set."""
        return self._boards.settings

    @property
    def scope(self) -> str:
        """The ``owner`` of all that is made here."""
        return self._boards.scope

    def _await(self, make: Callable[[], Awaitable[T]]) -> T:
        """Run on the loop, and wait for it here."""
        raise NotImplementedError

    def _await_early(self, make: "Callable[[], Coroutine[Any, Any, T]]") -> T:
        """Run on the loop, or on one of its own before that is there."""
        raise NotImplementedError

    def _look(self, look: Callable[[], T]) -> T:
        """Look into the registry, which one thread at a time may do."""
        raise NotImplementedError

    def _iterate(self, stream: "AsyncIterator[T]") -> "Iterator[T]":
        """An asynchronous iterator as a plain one."""
        raise NotImplementedError

    # Generate

    @overload
    def generate(
        self,
        generator: "Generator",
        /,
        *,
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
    ) -> "Generation": ...
    @overload
    def generate(
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
    ) -> "Generation": ...
    def generate(
        self,
        name: Any,
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
        **inputs: Any,
    ) -> "Generation":
        """Submit, wait, and return the generation: :meth:`boards.Boards.generate`."""
        return self._await(
            lambda: self._boards.generate(
                name,
                input=input,
                dedupe_key=dedupe_key,
                priority=priority,
                cache=cache,
                fallback=fallback,
                on_ambiguous=on_ambiguous,
                **inputs,
            )
        )

    @overload
    def submit(
        self,
        generator: "Generator",
        /,
        *,
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
    ) -> "Generation": ...
    @overload
    def submit(
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
    ) -> "Generation": ...
    def submit(
        self,
        name: Any,
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        cache: bool = False,
        fallback: "Fallback | None" = None,
        on_ambiguous: "OnAmbiguous | None" = None,
        **inputs: Any,
    ) -> "Generation":
        """Queue a generation and return at once: :meth:`boards.Boards.submit`."""
        return self._await(
            lambda: self._boards.submit(
                name,
                input=input,
                dedupe_key=dedupe_key,
                priority=priority,
                cache=cache,
                fallback=fallback,
                on_ambiguous=on_ambiguous,
                **inputs,
            )
        )

    def wait(self, generation_id: str) -> "Generation":
        """The generation when it ended: :meth:`boards.Boards.wait`."""
        return self._await(lambda: self._boards.wait(generation_id))

    def events(
        self, generation_id: str, *, after: int = 0, follow: bool = True
    ) -> "Iterator[AnyEvent]":
        """A generation's events as they are committed, until it ends.

        Also until it is ``unknown``, as long as that waits for a decision.

        A plain iterator: each step blocks until there is another event.
        """
        yield from self._iterate(self._boards.events(generation_id, after=after, follow=follow))

    def cancel(self, generation_id: str) -> "Generation":
        """Wish a generation canceled: :meth:`boards.Boards.cancel`."""
        return self._await(lambda: self._boards.cancel(generation_id))

    def resolve(
        self,
        generation_id: str,
        *,
        job: str | None = None,
        captured: Mapping[str, str] | None = None,
        resubmit: bool = False,
    ) -> "Generation":
        """Decide an ``unknown`` generation: :meth:`boards.Boards.resolve`."""
        return self._await(
            lambda: self._boards.resolve(
                generation_id, job=job, captured=captured, resubmit=resubmit
            )
        )

    # Pipelines

    def run(
        self,
        pipeline: "GivenPipeline",
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        **inputs: Any,
    ) -> "PipelineRun":
        """Run a pipeline, wait, and return the run: :meth:`boards.Boards.run`."""
        return self._await(
            lambda: self._boards.run(
                pipeline, input=input, dedupe_key=dedupe_key, priority=priority, **inputs
            )
        )

    def start_run(
        self,
        pipeline: "GivenPipeline",
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        dedupe_key: str | None = None,
        priority: int = 0,
        **inputs: Any,
    ) -> "PipelineRun":
        """Start a run of a pipeline and return at once: :meth:`boards.Boards.start_run`."""
        return self._await(
            lambda: self._boards.start_run(
                pipeline, input=input, dedupe_key=dedupe_key, priority=priority, **inputs
            )
        )

    def wait_run(self, run_id: str) -> "PipelineRun":
        """The run when it ended: :meth:`boards.Boards.wait_run`."""
        return self._await(lambda: self._boards.wait_run(run_id))

    def watch_run(self, run_id: str) -> "Iterator[PipelineRun]":
        """A run whenever one of its steps moved: :meth:`boards.Boards.watch_run`.

        A plain iterator: each step blocks until there is something new.
        """
        yield from self._iterate(self._boards.watch_run(run_id))

    def cancel_run(self, run_id: str) -> "PipelineRun":
        """Wish a run canceled: :meth:`boards.Boards.cancel_run`."""
        return self._await(lambda: self._boards.cancel_run(run_id))

    def get_run(self, run_id: str) -> "PipelineRun":
        """A run by its id, or by the beginning of it: :meth:`boards.Boards.get_run`."""
        return self._await(lambda: self._boards.get_run(run_id))

    def runs(
        self, *, statuses: "Iterable[Status]" = (), limit: int = 50, before: str | None = None
    ) -> "builtins.list[PipelineRun]":
        """Runs of pipelines, newest first: :meth:`boards.Boards.runs`."""
        return self._await(lambda: self._boards.runs(statuses=statuses, limit=limit, before=before))

    # Look

    def get(self, generation_id: str) -> "Generation":
        """A generation by its id, or by the beginning of it: :meth:`boards.Boards.get`."""
        return self._await(lambda: self._boards.get(generation_id))

    def lineage(self, of: "str | Artifact | Generation", /, *, limit: int = 1000) -> "Lineage":
        """What was made from what: :meth:`boards.Boards.lineage`."""
        return self._await(lambda: self._boards.lineage(of, limit=limit))

    # Bytes

    def read(self, of: "str | Artifact", /) -> "Iterator[bytes]":
        """The bytes of an artifact, in chunks: :meth:`boards.Boards.read`.

        A plain iterator: each step blocks until there is another chunk.
        """
        yield from self._iterate(self._boards.read(of))

    def url(
        self, of: "str | Artifact", /, *, expires: timedelta = timedelta(hours=1)
    ) -> str | None:
        """An address of an artifact for everybody: :meth:`boards.Boards.url`."""
        return self._await(lambda: self._boards.url(of, expires=expires))

    def list(
        self,
        *,
        statuses: "Iterable[Status]" = (),
        phases: "Iterable[Phase]" = (),
        generator: str | None = None,
        provider: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> "builtins.list[Generation]":
        """Generations, newest first: :meth:`boards.Boards.list`."""
        return self._await(
            lambda: self._boards.list(
                statuses=statuses,
                phases=phases,
                generator=generator,
                provider=provider,
                limit=limit,
                before=before,
            )
        )

    def attempts(self, generation_id: str) -> "builtins.list[Attempt]":
        """A generation's attempts to submit it: :meth:`boards.Boards.attempts`."""
        return self._await(lambda: self._boards.attempts(generation_id))

    def generators(
        self, *, provider: str | None = None, artifact_type: str | None = None
    ) -> "builtins.list[GeneratorEntry]":
        """What is there to generate with, by id. Needs not be open."""
        return self._look(
            lambda: self._boards.generators(provider=provider, artifact_type=artifact_type)
        )

    def search(self, query: str) -> "builtins.list[GeneratorEntry]":
        """Generators that have every word of a query: :meth:`boards.Boards.search`."""
        return self._look(lambda: self._boards.search(query))

    def choose(self, name: str, /) -> "GeneratorEntry":
        """The generator that a name stands for now. Needs not be open."""
        return self._look(lambda: self._boards.choose(name))

    def providers(self) -> "builtins.list[ProviderEntry]":
        """The providers, in the order in which they are asked. Needs not be open."""
        return self._look(self._boards.providers)

    @overload
    def estimate(self, generator: "Generator", /) -> "Cost | None": ...
    @overload
    def estimate(
        self,
        name: str,
        /,
        *,
        input: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> "Cost | None": ...
    def estimate(
        self,
        name: Any,
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        **inputs: Any,
    ) -> "Cost | None":
        """What a generation would cost by the list price. Needs not be open."""
        return self._look(lambda: self._boards.estimate(name, input=input, **inputs))

    @overload
    def explain(self, generator: "Generator", /) -> "Explanation": ...
    @overload
    def explain(
        self,
        name: str,
        /,
        *,
        input: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> "Explanation": ...
    def explain(
        self,
        name: Any,
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        **inputs: Any,
    ) -> "Explanation":
        """What a generation would send; nothing is sent: :meth:`boards.Boards.explain`.

        Needs not be open.
        """
        return self._await_early(lambda: self._boards.explain(name, input=input, **inputs))


class ScopedBoards(Facade):
    """:class:`boards.ScopedBoards` without ``await``: :meth:`boards.sync.Boards.as_owner`."""

    def __init__(self, host: Facade, boards: "scoped.ScopedBoards") -> None:
        self._host = host
        self._scoped = self._boards = boards

    def __repr__(self) -> str:
        return repr(self._boards)

    @property
    def identity(self) -> "Identity":
        """Whom it acts for."""
        return self._scoped.identity

    def _await(self, make: Callable[[], Awaitable[T]]) -> T:
        return self._host._await(make)

    def _await_early(self, make: "Callable[[], Coroutine[Any, Any, T]]") -> T:
        return self._host._await_early(make)

    def _look(self, look: Callable[[], T]) -> T:
        return self._host._look(look)

    def _iterate(self, stream: "AsyncIterator[T]") -> "Iterator[T]":
        return self._host._iterate(stream)

    def costs(
        self,
        *,
        since: "datetime | timedelta | None" = None,
        until: "datetime | None" = None,
        group_by: "Grouping" = "provider",
    ) -> "builtins.list[CostGroup]":
        """What this owner spent: :meth:`boards.ScopedBoards.costs`."""
        return self._await(lambda: self._scoped.costs(since=since, until=until, group_by=group_by))
