"""Every event that a scripted provider brings about is what the JSON Schema says."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from aiohttp import web

from boards import Boards
from boards.events import EVENT_TYPES, schema
from tests.integration.acme import Acme, drop, generator
from tests.integration.conftest import Open

VALID = jsonschema_rs.validator_for(schema(), validate_formats=True)


def answering(*answers: tuple[int, Any] | None) -> Any:
    """A handler that answers in turn; None drops the connection, and the last answer stays."""
    left = list(answers)

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer is None:
            return await drop(request)
        status, body = answer
        return web.json_response(body, status=status)

    return handle


async def told(boards: Boards, generation_id: str) -> list[str]:
    """The types of a generation's events, each validated as a reader of JSON gets it."""
    types: list[str] = []
    async for event in boards.events(generation_id, follow=False):
        VALID.validate(json.loads(json.dumps(event.as_dict())))
        types.append(event.type)
    return types


async def test_every_type_of_event_is_told_as_its_schema_says(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """Success, failure, cancel, retries, a lost answer and each decision on it, a fallback."""
    seen: set[str] = set()
    provider = {"progress": {"percent": "body.percent", "logs": "body.logs"}}
    accepted = (201, {"id": "job-1", "status": "queued"})
    done = (200, {"id": "job-1", "status": "done"})

    async def run(submit: Any, poll: Any) -> list[str]:
        acme.answers |= {"submit": submit, "poll": poll}
        generation = await boards.submit("acme/draw", prompt="a cat")
        await boards.wait(generation.id)
        return await told(boards, generation.id)

    async with open_boards(provider=provider) as boards:
        running = (200, {"id": "job-1", "status": "running", "percent": 50, "logs": "one\ntwo"})
        types = await run(answering((429, {}), accepted), answering((503, {}), running, done))
        assert types.count("retrying") == 2
        seen |= {*types}
        assert types[-2:] == ["artifact", "succeeded"]
        failed = (200, {"id": "job-1", "status": "failed", "reason": "against our policy"})
        types = await run(answering(accepted), answering(failed))
        assert types[-1] == "failed"
        seen |= {*types}

        acme.answers = {}
        acme.polls_needed = 1_000
        generation = await boards.submit("acme/draw", prompt="a cat")
        async for event in boards.events(generation.id):
            if event.type == "submitted":
                await boards.cancel(generation.id)
        types = await told(boards, generation.id)
        assert types[-1] == "canceled"
        assert "canceling" in types
        seen |= {*types}

        acme.polls_needed = 0
        for decision in ({"job": "found"}, {"resubmit": True}, {}):
            acme.jobs["found"] = {"id": "found", "status": "queued", "polls": 0}
            acme.answers = {"submit": drop}
            generation = await boards.submit("acme/draw", prompt="a cat")
            assert (await boards.wait(generation.id)).phase == "unknown"
            acme.answers = {}
            await boards.resolve(generation.id, **decision)
            await boards.wait(generation.id)
            seen |= {*await told(boards, generation.id)}

    async with Boards(
        home=tmp_path / "two",
        environment={"ACME_KEY": "acme-secret-key"},
        providers={
            "first": acme.provider(config={"base_url": acme.url, "api_key_env": "MISSING"}),
            "acme": acme.provider(),
        },
        generators=[{**generator(), "provider": "first"}, generator()],
        provider_priority=["first"],
        allow_private_hosts=True,
    ) as boards:
        generation = await boards.generate("draw", prompt="a cat")
        seen |= {*await told(boards, generation.id)}
    assert seen == set(EVENT_TYPES)


def test_a_key_that_the_table_lacks_is_noticed_here() -> None:
    """The check that watches every test of this directory does see it."""
    from boards.events import Happening
    from boards.store import transitions

    with pytest.raises(AssertionError, match="lines"):
        transitions._event_rows([Happening("log", {"line": "one"})])


async def test_a_fact_that_is_no_number_is_null(acme: Acme, open_boards: Open) -> None:
    """Python's servers write NaN; in an event, or in ``--json``, nobody else could read it."""

    async def result(_request: web.Request) -> web.StreamResponse:
        text = f'{{"images": [{{"url": "{acme.url}/files/a.png"}}], "seed": [NaN, {{"a": 1e999}}]}}'
        return web.Response(text=text, content_type="application/json")

    acme.answers["result"] = result
    async with open_boards() as boards:
        generation = await boards.generate("acme/draw", prompt="a cat")
        assert generation.artifacts[0].meta == {"seed": [None, {"a": None}]}
        async for event in boards.events(generation.id):
            json.dumps(event.as_dict(), allow_nan=False)
