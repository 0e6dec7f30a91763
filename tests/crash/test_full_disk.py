"""A full disk holds generations up, says so, and costs nothing: they go on when there is room."""

import asyncio
import contextlib
import resource
import signal
from collections.abc import AsyncIterator
from typing import Any, Final

from attrs import evolve

from boards.errors import StoreError
from boards.events import Happening
from boards.generations import Generation
from boards.store import Change
from boards.store.transitions import Read
from boards.testing.paid_provider import Behaviour, PaidProvider
from tests.crash.conftest import MakePlan, until
from tests.crash.faults import FallingStore
from tests.crash.host import Call, Host, account
from tests.crash.invariants import examine

_LIMIT: Final = 1 << 20
_PLENTY: Final = 1 << 30


def _small_files() -> None:
    """Let no file grow beyond a MiB, until SIGUSR1."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LIMIT, hard))
    signal.signal(
        signal.SIGUSR1, lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    )


class ScarceStore(FallingStore):
    """The first commit of each kind finds the database full."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._met: set[str] = set()
        self._one_at_a_time = asyncio.Lock()

    async def create(self, generation: Generation, *rest: Any, **options: Any) -> Generation:
        if "row" in self._met:
            return await super().create(generation, *rest, **options)
        self._met.add("row")
        bloated = evolve(generation, input={**generation.input, "padding": "x" * 20_000})
        async with self._full():
            return await super().create(bloated, *rest, **options)

    async def cas(self, change: Change) -> bool:
        phase = change.generation.phase
        if phase in self._met:
            return await super().cas(change)
        self._met.add(phase)
        padding = Happening("log", {"lines": ["x" * 20_000]})
        try:
            async with self._full():
                return await super().cas(evolve(change, happenings=[*change.happenings, padding]))
        except StoreError as error:
            with (self.path.parent / "refused").open("a") as refused:
                refused.write(f"{phase}: {error.message}\n")
            raise

    @contextlib.asynccontextmanager
    async def _full(self) -> AsyncIterator[None]:
        """Let the database have no more pages than it has now."""
        async with self._one_at_a_time:
            pages = await self._commit(Read("PRAGMA page_count"))
            await self._commit(Read(f"PRAGMA max_page_count = {pages}"))
            try:
                yield
            finally:
                await self._commit(Read(f"PRAGMA max_page_count = {_PLENTY}"))


async def test_artifacts_that_do_not_fit_wait_for_room(
    provider: PaidProvider, make_plan: MakePlan
) -> None:
    """The outputs stay announced; with room they are fetched, and nothing is submitted again."""
    calls = tuple(Call("plain", f"large {number}") for number in range(3))
    plan = make_plan(calls=calls, prepare=_small_files)
    provider.behave(account(plan, "plain"), Behaviour(size=3 << 20))
    host = Host(plan)
    until(lambda: "grew beyond" in plan.errors.read_text())
    until(lambda: provider.charges(account(plan, "plain")).total() == len(calls))
    assert host.process.is_alive(), "it is held up, and lives"
    host.signal(signal.SIGUSR1)
    assert host.finished()
    figures = await examine(plan, provider, size=3 << 20, kills=0)
    assert figures.unknown.total() == 0


async def test_a_full_database_delays_every_transition_and_loses_none(
    provider: PaidProvider, make_plan: MakePlan
) -> None:
    """Each kind of commit meets SQLITE_FULL once; also the one that has the job's id."""
    calls = tuple(Call("plain", f"scarce {number}") for number in range(4))
    plan = make_plan(calls=calls, store=ScarceStore)
    assert Host(plan).finished()
    figures = await examine(plan, provider, kills=0)
    assert figures.unknown.total() == 0
    assert "no space left" in plan.errors.read_text()
    refused = (plan.home / "refused").read_text()
    for phase in ("submitting", "waiting", "fetching", "succeeded"):
        assert f"{phase}: There is no space left" in refused
