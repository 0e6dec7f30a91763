"""The wall clock jumps by hours, as after a suspend, by NTP, or by hand."""

import signal
import time
from pathlib import Path

import pytest
from attrs import evolve

from boards.testing.paid_provider import Behaviour, PaidProvider
from tests.crash.conftest import MakePlan, until
from tests.crash.host import Call, Host, account
from tests.crash.invariants import examine

HOURS = 6 * 3600.0


def _jump(seconds: float) -> None:
    real = time.time
    time.time = lambda: real() + seconds


def _ready_to_jump() -> None:
    """Jump forward at SIGUSR1, backward at SIGUSR2."""
    signal.signal(signal.SIGUSR1, lambda *_: _jump(HOURS))
    signal.signal(signal.SIGUSR2, lambda *_: _jump(-HOURS))


def _behind() -> None:
    """Begin with a clock that is behind."""
    _jump(-HOURS)


def _ahead() -> None:
    """Begin with a clock that is ahead: the machine was off for so long."""
    _jump(HOURS)


@pytest.mark.parametrize("seconds", [0.05, 0.3])
async def test_a_clock_that_is_set_back_delays_nothing(
    provider: PaidProvider, make_plan: MakePlan, seconds: float
) -> None:
    """What is under way goes on at its own pace: timers do not follow the wall clock."""
    calls = tuple(Call("plain", f"back {number}") for number in range(10))
    plan = make_plan(calls=calls, prepare=_ready_to_jump)
    name = account(plan, "plain")
    provider.behave(name, Behaviour(after=0.1, run=0.5))
    host = Host(plan)
    until(lambda: provider.charges(name).total() > 0)
    time.sleep(seconds)
    host.signal(signal.SIGUSR2)
    assert host.finished(10)
    figures = await examine(plan, provider, kills=0)
    assert figures.unknown.total() == 0
    assert provider.asked(name)["poll"] < 100 * len(calls), "and nobody asks in a busy loop"


async def test_a_restart_with_a_clock_that_was_set_back_waits_for_nothing(
    provider: PaidProvider, make_plan: MakePlan
) -> None:
    """Times in the database lie in the future then: they are no reason to wait for hours."""
    calls = tuple(Call("plain", f"restart {number}") for number in range(6))
    plan = make_plan(calls=calls)
    provider.behave(account(plan, "plain"), Behaviour(after=0.2, run=0.3))
    host = Host(plan)
    until(lambda: len(_acknowledged(plan.acknowledged)) == len(calls))
    assert host.kill()
    assert Host(evolve(plan, prepare=_behind)).finished(10)
    await examine(plan, provider)


async def test_a_clock_that_jumps_ahead_ends_no_finished_job(
    provider: PaidProvider, make_plan: MakePlan
) -> None:
    """Past its deadline a job is looked at once more: what finished and was paid for is fetched."""
    calls = tuple(Call("plain", f"ahead {number}") for number in range(4))
    plan = make_plan(calls=calls)
    name = account(plan, "plain")
    provider.behave(name, Behaviour(run=0.4))
    host = Host(plan)
    until(lambda: provider.asked(name)["poll"] >= len(calls))
    assert host.kill()
    time.sleep(0.5)
    assert Host(evolve(plan, prepare=_ahead)).finished(10)
    figures = await examine(plan, provider)
    assert figures.unknown.total() == 0


def _acknowledged(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
