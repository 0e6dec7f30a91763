"""The ledger: what is reserved, settled and released, in the transaction of its transition."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.budgets import Budget, CostGroup, Entry, Release, Reserve, Settle
from boards.errors import BudgetError, StoreError
from boards.generations import Attempt, Generation, new_id
from boards.store import Change
from boards.store.sqlite import SQLiteStore

Make = Callable[..., Generation]

TEN_CENTS = 100_000
ONE_DOLLAR = (Budget(1_000_000, "month"),)


def attempt_of(generation: Generation, number: int = 1) -> Attempt:
    return Attempt(generation.id, number, f"uuid-{number}", "key", "digest", 1, 1.0)


async def reserved(
    store: SQLiteStore, generation: Generation, entry: Reserve, number: int = 1
) -> Generation:
    """A queued generation after the commit of its intent."""
    after = evolve(generation, phase="submitting", due_at=None)
    attempt = attempt_of(generation, number)
    assert await store.cas(Change("queued", after, (), attempt, entry))
    return after


async def ended(store: SQLiteStore, generation: Generation, phase: Any, entry: Entry) -> Generation:
    """A generation in another phase."""
    after = evolve(generation, phase=phase)
    assert await store.cas(Change(generation.phase, after, entry=entry))
    return after


async def total(store: SQLiteStore, **given: Any) -> CostGroup:
    """All that there is in the ledger."""
    given = {"since": None, "until": None, "group_by": "provider", **given}
    groups = await store.costs(**given)
    assert len(groups) <= 1
    return groups[0] if groups else CostGroup("", 0, 0.0, 0.0, 0.0, 0)


def sums(path: Path) -> tuple[list[Any], list[Any]]:
    """What the tables of sums have, and what the ledger says they must have."""
    database = sqlite3.connect(path)
    counted = (
        "total(iif(state = 'settled', coalesce(actual, estimate, 0), 0)),"
        " total(iif(state = 'reserved', coalesce(estimate, 0), 0))"
    )
    try:
        return (
            database.execute(
                "SELECT total(settled), total(reserved) FROM spending"
                " UNION ALL SELECT total(settled), total(reserved) FROM owner_spending"
            ).fetchall(),
            database.execute(f"SELECT {counted} FROM ledger").fetchall() * 2,
        )
    finally:
        database.close()


async def test_a_price_is_reserved_then_settled(store: SQLiteStore, make: Make) -> None:
    """With the intent, and with success; what the provider told wins over what was held."""
    one = await reserved(store, await store.create(make()), Reserve(TEN_CENTS))
    assert await total(store) == CostGroup("fal", 1, 0.0, 0.0, 0.1, 0)
    await ended(store, one, "succeeded", Settle(1))
    assert await total(store) == CostGroup("fal", 1, 0.1, 0.0, 0.0, 0)
    two = await reserved(store, await store.create(make()), Reserve(TEN_CENTS))
    await ended(store, two, "succeeded", Settle(1, 70_000))
    assert await total(store) == CostGroup("fal", 2, 0.17, 0.07, 0.0, 0)


async def test_what_was_not_charged_is_free_again(store: SQLiteStore, make: Make) -> None:
    """Released; the next attempt reserves anew, and only that counts."""
    one = await reserved(store, await store.create(make()), Reserve(TEN_CENTS, ONE_DOLLAR))
    one = await ended(store, one, "queued", Release(1))
    assert (await total(store)).reserved_usd == 0
    one = await reserved(store, one, Reserve(TEN_CENTS, ONE_DOLLAR), 2)
    await ended(store, one, "succeeded", Settle(2))
    assert await total(store) == CostGroup("fal", 1, 0.1, 0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("estimate", "entries", "usd"),
    [
        (TEN_CENTS, [Settle(1), Release(1), Settle(1)], 0.1),
        (TEN_CENTS, [Settle(1), Settle(1, 70_000)], 0.07),
        (TEN_CENTS, [Settle(1, 70_000), Settle(1, 999_999)], 0.07),
        (TEN_CENTS, [Settle(1), Settle(1, 0)], 0.0),
        (TEN_CENTS, [Release(1), Settle(1)], 0.1),
        (TEN_CENTS, [Release(1), Settle(1, 70_000)], 0.07),
        (None, [Settle(1), Settle(1, 70_000)], 0.07),
        (None, [Release(1), Settle(1)], 0.0),
    ],
)
async def test_a_closed_row_changes_only_for_a_job_that_was_found_after_all(
    store: SQLiteStore,
    path: Path,
    make: Make,
    estimate: int | None,
    entries: list[Entry],
    usd: float,
) -> None:
    """It is charged after all, or told a price, once; the sums are those of the ledger."""
    one = await reserved(store, await store.create(make()), Reserve(estimate))
    for entry in entries:
        one = await ended(store, one, "waiting", entry)
        kept, right = sums(path)
        assert kept == right
    assert (await total(store)).usd == usd
    assert (await total(store)).reserved_usd == 0


async def test_what_has_no_price_counts_once_it_is_told(store: SQLiteStore, make: Make) -> None:
    """Until then it is counted as unpriced, unless it was surely not charged."""
    one = await reserved(store, await store.create(make()), Reserve(None))
    two = await reserved(store, await store.create(make()), Reserve(None))
    three = await reserved(store, await store.create(make()), Reserve(None))
    await ended(store, one, "succeeded", Settle(1))
    await ended(store, two, "succeeded", Settle(1, 5_000))
    await ended(store, three, "failed", Release(1))
    assert await total(store) == CostGroup("fal", 3, 0.005, 0.005, 0.0, 1)


async def test_an_entry_is_one_with_its_transition(store: SQLiteStore, make: Make) -> None:
    """A change that does not apply leaves the ledger as it is."""
    one = await store.create(make())
    after = evolve(one, phase="submitting")
    assert not await store.cas(Change("waiting", after, (), attempt_of(one), Reserve(TEN_CENTS)))
    assert await total(store) == CostGroup("", 0, 0.0, 0.0, 0.0, 0)
    with pytest.raises(StoreError, match="an attempt's"):
        await store.cas(Change("queued", after, entry=Reserve(TEN_CENTS)))


async def test_a_hundred_at_once_never_exceed_a_budget_of_ten(
    store: SQLiteStore, make: Make
) -> None:
    """Ten find room; the others are told, and stay queued without an attempt."""
    many = await asyncio.gather(*(store.create(make()) for _ in range(100)))
    results = await asyncio.gather(
        *(reserved(store, one, Reserve(TEN_CENTS, ONE_DOLLAR)) for one in many),
        return_exceptions=True,
    )
    refused = [one for one in results if isinstance(one, BudgetError)]
    assert len(refused) == 90
    assert (await total(store)).reserved_usd == 1.0
    for one, result in zip(many, results, strict=True):
        now = await store.get(one.id)
        assert now is not None
        assert now.phase == ("queued" if isinstance(result, BudgetError) else "submitting")
        assert len(await store.attempts(one.id)) == (now.phase == "submitting")


RESERVER = """
    import asyncio, sys
    from pathlib import Path
    from attrs import evolve
    from boards.budgets import Budget, Reserve
    from boards.errors import BudgetError
    from boards.generations import Attempt, Generation, new_id
    from boards.store import Change
    from boards.store.sqlite import SQLiteStore

    async def main():
        store = SQLiteStore(Path(sys.argv[1]))
        await store.open()
        print("open", flush=True)
        sys.stdin.readline()
        done = 0
        for _ in range(30):
            one = await store.create(
                Generation(
                    id=new_id(), generator="fal/x", provider="fal", artifact_type="image",
                    input={}, created_at=1.0)
            )
            attempt = Attempt(one.id, 1, "uuid", "key", "digest", 1, 1.0)
            entry = Reserve(100_000, (Budget(1_000_000, "month"),))
            after = evolve(one, phase="submitting")
            try:
                done += await store.cas(
                    Change("queued", after, (), attempt, entry, fenced=False))
            except BudgetError:
                pass
        print(done, flush=True)
        sys.stdin.readline()

    asyncio.run(main())
