"""What the process that drives hears of what others wrote."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from attrs import evolve

from boards import Boards
from boards.errors import StoreError
from boards.generations import Generation, new_id
from tests.integration.acme import Acme
from tests.integration.conftest import Open
from tests.integration.test_engine_edges import ended, phase, until


async def test_a_long_queue_hides_nothing_that_others_wrote(acme: Acme, open_boards: Open) -> None:
    """A thousand generations wait for their provider; what comes after them is heard of."""
    async with open_boards() as worker, open_boards(drive=False) as other:
        worker._running.client("acme").gate.pause(60)
        first = await other.submit("draw", prompt="a cat")
        copies = [evolve(first, id=new_id(), due_at=time.time()) for _ in range(1000)]
        await asyncio.gather(*(other._running.store.create(one) for one in copies))
        last = await other.submit("draw", prompt="a cat")
        await other.cancel(last.id)
        assert (await ended(other, last)).phase == "canceled"
        async with asyncio.timeout(5):
            while await other._running.store.due(time.time()):  # they are not looked at for ever
                await other.cancel((await other.submit("draw", prompt="a cat")).id)
                await asyncio.sleep(0.1)


async def test_what_could_not_be_read_is_read_again(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that fails for a moment costs no news, even if nobody writes any more."""
    async with open_boards() as worker, open_boards(drive=False) as other:
        store = worker._running.store
        due, failures = store.due, 0

        async def broken(*given: Any) -> list[Generation]:
            nonlocal failures
            failures += 1
            if failures < 3:
                raise StoreError("The disk is away.")
            return await due(*given)

        monkeypatch.setattr(store, "due", broken)
        generation = await other.submit("draw", prompt="a cat")
        assert (await ended(other, generation)).phase == "succeeded"


