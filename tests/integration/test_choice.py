"""Which provider a short name goes to, and what becomes of requests that are alike or too many."""

import asyncio
import base64
import itertools
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from boards import Boards
from boards.errors import (
    BoardsError,
    ConflictError,
    GenerationFailedError,
    InvalidInputError,
    SpecError,
    UnavailableError,
)
from boards.generations import Cost
from tests.integration.acme import PNG, Acme, drop, generator
from tests.integration.conftest import Open

KEYS = {"ACME_KEY": "acme-secret-key", "OTHER_KEY": "acme-secret-key"}


@pytest.fixture
async def other() -> AsyncIterator[Acme]:
    """A second provider, of the same API."""
    async with Acme() as provider:
        yield provider


def both(
    acme: Acme, other: Acme, home: Path, *, environment: dict[str, str] | None = None, **more: Any
) -> Boards:
    """A host on which acme/draw and other/draw are candidates for ``draw``, in this order."""
    second = generator()
    second["provider"] = "other"
    del second["io"]["input_schema"]["properties"]["style"]
    del second["execution"]["submit"]["json"]["style"]
    definition = other.provider()
    definition["config"]["api_key_env"] = "OTHER_KEY"
    return Boards(
        home=home,
        environment=KEYS if environment is None else environment,
        providers={"acme": {**acme.provider(), "priority": 1}, "other": definition},
        generators=[generator(), second],
        allow_private_hosts=True,
        **more,
    )


async def fallbacks(boards: Boards, generation_id: str) -> list[dict[str, Any]]:
    """What the events tell of fallbacks."""
    events = [event async for event in boards.events(generation_id, follow=False)]
    return [dict(event.data) for event in events if event.type == "fallback"]


async def test_the_next_provider_is_taken_where_the_first_cannot_be_used(
    acme: Acme, other: Acme, tmp_path: Path
) -> None:
    """By default; an event tells from where, to where, and why."""
    async with both(acme, other, tmp_path, environment={"OTHER_KEY": "acme-secret-key"}) as boards:
        generation = await boards.generate("draw", prompt="a cat")
        told = await fallbacks(boards, generation.id)
    assert generation.provider == "other"
    assert told == [{"from": "acme/draw", "to": "other/draw", "reason": "ACME_KEY is not set"}]


async def test_without_fallback_the_first_provider_must_do(
    acme: Acme, other: Acme, tmp_path: Path
) -> None:
    """Strict: by the setting, or for one request."""
    environment = {"OTHER_KEY": "acme-secret-key"}
    async with both(acme, other, tmp_path, environment=environment) as boards:
        with pytest.raises(UnavailableError, match="ACME_KEY is not set"):
            await boards.generate("draw", prompt="a cat", fallback="off")
    async with both(acme, other, tmp_path, environment=environment, fallback="off") as boards:
        with pytest.raises(UnavailableError, match="The provider acme cannot be used"):
            await boards.generate("draw", prompt="a cat")
        assert (
            await boards.generate("draw", prompt="a cat", fallback="on_unavailable")
        ).provider == "other"


@pytest.mark.parametrize("fallback", ["off", "on_unavailable", "on_error"])
async def test_a_generator_that_mistakes_hide_is_not_passed_over_silently(
    acme: Acme, other: Acme, tmp_path: Path, fallback: Any
) -> None:
    """A slip in the host's file sent what it should name to another provider, without a word."""
    second = {**generator(), "provider": "other"}
    files = {"generators": [{**generator(), "artifact_type": "picture"}, second]}
    (tmp_path / "generators.yaml").write_text(json.dumps(files))
    async with Boards(
        home=tmp_path,
        environment=KEYS,
        providers={"acme": {**acme.provider(), "priority": 1}, "other": other.provider()},
        allow_private_hosts=True,
        fallback=fallback,
    ) as boards:
        if fallback == "off":
            with pytest.raises(SpecError, match="acme/draw has mistakes"):
                await boards.generate("draw", prompt="a cat")
            assert other.counts["submit"] == 0
            return
        generation = await boards.generate("draw", prompt="a cat")
        assert await fallbacks(boards, generation.id) == [
            {
                "from": "acme/draw",
                "to": "other/draw",
                "reason": "The generator acme/draw has mistakes",
            }
        ]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"fallback": "never"}, "fallback: must be one of off, on_unavailable, on_error"),
        ({"on_ambiguous": "retry"}, "on_ambiguous: must be one of hold, resubmit, fail"),
        ({"dedupe_key": ""}, "dedupe_key: must be a text that is not empty, not ''"),
        ({"dedupe_key": 7}, "dedupe_key: must be a text that is not empty, not 7"),
        ({"priority": "high"}, "priority: must be an integer, not 'high'"),
    ],
)
async def test_an_argument_that_means_nothing_is_refused(
    acme: Acme, other: Acme, tmp_path: Path, wrong: dict[str, Any], told: str
) -> None:
    """It was taken for the default: another provider was paid, or another request returned."""
    environment = {"OTHER_KEY": "acme-secret-key"}
    async with both(acme, other, tmp_path, environment=environment) as boards:
        with pytest.raises(InvalidInputError, match=re.escape(told)):
            await boards.generate("draw", prompt="a cat", **wrong)
        assert await boards.list() == []


