"""What has begun is done to its end, though whoever asked for it leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

__all__ = ["seen_through"]

T = TypeVar("T")

_under_way: Final[set[asyncio.Task[Any]]] = set()  # an event loop does not keep its tasks


async def seen_through(step: Coroutine[Any, Any, T]) -> T:
    """Do a step to its end; who is canceled meanwhile leaves at once.

    For what commits and then has it acted on: a commit is made even if nobody waits for it any
    more, and only another process's would be noticed later.
    """
    task = asyncio.ensure_future(step)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return await asyncio.shield(task)
