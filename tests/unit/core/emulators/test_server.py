"""The server under every emulator: its knobs, its statistics, its faults, its life."""

import asyncio
import ssl
import time
from typing import ClassVar

import aiohttp
import pytest
from aiohttp import web
from attrs import evolve

from boards.testing.emulators import server
from boards.testing.emulators.delivery import deliver
from boards.testing.emulators.schema import Problem, problems
from boards.testing.emulators.server import Emulator, Knobs


class Toy(Emulator):
    """An emulator of a provider with one route for jobs and one for files."""

    name: ClassVar[str] = "toy"

    @property
    def env(self) -> dict[str, str]:
        """Where it is."""
        return {"TOY_URL": self.base_url}

    def routes(self) -> list[web.RouteDef]:
        """Create a job, and read a file."""
        return [web.post("/jobs", self._create), web.get("/files/{name}", self._file)]

    async def _create(self, request: web.Request) -> web.StreamResponse:
        refusal = self.refuse_create()
        if refusal is not None:
            return web.Response(status=429, text=str(refusal))
        job = self.admit()
        if job.lose_reply:
            return self.lose(request)
        return web.json_response({"outcome": job.outcome, "seconds": job.ends - job.created})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return deliver(request, b"0123456789", "text/plain")


async def outcomes(toy: Toy, count: int) -> list[str]:
    """The outcome of each of some jobs, or the status that refused it."""
    found = []
    async with aiohttp.ClientSession(toy.base_url) as session:
        for _ in range(count):
            async with session.post("/jobs") as reply:
                known = reply.status == 200
                found.append((await reply.json())["outcome"] if known else str(reply.status))
    return found


async def test_every_nth_job_fails_or_is_moderated() -> None:
    """The knobs count jobs from one, and a failure wins over moderation."""
    async with Toy(Knobs(fail_every=3, moderate_every=2)) as toy:
        expected = ["succeed", "moderate", "fail", "moderate", "succeed", "fail"]
        assert await outcomes(toy, 6) == expected


async def test_every_nth_request_answers_503_before_anything_is_done() -> None:
    """A refused request makes no job."""
    async with Toy(Knobs(error_every=2)) as toy:
        assert await outcomes(toy, 4) == ["succeed", "503", "succeed", "503"]
        assert toy.stats == {"POST /jobs": 4, "jobs": 2, "charged": 2}


async def test_every_nth_create_is_rate_limited() -> None:
    """A refused create makes no job either."""
    async with Toy(Knobs(rate_limit_every=2)) as toy:
        assert await outcomes(toy, 3) == ["succeed", "429", "succeed"]
        assert toy.stats["jobs"] == 2


async def test_a_lost_reply_still_counts_the_job() -> None:
    """The connection closes without an answer, after the job was accepted."""
    async with Toy(Knobs(lose_replies_every=1)) as toy:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await outcomes(toy, 1)
        assert toy.stats["jobs"] == 1


async def test_latency_is_added_to_every_request() -> None:
    """The knob is in seconds."""
    async with Toy(Knobs(latency_seconds=0.1)) as toy:
        started = time.monotonic()
        await outcomes(toy, 1)
        assert time.monotonic() - started >= 0.1


async def test_knobs_and_statistics_are_reached_over_http() -> None:
    """Another process can read the counts, clear them and turn the knobs."""
    async with Toy() as toy, aiohttp.ClientSession(toy.base_url) as session:
        await outcomes(toy, 2)
        await session.get("/files/a.txt")
        stats = await (await session.get("/_boards/stats")).json()
        assert stats == {
            "requests": {"POST /jobs": 2, "GET /files/{name}": 1},
            "jobs": 2,
            "charged": 2,
            "in_flight": 2,
            "max_in_flight": 2,
        }
        reply = await session.put("/_boards/knobs", json={"run_seconds": 7, "strict": True})
        assert reply.status == 204
        assert toy.knobs == evolve(Knobs(), run_seconds=7, strict=True)
        assert (await session.post("/_boards/reset")).status == 204
        assert not toy.stats


@pytest.mark.parametrize("knobs", [{"no_such_knob": 1}, {"run_seconds": "7"}, {"fail_every": -1}])
async def test_a_wrong_knob_is_refused_and_nothing_changes(knobs: dict[str, object]) -> None:
    """The answer says which."""
    async with Toy() as toy, aiohttp.ClientSession(toy.base_url) as session:
        reply = await session.put("/_boards/knobs", json=knobs)
        assert reply.status == 400
        assert next(iter(knobs)) in await reply.text()
        assert toy.knobs == Knobs()


