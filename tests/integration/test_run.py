"""The main job over real sockets: submit, poll, fetch, keep."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from boards import (
    Boards,
    GenerationCanceledError,
    GenerationFailedError,
    GenerationUnresolvedError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from tests.integration.acme import PNG, Acme, drop
from tests.integration.conftest import Open


async def test_a_generation_ends_with_an_artifact_on_disk(open_boards: Open) -> None:
    """The bytes are those that the provider served; facts that the spec names are kept."""
    async with open_boards() as boards:
        generation = await boards.generate("acme/draw", prompt="a cat", seed=3)
    (artifact,) = generation.artifacts
    assert generation.status == "succeeded"
    assert artifact.path is not None
    assert artifact.path.read_bytes() == PNG
    assert (artifact.mime, artifact.type, artifact.meta) == ("image/png", "image", {"seed": 7})
    assert generation.provider_job_id == "job-1"


async def test_the_request_has_the_inputs_with_their_types(acme: Acme, open_boards: Open) -> None:
    """A string that looks like a number stays a string; what is absent is left out."""
    async with open_boards() as boards:
        await boards.generate("acme/draw", prompt="7")
    assert acme.jobs["job-1"]["input"] == {"prompt": "7", "size": 512}


async def test_events_tell_the_story_in_order_and_resume(open_boards: Open) -> None:
    """Events are numbered; a reader goes on after the last one that it saw."""
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
        events = [event async for event in boards.events(generation.id)]
        later = [event async for event in boards.events(generation.id, after=events[2].id)]
    types = [event.type for event in events]
    assert types[:3] == ["queued", "submitting", "submitted"]
    assert types[-3:] == ["fetching", "artifact", "succeeded"]
    assert "progress" in types
    assert [event.id for event in later] == [event.id for event in events[3:]]


async def test_a_short_name_and_a_default_generator_work(open_boards: Open) -> None:
    """``draw`` and ``@acme`` stand for ``acme/draw``."""
    async with open_boards() as boards:
        short = await boards.generate("draw", prompt="a")
        default = await boards.generate("@acme", prompt="b")
    assert short.generator == default.generator == "acme/draw"


async def test_a_dedupe_key_submits_once(acme: Acme, open_boards: Open) -> None:
    """The second call returns the first generation; the provider is asked once."""
    async with open_boards() as boards:
        first, second = await asyncio.gather(
            boards.generate("acme/draw", prompt="a", dedupe_key="order-7"),
            boards.generate("acme/draw", prompt="a", dedupe_key="order-7"),
        )
    assert first.id == second.id
    assert acme.counts["submit"] == 1


async def test_a_local_file_is_sent_as_a_data_uri(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """The file is kept at submit time and sent in a form that the provider takes."""
    picture = tmp_path / "cat.png"
    picture.write_bytes(PNG)
    async with open_boards() as boards:
        generation = await boards.generate("acme/draw", prompt="a", image=picture)
        again = await boards.generate("acme/draw", prompt="a", image=generation.artifacts[0])
    sent = [job["input"]["image"] for job in acme.jobs.values()]
    assert sent[0].startswith("data:image/png;base64,")
    assert sent[0] == sent[1]
    assert again.input["image"] == generation.artifacts[0].reference


async def test_a_cancel_reaches_the_provider(acme: Acme, open_boards: Open) -> None:
    """The generation is canceled when the provider says so."""
    acme.polls_needed = 10_000
    async with open_boards() as boards:
        task = asyncio.create_task(boards.generate("acme/draw", prompt="a"))
        while not acme.counts["poll"]:
            await asyncio.sleep(0.01)
        (generation,) = await boards.list()
        await boards.cancel(generation.id)
        with pytest.raises(GenerationCanceledError):
            await task
    assert acme.counts["cancel"] == 1


async def test_a_finished_job_wins_over_a_late_cancel(acme: Acme, open_boards: Open) -> None:
    """The provider's final status is believed: what it finished is kept."""

    async def too_late(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ALREADY_COMPLETED"}, status=400)

    acme.answers["cancel"] = too_late
    acme.polls_needed = 3
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        while not acme.counts["poll"]:
            await asyncio.sleep(0.005)
        await boards.cancel(generation.id)
        generation = await boards.wait(generation.id)
    assert generation.status == "succeeded"


async def test_a_lost_reply_to_a_submit_is_unknown_and_never_repeated(
    acme: Acme, open_boards: Open
) -> None:
    """Nobody can tell whether it arrived: it is shown, not sent again, also after a restart."""
    acme.answers["submit"] = drop
    async with open_boards() as boards:
        with pytest.raises(GenerationUnresolvedError) as caught:
            await boards.generate("acme/draw", prompt="a")
        assert "boards resolve" in str(caught.value)
        assert [one.phase for one in await boards.list(phases=["unknown"])] == ["unknown"]
    async with open_boards() as boards:
        await asyncio.sleep(0.3)
        (generation,) = await boards.list()
        assert generation.phase == "unknown"
    assert acme.counts["submit"] == 1


@pytest.mark.parametrize("decision", ["job", "resubmit", "abandon"])
async def test_an_unknown_generation_can_be_decided(
    acme: Acme, open_boards: Open, decision: str
) -> None:
    """By the job's id found by hand, by another submit, or by giving it up."""
    acme.answers["submit"] = drop
    async with open_boards() as boards:
        with pytest.raises(GenerationUnresolvedError) as caught:
            await boards.generate("acme/draw", prompt="a")
        del acme.answers["submit"]
        acme.jobs["found"] = {"id": "found", "status": "queued", "polls": 0}
        await boards.resolve(
            caught.value.generation.id,
            job="found" if decision == "job" else None,
            resubmit=decision == "resubmit",
        )
        generation = await boards.wait(caught.value.generation.id)
    assert generation.status == ("failed" if decision == "abandon" else "succeeded")
    assert acme.counts["submit"] == (2 if decision == "resubmit" else 1)


async def test_a_refused_submit_is_repeated_after_the_time_that_the_provider_asks(
    acme: Acme, open_boards: Open
) -> None:
    """429 with Retry-After: nothing was accepted, so the same submit is sent again."""

    async def once(request: web.Request) -> web.StreamResponse:
        del acme.answers["submit"]
        return web.json_response({}, status=429, headers={"Retry-After": "0"})

    acme.answers["submit"] = once
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        types = [event.type async for event in boards.events(generation.id)]
        generation = await boards.wait(generation.id)
    assert generation.status == "succeeded"
    assert types.count("retrying") == 1
    assert acme.counts["submit"] == 2


async def test_an_outage_while_waiting_loses_nothing(acme: Acme, open_boards: Open) -> None:
    """Polls that fail are asked again: 500, HTML, a dropped connection, a bad key."""
    failures = iter([500, "html", "drop", 401, 503])

    async def flaky(request: web.Request) -> web.StreamResponse:
        failure = next(failures, None)
        if failure is None:
            return await acme.poll(request)
        if failure == "drop":
            return await drop(request)
        if failure == "html":
            return web.Response(text="<html>maintenance</html>", content_type="text/html")
        assert isinstance(failure, int)
        return web.Response(status=failure, headers={"Retry-After": "0"})

    acme.answers["poll"] = flaky
    async with open_boards() as boards:
        generation = await boards.generate("acme/draw", prompt="a")
    assert generation.status == "succeeded"
    assert acme.counts["submit"] == 1


async def test_a_restart_takes_up_what_was_waiting(acme: Acme, open_boards: Open) -> None:
    """A job that the provider accepted is polled by the next process, not submitted again."""
    acme.polls_needed = 10_000
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        while not acme.counts["poll"]:
            await asyncio.sleep(0.01)
    acme.polls_needed = 0
    async with open_boards() as boards:
        generation = await boards.wait(generation.id)
    assert generation.status == "succeeded"
    assert acme.counts["submit"] == 1


async def test_a_second_process_submits_and_the_owner_drives(acme: Acme, open_boards: Open) -> None:
    """One process owns the store; what another one submits is driven by it."""
    async with open_boards() as owner, open_boards() as other:
        generation = await other.generate("acme/draw", prompt="a")
        assert generation.status == "succeeded"
        assert owner._running.driving
        assert not other._running.driving


async def test_ownership_passes_on(acme: Acme, open_boards: Open) -> None:
    """When the owner leaves, a process that waits takes over."""
    acme.polls_needed = 10_000
    async with open_boards() as other_exit:
        other = open_boards()
        async with other as second:
            generation = await second.submit("acme/draw", prompt="a")
            while not acme.counts["poll"]:
                await asyncio.sleep(0.01)
            await other_exit.__aexit__(None, None, None)
            acme.polls_needed = 0
            async with asyncio.timeout(10):
                generation = await second.wait(generation.id)
    assert generation.status == "succeeded"
    assert acme.counts["submit"] == 1


async def test_every_unavailable_provider_is_told_with_its_remedy(
    acme: Acme, open_boards: Open
) -> None:
    """No key: one error that lists each provider, why, and what to do."""
    async with open_boards(environment={}) as boards:
        with pytest.raises(UnavailableError) as caught:
            await boards.generate("draw", prompt="a")
        with pytest.raises(UnavailableError, match="either:\n  promt: ") as both:
            await boards.generate("draw", promt="a")
    assert {one["where"] for one in both.value.as_dict()["problems"]} == {"prompt", "promt"}
    assert caught.value.problems == ()
    assert "ACME_KEY is not set" in str(caught.value)
    assert caught.value.reasons["acme"][1] == "Set ACME_KEY."
    assert acme.counts["submit"] == 0


async def test_a_key_that_no_header_can_have_is_told(acme: Acme, open_boards: Open) -> None:
    """Two lines were pasted, say: nothing was sent, and nobody waits for a lost answer."""
    async with open_boards(environment={"ACME_KEY": "acme-secret\n-key"}) as boards:
        with pytest.raises(GenerationFailedError, match="ACME_KEY has a line break") as caught:
            await boards.generate("draw", prompt="a")
        availability = await boards.check_provider("acme")
    assert caught.value.failure.kind == "auth"
    assert not caught.value.failure.maybe_charged
    assert "ACME_KEY has a line break" in availability.reason
    assert "-key" not in str(caught.value) + availability.reason


async def test_credentials_are_checked_on_demand(acme: Acme, open_boards: Open) -> None:
    """The provider's own answer decides; nothing is asked before that."""
    async with open_boards() as boards:
        assert acme.counts["me"] == 0
        assert (await boards.check_provider("acme")).ok
    async with open_boards(environment={"ACME_KEY": "wrong-key-text"}) as boards:
        availability = await boards.check_provider("acme")
    assert not availability.ok
    assert "bad key" in availability.reason
    assert "wrong-key-text" not in availability.reason


async def test_bad_input_is_told_whole_before_anything_is_sent(
    acme: Acme, open_boards: Open
) -> None:
    """Every problem names its field; a near name is offered."""
    async with open_boards() as boards:
        with pytest.raises(InvalidInputError) as caught:
            await boards.generate("acme/draw", size="big", style="foto", promt="a", image="cat.png")
        where = {problem.where: problem.message for problem in caught.value.problems}
        assert await boards.list() == []
    assert set(where) == {"prompt", "size", "style", "promt", "image"}
    assert "must be an integer" in where["size"]
    assert "photo, paint" in where["style"]
    assert "did you mean 'prompt'" in where["promt"]
    assert "Path" in where["image"]
    assert acme.counts["submit"] == 0


async def test_what_is_no_id_is_told(open_boards: Open) -> None:
    """The generation itself, say: no database is blamed for it."""
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
        for wrong in (generation, None):
            with pytest.raises(NotFoundError, match="is no id of a generation") as caught:
                await boards.wait(wrong)  # type: ignore[arg-type]  # as callers do
            assert "generation.id" in str(caught.value)


async def test_an_unknown_generator_is_told_with_near_names(open_boards: Open) -> None:
    """A slip of the keyboard is recognised."""
    async with open_boards() as boards:
        with pytest.raises(NotFoundError) as caught:
            await boards.generate("acme/darw", prompt="a")
    assert "acme/draw" in caught.value.suggestions


async def test_any_httpx_transport_carries_the_requests(tmp_path: Path) -> None:
    """Adapters and tests can hand in httpx's transports; respx routes work."""
    import httpx
    import respx

    acme = Acme()
    acme.url = "https://acme.example"
    router = respx.Router(assert_all_called=False)
    router.post("https://acme.example/v1/jobs").respond(201, json={"id": "j", "status": "queued"})
    router.get("https://acme.example/v1/jobs/j").respond(json={"status": "done"})
    router.get("https://acme.example/v1/jobs/j/result").respond(
        json={"images": [{"url": "https://cdn.example/a.png"}]}
    )
    router.get("https://cdn.example/a.png").respond(content=PNG)
    from tests.integration.acme import generator

    async with Boards(
        home=tmp_path,
        environment={"ACME_KEY": "k" * 10},
        providers={"acme": acme.provider()},
        generators=[generator()],
        transport=httpx.MockTransport(router.async_handler),
    ) as boards:
        generation = await boards.generate("acme/draw", prompt="a")
    assert generation.artifacts[0].size == len(PNG)
    sent = json.loads(router.calls[0].request.content)
    assert sent["prompt"] == "a"
    assert "authorization" not in router.calls[3].request.headers


async def test_a_status_that_is_none_is_told(acme: Acme, open_boards: Open) -> None:
    """In listings of generations and of runs, with those that there are."""
    async with open_boards() as boards:
        with pytest.raises(ValueError, match="statuses has 'done': expected some of queued, "):
            await boards.list(statuses=["done"])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="phases has 'running'"):
            await boards.list(phases=["running"])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="statuses has 'f'"):
            await boards.runs(statuses="failed")  # type: ignore[arg-type]
