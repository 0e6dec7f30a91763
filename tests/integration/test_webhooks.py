"""Webhooks: verified, believed or looked into, and never lost."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web

from boards import Boards
from boards.adapters import Adapter, Job
from boards.errors import NotFoundError, WebhookError
from boards.generations import Generation
from tests.integration.acme import WEBHOOK_KEY, Acme, drop, generator
from tests.integration.conftest import Open

WEBHOOK: dict[str, Any] = {
    "verify": {
        "kind": "standard_webhooks",
        "secret_request": {"path": "/secret", "capture": {"secret": "body.key"}},
    },
    "then": "accept",
    "body_at": "body.result",
}
SUBMIT = {
    "path": "/jobs",
    "json": {"prompt": "${input.prompt}", "webhook": "${run.webhook_url?}"},
    "capture": {"id": "body.id"},
}
SLOW = {"submit": SUBMIT, "poll": {"path": "/jobs/${job.id}", "every": "1h", "max_every": "1h"}}
PUBLIC = "https://boards.example/hooks"


def signed(body: bytes, *, at: float | None = None, key: bytes = WEBHOOK_KEY) -> dict[str, str]:
    """The headers of a call as Acme signs it."""
    when = str(int(time.time() if at is None else at))
    text = f"msg-1.{when}.".encode() + body
    signature = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return {
        "Webhook-Id": "msg-1",
        "Webhook-Timestamp": when,
        "Webhook-Signature": f"v1,AAAA v1,{signature}",
    }


def call(acme: Acme, job: str = "job-1", status: str = "done") -> bytes:
    """A call's body."""
    result = {"images": [{"url": f"{acme.url}/files/a.png"}], "seed": 7}
    return json.dumps({"id": job, "status": status, "result": result}).encode()


async def token_of(acme: Acme) -> str:
    """The token in the address that Acme was told."""
    url: str = next(iter(acme.jobs.values()))["input"]["webhook"]
    assert url.startswith(f"{PUBLIC}/acme/")
    return url.rsplit("/", 1)[1]


async def submitted(boards: Boards) -> Generation:
    """A generation that Acme has accepted."""
    generation = await boards.submit("draw", prompt="a cat")
    async for event in boards.events(generation.id):
        if event.type == "submitted":
            break
    return generation


async def test_a_verified_call_ends_the_generation_without_a_poll(
    acme: Acme, open_boards: Open
) -> None:
    """The result is in the call: neither status nor result is asked for."""
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await submitted(boards)
        body = call(acme)
        await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        assert (await boards.wait(generation.id)).status == "succeeded"
    assert (acme.counts["poll"], acme.counts["result"], acme.counts["secret"]) == (0, 0, 1)


async def test_a_call_that_says_failed_is_looked_into(acme: Acme, open_boards: Open) -> None:
    """Only success is taken from a call; the rest is asked for, in words that the spec knows."""
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await submitted(boards)
        acme.jobs["job-1"] |= {"status": "failed"}
        body = call(acme, status="failed")
        await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        assert (await boards.wait(generation.id)).status == "failed"
    assert acme.counts["poll"] == 1


async def test_a_call_only_wakes_where_the_spec_says_poll(acme: Acme, open_boards: Open) -> None:
    """With then: poll nothing in the body is believed."""
    webhook = {"verify": {"kind": "none"}, "then": "poll"}
    acme.polls_needed = 0
    async with open_boards(
        provider={"webhook": webhook}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await submitted(boards)
        await boards.receive_webhook("acme", {}, b"anything", await token_of(acme))
        assert (await boards.wait(generation.id)).status == "succeeded"
    assert acme.counts["poll"] == 1


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (lambda body: signed(body, key=b"another"), "wrong"),
        (lambda body: signed(body + b" "), "wrong"),
        (lambda body: signed(body, at=time.time() - 3600), "ago"),
        (lambda body: {**signed(body), "Webhook-Timestamp": "soon"}, "no number"),
        (lambda _body: {}, "no header"),
    ],
    ids=["another key", "another body", "old", "no time", "unsigned"],
)
async def test_what_does_not_verify_changes_nothing(
    acme: Acme, open_boards: Open, headers: Any, message: str
) -> None:
    """A forged, changed or old call is refused, and the generation waits on."""
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await submitted(boards)
        body = call(acme)
        with pytest.raises(WebhookError, match=message):
            await boards.receive_webhook("acme", headers(body), body, await token_of(acme))
        assert (await boards.get(generation.id)).phase == "waiting"


