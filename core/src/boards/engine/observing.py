"""Telling those who wait, and those who watch: callers, and the plugins' observers."""

import asyncio
from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Final

from boards.errors import BoardsError, NotFoundError, StoreError
from boards.events import Event, Happening
from boards.generations import Generation
from boards.logs import Logger

if TYPE_CHECKING:
    from boards.store import Store

__all__ = ["Observers", "Teller", "pruned"]

_log = Logger("boards.engine")

_ENDS: Final = frozenset({"succeeded", "failed", "canceled"})
_TRIES: Final = 6
_AGAIN: Final = 0.5
"""Seconds until events are read again that could not be read, at first."""
_LEAVE_TO_TELL: Final = 5.0
"""Seconds that a plugin gets at the end for what it is being told."""


class Observers:
    """Who waits for which generation, or for news of which, or of which run, in this process."""

    def __init__(self) -> None:
        self._ends: dict[str, set[asyncio.Future[Generation]]] = {}
        self._news: dict[str, set[asyncio.Event]] = {}
        self._closed = False

    def asking(self, driven: Container[str]) -> set[str]:
        """The generations of which somebody here must hear what other processes wrote.

        The end of one that is ``driven`` here is committed here.
        """
        return {*(one for one in self._ends if one not in driven), *self._news}

    def end_of(self, generation_id: str) -> "asyncio.Future[Generation]":
        """A future that gets the generation when it ends, or waits for a decision.

        Raises:
            BoardsError: This process closes.
        """
        self.check()
        future = asyncio.get_running_loop().create_future()
        self._ends.setdefault(generation_id, set()).add(future)
        future.add_done_callback(lambda done: self._forget(generation_id, done))
        return future

    def _forget(self, generation_id: str, future: "asyncio.Future[Generation]") -> None:
        waiting = self._ends.get(generation_id)
        if waiting is not None:
            waiting.discard(future)
            if not waiting:
                del self._ends[generation_id]

    def news_of(self, generation_id: str) -> tuple[asyncio.Event, Callable[[], None]]:
        """An event that is set when something happened to what has the id, and how to let go.

        Whoever clears it calls :meth:`check` then: that something may have been the close.
        """
        event = asyncio.Event()
        events = self._news.setdefault(generation_id, set())
        events.add(event)

        def let_go() -> None:
            events.discard(event)
            if not events:
                self._news.pop(generation_id, None)

        return event, let_go

    def tell(self, id_: str) -> None:
        """Something happened to what has the id."""
        for event in self._news.get(id_, ()):
            event.set()

    def committed(self, generation: Generation, _happenings: Sequence[Happening]) -> None:
        """Told by the store after each commit."""
        self.tell(generation.id)
        if generation.final or generation.phase == "unknown":
            for future in list(self._ends.get(generation.id, ())):
                if not future.done():
                    future.set_result(generation)

    def troubled(self, generation: Generation, error: BoardsError) -> None:
        """A local fault holds a generation up: its waiters are told, it is not lost."""
        for future in list(self._ends.get(generation.id, ())):
            if not future.done():
                future.set_exception(error)
        self.tell(generation.id)

    def gone(self, generation_id: str) -> None:
        """A generation is not in the store any more: it ended, and was pruned, elsewhere."""
        for future in list(self._ends.get(generation_id, ())):
            if not future.done():
                future.set_exception(pruned(generation_id))
        self.tell(generation_id)

    def close(self) -> None:
        """Nobody here will hear of anything any more, and is told so."""
        self._closed = True
        for futures in list(self._ends.values()):
            for future in list(futures):
                if not future.done():
                    future.set_exception(_closed())
                    future.exception()  # who was canceled meanwhile need not look
        for id_ in self._news:
            self.tell(id_)

    def check(self) -> None:
        """Make sure that there is more to come.

        Raises:
            BoardsError: This process closes.
        """
        if self._closed:
            raise _closed()


def pruned(generation_id: str) -> NotFoundError:
    """What to tell of a generation that was there, and is not any more."""
    return NotFoundError(
        f"There is no generation {generation_id} any more: it ended, and was pruned.",
        generation_id=generation_id,
    )


def _closed() -> BoardsError:
    return BoardsError(
        "Boards was closed meanwhile.", remedy="It is not lost: wait for it where Boards is open."
    )


class Teller:
    """Hands the events of each commit to the plugins' observers: in order, off the event loop.

    Args:
        store: Has the events, with their numbers.
        tell: Blocks for as long as an observer does.
        ends: Whether this process commits the ends of generations: it drives. Only then is it kept
            in mind what was told of one until its end; otherwise a commit tells all of its events.
    """

    def __init__(
        self, store: "Store", tell: Callable[[Event], None], ends: Callable[[], bool]
    ) -> None:
        self._store = store
        self._tell = tell
        self._ends = ends
        self._told: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._more: set[str] = set()

    @property
    def kept(self) -> set[str]:
        """Generations of which something is kept in mind."""
        return {*self._told, *self._tasks, *self._more}

    def committed(self, generation: Generation, happenings: Sequence[Happening]) -> None:
        """Told by the store after each commit."""
        if not happenings:
            return
        self._more.add(generation.id)
        if generation.id not in self._tasks:
            self._tasks[generation.id] = asyncio.create_task(self._tell_all(generation.id))

    async def _tell_all(self, generation_id: str) -> None:
        ended, failures = False, 0
        try:
            while generation_id in self._more:
                self._more.discard(generation_id)
                after = self._told.get(generation_id, 0)
                try:
                    events = await self._store.events(generation_id, after=after)
                except StoreError as error:
                    failures += 1
                    _log.warning(
                        "observers are told later", generation=generation_id, error=error.message
                    )
                    if failures < _TRIES:  # there may be no further commit of it
                        self._more.add(generation_id)
                        await asyncio.sleep(_AGAIN * 2 ** (failures - 1))
                    continue
                failures = 0
                for event in events:
                    await asyncio.to_thread(self._tell, event)
                    self._told[generation_id] = event.id
                    ended = event.type in _ENDS
        finally:
            del self._tasks[generation_id]
            if ended or not self._ends():
                self._told.pop(generation_id, None)

    async def close(self) -> None:
        """Have told what was committed."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_LEAVE_TO_TELL)
