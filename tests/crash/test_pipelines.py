"""SIGKILL in the middle of a run of a pipeline, then a restart: no step is paid for twice."""

import asyncio
import itertools
import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from boards import Boards
from boards.choosing import Prepared
from boards.engine.engine import Engine
from boards.generations import Generation
from boards.pipelines import Pipeline
from boards.runs import PipelineRun
from boards.store.pipelines import RunChange, SQLiteRuns
from boards.testing.paid_provider import Behaviour, PaidProvider
from tests.crash.conftest import MakePlan
from tests.crash.host import Call, Plan, account, opened
from tests.crash.processes import CONTEXT

STEPS = ("root", "left", "right", "end", "last")


def pipeline() -> Pipeline:
    """A diamond with a tail; each prompt tells of what was taken."""
    made = Pipeline("crash", inputs={"name": str})
    name = made.input.name
    root = made.step("root", "key/draw", prompt=f"{name} root")
    left = made.step("left", "key/draw", prompt=f"{name} left {root.artifacts[0]['sha256']}")
    right = made.step("right", "key/draw", prompt=f"{name} right {root.artifacts[0]['sha256']}")
    both = f"{left.artifacts[0]['sha256']} {right.artifacts[0]['sha256']}"
    end = made.step("end", "key/draw", prompt=f"{name} end {both}")
    made.step("last", "key/draw", prompt=f"{name} last", needs=[end])
    return made


def _fall() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # a signal to oneself may need a moment


def _fall_at(moment: str, nth: int) -> None:
    """End this process before or after the nth change of the run, or creation of a generation."""
    left = nth

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            _fall()

    change, create = SQLiteRuns.change, Engine.create

    async def changing(runs: SQLiteRuns, changed: RunChange) -> bool:
        if moment == "before change":
            count()
        applied = await change(runs, changed)
        if moment == "after change":
            count()
        return applied

    async def creating(engine: Engine, request: Prepared) -> Generation:
        if moment == "before creation":
            count()
        created = await create(engine, request)
        if moment == "after creation":
            count()
        return created

    vars_of = pytest.MonkeyPatch()  # of a process that ends: nothing is put back
    vars_of.setattr(SQLiteRuns, "change", changing)
    vars_of.setattr(Engine, "create", creating)


async def _run(plan: Plan) -> PipelineRun:
    async with opened(plan) as boards:
        return await boards.run(pipeline(), name=plan.account, dedupe_key="the run")


def host(plan: Plan, moment: str, nth: int) -> None:
    """What the process of a host runs."""
    if moment:
        _fall_at(moment, nth)
    asyncio.run(_run(plan))


def started(plan: Plan, moment: str = "", nth: int = 1) -> BaseProcess:
    """A host in a process of its own."""
    process: BaseProcess = CONTEXT.Process(target=host, args=(plan, moment, nth), daemon=True)
    process.start()
    return process


def killed(process: BaseProcess, seconds: float) -> bool:
    """Whether a process that was let run for so long was killed before its end."""
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


async def examine(plan: Plan, provider: PaidProvider) -> None:
    """Every step ran once, with one generation, and was charged once."""
    async with Boards(home=plan.home, environment={}, plugins=(), drive=False) as boards:
        (run,) = await boards.runs()
        run = await boards.get_run(run.id)
        generations = await boards.list()
    assert run.status == "succeeded"
    assert {step.name: step.status for step in run.steps} == dict.fromkeys(STEPS, "succeeded")
    assert {one.id for one in generations} == {step.generation_id for step in run.steps}
    charges = provider.charges(account(plan, "key"))
    assert sorted(charges.values()) == [1] * len(STEPS), charges
    assert sorted(prompt.split()[1] for prompt in charges) == sorted(STEPS)


@pytest.mark.parametrize(
    "moment", ["before change", "after change", "before creation", "after creation"]
)
async def test_a_kill_at_any_commit_of_a_run(
    provider: PaidProvider, make_plan: MakePlan, moment: str, tmp_path: Path
) -> None:
    """Around each change of the run, and around each creation of a step's generation."""
    account_of_all = make_plan().account
    for nth in itertools.count(1):
        plan = make_plan(
            calls=(Call("key", ""),), home=tmp_path / f"{nth}", account=f"{account_of_all}-{nth}"
        )
        plan.home.mkdir()
        provider.behave(account(plan, "key"), Behaviour(honours_key=True))
        fell = killed(started(plan, moment, nth), 20)
        if fell:
            assert not killed(started(plan), 20)
        await examine(plan, provider)
        if not fell:
            break
    assert nth >= len(STEPS), "it fell at every one"


async def test_kills_at_random(provider: PaidProvider, make_plan: MakePlan) -> None:
    """Again and again, until the run is through."""
    plan = make_plan(calls=(Call("key", ""),))
    provider.behave(account(plan, "key"), Behaviour(honours_key=True, after=0.05, run=0.3))
    chance = random.Random(7)
    kills = 0
    while killed(started(plan), chance.uniform(0.2, 0.6) * (1 + kills / 10)):
        kills += 1  # each lives a little longer: a busy machine begins slowly
        assert kills < 40, "it did not come through"
    assert kills
    await examine(plan, provider)
