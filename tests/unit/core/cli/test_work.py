"""``boards work`` and the signals that end it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from boards.cli import work


class Slow:
    """A session whose Boards opens or closes for ever; what is noted, and what is done."""

    closing = leaving = False

    def __init__(self, *, opens: bool) -> None:
        self.opens = opens
        self.said: list[str] = []
        self.done: list[str] = []
        self.out = self

    def note(self, text: str) -> None:
        self.said.append(text)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        try:
            self.done.append("opening")
            if not self.opens:
                await asyncio.Event().wait()
            yield self
        finally:
            self.done.append("closing")
            if self.opens:
                await asyncio.Event().wait()

    @property
    def _running(self) -> Any:
        raise asyncio.CancelledError  # opened: it leaves right then, and closes


async def until(true: Callable[[], Any]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


pytestmark = pytest.mark.usefixtures("harmless_signals")


async def test_a_signal_while_it_opens_closes_it() -> None:
    """It drives before it is open: what it submits is let be committed."""
    slow = Slow(opens=False)
    working = asyncio.create_task(work._work(cast("Any", slow)))
    await until(lambda: slow.done)
    signal.raise_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        await working
    assert slow.done == ["opening", "closing"]
    assert slow.said == ["SIGTERM: leaving; what is unfinished goes on when Boards runs again."]


async def test_a_second_signal_ends_the_closing() -> None:
    """Whoever does not want to wait for a submit need not kill it."""
    slow = Slow(opens=True)
    working = asyncio.create_task(work._work(cast("Any", slow)))
    await until(lambda: "closing" in slow.done)
    signal.raise_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        await working
