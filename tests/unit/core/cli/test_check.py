"""``boards check`` tells every mistake at its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]

GOOD = """\
spec: 1
providers:
  acme:
    config: {base_url: https://acme.test}
    auth: {kind: none}
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


def test_a_file_without_mistakes_passes(cli: Cli, tmp_path: Path) -> None:
    """With exit code 0."""
    (tmp_path / "good.yaml").write_text(GOOD)
    ran = cli("check", "good.yaml")
    assert (ran.code, ran.err) == (0, "1 file: no errors, no warnings\n")


def test_all_mistakes_are_told_with_line_and_caret(cli: Cli, tmp_path: Path) -> None:
    """In the shape that editors read; exit code 1."""
    text = GOOD.replace("input.prompt", "input.promt").replace("path: /run", "pth: /run")
    (tmp_path / "bad.yaml").write_text(text)
    ran = cli("check", "bad.yaml")
    assert ran.code == 1
    errors = [line for line in ran.out.splitlines() if line.startswith("bad.yaml:")]
    assert len(errors) >= 1
    assert all(line.split(":")[1].isdecimal() and " error: " in line for line in errors)
    assert "^" in ran.out


def test_mistakes_as_json_have_their_place(cli: Cli, tmp_path: Path) -> None:
    """File, line and column apart."""
    (tmp_path / "bad.yaml").write_text(GOOD.replace("input.prompt", "input.promt"))
    ran = cli("check", "--json", "bad.yaml")
    (found,) = [one for one in json.loads(ran.out) if one["severity"] == "error"]
    assert (found["file"], found["line"]) == ("bad.yaml", 17)
    assert "promt" in found["message"]
    assert ran.code == 1


def test_a_directory_stands_for_its_files(cli: Cli, tmp_path: Path) -> None:
    """A provider may be defined in another of them."""
    head, _, tail = GOOD.partition("generators:")
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "provider.yaml").write_text(head)
    (tmp_path / "specs" / "draw.yaml").write_text(f"spec: 1\ngenerators:{tail}")
    ran = cli("check", "specs")
    assert (ran.code, ran.err) == (0, "2 files: no errors, no warnings\n")


def test_a_provider_that_is_installed_counts(cli: Cli, tmp_path: Path) -> None:
    """And one that is nowhere is a warning."""
    tail = GOOD.partition("generators:")[2]
    installed = tail.replace("provider: acme", "provider: replicate")
    (tmp_path / "a.yaml").write_text(f"spec: 1\ngenerators:{installed}")
    assert "is not defined" not in cli("check", "a.yaml").out
    (tmp_path / "b.yaml").write_text(f"spec: 1\ngenerators:{tail}")
    assert "warning: the provider 'acme' is not defined" in cli("check", "b.yaml").out


def test_a_file_that_is_not_there_is_a_wrong_argument(cli: Cli) -> None:
    """Exit code 2."""
    assert cli("check", "missing.yaml").code == 2
