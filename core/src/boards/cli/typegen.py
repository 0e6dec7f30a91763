"""``boards stubs`` and ``boards types``: types made from the schemas of generators."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from boards.cli.exits import Exit
from boards.cli.session import Session, command
from boards.errors import BoardsError, StorageError
from boards.textfiles import replace_text

if TYPE_CHECKING:
    from boards.typegen import GeneratorTypes

__all__ = ["stubs", "types"]

_check = click.option(
    "--check", is_flag=True, help="Write nothing; exit 1 if a file is not as it would be written."
)


@command()
@click.option(
    "--output", "directory", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    default=Path("typings"), show_default=True, help="Where type checkers look for stubs.",
)  # fmt: skip
@_check
@click.argument("names", nargs=-1, metavar="[NAME]...")
def stubs(session: Session, names: tuple[str, ...], directory: Path, check: bool) -> int:
    """Write stubs for Python: completion and type checks of each generator's inputs.

    Of all generators that are installed, or of those that are named.
    """
    from boards.typegen import stubs as made_of  # noqa: PLC0415  # not for --help
    from boards.typegen.python import HEADER  # noqa: PLC0415

    made = made_of(_typed(session, names))
    return _keep(
        session, {directory / path: text for path, text in made.items()}, HEADER, check=check
    )


@command()
@click.option("--typescript", is_flag=True, help="For TypeScript.")
@click.option(
    "--output", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write there; to standard output by default.",
)  # fmt: skip
@_check
@click.argument("names", nargs=-1, metavar="[NAME]...")
def types(
    session: Session, names: tuple[str, ...], typescript: bool, file: Path | None, check: bool
) -> int:
    """Write the types of inputs for another language.

    Of all generators that are installed, or of those that are named.
    """
    if not typescript:
        raise click.UsageError("Say for which language: --typescript")
    if check and file is None:
        raise click.UsageError("--check needs the file: --output FILE")
    from boards.typegen import typescript as made_of  # noqa: PLC0415  # not for --help
    from boards.typegen.typescript import HEADER  # noqa: PLC0415

    text = made_of(_typed(session, names))
    if file is not None:
        return _keep(session, {file: text}, HEADER, check=check)
    if session.json:
        session.out.value({"typescript": text})
    else:
        session.out.line(text.rstrip("\n"))
    return Exit.OK


def _typed(session: Session, names: tuple[str, ...]) -> "tuple[GeneratorTypes, ...]":
    from boards.typegen import typed_generators  # noqa: PLC0415  # not for --help

    registry = session.boards(drive=False).registry
    if names:
        return typed_generators(
            registry, [entry.id for name in names for entry in registry.resolve(name)]
        )
    for problem in registry.problems():
        session.out.note(str(problem))
    usable = []
    for entry in registry.generators():
        try:
            registry.spec(entry.id)
        except BoardsError as error:
            session.out.note(f"left out: {entry.id}: {error.message}")
        else:
            usable.append(entry.id)
    return typed_generators(registry, usable)


def _keep(session: Session, files: dict[Path, str], header: str, *, check: bool) -> int:
    """Write what is not there yet, or only tell; a file that somebody else made stays."""
    found = {path: _content(path) for path in files}
    for path, text in found.items():
        if text and not text.startswith(header):
            raise click.UsageError(f"{path} was not made by this command. Choose another --output.")
    stale = [path for path, text in files.items() if found[path] != text]
    if not check:
        for path in stale:
            _write(path, files[path])
    out = session.out
    if out.json:
        out.value([{"file": str(path), "changed": path in stale} for path in files])
    else:
        for path in files:
            was = "as it should be" if path not in stale else "out of date" if check else "written"
            out.line(f"{path}: {was}")
    return Exit.FAILED if check and stale else Exit.OK


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from error


def _write(path: Path, text: str) -> None:
    try:
        replace_text(path, text)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}.",
            remedy="Choose another place with --output.",
        ) from error
