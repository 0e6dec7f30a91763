"""Ctrl-C and SIGTERM: while a generation is waited for, and around what drives."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import click

if TYPE_CHECKING:
    from boards.cli.session import Session

__all__ = ["Interrupted", "Interrupts", "ask", "in_order"]

T = TypeVar("T")


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


async def in_order(session: "Session", work: Coroutine[Any, Any, T]) -> T:
    """Run what drives: what it submits is committed before it leaves.

    It drives before it is open and until it has closed. A signal closes it, or lets it close;
    once more: leaves at once.

    Raises:
        click.exceptions.Exit: Somebody wanted to leave; with the exit code.
    """
    with Interrupts() as interrupts:
        working, number = asyncio.create_task(work), 0
        while not working.done():
            signaled = asyncio.create_task(interrupts.next())
            await asyncio.wait((working, signaled), return_when=asyncio.FIRST_COMPLETED)
            if signaled.done():
                number = signaled.result()
                if session.leaving or not session.closing:
                    working.cancel()
                if not session.leaving:
                    name = signal.Signals(number).name
                    session.out.note(
                        f"{name}: leaving; what is unfinished goes on when Boards runs again."
                    )
                session.leaving = True
            signaled.cancel()
    if working.cancelled() and number:
        raise click.exceptions.Exit(128 + number)
    return working.result()


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
