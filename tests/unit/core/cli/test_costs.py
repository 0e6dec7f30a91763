"""``boards costs``: one line for each, the total, and what is left of the budgets."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from tests.unit.core.cli.conftest import Ran

from boards.budgets import Release, Reserve, Settle
from boards.generations import Attempt, Generation, new_id
from boards.store import Change
from boards.store.sqlite import SQLiteStore

Cli = Callable[..., Ran]


async def _spend(home: Path) -> None:
    store = SQLiteStore(home / "boards.db")
    await store.open()
    await store.own()
    for provider, amount, told in (("fal", 40_000, 39_000), ("replicate", 3_000, None)):
        for settled in (True, False):
            queued = await store.create(
                Generation(
                    id=new_id(),
                    generator=f"{provider}/x",
                    provider=provider,
                    artifact_type="image",
                    input={},
                )
            )
            attempt = Attempt(queued.id, 1, "uuid", "key", "digest", 1, 1.0)
            one = evolve(queued, phase="submitting")
            await store.cas(Change("queued", one, (), attempt, Reserve(amount)))
            if settled:
                after = evolve(one, phase="succeeded")
                await store.cas(Change("submitting", after, entry=Settle(1, told)))
    await store.close()


@pytest.fixture
def spent(tmp_path: Path) -> None:
    """A home in which two providers were used, each twice, and are still under way once."""
    asyncio.run(_spend(tmp_path / "home"))


@pytest.mark.usefixtures("spent")
def test_what_was_spent_is_a_table(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dearest first, with a total; budgets beside, for the person."""
    monkeypatch.setenv("BOARDS_BUDGET", "1 USD/month")
    ran = cli("costs")
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["PROVIDER", "GENERATIONS", "SPENT", "TOLD", "RESERVED", "NO", "PRICE"],
        ["fal", "2", "$0.0390", "$0.0390", "$0.0400"],
        ["replicate", "2", "$0.0030", "$0.0000", "$0.0030"],
        ["total", "4", "$0.0420", "$0.0390", "$0.0430"],
    ]
    assert ran.err.startswith("Budget of 1 USD/month: $0.9150 left, until 20")


async def _move(home: Path) -> None:
    store = SQLiteStore(home / "boards.db")
    await store.open()
    await store.own()
    one = await store.create(
        Generation(id=new_id(), generator="fal/x", provider="fal", artifact_type="image", input={})
    )
    for number, provider in ((1, "fal"), (2, "replicate")):
        attempt = Attempt(one.id, number, "uuid", "key", "digest", 1, 1.0)
        sent = evolve(one, phase="submitting", provider=provider, generator=f"{provider}/x")
        await store.cas(Change("queued", sent, (), attempt, Reserve(5_000), moved=number > 1))
        moved = evolve(sent, phase="queued", provider="replicate", generator="replicate/x")
        if number == 1:
            refused = evolve(attempt, outcome="refused")
            await store.cas(Change("submitting", moved, (), refused, Release(1), moved=True))
    await store.close()


def test_a_generation_at_two_providers_is_one_in_all(cli: Cli, tmp_path: Path) -> None:
    """It has an attempt at each, and counts in the line of each; in the total it counts once."""
    asyncio.run(_move(tmp_path / "home"))
    found = json.loads(cli("costs", "--json").out)
    assert {one["name"]: one["generations"] for one in found["groups"]} == {
        "fal": 1,
        "replicate": 1,
    }
    assert (found["total"]["generations"], found["total"]["reserved_usd"]) == (1, 0.005)


@pytest.mark.usefixtures("spent")
def test_as_json_it_is_one_value(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups, their total, and each budget with what is left."""
    monkeypatch.setenv("BOARDS_BUDGET", "1 USD/month")
    found = json.loads(cli("costs", "--by", "generator", "--since", "7d", "--json").out)
    assert [one["name"] for one in found["groups"]] == ["fal/x", "replicate/x"]
    assert found["by"] == "generator"
    assert found["total"]["usd"] == 0.042
    (budget,) = found["budgets"]
    assert (budget["spent_usd"], budget["reserved_usd"], budget["left_usd"]) == (
        0.042, 0.043, 0.915,
    )  # fmt: skip


@pytest.mark.usefixtures("spent")
def test_since_is_a_time_or_a_day(cli: Cli) -> None:
    """What was before does not count."""
    assert cli("costs", "--since", "2000-01-01").out
    later = cli("costs", "--since", "2999-01-01")
    assert (later.out, later.err) == ("", "Nothing was spent.\n")
    assert "--by" in cli("costs", "--help").out


def test_where_nothing_was_generated_no_database_is_made(cli: Cli, tmp_path: Path) -> None:
    """It only looks."""
    assert cli("costs").err == "Nothing was spent.\n"
    assert json.loads(cli("costs", "--json").out)["groups"] == []
    assert not (tmp_path / "home" / "boards.db").exists()


def test_a_time_that_is_none_is_a_usage_error(cli: Cli) -> None:
    """The message shows what is."""
    ran = cli("costs", "--since", "yesterday")
    assert ran.code == 2
    assert "'yesterday' is neither a time such as 7d or 24h nor a day" in ran.err
