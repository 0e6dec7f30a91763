"""Commands that drive, and the signals that end them while they open or close."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import click
import pytest

from boards.cli.interrupts import in_order
from boards.cli.session import Session


class Slow(Session):
    """Its Boards opens and closes when it is let; what is done is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.may_open, self.may_close = asyncio.Event(), asyncio.Event()
        self.done: list[str] = []

    @asynccontextmanager
    async def boards(self, **_: Any) -> Any:  # type: ignore[override]
        """In place of a Boards."""
        self.done.append("opening")
        try:
            await self.may_open.wait()
            yield self
        finally:
            self.done.append("closing")
            await self.may_close.wait()
            self.done.append("closed")


async def until(true: Callable[[], Any]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def command(slow: Slow) -> int:
    """What a command does."""
    async with slow.opened():
        slow.done.append("working")
    return 7


pytestmark = pytest.mark.usefixtures("harmless_signals")


async def test_a_signal_while_it_opens_closes_it() -> None:
    """What it submits already is committed; the command itself is not begun."""
    slow = Slow()
    running = asyncio.create_task(in_order(slow, command(slow)))
    await until(lambda: slow.done)
    signal.raise_signal(signal.SIGTERM)
    await until(lambda: "closing" in slow.done)
    slow.may_close.set()
    with pytest.raises(click.exceptions.Exit) as caught:
        await running
    assert caught.value.exit_code == 143
    assert slow.done == ["opening", "closing", "closed"]


async def test_a_signal_while_it_closes_lets_it_close() -> None:
    """The command is done: its exit code stays."""
    slow = Slow()
    slow.may_open.set()
    running = asyncio.create_task(in_order(slow, command(slow)))
    await until(lambda: "closing" in slow.done)
    signal.raise_signal(signal.SIGTERM)
    await until(lambda: slow.leaving)
    slow.may_close.set()
    assert await running == 7
    assert slow.done[-1] == "closed"


@pytest.mark.parametrize("told", [False, True])
async def test_a_second_signal_ends_the_closing(told: bool) -> None:
    """Whoever does not want to wait for a submit need not kill it; the first may be the wait's."""
    slow = Slow()
    slow.may_open.set()
    slow.leaving = told
    running = asyncio.create_task(in_order(slow, command(slow)))
    await until(lambda: "closing" in slow.done)
    if not told:
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: slow.leaving)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(click.exceptions.Exit):
        await running
    assert slow.done[-1] == "closing"