async def test_a_take_over_that_broke_off_is_finished(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database fails for a moment just as the next process becomes its owner."""
    monkeypatch.setattr("boards.engine.following._CONTEND", 0.05)
    acme.polls_needed = 1_000_000
    async with AsyncExitStack() as leaving:
        worker = await leaving.enter_async_context(open_boards())
        async with open_boards() as heir:
            store = heir._running.store
            live, failures = store.live, 0

            async def broken() -> AsyncIterator[Generation]:
                nonlocal failures
                failures += 1
                if failures < 3:
                    raise StoreError("The disk is away.")
                async for one in live():
                    yield one

            monkeypatch.setattr(store, "live", broken)
            generation = await worker.submit("draw", prompt="a cat")
            await phase(worker, generation, "waiting")
            await leaving.aclose()
            acme.polls_needed = 0
            assert (await ended(heir, generation)).phase == "succeeded"


@pytest.mark.parametrize("stage", ["queued", "waiting"])
async def test_who_drives_again_knows_what_became_of_its_generations_meanwhile(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """A wish to cancel came while another process had the database; nobody writes any more."""
    monkeypatch.setattr("boards.engine.following._CONTEND", 0.05)
    acme.polls_needed = 1_000_000
    poll = {"path": "/jobs/${job.id}", "every": "1h"}
    async with open_boards(execution={"poll": poll}) as worker, open_boards(drive=False) as other:
        if stage == "queued":
            worker._running.client("acme").gate.pause(60)
        generation = await worker.submit("draw", prompt="a cat")
        await phase(worker, generation, stage)
        await until(lambda: generation.id in worker._running.machine.flights)
        store: Any = worker._running.store
        own, asked = store.own, asyncio.Event()

        async def owned_by_another() -> bool:
            asked.set()
            return False

        monkeypatch.setattr(store, "own", owned_by_another)
        store._epoch, store._fenced_off = 0, True  # as after a write that the fence refused
        store._owner.release()
        await asyncio.wait_for(asked.wait(), 5)
        await other.cancel(generation.id)
        for _ in range(3):  # it is heard of, and nobody here is to act on it
            asked.clear()
            await asked.wait()
        monkeypatch.setattr(store, "own", own)
        assert (await ended(other, generation)).phase == "canceled"
    assert acme.counts["cancel"] == (stage == "waiting")


async def test_an_attempt_of_another_process_is_not_taken_for_the_next_one(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It drove while a submit was made ready here, and its own submit was refused for now."""
    monkeypatch.setattr("boards.engine.following._CONTEND", 0.05)

    async def busy(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": "50"})

    acme.answers["submit"], acme.polls_needed = busy, 0
    retry = {"retry": {"max": 3, "base": "1ms", "cap": "1m"}}
    async with open_boards(provider=retry) as former:
        accounts, ready, go_on = former._running.machine.accounts, asyncio.Event(), asyncio.Event()
        check = accounts.check

        async def slow(generation: Generation) -> None:
            ready.set()
            await go_on.wait()
            await check(generation)

        monkeypatch.setattr(accounts, "check", slow)
        generation = await former.submit("draw", prompt="a cat")
        await ready.wait()
        store: Any = former._running.store
        own = store.own

        async def owned_by_another() -> bool:
            return False

        monkeypatch.setattr(store, "own", owned_by_another)
        store._epoch, store._fenced_off = 0, True  # as after a write that the fence refused
        store._owner.release()
        async with open_boards(provider=retry) as heir:
            async with asyncio.timeout(5):
                while [one.outcome for one in await heir.attempts(generation.id)] != ["refused"]:
                    await asyncio.sleep(0.01)
        del acme.answers["submit"]
        monkeypatch.setattr(store, "own", own)
        await until(lambda: store.epoch)
        await until(lambda: former._running._following._taken_up)
        go_on.set()
        assert (await ended(former, generation)).phase == "succeeded"
        attempts = await former.attempts(generation.id)
    assert [one.outcome for one in attempts] == ["refused", "accepted"]


async def test_what_others_write_is_no_reason_to_ask_in_a_hurry(
    acme: Acme, open_boards: Open
) -> None:
    """A job that another process wished canceled is asked for once, then as its spec says."""

    async def running(request: web.Request) -> web.StreamResponse:
        return web.json_response({"id": request.match_info["id"], "status": "running"})

    acme.answers |= {"poll": running, "cancel": running}
    poll = {"path": "/jobs/${job.id}", "every": "20ms", "backoff": 1000, "max_every": "1h"}
    async with open_boards(execution={"poll": poll}) as worker, open_boards(drive=False) as other:
        generation = await other.submit("draw", prompt="a cat")
        await until(lambda: acme.counts["poll"] == 2)
        worker._running.client("acme").gate.pause(60)
        await other.cancel(generation.id)
        for _ in range(8):
            await other.submit("draw", prompt="a cat")
            await asyncio.sleep(0.12)
        assert acme.counts["cancel"] == 1
        assert acme.counts["poll"] <= 4


async def test_what_is_driven_here_is_not_read_whenever_others_write(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands may be waited for in the process that drives them, and commits their ends."""
    async with open_boards() as worker, open_boards(drive=False) as other:
        worker._running.client("acme").gate.pause(60)
        some = [await worker.submit("draw", prompt="a cat") for _ in range(20)]
        waits = [asyncio.create_task(worker.wait(one.id)) for one in some]
        flights = worker._running.machine.flights
        await until(lambda: len([one for one in flights.values() if one.ticket]) == len(some))
        await until(lambda: len(worker._running._observers.asking(())) == len(some))
        store, reads = worker._running.store, 0
        get = store.get

        async def counted(*given: Any, **more: Any) -> Generation | None:
            nonlocal reads
            reads += 1
            return await get(*given, **more)

        monkeypatch.setattr(store, "get", counted)
        last = await other.submit("draw", prompt="a cat")
        await until(lambda: last.id in flights)
        await other.cancel(some[0].id)
        assert (await asyncio.wait_for(waits[0], 5)).phase == "canceled"
        assert reads < 20
        for one in waits:
            one.cancel()


async def test_only_what_happened_is_read_for_those_who_wait(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands may be waited for in a process that does not drive, while another one works."""
    async with open_boards() as worker, open_boards(drive=False) as other:
        worker._running.client("acme").gate.pause(60)
        some = [await other.submit("draw", prompt="a cat") for _ in range(50)]
        waits = [asyncio.create_task(other.wait(one.id)) for one in some]
        store, reads = other._running.store, 0
        get = store.get
        await until(lambda: len(other._running._observers.asking(())) == 50)

        async def counted(*given: Any, **more: Any) -> Generation | None:
            nonlocal reads
            reads += 1
            return await get(*given, **more)

        await worker.cancel(some[0].id)
        assert (await asyncio.wait_for(waits[0], 5)).phase == "canceled"
        monkeypatch.setattr(store, "get", counted)
        for number in (1, 2):
            await worker.cancel(some[number].id)
            assert (await asyncio.wait_for(waits[number], 5)).phase == "canceled"
        assert reads < 90  # all of them at most once, not whenever something is written
        for one in waits:
            one.cancel()


async def test_the_events_of_a_long_time_are_not_read_when_somebody_writes(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that drives alone writes millions until then; all that is waited for is read."""
    monkeypatch.setattr("boards.engine.following._LOOK_AT_ALL", 0.3)
    async with open_boards() as worker, open_boards(drive=False) as other:
        worker._running.client("acme").gate.pause(60)
        store, flights = worker._running.store, worker._running.machine.flights
        happened_since, asked = store.happened_since, list[int | None]()

        async def noted(after: int | None) -> tuple[set[str], int]:
            asked.append(after)
            return await happened_since(after)

        monkeypatch.setattr(store, "happened_since", noted)
        for _ in range(2):
            asked.clear()
            one = await other.submit("draw", prompt="a cat")
            await until(lambda one=one: one.id in flights and bool(asked))  # type: ignore[misc]
            assert asked[0] is None
            await asyncio.sleep(0.5)


async def test_what_is_held_up_is_looked_at_now_and_then_whatever_others_write(
    acme: Acme, open_boards: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its plugin is gone: neither the log nor the database is busy with it."""
    async with open_boards() as boards:
        boards._running.client("acme").gate.pause(60)
        generation = await boards.submit("draw", prompt="a cat")
    home = tmp_path / "home"
    async with Boards(home=home, environment={}) as worker, open_boards(drive=False) as other:
        for _ in range(8):
            await other.cancel((await other.submit("draw", prompt="a cat")).id)
            await asyncio.sleep(0.12)
        assert caplog.text.count(f"held up' generation={generation.id!r}") < 5
        await other.cancel(generation.id)
        assert (await ended(worker, generation)).phase == "canceled"
