"""Telling those who watch: every event, in order, and nothing kept of what is over."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attrs import evolve

from boards.engine import observing
from boards.engine.observing import Teller
from boards.errors import StoreError
from boards.events import Event, Happening
from boards.generations import Generation, new_id
from boards.store import Change
from boards.store.sqlite import SQLiteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    """An open store that this process owns."""
    store = SQLiteStore(tmp_path / "boards.db")
    await store.open()
    await store.own()
    yield store
    await store.close()


class Observer:
    """A plugin that takes its time."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.threads: set[int] = set()
        self._busy: set[str] = set()

    def __call__(self, event: Event) -> None:
        assert event.generation_id not in self._busy, "told of two at once"
        self._busy.add(event.generation_id)
        self.threads.add(threading.get_ident())
        time.sleep(0.001)
        self.told.append(event)
        self._busy.discard(event.generation_id)


async def live(store: SQLiteStore, events: int = 3) -> Generation:
    """A generation with progress, some commits each."""
    one = Generation(
        id=new_id(), generator="acme/draw", provider="acme", artifact_type="image", input={}
    )
    one = await store.create(one, [Happening("queued", {"generator": one.generator})])
    for percent in range(events):
        told = {"status": "running", "percent": percent, "queue_position": None}
        await store.note(one, [Happening("progress", told)])
    return one


async def end(store: SQLiteStore, one: Generation) -> None:
    done = evolve(one, phase="canceled", finished_at=time.time())
    assert await store.cas(Change(one.phase, done, [Happening("canceled", {"upstream": False})]))


async def test_events_are_told_in_order_off_the_event_loop(store: SQLiteStore) -> None:
    """However fast they come."""
    observer = Observer()
    teller = Teller(store, observer, lambda: True)
    store.subscribe(teller.committed)
    one = await live(store, 20)
    await end(store, one)
    await teller.close()
    assert [event.id for event in observer.told] == [
        event.id for event in await store.events(one.id)
    ]
    assert threading.get_ident() not in observer.threads


async def test_nothing_is_kept_of_what_has_ended(store: SQLiteStore) -> None:
    """A process may see millions."""
    observer = Observer()
    teller = Teller(store, observer, lambda: True)
    store.subscribe(teller.committed)
    under_way = await live(store)
    for _ in range(5):
        await end(store, await live(store))
    await teller.close()
    await asyncio.sleep(0)
    assert teller.kept == {under_way.id}
    assert len(observer.told) == 6 * 4 + 5


async def test_a_process_that_sees_no_ends_keeps_nothing(store: SQLiteStore) -> None:
    """Another one drives: what is committed here is told here, again from the start if need be."""
    observer = Observer()
    teller = Teller(store, observer, lambda: False)
    store.subscribe(teller.committed)
    one = await live(store, 0)
    await teller.close()
    assert [event.type for event in observer.told] == ["queued"]
    await store.wish_cancel(one.id)
    await teller.close()
    assert [event.type for event in observer.told] == ["queued", "queued", "canceling"]
    assert teller.kept == set()


async def test_a_store_that_fails_costs_events_and_no_more(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked again, and at last let be: the rest is told with the next commit."""
    monkeypatch.setattr(observing, "_AGAIN", 0.001)
    observer = Observer()
    teller = Teller(store, observer, lambda: True)
    store.subscribe(teller.committed)

    async def fail(_id: str, **_: object) -> list[Event]:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(store, "events", fail)
        one = await live(store, 0)
        await teller.close()
    assert "observers are told later" in caplog.text
    await end(store, one)
    await teller.close()
    assert [event.type for event in observer.told] == ["queued", "canceled"]


async def test_an_end_that_could_not_be_read_at_once_is_told(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is committed after an end: nobody else would have it told."""
    monkeypatch.setattr(observing, "_AGAIN", 0.001)
    observer = Observer()
    teller = Teller(store, observer, lambda: True)
    store.subscribe(teller.committed)
    one = await live(store, 0)
    await teller.close()
    events, failures = store.events, 0

    async def fail_twice(id_: str, *, after: int = 0) -> list[Event]:
        nonlocal failures
        failures += 1
        if failures < 3:
            raise StoreError("the disk is away")
        return await events(id_, after=after)

    monkeypatch.setattr(store, "events", fail_twice)
    await end(store, one)
    await teller.close()
    await asyncio.sleep(0)
    assert [event.type for event in observer.told] == ["queued", "canceled"]
    assert teller.kept == set()
