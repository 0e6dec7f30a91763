"""What looking costs among a long history: a million generations, a thousand of them live.

Milliseconds, the median of some tries; the store is opened as every command does it. Usage:
``python tests/bench/bench_history.py [GENERATIONS]``.
"""

import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve
from in_process import Instant, opened

from boards.generations import Generation, new_id
from boards.lineage import Source
from boards.store import Listing
from boards.store.schema import connect
from boards.store.sqlite import SQLiteStore

LIVE = 1000
TRIES = 7


def rows(size: int) -> Iterator[tuple[Any, ...]]:
    """Mostly succeeded, 5 % failed, 1 % canceled, the newest live; three providers."""
    for seq in range(1, size + 1):
        live = seq > size - LIVE
        phase = "waiting" if live else "succeeded"
        if not live and seq % 20 == 0:
            phase = "canceled" if seq % 100 == 0 else "failed"
        status = "running" if live else phase
        provider = "instant" if live else "fal" if seq % 3 else "replicate"
        generator = "instant/instant" if live else f"{provider}/model-{seq % 50}"
        at = 1_700_000_000.0 + seq
        state: dict[str, Any] = {"cost": {"usd": 0.01, "unit": "image"}, "submitted_at": at + 0.1}
        if status == "succeeded":
            key = f"sha256/{seq:064x}.png"
            state["artifacts"] = [
                {"id": f"{seq:026x}-0", "type": "image", "mime": "image/png", "key": key}
                | {"size": 1_000_000, "sha256": f"{seq:064x}", "width": 1024, "height": 1024}
            ]
        yield (
            seq,
            f"{seq:026x}",
            "",
            generator,
            provider,
            "image",
            phase,
            status,
            0,
            0,
            at,
            None if live else at + 5,
            at if live else None,
            f"order-{seq}" if seq % 10 == 0 else None,
            f"job-{seq}",
            json.dumps(state, separators=(",", ":")),
        )


