"""Runs of pipelines in the store: one compare-and-set for each transition, fenced by the owner."""

import asyncio
from typing import Any

from attrs import evolve
from tests.unit.core.store.conftest import Make

from boards.errors import Failure
from boards.generations import new_id
from boards.runs import PipelineRun, StepRun
from boards.store.pipelines import RunChange
from boards.store.sqlite import SQLiteStore


def run(**values: Any) -> PipelineRun:
    """A run of two steps."""
    steps = (
        StepRun(name="b", generator="fal/x"),
        StepRun(name="a", generator="fal/y", needs=("b",)),
    )
    defaults: dict[str, Any] = {
        "id": new_id(),
        "pipeline": "p",
        "document": {"name": "p"},
        "input": {"idea": "a fox", "half": "\ud83d"},
        "steps": steps,
        "outputs": ("a",),
        "created_at": 1.0,
    }
    return PipelineRun(**{**defaults, **values})


def with_step(one: PipelineRun, **changes: Any) -> PipelineRun:
    """The run, its first step changed."""
    return evolve(one, steps=(evolve(one.steps[0], **changes), one.steps[1]))


async def test_a_run_is_read_as_it_was_written(store: SQLiteStore, make: Make) -> None:
    """Its steps in their order, with their generations as they are."""
    made = run()
    assert await store.runs.create(made) == made
    assert await store.runs.get(made.id) == made
    generation = await store.create(make())
    error = Failure("invalid_input", "no", "change it")
    after = evolve(with_step(made, status="running", generation_id=generation.id), status="running")
    assert await store.runs.change(RunChange(after, {"b": "waiting"}))
    expected = with_step(after, generation=generation)
    assert await store.runs.get(made.id) == expected
    failed = evolve(with_step(after, status="failed", error=error, reason="x"), status="failed")
    assert await store.runs.change(RunChange(evolve(failed, finished_at=2.0), {"b": "running"}))
    read = await store.runs.get(made.id)
    assert read is not None
    assert (read.status, read.finished_at, read["b"].error, read["b"].reason) == (
        "failed",
        2.0,
        error,
        "x",
    )
    assert read["a"] == made["a"]
    assert await store.runs.live() == []


async def test_a_change_applies_whole_or_not_at_all(store: SQLiteStore) -> None:
    """Each step must be as expected, and the run live; neighbours in the transaction are spared."""
    made = await store.runs.create(run())
    after = evolve(
        made, status="running", steps=tuple(evolve(s, status="skipped") for s in made.steps)
    )
    wrong = RunChange(after, {"b": "waiting", "a": "running"})
    right = RunChange(with_step(made, status="succeeded"), {"b": "waiting"})
    assert await asyncio.gather(*(store.runs.change(one) for one in (wrong, right, right))) == [
        False,
        True,
        False,
    ]
    read = await store.runs.get(made.id)
    assert read is not None
    assert [step.status for step in read.steps] == ["succeeded", "waiting"]
    over = evolve(read, finished_at=1.0, status="succeeded")
    assert await store.runs.change(RunChange(over, {}))
    assert not await store.runs.change(RunChange(over, {}))


async def test_only_the_owner_changes_a_run(store: SQLiteStore, other: SQLiteStore) -> None:
    """Another process may start one and wish it canceled."""
    made = await other.runs.create(run())
    assert not await other.runs.change(
        RunChange(with_step(made, status="skipped"), {"b": "waiting"})
    )
    assert await store.runs.live() == [(made.id, False)]
    wished = await other.runs.wish_cancel(made.id)
    assert wished == evolve(made, canceling=True)
    assert await store.runs.live() == [(made.id, True)]
    ended = evolve(made, status="canceled", finished_at=3.0)
    assert await store.runs.change(RunChange(ended, {}))
    assert await other.runs.wish_cancel(made.id) is None


async def test_a_dedupe_key_is_one_run_of_its_owner(store: SQLiteStore) -> None:
    """Another owner's is another."""
    first = await store.runs.create(run(dedupe_key="k"))
    assert await store.runs.create(run(dedupe_key="k")) == first
    second = await store.runs.create(run(dedupe_key="k", owner="b"))
    assert second.id != first.id
    assert [one.id for one in await store.runs.list()] == [first.id]
    assert [one.id for one in await store.runs.find(first.id[:8])] == [first.id]


async def test_runs_are_listed_newest_first(store: SQLiteStore) -> None:
    """By status, and page by page."""
    made = [await store.runs.create(run()) for _ in range(3)]
    ended = evolve(made[1], status="succeeded", finished_at=1.0)
    assert await store.runs.change(RunChange(ended, {}))
    assert await store.runs.list() == [made[2], ended, made[0]]
    assert await store.runs.list(statuses=["succeeded", "failed"]) == [ended]
    assert await store.runs.list(limit=1, before=ended.id) == [made[0]]
