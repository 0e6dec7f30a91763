"""Facts of the repository: commands, distributions, and what no file may say."""

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = [ROOT / "core", *sorted(path.parent for path in ROOT.glob("plugins/*/*.toml"))]
SETUP = "python3 -m venv .tools && .tools/bin/pip install -q nox uv && .tools/bin/nox -s"

# Written in parts, so that this file does not say them either.
FORBIDDEN = ["/" + "work/", "/" + "root/", "/home/" + "user", "." + "pyenv", "../" + "shared"]
NOT_OURS = {"build", "boards-demo", "_build", "__pycache__"}
TEXT = {"", ".cfg", ".css", ".html", ".j2", ".json", ".md", ".py", ".toml", ".yaml", ".yml"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _project(distribution: Path) -> dict[str, Any]:
    return dict(tomllib.loads((distribution / "pyproject.toml").read_text())["project"])


def _files() -> Iterator[Path]:
    """The repository's text files; not what was built, installed or cached."""
    for directory, names, files in os.walk(ROOT):
        names[:] = [
            name
            for name in names
            if name not in NOT_OURS
            and not name.endswith(".egg-info")
            and (not name.startswith(".") or name == ".ci")
        ]
        for file in files:
            path = Path(directory, file)
            if path.suffix in TEXT and not (file.startswith(".") and file != ".gitignore"):
                yield path


def test_ci_runs_the_readmes_test_command() -> None:
    """The README's second command is what CI runs, letter for letter, and nothing else."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = [line for line in script.read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not line.startswith(("set -", "cd "))] == [f"{SETUP} tests"]
    assert f"```sh\n{SETUP} tests\n```" in (ROOT / "README.md").read_text()


def test_the_readme_has_the_demo_command() -> None:
    """The README's first command is the demo."""
    assert f"```sh\n{SETUP} demo\n```" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=_name)
class TestDistribution:
    """Every distribution can stand alone."""

    def test_has_what_a_release_needs(self, distribution: Path) -> None:
        """A licence and a README of its own, and types for its users."""
        assert (distribution / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
        assert (
            (distribution / "README.md")
            .read_text()
            .startswith(f"# {_project(distribution)['name']}\n")
        )
        assert list(distribution.glob("src/*/py.typed"))

    def test_bounds_what_it_depends_on(self, distribution: Path) -> None:
        """Every requirement has a lowest version; of our own the next minor is excluded."""
        project = _project(distribution)
        extras = project.get("optional-dependencies", {})
        required = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
        assert [one for one in required if ">=" not in one] == []
        ours = [one for one in required if one.startswith("boards-")]
        assert all(re.fullmatch(r"boards-core>=0\.(\d+),<0\.(\d+)", one) for one in ours)

    def test_supports_the_same_pythons(self, distribution: Path) -> None:
        """All say the same lowest Python, and the same version of themselves."""
        core = _project(ROOT / "core")
        project = _project(distribution)
        assert project["requires-python"] == core["requires-python"]
        assert project["version"] == core["version"]

    def test_specifications_are_where_the_entry_points_say(self, distribution: Path) -> None:
        """A plugin of data has YAML files in a package without code."""
        groups = _project(distribution).get("entry-points", {})
        for package in groups.get("boards.specs", {}).values():
            folder = distribution / "src" / package.replace(".", "/")
            assert list(folder.glob("*.yaml"))
            module = distribution / "src" / package.partition(".")[0] / "__init__.py"
            statements = ast.parse(module.read_text()).body
            assert [one for one in statements if not isinstance(one, ast.Expr)] == []


def test_the_matrix_begins_at_the_lowest_python() -> None:
    """The classifiers, from which the matrix of the tests is derived, agree with the metadata."""
    project = _project(ROOT / "core")
    pythons = [one.rpartition(" ")[2] for one in project["classifiers"] if "Python :: 3." in one]
    assert project["requires-python"] == f">={pythons[0]}"
    assert pythons == sorted(pythons, key=lambda one: int(one.partition(".")[2]))


def test_no_file_tells_of_the_machine_it_was_written_on() -> None:
    """Nothing in the repository depends on, or mentions, where it was made."""
    told = [
        f"{_name(path)}: {word}"
        for path in _files()
        for word in FORBIDDEN
        if word in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert told == []
