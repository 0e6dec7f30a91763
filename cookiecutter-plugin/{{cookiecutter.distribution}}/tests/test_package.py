"""What is published is whole: every file is in the wheel, and the core's version is bounded."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
DISTRIBUTION = "{{ cookiecutter.distribution }}"
MODULE = "{{ cookiecutter.module }}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel of this directory."""
    built = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", str(built)], cwd=ROOT, check=True, capture_output=True)
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_every_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """Data too, and what tells type checkers that there are types."""
    source = ROOT / "src"
    wanted = {
        file.relative_to(source).as_posix()
        for file in source.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert f"{MODULE}/py.typed" in wanted
    assert wanted <= set(wheel.namelist())


def test_the_licence_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """Whoever gets the wheel gets the licence."""
    assert [name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE")]


def test_what_is_installed_has_the_entry_points_of_the_wheel(wheel: zipfile.ZipFile) -> None:
    """So the other tests are about what pyproject.toml says now: if not, install it anew."""
    (path,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    parser = ConfigParser()
    parser.read_string(wheel.read(path).decode())
    built = {(group, *entry) for group in parser.sections() for entry in parser.items(group)}
    installed = distribution(DISTRIBUTION).entry_points
    assert {(one.group, one.name, one.value) for one in installed} == built


def test_the_core_has_bounds_that_the_installed_one_is_within() -> None:
    """Before 1.0 each minor version of boards-core may break: the next one is excluded."""
    required = [Requirement(one) for one in distribution(DISTRIBUTION).requires or ()]
    (core,) = [one.specifier for one in required if one.name == "boards-core"]
    assert core.contains(version("boards-core"), prereleases=True)
    assert {one.operator for one in core} >= {">=", "<"}
    assert not core.contains("1000000")
