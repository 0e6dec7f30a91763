"""What the engine asks of a runner: call ``drive`` for a generation, at least once, when due.

A runner may call it late, twice, or from two processes at once. It never sees a provider, a retry
rule or a price, so that one state machine serves every runner.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from attrs import frozen

__all__ = ["Again", "Done", "Drive", "Runner"]


@frozen
class Done:
    """Nothing more is to be done by time: it is final, or waits for somebody's decision."""


@frozen
class Again:
    """Drive it again.

    Attributes:
        at: Unix seconds; the past means now.
    """

    at: float


Drive = Callable[[str], Awaitable[Done | Again]]


class Runner(Protocol):
    """Calls ``drive`` for generations when they are due."""

    def start(self, drive: Drive) -> None:
        """Begin to call ``drive``."""

    def enqueue(self, generation_id: str, *, at: float = 0.0) -> None:
        """Have a generation driven at a time; an earlier time for the same one wins."""

    def wake(self, generation_id: str) -> None:
        """Have a generation driven now; again, if it is being driven at this moment."""

    async def stop(self) -> None:
        """Begin nothing new, and return when what was begun has ended."""
