"""All that a provider, a network or a disk can do wrong: told clearly, and nothing is lost."""

import asyncio
import base64
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from boards import (
    Boards,
    GenerationFailedError,
    GenerationUnresolvedError,
    StorageError,
    StoreError,
)
from tests.integration.acme import PNG, Acme, Handler
from tests.integration.conftest import Open


def answering(status: int, body: Any = None, **more: Any) -> Handler:
    """A handler that always answers so."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(text=body, status=status, **more)
        return web.json_response(body, status=status, **more)

    return answer


async def failure_of(open_boards: Open, **arguments: Any) -> GenerationFailedError:
    """The error of a generation that must fail; its row in the store says the same."""
    async with open_boards(**arguments) as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("acme/draw", prompt="a cat")
        stored = await boards.get(caught.value.generation.id)
    assert stored.status == "failed"
    assert stored.error == caught.value.failure
    text = str(caught.value)
    assert "provider acme" in text
    assert "generator acme/draw" in text
    assert stored.id in text
    assert "acme-secret-key" not in text
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [
        (400, "invalid_input", "boards show acme/draw"),
        (401, "auth", "boards providers acme --check"),
        (402, "quota", "Add credit"),
        (403, "auth", "boards providers acme --check"),
        (404, "not_found", "still exists"),
        (422, "invalid_input", "boards show acme/draw"),
    ],
)
async def test_a_refused_submit_fails_with_its_kind_and_remedy(
    acme: Acme, open_boards: Open, status: int, kind: str, remedy: str
) -> None:
    """The provider's words are kept; nothing is sent twice; nobody was charged."""
    acme.answers["submit"] = answering(status, {"error": {"message": "because acme-secret-key"}})
    error = await failure_of(open_boards)
    assert error.kind == kind
    assert f"HTTP {status}: because ***" in error.message
    assert remedy in error.remedy
    assert not error.failure.maybe_charged
    assert acme.counts["submit"] == 1


async def test_a_submit_that_is_always_throttled_gives_up(acme: Acme, open_boards: Open) -> None:
    """429 is repeated as often as the provider's retry says, then told as retryable."""
    acme.answers["submit"] = answering(429, {"detail": "slow down"}, headers={"Retry-After": "0"})
    error = await failure_of(open_boards)
    assert (error.kind, error.retryable) == ("rate_limited", True)
    assert acme.counts["submit"] == 3


async def test_a_submit_that_cannot_be_sent_gives_up(acme: Acme, open_boards: Open) -> None:
    """Nobody listens: it is provably unsent, so it is repeated, then told."""
    config = {"base_url": "http://127.0.0.1:9/v1", "api_key_env": "ACME_KEY"}
    error = await failure_of(open_boards, provider={"config": config})
    assert (error.kind, error.retryable) == ("transient", True)
    assert "cannot be reached" in error.message


async def test_a_500_to_a_submit_may_have_been_charged(acme: Acme, open_boards: Open) -> None:
    """It is not repeated: nobody knows what the provider did before it failed."""
    acme.answers["submit"] = answering(500, "<html>oops</html>")
    error = await failure_of(open_boards)
    assert error.kind == "transient"
    assert error.failure.maybe_charged
    assert acme.counts["submit"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        answering(502, "<html>bad gateway</html>"),
        answering(503, {"detail": "overloaded"}),
        answering(200, "<html>welcome</html>", content_type="text/html"),
        answering(201, {"status": "queued"}),
        answering(201, ["what"]),
    ],
    ids=["502", "503", "html", "no id", "a list"],
)
async def test_an_answer_that_proves_nothing_is_unknown(
    acme: Acme, open_boards: Open, answer: Handler
) -> None:
    """A gateway's error, or a success that tells no job: it may run, so it is not repeated."""
    acme.answers["submit"] = answer
    async with open_boards() as boards:
        with pytest.raises(GenerationUnresolvedError) as caught:
            await boards.generate("acme/draw", prompt="a")
    assert f"boards resolve {caught.value.generation.id}" in str(caught.value)
    assert acme.counts["submit"] == 1


async def test_a_job_that_fails_tells_why(acme: Acme, open_boards: Open) -> None:
    """The spec finds the message, and the kind in it."""
    acme.answers["poll"] = answering(200, {"status": "failed", "reason": "against our policy"})
    error = await failure_of(open_boards)
    assert (error.kind, error.message) == ("moderated", "against our policy")


