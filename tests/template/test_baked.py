"""What the template makes is right as it is made, and its tests notice when it is not any more.

Run by ``nox -s template``: each plugin is installed into a fresh environment of its own.
"""

import itertools
import os
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from boards.scaffolding import template_directory
from tests.template.baking import COMBINATIONS, WHEELS, Baked, Combination, install, make, uv
from tests.template.mutants import MUTANTS, Mutant

baked_only = pytest.mark.skipif(WHEELS not in os.environ, reason="it is a session: nox -s template")


def test_every_pair_of_answers_is_combined() -> None:
    """Whatever goes wrong with two of them together is seen."""
    rows = [one.classes() for one in COMBINATIONS]
    assert len(rows) <= 8
    for first, second in itertools.combinations(range(len(rows[0])), 2):
        met = {(row[first], row[second]) for row in rows}
        firsts, seconds = ({row[n] for row in rows} for n in (first, second))
        assert met == set(itertools.product(firsts, seconds))


def test_every_answer_is_tried() -> None:
    """Each kind, each way to take a key, each licence."""
    assert {one.auth for one in COMBINATIONS} == {"bearer", "header", "query", "basic", "none"}
    assert len({one.license for one in COMBINATIONS}) == 4
    assert len({one.kinds for one in COMBINATIONS}) == 4


def test_every_mutant_has_a_name_of_its_own() -> None:
    """There are ten, and more."""
    assert len({one.id for one in MUTANTS}) == len(MUTANTS) >= 10


@baked_only
@pytest.mark.parametrize("one", COMBINATIONS, ids=lambda one: f"{one.kinds}-{one.way}")
def test_what_is_baked_is_right(one: Combination, tmp_path: Path) -> None:
    """Its tests, its lint, its types and its build, all as it is made."""
    baked = install(make(one, tmp_path), tmp_path / "environment")
    for command in (
        ("pytest", "-q", "--color=no"),
        ("ruff", "check"),
        ("ruff", "format", "--check"),
        ("mypy",),
        ("hatchling", "build"),
    ):
        ran = baked.run(*command)
        assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
    assert len(list((baked.project / "dist").iterdir())) == 2


@baked_only
def test_a_wheel_of_the_sdist_has_the_template_too(tmp_path: Path) -> None:
    """The template is outside of the package's directory, where an sdist does not reach."""
    uv("build", "--quiet", "--out-dir", tmp_path, Path(__file__).parents[2] / "core")
    (wheel,) = tmp_path.glob("*.whl")
    names = [one.partition("/cookiecutter-plugin/")[2] for one in ZipFile(wheel).namelist()]
    template = template_directory()
    files = {one.relative_to(template).as_posix() for one in template.rglob("*") if one.is_file()}
    assert files == {name for name in names if name}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    """A plugin with everything that a plugin may have; its tests pass."""
    directory = tmp_path_factory.mktemp("whole")
    one = Combination("python,storage,auth", "command", "bearer", "MIT", "boards-acme", "acme")
    baked = install(make(one, directory), directory / "environment", editable=True)
    ran = baked.run("pytest", "-q", "--color=no")
    assert ran.returncode == 0, ran.stdout
    return baked


@baked_only
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.id)
def test_a_baked_plugin_notices_when_it_is_broken(
    mutant: Mutant, whole: Baked, tmp_path: Path
) -> None:
    """By its own tests, as they were made."""
    saved = shutil.copytree(whole.project, tmp_path / "saved")
    try:
        mutant.apply(whole.project)
        whole.install()
        ran = whole.run("pytest", "-q", "-x", "--color=no", "-p", "no:cacheprovider")
    finally:
        shutil.rmtree(whole.project)
        shutil.copytree(saved, whole.project)
        whole.install()
    assert ran.returncode in (1, 2), f"its tests pass:\n{ran.stdout}"
    assert " failed" in ran.stdout or " error" in ran.stdout, ran.stdout
