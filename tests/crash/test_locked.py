"""Another program holds the database locked, for longer than anybody waits for it."""

import signal
import sqlite3
import time
from contextlib import closing

from boards.testing.paid_provider import Behaviour, PaidProvider
from tests.crash.conftest import MakePlan, until
from tests.crash.faults import Fall
from tests.crash.host import Call, Host, account
from tests.crash.invariants import examine


async def test_a_locked_database_delays_and_loses_nothing(
    provider: PaidProvider, make_plan: MakePlan
) -> None:
    """Submits are under way when it is locked: their jobs' ids are committed when it is free."""
    calls = tuple(Call("plain", f"locked {number}") for number in range(10))
    plan = make_plan(calls=calls, busy=0.1)
    provider.behave(account(plan, "plain"), Behaviour(after=0.4))
    host = Host(plan)
    until(lambda: provider.charges(account(plan, "plain")).total() >= plan.slots)
    with closing(sqlite3.connect(plan.home / "boards.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(1.0)
        other.execute("ROLLBACK")
    assert host.finished()
    figures = await examine(plan, provider, kills=0)
    assert figures.unknown.total() == 0


async def test_a_caller_is_told_that_the_database_is_locked(
    provider: PaidProvider, make_plan: MakePlan
) -> None:
    """A call that cannot be written down says why, and can be repeated."""
    plan = make_plan(calls=(Call("plain", "told"),), busy=0.1, fall=Fall("before row", 1, "stop"))
    host = Host(plan)
    until(plan.fell.exists)
    with closing(sqlite3.connect(plan.home / "boards.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        host.signal(signal.SIGCONT)
        until(lambda: "is locked" in plan.errors.read_text())
        other.execute("ROLLBACK")
    assert host.finished()
    await examine(plan, provider, kills=0)
