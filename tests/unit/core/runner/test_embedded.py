"""The runner in the process: one timer, few entries, a turn for everybody."""

import asyncio
import time
from contextvars import ContextVar

from boards.runner import Again, Done
from boards.runner.embedded import EmbeddedRunner


async def test_entries_that_are_out_of_date_do_not_pile_up() -> None:
    """A generation that is woken again and again while it waits for an hour has one entry."""
    runner = EmbeddedRunner()
    driven = 0

    async def drive(_: str) -> Again | Done:
        nonlocal driven
        driven += 1
        return Again(time.time() + 3600)

    runner.start(drive)
    for count in range(1, 2001):
        runner.wake("a")
        while driven < count:
            await asyncio.sleep(0)
    assert len(runner._heap) < 1100
    await runner.stop()


async def test_what_is_due_together_begins_in_turns() -> None:
    """Ten thousand at once keep nobody else from the event loop."""
    runner = EmbeddedRunner()
    begun: list[str] = []

    async def drive(generation_id: str) -> Again | Done:
        begun.append(generation_id)
        return Done()

    runner.start(drive)
    for number in range(1000):
        runner.enqueue(f"{number:04}")
    most = 0
    while len(begun) < 1000:
        before = len(begun)
        await asyncio.sleep(0)
        most = max(most, len(begun) - before)
    assert begun == sorted(begun)
    assert most <= 50
    await runner.stop()


async def test_a_short_wait_is_kept_to_the_millisecond() -> None:
    """Only longer ones are put off, by 20 ms at the most, to begin with others."""
    runner = EmbeddedRunner()
    loop = asyncio.get_running_loop()
    now, clock = loop.time(), time.time()
    runner.enqueue("short", at=clock + 0.1)
    runner.enqueue("long", at=clock + 10)
    due = {name: when - now for when, name in runner._heap}
    assert 0.09 < due["short"] < 0.11
    assert 9.99 < due["long"] < 10.03
    await runner.stop()


async def test_what_is_driven_belongs_to_nobody_who_happened_to_set_the_timer() -> None:
    """A host's request, say: its variables would be in the log lines and spans of others."""
    request: ContextVar[str] = ContextVar("request", default="none")
    runner = EmbeddedRunner()
    seen: dict[str, str] = {}
    over = asyncio.Event()

    async def drive(generation_id: str) -> Again | Done:
        seen[generation_id] = request.get()
        if len(seen) == 2:
            over.set()
        return Done()

    runner.start(drive)
    request.set("of the first")
    runner.enqueue("first")
    request.set("of the second")
    runner.enqueue("second")
    await over.wait()
    assert seen == {"first": "none", "second": "none"}
    await runner.stop()
