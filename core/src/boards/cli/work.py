"""``boards work``: drive what others submit."""

import signal

from boards.cli.interrupts import Interrupts
from boards.cli.session import Session, command
from boards.generations import FINAL_PHASES, PHASES

__all__ = ["work"]

_LIVE = tuple(phase for phase in PHASES if phase not in FINAL_PHASES and phase != "unknown")


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
            live = await boards.list(phases=_LIVE, limit=1000)
            unknown = await boards.list(phases=("unknown",), limit=1000)
            out.note(f"Driving the generations of {boards.settings.home}: {len(live)} unfinished.")
            if unknown:
                out.note(f"{len(unknown)} wait for a decision: boards generations --unknown")
            number = await interrupts.next()
            name = signal.Signals(number).name
            out.note(f"{name}: leaving; what is unfinished goes on when Boards runs again.")
