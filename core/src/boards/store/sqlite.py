# ruff: noqa: S608 - statements are made of constants, every value is bound
"""The store in one SQLite file: what a single machine needs, durable at every commit."""

import asyncio
import builtins
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import aiosqlite
from attrs import evolve

from boards.artifacts import KEY, REFERENCE_PREFIX
from boards.budgets import CostGroup, Grouping, Reserve
from boards.errors import BoardsError, BudgetError, ClaimedError, ConflictError, StoreError
from boards.events import Event, Happening
from boards.generations import PHASES, Attempt, Generation
from boards.lineage import Source
from boards.logs import Logger, traceback_of
from boards.store.belonging import is_input, made_query, mentions_query
from boards.store.faults import store_error
from boards.store.ledger import costs_of, costs_query, spent_query
from boards.store.lineage import SQLiteLineage
from boards.store.listing import listing_query
from boards.store.ownership import OwnerLock
from boards.store.pipelines import SQLiteRuns
from boards.store.protocol import Change, Listing
from boards.store.pruning import (
    BATCH,
    GiveBack,
    Prune,
    PruneRuns,
    kept_query,
    look_at_runs_query,
    look_query,
)
from boards.store.rows import (
    ATTEMPT_COLUMNS,
    EVENT_COLUMNS,
    GENERATION_COLUMNS,
    attempt_of,
    event_of,
    generation_of,
)
from boards.store.schema import LIVE_PHASES, connect
from boards.store.transitions import (
    Cas,
    Create,
    KeepAttempt,
    MakeDue,
    RaiseEpoch,
    Read,
    WishCancel,
)
from boards.store.uploads import SQLiteUploads
from boards.store.writer import GroupCommitWriter, Write

__all__ = ["SQLiteStore"]

_log = Logger("boards.store")

_PAGE: Final = 200
"""Rows that are decoded between two turns of the event loop."""

_SELECT: Final = f"SELECT {GENERATION_COLUMNS} FROM generations g"
_NEVER: Final = 2**63 - 1
_LIVE: Final = f"phase IN ({', '.join(repr(phase) for phase in LIVE_PHASES)})"


