"""The provider kit on our own plugins, with emulators written by hand and with declared ones."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from boards.adapters import Adapter, Job, reply
from boards.cli.app import boards
from boards.spec.replies import ReplyValue
from boards.spec.requests import Rendered
from boards.testing import ProviderConformance
from boards.testing.conformance.checks import Verdict, run_checks
from boards.testing.conformance.provider import CHECKS, ProviderSubject, Server
from boards.testing.emulators.fal import FalEmulator
from boards.testing.emulators.replicate import ReplicateEmulator

GENERATORS = ("flux-schnell", "flux-kontext-pro", "seedance-1-pro", "whisper")
"""An image, an image of a file, a video, a text."""
FAULTY = ("flux-schnell",)


class TestFal(ProviderConformance):
    """boards-fal, and what fal's documents say."""

    provider = "fal"
    generators = GENERATORS
    representatives = FAULTY

    @property
    def server(self) -> Server:
        return FalEmulator()


class TestReplicate(ProviderConformance):
    """boards-replicate, and what Replicate's documents say."""

    provider = "replicate"
    generators = GENERATORS
    representatives = FAULTY

    @property
    def server(self) -> Server:
        return ReplicateEmulator()


class TestOpenAI(ProviderConformance):
    """boards-openai, all of it, on a server that was made from its own tests."""

    provider = "openai"
    representatives = ("sora-2",)  # a job with a download that takes the key


QUICK = ("generates", "request-as-declared", "failure-reported", "lost-submit", "cancel", "resume")
"""What a server made of the tests in the specifications is tried with: it knows no more."""


@pytest.mark.parametrize("provider", ["fal", "replicate"])
async def test_our_plugins_conform_to_what_their_own_tests_say(provider: str) -> None:
    """Their generators, all of them, on a server that was made from the specifications."""
    subject = ProviderSubject(provider=provider, representatives=FAULTY)
    verdicts = await run_checks([CHECKS.named(name) for name in QUICK], subject)
    assert [_told(one) for one in verdicts if one.outcome != "passed"] == []


def _told(verdict: Verdict) -> str:
    return f"{verdict.check.name}: {verdict.outcome}: {verdict.message}"


def test_the_command_tells_each_verdict_as_json() -> None:
    """A distribution stands for its providers; an exempt check is not tried, and says why."""
    told = CliRunner().invoke(
        boards,
        [
            "--json", "conformance", "boards-fal", "-g", "flux-schnell",
            "--check", "ids-distinct", "--check", "cancel", "--exempt", "cancel=Not today.",
        ],
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    verdicts = {one["check"]: one for one in json.loads(told.stdout)}
    assert verdicts["ids-distinct"]["outcome"] == "passed"
    assert verdicts["cancel"]["outcome"] == "exempt"
    assert verdicts["cancel"]["message"] == "Not today."


def test_a_plugin_that_breaks_a_promise_is_told_and_the_exit_code_is_1() -> None:
    """A server that accepts nothing: nothing is generated."""
    told = CliRunner().invoke(
        boards,
        [
            "conformance", "fal", "-g", "flux-schnell", "--check", "generates",
            "--server", f"{__name__}:Refusing",
        ],
    )  # fmt: skip
    assert told.exit_code == 1
    assert "FAILED  generates" in told.stdout
    assert "fal/flux-schnell is failed" in told.stdout


def test_a_file_with_a_mistake_fails_with_the_mistake(tmp_path: Path) -> None:
    """The other checks tell what they can, and nothing crashes."""
    path = tmp_path / "acme.yaml"
    path.write_text(MISTAKEN)
    told = CliRunner().invoke(boards, ["conformance", str(path), "--check", "spec-valid"])
    assert told.exit_code == 1
    assert "acme.yaml:6:" in told.stdout
    assert "artifact_typ" in told.stdout


class Mill(Adapter):
    """Does its work on this machine."""

    async def submit(self, job: Job, request: Rendered | None) -> ReplyValue:
        return reply({"text": job.input["prompt"].upper()})


MILL = f"""\
providers:
  mill:
    adapter: {__name__}:Mill
    config: {{base_url: "http://localhost"}}
    auth: {{kind: none}}
generators:
  - name: shout
    provider: mill
    artifact_type: text
    io: {{input_schema: {{type: object, properties: {{prompt: {{type: string}}}}}}}}
    execution: {{type: adapter, extract: {{outputs: [{{from: body.text, as: text}}]}}}}
    tests: [{{input: {{prompt: hello}}, outputs: [{{text: HELLO}}]}}]
"""


async def test_work_on_this_machine_is_tried_without_a_server(tmp_path: Path) -> None:
    """An adapter that sends nothing generates; what a server may do wrong is not tried."""
    path = tmp_path / "mill.yaml"
    path.write_text(MILL)
    subject = ProviderSubject(provider="mill", specs=[path])
    names = ("spec-valid", "fixtures-pass", "generates", "lost-submit", "secrets", "resume")
    verdicts = await run_checks([CHECKS.named(name) for name in names], subject)
    assert [one.outcome for one in verdicts] == ["passed"] * 3 + ["not_applicable"] * 3


MISTAKEN = """\
providers:
  acme: {config: {base_url: "https://api.acme.example"}, auth: {kind: none}}
generators:
  - name: sketch
    provider: acme
    artifact_typ: image
    io: {input_schema: {type: object, properties: {}}}
    execution: {submit: {path: /x}, extract: {output_paths: [url]}}
"""


class Refusing(FalEmulator):
    """An account that is no more."""

    def accepts(self, credential: str | None) -> bool:
        return False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fal", "--check", "nothing"], "There is no check nothing"),
        (["fal", "--exempt", "cancel"], "gives no reason"),
        (["fall"], "Did you mean"),
        (["fal", "-g", "nothing"], "has no generator fal/nothing"),
        (["fal", "--server", "nowhere:Server"], "cannot be imported"),
        (["no-such-file.yaml"], "no-such-file.yaml"),
    ],
)
def test_what_cannot_be_tried_is_told_before_anything_is(
    arguments: list[str], message: str
) -> None:
    """A slip of the keyboard is no verdict."""
    told = CliRunner().invoke(boards, ["conformance", *arguments])
    assert told.exit_code != 0
    assert message in told.output


def test_the_checks_are_listed_without_being_tried() -> None:
    """Names and titles."""
    told = CliRunner().invoke(boards, ["conformance", "fal", "--list"])
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.stdout.splitlines()[1:]] == [
        check.name for check in CHECKS
    ]
