"""Who drives, and what other processes write.

One process owns the store, and drives; another one follows it, and takes its place when it ends.
Both hear of what others submit, cancel and decide by looking whether the store has changed.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import evolve

from boards.engine import driving
from boards.errors import StoreError
from boards.logs import Logger, traceback_of

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine
    from boards.engine.observing import Observers
    from boards.generations import Generation
    from boards.runner import Runner

__all__ = ["Following"]

_log = Logger("boards.engine")

_FOLLOW: Final = 0.1
"""Seconds between looks at what other processes wrote."""
_CONTEND: Final = 1.0
"""Seconds between tries to become the owner."""
_DUE: Final = 1000
"""Generations that are asked for at once, at first, when others wrote."""
_LOOK_AT_ALL: Final = 5.0
"""Seconds between looks at everything that somebody here waits for: what was pruned elsewhere tells
no event."""
_LONGEST: Final = 3600.0
"""Seconds that the engine lets pass between two looks at the most: what the database has beyond
that was written while the clock was ahead."""


class Following:
    """Owns the store if it may, takes up what a former owner left, and follows the others.

    Args:
        machine: Drives generations.
        runner: Calls it.
        observers: Who waits in this process.
        creating: Generations that are waited for before they are in the store.

    Attributes:
        driving: Whether this process is the one that drives.
    """

    def __init__(
        self,
        machine: "Machine",
        runner: "Runner",
        observers: "Observers",
        creating: set[str],
    ) -> None:
        self._machine = machine
        self._store = machine.store
        self._runner = runner
        self._observers = observers
        self._creating = creating
        self._told: list[Callable[[], Awaitable[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._wants_to_drive = False
        self._taken_up = False
        self._last_event: int | None = None
        self._looked_at = 0.0
        self._look_at_all: float | None = None
        self.driving = False

    async def start(self, *, drive: bool) -> None:
        """Begin to follow; with ``drive``, take up what is live if nobody else does."""
        self._wants_to_drive = drive
        if drive:
            self._runner.start(partial(driving.drive, self._machine))
            await self._contend()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow no more. Who drives does so until the store is closed."""
        self._wants_to_drive = False
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def tell(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call back when another process wrote, and when this one begins to drive."""
        self._told.append(callback)

    async def wake(self, generation_id: str) -> None:
        """Have a generation driven now, by whoever drives."""
        if self.driving:
            self._runner.wake(generation_id)
        else:
            await self._store.make_due(generation_id)

    async def _contend(self) -> None:
        """Try to become the owner; take up every live generation if so."""
        self._taken_up = False  # until it is done: the store may fail half-way
        self.driving = await self._store.own()
        if self.driving:
            latest = time.time() + _LONGEST
            for flight in self._machine.flights.values():
                flight.spare()  # of a time before: another one may have driven it since
            async for generation in self._store.live():
                due = generation.due_at
                if generation.phase != "unknown" or due is not None:
                    self._runner.enqueue(generation.id, at=due if due and due <= latest else 0.0)
            await self._tell()
            self._taken_up = True

    async def _tell(self) -> None:
        for callback in self._told:
            await callback()

    async def _follow(self) -> None:
        """Look at what other processes wrote, and contend for the store while another owns it."""
        contended = time.monotonic()
        behind = False
        while True:
            await asyncio.sleep(_FOLLOW)
            try:
                now = time.monotonic()
                if self.driving and not self._store.epoch:  # another process fenced this one off
                    self.driving, contended, behind = False, 0.0, True
                    self._last_event = None  # what it drove was not looked at
                drives = self.driving and self._taken_up
                if self._wants_to_drive and not drives and now > contended + _CONTEND:
                    contended = now
                    await self._contend()
                late = self._look_at_all is not None and now >= self._look_at_all
                if await self._store.changed_elsewhere() or behind or late:
                    behind = True  # until it was caught up: nobody may write again
                    await self._catch_up()
                    behind = False
            except StoreError as error:
                _log.warning("the store cannot be followed", error=str(error))
            except Exception as error:  # a bug: others must be heard all the same
                _log.error("the store cannot be followed", exception=traceback_of(error))

    async def _catch_up(self) -> None:
        """Act on what others wrote, and tell it."""
        if self.driving:
            for generation in await self._due():
                await self._take_note(generation, self._machine.flights.get(generation.id))
        now = time.monotonic()
        everything = self._last_event is None or now >= min(
            self._looked_at + _LOOK_AT_ALL, self._look_at_all or math.inf
        )
        # Of a long time nobody reads the events: a process that drives may have written millions.
        moved, last = await self._store.happened_since(None if everything else self._last_event)
        driven = self._machine.flights if self.driving else ()
        asked = self._observers.asking(driven)  # afterwards: who comes now reads it anew
        if everything:
            self._look_at_all = None
        else:
            asked &= moved  # thousands may wait here
            self._look_at_all = self._look_at_all or now + _LOOK_AT_ALL
        for generation_id in asked:
            existed = generation_id not in self._creating
            found = await self._store.get(generation_id)
            if found is not None:
                self._observers.committed(found, ())
            elif existed:
                self._observers.gone(generation_id)
        # Now that all was told: a store that fails is asked again.
        self._last_event, self._looked_at = last, time.monotonic()
        await self._tell()

    async def _take_note(self, generation: "Generation", flight: "Flight | None") -> None:
        """Drive a generation that is due, with what may have been written of it elsewhere."""
        if flight is None:
            self._runner.wake(generation.id)
            return
        if generation.canceling:
            flight.wish_canceled()
        elif flight.generation.phase == "queued":
            if generation.phase == "queued":  # its turn comes without this
                if flight.ticket is not None:  # thousands may wait there
                    await self._seen(flight)
                return
            flight.spare()
        if flight.generation.phase == "unknown":
            flight.stale = True  # it may have been resolved
        self._runner.wake(generation.id)
        if generation.phase in ("waiting", "fetching"):
            await self._seen(flight)  # or it is asked for at whatever is written next

    async def _seen(self, flight: "Flight") -> None:
        """Have a flight due no more: when it is driven next is kept in mind here."""
        if not flight.stale:
            flight.generation = evolve(flight.generation, due_at=None)
            await self._machine.note(flight)

    async def _due(self) -> "list[Generation]":
        """All that is due: what waits at a gate is, too, and must not hide what came after it."""
        limit = _DUE
        while len(found := await self._store.due(time.time(), limit)) == limit:
            limit *= 4
        return found
