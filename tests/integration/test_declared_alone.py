"""Specs without any fixture, played from what they read of replies: streams, keys, signatures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from boards import Boards, GenerationFailedError
from boards.testing.emulators.declared import DeclaredEmulator
from boards.testing.emulators.server import Knobs

FAST = Knobs(queue_seconds=0.02, run_seconds=0.05)

PROVIDER = """
spec: 1
providers:
  acme:
    setup: Set ACME_KEY.
    config: {base_url: "https://api.acme.example/v2", api_key_env: ACME_KEY}
    auth: AUTH
    retry: {max: 2, base: 10ms, cap: 20ms}
    files: {accept: [data_uri]}
    check: {path: /me}
    errors:
      - {when: {eq: [body.code, blocked]}, raise: moderated, message: body.why}
      - {when: {status: 429}, raise: rate_limited, after: body.wait, refused: true}
      - {when: {status: 400}, raise: invalid_input, message: body.why}
"""
STATUS = """
      status:
        at: body.state
        map: {waiting: queued, drawing: running, done: succeeded, broken: failed, gone: canceled}
        unknown: running
      failure:
        message: body.why
        raise: [{when: {eq: [body.code, blocked]}, raise: moderated}]
"""
GENERATOR = """
generators:
  - name: draw
    artifact_type: KIND
    provider: acme
    io:
      input_schema:
        type: object
        required: [prompt]
        properties:
          prompt: {type: string, minLength: 2}
          size: {type: string, enum: [small, large], default: small}
          image: {type: string, format: image}
    execution:
      submit:
        method: POST
        path: /draw/${input.size}
        json: {prompt: "${input.prompt}", start: "${input.image?|file}"}
"""
POLL = """
        capture: {id: body.job.id, status_url: body.job.status_url}
      poll: {method: GET, url: "${job.status_url}", every: 20ms, max_every: 50ms}
"""
URLS = """
      extract: {outputs: [{each: "body.files[*]", from: url, as: url, mime: type}]}
"""


@asynccontextmanager
async def acme(
    folder: Path,
    execution: str,
    *,
    auth: str = "{kind: bearer}",
    kind: str = "image",
    more: str = "",
    knobs: Knobs = FAST,
    **settings: Any,
) -> AsyncIterator[Any]:
    """A provider of one generator, its emulator, and a host."""
    file = folder / "acme.yaml"
    provider = PROVIDER.replace("AUTH", auth) + more
    file.write_text(provider + GENERATOR.replace("KIND", kind) + execution)
    emulator = DeclaredEmulator.of_files([file], knobs)
    async with (
        emulator,
        Boards(
            home=folder / "home",
            plugins=(),
            environment=emulator.env,
            providers={"here": {"type": "acme", "config": emulator.config}},
            generators=[file],
            allow_private_hosts=True,
            **settings,
        ) as boards,
    ):
        yield emulator, boards


async def test_a_queue_is_played_from_its_rules(tmp_path: Path) -> None:
    """No fixture says what a reply looks like: the captures, the map and the outputs do."""
    async with acme(tmp_path, POLL + STATUS + URLS) as (emulator, boards):
        generation = await boards.generate("here/draw", prompt="a fox", size="large")
        assert generation.artifacts[0].mime == "image/png"
        assert emulator.stats["POST /api.acme.example/v2/draw/{input.size}"] == 1
        assert emulator.tasks[0].input == {"size": "large", "prompt": "a fox"}


@pytest.mark.parametrize(
    ("knobs", "kind"),
    [
        (Knobs(queue_seconds=0, run_seconds=0.01, fail_every=1), "provider"),
        (Knobs(queue_seconds=0, run_seconds=0.01, moderate_every=1), "moderated"),
    ],
)
async def test_failures_are_made_of_the_rules(tmp_path: Path, knobs: Knobs, kind: str) -> None:
    """Both at the poll, where the spec has a word for jobs that failed."""
    async with acme(tmp_path, POLL + STATUS + URLS, knobs=knobs) as (_, boards):
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("here/draw", prompt="a fox")
    assert caught.value.kind == kind
    assert "The emulator made this job fail" in caught.value.message


async def test_an_answer_at_once_may_be_refused_for_its_content(tmp_path: Path) -> None:
    """By the rule of the provider that says what such a reply looks like."""
    knobs = Knobs(queue_seconds=0, run_seconds=0, moderate_every=1)
    async with acme(tmp_path, URLS, knobs=knobs) as (_, boards):
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("here/draw", prompt="a fox")
    assert caught.value.kind == "moderated"


async def test_a_stream_tells_of_the_job(tmp_path: Path) -> None:
    """Events until the end; nothing is asked for."""
    stream = """
        capture: {id: body.id, events: body.events_url}
      stream: {method: GET, url: "${job.events}"}
