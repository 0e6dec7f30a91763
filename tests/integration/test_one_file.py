"""A new generator for an installed provider: one short YAML file, and no Python."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from boards import Boards
from boards.cli.app import boards
from boards.testing.conformance.provider import CHECKS
from boards.testing.emulators.declared import DeclaredEmulator

PAGE = Path(__file__).parents[2] / "ADDING_A_GENERATOR.md"
NAME = "gpt-image-2.6-sunburst"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the guide shows whole."""
    monkeypatch.setenv("BOARDS_HOME", str(tmp_path / "home"))
    found = re.search(
        r"^<!-- file: sunburst.yaml -->\n```yaml\n(.*?)^```$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None
    path = tmp_path / "sunburst.yaml"
    path.write_text(found[1], encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    """A command as one types it."""
    return CliRunner().invoke(boards, [str(one) for one in arguments])


def test_it_is_shorter_than_forty_lines(file: Path) -> None:
    """With its tests; and the plugin does not have it."""
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 100
    installed = Boards(drive=False, environment={}).generators(provider="openai")
    assert NAME not in {one.name for one in installed}


def test_it_checks_without_a_warning(file: Path) -> None:
    """A warning would ask for more lines."""
    checked = run("check", file)
    assert checked.exit_code == 0, checked.output
    assert "no errors, no warnings" in checked.output


def test_its_tests_pass(file: Path) -> None:
    """A success, a moderation and a failure."""
    tested = run("test", file)
    assert tested.exit_code == 0, tested.output
    assert "3 fixtures of 1 generator: 3 passed" in tested.output


def test_it_conforms(file: Path) -> None:
    """To the whole kit, of itself: what does not apply is what OpenAI has not."""
    tried = run("--json", "conformance", file)
    assert tried.exit_code == 0, tried.output
    verdicts: dict[str, Any] = {one["check"]: one for one in json.loads(tried.stdout)}
    assert list(verdicts) == [one.name for one in CHECKS]
    assert {one["outcome"] for one in verdicts.values()} == {"passed", "not_applicable"}
    left_out = {name for name, one in verdicts.items() if one["outcome"] == "not_applicable"}
    assert left_out <= {
        "cancel",
        "webhook-valid",
        "webhook-wrong",
        "webhook-old",
        "webhook-replayed",
    }


async def test_it_generates_beside_the_plugin(file: Path, tmp_path: Path) -> None:
    """By its short name, at the plugin's provider; and what it did cost is told."""
    known = Boards(drive=False, environment={}, generators=[file]).registry
    emulator = DeclaredEmulator(
        "openai", known.provider("openai").spec, [known.spec(f"openai/{NAME}")]
    )
    async with (
        emulator,
        Boards(
            home=tmp_path / "home",
            environment=emulator.env,
            generators=[file],
            providers={"openai": {"type": "openai", "config": emulator.config}},
            allow_private_hosts=True,
        ) as host,
    ):
        generation = await host.generate(NAME, prompt="a red fox", num_outputs=2)
    assert generation.generator == f"openai/{NAME}"
    assert [one.type for one in generation.artifacts] == ["image", "image"]
    assert generation.cost is not None
    assert not generation.cost.estimated
    assert (generation.cost.unit, generation.cost.quantity) == ("token", 1767)
    assert generation.cost.usd == pytest.approx(0.05301)
