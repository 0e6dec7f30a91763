"""Several processes on one database: one drives, another takes over, and a stale one is fenced."""

import signal
import time

import pytest
from attrs import evolve

from boards.testing.paid_provider import Behaviour, PaidProvider
from tests.crash.conftest import MakePlan, until
from tests.crash.faults import Fall
from tests.crash.host import Call, Host, account
from tests.crash.invariants import examine


@pytest.mark.parametrize("killed", [0, 1])
async def test_two_hosts_race_and_one_is_killed(
    provider: PaidProvider, make_plan: MakePlan, killed: int
) -> None:
    """Both make the same calls; whoever lives finishes them, and each is submitted once."""
    calls = tuple(Call(mode, f"race {mode} {n}") for mode in ("plain", "key") for n in range(8))
    plan = make_plan(calls=calls)
    for mode in ("plain", "key"):
        provider.behave(account(plan, mode), Behaviour(mode == "key", after=0.1, run=0.3))
    plans = [evolve(plan, caller="one"), evolve(plan, caller="other")]
    hosts = [Host(one) for one in plans]
    until(lambda: provider.charges(account(plan, "plain")).total() >= 2)
    assert hosts[killed].kill()
    assert hosts[1 - killed].finished()
    await examine(plans[1 - killed], provider)


async def test_a_stopped_owner_stays_the_owner(provider: PaidProvider, make_plan: MakePlan) -> None:
    """A process that is only slow loses nothing to another: its lock holds."""
    calls = tuple(Call("plain", f"stopped {number}") for number in range(6))
    plan = make_plan(calls=calls, caller="one", fall=Fall("before submitting", 3, "stop"))
    name = account(plan, "plain")
    stopped = Host(plan)
    until(plan.fell.exists)
    second = evolve(plan, caller="other", fall=None)
    other = Host(second)
    time.sleep(0.5)
    charged = provider.charges(name).total()
    time.sleep(0.3)
    assert provider.charges(name).total() == charged, "nobody submits meanwhile"
    stopped.signal(signal.SIGCONT)
    assert stopped.finished()
    assert other.finished()
    figures = await examine(second, provider, kills=0)
    assert figures.unknown.total() == 0


@pytest.mark.parametrize("mode", ["plain", "key"])
@pytest.mark.parametrize("moment", ["before submit request", "before waiting", "before fetching"])
async def test_a_former_owner_is_fenced_off(
    provider: PaidProvider, make_plan: MakePlan, moment: str, mode: str
) -> None:
    """Even without its lock - its file was deleted - a former owner submits nothing again."""
    calls = tuple(Call(mode, f"fenced {number}") for number in range(4))
    plan = make_plan(calls=calls, caller="one", slots=2, fall=Fall(moment, 2, "stop"))
    provider.behave(account(plan, mode), Behaviour(mode == "key"))
    former = Host(plan)
    until(plan.fell.exists)
    (plan.home / "boards.db-owner").unlink()
    second = evolve(plan, caller="other", fall=None)
    assert Host(second).finished()
    former.signal(signal.SIGCONT)
    assert former.finished(), "it is told the end by the database"
    # The answer to a submit that the former owner had sent may have come too late for the new one,
    # and whoever drove last may have ended in the middle of what followed from it.
    third = evolve(second, caller="third", patient=True)
    assert Host(third).finished()
    figures = await examine(third, provider)
    assert figures.unknown.total() == 0, "the answer was kept, and found"


async def test_a_former_owner_submits_nothing(provider: PaidProvider, make_plan: MakePlan) -> None:
    """What the new owner has not begun yet, the former one does not begin either."""
    calls = tuple(Call("plain", f"begun {number}") for number in range(4))
    plan = make_plan(calls=calls, caller="one", slots=1, fall=Fall("before submitting", 1, "stop"))
    former = Host(plan)
    until(plan.fell.exists)
    (plan.home / "boards.db-owner").unlink()
    second = evolve(plan, caller="other")
    successor = Host(second)
    until(second.fell.exists)
    former.signal(signal.SIGCONT)
    time.sleep(0.7)
    assert provider.charges(account(plan, "plain")).total() == 0, "it is fenced off"
    successor.signal(signal.SIGCONT)
    assert successor.finished()
    assert former.finished()
    figures = await examine(second, provider, kills=0)
    assert figures.unknown.total() == 0


async def test_a_former_owner_takes_over_again(provider: PaidProvider, make_plan: MakePlan) -> None:
    """When the new owner dies in its turn, the former one drives again."""
    calls = tuple(Call("plain", f"again {number}") for number in range(2))
    plan = make_plan(calls=calls, caller="one", slots=1, fall=Fall("before submitting", 1, "stop"))
    former = Host(plan)
    until(plan.fell.exists)
    (plan.home / "boards.db-owner").unlink()
    second = evolve(plan, caller="other", fall=Fall("before submitting"))
    assert Host(second).killed()
    former.signal(signal.SIGCONT)
    try:
        assert former.finished(10)
    finally:
        former.kill()
    await examine(plan, provider)
