"""The pytest plugin of Boards: fixtures for authors of plugins, and for hosts.

pytest loads it at every start, also for projects that have nothing to do with Boards. So it lies
outside the package ``boards``, and imports nothing of it before a fixture is used: what the
fixtures do is in :mod:`boards.testing.hosting`.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from boards import Boards
    from boards.testing.emulators.server import Emulator
    from boards.testing.paid_provider import PaidAccount, PaidProvider

__all__ = ["boards", "boards_home", "paid_provider", "provider_emulator"]

try:
    # Where it is installed, pytest has loaded it already; else anyio runs async fixtures.
    from pytest_asyncio import fixture as _async_fixture
except ImportError:  # pragma: no cover
    _async_fixture = pytest.fixture  # type: ignore[assignment]

_MARK = "boards_provider(name, **knobs): the provider that `provider_emulator` plays."


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, for ``--strict-markers``."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture(scope="session")
def _boards_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One index of what is installed, for all tests."""
    return tmp_path_factory.mktemp("boards-cache")


@pytest.fixture
def boards_home(tmp_path: Path, _boards_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own: nothing of this machine's settings, keys and files gets in.

    The environment has no ``BOARDS_*`` but for this home, and no variable that looks like a
    credential. The working directory is an empty one, so that no ``.env`` is read.
    """
    from boards.testing.hosting import prepare_home  # noqa: PLC0415

    return prepare_home(tmp_path, _boards_cache, monkeypatch)


@pytest.fixture
def provider_emulator(
    request: pytest.FixtureRequest, boards_home: Path, monkeypatch: pytest.MonkeyPatch
) -> "Iterator[Emulator]":
    """A provider on loopback, for which the home and the environment are set up.

    Which one, the mark tells: ``@pytest.mark.boards_provider("acme")``, with the name of one that
    is installed, or with a YAML file beside the test's; and how it behaves, as in
    ``queue_seconds=0``: see :class:`boards.testing.emulators.server.Knobs`.
    """
    from boards.testing.hosting import emulated  # noqa: PLC0415

    mark = request.node.get_closest_marker("boards_provider")
    if mark is None or len(mark.args) != 1:
        pytest.fail(
            "provider_emulator: which provider? Write @pytest.mark.boards_provider('acme').",
            pytrace=False,
        )
    with emulated(
        mark.args[0], mark.kwargs, boards_home, request.path.parent, monkeypatch
    ) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def _paid_process(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[PaidProvider]":
    from boards.testing.paid_provider import PaidProvider  # noqa: PLC0415

    provider = PaidProvider(tmp_path_factory.mktemp("paid") / "ledger")
    yield provider
    provider.kill()


@pytest.fixture
def paid_provider(
    request: pytest.FixtureRequest,
    boards_home: Path,
    _paid_process: "PaidProvider",
    monkeypatch: pytest.MonkeyPatch,
) -> "PaidAccount":
    """A provider in a process of its own, which counts what it charges: the test's own account.

    The home is set up for it: ``boards.generate("paid/draw", prompt=...)``.
    """
    from boards.testing.hosting import paid_account  # noqa: PLC0415

    return paid_account(_paid_process, request.node.nodeid, boards_home, monkeypatch)


@pytest.fixture
def _boards_settled(request: pytest.FixtureRequest, boards_home: Path) -> Path:
    """The home when every provider of the test is in it, in whatever order it asks for them."""
    for name in ("provider_emulator", "paid_provider"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    return boards_home


@_async_fixture
async def boards(_boards_settled: Path) -> "AsyncIterator[Boards]":
    """An open :class:`boards.Boards` on :func:`boards_home`, for tests that are coroutines."""
    from boards import Boards  # noqa: PLC0415

    async with Boards(home=_boards_settled) as opened:
        yield opened
