"""One paid provider for all crash tests; each test has accounts of its own."""

import contextlib
import itertools
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from boards.testing.paid_provider import PaidProvider
from tests.crash.host import MODES, Plan

_NUMBERS = itertools.count(1)
_TALLY = pytest.StashKey["Tally"]()

MakePlan = Callable[..., Plan]
Tally = defaultdict[str, Counter[str]]


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition; a file that it reads may not be there yet."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(FileNotFoundError):
            if condition():
                return
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaidProvider]:
    """The provider that counts charges."""
    provider = PaidProvider(tmp_path_factory.mktemp("paid") / "ledger")
    yield provider
    provider.kill()


@pytest.fixture
def make_plan(provider: PaidProvider, tmp_path: Path) -> MakePlan:
    """A plan on a home and on accounts of the test's own."""
    account = f"a{next(_NUMBERS)}"

    def make(**given: Any) -> Plan:
        return Plan(**{"home": tmp_path, "provider": provider.url, "account": account, **given})

    return make


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    """The sums of all seeds, by mode."""
    return request.config.stash.setdefault(_TALLY, defaultdict(Counter))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the sums, where seeds were asked for."""
    sums = config.stash.get(_TALLY, None)
    if not sums or "BOARDS_CRASH_SEEDS" not in os.environ:
        return
    terminalreporter.section("random kills")
    terminalreporter.line(f"{sums['runs']['seeds']} seeds, {sums['runs']['kills']} kills")
    for mode in MODES:
        told = ", ".join(f"{number} {what}" for what, number in sums[mode].items())
        terminalreporter.line(f"{mode:8} {told}")
