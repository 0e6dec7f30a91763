"""What a generation costs: estimated, reserved, settled or released, and bounded by budgets."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from boards import Boards, GenerationFailedError, GenerationUnresolvedError
from boards.budgets import CostGroup
from boards.engine.transport import UnsentError
from boards.generations import FINAL_PHASES
from boards.spec.requests import Rendered
from tests.integration.acme import Acme, drop, generator
from tests.integration.test_webhooks import PUBLIC, SUBMIT, WEBHOOK, call, signed, token_of

Open = Callable[..., AbstractAsyncContextManager[Boards]]

LISTED = {"unit": "image", "usd": 0.04, "source": "https://acme.example", "as_of": "2026-11-01"}
NOTHING = CostGroup("", 0, 0.0, 0.0, 0.0, 0)


@pytest.fixture
def open_priced(acme: Acme, tmp_path: Path) -> Iterator[Open]:
    """Open a host whose generator ``acme/draw`` has a price.

    Afterwards nothing is reserved for what has ended, and something for all that has not.
    """

    def open_(
        *,
        cost: dict[str, Any] | None = LISTED,
        actual: dict[str, Any] | None = None,
        synchronous: bool = False,
        provider: dict[str, Any] | None = None,
        execution: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Boards:
        spec = generator(**(execution or {}))
        if cost is not None:
            spec["cost"] = {**cost, "actual": actual} if actual else cost
        if synchronous:
            del spec["execution"]["poll"], spec["execution"]["result"]
        return Boards(
            home=tmp_path / "home",
            environment={"ACME_KEY": "acme-secret-key"},
            providers={"acme": acme.provider(**(provider or {}))},
            generators=[spec],
            allow_private_hosts=True,
            **settings,
        )

    yield open_
    database = sqlite3.connect(tmp_path / "home" / "boards.db")
    rows = database.execute(
        "SELECT g.phase, l.state FROM ledger l JOIN generations g ON g.seq = l.generation"
        " WHERE l.attempt = (SELECT max(attempt) FROM ledger WHERE generation = g.seq)"
    ).fetchall()
    database.close()
    for phase, state in rows:
        assert (state == "reserved") == (phase not in FINAL_PHASES), rows


async def spent(boards: Boards) -> CostGroup:
    """All that is in the ledger."""
    groups = await boards.costs()
    return groups[0] if groups else NOTHING


def answer(status: int, body: Any = None, **headers: str) -> Any:
    """A handler that always says the same."""

    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body or {}, status=status, headers=headers)

    return handle


async def test_a_price_is_held_while_a_job_runs_and_spent_when_it_succeeds(
    acme: Acme, open_priced: Open
) -> None:
    """By the list price, where the provider tells nothing; the event tells it too."""
    acme.polls_needed = 10_000
    async with open_priced() as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        while not acme.counts["poll"]:
            await asyncio.sleep(0.01)
        assert await spent(boards) == CostGroup("acme", 1, 0.0, 0.0, 0.04, 0)
        acme.polls_needed = 0
        generation = await boards.wait(generation.id)
        assert await spent(boards) == CostGroup("acme", 1, 0.04, 0.0, 0.0, 0)
        events = [one async for one in boards.events(generation.id)]
    assert generation.cost is not None
    assert generation.cost.estimated
    assert dict(events[-1].data)["cost"] == generation.cost.as_dict()


@pytest.mark.parametrize(
    ("actual", "usd"),
    [
        ({"usd": "body.price"}, 0.07),
        ({"usd": "body.parts[*].price"}, 0.03),
        ({"quantity": "header.x-units"}, 0.1),
        ({"quantity": "body.nothing"}, None),
        ({"usd": "body.words"}, None),
    ],
)
async def test_what_the_provider_tells_wins(
    acme: Acme, open_priced: Open, actual: dict[str, str], usd: float | None
) -> None:
    """Dollars, or units at the list price; several are added up; nonsense tells nothing."""

    async def result(request: web.Request) -> web.StreamResponse:
        body = {
            "images": [{"url": f"{acme.url}/files/a.png"}],
            "price": 0.07,
            "parts": [{"price": 0.01}, {"price": 0.02}],
            "words": "much",
        }
        return web.json_response(body, headers={"X-Units": "2.5"})

    acme.answers["result"] = result
    async with open_priced(actual=actual) as boards:
        generation = await boards.generate("acme/draw", prompt="a")
        ledger = await spent(boards)
        assert await boards.get(generation.id) == generation
    assert generation.cost is not None
    assert generation.cost.estimated is (usd is None)
    assert generation.cost.usd == pytest.approx(usd or 0.04)
    assert ledger.usd == pytest.approx(usd or 0.04)
    assert ledger.told_usd == pytest.approx(usd or 0)


@pytest.mark.parametrize("later", [None, 0.05])
async def test_what_is_told_with_the_job_counts_until_a_later_reply_tells_otherwise(
    acme: Acme, open_priced: Open, later: float | None
) -> None:
    """Some tell the price once, in the answer to the submit; a restart has not forgotten it."""

    async def submit(request: web.Request) -> web.StreamResponse:
        await acme.submit(request)
        return web.json_response({"id": "job-1", "status": "queued", "price": 0.07}, status=201)

    async def result(_request: web.Request) -> web.StreamResponse:
        told = {} if later is None else {"price": later}
        return web.json_response({"images": [{"url": f"{acme.url}/files/a.png"}], **told})

    acme.answers.update(submit=submit, result=result)
    acme.polls_needed = 10_000
    async with open_priced(actual={"usd": "body.price"}) as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        while not acme.counts["poll"]:
            await asyncio.sleep(0.01)
        now = await boards.get(generation.id)
        assert now.cost is not None
        assert (now.cost.usd, now.cost.estimated) == (0.07, False)
    acme.polls_needed = 0
    async with open_priced(actual={"usd": "body.price"}) as boards:
        ended = await boards.wait(generation.id)
        usd = 0.07 if later is None else later
        assert ended.cost is not None
        assert (ended.cost.usd, ended.cost.estimated) == (usd, False)
        assert await spent(boards) == CostGroup("acme", 1, usd, usd, 0.0, 0)


async def test_a_provider_that_alone_knows_the_price_is_believed(
    acme: Acme, open_priced: Open
) -> None:
    """Without a list price there is no estimate; the reply of a synchronous submit tells it."""
    acme.answers["submit"] = answer(
        200, {"price": 0.5, "images": [{"url": f"{acme.url}/files/a.png"}]}
    )
    cost = {"unit": "generation", "actual": {"usd": "body.price"}}
    async with open_priced(cost=cost, synchronous=True) as boards:
        assert boards.estimate("acme/draw", prompt="a") is None
        generation = await boards.generate("acme/draw", prompt="a")
        assert await spent(boards) == CostGroup("acme", 1, 0.5, 0.5, 0.0, 0)
    assert generation.cost is not None
    assert (generation.cost.usd, generation.cost.estimated) == (0.5, False)


async def test_what_was_refused_costs_nothing(acme: Acme, open_priced: Open) -> None:
    """Neither an error at the submit, nor one attempt of two, nor what was never sent."""
    acme.answers["submit"] = answer(422, {"error": "no"})
    async with open_priced() as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("acme/draw", prompt="a")
        assert await spent(boards) == CostGroup("acme", 1, 0.0, 0.0, 0.0, 0)
        assert caught.value.generation is not None
        assert caught.value.generation.usd == 0

        async def once(request: web.Request) -> web.StreamResponse:
            del acme.answers["submit"]
            return web.json_response({}, status=429, headers={"Retry-After": "0"})

        acme.answers["submit"] = once
        await boards.generate("acme/draw", prompt="a")
        assert await spent(boards) == CostGroup("acme", 2, 0.04, 0.0, 0.0, 0)
    assert acme._runner is not None
    await acme._runner.cleanup()  # from now on nothing can be sent
    async with open_priced() as boards:
        with pytest.raises(GenerationFailedError):
            await boards.generate("acme/draw", prompt="a")
        assert await spent(boards) == CostGroup("acme", 3, 0.04, 0.0, 0.0, 0)


async def test_an_error_that_tells_what_it_cost_is_believed(acme: Acme, open_priced: Open) -> None:
    """The reply to the submit is the last of that job: its price counts, not the list's."""
    acme.answers["submit"] = answer(500, {"error": "no", "price": 0.01})
    async with open_priced(actual={"usd": "body.price"}) as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("acme/draw", prompt="a")
        assert caught.value.failure.maybe_charged
        assert await spent(boards) == CostGroup("acme", 1, 0.01, 0.01, 0.0, 0)


