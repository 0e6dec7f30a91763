"""``boards run`` and ``boards runs`` against the emulators, for scripts and for people."""

import json
import signal
from pathlib import Path

import pytest

from boards.testing.emulators.fal import FalEmulator
from boards.testing.emulators.replicate import ReplicateEmulator
from boards.testing.emulators.server import Knobs
from tests.integration.test_cli import SLOW, Shell, fal, replicate, shell, typed

__all__ = ["fal", "replicate", "shell"]  # fixtures

POSTER = """\
spec: 1
pipeline:
  name: poster
  inputs:
    idea: {type: string}
    film: {type: boolean, default: false}
  steps:
    words:
      generator: meta-llama-3-8b-instruct
      input: {prompt: "A prompt for a picture of ${input.idea}"}
    base:
      generator: fal/flux-schnell
      input: {prompt: "${steps.words.text}", seed: 7}
    large:
      generator: real-esrgan
      input: {image: "${steps.base.artifacts.0}", scale: 2}
    film:
      generator: kling-v2.1-master
      when: {eq: [input.film, true]}
      input: {prompt: slowly, image: "${steps.base.artifacts.0}"}
"""


@pytest.fixture
def poster(shell: Shell) -> Shell:
    """A directory with a pipeline."""
    (shell.path / "poster.yaml").write_text(POSTER)
    return shell


def test_a_pipeline_runs(poster: Shell) -> None:
    """Paths on stdout, what happens to each step on stderr; ``--out`` has readable names."""
    done = poster.run("run", "poster.yaml", "idea=a fox", "--out", "o")
    assert done.returncode == 0, done.stderr
    (path,) = done.stdout.splitlines()
    assert path.startswith("o/real-esrgan-")
    assert (poster.path / path).stat().st_size > 100
    assert "words: submitted as" in done.stderr
    assert "film: skipped, because its condition does not hold" in done.stderr
    assert "succeeded: poster" in done.stderr
    (shown,) = poster.json("runs")
    assert (shown["pipeline"], shown["status"]) == ("poster", "succeeded")
    one = poster.run("runs", shown["id"][:20])
    assert "└─ film" in one.stdout
    assert one.returncode == 0


def test_the_json_of_a_run(poster: Shell) -> None:
    """One object, the same later; each step has its generation."""
    done = poster.run(
        "run", "poster.yaml", "idea=a fox", "film=true", "--json", "--dedupe-key", "k"
    )
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    shown = json.loads(done.stdout)
    assert [step["status"] for step in shown["steps"]] == ["succeeded"] * 4
    assert [one["type"] for one in shown["artifacts"]] == ["image", "video"]
    assert shown["error"] is None
    assert poster.json("runs", shown["id"]) == shown
    assert poster.json("runs") == [{name: shown[name] for name in shown if name != "error"}]
    assert poster.json("run", "poster.yaml", "idea=other", "--dedupe-key", "k") == shown
    generation = shown["steps"][1]["generation"]
    assert poster.json("status", generation["id"]) == generation


def test_a_run_whose_copies_cannot_be_written_is_told(poster: Shell) -> None:
    """It was paid for: its id and where its artifacts are stay known, as for one generation."""
    (poster.path / "o").touch()
    arguments = ("run", "poster.yaml", "idea=a fox", "--out", "o/x", "--dedupe-key", "k")
    done = poster.run(*arguments, "--json")
    assert done.returncode == 3
    shown = json.loads(done.stdout)
    assert (shown["status"], shown["error"]["kind"]) == ("succeeded", "storage")
    assert Path(shown["artifacts"][0]["path"]).is_file()
    again = poster.run(*arguments)
    assert again.returncode == 3
    assert "o/x cannot be written" in again.stderr
    assert f"Nothing is lost. Go on with: boards runs {shown['id']} --wait" in again.stderr


def test_a_failed_run_is_exit_code_1(poster: Shell, fal: FalEmulator) -> None:
    """What succeeded is kept; the error names the step and what to do."""
    fal.knobs = Knobs(queue_seconds=0.02, run_seconds=0.05, fail_every=1)
    done = poster.run("run", "poster.yaml", "idea=a fox")
    assert done.returncode == 1
    assert "error: Step base failed: " in done.stderr
    assert "large: skipped, because the run failed" in done.stderr
    (shown,) = poster.json("runs", "--status", "failed")
    assert [step["status"] for step in shown["steps"]] == [
        "succeeded",
        "failed",
        "skipped",
        "skipped",
    ]


def test_a_run_that_waits_for_a_decision_says_so(poster: Shell, fal: FalEmulator) -> None:
    """Its step is shown as unknown, and how it is decided; nothing of it is running."""
    fal.knobs = Knobs(queue_seconds=0.02, run_seconds=0.05, lose_replies_every=1)
    done = poster.run("run", "poster.yaml", "idea=a fox")
    assert done.returncode == 4
    (shown,) = poster.json("runs")
    base = shown["steps"][1]["generation_id"]
    lines = poster.run("runs", shown["id"]).stdout.splitlines()
    (line,) = [one for one in lines if base in one]
    assert line.split()[1:5] == ["base", "fal/flux-schnell", "unknown", base]
    assert line.endswith(f"decide with: boards resolve {base}")


