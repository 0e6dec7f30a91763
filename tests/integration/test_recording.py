"""Fixtures recorded from real runs against the emulators pass at once, and hold no secret."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from boards.spec.places import Problems, plain
from boards.spec.yaml import parse
from boards.testing.emulators.replicate import ReplicateEmulator
from boards.testing.emulators.server import Knobs
from boards.testing.fixtures import run_fixtures
from tests.integration.test_cli import QUICK, Shell, fal, replicate, shell

__all__ = ["fal", "replicate", "shell"]

MINE = """\
# My own.
generators:
  - name: mine  # of Replicate
    artifact_type: image
    provider: replicate
    io:
      input_schema:
        type: object
        required: [prompt]
        properties:
          prompt: {type: string}
          image: {type: string, format: image}
    execution:
      submit:
        path: /models/black-forest-labs/flux-dev/predictions
        json: {input: {prompt: "${input.prompt}", image: "${input.image?|file}"}}
        capture: {id: body.id}
      poll: {path: "/predictions/${job.id}", every: 20ms}
      extract: {outputs: [{from: "body.output[*]", as: url, expires: 1h}]}
    # The end.
"""


def recorded(shell: Shell, *arguments: str) -> Any:
    """The fixture as JSON."""
    return shell.json("test", "--record", *arguments, "--yes")


@pytest.mark.parametrize("name", ["replicate/flux-schnell", "fal/flux-schnell"])
def test_a_run_is_printed_as_a_fixture_that_passes(shell: Shell, name: str, tmp_path: Path) -> None:
    """Where nothing is emulated, and no key is set."""
    done = shell.run("test", "--record", name, "prompt=a fox", "seed=3", "--yes")
    assert done.returncode == 0, done.stderr
    assert "in earnest" in done.stderr
    for secret in ("r8_very_secret_token", "very-secret", "127.0.0.1"):
        assert secret not in done.stdout
    document = parse(f"tests:\n{_indented(done.stdout)}", "", Problems())
    assert document is not None
    (test,) = plain(document.root)["tests"]
    assert test["input"] == {"prompt": "a fox", "seed": 3}
    methods = [one["expect"]["method"] for one in test["exchanges"]]
    assert methods[0] == "POST"
    assert set(methods[1:]) == {"GET"}
    assert test["exchanges"][0]["expect"]["json"]
    assert len(test["outputs"]) == 1


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def test_equal_answers_are_told_once(shell: Shell, replicate: ReplicateEmulator) -> None:
    """One poll for each status on the way."""
    replicate.knobs = Knobs(queue_seconds=0.1, run_seconds=0.3)
    path = shell.path / "mine.yaml"
    path.write_text(MINE)
    test = recorded(shell, "mine", "prompt=x", str(path))
    statuses = [one["reply"]["json"]["status"] for one in test["exchanges"]]
    assert statuses[0] == "starting"
    assert statuses[-1] == "succeeded"
    assert len(statuses) <= 4
    assert len(set(statuses[1:])) == len(statuses[1:])


def test_a_failure_is_recorded_by_its_kind(shell: Shell, replicate: ReplicateEmulator) -> None:
    """A run that fails makes the fixture of a failure."""
    replicate.knobs = Knobs(queue_seconds=0.02, run_seconds=0.05, moderate_every=1)
    test = recorded(shell, "replicate/flux-schnell", "prompt=x")
    assert test["raises"] == "moderated"
    assert "outputs" not in test


async def test_a_fixture_is_added_to_a_file_of_mine(shell: Shell) -> None:
    """With a small file instead of mine, below what is there; it passes at once."""
    path = shell.path / "mine.yaml"
    path.write_text(MINE)
    (shell.path / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(400_000))
    for title, more in (("one", "image=@cat.png"), ("two", "image=https://acme.test/cat.png")):
        done = await _in_thread(
            shell, "test", str(path), "--record", "replicate/mine", "prompt=x", more,
            "--title", title, "--write", "--yes",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
    text = path.read_text()
    assert text.startswith(MINE.partition("    # The end.")[0])
    assert text.endswith("    # The end.\n")
    results = await run_fixtures(["replicate/mine"], generators=[path])
    assert [(one.name, one.problems) for one in results] == [("one", ()), ("two", ())]
    document = parse(text, "", Problems())
    assert document is not None
    one, two = plain(document.root)["generators"][0]["tests"]
    assert one["input"]["image"] == "data:image/png;base64,ZmlsZQ=="
    assert one["exchanges"][0]["expect"]["json"]["input"]["image"] == one["input"]["image"]
    assert two["input"]["image"] == "https://acme.test/cat.png"


async def _in_thread(shell: Shell, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command line has an event loop of its own."""
    import asyncio

    return await asyncio.to_thread(shell.run, *arguments)


