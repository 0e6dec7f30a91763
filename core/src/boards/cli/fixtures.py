"""``boards test``: the tests inside specifications, run offline; or recorded from a real run."""

import time
from typing import TYPE_CHECKING, Any, Final

import click

from boards.cli.check import as_json
from boards.cli.complete import complete_generator
from boards.cli.exits import Exit
from boards.cli.session import Session, command
from boards.cli.targets import Chosen, bare_registry, choose
from boards.errors import Problem, SpecError

if TYPE_CHECKING:
    from boards.testing.fixtures import FixtureResult

__all__ = ["test"]

_EPILOG = (
    "PATH is a YAML file, or a directory of them; NAME a distribution (boards-fal), a provider, or "
    "a generator. KEY=VALUE are inputs of a recording, as for boards generate."
)


@command(epilog=_EPILOG)
@click.argument("targets", nargs=-1, metavar="[PATH|NAME]... [KEY=VALUE]...")
@click.option("-k", "matching", metavar="TEXT", default="", help="Only fixtures named so.")
@click.option(
    "--record", metavar="NAME", shell_complete=complete_generator,
    help="Run this generator in earnest, and print the fixture of it. This may cost money.",
)  # fmt: skip
@click.option(
    "--input", "source", metavar="FILE|-",
    help="More inputs of a recording, as a JSON or YAML mapping; KEY=VALUE wins.",
)  # fmt: skip
@click.option("--write", is_flag=True, help="Add the recorded fixture to the file given as PATH.")
@click.option("--title", metavar="TEXT", help="What the recorded fixture is called.")
@click.option("--yes", is_flag=True, help="Record without asking.")
def test(
    session: Session,
    targets: tuple[str, ...],
    matching: str,
    record: str | None,
    source: str | None,
    write: bool,
    title: str | None,
    yes: bool,
) -> int:
    """Run the tests inside specifications: offline, with no key, and in no time.

    Each request is compared with what the fixture expects, and each output with what it names.
    """
    if record is not None:
        from boards.cli.recording import Recording, record_fixture  # noqa: PLC0415  # not for --help

        recording = Recording(record, targets, source, title or "recorded", write=write, yes=yes)
        return session.run(record_fixture(session, recording))
    if write or title or yes or source:
        raise click.UsageError("--input, --write, --title and --yes are for --record NAME.")
    if not targets:
        raise click.UsageError("Name what is to be tested: a file, a plugin, or a generator.")
    chosen = choose(session, targets)
    if chosen.problems:
        return _mistakes(session, chosen.problems)
    return session.run(_test(session, chosen, matching))


async def _test(session: Session, chosen: Chosen, matching: str) -> int:
    from boards.testing.fixtures import run_fixtures  # noqa: PLC0415  # loads the engine

    registry = bare_registry(chosen.boards)
    problems: list[Problem] = []
    bare: list[str] = []
    for id_ in chosen.ids:
        try:
            registry.compiled(id_)
        except SpecError as error:
            problems += error.problems
        else:
            if not registry.spec(id_).tests and matching.lower() in id_.lower():
                bare.append(id_)
    if problems:
        return _mistakes(session, tuple(dict.fromkeys(problems)))
    began = time.monotonic()
    results = await run_fixtures(list(chosen.ids), matching=matching, **chosen.boards)
    return _told(session, results, bare, time.monotonic() - began)


def _mistakes(session: Session, problems: tuple[Problem, ...]) -> int:
    """Mistakes in specifications, as ``boards check`` tells them."""
    if session.out.json:
        session.out.value([as_json(one, "error") for one in problems])
    for one in () if session.out.json else problems:
        session.out.line(str(one))
    session.out.note(f"{_count(len(problems), 'mistake')} in the specifications: nothing was run.")
    return Exit.FAILED


def _told(session: Session, results: "list[FixtureResult]", bare: list[str], took: float) -> int:
    out = session.out
    failed = [one for one in results if one.problems]
    code = Exit.FAILED if failed or bare or not results else Exit.OK
    if out.json:
        lacking = [
            {"generator": one, "fixture": None, "passed": False, "problems": [_NONE]}
            for one in bare
        ]
        out.value([*map(_as_json, results), *lacking])
        return code
    for one in failed:
        out.line(f"FAILED {one.generator}: {one.name}")
        for problem in one.problems:
            out.line("\n".join(f"  {line}" for line in str(problem).splitlines()))
    for id_ in bare:
        out.line(f"FAILED {id_}: it has no tests")
    if not results and not bare:
        out.note("There is no such fixture.")
    generators = _count(len({one.generator for one in results}), "generator")
    told = f"{_count(len(results), 'fixture')} of {generators}: {len(results) - len(failed)} passed"
    out.note(f"{told}{f', {len(failed)} failed' if failed else ''} ({took:.1f} s)")
    return code


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


_NONE: Final = {"where": "", "message": "it has no tests"}


def _as_json(result: "FixtureResult") -> dict[str, Any]:
    problems = [{"where": one.where, "message": one.message} for one in result.problems]
    return {
        "generator": result.generator,
        "fixture": result.name,
        "passed": not problems,
        "problems": problems,
    }
