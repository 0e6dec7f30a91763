"""Answers that come when somebody else has gone on: kept, and no job runs on that nobody wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from boards import Boards, Generation
from tests.integration.acme import Acme, drop
from tests.integration.conftest import Open
from tests.integration.test_webhooks import (
    PUBLIC,
    SLOW,
    SUBMIT,
    WEBHOOK,
    call,
    signed,
    token_of,
)


async def until(boards: Boards, one: Generation, phase: str) -> None:
    """Wait for a phase."""
    async with asyncio.timeout(10):
        while (await boards.get(one.id)).phase != phase:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def late(
    acme: Acme, open_boards: Open
) -> AsyncIterator[tuple[Boards, Generation, asyncio.Event]]:
    """A new owner, an unknown generation, and what lets the answer reach the former owner.

    The former one lost its lock while it submitted: the file was deleted.
    """
    answer = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        told = await acme.submit(request)
        if acme.counts["submit"] == 1:
            await answer.wait()
        return told

    acme.answers["submit"] = slow
    acme.polls_needed = 1_000_000
    async with open_boards() as former:
        generation = await former.submit("draw", prompt="a cat")
        while not acme.jobs:
            await asyncio.sleep(0.01)
        (former.settings.home / "boards.db-owner").unlink()
        async with open_boards() as boards:
            await until(boards, generation, "unknown")
            yield boards, generation, answer
            answer.set()


@pytest.mark.parametrize("decided", ["resubmitted", "abandoned"])
async def test_the_late_job_of_a_former_owner_is_stopped(
    acme: Acme, open_boards: Open, decided: str
) -> None:
    """Another job took its place, or nobody wants one any more: it is an orphan."""
    async with late(acme, open_boards) as (boards, generation, answer):
        await boards.resolve(generation.id, resubmit=decided == "resubmitted")
        if decided == "resubmitted":
            await until(boards, generation, "waiting")
        answer.set()
        async with asyncio.timeout(10):
            while acme.jobs["job-1"]["status"] != "canceled":
                await asyncio.sleep(0.01)
        first = (await boards.attempts(generation.id))[0]
        assert (first.outcome, first.provider_job_id) == ("accepted", "job-1")
        if decided == "resubmitted":
            async with asyncio.timeout(10):
                async for event in boards.events(generation.id):
                    if event.type == "resolved" and event.data["decision"] == "orphan":
                        break
            assert acme.jobs["job-2"]["status"] != "canceled"
            assert (await boards.get(generation.id)).provider_job_id == "job-2"
            await boards.cancel(generation.id)


async def test_the_late_job_of_a_former_owner_spares_the_second_submit(
    acme: Acme, open_boards: Open
) -> None:
    """Its answer comes while the generation waits to be sent again."""
    async with late(acme, open_boards) as (boards, generation, answer):
        boards._running.client("acme").gate.pause(60)
        await boards.resolve(generation.id, resubmit=True)
        acme.polls_needed = 0
        answer.set()
        async with asyncio.timeout(10):
            assert (await boards.wait(generation.id)).status == "succeeded"
    assert acme.counts["submit"] == 1


async def test_an_orphan_that_cannot_be_stopped_is_told(acme: Acme, open_boards: Open) -> None:
    """The call does not say all that a cancel needs: the provider gets its answer all the same."""
    submit = acme.submit

    async def lossy(request: Any) -> Any:
        reply = await submit(request)
        return await drop(request) if acme.counts["submit"] == 1 else reply

    acme.answers["submit"] = lossy
    cancel = {"method": "POST", "path": "/jobs/${job.name}/cancel"}
    captured = {**SUBMIT, "capture": {"id": "body.id", "name": "body.polls"}}
    async with open_boards(
        provider={"webhook": WEBHOOK},
        execution={**SLOW, "submit": captured, "cancel": cancel},
        webhook_url=PUBLIC,
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat", on_ambiguous="resubmit")
        await until(boards, generation, "waiting")
        body = call(acme, status="running")
        await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        told = [one async for one in boards.events(generation.id, follow=False)]
    assert [one.data for one in told if one.type == "resolved"] == [
        {"decision": "orphan", "provider_job_id": "job-1"}
    ]
