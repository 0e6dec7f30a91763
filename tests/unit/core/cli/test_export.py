"""``boards export`` writes either language, and back."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boards import Boards
from boards.spec.places import Problems
from boards.spec.reader import read_text
from boards.spec.writing import file_document, to_yaml

Cli = Callable[..., Any]

INSTALLED = Boards(environment={}).generators()
ONE_OF_EACH = {(one.provider, one.artifact_type): one.id for one in INSTALLED}
"""A generator for each kind of artifact of each provider; all of them are in test_round_trips."""


@pytest.mark.parametrize("name", ONE_OF_EACH.values())
def test_an_installed_generator_goes_to_python_and_back(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    """Its YAML is that of its Python; the Python of that is the same again."""
    registry = Boards(environment={}).registry
    expected = registry.spec(registry.resolve(name)[0].id)
    python = cli("export", name, "--to", "python", "--provider").out
    (tmp_path / "made.py").write_text(python)
    assert cli("export", "made.py", "--to", "python").out == python
    yaml = cli("export", "made.py").out
    problems = Problems()
    read = read_text(yaml, "made.yaml", problems)
    assert not problems.errors
    assert read.generators == (expected,)
    assert read.providers == {expected.provider: registry.provider(expected.provider).spec}
    (tmp_path / "made.yaml").write_text(yaml)
    assert cli("export", "made.yaml").out == yaml
    assert cli("export", "made.yaml", "--to", "python").out == python


def test_both_plugins_are_installed() -> None:
    """So the test above has something to say."""
    assert len([one for one in INSTALLED if one.id.startswith(("fal/", "replicate/"))]) >= 51


def test_yaml_is_the_default_and_json_wraps_it(cli: Cli) -> None:
    """Without the provider, unless it is asked for."""
    registry = Boards(environment={}).registry
    text = cli("export", "fal/flux-dev").out
    assert text == to_yaml(file_document({}, [registry.spec("fal/flux-dev")]))
    assert "providers:\n  fal:\n" in cli("export", "fal/flux-dev", "--provider").out
    shown = json.loads(cli("export", "fal/flux-dev", "--json").out)
    assert shown == {"generators": ["fal/flux-dev"], "language": "yaml", "text": text}


def test_mistakes_and_missing_names_are_told(cli: Cli, tmp_path: Path) -> None:
    """Of Python at the line; an unknown name with what is near."""
    (tmp_path / "bad.py").write_text(
        "from boards.dsl import Generator, body, post\n\n\n"
        'class Bad(Generator, name="bad", provider="acme", artifact="imag"):\n'
        '    submit = post("/a")\n    outputs = body.url\n'
    )
    ran = cli("export", "bad.py")
    assert ran.code != 0
    assert "bad.py:4:60: error: 'imag' is not allowed here; did you mean 'image'?" in ran.err
    (tmp_path / "bad.yaml").write_text("generators: [{name: x}]\n")
    assert "missing key" in cli("export", "bad.yaml").err
    assert "fal/flux-dev" in cli("export", "fal/flux-dve").err
    assert "There is no file" in cli("export", "nothing.py").err


NESTED = """
from __future__ import annotations

import attrs
from sizes import WIDTH

from boards.dsl import Generator, body, input, post


@attrs.frozen
class Size:
    width: int = WIDTH


class Sized(Generator, name="sized", provider="acme", artifact="image"):
    size: Size

    submit = post("/a", json={"size": input.size})
    outputs = body.url
"""


def test_a_file_imports_what_is_beside_it_and_may_be_called_as_it_likes(
    cli: Cli, tmp_path: Path
) -> None:
    """Annotations that are texts are read in their module, which hides no other one."""
    (tmp_path / "sizes.py").write_text("WIDTH = 512\n")
    (tmp_path / "json.py").write_text(NESTED)
    before = list(sys.path)
    assert "width: {type: integer}" in cli("export", "json.py").out
    assert (sys.modules["json"], sys.path) == (json, before)
    assert cli("check", "json.py").code == 0


def test_what_a_file_prints_is_no_result(cli: Cli, tmp_path: Path) -> None:
    """It goes to stderr, so that the result is the YAML, or the one JSON value, alone."""
    (tmp_path / "loud.py").write_text(f"{NESTED}\nprint('loud')\n")
    exported, checked = cli("export", "loud.py"), cli("check", "loud.py", "--json")
    assert exported.out.startswith("spec: 1\n")
    assert isinstance(json.loads(checked.out), list)
    assert "loud" in exported.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\nimport nowhere\n", "bad.py:2:1: error: ModuleNotFoundError"),
        ("def (\n", "bad.py:1:5: error: SyntaxError: invalid syntax"),
        ("x = 1 / 0\n", "bad.py:1:5: error: ZeroDivisionError"),
        ("raise SystemExit(0)\n", "bad.py:1:1: error: SystemExit: 0"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_at_its_line(
    cli: Cli, tmp_path: Path, text: str, told: str
) -> None:
    """It is a mistake of the file, not a bug of Boards; the same for both who run it."""
    (tmp_path / "bad.py").write_text(text)
    ran = cli("export", "bad.py")
    assert (ran.code, told in ran.err) == (3, True)
    checked = cli("check", "bad.py")
    assert (checked.code, told in checked.out) == (1, True)


def test_the_mistakes_of_all_classes_are_told_at_once(cli: Cli, tmp_path: Path) -> None:
    """And a file without any says so."""
    (tmp_path / "bad.py").write_text(
        "from boards.dsl import Generator, body, post\n\n\n"
        'class A(Generator, name="a", provider="acme", artifact="imag"):\n'
        '    submit = post("/a")\n    outputs = body.url\n\n\n'
        'class B(Generator, name="b", provider="acme", artifact="imag"):\n'
        '    submit = post("/a")\n    outputs = body.url\n'
    )
    ran = cli("export", "bad.py")
    assert "bad.py:4:56: error" in ran.err
    assert "bad.py:9:56: error" in ran.err
    (tmp_path / "none.py").write_text("x = 1\n")
    assert "none.py defines no generator" in cli("export", "none.py").err


def test_a_pipeline_is_told_for_what_it_is(cli: Cli, tmp_path: Path) -> None:
    """With the commands that are for it."""
    (tmp_path / "poster.yaml").write_text("pipeline: {name: poster, steps: {}}")
    ran = cli("export", "poster.yaml")
    assert ran.code == 3
    assert "poster.yaml:1:1: error: this file is a pipeline" in ran.err
    assert "boards run runs it, boards check checks it" in ran.err
