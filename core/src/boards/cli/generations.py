"""Commands on generations that exist: list, look, cancel, decide."""

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

import click

from boards.cli.attending import attend, exit_of_signal
from boards.cli.complete import complete_generation
from boards.cli.display import display_for
from boards.cli.exits import Exit, exit_of_error
from boards.cli.interrupts import Interrupted
from boards.cli.output import Output, ago, plain, seconds, size
from boards.cli.results import as_json, cost, report
from boards.cli.session import Session, command, of_an_owner
from boards.cli.times import duration
from boards.errors import BoardsError
from boards.generations import Generation, Status

if TYPE_CHECKING:
    from boards.events import Event

__all__ = ["cancel", "events", "generations", "resolve", "status"]

_id = click.argument("generation_id", metavar="ID", shell_complete=complete_generation)


@command()
@of_an_owner
@click.option("--status", type=click.Choice(get_args(Status)), help="Only those.")
@click.option("--unknown", is_flag=True, help="Only those that wait for a decision.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, metavar="N")
@click.option("--prune", is_flag=True, help="Delete those that ended long ago, not their costs.")
@click.option(
    "--older-than", callback=duration, default="30d", show_default=True, metavar="TIME",
    help="With --prune: only those that ended longer ago: 24h, 30d.",
)  # fmt: skip
@click.option(
    "--keep", type=click.IntRange(0), default=0, metavar="N",
    help="With --prune: so many of the newest stay in any case.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="With --prune: delete nothing; only count.")
@click.pass_context
def generations(
    context: click.Context,
    session: Session,
    status: Status | None,
    unknown: bool,
    limit: int,
    prune: bool,
    older_than: timedelta,
    keep: int,
    dry_run: bool,
) -> None:
    """List generations, newest first; or prune them."""
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    if prune:
        if given & {"status", "unknown", "limit"} or session.identity is not None:
            raise click.UsageError("--prune goes with --older-than, --keep and --dry-run alone.")
        _prune(session, older_than, keep, dry_run)
        return
    if given & {"older_than", "keep", "dry_run"}:
        raise click.UsageError("--older-than, --keep and --dry-run go with --prune.")
    found: list[Generation] = []
    if session.has_database():
        found = session.run(_list(session, status, unknown, limit))
    out = session.out
    if out.json:
        out.value([as_json(one) for one in found])
    elif not found:
        out.note(f"There are no such generations in {session.settings().home}.")
    else:
        columns = ("id", "generator", "status", "created", "cost", "result")
        out.table(columns, [_row(one) for one in found])


def _prune(session: Session, older_than: timedelta, keep: int, dry_run: bool) -> None:
    async def pruned() -> int:
        async with session.opened(drive=False) as boards:
            return await boards.prune(older_than=older_than, keep=keep, dry_run=dry_run)

    count = session.run(pruned()) if session.has_database() else 0
    out = session.out
    if out.json:
        out.value({"pruned": count, "dry_run": dry_run})
        return
    out.line(f"{count} {'would be deleted' if dry_run else 'deleted'}")
    if count and not dry_run:
        out.note("Their files go with: boards gc")


async def _list(
    session: Session, status: Status | None, unknown: bool, limit: int
) -> list[Generation]:
    async with session.viewed(drive=False) as boards:
        return await boards.list(
            statuses=(status,) if status else (),
            phases=("unknown",) if unknown else (),
            limit=limit,
        )


def _row(one: Generation) -> list[str]:
    if one.error is not None:
        result = f"{one.error.kind}: {one.error.message}"[:80]
    elif one.artifacts and one.finished_at:
        mimes = ", ".join(artifact.mime for artifact in one.artifacts)
        result = f"{mimes} in {seconds(one.finished_at - one.created_at)}"
    else:
        result = ""
    return [
        one.id,
        one.generator,
        _state(one),
        ago(time.time() - one.created_at),
        cost(one),
        result,
    ]


def _state(one: Generation) -> str:
    if one.phase == "unknown":
        return "unknown"
    return "canceling" if one.canceling and not one.final else one.status


@command()
@of_an_owner
@_id
def status(session: Session, generation_id: str) -> None:
    """Show a generation."""
    session.require_database(generation_id)
    one = session.run(_get(session, generation_id))
    out = session.out
    if out.json:
        out.value(as_json(one))
        return
    shown = as_json(one)
    error = shown["error"]
    progress = one.progress
    out.pairs(
        [
            ("id", one.id),
            ("generator", one.generator),
            ("status", _state(one)),
            ("phase", shown["phase"]),
            ("percent", "" if progress.percent is None or one.final else f"{progress.percent:.0f}"),
            ("queue position", _text(None if one.final else progress.queue_position)),
            ("provider's job", one.provider_job_id or ""),
            ("cost", cost(one)),
            *((f"{name} at", _text(shown["timings"][f"{name}_at"])) for name in _TIMES),
            *((f"input {name}", _text(value)[:300]) for name, value in one.input.items()),
            *(_artifact(number, artifact) for number, artifact in enumerate(one.artifacts)),
            ("error", f"{error['kind']}: {error['message']}" if error else ""),
            ("what to do", error["remedy"] if error else ""),
        ]
    )


_TIMES = ("created", "submitted", "started", "finished")


def _artifact(number: int, artifact: Any) -> tuple[str, str]:
    facts = [artifact.mime, size(artifact.size)]
    if artifact.width is not None:
        facts.append(f"{artifact.width} x {artifact.height}")
    if artifact.duration is not None:
        facts.append(seconds(artifact.duration))
    return f"artifact {number}", "  ".join([str(artifact.path or artifact.key), *facts])


def _text(value: Any) -> str:
    return "" if value is None else str(value)


async def _get(session: Session, generation_id: str) -> Generation:
    async with session.viewed(drive=False) as boards:
        return await boards.get(generation_id)


@command()
@of_an_owner
@_id
def cancel(session: Session, generation_id: str) -> int:
    """Cancel a generation, here and at the provider.

    What finished before the provider heard of it has succeeded; the exit code is 1 then.
    """
    session.require_database(generation_id)
    return session.drive(_cancel(session, generation_id))


async def _cancel(session: Session, generation_id: str) -> int:
    out = session.out
    async with session.viewed() as boards:
        one = await boards.cancel(generation_id)
        if not one.final and one.phase != "unknown":
            try:
                with display_for(out) as display:
                    one = await attend(boards, one, display)
            except Interrupted as interrupted:
                session.leaving = True
                out.note("The wish to cancel is kept: boards work sees it through.")
                return exit_of_signal(interrupted.signal)
            except BoardsError as fault:
                report(await boards.get(one.id), out, fault=fault)
                return exit_of_error(fault)
    if out.json:
        out.value(as_json(one))
    elif one.phase == "canceled":
        out.line(f"{one.id} canceled")
    elif one.phase == "unknown":
        report(one, out)
    else:
        out.note(f"{one.id} cannot be canceled any more: it {_ENDED.get(one.phase, 'ended')}.")
    if one.phase == "unknown":
        return Exit.UNRESOLVED
    return Exit.OK if one.phase == "canceled" else Exit.FAILED


_ENDED = {"succeeded": "succeeded", "failed": "failed", "expired": "expired"}


@command()
@of_an_owner
@_id
@click.option("--after", type=int, default=0, metavar="N", help="Only events after this one.")
@click.option("--follow", "-f", is_flag=True, help="Go on until it ends; JSON is one line each.")
def events(session: Session, generation_id: str, after: int, follow: bool) -> None:
    """Show what happened to a generation.

    This looks on, and drives nothing: boards wait and boards work do.
    """
    session.require_database(generation_id)
    session.run(_events(session, generation_id, after, follow))


async def _events(session: Session, generation_id: str, after: int, follow: bool) -> None:
    out = session.out
    kept: list[dict[str, Any]] = []
    async with session.viewed(drive=False) as boards:
        async for event in boards.events(generation_id, after=after, follow=follow):
            if out.json and not follow:
                kept.append(event.as_dict())
            else:
                _show(event, out)
    if out.json and not follow:
        out.value(kept)


def _show(event: "Event", out: Output) -> None:
    shown = event.as_dict()
    if out.json:
        out.value(shown, compact=True)
        return
    facts = "  ".join(f"{name}={_fact(value)}" for name, value in event.data.items())
    out.line(f"{event.id:>6}  {shown['at']}  {event.type:<10}  {plain(facts)}".rstrip())


def _fact(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " | ".join(str(one).strip() for one in value)
    return str(value)


@command()
@of_an_owner
@_id
@click.option("--job", metavar="JOB_ID", help="The provider has it: this is its id there.")
@click.option(
    "--captured",
    "captures",
    metavar="NAME=VALUE",
    multiple=True,
    help="With --job: what else the lost reply told of the job, where the id alone does not lead "
    "to it. May be repeated.",
)
@click.option("--resubmit", is_flag=True, help="Submit once more, at the risk of paying twice.")
@click.option("--abandon", is_flag=True, help="Give it up.")
def resolve(
    session: Session,
    generation_id: str,
    job: str | None,
    captures: tuple[str, ...],
    resubmit: bool,
    abandon: bool,
) -> None:
    """Decide a generation whose submit was lost.

    Look for the job at the provider first: it may be running, and charged.
    """
    if (job is not None) + resubmit + abandon != 1:
        raise click.UsageError("Decide for one: --job JOB_ID, --resubmit or --abandon.")
    if captures and job is None:
        raise click.UsageError("--captured goes with --job JOB_ID.")
    captured = dict(_capture(one) for one in captures)
    session.require_database(generation_id)
    one = session.drive(_resolve(session, generation_id, job, captured, resubmit))
    out = session.out
    if out.json:
        out.value(as_json(one))
    elif one.final:
        out.line(f"{one.id} {one.status}")
    else:
        out.line(f"{one.id} {one.status}: boards wait {one.id}")


async def _resolve(
    session: Session,
    generation_id: str,
    job: str | None,
    captured: dict[str, str],
    resubmit: bool,
) -> Generation:
    async with session.opened() as boards:
        if session.identity is None:
            return await boards.resolve(
                generation_id, job=job, captured=captured, resubmit=resubmit
            )
        # An operator decides for an owner, and may say what the owner may not.
        one = await (await boards.as_owner(session.identity)).get(generation_id)
        return await boards._running.resolve(one, job=job, captured=captured, resubmit=resubmit)


def _capture(given: str) -> tuple[str, str]:
    name, separator, value = given.partition("=")
    if not (name and separator):
        raise click.BadParameter(f"{given!r} is not NAME=VALUE.", param_hint="'--captured'")
    return name, value
