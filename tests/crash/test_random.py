"""SIGKILL at random times: hosts are killed one after the other until all their work is done.

``nox -s crash`` runs 200 seeds; ``BOARDS_CRASH_SEEDS`` names others: a number of them, or a list
such as ``17,42`` to see those again.
"""

import os
import random
import time

import pytest

from boards.testing.paid_provider import Behaviour, PaidProvider
from tests.crash.conftest import MakePlan, Tally
from tests.crash.host import MODES, Call, Host, account
from tests.crash.invariants import examine


def _seeds() -> list[int]:
    told = os.environ.get("BOARDS_CRASH_SEEDS", "2")
    return [int(one) for one in told.split(",")] if "," in told else list(range(int(told)))


@pytest.mark.parametrize("seed", _seeds())
async def test_kills_at_random_times(
    provider: PaidProvider, make_plan: MakePlan, tally: Tally, seed: int
) -> None:
    """Whenever it happens, and however often: nothing is lost, and nothing is paid twice."""
    chance = random.Random(seed)
    calls = tuple(
        Call(chance.choice(MODES), f"seed {seed}, {number}")
        for number in range(chance.randint(20, 50))
    )
    size = chance.choice([300, 300, 3 << 20])
    plan = make_plan(calls=calls, slots=chance.choice([2, 4, 8]))
    for mode in MODES:
        provider.behave(
            account(plan, mode),
            Behaviour(
                honours_key=mode == "key",
                before=chance.uniform(0.0, 0.1),
                after=chance.uniform(0.0, 0.2),
                lose=chance.choice([0, 0, 9]),
                refuse=chance.choice([0, 3]),
                queue=chance.uniform(0.0, 0.2),
                run=chance.uniform(0.0, 0.5),
                size=size,
                pause=0.02,
            ),
        )
    kills = outages = 0
    for _ in range(chance.randint(1, 5)):
        host = Host(plan)
        time.sleep(chance.uniform(0.05, 0.8))
        if chance.random() < 0.1:
            provider.kill()
            provider.start()
            outages += 1
        if not host.kill():
            break
        kills += 1
    assert Host(plan).finished(60)
    figures = await examine(plan, provider, size=size, kills=kills + outages)
    for mode in MODES:
        tally[mode].update(
            {
                "generations": figures.generations[mode],
                "charges": figures.charges[mode],
                "twice": figures.twice[mode],
                "unknown": figures.unknown[mode],
                "lost": figures.lost[mode],
            }
        )
    tally["runs"].update({"seeds": 1, "kills": kills})
    print(
        f"seed {seed}: {len(calls)} generations, {kills} kills, {figures.charges.total()} charges,"
        f" {figures.unknown.total()} unknown, {figures.lost.total()} lost"
    )
