"""Driving runs: each look at one does what is next, and each look is safe to repeat.

A step is an ordinary generation with a dedupe key of its run and its name. It is begun in this
order: its id is committed with the step, then it is created under its key. So a crash between the
two begins it again under the same key, and nothing is paid for twice.
"""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.choosing import Options, Prepared
from boards.engine.observing import Observers
from boards.engine.seeing import seen_through
from boards.errors import (
    BoardsError,
    ConflictError,
    Failure,
    GenerationUnresolvedError,
    InvalidInputError,
    NotFoundError,
    ProviderError,
)
from boards.events import Happening
from boards.generations import Generation
from boards.logs import Logger
from boards.pipelines.deciding import changed, next_moves
from boards.pipelines.model import PipelineSpec
from boards.pipelines.reader import from_document
from boards.pipelines.rendering import render, scope_of, texts_taken, wanted
from boards.runner import Again, Done
from boards.runner.embedded import EmbeddedRunner
from boards.runs import PipelineRun, StepRun
from boards.store.pipelines import RunChange, RunStore

if TYPE_CHECKING:
    from boards.engine.engine import Engine

__all__ = ["Conductor", "dedupe_key"]

_log = Logger("boards.pipelines")

_PREFIX: Final = "pipeline:"
_AFTER_TROUBLE: Final = 15.0
"""Seconds before a run is looked at again that a fault of this machine holds up."""
_NO_ROOM: Final = 1.0
"""Seconds before a step is begun again while its owner has as many generations as are allowed."""
_ALL_TOLD: Final = 10
"""Of so many generations that take up the room, not all may be named."""

Prepare = Callable[[str, Mapping[str, Any], Options], Awaitable[Prepared]]
"""Makes a generation of a name and an input, ready to be committed."""


def dedupe_key(run_id: str, step: str) -> str:
    """The key under which a step's generation is created."""
    return f"{_PREFIX}{run_id}:{step}"


