"""SIGKILL at every row of the engine's crash table, for each way to resolve an ambiguous submit."""

import time
from typing import Any

import pytest
from attrs import evolve

from boards.testing.paid_provider import Behaviour, PaidProvider
from tests.crash.conftest import MakePlan, until
from tests.crash.faults import Fall
from tests.crash.host import MODES, Call, Host, account
from tests.crash.invariants import examine

LARGE = {"size": 4 << 20, "pause": 0.01}

ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "the call and the row": {"before row": {}},
    "the row and the queue": {"after row": {}},
    "the slot and the intent": {"before submitting": {}},
    "the intent and the job's id": {
        "after submitting": {},
        "before submit request": {},
        "after submit request": {},
        "before waiting": {},
        "before queued": {"refuse": 2},
    },
    "the id and any poll": {"after waiting": {}, "before poll request": {}},
    "the final status and its commit": {"after poll request": {}, "before fetching": {}},
    "the outputs and their bytes": {"after fetching": {}, "before file request": {}},
    "a download": {"inside download": LARGE},
    "the bytes and the commit": {
        "before rename": LARGE,
        "after rename": {},
        "before succeeded": {},
    },
    "the end and the caller": {"after succeeded": {}},
}
"""The rows of the table, as the moments that they have, with the provider's behaviour."""

UNSENT = ("after submitting", "before submit request", "before queued")
"""Moments of an intent to which the provider has no job."""

AMBIGUOUS = tuple(ROWS["the intent and the job's id"])

CASES = [
    pytest.param(moment, mode, behaviour, id=f"{row}: {moment}, {mode}")
    for row, moments in ROWS.items()
    for moment, behaviour in moments.items()
    for mode in (MODES if moment in AMBIGUOUS else ("plain",))
]


@pytest.mark.parametrize(("moment", "mode", "behaviour"), CASES)
async def test_a_kill_at_a_row_of_the_table(
    provider: PaidProvider, make_plan: MakePlan, moment: str, mode: str, behaviour: dict[str, Any]
) -> None:
    """What can be told is finished; the rest is unknown, and nothing is paid twice."""
    calls = tuple(Call(mode, f"{moment} {number}") for number in range(6))
    plan = make_plan(calls=calls, fall=Fall(moment, 2))
    treated = Behaviour(honours_key=mode == "key", **behaviour)
    provider.behave(account(plan, mode), treated)
    assert Host(plan).killed(), f"no host came to {moment}"
    assert Host(evolve(plan, fall=None)).finished()
    figures = await examine(plan, provider, size=treated.size)

    victim = figures.by_prompt.get(plan.fell.read_text())
    if victim is not None:
        lost = mode != "key" and moment in AMBIGUOUS and (mode == "plain" or moment in UNSENT)
        assert victim.phase == ("unknown" if lost else "succeeded")


@pytest.mark.parametrize("trouble", ["rate limit", "outage"])
async def test_a_replay_that_does_not_come_through_keeps_its_key(
    provider: PaidProvider, make_plan: MakePlan, trouble: str
) -> None:
    """That the second send was refused, or not sent, says nothing of the first: it was charged."""
    plan = make_plan(calls=(Call("key", "sent before"),), fall=Fall("after submit request"))
    name = account(plan, "key")
    provider.behave(name, Behaviour(honours_key=True))
    assert Host(plan).killed()
    assert provider.charges(name).total() == 1
    if trouble == "outage":
        provider.kill()
    else:
        provider.behave(name, Behaviour(honours_key=True, refuse=10))
    host = Host(evolve(plan, fall=None))
    if trouble == "outage":
        time.sleep(0.6)
        provider.start()
    assert host.finished()
    figures = await examine(plan, provider)
    assert figures.by_prompt["sent before"].phase == "succeeded"


@pytest.mark.parametrize(
    "moment",
    [
        "before wish",
        "after wish",
        "before cancel request",
        "after cancel request",
        "before canceled",
        "after canceled",
    ],
)
async def test_a_kill_while_a_generation_is_canceled(
    provider: PaidProvider, make_plan: MakePlan, moment: str
) -> None:
    """The wish is asked for again, and the final status is believed."""
    calls = (Call("plain", "goes"), Call("plain", "comes", cancel=True))
    plan = make_plan(calls=calls, fall=Fall(moment))
    name = account(plan, "plain")
    provider.behave(name, Behaviour(run=60.0))
    assert Host(plan).killed(), f"no host came to {moment}"
    host = Host(evolve(plan, fall=None))
    if moment != "before wish":
        until(lambda: provider.asked(name)["cancel"])
    provider.behave(name, Behaviour(run=0.0))
    assert host.finished()
    figures = await examine(plan, provider)
    assert figures.by_prompt["goes"].phase == "succeeded"
    assert figures.by_prompt["comes"].phase == (
        "canceled" if moment != "before wish" else "succeeded"
    )
