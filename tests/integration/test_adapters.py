"""Adapters: one stage in Python, the rest as the spec says."""

import traceback
from typing import Any

import pytest
import structlog
from aiohttp import web

from boards.errors import GenerationFailedError, PluginError, UnavailableError, WebhookError
from tests.integration import adapters
from tests.integration.acme import Acme
from tests.integration.conftest import Open
from tests.integration.test_webhooks import SLOW, token_of

AT = "tests.integration.adapters"
LOCAL: dict[str, Any] = {
    "type": "adapter", "submit": None, "poll": None, "result": None, "extract": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    adapters.LOCAL_CALLS.clear()


async def test_requests_are_prepared_and_authenticated_in_python(
    acme: Acme, open_boards: Open
) -> None:
    """The first sees the submit, the second every request to a trusted host."""
    async with open_boards(
        provider={"adapter": f"{AT}:Stamping"}, environment={"ACME_KEY": "ignored"}
    ) as boards:
        generation = await boards.generate("draw", prompt="a cat")
    sent = [request for name, (request, _) in acme.requests if name == "submit"]
    assert [request.headers["X-Run"] for request in sent] == [generation.id]


async def test_status_result_and_outputs_in_python(acme: Acme, open_boards: Open) -> None:
    """Replies are what paths of the spec start at, whoever made them."""

    async def shouting(request: web.Request) -> web.StreamResponse:
        job = acme.jobs[request.match_info["id"]]
        return web.json_response({"id": job["id"], "status": "DONE"})

    acme.answers["poll"] = shouting
    config = {"base_url": f"{acme.url}/v1", "files_url": f"{acme.url}/files"}
    async with open_boards(
        provider={
            "adapter": f"{AT}:Renaming",
            "config": {**config, "api_key_env": "ACME_KEY"},
        }
    ) as boards:
        generation = await boards.generate("draw", prompt="a cat")
    assert generation.artifacts[0].mime == "image/png"
    assert acme.counts["result"] == 0
    assert [r.path for name, (r, _) in acme.requests if name == "file"] == ["/files/job-1.png"]


async def test_uploads_in_python(acme: Acme, open_boards: Open) -> None:
    """What upload returns stands in the request."""
    async with open_boards(
        provider={
            "adapter": f"{AT}:Uploading",
            "files": {
                "accept": ["upload"],
                "upload": {"init": {"path": "/never"}, "result": "never"},
            },
        }
    ) as boards:
        await boards.generate("draw", prompt="a cat", image=b"\x89PNG\r\n\x1a\n1234")
    assert acme.jobs["job-1"]["input"]["image"] == "acme://image/png/12"


async def test_work_on_this_machine_needs_no_requests(open_boards: Open) -> None:
    """type: adapter: the adapter submits, and what it returns is the result."""
    async with open_boards(provider={"adapter": f"{AT}:Local"}, execution=LOCAL) as boards:
        generation = await boards.generate("draw", prompt="hello")
        assert generation.artifacts[0].path is not None
        assert generation.artifacts[0].path.read_text() == "HELLO"


@pytest.mark.parametrize(
    ("prompt", "kind", "message"),
    [
        ("bad", "moderated", "not that"),
        ("bug", "provider", "ZeroDivisionError"),
        ("exit", "provider", "SystemExit"),  # which would end the event loop of the host
    ],
)
async def test_what_an_adapter_raises_ends_the_generation(
    open_boards: Open, prompt: str, kind: str, message: str
) -> None:
    """A ProviderError is its word; anything else is its mistake, told and not repeated."""
    async with open_boards(provider={"adapter": f"{AT}:Local"}, execution=LOCAL) as boards:
        with pytest.raises(GenerationFailedError, match=message) as caught:
            await boards.generate("draw", prompt=prompt)
    assert caught.value.kind == kind
    assert len(adapters.LOCAL_CALLS) == 1


async def test_a_provider_tells_by_its_adapter_whether_it_can_be_used(open_boards: Open) -> None:
    """available() is asked when a name is chosen, with the reason and the remedy."""
    environment = {"ACME_KEY": "acme-secret-key", "ACME_NOT_HERE": "1"}
    async with open_boards(
        provider={"adapter": f"{AT}:Local"}, execution=LOCAL, environment=environment
    ) as boards:
        with pytest.raises(UnavailableError, match="the library is not installed"):
            await boards.generate("draw", prompt="hello")


async def test_lost_jobs_are_found_in_python(acme: Acme, open_boards: Open) -> None:
    """It returns what is captured of each job that may be it."""
    acme.answers["submit"] = acme.lost
    async with open_boards(provider={"adapter": f"{AT}:Finding"}) as boards:
        assert (await boards.generate("draw", prompt="a cat")).provider_job_id == "job-1"


async def test_cancel_in_python(acme: Acme, open_boards: Open) -> None:
    """The adapter is asked, and may do what the spec says besides."""
    acme.polls_needed = 1000
    async with open_boards(provider={"adapter": f"{AT}:Finding"}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        async for event in boards.events(generation.id):
            if event.type == "submitted":
                await boards.cancel(generation.id)
        assert (await boards.get(generation.id)).status == "canceled"
    assert adapters.LOCAL_CALLS == ["cancel job-1"]


async def test_webhooks_are_verified_in_python(acme: Acme, open_boards: Open) -> None:
    """What verify_webhook refuses changes nothing."""
    submit = {
        **SLOW["submit"],
        "json": {"prompt": "${input.prompt}", "webhook": "${run.webhook_url?}"},
    }
    acme.polls_needed = 0
    async with open_boards(
        provider={
            "adapter": f"{AT}:Finding",
            "webhook": {"verify": {"kind": "none"}, "then": "poll"},
        },
        execution={**SLOW, "submit": submit},
        webhook_url="https://boards.example/hooks",
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        async for event in boards.events(generation.id):
            if event.type == "submitted":
                break
        token = await token_of(acme)
        with pytest.raises(WebhookError, match="not from Acme"):
            await boards.receive_webhook("acme", {}, b"{}", token)
        await boards.receive_webhook("acme", {"X-Acme": "yes"}, b"{}", token)
        assert (await boards.wait(generation.id)).status == "succeeded"


@pytest.mark.parametrize("how", ["mistake", "refused", "lost"])
async def test_whatever_a_verification_raises_refuses_the_call(
    acme: Acme, open_boards: Open, how: str
) -> None:
    """As a WebhookError without keys, wherever it came from; a mistake is in the log."""
    async with open_boards(
        provider={
            "adapter": f"{AT}:Careless",
            "webhook": {"verify": {"kind": "none"}, "then": "poll"},
        },
        execution=SLOW,
        webhook_url="https://boards.example/hooks",
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        async for event in boards.events(generation.id):
            if event.type == "submitted":
                break
        token = await token_of(acme)
        with structlog.testing.capture_logs() as logs, pytest.raises(WebhookError) as caught:
            await boards.receive_webhook("acme", {"X-Acme": how}, b"{}", token)
        assert (await boards.get(generation.id)).phase == "waiting"
    told = "".join(traceback.format_exception(caught.value))
    assert "acme-secret-key" not in told + str(logs)
    assert [line["event"] for line in logs] == ["a webhook cannot be verified"][: how == "mistake"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{AT}:Nobody", "cannot be imported"),
        ("tests.integration.nowhere:Adapter", "cannot be imported"),
        (f"{AT}:NOT_AN_ADAPTER", "is no adapter"),
    ],
)
async def test_an_adapter_that_cannot_be_loaded_is_told(
    open_boards: Open, name: str, message: str
) -> None:
    """The provider is not available; everything else is."""
    async with open_boards(provider={"adapter": name}) as boards:
        with pytest.raises((PluginError, UnavailableError), match=message):
            await boards.generate("draw", prompt="a cat")
