"""Manners: who passes a provider's gate, and when it stays shut."""

import asyncio
import time

import pytest

from boards.engine import limits as module
from boards.engine.limits import Breaker, Gate, Ticket
from boards.spec.model import LimitHeaders, Limits


class Door:
    """A gate, and who went through it."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.gate = Gate(limits)
        self.passed: list[str] = []
        self.release = asyncio.Event()

    def knock(
        self, who: str, *, priority: int = 0, hold: bool = False, patience: float | None = None
    ) -> "tuple[Ticket, asyncio.Task[bool]]":
        """A submit of an owner, named ``owner:what``."""
        ticket = Ticket(asyncio.get_running_loop().create_future(), patience)
        return ticket, asyncio.create_task(self._pass(ticket, who, priority, hold))

    async def _pass(self, ticket: Ticket, who: str, priority: int, hold: bool) -> bool:
        owner = who.partition(":")[0]
        async with self.gate.passing(ticket, owner, priority) as admitted:
            if admitted:
                self.passed.append(who)
                if hold:
                    await self.release.wait()
            return admitted


async def test_no_more_pass_at_once_than_the_spec_allows() -> None:
    """The next one passes when one leaves."""
    door = Door(Limits(concurrency=2))
    tasks = [door.knock(f"a:{number}", hold=True)[1] for number in range(5)]
    await asyncio.sleep(0.01)
    assert door.passed == ["a:0", "a:1"]
    door.release.set()
    await asyncio.gather(*tasks)
    assert len(door.passed) == 5


async def test_owners_take_turns() -> None:
    """One who asks for much does not keep others waiting."""
    door = Door(Limits(concurrency=1))
    held = door.knock("first:x", hold=True)[1]
    await asyncio.sleep(0)
    tasks = [door.knock(f"a:{number}")[1] for number in range(3)]
    await asyncio.sleep(0)
    tasks += [door.knock(f"b:{number}")[1] for number in range(2)]
    await asyncio.sleep(0)
    door.release.set()
    await asyncio.gather(held, *tasks)
    assert door.passed == ["first:x", "a:0", "b:0", "a:1", "b:1", "a:2"]


async def test_the_urgent_pass_first() -> None:
    """Lower numbers are more urgent, whoever owns them."""
    door = Door(Limits(concurrency=1))
    held = door.knock("first:x", hold=True)[1]
    await asyncio.sleep(0)
    tasks = [
        door.knock("a:later", priority=5)[1],
        door.knock("a:now", priority=0)[1],
        door.knock("b:soon", priority=1)[1],
    ]
    await asyncio.sleep(0)
    door.release.set()
    await asyncio.gather(held, *tasks)
    assert door.passed == ["first:x", "a:now", "b:soon", "a:later"]


async def test_a_rate_is_kept_after_its_burst() -> None:
    """3 in 0.3 s: three at once, then one each tenth of a second."""
    door = Door(Limits(rate=(3, 0.3)))
    begin = time.monotonic()
    tasks = [door.knock(f"a:{number}")[1] for number in range(5)]
    await asyncio.sleep(0)
    assert len(door.passed) == 3
    await asyncio.gather(*tasks)
    assert time.monotonic() - begin > 0.18


async def test_what_the_provider_asks_holds_for_all_of_its_submits() -> None:
    """A 429 of one is a pause of all."""
    door = Door()
    door.gate.pause(0.1)
    begin = time.monotonic()
    await asyncio.gather(*(door.knock(f"a:{number}")[1] for number in range(3)))
    assert time.monotonic() - begin > 0.08


@pytest.mark.parametrize(
    ("remaining", "reset", "pauses"),
    [
        ("0", "0.1", True),
        ("0", "100ms", True),
        ("0", lambda: str(time.time() + 0.5), True),
        ("0", "0m0.1s", True),
        ("5", "60", False),
        ("0", "soon", False),
        ("0", None, False),
        ("0", "nan", False),
        ("0", "-5", False),
    ],
    ids=["seconds", "milliseconds", "epoch", "clock", "left", "words", "none", "nan", "past"],
)
async def test_headers_tell_when_nothing_is_left(
    remaining: str, reset: object, pauses: bool
) -> None:
    """Seconds, an epoch, or 6m0s; what cannot be read is no reason to wait."""
    door = Door(Limits(headers=LimitHeaders("X-Left", "X-Reset")))
    headers = {"x-left": remaining}
    if reset is not None:
        headers["x-reset"] = reset() if callable(reset) else str(reset)
    door.gate.observe(200, headers)
    passing = door.knock("a:x")[1]
    await asyncio.sleep(0)
    assert (door.passed == []) is pauses
    assert await passing


async def test_who_withdraws_or_is_canceled_leaves_the_gate_to_others() -> None:
    """Neither a withdrawn ticket nor a canceled task keeps a place."""
    door = Door(Limits(concurrency=1))
    held = door.knock("a:0", hold=True)[1]
    await asyncio.sleep(0)
    ticket, withdrawn = door.knock("a:1")
    _, canceled = door.knock("a:2")
    _, last = door.knock("a:3")
    await asyncio.sleep(0)
    ticket.withdraw()
    canceled.cancel()
    assert await withdrawn is False
    door.release.set()
    assert await asyncio.wait_for(last, 10)
    await held
    assert door.passed == ["a:0", "a:3"]
    assert await door.knock("a:4")[1]


async def test_each_that_comes_looks_once_at_how_long_thousands_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They may all go elsewhere, and do when the provider asks to wait for longer than that."""
    door = Door(Limits(rate=(1, 3600.0)))
    looks = 0
    shut = Gate.shut

    def counted(gate: Gate, patience: float) -> str:
        nonlocal looks
        looks += 1
        return shut(gate, patience)

    monkeypatch.setattr(Gate, "shut", counted)
    await door.knock("a:first")[1]
    stays = door.knock("a:stays")
    tasks = [door.knock(f"a:{number}", patience=60.0)[1] for number in range(200)]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in tasks)
    assert looks <= 202
    door.gate.pause(600)
    tasks.append(door.knock("b:1", patience=60.0)[1])
    assert not any(await asyncio.gather(*tasks))
    assert looks <= 2 * 202 + 2
    assert not stays[1].done()
    stays[0].withdraw()
    assert not await stays[1]