async def test_an_unknown_status_is_told(acme: Acme, open_boards: Open) -> None:
    """The spec says what it knows; anything else is not guessed."""
    acme.answers["poll"] = answering(200, {"status": "pondering"})
    error = await failure_of(open_boards)
    assert error.kind == "provider"
    assert "'pondering'" in error.message


async def test_a_result_without_output_is_told(acme: Acme, open_boards: Open) -> None:
    """A success that is none."""
    acme.answers["result"] = answering(200, {"images": []})
    error = await failure_of(open_boards)
    assert "no output" in error.message
    assert error.failure.maybe_charged


async def test_a_job_that_outlives_its_deadline_is_canceled_and_expires(
    acme: Acme, open_boards: Open
) -> None:
    """The provider is asked to stop; the generation is expired, which callers see as failed."""
    acme.polls_needed = 10_000
    error = await failure_of(open_boards, execution={"deadline": {"queue": "1s", "run": "200ms"}})
    assert error.generation.phase == "expired"
    assert error.kind == "timeout"
    assert acme.counts["cancel"] == 1


async def test_an_output_that_is_gone_is_told(acme: Acme, open_boards: Open) -> None:
    """404 is asked again a few times, then told."""
    acme.answers["file"] = answering(404, "gone")
    error = await failure_of(open_boards)
    assert error.kind == "not_found"
    assert "404" in error.message
    assert acme.counts["file"] == 3


@pytest.mark.parametrize("synchronous", [False, True])
@pytest.mark.parametrize("status", [301, 307, 308])
async def test_a_submit_that_is_redirected_was_not_accepted(
    acme: Acme, open_boards: Open, status: int, synchronous: bool
) -> None:
    """The address is wrong: whoever answered did not look at it, and says where to send it."""
    there = {"Location": "https://api.acme.example/v2/jobs?key=secret"}
    acme.answers["submit"] = answering(status, "<p>Moved</p>", headers=there)
    error = await failure_of(open_boards, synchronous=synchronous)
    assert f"a redirect ({status}) to https://api.acme.example/v2/jobs was" in error.message
    assert "base_url" in error.remedy
    assert error.failure is not None
    assert not error.failure.maybe_charged


@pytest.mark.parametrize("status", [302, 303])
async def test_a_redirect_that_may_follow_an_accepted_submit_is_unknown(
    acme: Acme, open_boards: Open, status: int
) -> None:
    """See Other is what servers say that took a form; what it was is told."""
    acme.answers["submit"] = answering(status, "", headers={"Location": "/login"})
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
        assert (await boards.wait(generation.id)).phase == "unknown"
        events = [event async for event in boards.events(generation.id, follow=False)]
    assert f"a redirect ({status}) to /login" in events[-1].data["reason"]


