"""Lines of the log, as a host that configured structlog gets them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from aiohttp import web

from boards import Generation
from tests.integration.acme import Acme
from tests.integration.conftest import Open


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """Every line."""
    with structlog.testing.capture_logs() as captured:
        structlog.configure(processors=structlog.get_config()["processors"])
        yield captured
    structlog.reset_defaults()


async def test_a_line_says_which_generation_job_and_attempt(
    acme: Acme, open_boards: Open, lines: list[Any]
) -> None:
    """The second attempt, of which the provider refuses the cancel."""

    async def no(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "too late"}}, status=409)

    async def busy(_request: web.Request) -> web.StreamResponse:
        del acme.answers["submit"]
        return web.json_response({}, status=429)

    acme.answers |= {"cancel": no, "submit": busy}
    acme.polls_needed = 1_000
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
        async for event in boards.events(generation.id):
            if event.type == "submitted":
                await boards.cancel(generation.id)
                break
        while not acme.counts["cancel"]:
            await asyncio.sleep(0.01)
    (line,) = [one for one in lines if one["event"] == "cancel not accepted"]
    assert line == {
        "event": "cancel not accepted",
        "log_level": "info",
        "error": line["error"],
        "generation": generation.id,
        "generator": "acme/draw",
        "provider": "acme",
        "provider_job_id": "job-1",
        "attempt": 2,
    }
    assert "too late" in line["error"]


async def test_what_nobody_expected_is_logged_with_its_traceback(
    open_boards: Open, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As text: a renderer that shows variables has none to show."""

    async def bug(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("boards.engine.submitting.submit", bug)
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
        while not lines:
            await asyncio.sleep(0.01)
    (line,) = lines
    assert (line["event"], line["generation"]) == ("drive failed", generation.id)
    assert line["provider"] == "acme"
    assert line["exception"].endswith("ZeroDivisionError")
    assert "exc_info" not in line


async def test_a_subscriber_that_fails_is_a_line_like_all_others(
    open_boards: Open, lines: list[Any]
) -> None:
    """Of the store, too: for structlog, with its generation, and with no frames to be shown."""

    def fail(generation: Generation, _happenings: object) -> None:
        if generation.phase == "waiting":
            raise ZeroDivisionError

    async with open_boards() as boards:
        boards._running.store.subscribe(fail)
        generation = await boards.generate("acme/draw", prompt="a cat")
    line = lines[0]
    assert (line["event"], line["generation"]) == ("a subscriber failed", generation.id)
    assert line["exception"].endswith("ZeroDivisionError")
    assert "exc_info" not in line
