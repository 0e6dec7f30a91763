"""``boards work``: drive what others submit."""

import asyncio
import contextlib
import shlex
from collections import Counter
from typing import Final

import click

from boards.cli.interrupts import in_order
from boards.cli.session import Session, command

__all__ = ["work"]

_SHOWN: Final = 10
"""Owners who are named, with what waits for a decision."""


@command()
def work(session: Session) -> None:
    """Drive generations until told to stop.

    Takes up all that is unfinished, and what other processes submit meanwhile. SIGTERM or Ctrl-C:
    begins nothing new, lets submits under way be committed, and leaves; nothing is lost. Once
    more: leaves at once.
    """
    session.run(_work(session))


async def _work(session: Session) -> None:
    with contextlib.suppress(click.exceptions.Exit):  # to be told to leave is how it ends
        await in_order(session, _drive(session))


async def _drive(session: Session) -> None:
    out = session.out
    async with session.opened() as boards:
        # Of all owners: a listing has those of one.
        unfinished, undecided = 0, Counter[str]()
        async for one in boards._running.store.live():  # the same package
            if one.phase == "unknown":
                undecided[one.owner] += 1
            else:
                unfinished += 1
        if out.json:  # one line, at once: whoever started it may wait for that
            waiting = dict(undecided)
            out.value({"unfinished": unfinished, "undecided": waiting}, compact=True)
        out.note(f"Driving the generations of {boards.settings.home}: {unfinished} unfinished.")
        for owner, count in undecided.most_common(_SHOWN):
            whose = f" --owner {shlex.quote(owner)}" if owner else ""
            out.note(f"{count} wait for a decision: boards generations --unknown{whose}")
        if len(undecided) > _SHOWN:
            out.note(f"So do some of {len(undecided) - _SHOWN} more owners.")
        await asyncio.Event().wait()
