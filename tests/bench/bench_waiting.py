"""What waiting costs: ten thousand generations in flight in one process.

The provider is inside the process and answers at once: what is measured is the engine's own cost,
not HTTP's. Usage: ``python tests/bench/bench_waiting.py [GENERATIONS] [SECONDS]``.
"""

import asyncio
import cProfile
import os
import pstats
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from in_process import Instant, alone, cpu, opened, peak, resident

from boards.engine.transport import Request

POLLS_A_SECOND = 1000
TICK = 0.005


class Stalls:
    """How late a task is that wants to run every 5 ms: what the loop makes everybody wait."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.busy: list[float] = []

    async def watch(self) -> None:
        while True:
            due, used = time.perf_counter() + TICK, time.thread_time()
            await asyncio.sleep(TICK)
            self.late.append(time.perf_counter() - due)
            self.busy.append(time.thread_time() - used)

    def __str__(self) -> str:
        def told(seconds: list[float]) -> str:
            ordered = sorted(seconds)
            at = [ordered[int(len(ordered) * part)] * 1e3 for part in (0.5, 0.99, 0.999)]
            return (
                f"p50 {at[0]:.1f}, p99 {at[1]:.1f}, p99.9 {at[2]:.1f}, most {ordered[-1] * 1e3:.1f}"
            )

        return f"late {told(self.late)} ms; on the CPU {told(self.busy)} ms"


@asynccontextmanager
async def watched() -> AsyncIterator[Stalls]:
    """The stalls inside."""
    stalls = Stalls()
    task = asyncio.create_task(stalls.watch())
    try:
        yield stalls
    finally:
        task.cancel()


async def of_the_transport() -> float:
    """Seconds of CPU that the provider itself takes for a poll: not the engine's."""
    transport, count = Instant(), 20_000
    request = Request("GET", "https://instant.example/jobs/0123456789abcdef", {})
    start = cpu()
    for _ in range(count):
        await (await transport.send(request)).read(0)
    return (cpu() - start) / count


async def waiting(home: Path, generations: int, seconds: float) -> None:
    """Submit, then wait."""
    own = await of_the_transport()
    transport = Instant()
    every = f"{generations / POLLS_A_SECOND:g}s"
    print(f"{generations:,} generations, each asked for every {every}")
    async with opened(home, transport, every) as boards:
        before, used, start = resident(), cpu(), time.perf_counter()
        print(f"  before           {before:7.0f} MB resident")
        async with watched() as stalls:
            for first in range(0, generations, 100):
                await asyncio.gather(
                    *(
                        boards.submit("instant/instant", prompt="a cat in the snow", seed=number)
                        for number in range(first, min(first + 100, generations))
                    )
                )
            while transport.submits < generations:
                await asyncio.sleep(0.05)
        each = (cpu() - used) / generations * 1e6
        print(f"  submit           {each:7.0f} us of CPU each, {time.perf_counter() - start:.1f} s")
        print(f"  stalls           {stalls}")
        async with watched():
            await asyncio.sleep(generations / POLLS_A_SECOND + 1)  # all were asked for once
        memory = resident()
        each = (memory - before) / generations * 1e6
        print(f"  in flight        {memory:7.0f} MB resident, {each:,.0f} bytes each")
        profile = cProfile.Profile() if os.environ.get("PROFILE") else None
        for _ in range(3):
            polls, used, start = transport.polls, cpu(), time.perf_counter()
            if profile:
                profile.enable()
            async with watched() as stalls:
                await asyncio.sleep(seconds)
            if profile:
                profile.disable()
            polls, used, took = transport.polls - polls, cpu() - used, time.perf_counter() - start
            each = used / polls - own
            print(
                f"  {polls / took:5.0f} polls/s     {each * 1e6:7.0f} us of CPU each beside the"
                f" provider's {own * 1e6:.0f}: {each * POLLS_A_SECOND:.1%} of a core at"
                f" {POLLS_A_SECOND:,}/s"
            )
            print(f"  stalls           {stalls}")
        print(f"  afterwards       {resident():7.0f} MB resident, {peak():.0f} at the most")
        if profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)


async def restart(home: Path, generations: int) -> None:
    """Take up what the process before left, and ask for each once."""
    transport = Instant()
    used, start = cpu(), time.perf_counter()
    async with opened(home, transport, "1h") as boards:
        print(f"  opened           {time.perf_counter() - start:7.2f} s")
        async with watched() as stalls:
            while transport.polls < generations:
                await asyncio.sleep(0.01)
        took, used = time.perf_counter() - start, cpu() - used
        each = used / generations * 1e6
        print(f"  taken up         {took:7.2f} s, {used:.2f} s of CPU, {each:.0f} us each")
        print(f"  stalls           {stalls}")
        print(f"  afterwards       {resident():7.0f} MB resident, {peak():.0f} at the most")
        del boards


def run_waiting(home: Path, generations: int, seconds: float) -> None:
    asyncio.run(waiting(home, generations, seconds))


def run_restart(home: Path, generations: int) -> None:
    asyncio.run(restart(home, generations))


def main() -> None:
    generations = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    with tempfile.TemporaryDirectory() as folder:
        alone(run_waiting, Path(folder), generations, seconds)
        print("the process ended; another one takes up what it left")
        alone(run_restart, Path(folder), generations)


if __name__ == "__main__":
    main()
