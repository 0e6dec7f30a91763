"""Work in the background: bounded, stopped, forgotten."""

import asyncio
import threading
import time

import pytest

from boards_local.bench import Bench, Control, Given, Made

NOTHING = Given({}, {}, {})


async def read() -> Given:
    """Nothing is to be read."""
    return NOTHING


def done(_given: Given, _control: Control) -> Made:
    """Work that ends at once."""
    return Made(b"made", "text/plain")


class Endless:
    """Work that ends when it is stopped."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.stopped = threading.Event()

    def __call__(self, _given: Given, control: Control) -> Made:
        self.begun.release()
        try:
            while True:
                control.reached(1, 4)
                time.sleep(0.002)
        finally:
            self.stopped.set()


async def until_begun(work: Endless) -> None:
    """Wait until it has a thread."""
    assert await asyncio.to_thread(work.begun.acquire, timeout=5)


async def test_what_was_made_is_taken_once() -> None:
    """The bench keeps nothing that somebody has."""
    bench = Bench(1)
    piece = bench.piece("a", read, done)
    assert bench.piece("a", read, done) is piece
    await asyncio.wait({piece.task})
    assert (piece.state, bench.take("a"), bench.take("a")) == (
        "done",
        Made(b"made", "text/plain"),
        None,
    )


async def test_no_more_is_worked_at_than_there_are_workers() -> None:
    """The rest waits, and its files are not read."""
    bench, work = Bench(2), Endless()
    reads = 0

    async def counted() -> Given:
        nonlocal reads
        reads += 1
        return NOTHING

    pieces = [bench.piece(str(n), counted, work) for n in range(5)]
    await until_begun(work)
    await until_begun(work)
    assert [piece.state for piece in pieces] == ["running", "running", *["queued"] * 3]
    assert (reads, pieces[0].control.percent) == (2, 25.0)
    for n in range(5):
        bench.drop(str(n))


async def test_what_is_dropped_stops_where_it_next_looks_up() -> None:
    """Its thread is free again for others."""
    bench, work = Bench(1), Endless()
    piece = bench.piece("a", read, work)
    await until_begun(work)
    bench.drop("a")
    bench.drop("a")
    following = bench.piece("b", read, done)
    assert await asyncio.to_thread(work.stopped.wait, 5)
    await asyncio.wait_for(following.task, 5)
    assert piece.task.cancelled()


async def test_what_waits_and_is_dropped_never_begins() -> None:
    """It is withdrawn."""
    bench, first, second = Bench(1), Endless(), Endless()
    bench.piece("a", read, first)
    waiting = bench.piece("b", read, second)
    await until_begun(first)
    bench.drop("b")
    bench.drop("a")
    await asyncio.wait({waiting.task})
    assert not second.begun.acquire(timeout=0.05)


def test_threads_do_not_outlive_the_event_loop() -> None:
    """A program that ends does not wait for work that nobody will get."""
    work = Endless()

    async def main() -> None:
        Bench(1).piece("a", read, work)
        await until_begun(work)

    asyncio.run(main())
    assert work.stopped.wait(5)


async def test_a_failure_is_the_task_s() -> None:
    """Whoever looks gets it."""

    def fail(_given: Given, _control: Control) -> Made:
        raise ValueError("no")

    piece = Bench(1).piece("a", read, fail)
    await asyncio.wait({piece.task})
    assert piece.state == "done"
    with pytest.raises(ValueError, match="no"):
        piece.task.result()