@pytest.mark.parametrize("status", [401, 402, 404, 429])
async def test_a_refusal_goes_to_the_next_provider_where_that_is_wished(
    acme: Acme, other: Acme, tmp_path: Path, status: int
) -> None:
    """With on_error: nothing was accepted, so nothing is paid twice."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "not now"}}, status=status)

    acme.answers["submit"] = refuse
    async with both(acme, other, tmp_path) as boards:
        generation = await boards.generate("draw", prompt="a cat", fallback="on_error")
        told = await fallbacks(boards, generation.id)
        again = await boards.get(generation.id)
    assert (generation.provider, again.generator) == ("other", "other/draw")
    assert [(one["from"], one["to"]) for one in told] == [("acme/draw", "other/draw")]
    assert "not now" in told[0]["reason"]
    assert other.counts["submit"] == 1


@pytest.mark.parametrize("trouble", ["down", "busy"])
async def test_nobody_waits_for_a_provider_that_lets_nothing_through(
    acme: Acme, other: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Neither those that it refused nor those at its gate: they waited for hours, one by one."""
    monkeypatch.setattr("boards.engine.limits._COOL_DOWN", (3600.0, 3600.0))

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": "3600"})

    acme.answers["submit"] = refuse
    if trouble == "down":
        with socket.create_server(("127.0.0.1", 0)) as unused:
            acme.url = "http://127.0.0.1:{1}".format(*unused.getsockname())
    async with both(acme, other, tmp_path) as boards:
        made = await asyncio.gather(
            *(boards.submit("draw", prompt="a cat", fallback="on_error") for _ in range(40))
        )
        ended = [await asyncio.wait_for(boards.wait(one.id), 60) for one in made]
        last = await boards.generate("draw", prompt="a cat", fallback="on_error")
        told = [*await fallbacks(boards, made[-1].id), *await fallbacks(boards, last.id)]
    assert {(one.provider, one.status) for one in (*ended, last)} == {("other", "succeeded")}
    assert acme.counts["submit"] <= 16  # those that its gate had let through
    reason = "acme: it does not answer" if trouble == "down" else "acme: it asks to wait for"
    assert [one["reason"].startswith(reason) for one in told] == [True, True]


