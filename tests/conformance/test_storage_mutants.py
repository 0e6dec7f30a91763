"""Every check of the kit for storages lets a right storage pass, and catches a broken one."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future

import pytest
from aiohttp import web

from boards.testing.conformance import storage_names
from boards.testing.conformance.checks import run_check, run_checks
from boards.testing.conformance.storage import STORAGE_CHECKS, StorageConformance
from tests.conformance.storages import MUTANTS, SECRET, Shelf, served


class Subject(StorageConformance):
    """A storage of this suite, as another process finds it too."""

    __test__ = False

    def __init__(self, name: str) -> None:
        self.storage = f"tests.conformance.storages:{name}"

    @property
    def environment(self) -> Mapping[str, str]:
        return {**super().environment, "SHELF_SECRET": SECRET}


@pytest.fixture(scope="module", autouse=True)
def addresses() -> Iterator[None]:
    """A server behind the addresses that the storages of this suite tell."""
    ready: Future[str] = Future()
    ended: Future[None] = Future()

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", served)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.set_result("http://127.0.0.1:{1}".format(*runner.addresses[0]))
        await asyncio.wrap_future(ended)
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    Shelf.base_url = ready.result(10)
    yield
    ended.set_result(None)
    thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clocks of these storages are fine: nothing waits for whole seconds."""
    monkeypatch.setattr(storage_names, "WAIT", 0.5)
    monkeypatch.setattr(storage_names, "EXPIRY", 1.2)


async def test_a_right_storage_passes_every_check() -> None:
    """It shares no line with the one that comes with Boards."""
    verdicts = await run_checks(STORAGE_CHECKS, Subject("make"))
    assert [(one.check.name, one.message) for one in verdicts if one.outcome != "passed"] == []


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_defect_is_caught(name: str) -> None:
    """By the check that is there for it, with the promise that is broken."""
    check, _ = MUTANTS[name]
    verdict = await run_check(STORAGE_CHECKS.named(check), Subject(f"make_{name}"))
    assert verdict.outcome == "failed", verdict
    assert verdict.message


def test_every_check_catches_a_defect() -> None:
    """None is there that nothing has ever failed."""
    assert {check for check, _ in MUTANTS.values()} == {check.name for check in STORAGE_CHECKS}