def test_the_copies_of_an_earlier_run_are_told(poster: Shell) -> None:
    """In the place of the files in the storage."""
    assert poster.run("run", "poster.yaml", "idea=a fox").returncode == 0
    (shown,) = poster.json("runs")
    one = poster.run("runs", shown["id"], "--out", "o")
    (copy,) = (poster.path / "o").iterdir()
    (line,) = [line for line in one.stdout.splitlines() if "large" in line]
    assert line.endswith(f"o/{copy.name}")


def test_mistakes_are_told_before_anything_is_sent(
    poster: Shell, replicate: ReplicateEmulator
) -> None:
    """By ``run``, by ``run --check`` and by ``check``; wrong inputs are exit code 2."""
    submitted = replicate.stats.copy()
    bad = POSTER.replace("steps.words.text", "steps.word.text").replace("scale: 2", "scale: 99")
    bad += "      retries: 3\n"  # cannot be read, and keeps nothing else from being told
    (poster.path / "bad.yaml").write_text(bad)
    for code, *arguments in (
        (3, "run", "bad.yaml"),
        (1, "run", "bad.yaml", "--check"),
        (1, "check", "bad.yaml"),
    ):
        done = poster.run(*arguments)
        assert done.returncode == code
        told = done.stdout + done.stderr
        assert "bad.yaml:13:24: error: there is no step 'word'" in told
        assert "did you mean 'words'?" in told
        assert "error: scale must be at most 10, not 99" in told
        assert "error: unknown key 'retries'" in told
    assert poster.run("run", "poster.yaml", "--check").returncode == 0
    assert poster.run("check", "poster.yaml").stderr == "1 file: no errors, no warnings\n"
    wrong = poster.run("run", "poster.yaml", "ide=x", "film=maybe")
    assert wrong.returncode == 2
    assert "ide: is not an input; did you mean 'idea'?" in wrong.stderr
    assert "film: must be true or false" in wrong.stderr
    unread = poster.run("run", "poster.yaml", "idea=x", "film:=maybe")
    assert unread.returncode == 2
    assert "The input does not fit the pipeline poster; nothing was begun.\n" in unread.stderr
    assert "film: what follows := is no JSON" in unread.stderr
    assert "It takes: idea, film" in unread.stderr
    assert poster.run("run", "missing.yaml").returncode == 2
    assert poster.run("runs", "--wait").returncode == 2
    assert replicate.stats == submitted


def test_a_pipeline_is_checked_together_with_the_generators_of_another_file(poster: Shell) -> None:
    """What one file defines, another one may name."""
    (poster.path / "one.yaml").write_text(
        "pipeline: {name: one, steps: {a: {generator: mine, input: {prompt: x}}}}"
    )
    alone = poster.run("check", "one.yaml")
    assert "There is no generator 'mine'" in alone.stdout
    (poster.path / "mine.yaml").write_text(
        "generators: [{name: mine, provider: replicate, artifact_type: image, io: {input_schema: "
        "{type: object}}, execution: {submit: {path: /x, json: {}}, "
        "extract: {output_paths: [output]}}}]"
    )
    assert "There is no generator" not in poster.run("check", "one.yaml", "mine.yaml").stdout


def test_no_wait_leaves_and_wait_finishes(poster: Shell) -> None:
    """The id alone is on stdout; another process takes the run up."""
    done = poster.run("run", "poster.yaml", "idea=a fox", "--no-wait")
    assert done.returncode == 0
    run_id = done.stdout.strip()
    later = poster.run("runs", run_id, "--wait")
    assert later.returncode == 0, later.stderr
    assert Path(later.stdout.strip()).is_file()


def test_a_script_that_is_interrupted_leaves_the_run(
    poster: Shell, replicate: ReplicateEmulator
) -> None:
    """It goes on when Boards runs again; ``--cancel`` ends it, at the provider too."""
    replicate.knobs = SLOW
    process = poster.start("run", "poster.yaml", "idea=x")
    assert process.stderr is not None
    for line in process.stderr:
        if "submitted" in line:
            process.send_signal(signal.SIGTERM)
            break
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (143, "")
    (shown,) = poster.json("runs")
    assert f"Come back with: boards runs {shown['id']} --wait" in err
    assert shown["status"] == "running"
    canceled = poster.run("runs", shown["id"], "--cancel")
    assert (canceled.returncode, canceled.stdout) == (0, f"{shown['id']} canceled\n")
    assert poster.run("runs", shown["id"], "--wait").returncode == 1
    assert replicate.in_flight() == 0


def test_a_terminal_shows_a_tree(poster: Shell, replicate: ReplicateEmulator) -> None:
    """Steps that wait are seen too; Ctrl-C asks once whether to cancel."""
    replicate.knobs = SLOW
    code, seen = typed(
        poster, "run", "poster.yaml", "idea=x",
        script=[(b"running", b"\x03"), (b"[y/N]", b"y\n")],
    )  # fmt: skip
    assert code == 130
    assert "├─ large" in seen
    assert "└─ film" in seen
    assert "waiting" in seen
    assert seen.count("Cancel the run too?") == 1
    assert poster.json("runs")[0]["status"] == "canceled"
