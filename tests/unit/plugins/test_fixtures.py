"""The tests inside the specs of both plugins, run offline."""

import pytest

from boards import Boards
from boards.testing.fixtures import run_fixtures


@pytest.mark.parametrize("provider", ["replicate", "fal"])
async def test_every_fixture_of_a_plugin_passes(provider: str) -> None:
    """The requests go out as written, and the outputs are found."""
    ids = [entry.id for entry in Boards(environment={}).generators(provider=provider)]
    results = await run_fixtures(ids)
    assert len(results) >= 2 * len(ids)
    failed = {(one.generator, one.name): one.problems for one in results if one.problems}
    assert failed == {}
