"""``boards run`` and ``boards runs``: pipelines."""

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from boards.cli.attending import exit_of_signal
from boards.cli.display import Display, display_for
from boards.cli.exits import Exit, exit_of_error
from boards.cli.failures import told, write
from boards.cli.interrupts import Interrupted, Interrupts, ask
from boards.cli.output import Output, ago, plain, seconds
from boards.cli.results import bring_out
from boards.cli.session import Session, command, of_an_owner
from boards.errors import BoardsError, PipelineError, StorageError
from boards.facade import Facade
from boards.generations import Status
from boards.runs import PipelineRun, StepRun

if TYPE_CHECKING:
    from boards.cli.values import Pair

__all__ = ["run", "runs"]

_EPILOG = (
    "An input is KEY=VALUE, typed by the pipeline: a file is KEY=@path, a URL, or the id of an "
    "earlier generation. KEY:=JSON is JSON."
)


@command(epilog=_EPILOG)
@click.argument("path", metavar="PIPELINE.yaml", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--input", "source", metavar="FILE|-",
    help="More inputs, as a JSON or YAML mapping; KEY=VALUE wins.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Copy the artifacts there, under readable names.",
)  # fmt: skip
@click.option("--no-wait", is_flag=True, help="Start it and leave; later: boards runs ID --wait.")
@click.option("--check", is_flag=True, help="Only check the pipeline; nothing is begun.")
@click.option(
    "--dedupe-key", metavar="KEY", help="With a key that was used before, go on with that run."
)
def run(
    session: Session,
    path: Path,
    inputs: tuple[str, ...],
    source: str | None,
    out: Path | None,
    no_wait: bool,
    check: bool,
    dedupe_key: str | None,
) -> int:
    """Run a pipeline, and wait for its result.

    Each step is a generation. Paths of artifacts go to standard output, one a line; progress to
    standard error.
    """
    from boards.cli.values import read_mapping, split  # noqa: PLC0415  # not for --help

    if not path.is_file():
        raise click.UsageError(f"There is no file {path}.")
    if check:
        from boards.cli.check import tell_mistakes  # noqa: PLC0415  # rarely needed

        return tell_mistakes(session, [path])
    pairs = split(inputs)
    mapping = read_mapping(source) if source is not None else {}
    return session.drive(_run(session, path, pairs, mapping, out, no_wait, dedupe_key))


async def _run(
    session: Session,
    path: Path,
    pairs: "list[Pair]",
    mapping: dict[str, Any],
    directory: Path | None,
    no_wait: bool,
    dedupe_key: str | None,
) -> int:
    from boards.cli.values import read_inputs  # noqa: PLC0415  # not for --help
    from boards.pipelines.starting import read_file, unfit  # noqa: PLC0415

    async with session.opened() as boards:
        spec = read_file(path, boards.registry)
        values, problems = await read_inputs(pairs, mapping, spec.input_schema, boards.get)
        if problems:
            raise unfit(spec, problems)
        started = await boards.start_run(spec, input=values, dedupe_key=dedupe_key)
        if no_wait:
            _report(started, session.out)
            return Exit.OK
        return await _attend(session, boards, started, directory)


