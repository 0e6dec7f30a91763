# ruff: noqa: S608 - statements are made of constants, every value is bound
"""Runs of pipelines and their steps: what a store may keep beside generations.

A transition of a run is one compare-and-set of some of its steps, durable when the call returns.
"""

import builtins
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from attrs import asdict, evolve, frozen

from boards.errors import Failure
from boards.generations import Generation, Status
from boards.runs import PipelineRun, StepRun, StepStatus
from boards.store.belonging import is_input
from boards.store.rows import GENERATION_COLUMNS, encode, generation_of
from boards.store.writer import Transaction, Write

__all__ = ["RunChange", "RunStore", "SQLiteRuns"]


@frozen
class RunChange:
    """One transition of a run: all of it is committed, or nothing.

    Attributes:
        run: The run as it is afterwards.
        expect: The steps that change, and the status in which each must be.
    """

    run: PipelineRun
    expect: dict[str, StepStatus]


class RunStore(Protocol):
    """Runs of pipelines. Methods raise :class:`boards.errors.StoreError`.

    A store has one as ``runs``, if it keeps pipelines at all.
    """

    async def create(self, run: PipelineRun) -> PipelineRun:
        """Insert a run and its steps; or the run of its owner that has its dedupe key."""

    async def get(self, run_id: str, *, owner: str | None = None) -> PipelineRun | None:
        """One run, its steps with their generations as they are now; of any owner if None."""

    async def deduped(self, key: str, *, owner: str) -> PipelineRun | None:
        """The run that an owner's dedupe key stands for, if it was used."""

    async def find(self, prefix: str, *, owner: str = "", limit: int = 5) -> list[PipelineRun]:
        """Runs whose id begins so, without generations."""

    async def list(
        self,
        *,
        owner: str = "",
        statuses: Sequence[Status] = (),
        limit: int = 50,
        before: str | None = None,
    ) -> list[PipelineRun]:
        """Runs, newest first, without generations."""

    async def live(self) -> builtins.list[tuple[str, bool]]:
        """The ids of all runs that are not final, oldest first; and whether each is to end."""

    async def change(self, change: RunChange) -> bool:
        """Apply a change, if this process owns the store and each step is as expected."""

    async def wish_cancel(self, run_id: str) -> PipelineRun | None:
        """Mark a live run as to be canceled, from any process; None if there is none."""


_COLUMNS: Final = (
    "r.id, r.owner, r.pipeline, r.status, r.canceling, r.priority, r.dedupe_key, r.created_at,"
    " r.finished_at, r.document, r.input, r.outputs, r.seq"
)
_RUNS: Final = f"SELECT {_COLUMNS} FROM pipeline_runs r"
_STEPS: Final = (
    "SELECT run, name, generator, needs, status, generation, error, reason"
    " FROM pipeline_steps WHERE run IN (%s) ORDER BY run, position"
)

_INSERT: Final = """
    INSERT INTO pipeline_runs (id, owner, pipeline, status, canceling, priority, dedupe_key,
        created_at, finished_at, document, input, outputs)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (owner, dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING
    RETURNING seq"""
_INSERT_STEP: Final = """
    INSERT INTO pipeline_steps (run, position, name, generator, needs, status)
    VALUES (?, ?, ?, ?, ?, ?)"""
_SAME: Final = "SELECT id FROM pipeline_runs WHERE owner = ? AND dedupe_key = ?"

_LIVE: Final = "SELECT seq FROM pipeline_runs WHERE id = ? AND finished_at IS NULL"
_UPDATE: Final = "UPDATE pipeline_runs SET status = ?, finished_at = ? WHERE seq = ?"
_UPDATE_STEP: Final = """
    UPDATE pipeline_steps SET status = ?, generation = ?, error = ?, reason = ?
    WHERE run = ? AND name = ?"""
_WISH: Final = """
    UPDATE pipeline_runs SET canceling = 1 WHERE id = ? AND finished_at IS NULL RETURNING id"""


