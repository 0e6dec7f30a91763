"""SIGKILL between what a webhook tells and whoever acts on it: what is known is acted on."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve

from boards.engine.engine import Engine
from boards.generations import Attempt
from boards.store import Change, Listing
from boards.store.sqlite import SQLiteStore
from boards.testing.paid_provider import Behaviour, PaidProvider
from tests.crash.conftest import MakePlan
from tests.crash.faults import FallingStore
from tests.crash.host import CALL, Call, Host, Plan, account, opened
from tests.crash.invariants import examine
from tests.crash.processes import CONTEXT

_engines: list[Engine] = []


def _fall() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # a signal to oneself may need a moment


def _remember_engine() -> None:
    """Let the store of this process find its engine."""
    patch = pytest.MonkeyPatch()  # of a process that ends: nothing is put back
    open_ = Engine.open

    async def opening(engine: Engine, *, drive: bool) -> None:
        _engines.append(engine)
        await open_(engine, drive=drive)

    patch.setattr(Engine, "open", opening)


async def _called(engine: Engine, attempt: Attempt) -> None:
    """The provider calls: it has the job."""
    addresses = engine.machine.addresses
    assert addresses is not None
    token, body = addresses.token(attempt.uuid), b'{"id": "job-1"}'
    await engine.receive_webhook(CALL, {}, body, token)


class CallBeforeUnknown(FallingStore):
    """The call is kept after the driver looked for one, and before its ``unknown``; then it dies.

    Whoever took the call still has to wake the driver, and comes to nothing more.
    """

    kept: asyncio.Event

    async def cas(self, change: Change) -> bool:
        if change.generation.phase != "unknown":
            return await super().cas(change)
        assert change.attempt is not None
        self.kept = asyncio.Event()
        calling = asyncio.create_task(_called(_engines[0], change.attempt))
        await self.kept.wait()
        await super().cas(change)
        calling.cancel()
        _fall()
        return True

    async def attempt_result(self, attempt: Attempt, **told: Any) -> None:
        await super().attempt_result(attempt, **told)
        self.kept.set()
        await asyncio.Event().wait()


async def test_a_call_that_came_just_before_unknown_is_acted_on_after_a_crash(
    provider: PaidProvider, make_plan: MakePlan
) -> None:
    """The job is known to the store, so that it is finished, and not left to a decision."""
    plan = make_plan(
        calls=(Call(CALL, "before"),), store=CallBeforeUnknown, prepare=_remember_engine
    )
    provider.behave(account(plan, CALL), Behaviour(lose=1))
    assert Host(plan).killed()
    assert Host(evolve(plan, store=FallingStore, patient=True)).finished()
    figures = await examine(plan, provider)
    assert figures.by_prompt["before"].phase == "succeeded"


def _take_call(plan: Plan) -> None:
    """What the process of a server runs: it takes the call, and dies as soon as that is kept."""
    asyncio.run(_taken(plan))


async def _taken(plan: Plan) -> None:
    keep = SQLiteStore.attempt_result

    async def falling(store: SQLiteStore, attempt: Attempt, **told: Mapping[str, Any]) -> None:
        await keep(store, attempt, **told)  # type: ignore[arg-type]
        _fall()

    patch = pytest.MonkeyPatch()
    patch.setattr(SQLiteStore, "attempt_result", falling)
    _remember_engine()
    async with opened(plan, drive=False) as boards:
        (generation,) = await boards.list(phases=["unknown"])
        (engine,) = _engines
        (attempt,) = await engine.store.attempts(generation.id)
        await _called(engine, attempt)


async def _phase(plan: Plan) -> str:
    store = SQLiteStore(plan.home / "boards.db")
    await store.open()
    try:
        found = await store.list(Listing())
        return found[0].phase if found else ""
    finally:
        await store.close()


async def test_a_call_that_a_server_kept_and_died_of_reaches_the_driver(
    provider: PaidProvider, make_plan: MakePlan
) -> None:
    """The driver lives on, and nobody wakes it: it finds what is due."""
    plan = make_plan(calls=(Call(CALL, "after"),), patient=True)
    provider.behave(account(plan, CALL), Behaviour(lose=1))
    host = Host(plan)
    while await _phase(plan) != "unknown":
        await asyncio.sleep(0.02)
    server = CONTEXT.Process(target=_take_call, args=(plan,), daemon=True)
    server.start()
    server.join(20)
    assert server.exitcode == -signal.SIGKILL
    assert host.finished()
    figures = await examine(plan, provider)
    assert figures.by_prompt["after"].phase == "succeeded"
