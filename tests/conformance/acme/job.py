"""A job at Acme: what it is to make, and how far it is by the clock."""

import time
from typing import Any

from attrs import define


@define(eq=False)
class Job:
    """One accepted piece of work. Times are monotonic seconds."""

    id: str
    asked: dict[str, Any]
    callback: str | None
    starts: float
    ends: float
    fate: str
    """Its last phase: ``finished refused broken``."""
    withdrawn: bool = False

    @property
    def phase(self) -> str:
        """``pending drawing finished refused broken withdrawn``."""
        if self.withdrawn:
            return "withdrawn"
        now = time.monotonic()
        if now < self.starts:
            return "pending"
        return "drawing" if now < self.ends else self.fate

    @property
    def over(self) -> bool:
        """Whether its phase is its last."""
        return self.phase not in {"pending", "drawing"}

    @property
    def percent(self) -> int:
        """How much of its run is done."""
        done = (time.monotonic() - self.starts) / max(1e-9, self.ends - self.starts)
        return round(100 * min(1.0, max(0.0, done)))

    def withdraw(self) -> None:
        """Stop it, unless it is over."""
        self.withdrawn = self.withdrawn or not self.over
