"""Waiting for a generation in front of somebody: progress, and what Ctrl-C means."""

import asyncio
import signal
import sys

from boards.cli.display import Display
from boards.cli.exits import Exit
from boards.cli.interrupts import Interrupted, Interrupts, ask
from boards.facade import Facade
from boards.generations import Generation

__all__ = ["accepted", "attend", "exit_of_signal", "follow"]

_ACCEPTED = frozenset({"submitted", "retrying", "fetching"})


async def follow(boards: Facade, generation_id: str, display: Display) -> Generation:
    """Show what happens to a generation until it ends.

    Raises:
        BoardsError: A fault of this machine holds it up.
    """

    async def watch() -> None:
        async for event in boards.events(generation_id):
            display.event(event)

    watching = asyncio.create_task(watch())
    try:
        # Not the events alone: they do not tell of a fault of this machine.
        generation = await boards.wait(generation_id)
        await watching
        return generation
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def accepted(boards: Facade, generation_id: str, display: Display) -> Generation:
    """Show what happens until the provider accepted the job, or cannot for now."""

    async def watch() -> None:
        async for event in boards.events(generation_id):
            display.event(event)
            if event.type in _ACCEPTED:
                return

    watching = asyncio.create_task(watch())
    waiting = asyncio.create_task(boards.wait(generation_id))
    try:
        await asyncio.wait((watching, waiting), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        return await boards.get(generation_id)
    finally:
        for task in (watching, waiting):
            task.cancel()
        await asyncio.gather(watching, waiting, return_exceptions=True)


async def attend(
    boards: Facade, generation: Generation, display: Display, *, until_accepted: bool = False
) -> Generation:
    """Follow a generation; Ctrl-C asks once whether to cancel it at the provider too.

    Where nobody can be asked, and at SIGTERM, it is left to go on.

    Raises:
        Interrupted: Somebody wants to leave; ``canceled`` generations are waited for before.
        BoardsError: A fault of this machine holds it up.
    """
    name = generation.generator
    display.add(generation.id, name)
    work = accepted if until_accepted else follow
    following = asyncio.create_task(work(boards, generation.id, display))
    try:
        with Interrupts() as interrupts:
            number = await _interrupted(following, interrupts)
            if number is None:
                return following.result()
            if number == signal.SIGINT and sys.stdin.isatty() and sys.stderr.isatty():
                await _offer_cancel(boards, generation.id, display, interrupts, following)
            raise Interrupted(number)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _interrupted(
    following: "asyncio.Future[Generation]", interrupts: Interrupts
) -> int | None:
    """The signal that came before the end, if one did."""
    signaled = asyncio.ensure_future(interrupts.next())
    try:
        await asyncio.wait((following, signaled), return_when=asyncio.FIRST_COMPLETED)
        return None if following.done() else signaled.result()
    finally:
        signaled.cancel()


async def _offer_cancel(
    boards: Facade,
    generation_id: str,
    display: Display,
    interrupts: Interrupts,
    following: "asyncio.Task[Generation]",
) -> None:
    """Ask, and see a cancel through; one more signal ends either at once."""
    with display.paused():
        asking = asyncio.create_task(ask("\nCancel it at the provider too? [y/N] "))
        signaled = asyncio.ensure_future(interrupts.next())
        await asyncio.wait((asking, signaled), return_when=asyncio.FIRST_COMPLETED)
        yes = asking.done() and asking.result()
        for task in (asking, signaled):
            task.cancel()
    if yes:
        await boards.cancel(generation_id)
        await _interrupted(following, interrupts)


def exit_of_signal(number: int) -> Exit:
    """The exit code of one who was told to leave."""
    return Exit.TERMINATED if number == signal.SIGTERM else Exit.INTERRUPTED