def test_a_provider_that_fails_again_and_again_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then one request probes it: an answer closes the circuit, a failure opens it for longer."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    breaker = Breaker()
    for _ in range(4):
        breaker.failed()
    assert breaker.wait == 0
    breaker.failed()
    assert breaker.wait == 5
    now[0] += 5
    assert breaker.wait == 0
    breaker.begin()
    assert breaker.wait > 0  # one probe at a time
    breaker.failed()
    assert breaker.wait == 10
    now[0] += 10
    breaker.begin()
    breaker.succeeded()
    assert breaker.wait == 0
    breaker.failed()
    assert breaker.wait == 0


async def test_who_waits_for_a_provider_that_was_down_passes_when_it_answers_a_poll() -> None:
    """Other requests tell first that it is up again; its timer may be minutes away."""
    door = Door(Limits(headers=LimitHeaders(remaining="left", reset="reset")))
    for _ in range(5):
        door.gate.breaker.failed()
    tasks = [door.knock("a:1")[1], door.knock("a:2")[1]]
    await asyncio.sleep(0)
    assert door.passed == []
    door.gate.observe(200, {})
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks)
    for _ in range(5):
        door.gate.breaker.failed()
    _, waiting = door.knock("a:3")
    await asyncio.sleep(0)
    door.gate.observe(200, {"left": "0", "reset": "60"})  # up again, and asks to wait
    await asyncio.sleep(0.01)
    assert door.passed == ["a:1", "a:2"]
    waiting.cancel()