async def test_what_was_lost_once_waits_for_a_provider_that_is_down(
    acme: Acme, other: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be paid for there; once the provider answers again, it is sent again."""
    monkeypatch.setattr("boards.engine.limits._COOL_DOWN", (0.1, 0.1))
    submit = acme.submit

    async def lose(request: web.Request) -> web.StreamResponse:
        if acme.counts["submit"] > 7:
            return await submit(request)
        if acme.counts["submit"] == 1:
            return await drop(request)
        return web.json_response({}, status=500)

    acme.answers["submit"] = lose
    async with both(acme, other, tmp_path) as boards:
        lost = await boards.submit("draw", prompt="a cat", fallback="on_error")
        assert (await boards.wait(lost.id)).phase == "unknown"
        for _ in range(6):
            with pytest.raises(GenerationFailedError):
                await boards.generate("acme/draw", prompt="a cat")
        await boards.resolve(lost.id, resubmit=True)
        ended = await boards.wait(lost.id)
    assert (ended.provider, ended.status) == ("acme", "succeeded")
    assert other.counts["submit"] == 0


@pytest.mark.parametrize("fallback", ["off", "on_unavailable"])
async def test_a_refusal_is_a_failure_otherwise(
    acme: Acme, other: Acme, tmp_path: Path, fallback: Any
) -> None:
    """No model is switched silently."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=402)

    acme.answers["submit"] = refuse
    async with both(acme, other, tmp_path) as boards:
        with pytest.raises(GenerationFailedError):
            await boards.generate("draw", prompt="a cat", fallback=fallback)
    assert other.counts["submit"] == 0


@pytest.mark.parametrize("trouble", ["input", "lost", "failed"])
async def test_what_another_provider_would_not_mend_or_may_be_paid_stays(
    acme: Acme, other: Acme, tmp_path: Path, trouble: str
) -> None:
    """A bad input is bad everywhere; a lost answer and a job that failed were maybe paid for."""
    submit = acme.submit

    async def answer(request: web.Request) -> web.StreamResponse:
        if trouble == "input":
            return web.json_response({}, status=422)
        if trouble == "lost":
            return await drop(request)
        reply = await submit(request)
        acme.jobs["job-1"]["status"] = "failed"
        return reply

    acme.answers["submit"] = answer
    async with both(acme, other, tmp_path) as boards:
        generation = await boards.submit("draw", prompt="a cat", fallback="on_error")
        ended = await boards.wait(generation.id)
    assert ended.provider == "acme"
    assert ended.phase == ("unknown" if trouble == "lost" else "failed")
    assert other.counts["submit"] == 0


@pytest.mark.parametrize("how", ["resubmit", "person", "key"])
async def test_what_was_lost_once_never_goes_elsewhere(
    acme: Acme, other: Acme, tmp_path: Path, how: str
) -> None:
    """It is sent again and surely refused, or cannot be; the lost one may be paid for still."""
    environment = dict(KEYS)

    async def lose(request: web.Request) -> web.StreamResponse:
        acme.answers["submit"] = refuse
        if how == "key":
            del environment["ACME_KEY"]
        return await drop(request)

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=402)

    acme.answers["submit"] = lose
    async with both(acme, other, tmp_path, environment=environment) as boards:
        generation = await boards.submit(
            "draw",
            prompt="a cat",
            fallback="on_error",
            on_ambiguous="hold" if how == "person" else "resubmit",
        )
        if how == "person":
            assert (await boards.wait(generation.id)).phase == "unknown"
            await boards.resolve(generation.id, resubmit=True)
        ended = await boards.wait(generation.id)
    assert (ended.provider, ended.phase) == ("acme", "failed")
    assert ended.error is not None
    assert ended.error.maybe_charged
    assert other.counts["submit"] == 0


async def test_a_candidate_that_does_not_take_the_input_is_no_alternative(
    acme: Acme, other: Acme, tmp_path: Path
) -> None:
    """The other provider has no input called style."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=402)

    acme.answers["submit"] = refuse
    async with both(acme, other, tmp_path) as boards:
        with pytest.raises(GenerationFailedError):
            await boards.generate("draw", prompt="a cat", style="photo", fallback="on_error")
    assert other.counts["submit"] == 0


@pytest.mark.parametrize("fallback", ["on_unavailable", "on_error"])
async def test_a_stand_in_has_to_take_the_input(
    acme: Acme, other: Acme, tmp_path: Path, fallback: Any
) -> None:
    """The first provider has no key, the second no input called style: it is the third's."""
    boards = both(acme, other, tmp_path, environment={"OTHER_KEY": "acme-secret-key"})
    price = {"unit": "image", "usd": 0.5, "source": "https://x.example", "as_of": "2026-11-01"}
    third = {**other.provider(), "priority": 200}
    third["config"] = {**third["config"], "api_key_env": "OTHER_KEY"}
    async with Boards(
        home=tmp_path,
        environment={"OTHER_KEY": "acme-secret-key"},
        providers={
            **{one.name: one.spec for one in boards.providers() if one.name in ("acme", "other")},
            "third": third,
        },
        generators=[
            *(boards.registry.spec(id_) for id_ in ("acme/draw", "other/draw")),
            {**generator(), "provider": "third", "cost": price},
        ],
        allow_private_hosts=True,
    ) as boards:
        generation = await boards.generate("draw", prompt="a cat", style="photo", fallback=fallback)
        assert generation.provider == "third"
        assert await fallbacks(boards, generation.id) == [
            {"from": "acme/draw", "to": "third/draw", "reason": "ACME_KEY is not set"},
            {"from": "other/draw", "to": "third/draw", "reason": "It does not take this input"},
        ]
        assert boards.estimate("draw", prompt="a cat", style="photo") == Cost(0.5, "image")
        with pytest.raises(InvalidInputError) as caught:
            await boards.generate("draw", prompt="a cat", style="none", fallback=fallback)
        assert caught.value.generator == "other/draw"


