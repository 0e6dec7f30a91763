"""The facade without ``await``, from one thread and from several."""

import asyncio
import concurrent.futures
import inspect
import os
import select
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import boards
from boards.errors import BoardsError, InvalidInputError, NotFoundError
from boards.sync import Boards, ScopedBoards
from boards.testing.emulators.replicate import ReplicateEmulator
from boards.testing.emulators.server import Knobs, running


@pytest.fixture(scope="module")
def emulator() -> Iterator[ReplicateEmulator]:
    """Replicate on this machine, quick."""
    with running(ReplicateEmulator(Knobs(queue_seconds=0.02, run_seconds=0.05))) as emulator:
        yield emulator


@pytest.fixture
def host(emulator: ReplicateEmulator, tmp_path: Path) -> Boards:
    """A host that is not open yet."""
    return Boards(
        home=tmp_path,
        environment=emulator.env,
        allow_private_hosts=True,
        providers={
            "replicate": {
                "type": "replicate",
                "config": {"base_url": f"{emulator.base_url}/v1"},
            }
        },
    )


def public(kind: type) -> dict[str, list[tuple[str, Any]]]:
    """The methods of a facade and their parameters."""
    return {
        name: [(p.name, p.default) for p in inspect.signature(method).parameters.values()]
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_it_has_the_methods_of_the_asynchronous_one() -> None:
    """With the same parameters; ``close`` is its own."""
    mine = public(Boards)
    del mine["close"]
    assert mine == public(boards.Boards)
    assert public(ScopedBoards) == public(boards.ScopedBoards)


def test_a_generation_succeeds(host: Boards) -> None:
    """And its artifact is on disk."""
    with host:
        generation = host.generate("flux-schnell", prompt="a cat")
        assert generation.status == "succeeded"
        assert generation.artifacts[0].path is not None
        assert generation.artifacts[0].path.stat().st_size == generation.artifacts[0].size
        assert host.get(generation.id[:12]) == generation
        assert [one.id for one in host.list()] == [generation.id]


def test_events_are_a_plain_iterator(host: Boards) -> None:
    """Until the end, or until nobody looks any more."""
    with host:
        generation = host.submit("flux-schnell", prompt="a cat")
        for event in host.events(generation.id):
            assert event.type == "queued"
            break
        types = [event.type for event in host.events(generation.id)]
        assert (types[0], types[-1]) == ("queued", "succeeded")
        assert host.wait(generation.id).status == "succeeded"
        kept = [event.type for event in host.events(generation.id, follow=False)]
        assert kept == types


def test_threads_share_it(host: Boards) -> None:
    """Each waits for its own generation."""
    with host, ThreadPoolExecutor(6) as pool:
        prompts = [f"cat {n}" for n in range(12)]
        done = list(pool.map(lambda text: host.generate("flux-schnell", prompt=text), prompts))
    assert [one.input["prompt"] for one in done] == prompts
    assert {one.status for one in done} == {"succeeded"}


def test_errors_come_through(host: Boards) -> None:
    """As they are."""
    with host:
        with pytest.raises(InvalidInputError) as caught:
            host.generate("flux-schnell", seed="x")
        assert [one.where for one in caught.value.problems] == ["seed", "prompt"] or {
            one.where for one in caught.value.problems
        } == {"seed", "prompt"}
        with pytest.raises(NotFoundError):
            host.get("nothing")


def test_lists_need_not_be_open(host: Boards) -> None:
    """What is installed is known before."""
    assert {one.name for one in host.providers()} >= {"replicate"}
    assert host.generators(provider="replicate")
    assert host.plugins()
    assert host.estimate("replicate/flux-dev", prompt="a cat") is not None
    with host:
        assert host.generators(provider="replicate")


def test_use_outside_of_its_block_is_an_error(host: Boards) -> None:
    """Before and after, and closing twice is nothing."""
    with pytest.raises(BoardsError, match="not open"):
        host.list()
    with host, pytest.raises(BoardsError, match="open already"):
        host.__enter__()
    with pytest.raises(BoardsError, match="closed"):
        host.list()
    with pytest.raises(BoardsError, match="closed"):
        host.__enter__()
    host.close()


def test_closing_frees_those_who_wait(host: Boards, emulator: ReplicateEmulator) -> None:
    """In other threads, with an error that says that nothing is lost."""
    told: list[BaseException] = []
    waiting = threading.Event()

    def wait(generation_id: str) -> None:
        waiting.set()
        try:
            host.wait(generation_id)
        except BoardsError as error:
            told.append(error)

    before = emulator.knobs
    emulator.knobs = Knobs(queue_seconds=60)
    try:
        with host:
            generation = host.submit("flux-schnell", prompt="a cat")
            for event in host.events(generation.id):
                if event.type == "submitted":
                    break
            thread = threading.Thread(target=wait, args=(generation.id,))
            thread.start()
            waiting.wait()
        thread.join(5)
    finally:
        emulator.knobs = before
    assert not thread.is_alive()
    assert "not lost" in str(told[0]) or "closed" in str(told[0])


def test_a_call_from_its_own_loop_is_refused(host: Boards) -> None:
    """It would wait for itself for ever."""
    with host:
        loop = host._loop
        assert loop is not None

        async def inside() -> None:
            host.list()

        with pytest.raises(BoardsError, match="its own event loop"):
            asyncio.run_coroutine_threadsafe(inside(), loop).result(5)


def test_what_cannot_be_opened_says_so(tmp_path: Path, emulator: ReplicateEmulator) -> None:
    """Where ``with`` begins, and no thread is left behind."""
    (tmp_path / "boards.db").mkdir()
    with pytest.raises(BoardsError), Boards(home=tmp_path, environment={}):
        pass
    assert not any(thread.name == "boards" for thread in threading.enumerate())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_is_told_to_open_its_own(host: Boards) -> None:
    """The thread stays with the parent: a call would wait for ever, and so would closing."""
    with host:
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            try:
                host.list()
            except BoardsError as error:
                host.close()
                os.write(writing, str(error).encode())
            finally:
                os._exit(0)
        os.close(writing)
        ended, _, _ = select.select([reading], [], [], 5)
        if not ended:
            os.kill(child, signal.SIGKILL)
        told = os.read(reading, 1000).decode()
        os.close(reading)
        os.waitpid(child, 0)
        assert "another process" in told
        assert host.generate("flux-schnell", prompt="a cat").status == "succeeded"


def test_an_opening_that_is_interrupted_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while another program has the database locked: no thread is left that drives it."""

    class Interrupted(concurrent.futures.Future[None]):
        def result(self, timeout: float | None = None) -> None:
            while opening._loop is None:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with Boards(home=tmp_path, environment={}):
        pass
    opening = Boards(home=tmp_path, environment={})
    with closing(sqlite3.connect(tmp_path / "boards.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(concurrent.futures, "Future", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            opening.__enter__()
        assert opening._thread is not None
        opening._thread.join(5)  # it would wait for ten, and stay
        other.execute("ROLLBACK")
    assert not opening._thread.is_alive()