class SQLiteStore:
    """Generations, attempts and events in an SQLite database (WAL, ``synchronous=FULL``).

    Any number of processes may create, read and wish to cancel; one at a time owns it and
    drives. Implements :class:`boards.store.Store`.

    Args:
        path: The database file. It and its directory are made by :meth:`open`.
        busy_timeout: Seconds to wait while another process writes.
        group_limit: At most so many writes share a transaction.
    """

    def __init__(self, path: Path, *, busy_timeout: float = 10.0, group_limit: int = 1000) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._group_limit = group_limit
        self._writer: GroupCommitWriter | None = None
        self._reader: aiosqlite.Connection | None = None
        self._opening = asyncio.Lock()
        self._owner = OwnerLock(path.with_name(f"{path.name}-owner"))
        self._owning = asyncio.Lock()
        self._epoch = 0
        self._fenced_off = False
        self._data_version: int | None = None
        self._subscribers: list[Callable[[Generation, Sequence[Happening]], None]] = []
        self.runs = SQLiteRuns(self._commit, self._rows, lambda: self._epoch)
        """Runs of pipelines."""
        self.uploads = SQLiteUploads(self._commit, self._queue, self._rows)
        """Uploads that live at providers."""
        self.lineage = SQLiteLineage(self._rows)
        """Links between generations."""

    async def open(self) -> None:
        """Create or migrate the schema. A database of a newer version is refused, untouched."""
        async with self._opening:
            if self._writer is not None:
                return
            writer = GroupCommitWriter(
                self.path,
                lambda: connect(self.path, busy_timeout=self._busy_timeout),
                self._announce,
                group_limit=self._group_limit,
            )
            await writer.start()
            try:
                # In a transaction that writes: a database that is read-only is told here.
                self._data_version = await writer.commit(Read("PRAGMA data_version"))
            except asyncio.CancelledError:
                writer.leave()  # its thread may wait for another process that writes
                raise
            except BaseException:
                await writer.stop()
                raise
            self._writer = writer

    async def close(self) -> None:
        """Finish the writes under way, give up ownership, release everything.

        Who is canceled meanwhile leaves that to the writer's thread.
        """
        async with self._opening:
            # The reader goes first: the last connection to close empties the log.
            reader, self._reader = self._reader, None
            writer, self._writer = self._writer, None
            try:
                if reader is not None:
                    await reader.close()
                if writer is not None:
                    await writer.stop()
            finally:
                self._epoch = 0
                if writer is not None:
                    writer.leave()
                    writer.at_end(self._owner.release)

    async def own(self) -> bool:
        """Try to become the one process that drives; True if it is now, or was already."""
        async with self._owning:
            if not self._epoch:
                try:
                    self._epoch = await self._commit(RaiseEpoch(self._owner.acquire))
                except BaseException:
                    self._owner.release()
                    raise
                self._fenced_off = self._fenced_off and not self._epoch
            return self._epoch > 0

    @property
    def epoch(self) -> int:
        """The epoch of this process's ownership; 0 while it owns nothing."""
        return self._epoch

    async def create(
        self,
        generation: Generation,
        happenings: Sequence[Happening] = (),
        *,
        shared_as: str | None = None,
        max_in_flight: int | None = None,
        sources: Sequence[Source] = (),
        not_shared: Sequence[str] = (),
    ) -> Generation:
        """Insert a generation, or return the one that stands for it: see the protocol."""
        write = Create(
            generation,
            happenings,
            shared_as=shared_as,
            max_in_flight=max_in_flight,
            sources=sources,
            not_shared=not_shared,
        )
        created: Generation | ConflictError = await self._commit(write)
        if isinstance(created, ConflictError):
            raise created
        return created

    async def cas(self, change: Change) -> bool:
        """Apply a change if the phase is as expected and the fence holds.

        A wish to cancel that was committed meanwhile is kept, and stays due.

        Raises:
            BudgetError: A budget has no room for what is to be reserved; nothing was applied.
            ClaimedError: The job is another generation's; nothing was applied.
        """
        if change.fenced and not self._epoch:
            return False
        fence = self._epoch if change.fenced else None
        write = Cas(
            change.expect,
            change.generation,
            change.happenings,
            change.attempt,
            fence,
            change.entry,
            moved=change.moved,
            claims=change.claims,
        )
        applied: bool | BudgetError | ClaimedError = await self._commit(write)
        if isinstance(applied, BoardsError):
            raise applied
        if not applied and fence is not None:
            await self._look_for_another_owner(fence)
        return applied

    async def _look_for_another_owner(self, epoch: int) -> None:
        """After a refused write: if another process owns the database, this one does not."""
        if epoch == self._epoch and await self._commit(Read("SELECT epoch FROM meta")) != epoch:
            self._epoch, self._fenced_off = 0, True
            self._owner.release()

    async def check_budgets(self, reserve: Reserve, owner: str) -> None:
        """Whether a reservation would find room now; it may not when it is made.

        Raises:
            BudgetError: It would not.
        """
        now = time.time()
        for budget in reserve.budgets:
            query = spent_query(owner if budget.each_owner else None, budget.bounds(now)[0])
            ((settled, reserved),) = await self._rows(*query)
            budget.check(reserve.amount, settled, reserved, now)

    async def costs(
        self,
        *,
        since: float | None,
        until: float | None,
        group_by: Grouping,
        owner: str | None = None,
    ) -> builtins.list[CostGroup]:
        """What attempts cost that were begun in a time, by what they share."""
        return costs_of(await self._rows(*costs_query(since, until, group_by, owner)))

    async def note(self, generation: Generation, happenings: Sequence[Happening]) -> None:
        """Keep progress of a live generation: in order, but without waiting for the disk."""
        if not generation.final and not self._fenced_off:
            fence = self._epoch or None
            self._open_writer.queue(Cas(generation.phase, generation, happenings, None, fence))

    async def attempt_result(
        self,
        attempt: Attempt,
        *,
        provider_job_id: str | None = None,
        job: object = None,
        outcome: str | None = None,
    ) -> None:
        """Keep what became of an attempt, whatever state the generation is in.

        A job id, once known, is never erased, nor is ``accepted`` ever changed.
        """
        known = evolve(
            attempt,
            provider_job_id=attempt.provider_job_id if provider_job_id is None else provider_job_id,
            job=attempt.job if job is None else job,
            outcome=attempt.outcome if outcome is None else cast("Any", outcome),
        )
        await self._commit(KeepAttempt(known))

    async def claimed(self, provider: str, job_ids: Sequence[str]) -> set[str]:
        """Which of these ids of a provider's jobs belong to generations already."""
        marks = ", ".join("?" * len(job_ids))
        rows = await self._rows(
            "SELECT provider_job_id FROM generations"
            f" WHERE provider = ? AND provider_job_id IN ({marks})",
            (provider, *job_ids),
        )
        return {id_ for (id_,) in rows}

    async def by_token(self, token_hash: str) -> Attempt | None:
        """The attempt whose webhook has this token, given as its SHA-256 in hex."""
        rows = await self._rows(
            f"SELECT g.id, {ATTEMPT_COLUMNS} FROM attempts a"
            " JOIN generations g ON g.seq = a.generation WHERE a.token_hash = ?",
            (token_hash,),
        )
        return attempt_of(rows[0][0], rows[0][1:]) if rows else None

    async def make_due(self, generation_id: str) -> None:
        """Have a live generation looked at now, by whichever process drives it."""
        await self._commit(MakeDue(generation_id))

    async def wish_cancel(self, generation_id: str) -> Generation | None:
        """Mark a live generation as to be canceled, from any process; None if there is none."""
        wished: Generation | None = await self._commit(WishCancel(generation_id))
        return wished

    async def get(self, generation_id: str, *, owner: str | None = None) -> Generation | None:
        """One generation, by its id; of any owner when ``owner`` is None."""
        where, values = ("", ()) if owner is None else (" AND g.owner = ?", (owner,))
        rows = await self._rows(f"{_SELECT} WHERE g.id = ?{where}", (generation_id, *values))
        return generation_of(rows[0]) if rows else None

    async def deduped(self, key: str, *, owner: str) -> Generation | None:
        """The generation that an owner's dedupe key stands for, if it was used."""
        rows = await self._rows(f"{_SELECT} WHERE g.owner = ? AND g.dedupe_key = ?", (owner, key))
        return generation_of(rows[0]) if rows else None

    async def find(
        self, prefix: str, *, owner: str = "", limit: int = 5
    ) -> builtins.list[Generation]:
        """Generations whose id begins so, oldest first."""
        rows = await self._rows(
            f"{_SELECT} WHERE g.id >= ? AND g.id < ? AND +g.owner = ? ORDER BY g.id LIMIT ?",
            (prefix, f"{prefix}\U0010ffff", owner, limit),
        )
        return await _decode(rows)

    async def list(self, listing: Listing) -> builtins.list[Generation]:
        """Generations, newest first."""
        return await _decode(await self._rows(*listing_query(listing)))

    async def attempts(
        self, generation_id: str, *, owner: str | None = None
    ) -> builtins.list[Attempt]:
        """A generation's attempts, in order."""
        number, values = _number_of(generation_id, owner)
        rows = await self._rows(
            f"SELECT {ATTEMPT_COLUMNS} FROM attempts a WHERE a.generation = {number}"
            " ORDER BY a.number",
            values,
        )
        return [attempt_of(generation_id, row) for row in rows]

    async def events(
        self, generation_id: str, *, after: int = 0, owner: str | None = None
    ) -> builtins.list[Event]:
        """A generation's events after one, in order."""
        number, values = _number_of(generation_id, owner)
        rows = await self._rows(
            f"SELECT {EVENT_COLUMNS} FROM events e WHERE e.generation = {number} AND e.id > ?"
            " ORDER BY e.id",
            (*values, after),
        )
        return [event_of(generation_id, row) for row in rows]

    async def happened_since(self, after: int | None) -> tuple[set[str], int]:
        """The generations that have events after one, and the id of the last event of all."""
        if after is None:
            ((last,),) = await self._rows("SELECT max(id) FROM events", ())
            return set(), last or 0
        rows = await self._rows(
            "SELECT g.id, e.id FROM events e JOIN generations g ON g.seq = e.generation"
            " WHERE e.id > ? ORDER BY e.id",
            (after,),
        )
        return {id_ for id_, _ in rows}, rows[-1][1] if rows else after

    async def has_file(self, key: str, *, owner: str) -> bool:
        """Whether a generation or a run of this owner has a file: see the protocol.

        In the order of the phases, so that one that moves on meanwhile is met again.
        """
        if await self._rows(*made_query(key, owner)):
            return True
        for phase in PHASES:
            before = _NEVER
            while rows := await self._rows(*mentions_query(key, owner, phase, before, _PAGE)):
                if any(is_input(json.loads(text), key) for text, _ in rows):
                    return True
                before = rows[-1][1]
        return await self.runs.has_file(key, owner=owner)

    async def due(self, now: float, limit: int = 1000) -> builtins.list[Generation]:
        """Live generations to be looked at: those whose ``due_at`` has come, soonest first."""
        rows = await self._rows(
            f"{_SELECT} WHERE g.due_at <= ? AND +{_LIVE} ORDER BY g.due_at, g.seq LIMIT ?",
            (now, limit),
        )
        return await _decode(rows)

    async def live(self) -> AsyncIterator[Generation]:
        """Every generation that is not final, oldest first: what a new owner takes up."""
        # In pages, so that no long read keeps the log from being emptied.
        found = await self._rows(f"SELECT seq FROM generations WHERE {_LIVE} ORDER BY seq")
        for start in range(0, len(found), _PAGE):
            page = ", ".join(str(seq) for (seq,) in found[start : start + _PAGE])
            for row in await self._rows(
                f"{_SELECT} WHERE g.seq IN ({page}) AND +{_LIVE} ORDER BY g.seq"
            ):
                yield generation_of(row)

    async def referenced_keys(self) -> AsyncIterator[str]:
        """Every key of a storage that a generation or a run of a pipeline mentions, of any owner.

        Some more than once.
        """
        seq = 0
        while rows := await self._rows(
            "SELECT g.seq, g.state, (SELECT i.input FROM inputs i"
            " WHERE i.generation = g.seq AND instr(i.input, ?))"
            " FROM generations g WHERE g.seq > ? ORDER BY g.seq LIMIT ?",
            (REFERENCE_PREFIX, seq, _PAGE),
        ):
            # Texts, not values: an input may mention an artifact at any depth of it.
            texts = [text for row in rows for text in row[1:] if text is not None]
            for key in await asyncio.to_thread(_keys, texts):
                yield key
            seq = rows[-1][0]
        inputs = "SELECT input FROM pipeline_runs WHERE instr(input, ?)"
        for key in _keys([text for (text,) in await self._rows(inputs, (REFERENCE_PREFIX,))]):
            yield key

    async def prune(self, *, before: float, keep: int = 0, dry_run: bool = False) -> int:
        """Delete generations that ended before a time: see the protocol.

        A database that was made by this release also shrinks; of an older one the space is used
        again.
        """
        pruned, seq, bound = 0, 0, 2**63 - 1
        if keep:
            kept = await self._rows(*kept_query(keep))
            bound = kept[0][0] if kept else 0
        while rows := await self._rows(*look_query(before, seq, bound)):
            old = [number for number, is_old, _ in rows if is_old]
            for start in range(0, 0 if dry_run else len(old), BATCH):
                pruned += await self._gently(Prune(old[start : start + BATCH], before))
            pruned += len(old) if dry_run else 0
            if min(created_at for _, _, created_at in rows) >= before:
                break  # and so were all that follow
            seq = rows[-1][0]
        runs = 0 if dry_run else await self._prune_runs(before)
        while (pruned or runs) and not dry_run and await self._gently(GiveBack()):
            pass
        return pruned

    async def _prune_runs(self, before: float) -> int:
        """Delete runs of pipelines that ended before a time and have no generation any more."""
        pruned = seq = 0
        while rows := await self._rows(*look_at_runs_query(before, seq)):
            old = [number for number, is_old, _ in rows if is_old]
            for start in range(0, len(old), BATCH):
                pruned += await self._gently(PruneRuns(old[start : start + BATCH], before))
            if min(created_at for _, _, created_at in rows) >= before:
                break
            seq = rows[-1][0]
        return pruned

    async def _gently(self, write: Write) -> Any:
        """Write, then leave the lock to others for as long."""
        start = time.monotonic()
        result = await self._commit(write)
        await asyncio.sleep(time.monotonic() - start)
        return result

    async def changed_elsewhere(self) -> bool:
        """Whether another process wrote since the last time that this was asked. Cheap."""
        # Asked where this process writes: to any other connection, its own writes are changes.
        version: int = await self._commit(Read("PRAGMA data_version"))
        changed = version != self._data_version
        self._data_version = version
        return changed

    def subscribe(self, callback: Callable[[Generation, Sequence[Happening]], None]) -> None:
        """Call back on the event loop after each commit of this process."""
        self._subscribers.append(callback)

    @property
    def _open_writer(self) -> GroupCommitWriter:
        if self._writer is None:
            raise StoreError(
                f"The store {self.path} is not open.", remedy="Call open() before using it."
            )
        return self._writer

    async def _commit(self, write: Write) -> Any:
        return await self._open_writer.commit(write)

    def _queue(self, write: Write) -> None:
        self._open_writer.queue(write)

    def _announce(self, writes: Sequence[Write]) -> None:
        if not self._subscribers:
            return
        for write in writes:
            if isinstance(write, (Cas, Create, WishCancel)) and write.announced is not None:
                for callback in self._subscribers:
                    try:
                        callback(write.announced, write.happenings)
                    except Exception as error:
                        told, of = traceback_of(error), write.announced.id
                        _log.error("a subscriber failed", generation=of, exception=told)

    async def _rows(
        self, statement: str, values: Sequence[object] | Mapping[str, object] = ()
    ) -> builtins.list[Any]:
        try:
            reader = self._reader or await self._open_reader()
            return builtins.list(await reader.execute_fetchall(statement, values))
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            raise store_error(error, self.path) from error

    async def _open_reader(self) -> aiosqlite.Connection:
        async with self._opening:
            self._open_writer  # noqa: B018 - which made the database
            if self._reader is None:
                connection = aiosqlite.connect(
                    self.path, timeout=self._busy_timeout, isolation_level=None
                )
                # Its thread must not keep a process alive that ends without close().
                thread: Any = getattr(connection, "_thread", connection)
                thread.daemon = True
                try:
                    await connection
                    await connection.execute("PRAGMA query_only = ON")
                except BaseException:
                    await connection.close()
                    raise
                self._reader = connection
            return self._reader


def _number_of(generation_id: str, owner: str | None) -> tuple[str, tuple[str, ...]]:
    """A generation's number, as an expression and its values; none if it is another owner's."""
    if owner is None:
        return "(SELECT seq FROM generations WHERE id = ?)", (generation_id,)
    return "(SELECT seq FROM generations WHERE id = ? AND owner = ?)", (generation_id, owner)


def _keys(texts: Sequence[str]) -> set[str]:
    return {found[0] for text in texts for found in KEY.finditer(text)}


async def _decode(rows: Sequence[tuple[Any, ...]]) -> list[Generation]:
    """Decode rows without keeping the event loop from its other work."""
    generations: list[Generation] = []
    for start in range(0, len(rows), _PAGE):
        if start:
            await asyncio.sleep(0)
        generations += map(generation_of, rows[start : start + _PAGE])
    return generations