@command()
@of_an_owner
@click.argument("run_id", metavar="[ID]", required=False)
@click.option("--status", type=click.Choice(get_args(Status)), help="Only those.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, metavar="N")
@click.option("--wait", "wait_", is_flag=True, help="Wait for this run, and show its result.")
@click.option("--cancel", is_flag=True, help="Cancel this run, and what is under way of it.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Copy the artifacts of this run there, under readable names.",
)  # fmt: skip
def runs(
    session: Session,
    run_id: str | None,
    status: Status | None,
    limit: int,
    wait_: bool,
    cancel: bool,
    out: Path | None,
) -> int:
    """List runs of pipelines, newest first; or show one."""
    if run_id is None:
        if wait_ or cancel or out is not None:
            raise click.UsageError("--wait, --cancel and --out need the ID of a run.")
        return _list(session, status, limit)
    session.require_database(run_id)
    run_ = session.drive if wait_ or cancel else session.run
    return run_(_one(session, run_id, wait_, cancel, out))


def _list(session: Session, status: Status | None, limit: int) -> int:
    found: list[PipelineRun] = []
    if session.has_database():
        found = session.run(_found(session, status, limit))
    out = session.out
    if out.json:
        out.value([one.as_dict() for one in found])
    elif not found:
        out.note(f"There are no such runs in {session.settings().home}.")
    else:
        columns = ("id", "pipeline", "status", "created", "steps", "result")
        out.table(columns, [_row(one) for one in found])
    return Exit.OK


async def _found(session: Session, status: Status | None, limit: int) -> list[PipelineRun]:
    async with session.viewed(drive=False) as boards:
        found = await boards.runs(statuses=(status,) if status else (), limit=limit)
        # As JSON each tells what it made, cost and waits for, which its generations know.
        return [await boards.get_run(one.id) for one in found] if session.json else found


def _row(one: PipelineRun) -> list[str]:
    over = sum(step.over for step in one.steps)
    took = "" if one.finished_at is None else f"in {seconds(one.finished_at - one.created_at)}"
    return [
        one.id,
        one.pipeline,
        "canceling" if one.canceling and not one.final else one.status,
        ago(time.time() - one.created_at),
        f"{over}/{len(one.steps)}",
        took,
    ]


async def _one(
    session: Session, run_id: str, wait: bool, cancel: bool, directory: Path | None
) -> int:
    async with session.viewed(drive=wait or cancel) as boards:
        found = await boards.get_run(run_id)
        if cancel:
            found = await boards.cancel_run(found.id)
        if wait or cancel:
            return await _attend(session, boards, found, directory, canceling=cancel)
        copies = await _copied(boards, found, directory)
        if session.out.json:
            _report(found, session.out, copies)
        else:
            _show(found, session.out, copies)
        return Exit.OK


def _show(one: PipelineRun, out: Output, copies: dict[str, Path]) -> None:
    """A run, then its steps as a tree."""
    out.pairs(
        [
            ("id", one.id),
            ("pipeline", one.pipeline),
            ("status", _row(one)[2]),
            *((f"input {name}", str(value)[:300]) for name, value in one.input.items()),
        ]
    )
    out.line()
    rows = [_step_row(name, step, copies) for name, step in _tree(one)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:  # no table: it would take the tree's indents away
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.line("  ".join(cells).rstrip())


def _step_row(name: str, step: StepRun, copies: dict[str, Path]) -> list[str]:
    failure, status = step.failure, str(step.status)
    result = step.reason or (failure.message if failure is not None else "")
    if step.artifacts:
        files = (copies.get(one.id) or one.path or one.id for one in step.artifacts)
        result = ", ".join(map(str, files))
    if step.generation is not None and step.generation.phase == "unknown":
        status, result = "unknown", f"decide with: boards resolve {step.generation.id}"
    row = (step.generator, status, step.generation_id or "", result)
    return [name, *(plain(cell) for cell in row)]


def _tree(one: PipelineRun) -> list[tuple[str, StepRun]]:
    """The steps in an order in which they may run, each drawn below the last that it needs."""
    order = {step.name: number for number, step in enumerate(one.steps)}
    depth: dict[str, int] = {}
    # Not by recursion: a chain of steps may be longer than Python's stack is deep.
    pending = [*one.steps]
    while pending:
        step = pending[-1]
        before = [one[name] for name in step.needs if name not in depth]
        pending += before
        if not before:
            depth[step.name] = 1 + max((depth[name] for name in step.needs), default=-1)
            pending.pop()
    below: dict[str | None, list[StepRun]] = {}
    for step in one.steps:
        parent = max(step.needs, key=lambda name: (depth[name], order[name]), default=None)
        below.setdefault(parent, []).append(step)
    rows: list[tuple[str, StepRun]] = []
    drawn = [(step, "", "") for step in reversed(below.get(None, []))]
    while drawn:
        step, branch, trunk = drawn.pop()
        rows.append((f"{branch}{step.name}", step))
        last = True
        for child in reversed(below.get(step.name, [])):
            ends = ("└─ ", "   ") if last else ("├─ ", "│  ")
            drawn.append((child, trunk + ends[0], trunk + ends[1]))
            last = False
    return rows


async def _attend(
    session: Session,
    boards: Facade,
    started: PipelineRun,
    directory: Path | None,
    *,
    canceling: bool = False,
) -> int:
    """Follow a run, show its result, and return the exit code: of success, or of a wish to cancel.

    What ended otherwise before it could be canceled is shown as ever.
    """
    out = session.out
    interrupted: Interrupted | None = None
    try:
        with display_for(out) as display:
            await _followed(boards, started, display)
    except Interrupted as signaled:
        interrupted, session.leaving = signaled, True
    except BoardsError as fault:
        _report(await boards.get_run(started.id), out, fault=fault)
        return exit_of_error(fault)
    one = await boards.get_run(started.id)
    try:
        copies = await _copied(boards, one, directory)
    except StorageError as fault:
        _report(one, out, fault=fault)
        return exit_of_error(fault)
    if canceling and one.status == "canceled" and not out.json:
        out.line(f"{one.id} canceled")
    elif interrupted is None or one.final or out.json:
        _report(one, out, copies)
    if interrupted is not None:
        if not one.final:
            out.note(f"It goes on. Come back with: boards runs {one.id} --wait")
        return exit_of_signal(interrupted.signal)
    if one.unresolved:
        return Exit.UNRESOLVED
    return Exit.OK if one.status == ("canceled" if canceling else "succeeded") else Exit.FAILED


async def _copied(boards: Facade, one: PipelineRun, directory: Path | None) -> dict[str, Path]:
    copies: dict[str, Path] = {}
    try:
        for name in one.outputs if directory is not None else ():
            generation = one[name].generation
            if generation is not None and directory is not None:
                copies |= await bring_out(boards, generation, directory)
    except OSError as error:
        raise StorageError(
            f"{directory} cannot be written: {error.strerror or error}.",
            remedy="Choose another directory with --out DIR.",
        ) from error
    return copies


async def _followed(boards: Facade, started: PipelineRun, display: Display) -> None:
    """Show what happens to a run until it ends; Ctrl-C asks once whether to cancel it.

    Raises:
        Interrupted: Somebody wants to leave; a run that was canceled is waited for before.
        BoardsError: A fault of this machine holds it up.
    """
    following = asyncio.create_task(_follow(boards, started, display))
    try:
        with Interrupts() as interrupts:
            number = await _interrupted(following, interrupts)
            if number is None:
                return following.result()
            if number == signal.SIGINT and sys.stdin.isatty() and sys.stderr.isatty():
                with display.paused():
                    asking = asyncio.create_task(ask("\nCancel the run too? [y/N] "))
                    await _interrupted(asking, interrupts)
                    yes = asking.done() and asking.result()
                    asking.cancel()
                if yes:
                    await boards.cancel_run(started.id)
                    await _interrupted(following, interrupts)
            raise Interrupted(number)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _interrupted(work: "asyncio.Task[Any]", interrupts: Interrupts) -> int | None:
    """The signal that came before the end, if one did."""
    signaled = asyncio.ensure_future(interrupts.next())
    try:
        await asyncio.wait((work, signaled), return_when=asyncio.FIRST_COMPLETED)
        return None if work.done() else signaled.result()
    finally:
        signaled.cancel()


async def _follow(boards: Facade, started: PipelineRun, display: Display) -> None:
    begun: dict[str, asyncio.Task[None]] = {}
    told: set[str] = set()

    async def watch(generation_id: str) -> None:
        async for event in boards.events(generation_id):
            display.event(event)

    for name, step in _tree(started):
        display.expect(step.name, name)
    try:
        async for one in boards.watch_run(started.id):
            for step in one.steps:
                if step.generation is not None and step.name not in begun:
                    display.add(step.generation.id, step.name, step.name)
                    begun[step.name] = asyncio.create_task(watch(step.generation.id))
                elif step.over and step.generation is None and step.name not in told:
                    told.add(step.name)
                    failure = step.failure
                    said = step.reason or (failure.message if failure is not None else "")
                    display.over(step.name, step.status, said)
        await asyncio.gather(*begun.values())
    finally:
        for task in begun.values():
            task.cancel()
        await asyncio.gather(*begun.values(), return_exceptions=True)


def _report(
    one: PipelineRun,
    out: Output,
    copies: dict[str, Path] | None = None,
    fault: BoardsError | None = None,
) -> None:
    """Write a result: paths to stdout, the rest to stderr; or one JSON object."""
    copies = copies or {}
    if out.json:
        shown = one.as_dict()
        for artifact in shown["artifacts"]:
            if artifact["id"] in copies:
                artifact["path"] = str(copies[artifact["id"]].absolute())
        error = fault or _error(one)
        shown["error"] = None if error is None else error.as_dict()
        out.value(shown)
        return
    if fault is not None:
        write(told(fault), out)
        out.note(f"Nothing is lost. Go on with: boards runs {one.id} --wait")
        return
    error = _error(one)
    if error is not None:
        write(told(error), out)
    elif one.status == "succeeded":
        out.note(_headline(one, out))
    else:
        out.line(one.id)
        return
    for artifact in one.artifacts:
        out.line(str(copies.get(artifact.id) or artifact.path or artifact.id))


def _error(one: PipelineRun) -> PipelineError | None:
    """What is the matter with a run that ended without its result, or waits for a decision."""
    from boards.pipelines.outcome import completed  # noqa: PLC0415  # not for --help

    if not (one.final or one.unresolved):
        return None
    try:
        completed(one)
    except PipelineError as error:
        return error
    return None


def _headline(one: PipelineRun, out: Output) -> str:
    mark = out.style("✓", fg="green") if out.errors_terminal else "succeeded:"
    took = seconds((one.finished_at or one.created_at) - one.created_at)
    counted = [
        f"{sum(step.status == status for step in one.steps)} {status}"
        for status in ("succeeded", "failed", "skipped")
        if any(step.status == status for step in one.steps)
    ]
    price = f"${one.usd:.6f}".rstrip("0").rstrip(".") if one.usd else ""
    parts = [f"{mark} {plain(one.pipeline)}", one.id, took, ", ".join(counted), price]
    return "  ".join(part for part in parts if part)
