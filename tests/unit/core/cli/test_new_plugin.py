"""``boards new-plugin`` writes a plugin, from the template or from a document."""

import gzip
import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.documents import DATA

from boards.cli import new_plugin
from boards.models import ModelFiles
from boards.spec.places import Problems
from boards.spec.reader import read_file
from boards.testing.fixtures import run_fixtures

Cli = Callable[..., Any]
STUDIO = str(DATA / "studio.yaml")


@pytest.fixture
def whisper(tmp_path: Path) -> str:
    """A document of Replicate, in a file."""
    content = gzip.decompress((DATA / "replicate" / "openai__whisper.json.gz").read_bytes())
    (tmp_path / "whisper.json").write_bytes(content)
    return "whisper.json"


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers of a person at a terminal, to be filled; an empty one takes the default."""
    answers: list[str] = []
    asked: list[str] = []

    def prompt(text: str, *, default: str, err: bool) -> str:
        assert err
        asked.append(text)
        return answers.pop(0) or default

    monkeypatch.setattr(new_plugin.click, "prompt", prompt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    return answers


def project(path: Path) -> dict[str, Any]:
    """What a plugin's metadata say."""
    return dict(tomllib.loads((path / "pyproject.toml").read_text())["project"])


def test_a_name_is_enough(cli: Cli, tmp_path: Path) -> None:
    """Without a terminal, defaults stand for the rest; what to do next is told."""
    ran = cli("new-plugin", "boards-pixel")
    assert (ran.code, ran.out) == (0, "boards-pixel: 13 files\n")
    assert "cd boards-pixel" in ran.err
    made = tmp_path / "boards-pixel"
    assert project(made)["entry-points"]["boards.specs"] == {"pixel": "boards_pixel.specs"}
    assert cli("check", "boards-pixel/src").code == 0
    assert cli("test", "boards-pixel/src").code == 0


def test_a_directory_that_cannot_be_written_is_told(cli: Cli, tmp_path: Path) -> None:
    """Exit code 3: it is of this machine."""
    (tmp_path / "file").touch()
    ran = cli("new-plugin", "boards-acme", "--yes", "--output", "file/below")
    assert ran.code == 3
    assert "file/below/boards-acme cannot be written" in ran.err


def test_json_has_the_files_and_the_answers(cli: Cli, tmp_path: Path) -> None:
    """One value, for programs."""
    ran = cli("new-plugin", "acme", "--kind", "storage", "--kind", "auth", "--json")
    found = json.loads(ran.out)
    assert ran.err == ""
    assert found["answers"]["kinds"] == "storage,auth"
    made = tmp_path / found["directory"]
    assert {one.relative_to(made).as_posix() for one in made.rglob("*") if one.is_file()} == set(
        found["files"]
    )