class _Create(Write):
    """Insert a run; its id, or that of the run with its dedupe key."""

    __slots__ = ("_run", "_steps", "_values")

    def __init__(self, run: PipelineRun) -> None:
        super().__init__()
        self._run = run
        self._values = (
            run.id,
            run.owner,
            run.pipeline,
            run.status,
            run.canceling,
            run.priority,
            run.dedupe_key,
            run.created_at,
            run.finished_at,
            encode(run.document),
            encode(run.input),
            encode(list(run.outputs)),
        )
        self._steps = [
            (position, step.name, step.generator, encode(list(step.needs)), step.status)
            for position, step in enumerate(run.steps)
        ]

    def apply(self, transaction: Transaction) -> str:
        """Insert the rows, unless the key was used."""
        execute = transaction.cursor.execute
        inserted = execute(_INSERT, self._values).fetchone()
        if inserted is None:
            return str(execute(_SAME, (self._run.owner, self._run.dedupe_key)).fetchone()[0])
        for step in self._steps:
            execute(_INSERT_STEP, (inserted[0], *step))
        return self._run.id


class _Change(Write):
    """Bring some steps of a run from one status to the next."""

    __slots__ = ("_epoch", "_expect", "_run", "_steps")

    def __init__(self, change: RunChange, epoch: int) -> None:
        super().__init__()
        self._run = change.run
        self._expect = change.expect
        self._epoch = epoch
        self._steps = [
            (
                step.status,
                step.generation_id,
                None if step.error is None else encode(asdict(step.error)),
                step.reason,
                step.name,
            )
            for step in change.run.steps
            if step.name in change.expect
        ]

    def apply(self, transaction: Transaction) -> bool:
        """Update the rows; False, and nothing is, where one is not as expected."""
        execute = transaction.cursor.execute
        found = execute(_LIVE, (self._run.id,)).fetchone()
        if found is None or not self._epoch or self._epoch != transaction.epoch:
            return False
        (seq,) = found
        statuses = dict(
            execute("SELECT name, status FROM pipeline_steps WHERE run = ?", (seq,)).fetchall()
        )
        if any(statuses.get(name) != expected for name, expected in self._expect.items()):
            return False
        execute(_UPDATE, (self._run.status, self._run.finished_at, seq))
        for *values, name in self._steps:
            execute(_UPDATE_STEP, (*values, seq, name))
        return True


class _Wish(Write):
    """Mark a live run as to be canceled; whether there is one."""

    __slots__ = ("_run_id",)

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id

    def apply(self, transaction: Transaction) -> bool:
        """Update a row that is live."""
        return transaction.cursor.execute(_WISH, (self._run_id,)).fetchone() is not None