async def test_what_may_have_been_charged_counts(acme: Acme, open_priced: Open) -> None:
    """A submit that breaks the provider, a result that makes no sense."""
    async with open_priced() as boards:
        acme.answers["submit"] = answer(500)
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("acme/draw", prompt="a")
        assert caught.value.failure.maybe_charged
        assert (await spent(boards)).usd == 0.04
        del acme.answers["submit"]
        acme.answers["result"] = answer(200, {"images": []})
        with pytest.raises(GenerationFailedError):
            await boards.generate("acme/draw", prompt="a")
        assert await spent(boards) == CostGroup("acme", 2, 0.08, 0.0, 0.0, 0)


@pytest.mark.parametrize("second", ["refused", "unsent"])
async def test_a_lost_submit_may_have_been_charged_whatever_became_of_the_second(
    acme: Acme, open_priced: Open, second: str
) -> None:
    """The second one is refused, or never sent: the generation's error and the ledger agree."""

    async def first(request: web.Request) -> web.StreamResponse:
        acme.answers["submit"] = answer(422, {"error": "no"})
        return await drop(request)

    acme.answers["submit"] = first
    budget = "0.05 USD/day" if second == "unsent" else "1 USD/day"
    async with open_priced(budget=budget) as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("acme/draw", prompt="a", on_ambiguous="resubmit")
        assert caught.value.failure.kind == ("quota" if second == "unsent" else "invalid_input")
        assert caught.value.failure.maybe_charged
        assert await spent(boards) == CostGroup("acme", 1, 0.04, 0.0, 0.0, 0)
        outcomes = [one.outcome for one in await boards.attempts(caught.value.generation.id)]
        assert outcomes == ["ambiguous", "refused"][: len(outcomes)]


