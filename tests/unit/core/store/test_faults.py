"""A store that cannot be used says why and what to do, and goes on when it can."""

import asyncio
import os
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve

from boards.errors import StoreError
from boards.generations import Generation
from boards.store import Change
from boards.store import sqlite as sqlite_module
from boards.store.schema import APPLICATION_ID, VERSION, connect
from boards.store.sqlite import SQLiteStore

Make = Callable[..., Generation]


async def refused(path: Path) -> StoreError:
    """The error of opening a store, which can be closed afterwards all the same."""
    store = SQLiteStore(path, busy_timeout=0.1)
    with pytest.raises(StoreError) as raised:
        await store.open()
    await store.close()
    assert str(path) in raised.value.message
    assert raised.value.remedy
    return raised.value


def foreign(path: Path, *statements: str) -> bytes:
    """Make a database by hand; its bytes."""
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()
    return path.read_bytes()


async def test_a_newer_database_is_left_untouched(path: Path) -> None:
    """The remedy is an upgrade."""
    before = foreign(
        path,
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {VERSION + 1}",
        "CREATE TABLE future (x)",
    )
    assert "pip install --upgrade" in (await refused(path)).remedy
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE notes (x)",),
        ("PRAGMA application_id = 7",),
        ("PRAGMA user_version = 1",),
    ],
)
async def test_another_programs_database_is_left_untouched(
    path: Path, statements: tuple[str, ...]
) -> None:
    """Whether or not it says whose it is."""
    before = foreign(path, *statements)
    assert "another program" in (await refused(path)).message
    assert path.read_bytes() == before


async def test_what_is_no_database_is_left_untouched(path: Path) -> None:
    """Somebody's file that lies at the path."""
    path.write_bytes(b"not a database " * 500)
    assert "not a database" in (await refused(path)).message
    assert path.read_bytes() == b"not a database " * 500


async def test_a_damaged_database_is_told(path: Path, make: Make) -> None:
    """Reading it is an error with a remedy, not a traceback of SQLite."""
    store = SQLiteStore(path)
    await store.open()
    for _ in range(200):
        await store.create(make())
    await store.close()
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    store = SQLiteStore(path)

    async def use() -> None:
        await store.open()
        _ = [one async for one in store.live()]

    with pytest.raises(StoreError, match="damaged"):
        await use()
    await store.close()


@contextmanager
def unprivileged() -> Iterator[None]:
    """As a user to whom permissions apply."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that other users may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


async def test_a_directory_that_may_not_be_written_is_told(public: Path) -> None:
    """For a new database in it, and for a directory to be made in it."""
    public.chmod(0o555)
    with unprivileged():
        assert "writable" in (await refused(public / "boards.db")).remedy
        assert "writable" in (await refused(public / "new" / "boards.db")).remedy


async def test_a_database_that_may_not_be_written_is_told(public: Path) -> None:
    """At once, not at the first write."""
    path = public / "boards.db"
    store = SQLiteStore(path)
    await store.open()
    await store.close()
    path.chmod(0o444)
    public.chmod(0o555)
    with unprivileged():
        assert "writable" in (await refused(path)).remedy


async def test_a_lock_that_is_held_too_long_is_told(other: SQLiteStore, make: Make) -> None:
    """All who wait are told that a retry helps, and it does."""
    holder = sqlite3.connect(other.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(
        *(other.create(make()) for _ in range(5)), return_exceptions=True
    )
    for result in results:
        assert isinstance(result, StoreError)
        assert "locked" in result.message
        assert result.retryable
    holder.execute("ROLLBACK")
    holder.close()
    created = await other.create(make())
    assert [one async for one in other.live()] == [created]


async def test_a_short_lock_is_waited_for(store: SQLiteStore, make: Make) -> None:
    """Nobody is told of it."""
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    creating = asyncio.create_task(store.create(make()))
    await asyncio.sleep(0.05)
    assert not creating.done()
    holder.execute("ROLLBACK")
    holder.close()
    await creating


async def fill(store: SQLiteStore, make: Make, kept: list[Generation]) -> None:
    """Create until that fails."""
    while True:
        kept.append(await store.create(make(input={"prompt": "x" * 5000})))


async def test_a_full_database_is_told_and_survived(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hangs, what was acknowledged stays, and with space the store goes on."""
    opened: list[sqlite3.Connection] = []

    def small(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
        opened.append(connect(path, busy_timeout=busy_timeout))
        opened[-1].execute("PRAGMA max_page_count = 40")
        return opened[-1]

    monkeypatch.setattr(sqlite_module, "connect", small)
    store = SQLiteStore(path)
    await store.open()
    assert await store.own()
    kept = [await store.create(make())]
    with pytest.raises(StoreError, match="no space") as raised:
        await fill(store, make, kept)
    assert raised.value.retryable
    assert str(path.parent) in raised.value.remedy
    opened[0].execute("PRAGMA max_page_count = 100000")
    kept.append(await store.create(make(input={"prompt": "x" * 50_000})))
    assert await store.cas(Change("queued", evolve(kept[0], phase="submitting")))
    kept[0] = evolve(kept[0], phase="submitting")
    assert len(opened) == 1
    await store.close()
    await store.open()
    assert [one async for one in store.live()] == kept
    await store.close()


async def test_a_disk_that_takes_no_more_is_told_and_survived(
    store: SQLiteStore, make: Make
) -> None:
    """With the system's own refusal, in the middle of writing the log."""
    kept = [await store.create(make())]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        with pytest.raises(StoreError) as raised:
            await fill(store, make, kept)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.retryable
    assert raised.value.remedy
    kept.append(await store.create(make(input={"prompt": "x" * 500_000})))
    await store.close()
    await store.open()
    assert [one async for one in store.live()] == kept


async def test_a_connection_that_broke_is_opened_anew(store: SQLiteStore, make: Make) -> None:
    """The writer's thread outlives it, and so does the write that found it broken."""
    assert store._writer is not None
    assert store._writer._database is not None
    store._writer._database.close()
    created = await store.create(make())
    assert await store.get(created.id) == created


async def test_a_database_is_made_with_its_directory(tmp_path: Path, make: Make) -> None:
    """Nothing need be set up by hand; opening twice is opening once."""
    store = SQLiteStore(tmp_path / "a" / "b" / "boards.db")
    await store.open()
    await store.open()
    created = await store.create(make())
    await store.close()
    await store.open()
    assert await store.get(created.id) == created
    await store.close()


async def test_many_may_open_a_new_database_at_once(path: Path, make: Make) -> None:
    """One makes the tables, the others find them."""
    stores = [SQLiteStore(path) for _ in range(8)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.create(make()) for store in stores))
    assert len([one async for one in stores[0].live()]) == 8
    await asyncio.gather(*(store.close() for store in stores))