class SQLiteRuns:
    """Runs in the database of a :class:`boards.store.sqlite.SQLiteStore`.

    Args:
        commit: Writes with the next group.
        rows: Reads.
        epoch: The epoch of this process's ownership.
    """

    def __init__(
        self,
        commit: Callable[[Write], Awaitable[Any]],
        rows: Callable[[str, Sequence[object]], Awaitable[list[Any]]],
        epoch: Callable[[], int],
    ) -> None:
        self._commit = commit
        self._rows = rows
        self._epoch = epoch

    async def create(self, run: PipelineRun) -> PipelineRun:
        """Insert a run and its steps; or the run of its owner that has its dedupe key."""
        run_id = await self._commit(_Create(run))
        return run if run_id == run.id else await self.get(run_id) or run

    async def get(self, run_id: str, *, owner: str | None = None) -> PipelineRun | None:
        """One run, its steps with their generations as they are now; of any owner if None."""
        where, values = ("", ()) if owner is None else (" AND r.owner = ?", (owner,))
        found = await self._read(f"{_RUNS} WHERE r.id = ?{where}", (run_id, *values))
        if not found:
            return None
        (run,) = found
        ids = [step.generation_id for step in run.steps if step.generation_id is not None]
        rows = await self._rows(
            f"SELECT {GENERATION_COLUMNS} FROM generations g"
            f" WHERE g.id IN ({_marks(ids)}) AND +g.owner = ?",
            (*ids, run.owner),
        )
        generations = {one.id: one for one in map(generation_of, rows)}
        return evolve(run, steps=tuple(_with_generation(step, generations) for step in run.steps))

    async def deduped(self, key: str, *, owner: str) -> PipelineRun | None:
        """The run that an owner's dedupe key stands for, if it was used."""
        found = await self._rows(_SAME, (owner, key))
        return await self.get(found[0][0]) if found else None

    async def find(self, prefix: str, *, owner: str = "", limit: int = 5) -> list[PipelineRun]:
        """Runs whose id begins so, oldest first, without generations."""
        where = "WHERE r.id >= ? AND r.id < ? AND +r.owner = ? ORDER BY r.id LIMIT ?"
        return await self._read(f"{_RUNS} {where}", (prefix, f"{prefix}\U0010ffff", owner, limit))

    async def list(
        self,
        *,
        owner: str = "",
        statuses: Sequence[Status] = (),
        limit: int = 50,
        before: str | None = None,
    ) -> list[PipelineRun]:
        """Runs, newest first, without generations."""
        terms, values = ["r.owner = ?"], [owner, *statuses]
        if statuses:
            terms.append(f"r.status IN ({_marks(statuses)})")
        if before is not None:
            terms.append("r.seq < (SELECT seq FROM pipeline_runs WHERE id = ? AND owner = ?)")
            values += (before, owner)
        where = f"WHERE {' AND '.join(terms)} ORDER BY r.seq DESC LIMIT ?"
        return await self._read(f"{_RUNS} {where}", (*values, limit))

    async def has_file(self, key: str, *, owner: str) -> bool:
        """Whether a file is an input of a run of this owner."""
        rows = await self._rows(
            "SELECT input FROM pipeline_runs WHERE +owner = ? AND instr(input, ?)", (owner, key)
        )
        return any(is_input(json.loads(text), key) for (text,) in rows)

    async def live(self) -> builtins.list[tuple[str, bool]]:
        """The ids of all runs that are not final, oldest first; and whether each is to end."""
        rows = await self._rows(
            "SELECT id, canceling FROM pipeline_runs WHERE finished_at IS NULL ORDER BY seq", ()
        )
        return [(id_, bool(canceling)) for id_, canceling in rows]

    async def change(self, change: RunChange) -> bool:
        """Apply a change, if this process owns the store and each step is as expected."""
        applied: bool = await self._commit(_Change(change, self._epoch()))
        return applied

    async def wish_cancel(self, run_id: str) -> PipelineRun | None:
        """Mark a live run as to be canceled, from any process; None if there is none."""
        return await self.get(run_id) if await self._commit(_Wish(run_id)) else None

    async def _read(self, statement: str, values: Sequence[object]) -> builtins.list[PipelineRun]:
        rows = await self._rows(statement, values)
        seqs = [row[-1] for row in rows]
        steps: dict[int, list[StepRun]] = {seq: [] for seq in seqs}
        for seq, *step in await self._rows(_STEPS % _marks(seqs), seqs):
            steps[seq].append(_step_of(step))
        return [_run_of(row, tuple(steps[row[-1]])) for row in rows]


def _with_generation(step: StepRun, generations: dict[str, Generation]) -> StepRun:
    found = generations.get(step.generation_id) if step.generation_id is not None else None
    return step if found is None else evolve(step, generation=found)


def _step_of(row: Sequence[Any]) -> StepRun:
    name, generator, needs, status, generation_id, error, reason = row
    return StepRun(
        name=name,
        generator=generator,
        needs=tuple(json.loads(needs)),
        status=status,
        generation_id=generation_id,
        error=None if error is None else Failure(**json.loads(error)),
        reason=reason,
    )


def _run_of(row: Sequence[Any], steps: tuple[StepRun, ...]) -> PipelineRun:
    id_, owner, pipeline, status, canceling, priority, dedupe_key, created_at, finished_at = row[:9]
    return PipelineRun(
        id=id_,
        owner=owner,
        pipeline=pipeline,
        status=status,
        canceling=bool(canceling),
        priority=priority,
        dedupe_key=dedupe_key,
        created_at=created_at,
        finished_at=finished_at,
        document=json.loads(row[9]),
        input=json.loads(row[10]),
        outputs=tuple(json.loads(row[11])),
        steps=steps,
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)