"""


def reserver(path: Path) -> "subprocess.Popen[str]":
    """A process that reserves thirty times, when it is told to begin."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RESERVER), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_two_processes_share_a_budget_and_a_kill_keeps_what_is_reserved(
    store: SQLiteStore, path: Path, make: Make
) -> None:
    """Together they reserve ten times; after SIGKILL all of it is still reserved."""
    children = [reserver(path), reserver(path)]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "open\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        counts = []
        for child in children:
            assert child.stdout is not None
            counts.append(int(await asyncio.to_thread(child.stdout.readline)))
        assert sum(counts) == 10
    finally:
        for child in children:
            child.send_signal(signal.SIGKILL)
            child.communicate()
    await store.close()
    await store.open()
    assert await store.own()
    assert (await total(store)).reserved_usd == 1.0
    with pytest.raises(BudgetError):
        await reserved(store, await store.create(make()), Reserve(TEN_CENTS, ONE_DOLLAR))


async def test_each_owner_has_a_budget_of_its_own(store: SQLiteStore, make: Make) -> None:
    """One that is used up stops its owner alone; that of all stops all."""
    each = (Budget(150_000, "month", each_owner=True),)
    for owner in ("ann", "ben"):
        generation = await store.create(make(owner=owner))
        await reserved(store, generation, Reserve(TEN_CENTS, each))
        again = await store.create(make(owner=owner))
        with pytest.raises(BudgetError, match="the owner's budget"):
            await reserved(store, again, Reserve(TEN_CENTS, each))
    both = (*each, Budget(250_000, "month"))
    with pytest.raises(BudgetError, match=r"of the budget of 0\.25 USD"):
        await reserved(store, await store.create(make(owner="eve")), Reserve(TEN_CENTS, both))
    groups = await store.costs(since=None, until=None, group_by="owner")
    assert [(one.name, one.reserved_usd) for one in groups] == [("ann", 0.1), ("ben", 0.1)]


