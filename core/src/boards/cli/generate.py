"""``boards generate`` and ``boards wait``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from boards.boards import Boards
from boards.cli.attending import attend, exit_of_signal
from boards.cli.complete import complete_generation, complete_generator, complete_input
from boards.cli.display import display_for
from boards.cli.exits import Exit, exit_of, exit_of_error
from boards.cli.interrupts import Interrupted
from boards.cli.results import bring_out, report
from boards.cli.session import Session, command, of_an_owner
from boards.errors import (
    BoardsError,
    InvalidInputError,
    NotFoundError,
    SpecError,
    StorageError,
    UnavailableError,
)
from boards.facade import Facade
from boards.generations import Generation

if TYPE_CHECKING:
    from boards.cli.values import Pair
    from boards.entries import GeneratorEntry
    from boards.errors import Problem

__all__ = ["generate", "wait"]


_EPILOG = (
    "An input is KEY=VALUE, typed by the generator: boards show NAME lists them. A file is "
    "KEY=@path, a URL, or the id of an earlier generation. KEY:=JSON is JSON."
)


@command(epilog=_EPILOG)
@click.argument("name", shell_complete=complete_generator)
@click.argument("inputs", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=complete_input)
@click.option(
    "--input", "source", metavar="FILE|-",
    help="More inputs, as a JSON or YAML mapping; KEY=VALUE wins.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Copy the artifacts there, under readable names.",
)  # fmt: skip
@click.option(
    "--no-wait", is_flag=True,
    help="Leave when the provider has accepted it; later: boards wait ID.",
)  # fmt: skip
@click.option(
    "--dedupe-key", metavar="KEY",
    help="With a key that was used before, show that generation instead.",
)  # fmt: skip
def generate(
    session: Session,
    name: str,
    inputs: tuple[str, ...],
    source: str | None,
    out: Path | None,
    no_wait: bool,
    dedupe_key: str | None,
) -> int:
    """Generate, and wait for the result.

    NAME is provider/name, a name for the first provider that can be used, or @provider for its
    default. Paths of artifacts go to standard output, one a line; progress to standard error.
    """
    from boards.cli.values import read_mapping, split  # noqa: PLC0415  # not for --help

    pairs = split(inputs)
    mapping = read_mapping(source) if source is not None else {}
    return session.drive(_generate(session, name, pairs, mapping, out, no_wait, dedupe_key))


async def _generate(
    session: Session,
    name: str,
    pairs: "list[Pair]",
    mapping: dict[str, Any],
    directory: Path | None,
    no_wait: bool,
    dedupe_key: str | None,
) -> int:
    async with session.opened() as boards:
        try:
            generation = await _submitted(boards, name, pairs, mapping, dedupe_key)
        except BoardsError:
            if dedupe_key is None:
                raise
            store = boards._running.store  # the same package
            known = await store.deduped(dedupe_key, owner=boards.scope)
            if known is None:
                raise
            generation = known
        return await _attend(session, boards, generation, directory, until_accepted=no_wait)


async def _submitted(
    boards: Boards,
    name: str,
    pairs: "list[Pair]",
    mapping: dict[str, Any],
    dedupe_key: str | None,
) -> Generation:
    try:
        entry = await _chosen(boards, name)
    except UnavailableError as error:
        error.problems = await _mistakes(boards, name, pairs, mapping)
        raise
    values = await _inputs(boards, entry, pairs, mapping)
    return await boards.submit(name, input=values, dedupe_key=dedupe_key)


async def _chosen(boards: Boards, name: str) -> "GeneratorEntry":
    try:
        return boards.choose(name)
    except NotFoundError:
        return boards.choose((await boards.discover(name)).id)


async def _mistakes(
    boards: Boards, name: str, pairs: "list[Pair]", mapping: dict[str, Any]
) -> "tuple[Problem, ...]":
    """What is wrong with the inputs, as far as that is known before anything can be used."""
    from boards.engine.inputs import checked  # noqa: PLC0415  # loaded with the engine

    try:
        entry = boards.registry.resolve(name)[0]
        values = await _inputs(boards, entry, pairs, mapping)
        checked(boards.registry.compiled(entry.id).inputs, values, entry.id)
    except InvalidInputError as error:
        return error.problems
    except (NotFoundError, SpecError):
        pass
    return ()


async def _inputs(
    boards: Boards, entry: "GeneratorEntry", pairs: "list[Pair]", mapping: dict[str, Any]
) -> dict[str, Any]:
    from boards.cli.values import read_inputs, refused  # noqa: PLC0415  # not for --help
    from boards.engine.inputs import checked  # noqa: PLC0415  # loaded with the engine

    schema = boards.registry.compiled(entry.id).inputs
    values, problems = await read_inputs(pairs, mapping, schema, boards.get)
    if problems:
        error = None
        try:
            checked(schema, values, entry.id)
        except InvalidInputError as found:
            error = found
        raise refused(problems, error, entry.id)
    return values


@command()
@of_an_owner
@click.argument("generation_id", metavar="ID", shell_complete=complete_generation)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Copy the artifacts there, under readable names.",
)  # fmt: skip
def wait(session: Session, generation_id: str, out: Path | None) -> int:
    """Wait for a generation, driving it if no other process does, and show its result."""
    session.require_database(generation_id)
    return session.drive(_wait(session, generation_id, out))


async def _wait(session: Session, generation_id: str, directory: Path | None) -> int:
    async with session.viewed() as boards:
        generation = await boards.get(generation_id)
        return await _attend(session, boards, generation, directory)


async def _attend(
    session: Session,
    boards: Facade,
    generation: Generation,
    directory: Path | None,
    *,
    until_accepted: bool = False,
) -> int:
    """Follow a generation, show its result, and return the exit code."""
    out = session.out
    interrupted: Interrupted | None = None
    try:
        with display_for(out) as display:
            generation = await attend(boards, generation, display, until_accepted=until_accepted)
    except Interrupted as signaled:
        interrupted, session.leaving = signaled, True
        generation = await boards.get(generation.id)
    except BoardsError as fault:
        report(await boards.get(generation.id), out, fault=fault)
        return exit_of_error(fault)
    try:
        copies = {} if directory is None else await bring_out(boards, generation, directory)
    except StorageError as fault:
        report(generation, out, fault=fault)
        return exit_of_error(fault)
    except OSError as error:
        unwritable = _unwritable(generation, error, directory)
        report(generation, out, fault=unwritable)
        return exit_of_error(unwritable)
    if interrupted is None or generation.final or out.json:
        report(generation, out, copies)
    if interrupted is not None:
        if not generation.final:
            out.note(f"It goes on at the provider. Come back with: boards wait {generation.id}")
        return exit_of_signal(interrupted.signal)
    if until_accepted and not generation.final and generation.phase != "unknown":
        return Exit.OK
    return exit_of(generation)


def _unwritable(generation: Generation, error: OSError, directory: Path | None) -> StorageError:
    return StorageError(
        f"{directory} cannot be written: {error.strerror or error}.",
        remedy="Choose another directory with --out DIR.",
        provider=generation.provider,
        generator=generation.generator,
        generation_id=generation.id,
    )
