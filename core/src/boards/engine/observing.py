"""Telling those who wait: futures for one generation's end, wake-ups for its events."""

import asyncio
from collections.abc import Callable, Sequence

from boards.errors import BoardsError
from boards.events import Happening
from boards.generations import Generation

__all__ = ["Observers"]


class Observers:
    """Who waits for which generation, in this process."""

    def __init__(self) -> None:
        self._ends: dict[str, set[asyncio.Future[Generation]]] = {}
        self._news: dict[str, set[asyncio.Event]] = {}

    @property
    def waited_for(self) -> set[str]:
        """The generations that somebody here waits for."""
        return {*self._ends, *self._news}

    def end_of(self, generation_id: str) -> "asyncio.Future[Generation]":
        """A future that gets the generation when it ends, or waits for a decision."""
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
        """An event that is set when something happened to a generation, and how to let go."""
        event = asyncio.Event()
        events = self._news.setdefault(generation_id, set())
        events.add(event)

        def let_go() -> None:
            events.discard(event)
            if not events:
                self._news.pop(generation_id, None)

        return event, let_go

    def committed(self, generation: Generation, _happenings: Sequence[Happening]) -> None:
        """Told by the store after each commit."""
        for event in self._news.get(generation.id, ()):
            event.set()
        if generation.final or generation.phase == "unknown":
            for future in list(self._ends.get(generation.id, ())):
                if not future.done():
                    future.set_result(generation)

    def troubled(self, generation: Generation, error: BoardsError) -> None:
        """A local fault holds a generation up: its waiters are told, it is not lost."""
        for future in list(self._ends.get(generation.id, ())):
            if not future.done():
                future.set_exception(error)
        for event in self._news.get(generation.id, ()):
            event.set()

    def close(self) -> None:
        """Nobody here will hear of anything any more."""
        for futures in list(self._ends.values()):
            for future in list(futures):
                future.cancel()