async def test_a_period_that_is_over_does_not_count(
    store: SQLiteStore, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was reserved in an earlier hour stays in it, also when it is settled later."""
    hour = (Budget(TEN_CENTS, "hour"),)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now - 3600)
    old = await reserved(store, await store.create(make()), Reserve(TEN_CENTS, hour))
    monkeypatch.setattr("time.time", lambda: now)
    new = await reserved(store, await store.create(make()), Reserve(TEN_CENTS, hour))
    await ended(store, old, "succeeded", Settle(1))
    with pytest.raises(BudgetError, match=r"0 USD are spent, and 0\.1 USD are reserved"):
        await store.check_budgets(Reserve(1, hour), "")
    await ended(store, new, "failed", Release(1))
    await store.check_budgets(Reserve(TEN_CENTS, hour), "")
    assert (await total(store, since=now - 60)).usd == 0
    assert (await total(store, until=now - 60)).usd == 0.1


async def test_costs_are_grouped(store: SQLiteStore, make: Make) -> None:
    """By what they share, the dearest first; an attempt has the provider that it went to."""
    for provider, amount in (("fal", 10_000), ("replicate", 20_000), ("fal", 5_000)):
        generation = await store.create(make(provider=provider, generator=f"{provider}/x"))
        await reserved(store, generation, Reserve(amount))
    groups = await store.costs(since=None, until=None, group_by="provider")
    assert [(one.name, one.generations) for one in groups] == [("replicate", 1), ("fal", 2)]
    groups = await store.costs(since=None, until=None, group_by="generator")
    assert [one.name for one in groups] == ["replicate/x", "fal/x"]
    (today,) = await store.costs(since=None, until=None, group_by="day")
    assert today.name == time.strftime("%Y-%m-%d", time.gmtime())
    assert today.reserved_usd == 0.035


_STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["reserve", "settle", "told", "release", "end", "fail"]),
        st.none() | st.integers(0, 300_000),
    ),
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(steps=_STEPS, limit=st.integers(0, 1_000_000))
def test_the_sums_are_those_of_the_ledger(
    steps: list[tuple[int, str, int | None]], limit: int
) -> None:
    """Whatever happens in whatever order: never negative, within the budget, nothing left over."""
    asyncio.run(_run(steps, limit))


async def _run(steps: list[tuple[int, str, int | None]], limit: int) -> None:
    budgets = (Budget(limit, "month"), Budget(limit, "month", each_owner=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "boards.db")
        store = SQLiteStore(path)
        await store.open()
        await store.own()
        rows = [
            await store.create(
                Generation(
                    id=new_id(), generator="fal/x", provider="fal", artifact_type="image", input={}
                )
            )
            for _ in range(4)
        ]
        attempts = [0] * 4
        told = 0
        for which, step, amount in steps:
            one = rows[which]
            if step == "reserve" and one.phase == "queued":
                try:
                    rows[which] = await reserved(
                        store, one, Reserve(amount, budgets), attempts[which] + 1
                    )
                    attempts[which] += 1
                except BudgetError:
                    continue
            elif one.phase == "submitting":
                entry: Entry = Settle(attempts[which])
                if step == "told":
                    entry = Settle(attempts[which], amount)
                    told += amount or 0
                elif step in ("release", "fail"):
                    entry = Release(attempts[which])
                final = step in ("end", "fail")
                rows[which] = await ended(store, one, "failed" if final else "queued", entry)
            kept, right = sums(path)
            assert kept == right
            assert all(amount >= 0 for row in kept for amount in row)
            assert kept[0][1] + kept[0][0] <= limit + told
        for which, one in enumerate(rows):
            if one.phase == "submitting":
                await ended(store, one, "failed", Release(attempts[which]))
        assert sums(path)[0][0][1] == 0
        await store.close()
