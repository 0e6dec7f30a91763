"""Work in the background, a few pieces at a time, on threads: begun, looked at, taken, dropped."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

from attrs import define, field, frozen

__all__ = ["Bench", "Control", "Given", "Made", "Maker", "Piece", "StoppedError"]


@frozen
class Given:
    """What a piece of work is made from.

    Attributes:
        input: The generation's input, after defaults.
        files: The bytes of its file inputs, by name; one input may have several.
        config: The provider's ``config``.
    """

    input: Mapping[str, Any]
    files: Mapping[str, list[bytes]]
    config: Mapping[str, Any]


@frozen
class Made:
    """What came of it: the bytes of a file, and its media type."""

    content: bytes = field(repr=False)
    mime: str


class StoppedError(Exception):
    """Nobody wants the work any more."""


class Control:
    """What work tells, and is told, while it runs on its thread.

    Attributes:
        percent: How far it is, 0 to 100.
    """

    def __init__(self) -> None:
        self.percent = 0.0
        self._stop = threading.Event()

    def stop(self) -> None:
        """Have the work end where it next calls :meth:`reached`: a thread cannot be killed."""
        self._stop.set()

    def reached(self, done: int, of: int) -> None:
        """Say how far the work is; called often enough that it can be stopped soon.

        Raises:
            StoppedError: It is to go no further.
        """
        if self._stop.is_set():
            raise StoppedError
        self.percent = 100.0 * done / of


Maker = Callable[[Given, Control], Made]
"""Makes it; runs on a thread."""


@define(eq=False)
class Piece:
    """One piece of work.

    Attributes:
        control: Its control.
        task: Ends with what was made, or raises what went wrong.
    """

    control: Control
    task: "asyncio.Task[Made]" = field(repr=False)
    _running: threading.Event = field(factory=threading.Event, repr=False)

    @property
    def state(self) -> Literal["queued", "running", "done"]:
        """Whether it waits for a thread, has one, or has ended."""
        if self.task.done():
            return "done"
        return "running" if self._running.is_set() else "queued"


class Bench:
    """Where work is done. Its memory is all that it has: what a crash forgets is begun again.

    Args:
        workers: How many pieces are worked at, at once.
    """

    def __init__(self, workers: int) -> None:
        self._free = asyncio.Semaphore(workers)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="boards-local")
        self._pieces: dict[str, Piece] = {}

    def piece(self, id_: str, read: Callable[[], Awaitable[Given]], make: Maker) -> Piece:
        """The piece of that id; begun now if it is not there.

        Args:
            id_: Of the generation.
            read: Reads what it needs, on the event loop, as soon as a thread is free: files of
                work that still waits are not in memory.
            make: Makes it, on a thread.
        """
        if id_ not in self._pieces:
            control, running = Control(), threading.Event()
            task = asyncio.create_task(self._work(control, running, read, make))
            task.add_done_callback(_heard)
            self._pieces[id_] = Piece(control, task, running)
        return self._pieces[id_]

    def drop(self, id_: str) -> None:
        """Forget a piece, and stop it if it is not done."""
        piece = self._pieces.pop(id_, None)
        if piece is not None:
            piece.task.cancel()

    def take(self, id_: str) -> Made | None:
        """What was made, which is forgotten here; None where it is not there, or not done."""
        piece = self._pieces.get(id_)
        if piece is None or not piece.task.done():
            return None
        del self._pieces[id_]
        return piece.task.result()

    async def _work(
        self,
        control: Control,
        running: threading.Event,
        read: Callable[[], Awaitable[Given]],
        make: Maker,
    ) -> Made:
        try:
            async with self._free:
                running.set()
                given = await read()
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._pool, make, given, control)
        finally:  # canceled, also when the event loop ends: the thread is not to go on alone
            control.stop()


def _heard(task: "asyncio.Task[Made]") -> None:
    """Have asyncio not complain of a failure that nobody asked for."""
    if not task.cancelled():
        task.exception()


MOST_WORKERS: Final = 32
"""More threads than this are a mistake in ``config``."""
