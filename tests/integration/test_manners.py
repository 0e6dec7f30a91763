"""A provider that is busy or down is treated with manners, and nothing is lost by it."""

import asyncio
import json
import time
from typing import Any

import pytest
from aiohttp import web

from tests.integration.acme import PNG, Acme
from tests.integration.conftest import Open


async def test_a_429_of_one_submit_delays_the_others_too(acme: Acme, open_boards: Open) -> None:
    """The provider is not asked once by each generation that waits."""
    submit = acme.submit

    async def busy(request: web.Request) -> web.StreamResponse:
        if acme.counts["submit"] == 1:
            return web.json_response({}, status=429, headers={"Retry-After": "1"})
        return await submit(request)

    acme.answers["submit"] = busy
    async with open_boards(provider={"limits": {"concurrency": 1}}) as boards:
        begin = time.monotonic()
        made = [await boards.submit("draw", prompt="a cat") for _ in range(4)]
        ended = [await boards.wait(one.id) for one in made]
    assert {one.status for one in ended} == {"succeeded"}
    assert acme.counts["submit"] == 5
    assert time.monotonic() - begin > 0.9


@pytest.mark.parametrize("told", ["header", "body", "submit"])
async def test_a_job_is_asked_for_when_its_provider_says(
    acme: Acme, open_boards: Open, told: str
) -> None:
    """A reply that is no error may say when to come back, or when the job will be ready."""
    asked: list[float] = []
    name = "submit" if told == "submit" else "poll"
    answer = acme.submit if told == "submit" else acme.poll

    async def patient(request: web.Request) -> web.StreamResponse:
        reply: Any = await answer(request)
        asked.append(time.monotonic())
        if len(asked) > 1:
            return reply  # type: ignore[no-any-return]
        if told == "body":
            return web.json_response({**json.loads(reply.text), "eta": 0.3})
        reply.headers["Retry-After"] = "0.3"
        return reply  # type: ignore[no-any-return]

    async def poll(request: web.Request) -> web.StreamResponse:
        asked.append(time.monotonic())
        return await acme.poll(request)

    acme.answers |= {"poll": poll, name: patient}
    rare = {"path": "/jobs/${job.id}", "every": "1ms", "max_every": "1ms"}
    own = {**rare, "after": "body.eta"} if told == "body" else rare
    async with open_boards(execution={"poll": own}) as boards:
        assert (await boards.generate("draw", prompt="a cat")).status == "succeeded"
    assert asked[1] - asked[0] > 0.29


async def test_a_rate_of_the_spec_is_kept(acme: Acme, open_boards: Open) -> None:
    """Two in half a second: the third and fourth wait."""
    async with open_boards(provider={"limits": {"rate": "2/500ms"}}) as boards:
        begin = time.monotonic()
        made = [await boards.submit("draw", prompt="a cat") for _ in range(4)]
        for one in made:
            await boards.wait(one.id)
    assert time.monotonic() - begin > 0.45
    assert acme.counts["submit"] == 4


async def test_a_provider_that_is_down_is_probed_by_one_request(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it fails, waiting generations do not all ask it; when it is back, all go on."""
    monkeypatch.setattr("boards.engine.limits._COOL_DOWN", (0.3, 0.3))
    monkeypatch.setattr("boards.engine.waiting._AFTER_OUTAGE", (0.01, 0.02))
    poll, down = acme.poll, [False]

    async def outage(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503) if down[0] else await poll(request)

    acme.answers["poll"] = outage
    acme.polls_needed = 1_000_000
    async with open_boards() as boards:
        made = [await boards.submit("draw", prompt="a cat") for _ in range(20)]
        while any(job["status"] == "queued" for job in acme.jobs.values()):
            await asyncio.sleep(0.01)
        # From here on nothing but polls is asked, so that no submit's answer says that it is up.
        before, begin, down[0] = acme.counts["poll"], time.monotonic(), True
        await asyncio.sleep(1.2)
        asked, probes = acme.counts["poll"] - before, (time.monotonic() - begin) / 0.3
        acme.polls_needed, down[0] = 1, False
        ended = [await boards.wait(one.id) for one in made]
    assert {one.status for one in ended} == {"succeeded"}
    assert asked <= 20 + probes + 1  # those under way when it broke, and one for each cool-down


async def test_a_generation_that_waits_at_the_gate_is_canceled_at_once(
    acme: Acme, open_boards: Open
) -> None:
    """Nothing was sent, nothing is paid."""
    answered = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await answered.wait()
        return await acme.submit(request)

    acme.answers["submit"] = slow
    async with open_boards(provider={"limits": {"concurrency": 1}}) as boards:
        first = await boards.submit("draw", prompt="first")
        stuck = await boards.submit("draw", prompt="second")
        await boards.cancel(stuck.id)
        assert (await boards.wait(stuck.id)).status == "canceled"
        answered.set()
        assert (await boards.wait(first.id)).status == "succeeded"
    assert acme.counts["submit"] == 1


@pytest.mark.parametrize("slow", ["put", "poll"])
async def test_a_provider_that_does_not_answer_delays_no_cancel(
    acme: Acme, open_boards: Open, slow: str
) -> None:
    """Neither an upload nor a poll that hangs: nothing is submitted, or the job is stopped."""
    go = asyncio.Event()
    answer = getattr(acme, slow)

    async def hanging(request: web.Request) -> web.StreamResponse:
        if acme.counts[slow] == 1:
            await go.wait()
        return await answer(request)  # type: ignore[no-any-return]

    acme.answers[slow] = hanging
    acme.polls_needed = 1_000_000
    upload = {
        "init": {"method": "POST", "path": "/uploads"},
        "capture": {"put": "body.put", "url": "body.url"},
        "put": {"method": "PUT", "url": "${upload.put}", "body": "${file.bytes}"},
        "result": "${upload.url}",
    }
    files = {"accept": ["upload"], "upload": upload}
    async with open_boards(provider={"files": files}) as boards:
        stuck = await boards.submit("draw", prompt="a cat", image=PNG)
        while not acme.counts[slow]:
            await asyncio.sleep(0.01)
        await boards.cancel(stuck.id)
        async with asyncio.timeout(10):
            assert (await boards.wait(stuck.id)).status == "canceled"
        go.set()
    assert acme.counts["submit"] == (slow == "poll")
    assert acme.counts["cancel"] == (slow == "poll")


async def test_a_provider_that_does_not_answer_delays_no_cancel_past_the_deadline(
    acme: Acme, open_boards: Open
) -> None:
    """The last look at a job that is late hangs, too: the job is stopped all the same."""
    answer = acme.poll

    async def hanging(request: web.Request) -> web.StreamResponse:
        while not acme.counts["cancel"]:
            await asyncio.sleep(0.01)
        return await answer(request)

    acme.answers["poll"] = hanging
    acme.polls_needed = 1_000_000
    async with open_boards(execution={"deadline": {"queue": "50ms", "run": "50ms"}}) as boards:
        stuck = await boards.submit("draw", prompt="a cat")
        while not acme.counts["poll"]:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await boards.cancel(stuck.id)
        async with asyncio.timeout(10):
            assert (await boards.wait(stuck.id)).status == "canceled"
    assert acme.counts["cancel"] == 1
