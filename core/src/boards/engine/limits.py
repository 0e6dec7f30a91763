"""Manners towards a provider: how many submits at once, how many in a time, and when to let it be.

A submit passes a gate. It opens for the most urgent first, and in turn for the owners that wait;
it stays shut while the rate is used up, while the provider asked to wait, and while it fails.
"""

import asyncio
import heapq
import math
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from attrs import define, field

from boards.spec.model import LimitHeaders, Limits

__all__ = ["Breaker", "Gate", "Ticket"]

SUBMITS: Final = 16
"""Submits of one provider under way at once, where its spec gives no ``limits.concurrency``."""
_FAILURES: Final = 5
"""Requests in a row without an answer, or with a 5xx, after which a provider counts as down."""
_COOL_DOWN: Final = (5.0, 120.0)
"""Seconds until one request probes a provider that is down: at first, and at most."""
_PROBE: Final = 10.0
"""Seconds that a probe has to say something: it may have been vetoed, and never been sent."""
_TOO_MANY: Final = 429
_LONGEST_PAUSE: Final = 600.0
"""Seconds for which a provider's word to wait is taken for all of its submits."""


class Breaker:
    """Whether a provider answers at all.

    After :data:`_FAILURES` failures in a row it is open: nothing is asked. After a while one
    request probes (half open); its answer closes it, its failure opens it for longer.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._openings = 0
        self._until = 0.0
        self._probing = False

    @property
    def wait(self) -> float:
        """Seconds until something may be asked; 0 where it may be now."""
        if self._failures < _FAILURES:
            return 0.0
        left = max(self._until - time.monotonic(), 0.0)
        return min(left, 1.0) if self._probing else left

    def begin(self) -> None:
        """Something is asked: if it was open, that is the probe, and others wait for its word."""
        self._probing = self._failures >= _FAILURES
        if self._probing:
            self._until = time.monotonic() + _PROBE

    def succeeded(self) -> None:
        """The provider answered, whatever it said."""
        self._failures = self._openings = 0
        self._probing = False

    def failed(self) -> None:
        """It did not answer, or said that it is broken."""
        self._failures += 1
        probed, self._probing = self._probing, False
        if not probed and self._failures > _FAILURES and self._until > time.monotonic():
            return  # of what was under way when it opened: no news
        if self._failures >= _FAILURES:
            first, most = _COOL_DOWN
            self._until = time.monotonic() + min(first * 2**self._openings, most)
            self._openings = min(self._openings + 1, 16)


@define(eq=False)
class Ticket:
    """A submit that waits at a gate.

    Attributes:
        admitted: Whether it passed.
        patience: It may go elsewhere where the gate stays shut: see :meth:`Gate.shut`. None where
            it waits however long that is.
    """

    admitted: "asyncio.Future[bool]" = field(repr=False)
    patience: float | None = None

    def withdraw(self) -> None:
        """Wait no longer: the generation was canceled, or may go elsewhere."""
        if not self.admitted.done():
            self.admitted.set_result(False)


class Gate:
    """Lets submits of one provider through.

    Args:
        limits: What its spec says; None for nothing.
    """

    def __init__(self, limits: Limits | None) -> None:
        self.breaker = Breaker()
        self._headers = (limits.headers if limits is not None else None) or LimitHeaders()
        self._free = (limits.concurrency if limits is not None else None) or SUBMITS
        self._rate = limits.rate if limits is not None else None
        self._tokens = float(self._rate[0]) if self._rate is not None else 0.0
        self._refilled = time.monotonic()
        self._paused_until = 0.0
        self._queues: dict[str, list[tuple[int, int, Ticket]]] = {}
        self._turns: deque[str] = deque()
        # By their patience, of which there are few: thousands may wait, and each that comes looks.
        self._patient: dict[float, dict[Ticket, None]] = {}
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def passing(self, ticket: Ticket, owner: str, priority: int) -> AsyncIterator[bool]:
        """Wait for the gate, and hold it open for this submit; False if it was withdrawn.

        Args:
            ticket: What withdraws it.
            owner: Whose it is: owners take turns.
            priority: Lower first.
        """
        self._number += 1
        if owner not in self._queues:
            self._queues[owner] = []
            self._turns.append(owner)
        heapq.heappush(self._queues[owner], (priority, self._number, ticket))
        if ticket.patience is not None:
            self._patient.setdefault(ticket.patience, {})[ticket] = None
        self._open()
        try:
            admitted = await ticket.admitted
        except asyncio.CancelledError:
            admitted_ = ticket.admitted
            if admitted_.done() and not admitted_.cancelled() and admitted_.result():
                self._leave()
            raise
        finally:
            if ticket.patience is not None:
                self._patient[ticket.patience].pop(ticket, None)
        if not admitted:
            self._open()
            yield False
            return
        try:
            yield True
        finally:
            self._leave()

    def _leave(self) -> None:
        self._free += 1
        self._open()

    def _open(self) -> None:
        """Let through whoever may pass now; set one timer for whoever may pass later."""
        while self._free > 0 and (owner := self._next_owner()) is not None:
            wait = self._wait()
            if wait > 0:
                self._turn_away()
                self._open_later(wait)
                return
            _, _, ticket = heapq.heappop(self._queues[owner])
            self._turns.remove(owner)
            self._turns.append(owner)
            self._free -= 1
            self._tokens -= 1
            self.breaker.begin()
            ticket.admitted.set_result(True)

    def _turn_away(self) -> None:
        """Let those wait no longer who may go elsewhere."""
        for patience, tickets in self._patient.items():
            if tickets and self.shut(patience):
                for ticket in tickets:
                    ticket.withdraw()
                tickets.clear()

    def shut(self, patience: float) -> str:
        """Why nothing passes for a while; empty where something may, or soon may.

        Args:
            patience: Seconds for which a provider may ask to wait.
        """
        if self.breaker.wait > 0:
            return "it does not answer"
        left = self._paused_until - time.monotonic()
        return f"it asks to wait for {left:.0f} s" if left > patience else ""

    def _next_owner(self) -> str | None:
        """Whose turn it is: the most urgent submit's, and among equals the owner's that waits."""
        best: str | None = None
        urgency = 0
        for owner in list(self._turns):
            queue = self._queues[owner]
            while queue and queue[0][2].admitted.done():
                heapq.heappop(queue)
            if not queue:
                del self._queues[owner]
                self._turns.remove(owner)
            elif best is None or queue[0][0] < urgency:
                best, urgency = owner, queue[0][0]
        return best

    def _open_later(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._timer is not None:
            if not self._timer.cancelled() and self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._open()

    def _wait(self) -> float:
        """Seconds until another submit may go."""
        now = time.monotonic()
        wait = max(self._paused_until - now, self.breaker.wait, 0.0)
        if self._rate is None:
            return wait
        count, seconds = self._rate
        per_second = count / seconds
        self._tokens = min(float(count), self._tokens + (now - self._refilled) * per_second)
        self._refilled = now
        return wait if self._tokens >= 1 else max(wait, (1 - self._tokens) / per_second)

    def pause(self, seconds: float) -> None:
        """The provider asked to wait: that holds for all of its submits."""
        until = time.monotonic() + min(seconds, _LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, until)

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """What an answer tells of the provider's health, and of what is left of the rate."""
        was_shut = False
        if status >= 500:
            self.breaker.failed()
        else:
            was_shut = self.breaker.wait > 0
            self.breaker.succeeded()
        names = self._headers
        if names.remaining is not None and names.reset is not None:
            remaining = headers.get(names.remaining.lower())
            if remaining is not None and remaining.strip() == "0":
                seconds = _until(headers.get(names.reset.lower()))
                if seconds is not None:
                    self.pause(seconds)
        if was_shut and status != _TOO_MANY:
            self._open()  # it answers again, a poll maybe: what waits need not wait for the timer


_CLOCK: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_EPOCH: Final = 1_000_000_000


def _until(text: str | None) -> float | None:
    """Seconds, an epoch, or ``6m0s``, as seconds from now."""
    if text is None:
        return None
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        match = _CLOCK.fullmatch(text)
        if match is None or not text:
            return None
        hours, minutes, seconds, milliseconds = (float(one or 0) for one in match.groups())
        return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    if math.isnan(number) or number < 0:
        return None
    return max(number - time.time(), 0.0) if number > _EPOCH else number
