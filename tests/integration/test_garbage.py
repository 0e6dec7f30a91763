"""What no generation mentions is deleted, in time; everything else stays."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from boards.cli.app import boards as group
from boards.engine.garbage import Collected, collect_garbage
from boards.generations import Generation, Output, new_id
from boards.storage import Blob
from boards.storage.local import LocalStorage
from boards.store.sqlite import SQLiteStore
from tests.integration.acme import PNG, Acme
from tests.integration.conftest import Open

DAY = 24 * 3600.0


def age(storage: LocalStorage, key: str, seconds: float = 2 * DAY) -> None:
    """Make a blob look as old as that."""
    then = time.time() - seconds
    os.utime(storage.path(key), (then, then))


async def put(storage: LocalStorage, content: bytes, *, old: bool = True) -> Blob:
    writer = storage.writer()
    await writer.write(content)
    blob = await writer.commit("png")
    if old:
        age(storage, blob.key)
    return blob


async def keys(storage: LocalStorage) -> set[str]:
    return {blob.key async for blob in storage.list()}


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[LocalStorage]:
    opened = LocalStorage(tmp_path / "home" / "artifacts")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "home" / "boards.db")
    await opened.open()
    yield opened
    await opened.close()


async def test_what_a_generation_mentions_stays(
    acme: Acme, open_boards: Open, storage: LocalStorage
) -> None:
    """Its artifacts and its inputs, at any depth, also of one that failed; the rest goes."""
    del acme
    lost = await put(storage, b"nobody's")
    picture = PNG + b"an input"
    async with open_boards() as boards:
        done = await boards.generate("acme/draw", prompt="a", image=picture)
        deep = await put(storage, b"mentioned in a prompt")
        await boards.generate("acme/draw", prompt=f"like artifact:{deep.key}, but blue")
        for key in await keys(storage):
            age(storage, key)
        before = await keys(storage)
        assert await boards.collect_garbage(dry_run=True) == Collected(1, 8, 3)
        assert await keys(storage) == before
        assert await boards.collect_garbage() == Collected(1, 8, 3)
        assert before - await keys(storage) == {lost.key}
        assert done.artifacts[0].key in before
        assert await boards.collect_garbage() == Collected(0, 0, 3)


async def test_what_is_being_fetched_stays(
    acme: Acme, open_boards: Open, storage: LocalStorage
) -> None:
    """An output that arrived is mentioned while another one is still tried."""
    from aiohttp import web

    async def two(_request: web.Request) -> web.StreamResponse:
        urls = [{"url": f"{acme.url}/files/{name}.png"} for name in ("good", "bad")]
        return web.json_response({"images": urls, "seed": 7})

    async def file(request: web.Request) -> web.StreamResponse:
        if request.match_info["name"] == "bad.png":
            return web.Response(status=503)
        return web.Response(body=PNG, content_type="image/png")

    acme.answers["result"], acme.answers["file"] = two, file
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        async for event in boards.events(generation.id):
            if event.type == "retrying":
                break
        [key] = await keys(storage)
        age(storage, key)
        assert await boards.collect_garbage() == Collected(0, 0, 1)
        await boards.cancel(generation.id)


async def test_keys_are_found_among_many_generations_of_all_owners(store: SQLiteStore) -> None:
    """In inputs and announced outputs; a text that only looks similar is none."""

    def key(number: int) -> str:
        return f"{number:064x}.png"

    def made(number: int) -> Generation:
        return Generation(
            id=new_id(),
            generator="acme/draw",
            provider="acme",
            artifact_type="image",
            owner=str(number % 3),
            input={"deep": [{"image": f"artifact:{key(number)}"}], "text": "0" * 64 + ".png"},
            outputs=(Output("url", "https://x.example/a", key(number + 1_000)),),
        )

    await asyncio.gather(*(store.create(made(number)) for number in range(450)))
    found = {one async for one in store.referenced_keys()}
    numbers = {*range(450), *range(1_000, 1_450)}
    assert found >= {key(number) for number in numbers}
    assert len(found) <= len(numbers) + 1


async def test_what_is_young_stays(store: SQLiteStore, storage: LocalStorage) -> None:
    """A result may lie in the storage before its generation mentions it."""
    await put(storage, b"young", old=False)
    assert await collect_garbage(store, storage) == Collected(0, 0, 1)
    assert await collect_garbage(store, storage, grace=-1.0) == Collected(1, 5, 0)


async def test_what_is_written_again_is_young_again(
    store: SQLiteStore, storage: LocalStorage
) -> None:
    """Equal bytes are kept once, and from now on for whoever wrote them last."""
    first = await put(storage, b"again")
    again = await put(storage, b"again", old=False)
    assert again.key == first.key
    assert await collect_garbage(store, storage) == Collected(0, 0, 1)


async def test_a_storage_that_tells_no_ages_loses_nothing(
    store: SQLiteStore, storage: LocalStorage
) -> None:
    """Nobody can tell what is on its way."""

    class Ageless(LocalStorage):
        async def list(self) -> AsyncIterator[Blob]:
            async for blob in super().list():
                yield Blob(blob.key, blob.size, blob.sha256)

    await put(storage, b"old")
    ageless = Ageless(storage.root)
    await ageless.open()
    assert await collect_garbage(store, ageless) == Collected(0, 0, 1)
    await ageless.close()


async def test_writers_and_collectors_at_once_lose_nothing(
    store: SQLiteStore, storage: LocalStorage
) -> None:
    """Whoever has committed a blob finds it, however old an earlier one looked."""
    other = LocalStorage(storage.root)
    await other.open()
    stop = asyncio.Event()

    async def collect() -> None:
        while not stop.is_set():
            await collect_garbage(store, other)

    async def write(content: bytes) -> None:
        for _ in range(60):
            blob = await put(storage, content, old=False)
            found = await storage.stat(blob.key)
            # For a moment it may be out of the way, never for good.
            for _ in range(100):
                if found is not None:
                    break
                await asyncio.sleep(0.001)
                found = await storage.stat(blob.key)
            assert found is not None
            with contextlib.suppress(FileNotFoundError):
                age(storage, blob.key)

    collectors = [asyncio.create_task(collect()) for _ in range(2)]
    await asyncio.gather(*(write(b"%d" % number) for number in range(4)))
    stop.set()
    await asyncio.gather(*collectors)
    assert list((storage.root / "tmp").iterdir()) == []
    await other.close()


def run(*arguments: str) -> int:
    return int(group.main([*arguments], standalone_mode=False))


async def test_the_command_counts_and_deletes(
    acme: Acme, open_boards: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people and as JSON; without a database nothing is touched."""
    del acme
    home = str(tmp_path / "home")
    storage = LocalStorage(tmp_path / "home" / "artifacts")
    await storage.open()
    await put(storage, b"nobody's")
    assert await asyncio.to_thread(run, "--home", home, "gc", "--json") == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told == {"deleted": 0, "freed": 0, "kept": 0, "dry_run": False}
    async with open_boards() as boards:
        await boards.generate("acme/draw", prompt="a")
    assert await asyncio.to_thread(run, "--home", home, "gc", "--dry-run") == 0
    assert capsys.readouterr().out == "1 would be deleted, 8 B; 1 kept\n"
    assert await asyncio.to_thread(run, "--home", home, "gc", "--grace", "3d", "--json") == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 2
    assert await asyncio.to_thread(run, "--home", home, "gc") == 0
    assert capsys.readouterr().out == "1 deleted, 8 B; 1 kept\n"
    assert await asyncio.to_thread(run, "--home", home, "gc", "--grace", "soon") == 2
    assert "24h" in capsys.readouterr().err
    await storage.close()


async def test_the_grace_time_is_the_callers(
    acme: Acme, open_boards: Open, storage: LocalStorage
) -> None:
    """From the facade, in any unit."""
    del acme
    await put(storage, b"nobody's")
    async with open_boards() as boards:
        assert (await boards.collect_garbage(grace=timedelta(days=7))).kept == 1
        assert (await boards.collect_garbage(grace=timedelta(minutes=1))).deleted == 1
