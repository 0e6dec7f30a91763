"""``boards test`` runs what is named, and tells what fails."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

PROVIDER = """\
providers:
  acme:
    config: {base_url: https://acme.test, api_key_env: ACME_KEY}
    auth: {kind: bearer}
"""
GENERATOR = """\
generators:
  - name: draw
    provider: acme
    artifact_type: image
    io:
      input_schema:
        type: object
        required: [prompt]
        properties:
          prompt: {type: string}
    execution:
      submit: {path: /run, json: {prompt: "${input.prompt}"}}
      extract: {outputs: [{from: "body.images[*]", expires: 1h}]}
"""
TESTS = """\
    tests:
      - name: a fox
        input: {prompt: a fox}
        exchanges:
          - expect: {path: /run, json: {prompt: a fox}}
            reply: {json: {images: ["https://files.acme.test/1.png"]}}
      - name: no credit
        input: {prompt: a cat}
        exchanges:
          - {expect: {path: /run}, reply: {status: 402, json: {}}}
        raises: quota
"""
WHOLE = PROVIDER + GENERATOR + TESTS


def test_what_passes_is_only_counted(cli: Cli, tmp_path: Path) -> None:
    """No line of a result, and exit code 0."""
    (tmp_path / "acme.yaml").write_text(WHOLE)
    ran = cli("test", "acme.yaml")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("2 fixtures of 1 generator: 2 passed (")


def test_what_fails_is_told_with_its_place_and_a_diff(cli: Cli, tmp_path: Path) -> None:
    """And exit code 1."""
    (tmp_path / "acme.yaml").write_text(WHOLE.replace("json: {prompt: a fox}", "json: {prompt: 1}"))
    ran = cli("test", "acme.yaml")
    assert ran.code == 1
    assert ran.out == (
        "FAILED acme/draw: a fox\n"
        "  acme.yaml:22:13: request 1, POST https://acme.test/run: "
        "the json differs (- expected, + found)\n"
        "       {\n"
        '      -  "prompt": 1\n'
        '      +  "prompt": "a fox"\n'
        "       }\n"
    )
    assert ", 1 failed" in ran.err


def test_fixtures_are_chosen_with_k(cli: Cli, tmp_path: Path) -> None:
    """By a part of their name; none is a failure."""
    (tmp_path / "acme.yaml").write_text(WHOLE)
    assert cli("test", "acme.yaml", "-k", "fox").err.startswith(
        "1 fixture of 1 generator: 1 passed"
    )
    ran = cli("test", "acme.yaml", "-k", "dog")
    assert ran.code == 1
    assert "There is no such fixture." in ran.err


def test_a_generator_without_tests_fails(cli: Cli, tmp_path: Path) -> None:
    """It would pass for nothing."""
    (tmp_path / "acme.yaml").write_text(PROVIDER + GENERATOR)
    ran = cli("test", "acme.yaml")
    assert (ran.code, ran.out) == (1, "FAILED acme/draw: it has no tests\n")


def test_results_as_json(cli: Cli, tmp_path: Path) -> None:
    """One object for each fixture."""
    bare = GENERATOR.partition("\n")[2].replace("name: draw", "name: paint")
    (tmp_path / "acme.yaml").write_text(WHOLE.replace("raises: quota", "raises: auth") + bare)
    ran = cli("test", "acme.yaml", "--json")
    assert ran.code == 1
    shown = {(one["generator"], one["fixture"]): one for one in json.loads(ran.out)}
    assert shown["acme/draw", "a fox"]["passed"] is True
    failed = shown["acme/draw", "no credit"]
    assert failed["passed"] is False
    assert failed["problems"][0]["where"] == "acme.yaml:24:9"
    assert failed["problems"][0]["message"].startswith("it raised quota, and was to raise auth")
    assert shown["acme/paint", None]["passed"] is False


def test_mistakes_are_told_as_check_tells_them(cli: Cli, tmp_path: Path) -> None:
    """And nothing is run."""
    (tmp_path / "acme.yaml").write_text(WHOLE.replace("input.prompt", "input.promt"))
    ran = cli("test", "acme.yaml")
    assert ran.code == 1
    assert "acme.yaml:16:44: error: ${input.promt}" in ran.out
    assert "^" in ran.out
    (one, *_) = json.loads(cli("test", "acme.yaml", "--json").out)
    assert (one["line"], one["severity"]) == (16, "error")


def test_a_plugin_a_provider_or_a_generator_is_tested_by_its_name(cli: Cli) -> None:
    """Without a key, as its authors wrote it."""
    plugin = cli("test", "boards-replicate")
    assert plugin.code == 0, plugin.out
    assert cli("test", "replicate").err.partition(":")[0] == plugin.err.partition(":")[0]
    assert re.match("[0-9]+ fixtures of 1 generator", cli("test", "replicate/flux-schnell").err)
    both = cli("test", "replicate/flux-schnell", "fal/flux-schnell", "--json")
    assert len({one["generator"] for one in json.loads(both.out)}) == 2


def test_a_hosts_own_addresses_do_not_matter(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fixtures name those of the provider."""
    path = tmp_path / "providers.yaml"
    path.write_text(
        "providers:\n  fal: {type: fal, config: {queue_url: http://127.0.0.1:1, base_url: x}}\n"
    )
    monkeypatch.setenv("BOARDS_PROVIDERS_CONFIG_PATH", str(path))
    assert cli("test", "fal/flux-schnell").code == 0


def test_a_hosts_own_provider_and_generators_count(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing else has them."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "providers.yaml").write_text(PROVIDER)
    (tmp_path / "mine.yaml").write_text(GENERATOR + TESTS)
    assert cli("test", "mine.yaml").code == 0
    (tmp_path / "home" / "generators.yaml").write_text(GENERATOR + TESTS)
    assert cli("test", "acme/draw").code == 0
    assert cli("test", "draw").err.startswith("2 fixtures of 1 generator: 2 passed")


@pytest.mark.parametrize(
    "arguments", [(), ("missing.yaml",), ("no-such-plugin",), ("fal", "--write"), ("fal", "--yes")]
)
def test_a_wrong_argument_is_told(cli: Cli, arguments: tuple[str, ...]) -> None:
    """Exit code 2."""
    assert cli("test", *arguments).code == 2


def test_a_recording_asks_before_it_costs_something(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where nobody can be asked, --yes is needed; a file is needed to write into."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_x")
    ran = cli("test", "--record", "replicate/flux-dev", "prompt=x")
    assert ran.code == 2
    assert "costs about $0.025" in ran.err
    assert "--yes" in ran.err
    assert cli("test", "--record", "replicate/flux-dev", "prompt=x", "--write", "--yes").code == 2


PIPELINE = "pipeline: {name: poster, steps: {a: {generator: other/draw, input: {prompt: a}}}}"


def test_a_pipeline_is_told_for_what_it_is(cli: Cli, tmp_path: Path) -> None:
    """With the commands that are for it; beside specifications it is passed over."""
    (tmp_path / "poster.yaml").write_text(PIPELINE)
    ran = cli("test", "poster.yaml")
    assert ran.code == 2
    assert "poster.yaml is a pipeline, which has no tests: boards check poster.yaml" in ran.err
    (tmp_path / "acme.yaml").write_text(WHOLE)
    ran = cli("test", ".")
    assert (ran.code, ran.out) == (0, "")
