"""Ctrl-C and SIGTERM while a generation is waited for."""

import asyncio
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, Self

__all__ = ["Interrupted", "Interrupts", "ask"]


class Interrupted(Exception):  # noqa: N818  # not an error: somebody wants to leave
    """Somebody wants to leave.

    Attributes:
        signal: ``SIGINT`` or ``SIGTERM``.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


class Interrupts:
    """Takes SIGINT and SIGTERM over, and hands them out one at a time.

    The first three come to :meth:`next`; one more ends the process where it stands. That is safe:
    what was to be submitted was committed before.
    """

    def __init__(self) -> None:
        self._signals: asyncio.Queue[int] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._before: dict[int, Any] = {}
        self._count = 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _received(self, number: int, _: FrameType | None) -> None:
        self._count += 1
        if self._count > 3:
            os._exit(128 + number)
        self._loop.call_soon_threadsafe(self._signals.put_nowait, number)

    async def next(self) -> int:
        """The next signal."""
        return await self._signals.get()


async def ask(question: str) -> bool:
    """Ask on the terminal; only ``y`` or ``yes`` is yes."""
    sys.stderr.write(question)
    sys.stderr.flush()
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def settle(text: str) -> None:
        if not answer.done():
            answer.set_result(text)

    def read() -> None:
        try:
            # Not sys.stdin: a thread that waits with its lock would keep the process from ending.
            text = os.read(sys.stdin.fileno(), 1024).decode(errors="replace")
        except (OSError, ValueError):
            text = ""
        loop.call_soon_threadsafe(settle, text)

    threading.Thread(target=read, daemon=True).start()
    return (await answer).strip().lower() in ("y", "yes")
