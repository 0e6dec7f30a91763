"""Submits whose reply was lost: found again at the provider, or left unknown."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from tests.integration.acme import Acme, drop
from tests.integration.conftest import Open

RECONCILE: dict[str, Any] = {
    "path": "/jobs",
    "each": "body.jobs[*]",
    "next": "body.next",
    "where": {"eq": ["input.prompt", "${input.prompt}"]},
    "capture": {"id": "id"},
}


@pytest.fixture
def lossy(acme: Acme) -> Acme:
    """Acme begins each job and loses its answer."""
    acme.answers["submit"] = acme.lost
    return acme


async def test_a_lost_job_is_found_by_its_input(lossy: Acme, open_boards: Open) -> None:
    """Pages are followed; the caller notices nothing, and nothing is paid twice."""
    lossy.jobs |= {
        f"old-{number}": {"id": f"old-{number}", "status": "done", "polls": 0, "input": {}}
        for number in range(3)
    }
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        generation = await boards.generate("draw", prompt="a cat")
    assert generation.provider_job_id == "job-4"
    assert (lossy.counts["submit"], lossy.counts["list"]) == (1, 4)


async def test_a_job_that_another_generation_has_is_no_match(
    lossy: Acme, open_boards: Open
) -> None:
    """Two generations of one input: each finds its own job, or none."""
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        first = await boards.generate("draw", prompt="a cat")
        second = await boards.generate("draw", prompt="a cat")
    assert [first.provider_job_id, second.provider_job_id] == ["job-1", "job-2"]


async def test_a_job_is_found_once_however_many_look(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two lost submits of one input, one of which never arrived, both see its only job."""
    monkeypatch.setattr("boards.engine.recovering._SOON", (0.01,))
    submit, listed = acme.submit, acme.list
    both = asyncio.Barrier(2)

    async def lose(request: web.Request) -> web.StreamResponse:
        if not acme.jobs:
            await submit(request)
        return await drop(request)

    async def at_once(request: web.Request) -> web.StreamResponse:
        if acme.counts["list"] <= 2:
            await both.wait()
        return await listed(request)

    acme.answers |= {"submit": lose, "list": at_once}
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        begun = [await boards.submit("draw", prompt="a cat") for _ in range(2)]
        ended = await asyncio.gather(*(boards.wait(one.id) for one in begun))
    assert sorted(one.phase for one in ended) == ["succeeded", "unknown"]
    assert {one.provider_job_id for one in ended} == {"job-1", None}


async def test_a_job_whose_answer_is_still_to_come_is_not_taken(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two equal requests one never arrived: the job in the list is the other one's."""
    monkeypatch.setattr("boards.engine.recovering._SOON", (0.05,))
    submit, answered = acme.submit, asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        if acme.jobs:
            return await drop(request)
        reply = await submit(request)
        await answered.wait()
        return reply

    acme.answers["submit"] = slow
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        first = await boards.submit("draw", prompt="a cat")
        while not acme.jobs:
            await asyncio.sleep(0.01)
        lost = await boards.submit("draw", prompt="a cat")
        assert (await boards.wait(lost.id)).phase == "unknown"
        answered.set()
        assert (await boards.wait(first.id)).provider_job_id == "job-1"


async def test_what_a_person_found_meanwhile_stays(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that ends after the decision changes nothing of it."""
    monkeypatch.setattr("boards.engine.recovering._SOON", ())
    monkeypatch.setattr("boards.engine.recovering._LATER", (0.05, 9, 9, 9))
    decided = asyncio.Event()
    acme.answers["submit"] = drop
    acme.polls_needed = 1_000_000

    async def slow(request: web.Request) -> web.StreamResponse:
        if acme.counts["list"] == 1:
            return web.json_response({"jobs": []})
        await decided.wait()
        return web.json_response({"jobs": [acme.jobs["guessed"]]})

    acme.answers["list"] = slow
    for name in ("guessed", "meant"):
        own = {"prompt": "a cat"}
        acme.jobs[name] = {"id": name, "status": "queued", "polls": 0, "input": own}
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await boards.wait(generation.id)).phase == "unknown"
        while acme.counts["list"] < 2:
            await asyncio.sleep(0.01)
        await boards.resolve(generation.id, job="meant")
        decided.set()
        while not acme.jobs["meant"]["polls"] + acme.jobs["guessed"]["polls"]:
            await asyncio.sleep(0.01)
        (attempt,) = await boards.attempts(generation.id)
    assert (attempt.provider_job_id, attempt.job) == ("meant", {"id": "meant"})
    assert not acme.jobs["guessed"]["polls"]


async def test_a_job_is_found_where_the_clock_of_the_provider_is_behind(
    lossy: Acme, open_boards: Open
) -> None:
    """By seconds, as clocks are: its list is asked from a little before the submit."""
    behind = timedelta(seconds=3)

    async def since(request: web.Request) -> web.StreamResponse:
        asked_from = datetime.fromisoformat(request.query["since"])
        new = datetime.now(UTC) - behind >= asked_from
        return web.json_response({"jobs": list(lossy.jobs.values()) if new else []})

    lossy.answers["list"] = since
    reconcile = {**RECONCILE, "query": {"since": "${run.submitted_at}"}}
    async with open_boards(provider={"reconcile": reconcile}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await boards.wait(generation.id)).phase == "succeeded"


async def test_two_matches_prove_nothing(
    lossy: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only exactly one counts: otherwise the generation is unknown, and says so."""
    monkeypatch.setattr("boards.engine.recovering._SOON", (0.01,))
    lossy.jobs["old"] = {"id": "old", "status": "done", "polls": 0, "input": {"prompt": "a cat"}}
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await boards.wait(generation.id)).phase == "unknown"
    assert lossy.counts["submit"] == 1


async def test_an_unknown_generation_is_looked_for_again(
    lossy: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that lags, or an outage, only delays; the event tells how it was resolved."""
    monkeypatch.setattr("boards.engine.recovering._SOON", ())
    monkeypatch.setattr("boards.engine.recovering._LATER", (0.05, 0.05, 0.05, 0.05))
    listed = lossy.list

    async def at_first_nothing(request: web.Request) -> web.StreamResponse:
        if lossy.counts["list"] < 3:
            return web.json_response({"jobs": []})
        return await listed(request)

    lossy.answers["list"] = at_first_nothing
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        while (now := await boards.get(generation.id)).status != "succeeded":
            assert now.status == "running" or now.phase != "failed"
            await boards.wait(generation.id)
        events = [event async for event in boards.events(generation.id, follow=False)]
    decisions = [event.data["decision"] for event in events if event.type == "resolved"]
    assert decisions == ["reconciled"]


async def test_it_is_looked_for_after_a_restart_too(
    lossy: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is unknown and due is taken up by the next process."""
    monkeypatch.setattr("boards.engine.recovering._SOON", ())
    monkeypatch.setattr("boards.engine.recovering._LATER", (0.05, 0.05, 60.0, 60.0))

    async def down(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=503)

    lossy.answers["list"] = down
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await boards.wait(generation.id)).phase == "unknown"
    del lossy.answers["list"]
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        async for event in boards.events(generation.id):
            if event.type == "resolved":
                break
        while not (await boards.get(generation.id)).final:
            await boards.wait(generation.id)
        assert (await boards.get(generation.id)).status == "succeeded"