def fill(path: Path, size: int) -> None:
    """Write a history straight into the tables."""
    database = connect(path, busy_timeout=1)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    database.executemany(
        f"INSERT INTO generations VALUES ({', '.join('?' * 16)})",
        rows(size),
    )
    every = "FROM generations"
    made = f"{every} WHERE phase = 'succeeded'"
    taken = f"{every} WHERE seq > 1"  # each was made from one, and into two
    for statement in (
        """INSERT INTO inputs SELECT seq, '{"prompt":"a cat in the snow","width":1024}' """ + every,
        "INSERT INTO attempts SELECT seq, 1, id, id || '-1', hex(zeroblob(32)), 1, created_at,"
        """ printf('%064x', seq), provider_job_id, '{"id":"' || provider_job_id || '","get":"'"""
        """ || 'https://instant.example/jobs/' || provider_job_id || '"}', 'accepted' """ + every,
        f"INSERT INTO requests SELECT owner, printf('%064x', seq), seq {every} WHERE seq % 10 = 0",
        "INSERT INTO ledger (generation, attempt, owner, provider, generator, at, state, estimate)"
        " SELECT seq, 1, owner, provider, generator, created_at,"
        " iif(finished_at IS NULL, 'reserved', 'settled'), 10000 " + every,
        f"INSERT INTO made SELECT printf('%064x', seq), owner, seq, 0 {made}",
        f"INSERT INTO lineage SELECT seq, 0, 'image', seq / 2, 0, printf('%026x', seq / 2) {taken}",
        *(
            f"INSERT INTO events (generation, type, at) SELECT seq, '{kind}', created_at {every}"
            for kind in ("queued", "submitting", "submitted", "succeeded")
        ),
    ):
        database.execute(statement)
    database.execute("COMMIT")
    database.close()


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of a call, the median of some."""
    times = []
    for _ in range(TRIES):
        start = time.perf_counter()
        await call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


async def pages(store: SQLiteStore, count: int) -> None:
    """Turn so many pages, from the newest."""
    listing = Listing()
    for _ in range(count):
        page = await store.list(listing)
        if not page:
            return
        listing = evolve(listing, before=page[-1].id)


async def live(store: SQLiteStore) -> int:
    return sum([1 async for _ in store.live()])


async def one_store(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    await store.close()


def told(name: str, milliseconds: float) -> None:
    print(f"  {name:36}{milliseconds:9.2f} ms", flush=True)


async def reading(path: Path, size: int) -> None:
    """What reading costs."""
    told("open() and close()", await timed(partial(one_store, path)))
    store = SQLiteStore(path)
    await store.open()
    middle = f"{size // 2:026x}"
    for name, listing in {
        "newest 50": Listing(),
        "before the middle": Listing(before=middle),
        "running": Listing(statuses=("running",)),
        "failed": Listing(statuses=("failed",)),
        "succeeded": Listing(statuses=("succeeded",)),
        "succeeded or failed": Listing(statuses=("succeeded", "failed")),
        "unknown (none)": Listing(phases=("unknown",)),
        "of a provider": Listing(provider="replicate"),
        "of a generator": Listing(generator="fal/model-7"),
        "of a generator, succeeded": Listing(generator="fal/model-7", statuses=("succeeded",)),
        "of a generator, failed (none)": Listing(generator="fal/model-7", statuses=("failed",)),
        "of a provider, canceled": Listing(provider="fal", statuses=("canceled",)),
        "of a provider nobody used": Listing(provider="none"),
        "of another owner": Listing(owner="other"),
    }.items():
        told(f"list {name}", await timed(partial(store.list, listing)))
    told("100 pages of 50", await timed(partial(pages, store, 100)))
    told("get", await timed(partial(store.get, middle)))
    told("find by a prefix", await timed(partial(store.find, middle[:24])))
    told("events", await timed(partial(store.events, middle)))
    told("attempts", await timed(partial(store.attempts, middle)))
    told("due(), 1,000", await timed(partial(store.due, 1e12)))
    told("live(), 1,000", await timed(partial(live, store)))
    jobs = [f"job-{seq}" for seq in range(1, size, max(size // 20, 1))]
    told(f"claimed(), {len(jobs)} jobs", await timed(partial(store.claimed, "fal", jobs)))
    told("by_token()", await timed(partial(store.by_token, f"{size // 2:064x}")))
    old = Generation(
        id="0" * 26, generator="fal/model-1", provider="fal", artifact_type="image", input={}
    )
    dedupe = evolve(old, dedupe_key=f"order-{size // 20 * 10}")
    assert (await store.create(dedupe)).id != old.id
    told("create, dedupe key used before", await timed(partial(store.create, dedupe)))
    shared = partial(store.create, old, shared_as=f"{size // 20 * 10 + 10:064x}")
    assert (await shared()).id != old.id
    told("create, request shared", await timed(shared))
    newest, oldest = evolve(old, id=f"{size:026x}"), evolve(old, id=f"{1:026x}")
    told("lineage of the newest", await timed(partial(store.lineage.get, newest, 0, limit=1000)))
    told("lineage, 1,000 made into", await timed(partial(store.lineage.get, oldest, 0, limit=1000)))
    taking = partial(store.create, sources=[Source("image", f"{size // 2 + 1:064x}")])
    over = evolve(old, phase="canceled", finished_at=old.created_at)  # nobody takes it up
    told("create, of another's artifact", await timed(lambda: taking(evolve(over, id=new_id()))))
    day = 1_700_000_000.0 + size - 86_400
    told("costs of a day", await timed(partial(costs, store, day)))
    told("changed_elsewhere()", await timed(store.changed_elsewhere))
    start = time.perf_counter()
    count = await store.prune(before=1_700_000_000.0 + size // 2, dry_run=True)
    told(f"prune, {count:,} counted", (time.perf_counter() - start) * 1e3)
    await store.close()


async def costs(store: SQLiteStore, since: float) -> None:
    await store.costs(since=since, until=None, group_by="provider")


async def resuming(home: Path) -> None:
    """A host that takes up what is live."""
    transport = Instant()
    start = time.perf_counter()
    async with opened(home, transport, "1h"):
        told("Boards opened, 1,000 taken up", (time.perf_counter() - start) * 1e3)
        while transport.polls < LIVE:
            await asyncio.sleep(0.005)
        told("  and each asked for once", (time.perf_counter() - start) * 1e3)


async def pruning(path: Path) -> None:
    """Delete for a while, and see how long others wait for a commit meanwhile."""
    size = path.stat().st_size
    store, other = SQLiteStore(path), SQLiteStore(path)
    await store.open()
    await other.open()
    before = 1_700_000_000.0 + 10_000
    start, waits = time.perf_counter(), []
    task = asyncio.create_task(other.prune(before=before))
    while not task.done():
        begun = time.perf_counter()
        await store.make_due("nobody's")
        waits.append((time.perf_counter() - begun) * 1e3)
        await asyncio.sleep(0.002)
    took, count = time.perf_counter() - start, await task
    print(
        f"  pruned {count:,} in {took:.1f} s; a commit of another connection meanwhile:"
        f" median {statistics.median(waits):.1f} ms, most {max(waits):.1f} ms"
    )
    await other.close()
    await store.close()
    print(f"  {size / 1e6:.0f} MB before, {path.stat().st_size / 1e6:.0f} MB after")


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "boards.db")
        start = time.perf_counter()
        fill(path, size)
        megabytes = path.stat().st_size / 1e6
        print(
            f"a history of {size:,}: {megabytes:.0f} MB, {megabytes * 1e6 / size:.0f} bytes each,"
            f" made in {time.perf_counter() - start:.0f} s"
        )
        asyncio.run(reading(path, size))
        asyncio.run(resuming(Path(folder)))
        asyncio.run(pruning(path))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