def test_options_are_answers(cli: Cli, tmp_path: Path) -> None:
    """Each of them."""
    ran = cli(
        "new-plugin", "acme-for-boards", "--provider", "acme", "--module", "acme_boards",
        "--base-url", "https://acme.test/v3", "--auth", "header", "--endpoint", "/v1/Posters",
        "--license", "BSD-3-Clause", "--author", "Ann", "--output", "made",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    made = tmp_path / "made" / "acme-for-boards"
    (spec,) = [read_file(made / "src/acme_boards/specs/acme.yaml", Problems())]
    assert spec.providers["acme"].config["base_url"] == "https://acme.test/v3"
    assert [one.id for one in spec.generators] == ["acme/posters"]
    assert project(made)["license"] == "BSD-3-Clause"
    assert project(made)["authors"] == [{"name": "Ann"}]


def test_a_person_is_asked_for_what_is_missing(cli: Cli, tmp_path: Path, person: list[str]) -> None:
    """Once more where an answer is wrong; what only other kinds need is not asked for."""
    person += ["", "Not It", "lockers", "storage", "", "Ann"]
    ran = cli("new-plugin", "boards-acme")
    assert ran.code == 0, ran.err
    assert person == []
    assert "'Not It' is no name of a provider" in ran.err
    made = tmp_path / "boards-acme"
    assert project(made)["entry-points"] == {"boards.plugins": {"lockers": "boards_acme.plugin"}}
    assert project(made)["license"] == "MIT"
    assert "Ann" in (made / "LICENSE").read_text()


def test_with_yes_nobody_is_asked(cli: Cli, person: list[str]) -> None:
    """Not even at a terminal."""
    assert cli("new-plugin", "boards-acme", "--yes").code == 0
    assert person == []


async def test_an_openapi_document_gives_the_specifications(cli: Cli, tmp_path: Path) -> None:
    """Provider and generators, whose fixtures pass; what it leaves open is told and kept."""
    ran = cli(
        "new-plugin", "boards-studio", "--from-openapi", STUDIO,
        "--operation", "createImage", "--operation", "describe",
        "--operation", "POST /speech/{voice_id}", "--operation", "translate",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "note: the address of the server has a variable region" in ran.err
    made = tmp_path / "boards-studio"
    path = made / "src/boards_studio/specs/studio.yaml"
    spec = read_file(path, Problems())
    assert list(spec.providers) == ["studio"]
    assert [one.name for one in spec.generators] == [
        "create-image", "describe", "post-speech-voice_id", "translate"
    ]  # fmt: skip
    assert "# - the address of the server has a variable region" in path.read_text()
    assert "how long does this address live?" in (made / "tests/test_provider.py").read_text()
    assert "studio/create-image" in (made / "README.md").read_text()
    results = await run_fixtures([one.id for one in spec.generators], generators=[path])
    assert len(results) == 8
    assert [one.problems for one in results if one.problems] == []


def test_the_address_of_an_openapi_document_may_be_another(cli: Cli, tmp_path: Path) -> None:
    """And its tests say the whole address, so that they notice a third."""
    ran = cli(
        "new-plugin", "boards-studio", "--kind", "python", "--from-openapi", STUDIO,
        "--operation", "createImage", "--base-url", "https://us.studio.example",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    made = tmp_path / "boards-studio/src/boards_studio"
    spec = read_file(made / "specs/studio.yaml", Problems())
    assert spec.providers["studio"].config["base_url"] == "https://us.studio.example"
    assert spec.providers["studio"].adapter == "boards_studio.adapter:StudioAdapter"
    assert (made / "adapter.py").exists()
    expect = spec.generators[0].tests[0].exchanges[0].expect
    assert expect["url"] == "https://us.studio.example/images/generations"


def test_a_model_of_a_provider_gives_a_generator(cli: Cli, tmp_path: Path, whisper: str) -> None:
    """From a file, nothing is asked; the plugin needs the provider's."""
    ran = cli("new-plugin", "--from-provider-model", "replicate/openai/whisper",
              "--document", whisper)  # fmt: skip
    assert ran.code == 0, ran.err
    made = tmp_path / "boards-openai-whisper"
    spec = read_file(made / "src/boards_openai_whisper/specs/replicate.yaml", Problems())
    assert spec.providers == {}
    assert [one.id for one in spec.generators] == ["replicate/openai-whisper"]
    assert project(made)["dependencies"] == ["boards-core>=0.1,<0.2", "boards-replicate>=0.1,<0.2"]
    assert "boards providers replicate" in (made / "README.md").read_text()


def test_a_model_that_was_used_needs_no_document(cli: Cli, tmp_path: Path, whisper: str) -> None:
    """What was imported on demand is taken, with its notes."""
    cli("import", "replicate", "--file", whisper, "--name", "openai/whisper", "--output", "w.yaml")
    kept = ModelFiles(tmp_path / "home" / "models").path("replicate", "openai/whisper")
    kept.parent.mkdir(parents=True)
    (tmp_path / "w.yaml").rename(kept)
    ran = cli("new-plugin", "acme", "--from-provider-model", "replicate/openai/whisper")
    assert ran.code == 0, ran.err
    assert "note: the document does not say whether the model is official" in ran.err
    spec = read_file(tmp_path / "acme/src/acme/specs/replicate.yaml", Problems())
    assert [one.id for one in spec.generators] == ["replicate/openai-whisper"]
    kept.write_text("spec: 1")
    ran = cli("new-plugin", "b", "--from-provider-model", "replicate/openai/whisper")
    assert "Delete its file" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["-x"], 2, "No such option"),
        (["../acme"], 2, "NAME: '../acme' is no name"),
        (["acme", "--kind", "stores"], 2, "--kind: there is no kind 'stores'"),
        (["acme", "--base-url", "acme"], 2, "--base-url: 'acme' is no base URL"),
        (["json"], 2, "--module: 'json' would hide another package"),
        (["there"], 2, "there exists, and is not empty"),
        (["a", "--from-openapi", "x", "--from-provider-model", "y"], 2, "exclude each other"),
        (["a", "--kind", "python", "--from-provider-model", "y"], 2, "makes a declarative plugin"),
        (["a", "--operation", "x"], 2, "--operation is of --from-openapi"),
        (["a", "--document", "x"], 2, "--document is of --from-provider-model"),
        (["a", "--from-openapi", STUDIO, "--auth", "none"], 2, "--auth is told by the document"),
        (["a", "--from-openapi", STUDIO], 3, "Choose one with --operation"),
        (["a", "--from-openapi", "none"], 2, "none cannot be read"),
        (["a", "--from-provider-model", "replicate"], 2, "Name the model with its provider"),
        (["a", "--from-provider-model", "nobody/x"], 2, "nobody"),
        (["a", "--from-provider-model", "replicate/x/y"], 3, "REPLICATE_API_TOKEN"),
    ],
)
def test_what_cannot_be_made_is_told(
    cli: Cli, tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    """With the remedy; nothing is written."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").touch()
    ran = cli("new-plugin", *arguments)
    assert ran.code == code, ran.err
    assert told in ran.err
    assert list(tmp_path.glob("*/pyproject.toml")) == []


def test_without_jinja_its_extra_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most hosts make no plugins."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    ran = cli("new-plugin", "acme")
    assert ran.code != 0
    assert "pip install 'boards-core[new-plugin]'" in ran.err