"""
    async with acme(tmp_path, stream + STATUS + URLS) as (emulator, boards):
        generation = await boards.generate("here/draw", prompt="a fox")
        assert generation.artifacts
        assert emulator.stats["GET (stream)"] == 1
        assert emulator.stats["GET (poll)"] == 0


FORMS = {
    "base64": ('{outputs: [{from: "body.files[*]", as: base64}]}', "image", "image/png"),
    "data_uri": ("{outputs: [{from: body.file, as: data_uri}]}", "image", "image/png"),
    "text": ("{outputs: [{from: body.text, as: text}]}", "text", "text/plain"),
    "short": ("{output_paths: [output]}", "video", "video/mp4"),
    "json": ("{outputs: [{from: body.words, as: json}]}", "text", "application/json"),
}


@pytest.mark.parametrize("form", FORMS)
async def test_outputs_come_in_the_form_that_the_spec_reads(tmp_path: Path, form: str) -> None:
    """As addresses, inside the reply, or as text."""
    extract, kind, mime = FORMS[form]
    async with acme(tmp_path, f"\n      extract: {extract}\n", kind=kind) as (_, boards):
        generation = await boards.generate("here/draw", prompt="a fox")
    assert generation.artifacts[0].mime == mime


async def test_a_reply_may_be_the_file(tmp_path: Path) -> None:
    """Bytes, with their media type in a header."""
    binary = """
        accept: binary
      extract: {outputs: [{from: body, as: bytes, mime: header.content-type}]}
"""
    async with acme(tmp_path, binary, kind="audio") as (_, boards):
        generation = await boards.generate("here/draw", prompt="a fox")
    assert generation.artifacts[0].mime == "audio/wav"


AUTHS = (
    "{kind: query, name: token}",
    "{kind: header, name: X-Key, prefix: 'Token '}",
    "{kind: basic}",
    "{kind: jwt_hs256, issuer: id}\n    secrets: {id: ACME_ID}",
)


@pytest.mark.parametrize("auth", AUTHS)
async def test_credentials_are_looked_at(tmp_path: Path, auth: str) -> None:
    """Those that the spec sends pass; those with another key do not."""
    async with acme(tmp_path, URLS, auth=auth) as (emulator, boards):
        assert (await boards.check_provider("here")).ok
        await boards.generate("here/draw", prompt="a fox")
        emulator.knobs = Knobs(queue_seconds=0, run_seconds=0, key="another")
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("here/draw", prompt="a fox")
        assert emulator.jobs == 1
    assert caught.value.kind == "auth"


async def test_a_key_makes_one_job_of_two_submits(tmp_path: Path) -> None:
    """The reply to the first was lost; the second is answered with the same job."""
    keyed = "        idempotency: {header: Idempotency-Key}\n"
    header = '        headers: {Idempotency-Key: "${run.idempotency_key}"}\n'
    knobs = Knobs(queue_seconds=0, run_seconds=0.01, lose_replies_every=1)
    async with acme(tmp_path, header + keyed + POLL + STATUS + URLS, knobs=knobs) as (
        emulator,
        boards,
    ):
        generation = await boards.generate("here/draw", prompt="a fox")
        assert generation.artifacts
        assert emulator.jobs == 1
        assert emulator.stats["POST /api.acme.example/v2/draw/{input.size}"] == 2


VERIFIED = {
    "hmac_sha256": "{kind: hmac_sha256, secret_env: ACME_HOOK, header: X-Sig, prefix: sha256=}",
    "standard_webhooks": "{kind: standard_webhooks, secret_env: ACME_HOOK}",
    "fal_ed25519": (
        "{kind: fal_ed25519, secret_request: {path: /keys, auth: none, capture: {secret: body}}}"
    ),
    "none": "{kind: none}",
}


@pytest.mark.parametrize("verify", VERIFIED)
async def test_webhooks_are_signed_as_the_spec_verifies_them(tmp_path: Path, verify: str) -> None:
    """A call ends the job long before the next poll; without a proof it only wakes."""
    then = "poll" if verify == "none" else "accept"
    more = f"    webhook: {{verify: {VERIFIED[verify]}, then: {then}, body_at: body.outcome}}\n"
    slow = POLL.replace("20ms", "1h").replace("50ms", "1h")
    hook = '        query: {hook: "${run.webhook_url?}"}\n'
    told: list[str] = []

    async def receive(request: web.Request) -> web.Response:
        token = request.path.rpartition("/")[2]
        told.append(token)
        await host["boards"].receive_webhook("here", request.headers, await request.read(), token)
        return web.Response()

    host: dict[str, Boards] = {}
    app = web.Application()
    app.router.add_post("/{tail:.*}", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
        execution = hook + slow + STATUS + URLS
        knobs = Knobs(queue_seconds=0.1, run_seconds=0.1)
        async with acme(tmp_path, execution, more=more, webhook_url=url, knobs=knobs) as (
            emulator,
            boards,
        ):
            host["boards"] = boards
            async with asyncio.timeout(10):
                generation = await boards.generate("here/draw", prompt="a fox")
            assert generation.artifacts
            assert len(told) == 1
            assert emulator.stats["GET (poll)"] <= (2 if then == "poll" else 1)
    finally:
        await runner.cleanup()


async def test_another_address_may_stand_in_replies(tmp_path: Path) -> None:
    """Of a proxy in front of it: what it names leads there."""
    async with acme(tmp_path, POLL + STATUS + URLS) as (emulator, boards):
        emulator.public_url = emulator.base_url.replace("127.0.0.1", "localhost")
        assert emulator.config["base_url"].startswith("http://localhost:")
        generation = await boards.submit("here/draw", prompt="a fox")
        while not emulator.tasks:
            await asyncio.sleep(0.01)
        assert emulator.tasks[0].captured["status_url"].startswith("http://localhost:")
        await boards.cancel(generation.id)
