"""Many writes share a transaction, and none pays for another's failure."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from boards.errors import StoreError
from boards.events import Happening
from boards.generations import Generation
from boards.store import Change
from boards.store import sqlite as sqlite_module
from boards.store.schema import connect
from boards.store.sqlite import SQLiteStore

Make = Callable[..., Generation]


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commits that reach the database."""
    commits: list[str] = []

    def traced(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
        database = connect(path, busy_timeout=busy_timeout)
        database.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        return database

    monkeypatch.setattr(sqlite_module, "connect", traced)
    return commits


async def test_writes_at_the_same_time_share_a_commit(
    commits: list[str], path: Path, make: Make
) -> None:
    """Creates, changes and notes of 300 callers need a few commits, not 900."""
    store = SQLiteStore(path)
    await store.open()
    await store.own()
    commits.clear()

    async def caller() -> None:
        created = await store.create(make())
        await store.note(created, [Happening("progress")])
        waiting = evolve(created, phase="waiting")
        assert await store.cas(Change("queued", waiting, [Happening("submitted")]))

    await asyncio.gather(*(caller() for _ in range(300)))
    await store.close()
    assert len(commits) < 90
    await store.open()
    assert len([one async for one in store.live()]) == 300
    await store.close()


async def test_a_limit_bounds_the_groups(commits: list[str], path: Path, make: Make) -> None:
    """So that other processes get their turn."""
    store = SQLiteStore(path, group_limit=10)
    await store.open()
    commits.clear()
    await asyncio.gather(*(store.create(make()) for _ in range(100)))
    assert len(commits) >= 10
    await store.close()


@pytest.mark.parametrize(
    "fault",
    [
        {"id": "taken"},
        {"owner": "\ud800"},
        {"dedupe_key": "\ud800"},
        {"priority": 2**80},
        {"provider": None},
    ],
    ids=str,
)
async def test_a_write_that_fails_fails_alone(
    store: SQLiteStore, make: Make, fault: dict[str, Any]
) -> None:
    """Whoever shares its transaction succeeds, in order, and nothing of it stays."""
    await store.create(make(id="taken"))
    good = [make() for _ in range(10)]
    bad = make(**fault)
    results = await asyncio.gather(
        *(store.create(one, [Happening("queued")]) for one in (*good[:5], bad, *good[5:])),
        return_exceptions=True,
    )
    assert [*results[:5], *results[6:]] == good
    assert isinstance(results[5], StoreError)
    assert str(store.path) in str(results[5])
    assert [one.id async for one in store.live()] == ["taken", *(one.id for one in good)]


async def test_a_failed_attempt_undoes_its_change(store: SQLiteStore, make: Make) -> None:
    """All of a change is committed, or nothing, also when the last statement fails."""
    from boards.generations import Attempt

    created = await store.create(make())
    attempt = Attempt(created.id, 1, "u", "k", "d", 2**70, 1.0)
    change = Change(
        "queued", evolve(created, phase="submitting"), [Happening("submitting")], attempt
    )
    with pytest.raises(StoreError):
        await store.cas(change)
    assert await store.get(created.id) == created
    assert await store.events(created.id) == []


async def test_a_note_does_not_wait(store: SQLiteStore, make: Make) -> None:
    """It returns at once even while another process holds the database."""
    waiting = await store.create(make(phase="waiting"))
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    noting = store.note(waiting, [Happening("progress")])
    with pytest.raises(StopIteration):
        noting.send(None)  # it came to its end without giving way once
    holder.execute("ROLLBACK")
    holder.close()
    await store.changed_elsewhere()
    assert [event.type for event in await store.events(waiting.id)] == ["progress"]


async def test_a_note_that_cannot_be_written_is_logged(
    other: SQLiteStore, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for it, so nobody else could tell."""
    waiting = await other.create(make(phase="waiting"))
    holder = sqlite3.connect(other.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with caplog.at_level(logging.WARNING):
        await other.note(waiting, [Happening("progress")])
        with pytest.raises(StoreError):
            await other.changed_elsewhere()
    holder.close()
    assert "is locked" in caplog.text


async def test_a_caller_that_is_canceled_does_not_undo_its_write(
    store: SQLiteStore, make: Make
) -> None:
    """It was on its way; the others in its group do not notice."""
    one, two = make(), make()
    leaving = asyncio.create_task(store.create(one))
    staying = asyncio.create_task(store.create(two))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == two
    assert await store.get(one.id) == one


async def test_closing_finishes_what_is_queued(path: Path, make: Make) -> None:
    """Also notes, which nobody waits for; afterwards the writer's thread is gone."""
    store = SQLiteStore(path)
    await store.open()
    waiting = await store.create(make(phase="waiting"))
    creating = [asyncio.create_task(store.create(make())) for _ in range(50)]
    await asyncio.sleep(0)
    for number in range(50):
        await store.note(waiting, [Happening("progress", {"n": number})])
    await store.close()
    await asyncio.gather(*creating)
    await store.close()
    assert "boards-store-writer" not in {thread.name for thread in threading.enumerate()}
    assert not path.with_name("boards.db-wal").exists()
    with pytest.raises(StoreError, match="not open"):
        await store.create(make())
    with pytest.raises(StoreError, match="not open"):
        await store.get(waiting.id)
    await store.open()
    assert [one.data["n"] for one in await store.events(waiting.id)] == [*range(50)]
    assert len([one async for one in store.live()]) == 51
    await store.close()


def test_a_commit_waits_for_the_disk(path: Path) -> None:
    """No test can pull the plug, but the settings that a power cut needs are in force."""
    database = connect(path, busy_timeout=1.0)
    settings = {
        name: database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    database.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
