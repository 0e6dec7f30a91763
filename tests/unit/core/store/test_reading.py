"""Reading: scoped by owner, filtered, in order."""

import itertools
import random
from collections.abc import Callable

import pytest
from attrs import evolve

from boards.generations import PHASES, Generation, Phase, Progress, Status
from boards.store import Change, Listing
from boards.store.sqlite import SQLiteStore

Make = Callable[..., Generation]


async def test_an_owner_sees_only_their_own(store: SQLiteStore, make: Make) -> None:
    """In every read that a caller triggers."""
    mine = await store.create(make(owner="a"))
    assert await store.get(mine.id, owner="a") == mine
    assert await store.get(mine.id) == mine
    assert await store.get(mine.id, owner="b") is None
    assert await store.get(mine.id, owner="") is None
    assert await store.find(mine.id[:20], owner="a") == [mine]
    assert await store.find(mine.id[:20], owner="b") == []
    assert await store.list(Listing(owner="a")) == [mine]
    assert await store.list(Listing(owner="b")) == []
    theirs = await store.create(make(owner="b"))
    assert await store.list(Listing(owner="a", before=theirs.id)) == []


async def test_a_part_of_an_id_finds_it(store: SQLiteStore, make: Make) -> None:
    """Its beginning, taken literally: no character is a wildcard."""
    for name in ("0a1", "0a2", "0b1", "0_1"):
        await store.create(make(id=name))
    assert [one.id for one in await store.find("0a")] == ["0a1", "0a2"]
    assert [one.id for one in await store.find("0a", limit=1)] == ["0a1"]
    assert [one.id for one in await store.find("0_")] == ["0_1"]
    assert await store.find("%") == []


async def test_lists_are_newest_first(store: SQLiteStore, make: Make) -> None:
    """By the order in which they were created, also within a millisecond, page by page."""
    created = [await store.create(make()) for _ in range(7)]
    seen: list[Generation] = []
    while page := await store.list(Listing(limit=3, before=seen[-1].id if seen else None)):
        seen += page
    assert seen == created[::-1]


async def test_every_filter_lists_what_it_says(store: SQLiteStore, make: Make) -> None:
    """All combinations of filters agree with a plain filter over everything."""
    chosen = random.Random(7)
    created = [
        await store.create(
            make(
                owner=chosen.choice(["", "a"]),
                phase=chosen.choice(PHASES),
                progress=Progress(chosen.choice(["queued", "running"])),
                generator=chosen.choice(["fal/x", "fal/y", "rep/x"]),
                provider=chosen.choice(["fal", "rep"]),
                due_at=None,
            )
        )
        for _ in range(150)
    ]
    statuses: list[tuple[Status, ...]] = [(), ("queued",), ("running", "failed"), ("succeeded",)]
    phases: list[tuple[Phase, ...]] = [(), ("unknown",), ("waiting", "succeeded", "expired")]
    for status, phase, generator, provider, before, limit in itertools.product(
        statuses, phases, (None, "fal/x"), (None, "rep"), (None, created[100].id), (10, 1000)
    ):
        listing = Listing("", status, phase, generator, provider, limit, before)
        older = created[:100] if before and not created[100].owner else created
        if before and created[100].owner:
            older = []
        expected = [
            one
            for one in reversed(older)
            if one.owner == ""
            and (not status or one.status in status)
            and (not phase or one.phase in phase)
            and generator in (None, one.generator)
            and provider in (None, one.provider)
        ]
        assert await store.list(listing) == expected[:limit], listing


async def test_due_comes_soonest_first(store: SQLiteStore, make: Make) -> None:
    """Only what has come, and no more than asked for."""
    for due_at in (30.0, 10.0, None, 20.0, 40.0):
        await store.create(make(due_at=due_at))
    assert [one.due_at for one in await store.due(30.0)] == [10.0, 20.0, 30.0]
    assert [one.due_at for one in await store.due(30.0, limit=2)] == [10.0, 20.0]


@pytest.mark.parametrize("count", [3, 450])
async def test_a_new_owner_takes_up_what_is_live(
    store: SQLiteStore, make: Make, count: int
) -> None:
    """All of it, oldest first, of every owner; also what has no time to be looked at."""
    live = []
    for index in range(count):
        phase = PHASES[index % len(PHASES)]
        created = await store.create(make(phase=phase, due_at=None, owner=str(index % 2)))
        if not created.final:
            live.append(created)
    assert [one async for one in store.live()] == live


async def test_what_ends_while_live_is_read_is_left_out(store: SQLiteStore, make: Make) -> None:
    """A long list is read in pages; later pages are read as they are then."""
    created = [await store.create(make()) for _ in range(250)]
    seen: list[str] = []
    async for one in store.live():
        if not seen:
            final = evolve(created[-1], phase="failed", due_at=None, finished_at=1.0)
            assert await store.cas(Change("queued", final))
        seen.append(one.id)
    assert seen == [one.id for one in created[:-1]]


@pytest.mark.parametrize(
    "listing",
    [
        Listing(),
        Listing(statuses=("failed", "running")),
        Listing(generator="fal/x"),
        Listing(provider="fal", statuses=("succeeded",)),
        Listing(provider="fal", phases=("unknown",)),
    ],
)
async def test_a_listing_uses_an_index_and_sorts_nothing_long(
    store: SQLiteStore, make: Make, listing: Listing
) -> None:
    """The plan neither scans the table nor sorts more than the page itself."""
    from boards.store.listing import listing_query

    statement, values = listing_query(listing)
    plan = await store._rows(f"EXPLAIN QUERY PLAN {statement}", values)
    steps = [step[3] for step in plan]
    assert not [step for step in steps if step.startswith("SCAN generations")], steps
    # Depth 0 is the page, at most `limit` rows; what is below it reads all that match.
    inner = [step for step in plan if step[1] and "ORDER BY" in step[3] and "MERGE" not in step[3]]
    assert not inner, steps
