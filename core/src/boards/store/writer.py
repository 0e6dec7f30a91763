"""Group commit: many writes, one transaction, one wait for the disk.

A thread of its own holds the only connection that writes. It takes all that was queued since
its last commit, applies it in order in one transaction, commits, and hands all results to the
event loop in a single call. The more writers wait, the larger the groups: the disk sets the
pace, not the number of callers.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from attrs import define

from boards.errors import StoreError
from boards.logs import Logger, traceback_of
from boards.store.faults import concerns_database, store_error

__all__ = ["GroupCommitWriter", "Transaction", "Write"]

_log = Logger("boards.store")


@define(eq=False)
class Transaction:
    """What a write sees while it is applied.

    Attributes:
        cursor: Of the connection that writes.
        epoch: The owner's epoch in the database; it cannot change before the commit.
        now: Unix seconds.
    """

    cursor: sqlite3.Cursor
    epoch: int
    now: float


class Write:
    """One write: :meth:`apply` runs in the writer's thread, maybe more than once.

    Attributes:
        future: Who waits for it; None if nobody does.
        result: What :meth:`apply` returned, once it is committed.
        error: Why it failed.
    """

    __slots__ = ("error", "future", "result")

    future: asyncio.Future[Any] | None
    result: Any
    error: BaseException | None

    def __init__(self) -> None:
        self.future = self.result = self.error = None

    def apply(self, transaction: Transaction) -> Any:
        """Execute the statements. What it raises undoes this write alone."""
        raise NotImplementedError


class GroupCommitWriter:
    """The thread that writes.

    Args:
        path: The database, as errors name it.
        connect: Opens it, in the writer's thread; again after a connection became useless.
        committed: Called on the event loop with the writes of each group that were applied,
            before those who wait for them go on.
        group_limit: At most so many writes share a transaction: it bounds how long other
            processes wait for the write lock.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        committed: Callable[[Sequence[Write]], None],
        *,
        group_limit: int,
    ) -> None:
        self._path = path
        self._connect = connect
        self._committed = committed
        self._group_limit = group_limit
        self._queue: SimpleQueue[Write | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._accepting = False
        self._database: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="boards-store-writer", daemon=True)

    async def start(self) -> None:
        """Open the database.

        Raises:
            StoreError: It cannot be opened.
        """
        self._thread.start()
        try:
            await self._opened
        except BaseException:
            self._queue.put(None)
            raise
        self._accepting = True

    def queue(self, write: Write) -> None:
        """Write with the next group; nobody waits for it, a failure is logged.

        Raises:
            StoreError: The store is closed.
        """
        if not self._accepting:
            raise StoreError(
                f"The store {self._path} is not open.", remedy="Call open() before using it."
            )
        self._queue.put(write)

    async def commit(self, write: Write) -> Any:
        """Write with the next group, and return its result once that is durable.

        A caller that is canceled stops waiting; the write is made all the same.

        Raises:
            StoreError: It could not be written: nothing of it was.
        """
        future = write.future = self._loop.create_future()
        self.queue(write)
        return await future

    def leave(self) -> None:
        """Commit what is queued, then end the thread; nobody waits for that."""
        if self._accepting:
            self._accepting = False
            self._queue.put(None)

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call back when the thread has ended; now, if it has."""
        if self._closed.done():
            callback()
        else:
            self._closed.add_done_callback(lambda _: callback())

    async def stop(self) -> None:
        """Commit what is queued, then end the thread and close its connection."""
        self.leave()
        await asyncio.shield(self._closed)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._database = self._connect()
        except BaseException as error:
            self._on_loop(_fail, self._opened, store_error(error, self._path))
            self._on_loop(_resolve, self._closed, None)
            return
        self._on_loop(_resolve, self._opened, None)
        closing = False
        while not closing:
            group, closing = self._take()
            self._write(group)
            self._on_loop(self._settle, group)
        self._disconnect()
        self._on_loop(_resolve, self._closed, None)

    def _take(self) -> tuple[list[Write], bool]:
        """Wait for a write, then take all that are queued; and whether they are the last."""
        group: list[Write] = []
        write = self._queue.get()
        waiting = min(self._queue.qsize(), self._group_limit - 1)
        while write is not None:
            group.append(write)
            if not waiting:
                return group, False
            waiting -= 1
            write = self._queue.get()
        return group, True

    def _write(self, group: list[Write]) -> None:
        """Commit a group. Whatever happens, each write has a result or an error afterwards."""
        if not group:
            return
        try:
            try:
                self._transact(group, _apply_all)
            except Exception as error:
                if concerns_database(error):
                    raise
                # One write is at fault. It must not take its neighbours with it.
                self._transact(group, _apply_each)
        except BaseException as error:
            # The thread outlives every failure: who waits is told, the next group is tried.
            for write in group:
                write.error = error

    def _transact(
        self, group: list[Write], apply: Callable[[list[Write], Transaction], None]
    ) -> None:
        if self._database is None:
            self._database = self._connect()
        try:
            cursor = self._database.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            (epoch,) = cursor.execute("SELECT epoch FROM meta").fetchone()
            apply(group, Transaction(cursor, epoch, time.time()))
            cursor.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        try:
            # SQLite itself rolls back after some errors, a full disk among them.
            if self._database is not None and self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except sqlite3.Error as error:
            told = traceback_of(error)
            path = str(self._path)
            _log.error("no rollback: the database is opened anew", path=path, exception=told)
            self._disconnect()

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            try:
                database.close()
            except sqlite3.Error as error:
                told = traceback_of(error)
                _log.error("the database cannot be closed", path=str(self._path), exception=told)

    def _on_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            # The loop is closed, so nobody waits any more.
            _log.debug("the event loop of the store is gone", path=str(self._path))

    def _settle(self, group: list[Write]) -> None:
        """Tell subscribers, then all who wait. Runs on the event loop."""
        self._committed([write for write in group if write.error is None])
        for write in group:
            future, error = write.future, write.error
            if future is None:
                if error is not None:
                    told = store_error(error, self._path)
                    _log.warning("what nobody waits for is not written", error=str(told))
            elif error is not None:
                told = store_error(error, self._path)
                told.__cause__ = None if told is error else error
                _fail(future, told)
            else:
                _resolve(future, write.result)


def _apply_all(group: list[Write], transaction: Transaction) -> None:
    for write in group:
        write.result = write.apply(transaction)


def _apply_each(group: list[Write], transaction: Transaction) -> None:
    """Apply each write in a savepoint, so that one that fails is undone alone."""
    execute = transaction.cursor.execute
    for write in group:
        execute("SAVEPOINT one")
        try:
            write.result = write.apply(transaction)
        except Exception as error:
            if concerns_database(error):
                raise
            write.error = error
            execute("ROLLBACK TO one")
        execute("RELEASE one")


def _resolve(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
