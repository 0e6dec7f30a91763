"""Providers written in YAML alone, under ``tests/specs``: what the language must be able to say."""

from pathlib import Path

import pytest

from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.model import GeneratorSpec
from boards.spec.places import Problems
from boards.spec.reader import read_file
from boards.testing.fixtures import run_fixtures

FILES = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def _generators(path: Path) -> tuple[GeneratorSpec, ...]:
    return read_file(path, Problems()).generators


def test_there_are_files_to_test() -> None:
    """An empty list would pass every test below."""
    assert FILES


@each_file
def test_the_checker_has_nothing_to_say(path: Path) -> None:
    """No error and no warning: these files are what others copy."""
    problems = Problems()
    document = yaml.parse(yaml.load(path), path.name, problems)
    check_documents([] if document is None else [document], problems)
    assert [str(one) for one in (*problems.errors, *problems.warnings)] == []


@each_file
def test_every_generator_has_tests_of_success_and_of_failure(path: Path) -> None:
    """At least one that finds outputs and one that tells the kind of an error, with names."""
    for generator in _generators(path):
        names = [test.name for test in generator.tests]
        assert any(test.outputs for test in generator.tests), generator.id
        assert any(test.raises for test in generator.tests), generator.id
        assert all(names), f"{generator.id}: a test without a name"
        assert len(set(names)) == len(names), f"{generator.id}: two tests of one name"


@each_file
async def test_every_fixture_passes(path: Path) -> None:
    """The requests go out as written, the outputs are found, the errors have their kind."""
    ids = [generator.id for generator in _generators(path)]
    results = await run_fixtures(ids, generators=[path])
    failed = {f"{one.generator}: {one.name}": one.problems for one in results if one.problems}
    assert failed == {}
