"""Deleting old generations: all that belongs to them goes, what they cost stays."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from attrs import evolve

from boards.budgets import Reserve, Settle
from boards.events import Happening
from boards.generations import Attempt, Generation, Phase
from boards.store import Change, Listing
from boards.store.sqlite import SQLiteStore

Make = Callable[..., Generation]
LATER = 2_000_000_000.0


async def ended(
    store: SQLiteStore, made: Generation, phase: Phase = "succeeded", at: float | None = None
) -> Generation:
    """A generation with an attempt, events and a price, as it ended."""
    one = await store.create(made, [Happening("queued")], shared_as=made.id)
    attempt = Attempt(one.id, 1, "u", "k", "d", store.epoch, one.created_at)
    submitted = evolve(one, phase="submitting")
    await store.cas(Change("queued", submitted, [Happening("submitting")], attempt, Reserve(1000)))
    after = evolve(one, phase=phase, finished_at=at or one.created_at + 1)
    await store.cas(Change("submitting", after, [Happening(phase)], attempt, Settle(1)))
    return after


def counts(path: Path) -> dict[str, int]:
    """How many rows each table has."""
    tables = ("generations", "inputs", "attempts", "events", "requests", "ledger")
    database = sqlite3.connect(path)
    try:
        return {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in tables
        }
    finally:
        database.close()


async def test_what_ended_goes_with_all_that_belongs_to_it(
    store: SQLiteStore, path: Path, make: Make
) -> None:
    """Of every final phase; the ledger stays, and costs with it."""
    for phase in ("succeeded", "failed", "canceled", "expired"):
        await ended(store, make(), phase)
    before = await store.costs(since=None, until=None, group_by="provider")
    assert await store.prune(before=LATER, dry_run=True) == 4
    assert len(await store.list(Listing())) == 4
    assert await store.prune(before=LATER) == 4
    assert counts(path) == dict.fromkeys(
        ("generations", "inputs", "attempts", "events", "requests"), 0
    ) | {"ledger": 4}
    assert await store.costs(since=None, until=None, group_by="provider") == before


async def test_what_is_live_stays(store: SQLiteStore, make: Make) -> None:
    """However old: queued, waiting, and unknown ones, whose price is held."""
    phases: tuple[Phase, ...] = ("submitting", "waiting", "fetching", "unknown")
    one = await store.create(make())
    live = [one.id]
    for phase in phases:
        queued = await store.create(make())
        await store.cas(Change("queued", evolve(queued, phase=phase)))
        live.append(queued.id)
    assert await store.prune(before=LATER) == 0
    assert {found.id for found in await store.list(Listing())} == set(live)


async def test_only_what_ended_before(store: SQLiteStore, make: Make) -> None:
    """The end counts, not the beginning; a later row may have ended earlier."""
    long = await ended(store, make(created_at=10.0), at=500.0)
    await ended(store, make(created_at=20.0), at=30.0)
    young = await ended(store, make(created_at=600.0), at=700.0)
    assert await store.prune(before=500.0) == 1
    assert [one.id for one in await store.list(Listing())] == [young.id, long.id]


async def test_the_newest_stay(store: SQLiteStore, make: Make) -> None:
    """So many final ones; live ones do not count."""
    done = [await ended(store, make()) for _ in range(5)]
    live = await store.create(make())
    assert await store.prune(before=LATER, keep=6) == 0
    assert await store.prune(before=LATER, keep=5) == 0
    assert await store.prune(before=LATER, keep=2) == 3
    kept = [live.id, done[4].id, done[3].id]
    assert [one.id for one in await store.list(Listing())] == kept


async def test_no_number_is_given_twice(store: SQLiteStore, path: Path, make: Make) -> None:
    """The ledger has the numbers of what was pruned: what comes later costs on its own."""
    for _ in range(3):
        await ended(store, make())
    assert await store.prune(before=LATER) == 3
    await ended(store, make())
    await ended(store, make())
    found = counts(path)
    assert (found["generations"], found["ledger"]) == (2, 5)
    (group,) = await store.costs(since=None, until=None, group_by="provider")
    assert group.generations == 5


async def test_what_a_live_run_of_a_pipeline_has_stays(
    store: SQLiteStore, path: Path, make: Make
) -> None:
    """Its later steps take the result; it goes when the run has ended."""
    one = await ended(store, make())
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(
        "INSERT INTO pipeline_runs (id, owner, pipeline, status, canceling, priority, created_at,"
        " document, input, outputs) VALUES ('r', '', 'p', 'running', 0, 0, 0, '{}', '{}', '[]')"
    )
    database.execute(
        "INSERT INTO pipeline_steps (run, position, name, generator, needs, status, generation)"
        " VALUES (1, 0, 's', 'g', '[]', 'succeeded', ?)",
        (one.id,),
    )
    assert await store.prune(before=LATER) == 0
    database.execute("UPDATE pipeline_runs SET finished_at = 1")
    database.close()
    assert await store.prune(before=LATER) == 1


async def test_a_process_that_does_not_drive_prunes(
    store: SQLiteStore, other: SQLiteStore, make: Make
) -> None:
    """The lock of the owner is for driving alone."""
    await ended(store, make())
    assert await other.prune(before=LATER) == 1
    assert await store.list(Listing()) == []


async def test_others_write_meanwhile(store: SQLiteStore, make: Make) -> None:
    """A thousand go in steps: what is created meanwhile waits for none of them long, and stays."""
    other = SQLiteStore(store.path)
    await other.open()
    await asyncio.gather(*(ended(store, make()) for _ in range(1000)))
    pruning = asyncio.create_task(other.prune(before=LATER))
    made, longest = [], 0.0
    while not pruning.done():
        start = time.monotonic()
        made.append(await store.create(make()))
        longest = max(longest, time.monotonic() - start)
        await asyncio.sleep(0.002)  # some hundreds will do
    assert await pruning == 1000
    await other.close()
    assert len(made) > 10
    assert longest < 2.0  # a busy machine; some milliseconds on one that is not
    listed = await store.list(Listing(limit=1_000_000))
    assert {one.id for one in listed} == {one.id for one in made}


async def test_the_file_shrinks(store: SQLiteStore, path: Path, make: Make) -> None:
    """What was pruned is given back to the disk."""
    await asyncio.gather(
        *(ended(store, make(input={"prompt": "a cat" * 2000})) for _ in range(300))
    )
    database = sqlite3.connect(path, isolation_level=None)
    (before,) = database.execute("PRAGMA page_count").fetchone()
    await store.prune(before=LATER)
    (after,) = database.execute("PRAGMA page_count").fetchone()
    database.close()
    assert after < before / 4
