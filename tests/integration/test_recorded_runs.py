"""A real run, taken down and told as a fixture: without secrets, and as short as it can be."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from boards import Boards
from boards.engine.addresses import AddressPolicy
from boards.engine.transport import AiohttpTransport
from boards.testing.fixtures.recording import NotRecordedError, Recorder, fixture_of
from tests.integration.acme import PNG, Acme, generator

KEY = "acme-secret-key"
TOKEN = "0aB1cD2eF3gH4iJ5kL6mN7oP"


async def recorded(
    acme: Acme,
    home: Path,
    execution: dict[str, Any] | None = None,
    provider: dict[str, Any] | None = None,
    inputs: dict[str, Any] | None = None,
    *,
    synchronous: bool = False,
) -> dict[str, Any]:
    """Generate ``acme/draw``, and the fixture of it."""
    spec = generator(**(execution or {}))
    if synchronous:
        del spec["execution"]["poll"], spec["execution"]["result"]
    recorder = Recorder(AiohttpTransport(AddressPolicy(True)))
    given = {"prompt": "a fox", **(inputs or {})}
    source: dict[str, Any] = {
        "providers": {"acme": acme.provider(**(provider or {}))},
        "generators": [spec],
    }
    async with Boards(
        home=home,
        environment={"ACME_KEY": KEY},
        allow_private_hosts=True,
        transport=recorder,
        **source,
    ) as boards:
        submitted = await boards.submit("acme/draw", input=given)
        generation = await boards.wait(submitted.id)
        return await fixture_of(
            boards, generation, given, recorder.taken, name="recorded", **source
        )


def statuses(fixture: dict[str, Any]) -> list[int]:
    """Of the replies."""
    return [one["reply"]["status"] for one in fixture["exchanges"]]


async def test_no_secret_is_left(acme: Acme, tmp_path: Path) -> None:
    """Though the provider repeats the key in headers, bodies and addresses, and signs others."""

    async def submit(request: web.Request) -> web.StreamResponse:
        authorization = request.headers["Authorization"]
        acme.jobs["job-1"] = {"id": "job-1", "status": "queued", "polls": 0}
        body = {
            "id": "job-1",
            "status": "queued",
            "echo": {"authorization": authorization, "note": f"sent with {authorization}"},
            "basic": base64.b64encode(KEY.encode()).decode(),
            "put": f"https://store.test/{TOKEN}/a.png?X-Amz-Signature=abc&X-Amz-Expires=60",
            "access_token": "short",
            "owner": "ann@example.org",
        }
        return web.json_response(body, headers={"X-Key": KEY, "Set-Cookie": f"session={KEY}"})

    acme.answers["submit"] = submit
    fixture = await recorded(acme, tmp_path, {"result": {"path": "/jobs/${job.id}/result"}})
    text = json.dumps(fixture)
    for secret in (KEY, base64.b64encode(KEY.encode()).decode(), TOKEN, "abc", "short", "ann@"):
        assert secret not in text
    assert "headers" not in fixture["exchanges"][0]["reply"]
    assert fixture["exchanges"][0]["reply"]["json"]["put"] == (
        "https://store.test/scrubbed-1/a.png?X-Amz-Signature=scrubbed&X-Amz-Expires=60"
    )


async def test_only_the_last_try_of_a_submit_is_kept(acme: Acme, tmp_path: Path) -> None:
    """Refusals that were obeyed, and outages of a poll, are no part of it."""
    calls = {"submit": 0, "poll": 0}

    async def submit(request: web.Request) -> web.StreamResponse:
        calls["submit"] += 1
        if calls["submit"] == 1:
            return web.json_response({}, status=429, headers={"Retry-After": "0"})
        return await acme.submit(request)

    async def poll(request: web.Request) -> web.StreamResponse:
        calls["poll"] += 1
        if calls["poll"] == 2:
            return web.json_response({}, status=503, headers={"Retry-After": "0"})
        return await acme.poll(request)

    acme.polls_needed = 3
    acme.answers.update(submit=submit, poll=poll)
    fixture = await recorded(acme, tmp_path)
    assert statuses(fixture) == [201, 200, 200, 200]
    assert calls == {"submit": 2, "poll": 5}
    assert [one["reply"]["json"].get("status") for one in fixture["exchanges"]] == [
        "queued", "running", "done", None,
    ]  # fmt: skip


async def test_a_header_that_counts_is_kept(acme: Acme, tmp_path: Path) -> None:
    """And no other."""

    async def submit(_request: web.Request) -> web.StreamResponse:
        headers = {"X-Reason": "policy", "X-Other": "1", "Retry-After": "3"}
        return web.json_response({}, status=400, headers=headers)

    acme.answers["submit"] = submit
    rule = {"when": {"eq": ["header.x-reason", "policy"]}, "raise": "moderated"}
    fixture = await recorded(acme, tmp_path, {"errors": [rule]})
    assert fixture["raises"] == "moderated"
    assert fixture["exchanges"][0]["reply"]["headers"]["x-reason"] == "policy"
    assert "x-other" not in fixture["exchanges"][0]["reply"]["headers"]


async def test_bytes_become_a_word(acme: Acme, tmp_path: Path) -> None:
    """An output of that word, of the declared type."""

    async def submit(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=PNG, content_type="image/png")

    acme.answers["submit"] = submit
    fixture = await recorded(
        acme,
        tmp_path,
        {
            "submit": {"path": "/jobs", "accept": "binary", "json": {"prompt": "${input.prompt}"}},
            "extract": {"outputs": [{"from": "body", "as": "bytes", "mime": "image/png"}]},
        },
        synchronous=True,
    )
    assert fixture["exchanges"][0]["reply"]["bytes"] == "recorded"
    assert fixture["outputs"] == [{"bytes": "recorded", "mime": "image/png"}]


async def test_what_changes_with_each_run_is_a_token(acme: Acme, tmp_path: Path) -> None:
    """In requests and in replies."""

    async def submit(request: web.Request) -> web.StreamResponse:
        sent = await request.json()
        acme.jobs[sent["task"]] = {"id": sent["task"], "status": "queued", "polls": 0}
        return web.json_response({"task": sent["task"], "status": "queued"})

    acme.answers["submit"] = submit
    submit_spec = {
        "path": "/jobs",
        "json": {"task": "${run.uuid}", "prompt": "${input.prompt}"},
        "capture": {"id": "body.task"},
    }
    fixture = await recorded(acme, tmp_path, {"submit": submit_spec})
    first, second = fixture["exchanges"][:2]
    assert first["expect"]["json"] == {"task": "${run.uuid}", "prompt": "a fox"}
    assert first["reply"]["json"]["task"] == "${run.uuid}"
    assert second["expect"]["path"] == "/jobs/${run.uuid}"


async def test_an_upload_is_left_out_where_a_small_file_needs_none(
    acme: Acme, tmp_path: Path
) -> None:
    """And kept where every file is uploaded."""

    async def file(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"url": "https://store.test/a.png"})

    acme.answers["cancel"] = file
    upload = {
        "init": {
            "method": "POST", "path": "/jobs/0/cancel", "multipart": {"content": "${file.bytes}"},
        },
        "capture": {"url": "body.url"},
        "result": "${upload.url}",
    }  # fmt: skip
    inputs = {"image": PNG + bytes(5000)}
    for accept, count in ((["data_uri", "upload"], 0), (["upload"], 1)):
        files = {"accept": accept, "data_uri_max": "1KB", "upload": upload}
        fixture = await recorded(acme, tmp_path, provider={"files": files}, inputs=inputs)
        assert fixture["input"]["image"] == "data:image/png;base64,ZmlsZQ=="
        uploads = [one for one in fixture["exchanges"] if "multipart" in one["expect"]]
        assert len(uploads) == count
        assert all(one["expect"]["multipart"] == {"content": "file"} for one in uploads)


@pytest.mark.parametrize("polled", [True, False])
async def test_the_events_of_a_stream_become_replies(
    polled: bool, acme: Acme, tmp_path: Path
) -> None:
    """Of the poll, where there is one."""

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in (
            {"status": "running"},
            {"status": "running"},
            {"status": "done", "images": [{"url": f"{acme.url}/files/a.png"}], "seed": 7},
        ):
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        return response

    acme.answers["result"] = events
    whole = generator(stream={"path": "/jobs/${job.id}/result"})
    del whole["execution"]["result"]
    if not polled:
        del whole["execution"]["poll"]
    recorder = Recorder(AiohttpTransport(AddressPolicy(True)))
    source: dict[str, Any] = {"providers": {"acme": acme.provider()}, "generators": [whole]}
    async with Boards(
        home=tmp_path,
        environment={"ACME_KEY": KEY},
        allow_private_hosts=True,
        transport=recorder,
        **source,
    ) as boards:
        generation = await boards.generate("acme/draw", prompt="a fox")
        given = {"prompt": "a fox"}
        fixture = await fixture_of(boards, generation, given, recorder.taken, name="one", **source)
    told = [one["reply"]["json"]["status"] for one in fixture["exchanges"]]
    assert told == ["queued", "running", "done"]
    path = "/jobs/job-1" if polled else "/jobs/job-1/result"
    assert {one["expect"]["path"] for one in fixture["exchanges"][1:]} == {path}


async def test_what_has_no_end_is_not_recorded(acme: Acme, tmp_path: Path) -> None:
    """A fixture could expect nothing of it."""

    async def submit(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=502)

    acme.answers["submit"] = submit
    with pytest.raises(NotRecordedError, match="it is unknown"):
        await recorded(acme, tmp_path)
