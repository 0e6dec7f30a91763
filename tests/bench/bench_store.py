"""How fast the SQLite store commits and opens. A script: prints figures, asserts none.

Run it with ``python tests/bench/bench_store.py``; ``bench_history.py`` tells how fast it reads.
"""

import asyncio
import contextlib
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from attrs import evolve

from boards.events import Happening
from boards.generations import Generation, Phase, Progress, new_id
from boards.store import Change
from boards.store.sqlite import SQLiteStore

CALLERS = 100


def generation(phase: Phase = "queued") -> Generation:
    now = time.time()
    return Generation(
        id=new_id(),
        generator="fal/flux-dev",
        provider="fal",
        artifact_type="image",
        input={"prompt": "a cat " * 40, "seed": 7, "image_size": "square_hd"},
        phase=phase,
        created_at=now,
        due_at=now,
    )


@contextlib.asynccontextmanager
async def opened(folder: str, *, group_limit: int = 1000) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(Path(folder, "bench.db"), group_limit=group_limit)
    await store.open()
    await store.own()
    try:
        yield store
    finally:
        await store.close()


async def transitions(seconds: float, *, group_limit: int = 1000) -> tuple[float, float]:
    """Transitions per second, each with an event, and microseconds of CPU for each."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with opened(folder, group_limit=group_limit) as store:
            count = 0
            done = False

            async def caller() -> None:
                nonlocal count
                mine = await store.create(generation())
                while not done:
                    for step in range(2):
                        after = evolve(
                            mine,
                            phase=("waiting", "queued")[step],
                            due_at=time.time() + 1,
                            provider_job_id="b5f8e2c1",
                            progress=Progress("running", 40.0),
                        )
                        change = Change(mine.phase, after, (Happening("submitted"),))
                        assert await store.cas(change)
                        mine = after
                        count += 1

            async with asyncio.TaskGroup() as group:
                for _ in range(CALLERS):
                    group.create_task(caller())
                await asyncio.sleep(0.3)
                before, cpu, start = count, time.process_time(), time.perf_counter()
                await asyncio.sleep(seconds)
                made = count - before
                cpu, took = time.process_time() - cpu, time.perf_counter() - start
                done = True
            return made / took, cpu / made * 1e6


async def notes(seconds: float) -> float:
    """Notes per second, from one caller that never waits."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with opened(folder) as store:
            mine = await store.create(generation("waiting"))
            start, count = time.perf_counter(), 0
            while time.perf_counter() - start < seconds:
                for _ in range(100):
                    await store.note(mine, ())
                count += 100
                await store.cas(Change("waiting", mine))
            return count / (time.perf_counter() - start)


def one_fsync(path: Path) -> float:
    """Milliseconds of a bare SQLite commit on this disk."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE t (a)")
    times = []
    for _ in range(100):
        start = time.perf_counter()
        database.execute("INSERT INTO t VALUES (1)")
        times.append(time.perf_counter() - start)
    database.close()
    return statistics.median(times) * 1e3


async def opening() -> float:
    """Milliseconds to open a fresh database."""
    times = []
    for _ in range(10):
        with tempfile.TemporaryDirectory(dir=".") as folder:
            start = time.perf_counter()
            async with opened(folder):
                times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


async def main() -> None:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        print(f"a bare commit: {one_fsync(Path(folder, 'bare.db')):.2f} ms")
    print(f"open, own, fresh database: {await opening():.1f} ms")
    rate, cpu = await transitions(3)
    print(f"{CALLERS} callers, group commit:    {rate:8,.0f}/s, {cpu:.0f} us of CPU each")
    single, cpu = await transitions(3, group_limit=1)
    print(f"{CALLERS} callers, one commit each: {single:8,.0f}/s, {cpu:.0f} us of CPU each")
    print(f"group commit / one commit each:  {rate / single:.1f}")
    print(f"group commit / 20,000 a second:  {rate / 20_000:.2f}")
    print(f"notes: {await notes(2):,.0f}/s")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    asyncio.run(main())