async def test_jobs_leave_flight_when_they_end_or_are_ended() -> None:
    """In flight is what is queued or running now."""
    async with Toy(Knobs(queue_seconds=0, run_seconds=60)) as toy:
        first, second = toy.admit(), toy.admit(lifetime=0.1)
        assert toy.in_flight() == 2
        await asyncio.sleep(0.12)
        assert toy.in_flight() == 1
        toy.finish(first, charged=False)
        toy.finish(second)
        assert (toy.in_flight(), toy.stats["charged"]) == (0, 1)
        assert second.cut


async def test_a_lifetime_that_ends_in_the_queue_is_not_charged() -> None:
    """A job that never ran costs nothing."""
    async with Toy(Knobs(queue_seconds=5)) as toy:
        job = toy.admit(lifetime=1)
        assert job.cut
        assert job.ends < job.starts
        assert toy.stats == {"jobs": 1, "charged": 0}


async def test_progress_follows_the_clock() -> None:
    """From 0 in the queue to 1 at the end."""
    async with Toy(Knobs(queue_seconds=1, run_seconds=4)) as toy:
        job = toy.admit()
        seen = [job.progress(job.created + after) for after in (0.5, 2, 5, 9)]
        assert seen == pytest.approx([0, 0.25, 1, 1])


async def test_tls_uses_a_certificate_that_can_be_trusted() -> None:
    """A client that trusts `ca_file` is let in, another one is not."""
    toy = Toy()
    url = await toy.start(tls=True)
    try:
        assert url.startswith("https://127.0.0.1:")
        assert toy.ca_file is not None
        trusting = ssl.create_default_context(cafile=str(toy.ca_file))
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}/files/a.txt", ssl=trusting) as reply:
                assert await reply.read() == b"0123456789"
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(f"{url}/files/a.txt")
    finally:
        await toy.stop()
    assert not toy.ca_file.exists()


@pytest.mark.parametrize(
    ("asked", "status", "body", "told"),
    [
        (None, 200, b"0123456789", None),
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("pages=1-2", 200, b"0123456789", None),
    ],
)
async def test_files_are_sent_in_ranges(
    asked: str | None, status: int, body: bytes, told: str | None
) -> None:
    """As RFC 9110 has it, so that a download can resume."""
    async with Toy() as toy, aiohttp.ClientSession(toy.base_url) as session:
        headers = {"Range": asked} if asked else {}
        async with session.get("/files/a.txt", headers=headers) as reply:
            assert (reply.status, await reply.read()) == (status, body)
            assert reply.headers["Accept-Ranges"] == "bytes"
            assert reply.headers.get("Content-Range") == told


def test_an_emulator_runs_on_a_thread_for_synchronous_clients() -> None:
    """The loop of the thread is the emulator's own, and ends with it."""

    async def ask(url: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/files/a") as reply:
            return reply.status

    with server.running(Toy()) as toy:
        assert asyncio.run(ask(toy.base_url)) == 200
        assert toy.env == {"TOY_URL": toy.base_url}
    with pytest.raises(aiohttp.ClientConnectorError):
        asyncio.run(ask(toy.base_url))


def test_an_unknown_emulator_is_named_with_those_that_exist() -> None:
    """The error is a list to choose from."""
    with pytest.raises(LookupError, match=r"'midjourney'.*fal, replicate"):
        server.load("midjourney")


async def test_serve_runs_until_cancelled() -> None:
    """The command is told the address once it listens."""
    started: asyncio.Future[Emulator] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(server.serve("replicate", ready=started.set_result))
    emulator = await started
    async with aiohttp.ClientSession() as session:
        assert (await session.get(f"{emulator.base_url}/_boards/stats")).status == 200
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"{emulator.base_url}/_boards/stats")


def test_schema_problems_tell_place_kind_and_expectation() -> None:
    """All at once, through references and OpenAPI's own words."""
    schema = {
        "type": "object",
        "required": ["prompt"],
        "additionalProperties": False,
        "properties": {
            "prompt": {"type": "string"},
            "ratio": {"allOf": [{"$ref": "#/components/ratio"}]},
            "seed": {"type": "integer", "nullable": True, "minimum": 0, "exclusiveMinimum": True},
        },
        "components": {"ratio": {"enum": ["1:1", "16:9"]}},
    }
    found = {item.kind: item for item in problems(schema, {"ratio": "2:1", "seed": 0, "x": 1})}
    assert {kind: item.path for kind, item in found.items()} == {
        "required": ("prompt",),
        "enum": ("ratio",),
        "exclusiveMinimum": ("seed",),
        "additionalProperties": ("x",),
    }
    assert found["enum"] == Problem(
        ("ratio",), "enum", found["enum"].message, ["1:1", "16:9"], "2:1"
    )
    assert problems(schema, {"prompt": "a", "seed": None}) == []
