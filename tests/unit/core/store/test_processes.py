"""Several processes on one database: one owns it, and a kill loses nothing acknowledged."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve

from boards.errors import StoreError
from boards.events import Happening
from boards.generations import Generation
from boards.store import Change
from boards.store.sqlite import SQLiteStore

Make = Callable[..., Generation]


@contextmanager
def process(script: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another Python that runs a script on a database, killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def line_of(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


OWNER = """
    import asyncio, sys
    from pathlib import Path
    from boards.store.sqlite import SQLiteStore

    async def main():
        store = SQLiteStore(Path(sys.argv[1]))
        await store.open()
        print(await store.own(), store.epoch, flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


async def test_one_process_owns_until_it_dies(path: Path) -> None:
    """However it dies; the next owner's epoch is higher."""
    store = SQLiteStore(path)
    await store.open()
    with process(OWNER, path) as child:
        assert line_of(child) == "True 1"
        assert not await store.own()
        assert store.epoch == 0
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert await store.own()
    assert store.epoch == 2
    with process(OWNER, path) as child:
        assert line_of(child) == "False 0"
    await store.close()


async def test_owning_again_changes_nothing(store: SQLiteStore, other: SQLiteStore) -> None:
    """The epoch is raised once; closing gives ownership to whoever asks next."""
    assert all(await asyncio.gather(store.own(), store.own()))
    assert store.epoch == 1
    assert not await other.own()
    await store.close()
    assert store.epoch == 0
    assert all(await asyncio.gather(other.own(), other.own()))
    assert other.epoch == 2


async def test_a_lock_that_cannot_be_had_fails_alone(path: Path, make: Make) -> None:
    """Whoever shares its transaction succeeds."""
    store = SQLiteStore(path)
    await store.open()
    store._owner.path.mkdir()
    created = make()
    results = await asyncio.gather(store.own(), store.create(created), return_exceptions=True)
    assert isinstance(results[0], StoreError)
    assert results[1] == created
    store._owner.path.rmdir()
    assert await store.own()
    await store.close()


async def test_a_former_owner_is_fenced_off(
    store: SQLiteStore, other: SQLiteStore, make: Make
) -> None:
    """Should its lock be lost, neither its changes nor its notes apply any more."""
    waiting = await store.create(make(phase="waiting"))
    store._owner.release()
    assert await other.own()
    after = evolve(waiting, phase="fetching")
    assert not await store.cas(Change("waiting", after, [Happening("fetching")]))
    await store.note(evolve(waiting, provider_job_id="x"), [Happening("progress")])
    await store.changed_elsewhere()
    assert await store.get(waiting.id) == waiting
    assert await store.events(waiting.id) == []
    assert await other.cas(Change("waiting", after))
    assert await store.cas(Change("fetching", waiting, fenced=False))


async def test_who_owns_nothing_applies_no_fenced_change(path: Path, make: Make) -> None:
    """Not even to a database that nobody ever owned."""
    store = SQLiteStore(path)
    await store.open()
    created = await store.create(make())
    assert not await store.cas(Change("queued", created))
    assert await store.cas(Change("queued", created, fenced=False))
    await store.close()


async def test_changes_elsewhere_are_noticed_once(
    store: SQLiteStore, other: SQLiteStore, make: Make
) -> None:
    """This process's own writes are none."""
    await store.changed_elsewhere()
    created = await store.create(make())
    assert not await store.changed_elsewhere()
    await other.wish_cancel(created.id)
    await store.create(make())
    assert await store.changed_elsewhere()
    assert not await store.changed_elsewhere()


BURST = """
    import asyncio, os, sys
    from pathlib import Path
    from attrs import evolve
    from boards.events import Happening
    from boards.generations import Generation, new_id
    from boards.store import Change
    from boards.store.sqlite import SQLiteStore

    async def caller(store):
        created = await store.create(
            Generation(id=new_id(), generator="g", provider="p", artifact_type="image", input={})
        )
        for number in range(100_000):
            phase = ("submitting", "queued")[number % 2]
            after = evolve(created, phase=phase, provider_job_id=str(number))
            change = Change(created.phase, after, [Happening("log", {"n": number})])
            assert await store.cas(change)
            os.write(1, f"{created.id} {number}\\n".encode())
            created = after

    async def main():
        store = SQLiteStore(Path(sys.argv[1]))
        await store.open()
        assert await store.own()
        await asyncio.gather(*(caller(store) for _ in range(30)))

    asyncio.run(main())
"""


@pytest.mark.parametrize("seconds", [0.05, 0.3])
async def test_what_was_acknowledged_survives_a_kill(path: Path, seconds: float) -> None:
    """Killed in a burst of writes: each acknowledged transition is there, its events in order."""
    acknowledged: dict[str, int] = defaultdict(int)
    with process(BURST, path) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(seconds)
        os.kill(child.pid, signal.SIGKILL)
        for line in [first, *child.stdout]:
            if line.endswith("\n"):
                generation_id, number = line.split()
                acknowledged[generation_id] = int(number)
    store = SQLiteStore(path)
    await store.open()
    assert await store.own()
    assert sum(acknowledged.values()) > 100
    for generation_id, last in acknowledged.items():
        events = await store.events(generation_id)
        assert [event.data["n"] for event in events] == [*range(len(events))]
        assert len(events) > last
        generation = await store.get(generation_id)
        assert generation is not None
        assert generation.provider_job_id == str(len(events) - 1)
        assert generation.phase == ("submitting", "queued")[(len(events) - 1) % 2]
    await store.close()


UNCLOSED = """
    import asyncio, sys
    from pathlib import Path
    from boards.store.sqlite import SQLiteStore

    store = SQLiteStore(Path(sys.argv[1]))

    async def main():
        await store.open()
        await store.get("x")

    asyncio.run(main())
"""


def test_a_process_ends_without_closing(path: Path) -> None:
    """Neither thread keeps a script alive that forgot to close its store."""
    with process(UNCLOSED, path) as child:
        assert child.wait(timeout=10) == 0
