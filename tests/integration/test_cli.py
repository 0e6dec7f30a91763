"""``boards`` as a process, against the emulators: what a script and what a person gets."""

import contextlib
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from attrs import define

from boards.auth import Identity
from boards.cli.app import boards
from boards.sync import Boards
from boards.testing.emulators.fal import FalEmulator
from boards.testing.emulators.replicate import ReplicateEmulator
from boards.testing.emulators.server import Emulator, Knobs, running
from tests.integration.acme import PNG

BOARDS = [sys.executable, "-m", "boards.cli"]
QUICK = Knobs(queue_seconds=0.02, run_seconds=0.05)
SLOW = Knobs(queue_seconds=0.02, run_seconds=30)


@define
class Shell:
    """A directory to run ``boards`` in, with both emulators as its providers."""

    path: Path
    environment: dict[str, str]

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """Run ``boards`` beside the test."""
        return subprocess.Popen(
            [*BOARDS, *arguments],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def run(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run ``boards`` to its end, in this process: most tests need no other one."""
        out, err = io.StringIO(), io.StringIO()
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(sys, "stdin", given),
            contextlib.chdir(self.path),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = boards.main(list(arguments), prog_name="boards", standalone_mode=False)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def json(self, *arguments: str) -> Any:
        """What ``boards --json`` prints; it must succeed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def replicate() -> Iterator[ReplicateEmulator]:
    """Replicate on this machine."""
    with running(ReplicateEmulator(QUICK)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def fal() -> Iterator[FalEmulator]:
    """The queue of fal on this machine."""
    with running(FalEmulator(QUICK)) as emulator:
        yield emulator


@pytest.fixture
def shell(tmp_path: Path, replicate: ReplicateEmulator, fal: FalEmulator) -> Shell:
    """A fresh home; the emulators are quick again, and have forgotten what other tests left."""
    replicate.knobs = fal.knobs = QUICK
    replicate.reset()
    fal.reset()
    providers = {
        "providers": {
            "replicate": {"type": "replicate", "config": {"base_url": f"{replicate.base_url}/v1"}},
            "fal": {
                "type": "fal",
                "config": {
                    "base_url": fal.run_url,
                    "queue_url": fal.queue_url,
                    "rest_url": fal.rest_url,
                    "api_url": f"{fal.base_url}/v1",
                },
            },
        }
    }
    home = tmp_path / "home"
    home.mkdir()
    (home / "providers.yaml").write_text(json.dumps(providers))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("BOARDS_")}
    environment = {
        **inherited,
        "BOARDS_HOME": str(home),
        "BOARDS_ALLOW_PRIVATE_HOSTS": "1",
        "REPLICATE_API_TOKEN": "r8_very_secret_token",
        "FAL_KEY": "very-secret:key",
        "COLUMNS": "120",
        "TERM": "xterm-256color",
    }
    return Shell(tmp_path, environment)


def test_the_main_job(shell: Shell) -> None:
    """One path a line on stdout, progress on stderr; ``--out`` has readable names."""
    process = shell.start("generate", "flux-dev", "prompt=a cat", "seed=7", "--out", "pictures")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    (path,) = out.splitlines()
    assert path.startswith("pictures/flux-dev-")
    assert (shell.path / path).stat().st_size > 1000
    assert "replicate/flux-dev: submitted as" in err
    assert "succeeded: replicate/flux-dev" in err
    assert "\x1b" not in out + err
    assert "very" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_told_without_a_traceback(shell: Shell) -> None:
    """Where the result was to go to it: on stderr then, with ``--json`` too."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*BOARDS, "schema", "--json"],
            env=shell.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_an_encoding_that_lacks_a_character_loses_no_result(encoding: str, shell: Shell) -> None:
    """It was paid for: what cannot be written is escaped, and the exit code is that of success."""
    shell.environment["PYTHONIOENCODING"] = encoding
    with shell.start("generate", "flux-schnell", "prompt=é 🦊", "--json") as process:
        printed = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    told = json.loads(printed)
    assert told["input"]["prompt"] == "é 🦊"
    with shell.start("status", told["id"]) as process:
        printed = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert ("é 🦊" if encoding == "utf-8" else r"\xe9 \U0001f98a") in printed


def test_json_is_one_object_and_nothing_else(shell: Shell) -> None:
    """With the documented keys; the rest of the commands show the same generation."""
    done = shell.run("generate", "fal/flux-dev", "prompt=7", "seed=7", "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    shown = json.loads(done.stdout)
    assert shown.keys() >= {
        "id", "generator", "provider", "status", "phase", "progress", "artifacts", "cost",
        "provider_job_id", "error", "timings",
    }  # fmt: skip
    assert (shown["generator"], shown["provider"]) == ("fal/flux-dev", "fal")
    assert (shown["status"], shown["phase"], shown["error"]) == ("succeeded", "succeeded", None)
    assert (shown["input"]["prompt"], shown["input"]["seed"]) == ("7", 7)
    (artifact,) = shown["artifacts"]
    facts = {"width", "height", "duration", "fps", "sample_rate", "channels"}
    told = {"id", "type", "mime", "path", "size", "sha256", "meta"}
    assert artifact.keys() == told | facts
    assert Path(artifact["path"]).stat().st_size == artifact["size"]
    assert shell.json("status", shown["id"]) == shown
    assert shell.json("generations") == [shown]
    assert shell.json("wait", shown["id"]) == shown
    events = shell.json("events", shown["id"])
    assert [events[0]["type"], events[-1]["type"]] == ["queued", "succeeded"]
    followed = shell.run(
        "events", shown["id"], "--follow", "--json", "--after", str(events[-2]["id"])
    )
    assert [json.loads(line) for line in followed.stdout.splitlines()] == events[-1:]
    assert shell.json("events", shown["id"], "--after", str(events[-1]["id"])) == []


def test_a_default_generator_an_input_file_and_an_earlier_result(shell: Shell) -> None:
    """Inputs from stdin; an image from a generation before, and one from a path."""
    first = shell.run("generate", "@replicate", "--input", "-", "--json", stdin="prompt: a cat\n")
    generation = json.loads(first.stdout)
    assert generation["generator"] == "replicate/flux-schnell"
    source = Path(generation["artifacts"][0]["path"])
    (shell.path / "cat.png").write_bytes(source.read_bytes())
    for given in (generation["id"], "@cat.png"):
        made = shell.json("generate", "replicate/flux-dev", "prompt=a dog", f"image={given}")
        assert made["input"]["image"].startswith("artifact:")
        assert made["status"] == "succeeded"


def test_a_used_key_shows_its_generation_whatever_became_of_the_request(shell: Shell) -> None:
    """A script that is begun again: its picture is gone by then, and so is the provider's key."""
    (shell.path / "cat.png").write_bytes(PNG)
    command = ("generate", "replicate/flux-dev", "prompt=a dog", "image=@cat.png", "--dedupe-key")
    first = shell.run(*command, "order-7")
    assert first.returncode == 0, first.stderr
    (shell.path / "cat.png").unlink()
    for _ in range(2):
        again = shell.run(*command, "order-7")
        assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
        shell.environment.pop("REPLICATE_API_TOKEN", None)
    told(shell.run(*command, "order-8"), 3)


def told(done: subprocess.CompletedProcess[str], code: int) -> str:
    """What a command wrote to stderr when it failed as it should; it printed no result."""
    assert done.returncode == code, done.stderr + done.stdout
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    return done.stderr


def test_wrong_input_is_told_all_at_once(shell: Shell, replicate: ReplicateEmulator) -> None:
    """Each field, what is wrong and what is allowed; nothing is sent. Exit code 2."""
    before = replicate.stats["jobs"]
    err = told(
        shell.run("generate", "replicate/flux-dev", "promt=x", "seed=abc", "num_outputs=9",
                  "output_format=gif", "image=cat.png"), 2,
    )  # fmt: skip
    assert "prompt: is required" in err
    assert "promt: is not an input; did you mean 'prompt'?" in err
    assert "seed: must be an integer, not the string 'abc'" in err
    assert "num_outputs: must be at most 4, not 9" in err
    assert "output_format: must be one of jpeg, png" in err
    assert "image: 'cat.png' is no URL" in err
    assert "boards show replicate/flux-dev" in err
    assert replicate.stats["jobs"] == before


def test_wrong_input_as_json_lists_the_problems(shell: Shell) -> None:
    """How a value is written and what it is, in one list."""
    done = shell.run("generate", "fal/flux-dev", "seed=1", "seed=2", "steps=many", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "invalid_input"
    assert {one["where"] for one in error["problems"]} == {"seed", "steps", "prompt"}


def test_an_unknown_generator_has_near_matches(shell: Shell) -> None:
    """Exit code 2."""
    err = told(shell.run("generate", "flux-dv", "prompt=x"), 2)
    assert "There is no generator 'flux-dv'. Did you mean" in err


def test_missing_keys_are_told_with_the_remedy_of_each_provider(shell: Shell) -> None:
    """Exit code 3; what is wrong with the input is told with it."""
    del shell.environment["FAL_KEY"], shell.environment["REPLICATE_API_TOKEN"]
    err = told(shell.run("generate", "flux-dev", "promt=x"), 3)
    assert "\nThe input does not fit the generator either:\n  promt: " in err
    assert "\n  prompt: " in err
    assert "replicate: REPLICATE_API_TOKEN is not set." in err
    assert "fal: FAL_KEY is not set. Create a key at https://fal.ai" in err


def test_a_failure_at_the_provider_is_exit_code_1(shell: Shell, fal: FalEmulator) -> None:
    """With provider, generator, generation and kind; the JSON has the error."""
    fal.knobs = Knobs(queue_seconds=0.02, run_seconds=0.05, fail_every=1)
    done = shell.run("generate", "fal/flux-dev", "prompt=x", "--json")
    assert done.returncode == 1
    shown = json.loads(done.stdout)
    assert shown["status"] == "failed"
    assert shown["error"]["kind"]
    assert shown["error"]["message"]
    err = told(shell.run("wait", shown["id"]), 1)
    assert f"error: {shown['error']['kind']}: {shown['error']['message']} [" in err
    assert f"[provider fal, generator fal/flux-dev, generation {shown['id']}]" in err


def test_a_refused_key_is_told(shell: Shell, replicate: ReplicateEmulator) -> None:
    """By ``generate`` and by ``providers --check``; the key itself is never shown."""
    replicate.knobs = Knobs(key="another")
    shown = shell.run("generate", "replicate/flux-dev", "prompt=x", "--json")
    assert shown.returncode == 1
    assert json.loads(shown.stdout)["error"]["kind"] == "auth"
    done = shell.run("providers", "replicate", "--check", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)[0]["check"]["ok"] is False
    assert "very_secret" not in shown.stdout + done.stdout
    replicate.knobs = QUICK
    assert shell.json("providers", "replicate", "--check")[0]["check"]["ok"] is True


def test_a_lost_submit_waits_for_a_decision(shell: Shell, fal: FalEmulator) -> None:
    """Exit code 4, listed as unknown, and abandoned by hand."""
    fal.knobs = Knobs(lose_replies_every=1)
    done = shell.run("generate", "fal/flux-dev", "prompt=x", "--json")
    assert done.returncode == 4
    shown = json.loads(done.stdout)
    assert (shown["phase"], shown["error"]["kind"]) == ("unknown", "unknown")
    assert "boards resolve" in shown["error"]["remedy"]
    assert [one["id"] for one in shell.json("generations", "--unknown")] == [shown["id"]]
    assert shell.run("resolve", shown["id"]).returncode == 2
    alone = shell.run("resolve", shown["id"], "--abandon", "--captured", "at=x")
    assert (alone.returncode, "--captured goes with --job" in alone.stderr) == (2, True)
    odd = shell.run("resolve", shown["id"], "--job", "x", "--captured", "at")
    assert (odd.returncode, "'at' is not NAME=VALUE" in odd.stderr) == (2, True)
    assert shell.json("resolve", shown["id"], "--abandon")["status"] == "failed"
    assert shell.json("generations", "--unknown") == []


def test_an_operator_decides_for_an_owner(shell: Shell, fal: FalEmulator) -> None:
    """What is lost is told by the worker, listed with --owner, and found by its request at fal."""
    fal.knobs = Knobs(lose_replies_every=1, queue_seconds=0, run_seconds=0)
    with Boards(home=shell.path / "home", environment=shell.environment) as boards:
        view = boards.as_owner(Identity("alice", tenant="acme"))
        lost = view.wait(view.submit("fal/flux-dev", prompt="x").id)
    owner = ("--owner", "acme/alice")
    assert shell.json("generations", "--unknown") == []
    assert [one["id"] for one in shell.json("generations", "--unknown", *owner)] == [lost.id]
    worker = shell.start("work")
    try:
        assert worker.stderr is not None
        told = [worker.stderr.readline() for _ in range(2)]
    finally:
        worker.kill()
        worker.communicate()
    assert told[1] == "1 wait for a decision: boards generations --unknown --owner acme/alice\n"
    (request,) = fal.submissions
    at = f"{fal.base_url}/queue/fal-ai/flux/requests/{request}"
    urls = ("--captured", f"status_url={at}/status", "--captured", f"response_url={at}")
    assert shell.run("resolve", lost.id, "--job", request, *urls).returncode == 2
    shell.json("resolve", lost.id, "--job", request, *urls, *owner)
    assert shell.json("wait", lost.id, *owner)["status"] == "succeeded"
    assert shell.json("events", lost.id, *owner)[-1]["type"] == "succeeded"
    wrong = shell.run("generations", "--owner", "acme/a b")
    assert (wrong.returncode, "percent-encoded" in wrong.stderr) == (2, True)
    assert shell.run("generations", "--prune", *owner).returncode == 2


def test_a_home_that_cannot_be_used_is_told(shell: Shell) -> None:
    """A database of a newer version; exit code 3."""
    shell.json("generate", "fal/flux-dev", "prompt=x")
    import sqlite3

    with sqlite3.connect(shell.path / "home" / "boards.db") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    err = told(shell.run("generations"), 3)
    assert "is of version 999" in err
    assert "pip install --upgrade boards-core" in err
    done = shell.run("generate", "fal/flux-dev", "prompt=x", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["kind"] == "store"


def test_an_output_directory_that_cannot_be_written_loses_nothing(shell: Shell) -> None:
    """The generation is kept, and the error names it."""
    (shell.path / "taken").write_text("a file")
    done = shell.run("generate", "fal/flux-dev", "prompt=x", "--out", "taken/below")
    err = told(done, 3)
    assert "taken/below cannot be written" in err
    generation_id = shell.json("generations")[0]["id"]
    assert f"boards wait {generation_id}" in err
    assert shell.run("wait", generation_id, "--out", "fine").returncode == 0


def test_what_is_copied_from_a_home_that_was_moved_or_emptied(shell: Shell) -> None:
    """It is found by its hash; where a file was deleted, that is told, and not the directory."""
    made = shell.json("generate", "fal/flux-dev", "prompt=x")
    (shell.path / "home").rename(shell.path / "moved")
    shell.environment["BOARDS_HOME"] = str(shell.path / "moved")
    done = shell.run("wait", made["id"], "--out", "o")
    assert done.returncode == 0, done.stderr
    copy = shell.path / done.stdout.strip()
    assert copy.stat().st_size == made["artifacts"][0]["size"]
    next((shell.path / "moved" / "artifacts").rglob(f"{made['artifacts'][0]['sha256']}*")).unlink()
    err = told(shell.run("wait", made["id"], "--out", "p"), 3)
    assert "There is no file" in err
    assert "cannot be written" not in err


def test_no_wait_leaves_and_work_finishes(shell: Shell, fal: FalEmulator) -> None:
    """What was accepted goes on; a worker fetches it, and leaves at SIGTERM with 0."""
    fal.knobs = Knobs(queue_seconds=0.02, run_seconds=1.0)
    shown = shell.json("generate", "fal/flux-dev", "prompt=x", "--no-wait")
    assert shown["provider_job_id"]
    assert shown["status"] in ("queued", "running")
    worker = shell.start("work")
    try:
        assert worker.stderr is not None
        assert "1 unfinished" in worker.stderr.readline()
        assert shell.json("wait", shown["id"])["status"] == "succeeded"
        worker.send_signal(signal.SIGTERM)
        _, err = worker.communicate(timeout=10)
    finally:
        worker.kill()
    assert worker.returncode == 0, err


def test_a_worker_counts_what_it_drives_of_all_owners(shell: Shell, fal: FalEmulator) -> None:
    """A host with many owners has little, or nothing, of its own."""
    fal.knobs = SLOW
    with Boards(home=shell.path / "home", environment=shell.environment, drive=False) as boards:
        boards.as_owner(Identity("alice")).submit("fal/flux-dev", prompt="x")
    worker = shell.start("work", "--json")
    try:
        assert worker.stdout is not None
        assert worker.stderr is not None
        assert json.loads(worker.stdout.readline()) == {"unfinished": 1, "undecided": {}}
        told = worker.stderr.readline()
    finally:
        worker.kill()
        worker.communicate()
    assert told.endswith("home: 1 unfinished.\n")


def test_cancel_reaches_the_provider(shell: Shell, fal: FalEmulator) -> None:
    """From another process than the one that submitted; a second time it is too late."""
    fal.knobs = SLOW
    shown = shell.json("generate", "fal/flux-dev", "prompt=x", "--no-wait")
    assert shell.json("cancel", shown["id"])["status"] == "canceled"
    assert fal.in_flight() == 0
    fal.knobs = QUICK
    done = shell.json("generate", "fal/flux-dev", "prompt=x")
    late = shell.run("cancel", done["id"])
    assert late.returncode == 1
    assert "cannot be canceled any more: it succeeded" in late.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_script_that_is_interrupted_leaves_the_generation(
    shell: Shell, replicate: ReplicateEmulator, number: int, code: int
) -> None:
    """Nobody can be asked: it goes on, and the message says how to come back."""
    replicate.knobs = SLOW
    process = shell.start("generate", "replicate/flux-dev", "prompt=x")
    assert process.stderr is not None
    for line in process.stderr:
        if "submitted" in line:
            process.send_signal(number)
            break
    out, err = process.communicate(timeout=10)
    assert process.returncode == code
    assert out == ""
    assert "Come back with: boards wait" in err
    (shown,) = shell.json("generations")
    assert shown["id"] in err
    assert shown["status"] in ("queued", "running")
    assert shell.json("cancel", shown["id"])["status"] == "canceled"


# Takes its stdin as the terminal that Ctrl-C comes from, and becomes ``boards``.
ON_A_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'boards.cli', *sys.argv[1:]])"
)


def typed(shell: Shell, *arguments: str, script: list[tuple[bytes, bytes]]) -> tuple[int, str]:
    """Run ``boards`` on a terminal: for each text that appears, keys are pressed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *arguments],
        cwd=shell.path,
        env=shell.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen, waiting, until = b"", list(script), time.monotonic() + 20
    try:
        while time.monotonic() < until:
            ready, _, _ = select.select([ours], [], [], 0.1)
            try:
                seen += os.read(ours, 4096) if ready else b""
            except OSError:  # the other side is closed
                break
            if waiting and waiting[0][0] in seen:
                os.write(ours, waiting.pop(0)[1])
        return process.wait(5), seen.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_ctrl_c_on_a_terminal_asks_once_and_cancels(shell: Shell, fal: FalEmulator) -> None:
    """At the provider too; exit code 130."""
    fal.knobs = SLOW
    code, seen = typed(
        shell, "generate", "fal/flux-dev", "prompt=x",
        script=[(b"running", b"\x03"), (b"[y/N]", b"y\n")],
    )  # fmt: skip
    assert code == 130
    assert seen.count("Cancel it at the provider too?") == 1
    assert "The generation was canceled." in seen
    assert shell.json("generations")[0]["status"] == "canceled"
    assert fal.in_flight() == 0


@pytest.mark.parametrize("answer", [b"n\n", b"\x03"])
def test_another_answer_leaves_it_running(shell: Shell, fal: FalEmulator, answer: bytes) -> None:
    """A second Ctrl-C too, at once."""
    fal.knobs = SLOW
    code, seen = typed(
        shell, "generate", "fal/flux-dev", "prompt=x",
        script=[(b"running", b"\x03"), (b"[y/N]", answer)],
    )  # fmt: skip
    assert code == 130
    assert "Come back with: boards wait" in seen
    assert shell.json("generations")[0]["status"] == "running"


def test_a_terminal_shows_the_result_with_its_facts(shell: Shell) -> None:
    """Path, type and size; ``NO_COLOR`` is respected."""
    shell.environment["NO_COLOR"] = "1"
    code, seen = typed(shell, "generate", "fal/flux-dev", "prompt=x", script=[])
    assert code == 0
    assert "image/jpeg" in seen
    assert "\x1b[3" not in seen  # a colour


def test_an_emulator_tells_how_it_is_used(shell: Shell) -> None:
    """What it prints is enough to generate with it; Ctrl-C ends it with 0."""
    process = shell.start("emulate", "replicate", "--run-seconds", "0.1", "--json")
    assert process.stdout is not None
    try:
        shown = json.loads(process.stdout.readline())
        (shell.path / "home" / "providers.yaml").write_text(
            json.dumps({"providers": shown["providers"]})
        )
        shell.environment |= shown["environment"]
        assert shell.json("generate", "replicate/flux-dev", "prompt=x")["status"] == "succeeded"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


def test_an_emulator_says_that_its_port_is_taken(shell: Shell, fal: Emulator) -> None:
    """With a remedy and no traceback."""
    port = fal.base_url.rpartition(":")[2]
    err = told(shell.run("emulate", "fal", "--port", port), 1)
    assert f"127.0.0.1:{port} cannot be listened on" in err