async def test_a_job_that_comes_home_after_all_costs_what_its_provider_tells(
    acme: Acme, open_priced: Open
) -> None:
    """Its line was settled at the estimate when it was to be sent again; then a call told of it."""

    async def lossy(request: web.Request) -> web.StreamResponse:
        await acme.submit(request)
        return await drop(request)

    async def result(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"images": [{"url": f"{acme.url}/files/a.png"}], "price": 0.03})

    acme.answers.update(submit=lossy, result=result)
    acme.polls_needed = 0
    settings: dict[str, Any] = {
        "actual": {"usd": "body.price"},
        "execution": {"submit": SUBMIT},
        "provider": {"webhook": {**WEBHOOK, "then": "poll"}},
        "webhook_url": PUBLIC,
    }
    async with open_priced(**settings) as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        assert (await boards.wait(generation.id)).phase == "unknown"
        boards._running.client("acme").gate.pause(60)
        await boards.resolve(generation.id, resubmit=True)
        assert await spent(boards) == CostGroup("acme", 1, 0.04, 0.0, 0.0, 0)
        body = call(acme)
        await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        ended = await boards.wait(generation.id)
        assert (ended.usd, acme.counts["submit"]) == (0.03, 1)
        assert await spent(boards) == CostGroup("acme", 1, 0.03, 0.03, 0.0, 0)