def test_what_cannot_be_added_is_printed(shell: Shell) -> None:
    """The file stays as it is, and the reason is told."""
    path = shell.path / "mine.yaml"
    text = MINE + "    tests: []\n"
    path.write_text(text)
    done = shell.run(
        "test", str(path), "--record", "replicate/mine", "prompt=x", "--write", "--yes"
    )
    assert done.returncode == 1
    assert done.stdout.startswith("- name: recorded\n")
    assert "not a list with an entry" in done.stderr
    assert path.read_text() == text


def test_an_unfinished_recording_is_in_the_way(shell: Shell, replicate: ReplicateEmulator) -> None:
    """What it asks would be taken for the next one's."""
    replicate.knobs = Knobs(queue_seconds=0.02, run_seconds=30)
    home = shell.path / "home"
    environment = {
        **shell.environment,
        "BOARDS_HOME": str(home / "recordings"),
        "BOARDS_PROVIDERS_CONFIG_PATH": str(home / "providers.yaml"),
    }
    other = Shell(shell.path, environment)
    done = other.run("generate", "replicate/flux-schnell", "prompt=x", "--no-wait")
    assert done.returncode == 0, done.stderr
    replicate.knobs = QUICK
    done = shell.run("test", "--record", "replicate/flux-schnell", "prompt=x", "--yes")
    assert done.returncode == 1
    assert "Another recording is unfinished" in done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("name", ["replicate/flux-dev", "fal/flux-dev"])
def test_the_command_that_explain_prints_is_accepted(shell: Shell, name: str) -> None:
    """By the provider's emulator, with a file from disk."""
    (shell.path / "my cat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    done = shell.run("explain", name, "prompt=it's $5 `now`", "image=@my cat.png", "--curl")
    assert done.returncode == 0, done.stderr
    ran = subprocess.run(
        ["bash", "-c", done.stdout],
        cwd=shell.path,
        env={**shell.environment, "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ran.returncode == 0, ran.stderr
    accepted = json.loads(ran.stdout)
    assert accepted.get("id") or accepted.get("request_id"), accepted


def test_a_file_without_the_generator_is_told_before_anything_is_paid(shell: Shell) -> None:
    """The fixture has no place there: exit code 2, and no job."""
    (shell.path / "mine.yaml").write_text(MINE)
    done = shell.run(
        "test", "mine.yaml", "--record", "fal/flux-schnell", "prompt=x", "--write", "--yes"
    )
    assert done.returncode == 2
    assert "mine.yaml does not define fal/flux-schnell. Nothing was sent." in done.stderr
    assert (shell.path / "mine.yaml").read_text() == MINE
    assert shell.json("generations", "--home", "home/recordings") == []


def test_a_run_that_the_budget_refuses_is_no_fixture(shell: Shell) -> None:
    """It is told why, and that there is nothing to be recorded."""
    shell.environment["BOARDS_BUDGET"] = "0.001 USD/day"
    done = shell.run("test", "--record", "replicate/flux-schnell", "prompt=x", "--yes")
    assert done.returncode == 1
    assert "error: quota: This costs about 0.003 USD" in done.stderr
    assert "cannot be told as a fixture: it ended before anything was submitted." in done.stderr
    assert done.stdout == ""
