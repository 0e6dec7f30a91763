"""``boards import`` writes a specification, its notes and what the checker says."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.documents import DATA

from boards.spec.places import Problems
from boards.spec.reader import read_text

Cli = Callable[..., Any]


@pytest.fixture
def whisper(tmp_path: Path) -> str:
    """A document of Replicate, in a file."""
    content = gzip.decompress((DATA / "replicate" / "openai__whisper.json.gz").read_bytes())
    (tmp_path / "whisper.json").write_bytes(content)
    return "whisper.json"


def test_a_file_becomes_yaml_on_stdout_and_notes_on_stderr(cli: Cli, whisper: str) -> None:
    """The YAML reads back; its comment tells the source."""
    ran = cli("import", "replicate", "--file", whisper)
    assert ran.code == 0
    problems = Problems()
    (generator,) = read_text(ran.out, "out.yaml", problems).generators
    assert (generator.id, generator.artifact_type) == ("replicate/openai-whisper", "text")
    assert problems.errors == []
    first = ran.out.splitlines()[0]
    assert "version 8099696689d2" in first
    assert "of 2024-11-26" in first
    assert "note: the document does not say whether the model is official" in ran.err


def test_output_is_a_file_that_is_never_replaced_unasked(
    cli: Cli, whisper: str, tmp_path: Path
) -> None:
    """With --force it is."""
    ran = cli("import", "replicate", "--file", whisper, "--output", "w.yaml", "--name", "hear")
    assert (ran.code, ran.out) == (0, "")
    assert "Wrote replicate/hear to w.yaml." in ran.err
    (tmp_path / "w.yaml").write_text("mine")
    ran = cli("import", "replicate", "--file", whisper, "--output", "w.yaml")
    assert ran.code == 2
    assert "--force" in ran.err
    assert (tmp_path / "w.yaml").read_text() == "mine"
    assert cli("import", "replicate", "--file", whisper, "--output", "w.yaml", "--force").code == 0
    assert "openai-whisper" in (tmp_path / "w.yaml").read_text()
    assert cli("check", "w.yaml").code == 0


def test_an_output_that_cannot_be_written_is_told(cli: Cli, whisper: str, tmp_path: Path) -> None:
    """Exit code 3, of this machine, and not the 1 of a specification with mistakes."""
    (tmp_path / "file").touch()
    ran = cli("import", "replicate", "--file", whisper, "--output", "file/w.yaml")
    assert ran.code == 3
    assert "file/w.yaml cannot be written" in ran.err


def test_json_has_document_and_notes(cli: Cli, whisper: str) -> None:
    """One value, for programs."""
    ran = cli("import", "replicate", "--file", whisper, "--json")
    found = json.loads(ran.out)
    assert found["document"]["generators"][0]["name"] == "openai-whisper"
    assert found["problems"] == []
    assert found["notes"]
    assert found["version"].startswith("8099696689d2")
    assert ran.err == ""


def test_any_openapi_document_gives_a_provider_too(cli: Cli) -> None:
    """As YAML or JSON."""
    ran = cli(
        "import", "studio", "--openapi", str(DATA / "studio.yaml"), "--operation", "createImage"
    )
    assert ran.code == 0
    file = read_text(ran.out, "out.yaml", Problems())
    assert list(file.providers) == ["studio"]
    assert [one.id for one in file.generators] == ["studio/create-image"]


def test_a_provider_that_is_installed_stays_as_it_is(cli: Cli) -> None:
    """Only the generator is written."""
    ran = cli("import", "fal", "createImage", "--openapi", str(DATA / "studio.yaml"))
    assert read_text(ran.out, "out.yaml", Problems()).providers == {}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["replicate"], 2, "Name the MODEL"),
        (["nobody", "a/b"], 2, "nobody"),
        (["replicate", "--file", "none.json"], 2, "none.json cannot be read"),
        (["replicate", "a/b"], 3, "REPLICATE_API_TOKEN"),
        (["replicate", "a/b", "--operation", "x"], 2, "--operation is of --openapi"),
        (["replicate", "--file", "a", "--openapi", "b"], 2, "exclude each other"),
        (["replicate", "--file", "page.html"], 3, "web page"),
        (["elsewhere", "--file", "other.json"], 3, "--openapi other.json"),
        (["elsewhere", "x", "--openapi", "swagger.json"], 3, "Swagger 2.0"),
    ],
)
def test_what_cannot_be_imported_is_told(
    cli: Cli, tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    """With the remedy."""
    (tmp_path / "page.html").write_text("<html>not found</html>")
    (tmp_path / "other.json").write_text('{"openapi": "3.0.0", "paths": {}}')
    (tmp_path / "swagger.json").write_text('{"swagger": "2.0", "paths": {}}')
    ran = cli("import", *arguments)
    assert ran.code == code, ran.err
    assert told in ran.err
