"""The host's facade without ``await``: an event loop on a thread of its own."""

import asyncio
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack

from boards import boards as asynchronous
from boards.blocking_facade import Facade, ScopedBoards
from boards.errors import BoardsError, StoreError

if TYPE_CHECKING:
    import builtins
    from datetime import datetime

    import httpx

    from boards.auth import Auth, Identity
    from boards.budgets import CostGroup, Grouping
    from boards.engine.garbage import Collected
    from boards.engine.transport import Transport
    from boards.entries import Availability, GeneratorEntry
    from boards.generations import Generation
    from boards.layers import GivenGenerators, GivenProviders
    from boards.plugins import PluginInfo
    from boards.settings import Overrides
    from boards.storage import Storage
    from boards.store import Store

__all__ = ["Boards", "Facade", "ScopedBoards"]

T = TypeVar("T")


class Boards(Facade):
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
        storage: "Storage | str | None" = None,
        auth: "Auth | str | None" = None,
        **settings: "Unpack[Overrides]",
    ) -> None:
        self._host = self._boards = asynchronous.Boards(
            providers=providers,
            generators=generators,
            drive=drive,
            transport=transport,
            store=store,
            storage=storage,
            auth=auth,
            **settings,
        )
        self._state: Literal["new", "open", "closed"] = "new"
        self._changing = threading.Lock()
        self._listing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave: asyncio.Event | None = None
        self._serving: asyncio.Task[None] | None = None
        self._left: concurrent.futures.Future[None] = concurrent.futures.Future()

    def __enter__(self) -> Self:
        with self._changing:
            if self._state != "new":
                raise self._not_open()
            opened: concurrent.futures.Future[None] = concurrent.futures.Future()
            self._process = os.getpid()
            # A daemon: a program that forgets to close still ends, and nothing is lost by it.
            self._thread = threading.Thread(
                target=self._run, args=(opened,), name="boards", daemon=True
            )
            self._thread.start()
            try:
                opened.result()
            except BaseException:  # Ctrl-C, say: nobody would ever close what opens there
                self._state = "closed"
                if self._loop is not None and self._serving is not None:
                    with contextlib.suppress(RuntimeError):  # it ended by itself
                        self._loop.call_soon_threadsafe(self._serving.cancel)
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
            if self._process != os.getpid():
                return  # it is the parent's, and goes on there
            loop.call_soon_threadsafe(leave.set)
            thread.join()
        self._left.result()

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
        self._serving, self._leave = asyncio.current_task(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._closed():
            raise asyncio.CancelledError
        async with self._host:
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
        if self._process != os.getpid():  # a fork takes no thread along: nothing would answer
            raise BoardsError(
                "Boards was opened in another process, of which this one is a fork.",
                remedy="Open one in each process, after the fork: with Boards() as boards: ...",
            )
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

    def _await_early(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """As :meth:`_await`; before it is open, on a loop for this call alone."""
        if self._state == "new":
            with self._listing:
                return asyncio.run(make())
        return self._await(make)

    def _look(self, look: Callable[[], T]) -> T:
        """Look into the registry, which one thread at a time may do; works before it is open."""
        if self._state == "new":
            with self._listing:
                return look()

        async def there() -> T:
            return look()

        return self._await(there)

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

    def as_owner(self, credentials: "str | Mapping[str, str] | Identity") -> ScopedBoards:
        """This host as one owner sees it: :meth:`boards.Boards.as_owner`."""
        return ScopedBoards(self, self._await(lambda: self._host.as_owner(credentials)))

    @property
    def auth(self) -> "Auth":
        """What tells who asks."""
        return self._await(self._auth)

    async def _auth(self) -> "Auth":
        return self._host.auth

    # Operate

    def receive_webhook(
        self, provider: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> "Generation":
        """Take in a provider's call: :meth:`boards.Boards.receive_webhook`."""
        return self._await(lambda: self._host.receive_webhook(provider, headers, body, token))

    def discover(self, name: str, /, *, refresh: bool = False) -> "GeneratorEntry":
        """The generator of that name, imported if need be: :meth:`boards.Boards.discover`."""
        return self._await(lambda: self._host.discover(name, refresh=refresh))

    def plugins(self) -> "builtins.list[PluginInfo]":
        """Every installed plugin, broken ones with their error and remedy. Needs not be open."""
        return self._look(self._host.plugins)

    def check_provider(self, name: str) -> "Availability":
        """Ask a provider whether it accepts the credentials."""
        return self._await(lambda: self._host.check_provider(name))

    def model_document(self, provider: str, model: str) -> Any:
        """A provider's own document of one of its models, as its ``catalog`` asks for it."""
        return self._await(lambda: self._host.model_document(provider, model))

    def collect_garbage(
        self, *, grace: timedelta = timedelta(hours=24), dry_run: bool = False
    ) -> "Collected":
        """Delete what no generation mentions: :meth:`boards.Boards.collect_garbage`."""
        return self._await(lambda: self._host.collect_garbage(grace=grace, dry_run=dry_run))

    def prune(
        self,
        *,
        older_than: timedelta = timedelta(days=30),
        keep: int = 0,
        dry_run: bool = False,
    ) -> int:
        """Delete generations that ended long ago: :meth:`boards.Boards.prune`."""
        return self._await(
            lambda: self._host.prune(older_than=older_than, keep=keep, dry_run=dry_run)
        )

    def costs(
        self,
        *,
        since: "datetime | timedelta | None" = None,
        until: "datetime | None" = None,
        group_by: "Grouping" = "provider",
    ) -> "builtins.list[CostGroup]":
        """What was spent, and what is reserved: :meth:`boards.Boards.costs`."""
        return self._await(lambda: self._host.costs(since=since, until=until, group_by=group_by))


async def _awaited(make: "Callable[[], Awaitable[T] | Coroutine[Any, Any, T]]") -> T:
    return await make()


def _closed_meanwhile() -> BoardsError:
    return BoardsError(
        "Boards was closed meanwhile. What was submitted is not lost.",
        remedy="Open it again and wait for the generation by its id.",
    )
