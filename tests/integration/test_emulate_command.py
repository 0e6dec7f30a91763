"""``boards emulate``: any provider, from its files or by its name."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from boards import Boards
from boards.cli.app import boards as command

SPECS = Path(__file__).parents[1] / "specs"


@contextmanager
def emulating(folder: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """What the command tells when it is ready; Ctrl-C ends it with 0."""
    environment = {**os.environ, "BOARDS_HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "boards.cli", "emulate", *arguments, "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield json.loads(line)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


async def test_a_file_is_enough(tmp_path: Path) -> None:
    """What it prints leads a host to it, the file included; its instance has a name of its own."""
    with emulating(tmp_path, str(SPECS / "luma.yaml"), "--run-seconds", "0.05") as told:
        (tmp_path / "providers.yaml").write_text(json.dumps({"providers": told["providers"]}))
        async with Boards(home=tmp_path, environment=told["environment"]) as boards:
            generation = await boards.generate("luma-local/photon-1", prompt="a red fox")
            assert generation.artifacts[0].mime == "image/png"
        async with aiohttp.ClientSession() as session, session.get(told["stats_url"]) as reply:
            assert (await reply.json())["jobs"] == 1


async def test_an_installed_provider_is_played_by_its_name(tmp_path: Path) -> None:
    """Of a directory, too: all files of a plugin."""
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "provider.yaml").write_text(
        "providers:\n  acme:\n    config: {base_url: 'https://acme.example'}\n"
        "    auth: {kind: none}\n    setup: None.\n"
    )
    (folder / "draw.yaml").write_text(
        "generators:\n- name: draw\n  artifact_type: image\n  provider: acme\n"
        "  io: {input_schema: {type: object}}\n"
        "  execution:\n    submit: {method: POST, path: /draw}\n"
        "    extract: {outputs: [{from: body.url, as: url}]}\n"
    )
    with emulating(tmp_path, str(folder)) as told:
        assert told["name"] == "acme"
        assert told["providers"]["acme"]["config"]["base_url"].endswith("/acme.example")
        url = f"{told['base_url']}/acme.example/draw"
        async with aiohttp.ClientSession() as session, session.post(url) as reply:
            assert (await reply.json())["url"].startswith(told["base_url"])
    await asyncio.to_thread(_by_name, tmp_path, folder)


def _by_name(home: Path, folder: Path) -> None:
    both = "".join(one.read_text() for one in sorted(folder.iterdir(), reverse=True))
    (home / "generators.yaml").write_text(both)
    with emulating(home, "acme") as told:
        assert told["name"] == "acme"


def test_files_of_several_providers_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An emulator plays one; the message says which there are."""
    files = [str(SPECS / "luma.yaml"), str(SPECS / "runway.yaml")]
    code = command.main(
        ["--home", str(tmp_path), "emulate", *files], prog_name="boards", standalone_mode=False
    )
    assert code != 0
    assert "luma, runway" in capsys.readouterr().err


def test_a_name_that_nothing_has_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what there is."""
    code = command.main(
        ["--home", str(tmp_path), "emulate", "replicat"], prog_name="boards", standalone_mode=False
    )
    assert code != 0
    assert "replicat" in capsys.readouterr().err
