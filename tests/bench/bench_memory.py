"""Whether memory grows with the jobs that are over: resident megabytes after so many of them.

The provider is inside the process: see ``in_process.py``. Every job is run to its end, with a
small picture as its result. Usage: ``python tests/bench/bench_memory.py [JOBS]``.
"""

import asyncio
import os
import sys
import tempfile
import tracemalloc
from pathlib import Path

from in_process import Instant, alone, cpu, opened, resident

AT_ONCE = 50


async def jobs(home: Path, most: int) -> None:
    """Run them, and tell the memory at some points."""
    points = sorted({most // 20, most // 4, most // 2, most})
    traced = os.environ.get("TRACE")
    async with opened(home, Instant(done=True), "1ms") as boards:
        done, first, snapshot = 0, 0.0, None
        used = cpu()
        while done < most:
            await asyncio.gather(
                *(
                    boards.generate("instant/instant", prompt="a cat in the snow", seed=done + one)
                    for one in range(AT_ONCE)
                )
            )
            done += AT_ONCE
            if points and done >= points[0]:
                points.pop(0)
                now = resident()
                first = first or now
                print(f"  {done:7,} jobs  {now:7.1f} MB  {now - first:+.1f}", flush=True)
                if traced:
                    if snapshot is None:
                        tracemalloc.start(8)
                    taken = tracemalloc.take_snapshot()
                    for stat in taken.compare_to(snapshot, "lineno")[:12] if snapshot else ():
                        print("   ", stat)
                    snapshot = taken
        print(f"  {(cpu() - used) / done * 1e3:.2f} ms of CPU for a job, from end to end")


def run(home: Path, most: int) -> None:
    asyncio.run(jobs(home, most))


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        alone(run, Path(folder), most)


if __name__ == "__main__":
    main()
