"""The host's facade without ``await``: an event loop on a thread of its own."""

import asyncio
import concurrent.futures
import contextlib
import threading
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
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, overload

from boards import boards as asynchronous
from boards.errors import BoardsError, StoreError

if TYPE_CHECKING:
    import builtins
    from datetime import datetime

    import httpx

    from boards.budgets import CostGroup, Grouping
    from boards.dsl import Generator
    from boards.engine.explaining import Explanation
    from boards.engine.garbage import Collected
    from boards.engine.transport import Transport
    from boards.entries import Availability, GeneratorEntry, ProviderEntry
    from boards.events import AnyEvent
    from boards.generations import Cost, Generation, Phase, Status
    from boards.layers import GivenGenerators, GivenProviders
    from boards.pipelines.building import GivenPipeline
    from boards.plugins import PluginInfo
    from boards.runs import PipelineRun
    from boards.settings import Fallback, OnAmbiguous, Overrides, Settings
    from boards.storage import Storage
    from boards.store import Store

__all__ = ["Boards"]

T = TypeVar("T")


class Boards:
    """:class:`boards.Boards` for code that is not asynchronous; a context manager.

    It may be called from several threads at once. Each call blocks only the thread that makes
    it: the generations go on beside. Arguments and errors are those of :class:`boards.Boards`.

    Example:
        >>> with Boards() as boards:
        ...     generation = boards.generate("flux-dev", prompt="a cat")
        ...     generation.artifacts[0].path
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
        self._boards = asynchronous.Boards(
            providers=providers,
            generators=generators,
            drive=drive,
            transport=transport,
            store=store,
            storage=storage,
            **settings,
        )
        self._state: Literal["new", "open", "closed"] = "new"
        self._changing = threading.Lock()
        self._listing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave: asyncio.Event | None = None
        self._left: concurrent.futures.Future[None] = concurrent.futures.Future()

    def __enter__(self) -> Self:
        with self._changing:
            if self._state != "new":
                raise self._not_open()
            opened: concurrent.futures.Future[None] = concurrent.futures.Future()
            # A daemon: a program that forgets to close still ends, and nothing is lost by it.
            self._thread = threading.Thread(
                target=self._run, args=(opened,), name="boards", daemon=True
            )
            self._thread.start()
            try:
                opened.result()
            except BaseException:
                self._state = "closed"
                raise
            self._state = "open"
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Begin nothing new, let submits under way be committed, leave; a second time is nothing.

        Whoever still waits in another thread gets a :class:`boards.BoardsError`.
        """
        with self._changing:
            was, self._state = self._state, "closed"
            loop, leave, thread = self._loop, self._leave, self._thread
            if was != "open" or loop is None or leave is None or thread is None:
                return
            loop.call_soon_threadsafe(leave.set)
            thread.join()
        self._left.result()

    @property
    def settings(self) -> "Settings":
        """What this host has set."""
        return self._boards.settings

    # The thread

    def _run(self, opened: "concurrent.futures.Future[None]") -> None:
        try:
            asyncio.run(self._serve(opened))
        except BaseException as error:
            if opened.done():
                self._left.set_exception(error)
            else:
                opened.set_exception(error)
        else:
            self._left.set_result(None)

    async def _serve(self, opened: "concurrent.futures.Future[None]") -> None:
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        async with self._boards:
            opened.set_result(None)
            await self._leave.wait()

    def _closed(self) -> bool:
        """Asked anew: another thread may have closed it since the last look."""
        return self._state == "closed"

    def _not_open(self) -> BoardsError:
        if self._closed():
            return BoardsError(
                "Boards is closed.", remedy="Use it inside: with Boards() as boards: ..."
            )
        if self._state == "open":
            return BoardsError("Boards is open already.", remedy="Make another one: Boards()")
        return BoardsError("Boards is not open.", remedy="Use it as: with Boards() as boards: ...")

    def _await(self, make: Callable[[], Awaitable[T]]) -> T:
        """Run on the loop, and wait for it here. A call that is interrupted is taken back."""
        loop = self._loop
        if self._state != "open" or loop is None:
            raise self._not_open()
        if threading.current_thread() is self._thread:
            raise BoardsError(
                "boards.sync.Boards was called from its own event loop, which would never answer.",
                remedy="Use boards.Boards in asynchronous code.",
            )
        coroutine = _awaited(make)
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # closed between the look and the call
            coroutine.close()
            raise self._not_open() from None
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise _closed_meanwhile() from None
        except StoreError:
            if not self._closed():
                raise
            raise _closed_meanwhile() from None  # the call came too late for the store
        finally:
            future.cancel()

    def _look(self, look: Callable[[], T]) -> T:
        """Look into the registry, which one thread at a time may do; works before it is open."""
        if self._state == "new":
            with self._listing:
                return look()

        async def there() -> T:
            return look()

        return self._await(there)

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

        A plain iterator: each step blocks until there is another event.
        """
        yield from self._iterate(self._boards.events(generation_id, after=after, follow=follow))

    def _iterate(self, stream: "AsyncIterator[T]") -> "Iterator[T]":
        """An asynchronous iterator as a plain one."""
        try:
            while True:
                one = self._await(lambda: anext(stream, None))
                if one is None:
                    return
                yield one
        finally:
            with contextlib.suppress(BoardsError):  # closed: the loop took it along
                self._await(stream.aclose)  # type: ignore[attr-defined]  # a generator

    def cancel(self, generation_id: str) -> "Generation":
        """Wish a generation canceled: :meth:`boards.Boards.cancel`."""
        return self._await(lambda: self._boards.cancel(generation_id))

    def resolve(
        self, generation_id: str, *, job: str | None = None, resubmit: bool = False
    ) -> "Generation":
        """Decide an ``unknown`` generation: :meth:`boards.Boards.resolve`."""
        return self._await(lambda: self._boards.resolve(generation_id, job=job, resubmit=resubmit))

    def receive_webhook(
        self, provider: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> "Generation":
        """Take in a provider's call: :meth:`boards.Boards.receive_webhook`."""
        return self._await(lambda: self._boards.receive_webhook(provider, headers, body, token))

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

    def discover(self, name: str, /, *, refresh: bool = False) -> "GeneratorEntry":
        """The generator of that name, imported if need be: :meth:`boards.Boards.discover`."""
        return self._await(lambda: self._boards.discover(name, refresh=refresh))

    def choose(self, name: str, /) -> "GeneratorEntry":
        """The generator that a name stands for now. Needs not be open."""
        return self._look(lambda: self._boards.choose(name))

    def providers(self) -> "builtins.list[ProviderEntry]":
        """The providers, in the order in which they are asked. Needs not be open."""
        return self._look(self._boards.providers)

    def plugins(self) -> "builtins.list[PluginInfo]":
        """Every installed plugin, broken ones with their error and remedy. Needs not be open."""
        return self._look(self._boards.plugins)

    def check_provider(self, name: str) -> "Availability":
        """Ask a provider whether it accepts the credentials."""
        return self._await(lambda: self._boards.check_provider(name))

    def model_document(self, provider: str, model: str) -> Any:
        """A provider's own document of one of its models, as its ``catalog`` asks for it."""
        return self._await(lambda: self._boards.model_document(provider, model))

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

    def collect_garbage(
        self, *, grace: timedelta = timedelta(hours=24), dry_run: bool = False
    ) -> "Collected":
        """Delete what no generation mentions: :meth:`boards.Boards.collect_garbage`."""
        return self._await(lambda: self._boards.collect_garbage(grace=grace, dry_run=dry_run))

    def prune(
        self,
        *,
        older_than: timedelta = timedelta(days=30),
        keep: int = 0,
        dry_run: bool = False,
    ) -> int:
        """Delete generations that ended long ago: :meth:`boards.Boards.prune`."""
        return self._await(
            lambda: self._boards.prune(older_than=older_than, keep=keep, dry_run=dry_run)
        )

    def costs(
        self,
        *,
        since: "datetime | timedelta | None" = None,
        until: "datetime | None" = None,
        group_by: "Grouping" = "provider",
    ) -> "builtins.list[CostGroup]":
        """What was spent, and what is reserved: :meth:`boards.Boards.costs`."""
        return self._await(lambda: self._boards.costs(since=since, until=until, group_by=group_by))

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
        if self._state == "new":
            with self._listing:
                return asyncio.run(self._boards.explain(name, input=input, **inputs))
        return self._await(lambda: self._boards.explain(name, input=input, **inputs))


async def _awaited(make: "Callable[[], Awaitable[T] | Coroutine[Any, Any, T]]") -> T:
    return await make()


def _closed_meanwhile() -> BoardsError:
    return BoardsError(
        "Boards was closed meanwhile. What was submitted is not lost.",
        remedy="Open it again and wait for the generation by its id.",
    )