@pytest.mark.parametrize("why", ["forgotten", "forbidden"])
async def test_an_accepted_job_that_cannot_be_asked_for_may_have_been_charged(
    acme: Acme, open_priced: Open, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Its provider does not know it any more, or says that it is where nobody may ask."""
    monkeypatch.setattr("boards.engine.waiting._YOUNG", 0)

    async with open_priced() as boards:
        client = boards._running.client("acme")
        exchange = client.exchange

        async def forbidden(rendered: Rendered, **how: Any) -> Any:
            if rendered.method == "GET":
                raise UnsentError("it is private", forbidden="10.0.0.1")
            return await exchange(rendered, **how)

        async def forgotten(_request: web.Request) -> web.StreamResponse:
            return web.json_response({"error": {"message": "no such job"}}, status=404)

        if why == "forgotten":
            acme.answers["poll"] = forgotten
        else:
            monkeypatch.setattr(client, "exchange", forbidden)
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("draw", prompt="a cat")
        assert caught.value.failure.maybe_charged
        (cost,) = await boards.costs()
    assert (cost.usd, cost.reserved_usd) == (0.04, 0.0)


@pytest.mark.parametrize(("units", "usd"), [(None, 0.04), ("0", 0.0)])
async def test_a_job_that_ran_and_has_no_result_may_have_been_charged(
    acme: Acme, open_priced: Open, units: str | None, usd: float
) -> None:
    """As at fal, where a refusal of the model is told with the result; unless it tells units."""
    told = {} if units is None else {"X-Units": units}
    acme.answers["result"] = answer(422, {"error": "flagged"}, **told)
    async with open_priced(actual={"quantity": "header.x-units"}) as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("draw", prompt="a cat")
        assert caught.value.failure.kind == "invalid_input"
        assert caught.value.failure.maybe_charged
        assert (await spent(boards)).usd == usd


async def test_a_failed_job_costs_what_its_provider_tells(acme: Acme, open_priced: Open) -> None:
    """Nothing where it tells nothing; the seconds that it ran where it tells them."""
    async with open_priced(actual={"quantity": "body.seconds"}) as boards:
        acme.answers["poll"] = answer(200, {"status": "failed", "reason": "no"})
        with pytest.raises(GenerationFailedError):
            await boards.generate("acme/draw", prompt="a")
        assert (await spent(boards)).usd == 0
        acme.answers["poll"] = answer(200, {"status": "failed", "reason": "no", "seconds": 2})
        with pytest.raises(GenerationFailedError):
            await boards.generate("acme/draw", prompt="a")
        assert await spent(boards) == CostGroup("acme", 2, 0.08, 0.08, 0.0, 0)


@pytest.mark.parametrize(
    ("decision", "ledger"),
    [
        ("abandon", CostGroup("acme", 1, 0.04, 0.0, 0.0, 0)),
        ("job", CostGroup("acme", 1, 0.04, 0.0, 0.0, 0)),
        ("resubmit", CostGroup("acme", 1, 0.08, 0.0, 0.0, 0)),
    ],
)
async def test_an_unknown_generation_holds_its_price_until_it_is_decided(
    acme: Acme, open_priced: Open, decision: str, ledger: CostGroup
) -> None:
    """Also over a restart; what was lost may have been charged, and counts beside a resubmit."""
    acme.answers["submit"] = drop
    async with open_priced() as boards:
        with pytest.raises(GenerationUnresolvedError) as caught:
            await boards.generate("acme/draw", prompt="a")
        assert await spent(boards) == CostGroup("acme", 1, 0.0, 0.0, 0.04, 0)
    del acme.answers["submit"]
    acme.jobs["found"] = {"id": "found", "status": "queued", "polls": 0}
    async with open_priced() as boards:
        assert (await spent(boards)).reserved_usd == 0.04
        await boards.resolve(
            caught.value.generation.id,
            job="found" if decision == "job" else None,
            resubmit=decision == "resubmit",
        )
        await boards.wait(caught.value.generation.id)
        assert await spent(boards) == ledger


async def test_a_canceled_job_may_have_been_charged(acme: Acme, open_priced: Open) -> None:
    """Once it was accepted; before that it costs nothing."""
    acme.polls_needed = 10_000
    async with open_priced() as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        while not acme.counts["poll"]:
            await asyncio.sleep(0.01)
        await boards.cancel(generation.id)
        await boards.wait(generation.id)
        assert await spent(boards) == CostGroup("acme", 1, 0.04, 0.0, 0.0, 0)
    async with open_priced(drive=False) as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        await boards.cancel(generation.id)
    async with open_priced() as boards:
        assert (await boards.wait(generation.id)).phase == "canceled"
        assert (await spent(boards)).usd == 0.04


async def test_a_budget_stops_what_does_not_fit_before_anything_is_sent(
    acme: Acme, open_priced: Open
) -> None:
    """Of twenty at once, as many as fit are submitted; the others fail, and say what to do."""
    async with open_priced(budget="0.2 USD/month") as boards:
        results = await asyncio.gather(
            *(boards.generate("acme/draw", prompt="a") for _ in range(20)), return_exceptions=True
        )
        failed = [one for one in results if isinstance(one, GenerationFailedError)]
        assert len(failed) == 15
        assert acme.counts["submit"] == 5
        assert await spent(boards) == CostGroup("acme", 5, 0.2, 0.0, 0.0, 0)
        for one in failed:
            failure = one.failure
            assert (failure.kind, failure.retryable, failure.maybe_charged) == (
                "quota",
                False,
                False,
            )
            assert "of the budget of 0.2 USD/month" in failure.message
            assert failure.remedy.startswith("Raise BOARDS_BUDGET, or generate again after ")
            assert await boards._running.store.attempts(one.generation.id) == []


async def test_a_told_price_makes_room_or_takes_it(acme: Acme, open_priced: Open) -> None:
    """A budget counts what was told once it is known."""
    acme.answers["result"] = answer(
        200, {"images": [{"url": f"{acme.url}/files/a.png"}], "price": 0.01}
    )
    async with open_priced(budget="0.05 USD/month", actual={"usd": "body.price"}) as boards:
        for _ in range(2):
            await boards.generate("acme/draw", prompt="a")
        with pytest.raises(GenerationFailedError, match=r"0\.03 USD are left"):
            await boards.generate("acme/draw", prompt="a")


async def test_what_is_reserved_is_part_of_the_budget_after_a_restart(
    acme: Acme, open_priced: Open
) -> None:
    """An unknown generation keeps its part."""
    acme.answers["submit"] = drop
    async with open_priced(budget="0.05 USD/month") as boards:
        with pytest.raises(GenerationUnresolvedError):
            await boards.generate("acme/draw", prompt="a")
    del acme.answers["submit"]
    async with open_priced(budget="0.05 USD/month") as boards:
        with pytest.raises(GenerationFailedError, match=r"0\.04 USD are reserved"):
            await boards.generate("acme/draw", prompt="a")


async def test_what_has_no_price_is_told_once_or_refused(
    acme: Acme, open_priced: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """A budget cannot see it: it is let through with a warning, unless a setting says no."""
    with caplog.at_level(logging.WARNING, "boards.engine"):
        async with open_priced(cost=None, budget="1 USD/day") as boards:
            await boards.generate("acme/draw", prompt="a")
            await boards.generate("acme/draw", prompt="a")
            assert await spent(boards) == CostGroup("acme", 2, 0.0, 0.0, 0.0, 2)
    assert caplog.text.count("budgets cannot see what it costs") == 1
    async with open_priced(cost=None, budget="1 USD/day", budget_unpriced="refuse") as boards:
        with pytest.raises(GenerationFailedError, match="acme/draw has no price") as caught:
            await boards.generate("acme/draw", prompt="a")
    assert "BOARDS_BUDGET_UNPRICED=allow" in caught.value.failure.remedy
    async with open_priced(cost=None, budget_unpriced="refuse") as boards:
        assert (await boards.generate("acme/draw", prompt="a")).status == "succeeded"


async def test_no_input_makes_a_price_negative(acme: Acme, open_priced: Open) -> None:
    """-1 seconds, which mean "as long as you like": budgets do not take that for free."""
    cost = {**LISTED, "times": "${input.seed?}"}
    async with open_priced(cost=cost, budget="1 USD/day", budget_unpriced="refuse") as boards:
        assert boards.estimate("acme/draw", prompt="a", seed=-1) is None
        with pytest.raises(GenerationFailedError, match="acme/draw has no price"):
            await boards.generate("acme/draw", prompt="a", seed=-1)
    assert acme.counts["submit"] == 0


async def test_costs_are_asked_for_by_time_and_by_what_they_share(open_priced: Open) -> None:
    """Since a moment or for some time, until a moment; by generator, owner and day."""
    async with open_priced() as boards:
        await boards.generate("acme/draw", prompt="a")
        (one,) = await boards.costs(since=timedelta(hours=1), group_by="generator")
        assert (one.name, one.usd) == ("acme/draw", 0.04)
        (one,) = await boards.costs(since=datetime.now(UTC) - timedelta(hours=1), group_by="day")
        assert one.as_dict() == {
            "name": f"{datetime.now(UTC):%Y-%m-%d}",
            "generations": 1,
            "usd": 0.04,
            "told_usd": 0.0,
            "reserved_usd": 0.0,
            "unpriced": 0,
        }
        assert await boards.costs(until=datetime.now(UTC) - timedelta(hours=1)) == []
        with pytest.raises(ValueError, match="group_by is 'year': expected one of provider"):
            await boards.costs(group_by="year")  # type: ignore[arg-type]
