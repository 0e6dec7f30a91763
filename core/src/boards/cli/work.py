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
            live = [one async for one in boards._running.store.live()]  # the same package
            unknown = [one.owner for one in live if one.phase == "unknown"]
            out.note(
                f"Driving the generations of {boards.settings.home}: "
                f"{len(live) - len(unknown)} unfinished."
            )
            if mine := unknown.count(""):
                out.note(f"{mine} wait for a decision: boards generations --unknown")
            if theirs := len(unknown) - unknown.count(""):
                out.note(f"{theirs} of other owners wait for a decision of theirs.")
            number = await interrupts.next()
            name = signal.Signals(number).name
            out.note(f"{name}: leaving; what is unfinished goes on when Boards runs again.")
