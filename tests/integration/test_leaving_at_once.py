"""Whoever waits can leave: each wait ends within 100 ms of being canceled, in every state."""

import asyncio
import json
import sqlite3
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from boards import Boards, Generation
from boards.engine.transport import LostReplyError, Request, UnsentError
from boards.errors import StorageError
from boards.pipelines import Pipeline
from boards.store.transitions import Read
from boards.store.writer import GroupCommitWriter, Write

LIMIT = 0.1
WAITERS = 5
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


class Answer:
    """A reply whose body may take for ever."""

    def __init__(self, content: bytes, media: str, gate: asyncio.Event | None = None) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": media}
        self._content = content
        self._gate = gate

    async def read(self, limit: int) -> bytes:
        return self._content

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._content[:8]
        if self._gate is not None:
            await self._gate.wait()
        yield self._content[8:]

    async def close(self) -> None:
        pass


class Slow:
    """A provider in which everything takes until it is let go on."""

    def __init__(self) -> None:
        self.submits = asyncio.Event()
        self.downloads = asyncio.Event()
        self.submits.set()
        self.loses = False
        self.status = "running"

    async def send(self, request: Request) -> Answer:
        if request.url.endswith(".png"):
            return Answer(PNG, "image/png", self.downloads)
        if request.url.endswith("/cancel"):
            self.status = "canceled"
        elif request.method == "POST":
            await self.submits.wait()
            if self.loses:
                raise LostReplyError("the connection broke")
        told = {"id": "1", "status": self.status, "output": "https://slow.example/1.png"}
        return Answer(json.dumps(told).encode(), "application/json")

    async def connect(self, url: str, seconds: float | None) -> Any:
        raise UnsentError("no websockets")

    async def close(self) -> None:
        pass


def host(home: Path, slow: Slow) -> Boards:
    """A host of that provider, which takes one submit at a time."""
    return Boards(
        home=home,
        environment={},
        transport=slow,
        providers={
            "slow": {
                "type": "rest",
                "auth": {"kind": "none"},
                "config": {"base_url": "https://slow.example"},
                "limits": {"concurrency": 1},
            }
        },
        generators=[
            {
                "name": "picture",
                "artifact_type": "image",
                "provider": "slow",
                "io": {"input_schema": {"properties": {"prompt": {"type": "string"}}}},
                "execution": {
                    "submit": {
                        "path": "/jobs",
                        "json": {"prompt": "${input.prompt?}"},
                        "capture": {"id": "body.id"},
                    },
                    "poll": {"path": "/jobs/${job.id}", "every": "50ms", "backoff": 1},
                    "cancel": {"method": "POST", "path": "/jobs/${job.id}/cancel"},
                    "status": {
                        "at": "body.status",
                        "map": {
                            "running": "running",
                            "succeeded": "succeeded",
                            "canceled": "canceled",
                        },
                        "unknown": "fail",
                    },
                    "extract": {"output_paths": ["output"]},
                },
            }
        ],
    )


async def until(boards: Boards, one: Generation, phase: str) -> None:
    """Wait for a phase."""
    async with asyncio.timeout(20):
        while (await boards.get(one.id)).phase != phase:
            await asyncio.sleep(0.01)


async def at_the_gate(boards: Boards, slow: Slow, _: pytest.MonkeyPatch) -> Generation:
    slow.submits.clear()
    first = await boards.submit("slow/picture")
    await until(boards, first, "submitting")
    return await boards.submit("slow/picture")


async def submitting(boards: Boards, slow: Slow, _: pytest.MonkeyPatch) -> Generation:
    slow.submits.clear()
    one = await boards.submit("slow/picture")
    await until(boards, one, "submitting")
    return one


async def waiting(boards: Boards, _: Slow, __: pytest.MonkeyPatch) -> Generation:
    one = await boards.submit("slow/picture")
    await until(boards, one, "waiting")
    return one


async def fetching(boards: Boards, slow: Slow, _: pytest.MonkeyPatch) -> Generation:
    slow.status = "succeeded"
    one = await boards.submit("slow/picture")
    await until(boards, one, "fetching")
    return one