async def test_a_bad_input_is_told_by_the_preferred_generator(
    acme: Acme, other: Acme, tmp_path: Path
) -> None:
    """It does not wander off to a generator that would take it."""
    async with both(acme, other, tmp_path) as boards:
        with pytest.raises(InvalidInputError) as caught:
            await boards.generate("draw", prompt="a cat", size=1, fallback="on_error")
    assert caught.value.generator == "acme/draw"


@pytest.mark.parametrize("why", ["file", "input", "key", "generator"])
async def test_a_used_dedupe_key_stands_for_a_request_that_cannot_be_made_any_more(
    acme: Acme, open_boards: Open, tmp_path: Path, why: str
) -> None:
    """Its caller died, and repeats it: what it paid for is there, and is no error."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(PNG)
    async with open_boards() as boards:
        first = await boards.submit("draw", prompt="a cat", image=picture, dedupe_key="order-7")
        await boards.wait(first.id)
    picture.unlink()
    given = {"prompt": "a cat", **({"image": picture} if why == "file" else {})}
    given |= {"size": 1} if why == "input" else {}
    name = "nothing" if why == "generator" else "draw"
    async with open_boards(environment={} if why == "key" else None) as boards:
        again = await boards.submit(name, dedupe_key="order-7", input=given)
        made = await boards.generate(name, dedupe_key="order-7", input=given)
        with pytest.raises(BoardsError):
            await boards.generate(name, dedupe_key="order-8", input=given)
    assert (again.id, made.id, made.status) == (first.id, first.id, "succeeded")
    assert acme.counts["submit"] == 1


async def test_an_equal_request_is_answered_by_the_earlier_one(
    acme: Acme, open_boards: Open
) -> None:
    """On demand: the order of inputs and given defaults make no difference."""
    async with open_boards() as boards:
        first = await boards.generate("draw", prompt="a cat", seed=1, cache=True)
        second = await boards.generate("draw", size=512, seed=1, prompt="a cat", cache=True)
        third = await boards.generate("draw", prompt="a cat", seed=2, cache=True)
        fourth = await boards.generate("draw", prompt="a cat", seed=1)
    assert second.id == first.id
    assert len({first.id, third.id, fourth.id}) == 3
    assert acme.counts["submit"] == 3


async def test_files_of_equal_requests_are_compared_by_content(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """However they are given, and whatever their names end with."""
    encoded = base64.b64encode(PNG).decode()
    for name in ("a.png", "b.dat", "c.raw"):
        (tmp_path / name).write_bytes(PNG if name == "a.png" else b"\0\1\2")
    async with open_boards() as boards:

        async def draw(image: Any) -> str:
            return (await boards.generate("draw", prompt="a cat", image=image, cache=True)).id

        first = await boards.generate("draw", prompt="a cat", image=PNG, cache=True)
        same = [tmp_path / "a.png", f"data:image/png;base64,{encoded}", first.artifacts[0]]
        assert {await draw(image) for image in same} == {first.id}
        assert await draw(tmp_path / "b.dat") == await draw(tmp_path / "c.raw") != first.id
    assert acme.counts["submit"] == 2


async def test_what_went_elsewhere_is_shared_with_those_alone_who_may_go_there(
    acme: Acme, other: Acme, tmp_path: Path
) -> None:
    """Whoever names a provider, or wants no other, does not get another one's result."""
    submit = acme.submit

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=402)

    acme.answers["submit"] = refuse
    async with both(acme, other, tmp_path) as boards:
        moved = await boards.generate("draw", prompt="a cat", cache=True, fallback="on_error")
        again = await boards.generate("draw", prompt="a cat", cache=True, fallback="on_error")
        acme.answers["submit"] = submit
        named = await boards.generate("acme/draw", prompt="a cat", cache=True, fallback="on_error")
        strict = await boards.generate("draw", prompt="a cat", cache=True, fallback="off")
    assert moved.provider == "other"
    assert again.id == moved.id
    assert named.provider == "acme"
    assert strict.id == named.id


async def test_equal_requests_under_way_are_one(acme: Acme, open_boards: Open) -> None:
    """Who comes second waits for the first."""
    async with open_boards() as boards:
        made = await asyncio.gather(
            *(boards.generate("draw", prompt="a cat", cache=True) for _ in range(10))
        )
    assert len({one.id for one in made}) == 1
    assert acme.counts["submit"] == 1


