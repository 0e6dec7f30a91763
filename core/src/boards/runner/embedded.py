"""The runner inside the process: one timer for all generations, a task only while one moves."""

import asyncio
import contextvars
import heapq
import math
import time
from typing import Final

from boards.logs import Logger, traceback_of
from boards.runner.protocol import Again, Drive

__all__ = ["EmbeddedRunner"]

_log = Logger("boards.runner")

_AFTER_A_BUG: Final = 30.0
"""Seconds before a generation is driven again whose drive raised what nobody expected."""
_GRAIN: Final = (0.02, 0.5)
"""What is due within so many seconds begins together, if it waits for longer than so many: waking
up for each costs more than the poll itself."""
_AT_ONCE: Final = 50
"""Generations that begin between two turns of the event loop: everybody else has a turn, too."""
_STALE: Final = 1000
"""Entries of the heap that may be out of date before they are cleared away."""


class EmbeddedRunner:
    """Drives generations on the running event loop.

    Waiting costs a heap entry: a task exists only while a generation is being driven.

    Args:
        drives: What the ids are of, in the log: runs of pipelines are driven likewise.
    """

    def __init__(self, *, drives: str = "generation") -> None:
        self._drives = drives
        self._drive: Drive | None = None
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._woken: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Not that of whoever set the timer: its spans and log lines would be those of others, too.
        self._context = contextvars.copy_context()
        self._stopped = False

    def start(self, drive: Drive) -> None:
        self._loop = asyncio.get_running_loop()
        self._drive = drive
        self._arm()

    def enqueue(self, generation_id: str, *, at: float = 0.0) -> None:
        if self._stopped:
            return
        now = asyncio.get_running_loop().time()
        when = now + max(0.0, at - time.time())
        grain, longer = _GRAIN
        if when > now + longer:
            when = math.ceil(when / grain) * grain
        if when >= self._due.get(generation_id, float("inf")):
            return
        self._due[generation_id] = when
        heapq.heappush(self._heap, (when, generation_id))
        if len(self._heap) > 2 * len(self._due) + _STALE:  # each move to an earlier time leaves one
            self._heap = [(when, generation_id) for generation_id, when in self._due.items()]
            heapq.heapify(self._heap)
        self._arm()

    def wake(self, generation_id: str) -> None:
        if generation_id in self._running:
            self._woken.add(generation_id)
        else:
            self.enqueue(generation_id)

    def _arm(self) -> None:
        """Set the one timer to the soonest entry."""
        if self._loop is None or not self._heap:
            return
        soonest = self._heap[0][0]
        if self._timer is not None:
            if self._timer.when() <= soonest:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(soonest, self._fire, context=self._context)

    def _fire(self) -> None:
        """Begin what is due; so many, and the others at the next turn."""
        self._timer = None
        assert self._loop is not None  # noqa: S101  # the timer was set on it
        now = self._loop.time() + 0.001
        most = len(self._running) + _AT_ONCE
        while self._heap and self._heap[0][0] <= now and len(self._running) < most:
            when, generation_id = heapq.heappop(self._heap)
            if self._due.get(generation_id) != when:
                continue  # moved meanwhile
            if generation_id in self._running:
                self._due.pop(generation_id)
                self._woken.add(generation_id)
            else:
                self._begin(generation_id)
        self._arm()

    def _begin(self, generation_id: str) -> None:
        self._due.pop(generation_id, None)
        assert self._loop is not None  # noqa: S101  # started
        self._running[generation_id] = self._loop.create_task(self._run(generation_id))

    async def _run(self, generation_id: str) -> None:
        assert self._drive is not None  # noqa: S101  # started
        again: float | None = None
        try:
            outcome = await self._drive(generation_id)
            if isinstance(outcome, Again):
                again = outcome.at
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if self._stopped or task is None or task.cancelling():
                raise
            # Not ours: of something that was awaited, an adapter's own task say.
            self._failed(generation_id, error)
            again = time.time() + _AFTER_A_BUG
        except Exception as error:  # a bug: nobody else would see it
            self._failed(generation_id, error)
            again = time.time() + _AFTER_A_BUG
        finally:
            self._running.pop(generation_id, None)
        if generation_id in self._woken:
            self._woken.discard(generation_id)
            again = 0.0
        if again is not None:
            self.enqueue(generation_id, at=again)

    def _failed(self, generation_id: str, error: BaseException) -> None:
        of = {self._drives: generation_id}
        _log.error("drive failed", **of, exception=traceback_of(error))

    async def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._heap.clear()
        self._due.clear()
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