class Conductor:
    """Drives the runs of one store while this process owns that.

    Args:
        engine: Runs the generations.
        runs: The truth.
        prepare: Makes a step's generation.
    """

    def __init__(self, engine: "Engine", runs: RunStore, prepare: Prepare) -> None:
        self._engine = engine
        self._runs = runs
        self._prepare = prepare
        self._runner = EmbeddedRunner(drives="run")
        self._specs: dict[str, PipelineSpec] = {}
        self._seen: dict[str, bool] = {}
        # Of whoever started a run here: its steps belong to the same request, and trace.
        self._askers: dict[str, contextvars.Context] = {}
        self._epoch = 0
        self._undecided: set[str] = set()
        self._observers = Observers()
        self._troubles: dict[str, BoardsError] = {}

    async def open(self) -> None:
        """Take up what is live, if this process drives, now or later."""
        self._runner.start(self.drive)
        self._engine.store.subscribe(self._committed)
        self._engine.follow(self._look)
        await self._look()

    async def close(self) -> None:
        """Begin nothing new, and tell those who wait for a run."""
        await self._runner.stop()
        self._observers.close()

    # Drive

    async def _look(self) -> None:
        """Take up runs that others started, canceled or decided, and tell those who wait."""
        if self._engine.driving:
            if self._epoch != self._engine.store.epoch:  # another one drove meanwhile, maybe
                self._epoch, self._seen = self._engine.store.epoch, {}
            live = dict(await self._runs.live())
            for run_id, canceling in live.items():
                if self._seen.get(run_id) is not canceling or run_id in self._undecided:
                    self._runner.wake(run_id)
            self._seen = live
        for run_id in self._observers.asking(()):
            self._observers.tell(run_id)

    def _committed(self, generation: Generation, _happenings: Sequence[Happening]) -> None:
        """Told by the store after each commit of this process."""
        key = generation.dedupe_key
        if key is None or not key.startswith(_PREFIX):
            return
        if generation.final or generation.phase == "unknown":
            run_id = key.removeprefix(_PREFIX).partition(":")[0]
            if self._engine.driving:
                self._runner.wake(run_id)
            self._observers.tell(run_id)

    async def drive(self, run_id: str) -> Again | Done:
        """Take a run as far as it goes now; idempotent, and safe to call from anywhere."""
        try:
            again = await self._move_on(run_id)
        except BoardsError as error:
            _log.warning("a run is held up", run=run_id, error=error.message)
            self._troubles[run_id] = error
            self._observers.tell(run_id)
            return Again(time.time() + _AFTER_TROUBLE)
        self._troubles.pop(run_id, None)
        return again

    async def _move_on(self, run_id: str) -> Again | Done:
        while True:
            run = await self._runs.get(run_id)
            self._undecided.discard(run_id)
            if run is None or run.final or not self._engine.driving:
                self._specs.pop(run_id, None)
                self._seen.pop(run_id, None)
                self._askers.pop(run_id, None)
                return Done()
            spec = self._specs.get(run_id) or from_document(run.document)
            self._specs[run_id] = spec
            if any(step.generation and step.generation.phase == "unknown" for step in run.steps):
                self._undecided.add(run_id)  # any process may end it
            moves = next_moves(spec, run)
            for generation in moves.cancel:
                await self._engine.cancel(generation.id)
            if (moves.run.status, expect := changed(run, moves.run)) != (run.status, {}):
                if not await self._commit(moves.run, expect):
                    return Again(time.time() + _AFTER_TROUBLE)  # another process owns the store
                continue
            if not moves.begin:
                return Done()  # until a generation ends
            asker = self._askers.get(run_id, contextvars.Context())
            begun = [
                asyncio.create_task(self._begin(spec, moves.run, step), context=asker.copy())
                for step in moves.begin
            ]
            outcomes = await asyncio.gather(*begun, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException) and not isinstance(outcome, ConflictError):
                    raise outcome
            if not all(outcomes):
                return Again(time.time() + _AFTER_TROUBLE)  # another process owns the store
            for outcome in outcomes:
                if isinstance(outcome, ConflictError):
                    await self._refuse_endless_wait(outcome)
                    return Again(time.time() + _NO_ROOM)

    async def _refuse_endless_wait(self, no_room: ConflictError) -> None:
        """Room comes of itself, unless all that takes it up waits for a decision.

        Raises:
            GenerationUnresolvedError: It does.
        """
        undecided: Generation | None = None
        for generation_id in no_room.running:
            undecided = await self._engine.store.get(generation_id)
            if undecided is None or undecided.phase != "unknown":
                return
        if undecided is not None and len(no_room.running) < _ALL_TOLD:
            raise GenerationUnresolvedError(undecided) from no_room

    async def _commit(self, run: PipelineRun, expect: Mapping[str, Any]) -> bool:
        applied = await self._runs.change(RunChange(run, dict(expect)))
        self._observers.tell(run.id)
        return applied

    async def _begin(self, spec: PipelineSpec, run: PipelineRun, step: StepRun) -> bool:
        """Begin a step: skip it, fail it, or have its generation driven.

        Returns:
            False if this process does not own the store any more: nothing was begun.
        """
        says = spec.steps[step.name]
        options = Options(
            dedupe_key=dedupe_key(run.id, step.name), priority=run.priority, owner=run.owner
        )
        try:
            scope = await scope_of(says, run, self._engine.storage)
            if not wanted(says, scope):
                skipped = evolve(step, status="skipped", reason="its condition does not hold")
                return await self._commit_step(run, step, skipped)
            prepared = await self._prepare(says.generator, render(says, scope), options)
        except InvalidInputError as error:
            flaws = "; ".join(str(one) for one in error.problems)
            failure = Failure("invalid_input", f"{error.message} {flaws}".rstrip(), error.remedy)
            return await self._commit_step(run, step, evolve(step, status="failed", error=failure))
        except NotFoundError as error:
            if not isinstance(error.__cause__, ProviderError):
                raise  # it is not installed any more, and may be again
            failure = Failure("not_found", error.message, error.remedy)
            return await self._commit_step(run, step, evolve(step, status="failed", error=failure))
        id_ = step.generation_id or prepared.generation.id
        begun = evolve(step, status="running", generation_id=id_)
        if step.generation_id is None and not await self._commit_step(run, step, begun):
            return False
        generation = evolve(prepared.generation, id=id_)
        sources = (*prepared.sources, *texts_taken(says, run))
        created = await self._engine.create(
            evolve(prepared, generation=generation, sources=sources)
        )
        self._observers.tell(run.id)
        if created.id == id_:
            return True
        return await self._commit_step(run, begun, evolve(begun, generation_id=created.id))

    async def _commit_step(self, run: PipelineRun, before: StepRun, after: StepRun) -> bool:
        return await self._commit(_with(run, after), {before.name: before.status})

    # For callers

    async def start(self, run: PipelineRun) -> PipelineRun:
        """Commit a run and have it driven; or the run that has its dedupe key."""
        return await seen_through(self._started(run))

    async def _started(self, run: PipelineRun) -> PipelineRun:
        created = await self._runs.create(run)
        if self._engine.driving and created.id == run.id:
            self._seen[run.id] = False
            self._askers[run.id] = contextvars.copy_context()
            self._runner.wake(run.id)
        return created

    async def deduped(self, key: str | None, *, owner: str) -> PipelineRun | None:
        """The run that an owner's dedupe key stands for, if it was used."""
        return None if key is None else await self._runs.deduped(key, owner=owner)

    async def get(self, run_id: str, *, owner: str) -> PipelineRun:
        """A run of an owner by its id, or by the beginning of it.

        Raises:
            NotFoundError: There is none, or several begin so.
        """
        found = await self._runs.get(run_id, owner=owner)
        if found is not None:
            return found
        candidates = await self._runs.find(run_id, owner=owner) if run_id else []
        if len(candidates) == 1:
            return await self._runs.get(candidates[0].id, owner=owner) or candidates[0]
        what = "Several runs begin" if candidates else "There is no run of a pipeline that begins"
        raise NotFoundError(
            f"{what} with {run_id!r}.",
            suggestions=[one.id for one in candidates],
            remedy="List them with: boards runs",
        )

    async def watch(self, run_id: str, *, owner: str) -> AsyncIterator[PipelineRun]:
        """A run of an owner as it is, and again whenever one of its steps moved, until it ends.

        It also ends while all that the run waits for is a decision: see ``boards resolve``.

        Raises:
            BoardsError: A fault of this machine holds it up, or this process closes.
        """
        event, let_go = self._observers.news_of(run_id)
        before: PipelineRun | None = None
        try:
            while True:
                event.clear()
                self._observers.check()  # the close may have been among the news
                run = await self.get(run_id, owner=owner)
                if run != before:
                    before = run
                    yield run
                if run.final or run.unresolved:
                    return
                await self._news_or_fault(run, event)
        finally:
            let_go()

    async def _news_or_fault(self, run: PipelineRun, event: asyncio.Event) -> None:
        """Wait until something happened to a run; raise what holds it, or a step of it, up."""
        if run.id in self._troubles:
            raise self._troubles[run.id]
        live = [
            step.generation
            for step in run.steps
            if step.status == "running" and step.generation and step.generation.phase != "unknown"
        ]
        news = asyncio.create_task(event.wait())
        ends = {asyncio.create_task(self._engine.wait(one)) for one in live}
        pending: set[asyncio.Task[Any]] = {news, *ends}
        try:
            while not news.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    one.result()
        finally:
            for one in (news, *ends):
                one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(news, *ends, return_exceptions=True)

    async def wait(self, run_id: str, *, owner: str) -> PipelineRun:
        """The run when it ended, however it ended, or when it waits for a decision alone."""
        run = await self.get(run_id, owner=owner)
        async for one in self.watch(run.id, owner=owner):
            run = one
        return run

    async def cancel(self, run_id: str, *, owner: str) -> PipelineRun:
        """Wish a run canceled; whoever drives cancels what is under way."""
        run = await self.get(run_id, owner=owner)
        return await seen_through(self._wished(run)) or await self.get(run.id, owner=owner)

    async def _wished(self, run: PipelineRun) -> PipelineRun | None:
        wished = await self._runs.wish_cancel(run.id)
        if wished is not None and self._engine.driving:
            self._seen[run.id] = True
            self._runner.wake(run.id)
        self._observers.tell(run.id)
        return wished

    async def list(self, **given: Any) -> list[PipelineRun]:
        """Runs, newest first, without generations."""
        return await self._runs.list(**given)


def _with(run: PipelineRun, step: StepRun) -> PipelineRun:
    """The run with one step as it is afterwards."""
    steps = tuple(step if one.name == step.name else one for one in run.steps)
    status = "running" if run.status == "queued" else run.status
    return evolve(run, steps=steps, status=status)
