"""Commands that drive, told to leave while they close: submits under way are committed."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from tests.integration.acme import Acme, generator
from tests.integration.conftest import Open


async def test_a_submit_under_way_is_committed_when_a_command_is_terminated_as_it_closes(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """Its own work is done; it drives another generation, whose submit is not answered yet."""
    arrived, answered = asyncio.Event(), asyncio.Event()

    async def submit(request: web.Request) -> web.StreamResponse:
        if (await request.json())["prompt"] == "old":
            arrived.set()
            await answered.wait()
        await arrived.wait()
        return await acme.submit(request)

    acme.answers["submit"], acme.polls_needed = submit, 1_000_000
    async with open_boards(drive=False) as boards:
        old = await boards.submit("acme/draw", prompt="old")
    providers = {"acme": acme.provider()}
    (tmp_path / "home" / "generators.yaml").write_text(
        json.dumps({"spec": 1, "providers": providers, "generators": [generator()]})
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "boards.cli", "generate", "acme/draw", "prompt=new", "--no-wait",
        env={
            **os.environ, "ACME_KEY": "acme-secret-key", "BOARDS_HOME": str(tmp_path / "home"),
            "BOARDS_ALLOW_PRIVATE_HOSTS": "true",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(30):
            assert await process.stdout.readline(), (
                await process.stderr.read()
            )  # the id: it is done, and closes
            process.send_signal(signal.SIGTERM)
            async for line in process.stderr:
                if b"SIGTERM: leaving" in line:
                    break
            answered.set()
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    async with open_boards(drive=False) as boards:
        assert (await boards.get(old.id)).phase == "waiting"
    assert acme.counts["submit"] == 2
