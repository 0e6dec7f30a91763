"""``boards work``: drive what others submit."""

import signal

from boards.cli.interrupts import Interrupts
from boards.cli.session import Session, command

__all__ = ["work"]


@command()
def work(session: Session) -> None:
    """Drive generations until told to stop.

    Takes up all that is unfinished, and what other processes submit meanwhile. SIGTERM or Ctrl-C:
    begins nothing new, lets submits under way be committed, and leaves; nothing is lost.
    """
    session.run(_work(session))


async def _work(session: Session) -> None:
    out = session.out
    async with session.opened() as boards:
        with Interrupts() as interrupts:
            # Of all owners: a listing has those of one.
            unfinished = mine = theirs = 0
            async for one in boards._running.store.live():  # the same package
                unfinished += one.phase != "unknown"
                mine += one.phase == "unknown" and not one.owner
                theirs += one.phase == "unknown" and bool(one.owner)
            out.note(f"Driving the generations of {boards.settings.home}: {unfinished} unfinished.")
            if mine:
                out.note(f"{mine} wait for a decision: boards generations --unknown")
            if theirs:
                out.note(f"{theirs} of other owners wait for a decision of theirs.")
            number = await interrupts.next()
            name = signal.Signals(number).name
            out.note(f"{name}: leaving; what is unfinished goes on when Boards runs again.")