async def test_an_output_over_the_cap_is_not_kept(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """The cap holds while the bytes stream, declared or not."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "image/png"})
        await response.prepare(request)
        try:
            for _ in range(1000):
                await response.write(PNG + b"\0" * 65_536)
        except ConnectionError:
            pass
        return response

    acme.answers["file"] = endless
    error = await failure_of(open_boards, max_output_bytes=200_000)
    assert "at most 200,000" in error.message
    assert "BOARDS_MAX_OUTPUT_SIZE" in error.remedy
    kept = [
        one for one in (tmp_path / "home").rglob("*") if one.is_file() and "artifacts" in str(one)
    ]
    assert sum(one.stat().st_size for one in kept) == 0


@pytest.mark.parametrize("form", ["base64", "data_uri", "text", "json"])
async def test_an_output_inside_a_reply_is_capped_too(
    acme: Acme, open_boards: Open, tmp_path: Path, form: str
) -> None:
    """Bytes or text: nothing of it reaches the storage."""
    encoded = base64.b64encode(PNG + b"\0" * 1000).decode()
    value = f"data:image/png;base64,{encoded}" if form == "data_uri" else encoded
    acme.answers["result"] = answering(200, {"output": value})
    outputs = [{"from": "body.output", "as": form}]
    error = await failure_of(
        open_boards, max_output_bytes=1000, execution={"extract": {"outputs": outputs}},
        artifact_type="text" if form in ("text", "json") else "image",
    )  # fmt: skip
    assert "at most 1,000" in error.message
    assert "BOARDS_MAX_OUTPUT_SIZE" in error.remedy
    assert not [one for one in (tmp_path / "home" / "artifacts").rglob("*") if one.is_file()]


async def test_an_output_of_another_type_is_told(acme: Acme, open_boards: Open) -> None:
    """A web page is no image, whatever its header says."""
    acme.answers["file"] = answering(200, "<!doctype html><p>Log in</p>", content_type="image/png")
    error = await failure_of(open_boards)
    assert "text/html" in error.message


async def test_an_output_on_a_private_address_is_not_fetched(acme: Acme, open_boards: Open) -> None:
    """The provider's own address is allowed here; a URL in its reply leads elsewhere."""
    port = acme.url.rpartition(":")[2]
    acme.answers["result"] = answering(
        200, {"images": [{"url": f"http://127.0.0.2:{port}/files/a.png"}]}
    )
    error = await failure_of(open_boards, allow_private_hosts=(f"127.0.0.1:{port}",))
    assert error.kind == "untrusted_url"
    assert "BOARDS_ALLOW_PRIVATE_HOSTS=127.0.0.2" in error.remedy
    assert acme.counts["file"] == 0


async def test_a_provider_on_a_private_address_is_not_asked(acme: Acme, open_boards: Open) -> None:
    """Without the setting nothing is sent, and the remedy names it."""
    error = await failure_of(open_boards, allow_private_hosts=False)
    assert error.kind == "untrusted_url"
    assert "BOARDS_ALLOW_PRIVATE_HOSTS" in error.remedy
    assert not acme.counts


async def test_credentials_never_go_to_a_foreign_host(acme: Acme, open_boards: Open) -> None:
    """A status URL from a reply is followed only on the provider's hosts."""
    acme.answers["submit"] = answering(
        201, {"id": "j", "status": "queued", "poll": "http://127.0.0.2:1/steal"}
    )
    error = await failure_of(
        open_boards,
        execution={
            "submit": {
                "path": "/jobs",
                "json": {"prompt": "${input.prompt}"},
                "capture": {"id": "body.id", "poll": "body.poll"},
            },
            "poll": {"url": "${job.poll}", "every": "10ms"},
        },
    )
    assert error.kind == "untrusted_url"
    assert "hosts" in error.remedy


async def test_a_full_disk_holds_a_generation_up_and_loses_nothing(
    acme: Acme, open_boards: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waiter is told at once; with space again the same job is fetched, not paid twice."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        async with open_boards() as boards:
            broken.setattr("boards.storage.local.os.fsync", full)
            with pytest.raises(StorageError) as caught:
                await boards.generate("acme/draw", prompt="a")
            (generation,) = await boards.list()
    assert generation.phase == "fetching"
    assert generation.id in str(caught.value)
    assert caught.value.remedy
    async with open_boards() as boards:
        generation = await boards.wait(generation.id)
    assert generation.status == "succeeded"
    assert acme.counts["submit"] == 1


async def test_a_read_only_home_is_told(open_boards: Open, tmp_path: Path) -> None:
    """Before anything is sent, with the path and what to do."""
    (tmp_path / "home").write_text("a file, not a directory")
    with pytest.raises(StoreError) as caught:
        async with open_boards():
            pass
    assert str(tmp_path / "home") in str(caught.value)
    assert caught.value.remedy


async def test_a_database_of_a_newer_version_is_left_alone(
    open_boards: Open, tmp_path: Path
) -> None:
    """It is refused untouched, with the advice to upgrade."""
    async with open_boards() as boards:
        await boards.generate("acme/draw", prompt="a")
    (database,) = (tmp_path / "home").glob("*.db")
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(StoreError, match="newer"):
        async with open_boards():
            pass
    assert database.read_bytes() == before


async def test_secrets_are_nowhere(
    acme: Acme, open_boards: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the store, the events, the artifacts' directory, the logs, the errors or a repr."""
    acme.answers["result"] = answering(500, {"detail": "key acme-secret-key is bad"})
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        events: list[str] = []
        async with asyncio.timeout(10):
            async for event in boards.events(generation.id):
                events.append(repr(event))
                if event.type == "retrying":
                    break
        shown = repr(boards.settings) + repr(boards.providers()) + repr(generation)
    assert any("key *** is bad" in event for event in events)
    assert "acme-secret-key" not in "".join(events) + shown + caplog.text
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            assert b"acme-secret-key" not in path.read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_home_without_permission_is_told(tmp_path: Path) -> None:
    """The directory is named."""
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=str(tmp_path)):
        async with Boards(home=tmp_path / "home", environment={}):
            pass
