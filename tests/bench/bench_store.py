"""How fast the SQLite store commits, lists and opens. A script: prints figures, asserts none.

Run it with ``python tests/bench/bench_store.py [--history 1000000]``.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

from attrs import evolve

from boards.events import Happening
from boards.generations import Generation, Phase, Progress, new_id
from boards.store import Change, Listing
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


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of a call, the median of 7."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        await call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def fill(path: Path, size: int) -> None:
    """A history: mostly succeeded, 5 % failed, 1 % canceled, 1,000 live, two providers."""

    def rows() -> object:
        for seq in range(1, size + 1):
            live = seq > size - 1000
            phase = "waiting" if live else "succeeded"
            if not live and seq % 20 == 0:
                phase = "canceled" if seq % 100 == 0 else "failed"
            status = "running" if live else phase
            provider = "fal" if seq % 3 else "replicate"
            yield (
                seq,
                f"{seq:026x}",
                "",
                f"{provider}/model-{seq % 50}",
                provider,
                "image",
                phase,
                status,
                0,
                0,
                float(seq),
                None if live else float(seq) + 5,
                float(seq) if live else None,
                None,
                f"job-{seq}",
                json.dumps({"cost": {"usd": 0.01, "unit": "image"}, "submitted_at": seq + 0.1}),
            )

    database = sqlite3.connect(path)
    database.executemany(
        f"INSERT INTO generations VALUES ({', '.join('?' * 16)})",
        rows(),  # type: ignore[arg-type]
    )
    database.execute("""INSERT INTO inputs SELECT seq, '{"prompt":"a cat"}' FROM generations""")
    for kind in ("queued", "submitted", "succeeded"):
        database.execute(
            "INSERT INTO events (generation, type, at) SELECT seq, ?, 0 FROM generations", (kind,)
        )
    database.commit()
    database.close()


async def history(size: int) -> None:
    """What reading costs among a long history."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with opened(folder):
            pass
        path = Path(folder, "bench.db")
        fill(path, size)
        async with opened(folder) as store:
            middle = f"{size // 2:026x}"
            for name, listing in {
                "newest": Listing(),
                "before the middle": Listing(before=middle),
                "running": Listing(statuses=("running",)),
                "failed": Listing(statuses=("failed",)),
                "succeeded or failed": Listing(statuses=("succeeded", "failed")),
                "unknown (none)": Listing(phases=("unknown",)),
                "of a provider": Listing(provider="replicate"),
                "of a generator": Listing(generator="fal/model-7"),
                "of a generator, succeeded": Listing(
                    generator="fal/model-7", statuses=("succeeded",)
                ),
                "of a generator, failed (none)": Listing(
                    generator="fal/model-7", statuses=("failed",)
                ),
                "of a provider, canceled": Listing(provider="fal", statuses=("canceled",)),
                "of a provider nobody used": Listing(provider="none"),
                "of another owner": Listing(owner="other"),
            }.items():
                print(f"  list {name:32}{await timed(partial(store.list, listing)):8.2f} ms")
            print(f"  get {'':33}{await timed(lambda: store.get(middle)):8.2f} ms")
            print(f"  find {'':32}{await timed(lambda: store.find(middle[:24])):8.2f} ms")
            print(f"  events {'':30}{await timed(lambda: store.events(middle)):8.2f} ms")
            print(f"  due, 1,000 {'':26}{await timed(lambda: store.due(1e12)):8.2f} ms")

            async def live() -> int:
                return sum([1 async for _ in store.live()])

            print(f"  live, 1,000 {'':25}{await timed(live):8.2f} ms")
            print(f"  changed_elsewhere {'':19}{await timed(store.changed_elsewhere):8.2f} ms")
        size_mb = path.stat().st_size / 1e6
        print(f"  {size_mb:.0f} MB, {size_mb * 1e6 / size:.0f} bytes a generation")


async def main(size: int) -> None:
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
    print(f"a history of {size:,}:")
    await history(size)
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=int, default=100_000)
    asyncio.run(main(parser.parse_args().history))