async def test_a_token_is_of_one_attempt_of_one_provider(acme: Acme, open_boards: Open) -> None:
    """Another token, or another provider's path, finds nothing."""
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        await submitted(boards)
        body, token = call(acme), await token_of(acme)
        with pytest.raises(NotFoundError):
            await boards.receive_webhook("acme", signed(body), body, token[:-1] + "x")
        with pytest.raises(NotFoundError):
            await boards.receive_webhook("other", signed(body), body, token)


async def test_a_late_call_resolves_a_generation_whose_submit_was_lost(
    acme: Acme, open_boards: Open
) -> None:
    """The reply to the submit never came; the call proves that the job runs."""
    acme.answers["submit"] = acme.lost
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await boards.wait(generation.id)).phase == "unknown"
        body = call(acme)
        await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        ended = await boards.wait(generation.id)
        events = [event async for event in boards.events(generation.id, follow=False)]
    assert ended.status == "succeeded"
    assert [e.data["decision"] for e in events if e.type == "resolved"] == ["webhook"]
    assert acme.counts["submit"] == 1


async def test_a_call_is_acted_on_though_its_handler_was_canceled(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider hung up just when what it proved was being committed, and never calls again."""
    acme.answers["submit"] = acme.lost
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await boards.wait(generation.id)).phase == "unknown"
        store = boards._running.store
        attempt_result = store.attempt_result

        async def leave(*given: Any, **told: Any) -> None:
            handler.cancel()
            await attempt_result(*given, **told)

        monkeypatch.setattr(store, "attempt_result", leave)
        body, token = call(acme), await token_of(acme)
        handler = asyncio.create_task(boards.receive_webhook("acme", signed(body), body, token))
        await asyncio.wait([handler])
        assert handler.cancelled()
        async with asyncio.timeout(5):
            while (await boards.get(generation.id)).status != "succeeded":
                await asyncio.sleep(0.02)


async def test_a_call_spares_the_replays_of_a_submit_with_a_key(
    acme: Acme, open_boards: Open
) -> None:
    """Its answer was lost, and the provider answers no replay: the call tells the job."""
    submit = acme.submit

    async def lost(request: Any) -> Any:
        if acme.counts["submit"] == 1:
            await submit(request)
        return await drop(request)

    acme.answers["submit"], acme.polls_needed = lost, 0
    keyed = {**SUBMIT, "idempotency": {"header": "Idempotency-Key"}}
    async with open_boards(
        provider={"webhook": WEBHOOK, "retry": {"max": 1, "base": "1h", "cap": "1h"}},
        execution={**SLOW, "submit": keyed},
        webhook_url=PUBLIC,
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        async for event in boards.events(generation.id):
            if event.type == "retrying":
                break
        body = call(acme)
        await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        async with asyncio.timeout(5):
            assert (await boards.wait(generation.id)).status == "succeeded"
    assert acme.counts["submit"] == 1


@pytest.mark.parametrize("here", [True, False])
async def test_a_call_before_the_second_submit_spares_it(
    acme: Acme, open_boards: Open, here: bool
) -> None:
    """It waits to be sent again, and the call proves that the first one runs, and is paid for."""
    submit = acme.submit

    async def lossy(request: Any) -> Any:
        reply = await submit(request)
        return await drop(request) if acme.counts["submit"] == 1 else reply

    acme.answers["submit"] = lossy
    acme.polls_needed = 0
    settings: dict[str, Any] = {
        "provider": {"webhook": WEBHOOK}, "execution": SLOW, "webhook_url": PUBLIC,
    }  # fmt: skip
    async with (
        open_boards(**settings) as worker,
        open_boards(**settings, drive=False) as server,
    ):
        generation = await worker.submit("draw", prompt="a cat")
        assert (await worker.wait(generation.id)).phase == "unknown"
        worker._running.client("acme").gate.pause(60)
        await worker.resolve(generation.id, resubmit=True)
        await asyncio.sleep(0.1)  # it is at the gate
        body = call(acme)
        where = worker if here else server
        await where.receive_webhook("acme", signed(body), body, await token_of(acme))
        ended = await asyncio.wait_for(worker.wait(generation.id), 3)
        events = [event async for event in worker.events(generation.id, follow=False)]
    assert (ended.status, ended.provider_job_id) == ("succeeded", "job-1")
    decisions = [event.data["decision"] for event in events if event.type == "resolved"]
    assert decisions == ["resubmit", "webhook"]
    assert acme.counts["submit"] == 1


async def test_a_call_spares_the_next_submit_where_the_second_was_refused(
    acme: Acme, open_boards: Open
) -> None:
    """The first one's job is the only one: it is not stopped, however often it is told of."""
    submit = acme.submit

    async def busy(request: Any) -> Any:
        if acme.counts["submit"] == 1:
            await submit(request)
            return await drop(request)
        return web.json_response({}, status=429, headers={"Retry-After": "60"})

    acme.answers["submit"] = busy
    acme.polls_needed = 1_000_000
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat", on_ambiguous="resubmit")
        async for event in boards.events(generation.id):
            if event.type == "retrying" and event.data["seconds"] == 60:
                break
        token = await token_of(acme)
        for status in ("running", "done"):
            body = call(acme, status=status)
            await boards.receive_webhook("acme", signed(body), body, token)
        ended = await asyncio.wait_for(boards.wait(generation.id), 3)
    assert (ended.status, ended.provider_job_id) == ("succeeded", "job-1")
    assert (acme.counts["submit"], acme.counts["cancel"]) == (2, 0)


class Stubborn(Adapter):
    """One that fails to cancel, and says with what."""

    async def cancel(self, job: Job) -> None:
        raise ValueError(f"no cancel with {self.client.named_secret('api_key')}")


async def test_a_second_job_that_cannot_be_stopped_is_told_all_the_same(
    acme: Acme, open_boards: Open
) -> None:
    """By its event, and by a line of the log that names it; the adapter's mistake loses neither."""
    submit = acme.submit

    async def lossy(request: Any) -> Any:
        reply = await submit(request)
        return await drop(request) if acme.counts["submit"] == 1 else reply

    acme.answers["submit"] = lossy
    with structlog.testing.capture_logs() as lines:
        structlog.configure(processors=structlog.get_config()["processors"])
        async with open_boards(
            provider={"webhook": WEBHOOK, "adapter": f"{__name__}:Stubborn"},
            execution=SLOW,
            webhook_url=PUBLIC,
        ) as boards:
            generation = await boards.submit("draw", prompt="a cat", on_ambiguous="resubmit")
            async for event in boards.events(generation.id):
                if event.type == "submitted":
                    break
            body = call(acme, status="running")
            await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
            async for event in boards.events(generation.id):
                if event.type == "resolved":
                    break
    structlog.reset_defaults()
    assert dict(event.data) == {"decision": "orphan", "provider_job_id": "job-1"}
    (line,) = [one for one in lines if one["event"] == "an orphan runs on"]
    assert line == {
        "event": "an orphan runs on",
        "log_level": "warning",
        "error": "ValueError: no cancel with ***",
        "generation": generation.id,
        "generator": "acme/draw",
        "provider": "acme",
        "provider_job_id": "job-1",
        "attempt": 1,
    }


async def test_a_call_of_the_provider_that_a_generation_has_left_is_about_an_orphan(
    acme: Acme, tmp_path: Path
) -> None:
    """The submit that was refused did arrive after all; another provider has it since."""
    other = {**acme.provider(webhook=WEBHOOK), "priority": 2}
    second = {**generator(**SLOW), "provider": "other"}
    submit = acme.submit

    async def busy(request: Any) -> Any:
        reply = await submit(request)
        if acme.counts["submit"] == 1:
            return web.json_response({"error": "not now"}, status=402)
        return reply

    acme.answers["submit"] = busy
    acme.polls_needed = 1_000_000
    async with Boards(
        home=tmp_path / "home",
        environment={"ACME_KEY": "acme-secret-key"},
        providers={"acme": {**acme.provider(webhook=WEBHOOK), "priority": 1}, "other": other},
        generators=[generator(**SLOW), second],
        allow_private_hosts=True,
        webhook_url=PUBLIC,
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat", fallback="on_error")
        async for event in boards.events(generation.id):
            if event.type == "submitted":
                break
        body, token = call(acme, status="running"), await token_of(acme)
        with pytest.raises(NotFoundError):
            await boards.receive_webhook("other", signed(body), body, token)
        with pytest.raises(WebhookError):
            await boards.receive_webhook("acme", signed(body, key=b"guessed"), body, token)
        await boards.receive_webhook("acme", signed(body), body, token)
        async for event in boards.events(generation.id):
            if event.type == "resolved":
                break
        assert dict(event.data) == {"decision": "orphan", "provider_job_id": "job-1"}
        assert acme.jobs["job-1"]["status"] == "canceled"
        assert acme.jobs["job-2"]["status"] != "canceled"
        now = await boards.get(generation.id)
        assert (now.provider, now.provider_job_id) == ("other", "job-2")


@pytest.mark.parametrize("how", ["abandoned", "failed", "canceled"])
async def test_a_job_that_was_given_up_is_stopped_when_it_is_heard_of(
    acme: Acme, open_boards: Open, how: str
) -> None:
    """Nobody wants its result any more, and it may still be paid for by the second."""
    acme.answers["submit"] = acme.lost
    acme.polls_needed = 1_000_000
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        policy: Any = "fail" if how == "failed" else "hold"
        generation = await boards.submit("draw", prompt="a cat", on_ambiguous=policy)
        lacking = await boards.wait(generation.id)
        assert lacking.phase == ("failed" if how == "failed" else "unknown")
        if how == "abandoned":
            await boards.resolve(generation.id)
        elif how == "canceled":
            boards._running.client("acme").gate.pause(60)
            await boards.resolve(generation.id, resubmit=True)
            await boards.cancel(generation.id)
            assert (await boards.wait(generation.id)).phase == "canceled"
        body = call(acme, status="running")
        await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        (attempt,) = await boards.attempts(generation.id)
        assert (attempt.outcome, attempt.provider_job_id) == ("accepted", "job-1")
    assert acme.jobs["job-1"]["status"] == "canceled"


async def test_a_process_that_does_not_drive_takes_calls_too(acme: Acme, open_boards: Open) -> None:
    """A web server takes the call, a worker goes on with the generation."""
    acme.polls_needed = 0
    settings: dict[str, Any] = {
        "provider": {"webhook": WEBHOOK}, "execution": SLOW, "webhook_url": PUBLIC,
    }  # fmt: skip
    async with (
        open_boards(**settings) as worker,
        open_boards(**settings, drive=False) as server,
    ):
        generation = await submitted(worker)
        body = call(acme)
        await server.receive_webhook("acme", signed(body), body, await token_of(acme))
        assert (await worker.wait(generation.id)).status == "succeeded"


async def test_the_address_survives_a_restart_and_the_store_has_only_its_hash(
    acme: Acme, open_boards: Open
) -> None:
    """A replayed attempt has the same address; who reads the database cannot forge a call."""
    settings: dict[str, Any] = {
        "provider": {"webhook": WEBHOOK}, "execution": SLOW, "webhook_url": PUBLIC,
    }  # fmt: skip
    async with open_boards(**settings) as boards:
        generation = await submitted(boards)
        home = boards.settings.home
    token = await token_of(acme)
    assert token.encode() not in b"".join(path.read_bytes() for path in home.glob("boards.db*"))
    assert (home / "webhook.key").stat().st_mode & 0o777 == 0o600
    async with open_boards(**settings) as boards:
        body = call(acme)
        await boards.receive_webhook("acme", signed(body), body, token)
        assert (await boards.wait(generation.id)).status == "succeeded"


async def test_without_a_public_address_no_webhook_is_asked_for(
    acme: Acme, open_boards: Open
) -> None:
    """run.webhook_url is absent then."""
    async with open_boards(provider={"webhook": WEBHOOK}, execution={"submit": SUBMIT}) as boards:
        await boards.generate("draw", prompt="a cat")
    assert "webhook" not in acme.jobs["job-1"]["input"]


@pytest.mark.parametrize("said", ["running", "a word that the spec does not know"])
async def test_a_second_job_of_one_generation_is_stopped_and_told(
    acme: Acme, open_boards: Open, said: str
) -> None:
    """The lost submit did arrive, and its caller had it sent again: the first job is an orphan."""
    submit = acme.submit

    async def lossy(request: Any) -> Any:
        reply = await submit(request)
        return await drop(request) if acme.counts["submit"] == 1 else reply

    acme.answers["submit"] = lossy
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat", on_ambiguous="resubmit")
        async for event in boards.events(generation.id):
            if event.type == "submitted":
                break
        body = call(acme, status=said)
        await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        async for event in boards.events(generation.id):
            if event.type == "resolved":
                break
        assert dict(event.data) == {"decision": "orphan", "provider_job_id": "job-1"}
        assert acme.jobs["job-1"]["status"] == "canceled"
        assert (await boards.get(generation.id)).provider_job_id == "job-2"
