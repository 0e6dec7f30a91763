"""How SQLite answers what is asked often: by an index, in its order, whatever the history."""

import itertools
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

import pytest

from boards.generations import PHASES, Phase, Status
from boards.store import Listing
from boards.store.listing import listing_query
from boards.store.schema import connect
from boards.store.sqlite import SQLiteStore

STATUSES: Final[tuple[tuple[Status, ...], ...]] = (
    (),
    ("queued",),
    ("running",),
    ("succeeded",),
    ("failed",),
    ("canceled",),
    ("succeeded", "failed"),
)
PHASED: Final[tuple[tuple[Phase, ...], ...]] = ((), ("unknown",), PHASES[:3])
NAMES: Final = (None, "fal/flux-dev")
PROVIDERS: Final = (None, "fal")
BEFORE: Final = (None, "01m7y915v5ywz1xevk9y2mf7ww")


def plan(database: sqlite3.Connection, statement: str, values: Any) -> list[str]:
    """The steps that SQLite would take."""
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


def wasteful(step: str) -> bool:
    """Whether a step reads a whole table or index, or sorts."""
    return step.startswith("SCAN") or "TEMP B-TREE" in step


@pytest.mark.parametrize("statuses", STATUSES)
def test_no_listing_reads_or_sorts_the_history(path: Path, statuses: tuple[Status, ...]) -> None:
    """Each way to list, by whatever it is narrowed down, from the newest or from some page on."""
    database = connect(path, busy_timeout=1)
    for phases, generator, provider, before in itertools.product(PHASED, NAMES, PROVIDERS, BEFORE):
        listing = Listing(
            statuses=statuses,
            phases=phases,
            generator=generator,
            provider=provider,
            before=before,
        )
        statement, values = listing_query(listing)
        if statement.endswith("WHERE 0"):
            continue  # no phase has such a status
        steps = plan(database, statement, values)
        assert not [step for step in steps if wasteful(step)], (listing, steps)
    database.close()


async def test_no_look_up_reads_or_sorts_the_history(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an id, its beginning, a job, a token; what is due and what is live; events, attempts."""
    asked: list[tuple[str, Any]] = []

    async def rows(statement: str, values: Any = ()) -> list[Any]:
        asked.append((statement, values))
        return []

    monkeypatch.setattr(store, "_rows", rows)
    await store.get("0a", owner="")
    await store.find("0a")
    await store.due(time.time())
    assert [one async for one in store.live()] == []
    await store.claimed("fal", ["1", "2"])
    await store.by_token("0" * 64)
    await store.events("0a", after=7)
    await store.happened_since(7)
    await store.attempts("0a")
    database = connect(store.path, busy_timeout=1)
    plans = {statement: plan(database, statement, values) for statement, values in asked}
    database.close()
    assert len(plans) == 9
    for statement, steps in plans.items():
        sorts = [step for step in steps if wasteful(step)]
        # The numbers of what is live, of several phases, are put in order: there are few.
        assert not sorts or "SELECT seq FROM generations WHERE phase IN" in statement, steps
        assert all("SEARCH" in step or "SUBQUERY" in step for step in steps if step not in sorts)
