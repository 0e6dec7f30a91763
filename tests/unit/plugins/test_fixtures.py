"""The tests inside the specs of our plugins, run offline."""

import pytest

from boards import Boards
from boards.testing.fixtures import run_fixtures

PLUGINS = ["boards-fal", "boards-openai", "boards-replicate"]


def generators(plugin: str) -> list[str]:
    """The ids of a plugin's generators."""
    entries = Boards(environment={}).generators()
    return [entry.id for entry in entries if entry.source.startswith(f"{plugin} ")]


@pytest.mark.parametrize("plugin", PLUGINS)
async def test_every_fixture_of_a_plugin_passes(plugin: str) -> None:
    """The requests go out as written, and the outputs are found."""
    results = await run_fixtures(generators(plugin))
    failed = {(one.generator, one.name): one.problems for one in results if one.problems}
    assert failed == {}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_generator_has_a_fixture_of_success_and_one_of_failure(plugin: str) -> None:
    """A success names its outputs and the whole body of its submit; a failure names its kind."""
    registry = Boards(environment={}).registry
    lacking = []
    for id_ in generators(plugin):
        tests = registry.spec(id_).tests
        succeeds = [
            one
            for one in tests
            if one.outputs
            and {"json", "form", "multipart", "body"} & one.exchanges[0].expect.keys()
        ]
        fails = [one for one in tests if one.raises is not None]
        lacking += [] if succeeds else [f"{id_}: a success"]
        lacking += [] if fails else [f"{id_}: a failure"]
    assert generators(plugin)
    assert lacking == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_fixtures_of_a_generator_are_told_apart_by_their_names(plugin: str) -> None:
    """Or a failing one could not be chosen with -k."""
    registry = Boards(environment={}).registry
    for id_ in generators(plugin):
        names = [one.name for one in registry.spec(id_).tests]
        assert len(set(names)) == len(names), id_
        assert all(names), id_
