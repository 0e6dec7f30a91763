"""What is one owner's alone: every read that a caller triggers takes the owner."""

import os
from typing import Any

import pytest
from attrs import evolve
from tests.unit.core.store.conftest import Make
from tests.unit.core.store.test_pipelines import run

from boards.artifacts import Artifact
from boards.budgets import Reserve
from boards.events import Happening
from boards.generations import PHASES, Attempt, Generation
from boards.runs import StepRun
from boards.store import Change
from boards.store.pipelines import RunChange
from boards.store.sqlite import SQLiteStore


def file() -> str:
    """The key of a file."""
    return f"{os.urandom(32).hex()}.png"


async def succeeded(store: SQLiteStore, generation: Generation, key: str) -> Generation:
    """A generation that made a file."""
    created = await store.create(generation)
    sha256 = key.partition(".")[0]
    artifact = Artifact(f"{created.id}.0", "image", "image/png", 1, sha256, key)
    after = evolve(created, phase="succeeded", artifacts=(artifact,), finished_at=9.0)
    assert await store.cas(Change("queued", after))
    return after


async def test_attempts_and_events_are_the_owners(store: SQLiteStore, make: Make) -> None:
    """Another one gets none, as of a generation that does not exist."""
    mine = await store.create(make(owner="a"), [Happening("queued", {"generator": "fal/x"})])
    attempt = Attempt(mine.id, 1, "uuid", "key", "digest", 1, 1.0)
    await store.attempt_result(attempt)
    assert await store.attempts(mine.id, owner="a") == await store.attempts(mine.id) == [attempt]
    assert [one.type for one in await store.events(mine.id, owner="a")] == ["queued"]
    for other in ("", "b"):
        assert await store.attempts(mine.id, owner=other) == []
        assert await store.events(mine.id, owner=other) == []


@pytest.mark.parametrize("group_by", ["provider", "generator", "owner", "day"])
async def test_costs_are_of_one_owner_or_of_all(
    store: SQLiteStore, make: Make, group_by: Any
) -> None:
    """However they are grouped."""
    for owner, amount in (("a", 1_000_000), ("b", 20_000_000)):
        made = await store.create(make(owner=owner))
        attempt = Attempt(made.id, 1, "uuid", "key", "digest", 1, 1.0)
        change = Change("queued", evolve(made, phase="submitting"), (), attempt, Reserve(amount))
        assert await store.cas(change)

    async def reserved(owner: str | None) -> float:
        groups = await store.costs(since=None, until=None, group_by=group_by, owner=owner)
        return sum(one.reserved_usd for one in groups)

    assert [await reserved(one) for one in ("a", "b", "", None)] == [1.0, 20.0, 0.0, 21.0]


async def test_runs_are_the_owners(store: SQLiteStore) -> None:
    """By id, by its beginning, in lists, and as the place in a list."""
    mine = await store.runs.create(run(owner="a"))
    theirs = await store.runs.create(run(owner="b"))
    assert await store.runs.get(mine.id, owner="a") == await store.runs.get(mine.id) == mine
    assert await store.runs.get(mine.id, owner="b") is None
    assert await store.runs.find(mine.id, owner="b") == []
    assert await store.runs.list(owner="a", before=theirs.id) == []
    assert await store.runs.list(owner="a") == [mine]


async def test_a_run_shows_no_generation_of_another_owner(store: SQLiteStore, make: Make) -> None:
    """Even if a step named one."""
    theirs = await store.create(make(owner="b"))
    mine = await store.runs.create(run(owner="a"))
    step = StepRun(name="b", generator="fal/x", status="running", generation_id=theirs.id)
    changed = evolve(mine, steps=(step, mine.steps[1]))
    assert await store.runs.change(RunChange(changed, {"b": "waiting"}))
    read = await store.runs.get(mine.id)
    assert read is not None
    assert read["b"].generation is None


async def test_a_file_is_its_makers(store: SQLiteStore, make: Make) -> None:
    """And of everybody else who made the same bytes."""
    key = file()
    await succeeded(store, make(owner="a"), key)
    assert await store.has_file(key, owner="a")
    assert not await store.has_file(key, owner="b")
    assert not await store.has_file(key, owner="")
    await succeeded(store, make(owner="b"), key)
    assert await store.has_file(key, owner="b")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("given", ["{}", "[{}]", {"loras": [{"path": "{}"}]}])
async def test_a_file_is_of_whoever_gave_it(
    store: SQLiteStore, make: Make, phase: Any, given: Any
) -> None:
    """As an input of a generation, wherever that is, or of a run."""

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{}", f"artifact:{key}") if value == "{}" else [filled("{}")]
        return {"loras": [{"path": filled("{}")}]}

    key = file()
    await store.create(make(owner="a", phase=phase, input={"prompt": "a", "image": filled(given)}))
    assert await store.has_file(key, owner="a")
    assert not await store.has_file(key, owner="b")
    await store.runs.create(run(owner="b", input={"image": filled(given)}))
    assert await store.has_file(key, owner="b")


async def test_to_write_a_files_name_is_not_to_have_it(store: SQLiteStore, make: Make) -> None:
    """A prompt is the caller's own text, and so is what a provider repeats of it."""
    key = file()
    for text in (key, f"artifact:{key} please", f" artifact:{key}", f'"artifact:{key}"'):
        await store.create(make(owner="b", input={"prompt": text, f"artifact:{key}": 1}))
        told = await store.create(make(owner="b"))
        sha256 = "0" * 64
        meta = {"prompt": text, "key": key, "sha256": key[:64]}
        artifact = Artifact(
            f"{told.id}.0", "image", "image/png", 1, sha256, f"{sha256}.png", meta=meta
        )
        assert await store.cas(
            Change("queued", evolve(told, phase="succeeded", artifacts=(artifact,)))
        )
        await store.runs.create(run(owner="b", input={"idea": text}))
    assert not await store.has_file(key, owner="b")


async def test_many_that_only_mention_a_file_hide_no_one_that_has_it(
    store: SQLiteStore, make: Make
) -> None:
    """It is looked for page by page."""
    key = file()
    await store.create(make(owner="a", input={"image": f"artifact:{key}"}))
    for _ in range(450):
        await store.create(make(owner="a", input={"prompt": key}))
    assert await store.has_file(key, owner="a")