async def test_a_success_whose_files_are_gone_answers_nothing(
    acme: Acme, open_boards: Open
) -> None:
    """Deleted by hand, or by a bucket's lifecycle; what is made anew does, and a key still does."""
    pictures = itertools.count()

    async def another(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=PNG + bytes([next(pictures)]), content_type="image/png")

    acme.answers["file"] = another
    async with open_boards() as boards:
        made = [
            await boards.generate("draw", prompt="a cat", cache=True, dedupe_key="k") for _ in "ab"
        ]
        for _ in "ab":
            [artifact] = made[-1].artifacts
            assert artifact.path is not None
            artifact.path.unlink()
            made += [await boards.generate("draw", prompt="a cat", cache=True) for _ in "ab"]
        keyed = await boards.generate("draw", prompt="a cat", cache=True, dedupe_key="k")
    first, _, second, again, third, _ = (one.id for one in made)
    assert second == again
    assert len({first, second, third}) == 3
    assert keyed.id == first
    assert acme.counts["submit"] == 3


async def test_what_is_being_canceled_is_not_shared(acme: Acme, open_boards: Open) -> None:
    """Who asks now does not get what somebody else gave up."""
    acme.polls_needed = 10_000
    acme.answers["cancel"] = acme.me  # which does nothing
    async with open_boards() as boards:
        first = await boards.submit("draw", prompt="a cat", cache=True)
        await boards.cancel(first.id)
        second = await boards.submit("draw", prompt="a cat", cache=True)
        assert second.id != first.id
        acme.polls_needed = 0
        assert (await boards.wait(first.id)).status == "succeeded"
        await boards.wait(second.id)
        third = await boards.submit("draw", prompt="a cat", cache=True)
        assert third.id == second.id


async def test_a_failure_is_not_shared(acme: Acme, open_boards: Open) -> None:
    """The next equal request tries again."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=402)

    acme.answers["submit"] = refuse
    async with open_boards() as boards:
        with pytest.raises(GenerationFailedError):
            await boards.generate("draw", prompt="a cat", cache=True)
        del acme.answers["submit"]
        assert (await boards.generate("draw", prompt="a cat", cache=True)).status == "succeeded"


async def test_an_owner_has_no_more_under_way_than_is_allowed(
    acme: Acme, open_boards: Open
) -> None:
    """Enforced in the database, so that concurrent requests cannot slip through."""
    acme.polls_needed = 10_000
    async with open_boards(max_in_flight=3) as boards:
        tried = await asyncio.gather(
            *(boards.submit("draw", prompt="a cat") for _ in range(10)), return_exceptions=True
        )
        made = [one for one in tried if not isinstance(one, BaseException)]
        refused = [one for one in tried if isinstance(one, ConflictError)]
        assert (len(made), len(refused)) == (3, 7)
        assert set(refused[0].running) <= {one.id for one in made}
        assert f"boards wait {refused[0].running[0]}." in refused[0].remedy
        await boards.cancel(made[0].id)
        await boards.wait(made[0].id)
        await boards.submit("draw", prompt="a cat")


async def test_a_lost_submit_is_repeated_where_its_caller_wishes(
    acme: Acme, open_boards: Open
) -> None:
    """on_ambiguous: hold is the default, resubmit takes the risk, fail gives up."""
    submit = acme.submit

    async def lossy(request: web.Request) -> web.StreamResponse:
        return await (drop(request) if acme.counts["submit"] == 1 else submit(request))

    acme.answers["submit"] = lossy
    async with open_boards() as boards:
        generation = await boards.generate("draw", prompt="a cat", on_ambiguous="resubmit")
        assert generation.status == "succeeded"
        acme.answers["submit"] = drop
        with pytest.raises(GenerationFailedError, match="cannot be told") as caught:
            await boards.generate("draw", prompt="a cat", on_ambiguous="fail")
        assert caught.value.failure.maybe_charged
        with pytest.raises(GenerationFailedError, match="3 submits were lost"):
            await boards.generate("draw", prompt="a cat", on_ambiguous="resubmit")


async def test_only_what_was_lost_counts_as_lost(acme: Acme, open_boards: Open) -> None:
    """A provider that was busy twice uses up none of the submits that may be lost."""
    submit = acme.submit

    async def moody(request: web.Request) -> web.StreamResponse:
        if acme.counts["submit"] <= 2:
            return web.json_response({}, status=429, headers={"Retry-After": "0"})
        return await (drop(request) if acme.counts["submit"] == 3 else submit(request))

    acme.answers["submit"] = moody
    async with open_boards() as boards:
        generation = await boards.generate("draw", prompt="a cat", on_ambiguous="resubmit")
        attempts = await boards.attempts(generation.id)
    assert generation.status == "succeeded"
    assert [one.outcome for one in attempts] == ["refused", "refused", "ambiguous", "accepted"]