async def held_up(boards: Boards, slow: Slow, patch: pytest.MonkeyPatch) -> Generation:
    def full() -> Any:
        raise StorageError("The disk is full.")

    patch.setattr(boards._running.storage, "writer", full)
    slow.status = "succeeded"
    one = await boards.submit("slow/picture")
    with pytest.raises(StorageError):
        await boards.wait(one.id)
    return one


State = Callable[[Boards, Slow, pytest.MonkeyPatch], Awaitable[Generation]]
STATES: tuple[State, ...] = (at_the_gate, submitting, waiting, fetching, held_up)


async def left(task: "asyncio.Task[Any]") -> float:
    """Seconds from a cancel to the end of a task."""
    clock = asyncio.get_running_loop().time
    start = clock()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    return clock() - start


@pytest.mark.parametrize("state", STATES)
async def test_who_waits_leaves_at_once(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wait`, `events` and `generate`, whatever the generation is doing, which goes on."""
    slow = Slow()
    async with host(tmp_path, slow) as boards:
        one = await state(boards, slow, monkeypatch)

        async def follow() -> None:
            async for _ in boards.events(one.id):
                pass

        makers: list[Callable[[], Any]] = [lambda: boards.wait(one.id), follow]
        if state is not held_up:  # whoever generates then is told at once
            makers.append(lambda: boards.generate("slow/picture"))
        for make in makers:
            tasks = [asyncio.create_task(make()) for _ in range(WAITERS)]
            await asyncio.sleep(0.05)
            took = [await left(task) for task in tasks]
            assert statistics.median(took) < LIMIT
        assert not (await boards.get(one.id)).final
        slow.submits.set()
        slow.downloads.set()


@pytest.mark.parametrize("state", STATES)
async def test_a_cancel_returns_at_once(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it waits for: the wish is kept, and seen through when that is over."""
    slow = Slow()
    clock = asyncio.get_running_loop().time
    async with host(tmp_path, slow) as boards:
        one = await state(boards, slow, monkeypatch)
        took = []
        for _ in range(WAITERS):
            start = clock()
            wished = await boards.cancel(one.id)
            took.append(clock() - start)
            assert wished.canceling or wished.final
        assert statistics.median(took) < LIMIT
        if state in (at_the_gate, waiting):
            start = clock()
            assert (await boards.wait(one.id)).phase == "canceled"
            assert clock() - start < 10 * LIMIT  # the provider is asked, too
        slow.submits.set()
        slow.downloads.set()


async def test_who_opens_a_locked_database_leaves_at_once(tmp_path: Path) -> None:
    """Another program writes, and the opening waits for it: who is canceled does not."""
    async with host(tmp_path, Slow()):
        pass
    with closing(sqlite3.connect(tmp_path / "boards.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = asyncio.create_task(host(tmp_path, Slow()).__aenter__())
        await asyncio.sleep(0.2)
        opening.cancel()
        await asyncio.wait([opening], timeout=5)  # half of what it would wait for the lock
        assert opening.cancelled()
        other.execute("ROLLBACK")
    async with host(tmp_path, Slow()) as boards:
        assert boards._running.driving


async def test_what_is_unknown_keeps_nobody(tmp_path: Path) -> None:
    """It waits for a decision: `wait` and `events` end by themselves, and a cancel returns."""
    slow = Slow()
    slow.loses = True
    clock = asyncio.get_running_loop().time
    async with host(tmp_path, slow) as boards:
        one = await boards.submit("slow/picture")
        await until(boards, one, "unknown")
        took = []
        for _ in range(WAITERS):
            start = clock()
            assert (await boards.wait(one.id)).phase == "unknown"
            assert "submitting" in [event.type async for event in boards.events(one.id)]
            await boards.cancel(one.id)
            took.append(clock() - start)
        assert statistics.median(took) < LIMIT


@pytest.mark.parametrize("state", STATES[2:])
async def test_a_host_closes_at_once(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Except for a submit under way, which is let be committed: the next one takes it up."""
    slow = Slow()
    clock = asyncio.get_running_loop().time
    async with host(tmp_path, slow) as boards:
        await state(boards, slow, monkeypatch)
        start = clock()
    assert clock() - start < 20 * LIMIT  # threads end, files are synced


async def test_a_close_that_is_canceled_gives_the_database_back(tmp_path: Path) -> None:
    """It waits for a submit no longer; another host drives, and knows that the answer was lost."""
    slow = Slow()
    slow.submits.clear()
    boards = host(tmp_path, slow)
    await boards.__aenter__()
    one = await submitting(boards, slow, pytest.MonkeyPatch())
    closing_ = asyncio.create_task(boards.__aexit__())
    await asyncio.sleep(0.05)
    assert not closing_.done()
    closing_.cancel()
    await asyncio.wait([closing_], timeout=10)
    assert closing_.cancelled()
    async with host(tmp_path, Slow()) as another:
        assert another._running.driving
        async with asyncio.timeout(10):
            assert (await another.wait(one.id)).phase == "unknown"


async def test_a_close_that_is_canceled_while_another_program_writes_gives_it_back(
    tmp_path: Path,
) -> None:
    """Its last look at the database waits for a lock; nobody waits for that thread."""
    boards = host(tmp_path, Slow())
    await boards.__aenter__()
    with closing(sqlite3.connect(tmp_path / "boards.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(0.3)  # it looks whether others wrote
        closing_ = asyncio.create_task(boards.__aexit__())
        await asyncio.sleep(0.3)
        assert not closing_.done()
        closing_.cancel()
        await asyncio.wait([closing_])
        assert closing_.cancelled()
        other.execute("ROLLBACK")
    async with host(tmp_path, Slow()) as another, asyncio.timeout(10):
        while not another._running.driving:
            await asyncio.sleep(0.02)


async def submitted(boards: Boards, _: Slow) -> str:
    """One that was submitted, and waits for its provider."""
    one = await boards.submit("slow/picture")
    await until(boards, one, "waiting")
    return one.id


async def undecided(boards: Boards, slow: Slow) -> str:
    """One whose submit was lost."""
    slow.loses = True
    one = await boards.submit("slow/picture")
    await until(boards, one, "unknown")
    slow.loses, slow.status = False, "succeeded"
    return one.id


def two_steps() -> Pipeline:
    pipeline = Pipeline("two")
    pipeline.step("first", "slow/picture")
    pipeline.step("second", "slow/picture")
    return pipeline


async def run_started(boards: Boards, slow: Slow) -> str:
    """A run that is under way."""
    run = await boards.start_run(two_steps())
    async with asyncio.timeout(20):
        while len(await boards.list()) < 2 or not await boards.list(phases=["waiting"]):
            await asyncio.sleep(0.01)
    return run.id


async def nothing(_: Boards, slow: Slow) -> str:
    slow.status = "succeeded"
    return ""


@pytest.mark.parametrize(
    ("before", "call", "after"),
    [
        (nothing, lambda boards, _: boards.submit("slow/picture"), ["succeeded"]),
        (submitted, lambda boards, id_: boards.cancel(id_), ["canceled"]),
        (undecided, lambda boards, id_: boards.resolve(id_, resubmit=True), ["succeeded"]),
        (nothing, lambda boards, _: boards.start_run(two_steps()), ["succeeded"] * 2),
        (run_started, lambda boards, id_: boards.cancel_run(id_), ["canceled"] * 2),
    ],
    ids=["submit", "cancel", "resolve", "start_run", "cancel_run"],
)
async def test_what_a_canceled_caller_wrote_is_acted_on(
    before: Callable[[Boards, Slow], Awaitable[str]],
    call: Callable[[Boards, str], Coroutine[Any, Any, Any]],
    after: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who calls is canceled while that is committed: nothing waits for another process to write."""
    slow = Slow()
    slow.downloads.set()
    async with host(tmp_path, slow) as boards:
        id_ = await before(boards, slow)
        queue = GroupCommitWriter.queue

        def leave(writer: GroupCommitWriter, write: Write) -> None:
            queue(writer, write)
            if not isinstance(write, Read) and not task.done():
                task.cancel()

        task = asyncio.create_task(call(boards, id_))
        with monkeypatch.context() as patch:
            patch.setattr(GroupCommitWriter, "queue", leave)
            await asyncio.wait([task])
        assert task.cancelled()
        async with asyncio.timeout(10):
            while [one.phase for one in await boards.list()] != after:
                await asyncio.sleep(0.02)
