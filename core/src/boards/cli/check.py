"""``boards check``: every mistake in files of the generator language."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from boards.cli.exits import Exit
from boards.cli.session import Session, command
from boards.errors import BoardsError, Problem, SpecError

if TYPE_CHECKING:
    from boards.registry import Registry
    from boards.spec.model import ProviderSpec

__all__ = ["check"]


@command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(session: Session, paths: tuple[Path, ...]) -> int:
    """Check files of the generator language, and tell all mistakes at once.

    A directory stands for the YAML files in it. A provider that a file does not define is taken
    from another of the files, or from what is installed.
    """
    files = _files(paths)
    errors, warnings = _check(session, files)
    out = session.out
    if out.json:
        shown = [*((one, "error") for one in errors), *((one, "warning") for one in warnings)]
        out.value([_as_json(one, severity) for one, severity in shown])
        return Exit.FAILED if errors else Exit.OK
    for one in (*errors, *warnings):
        out.line(str(one))
    counted = f"{len(files)} file{'s' if len(files) != 1 else ''}: {_count(errors, 'error')}"
    out.note(f"{counted}, {_count(warnings, 'warning')}")
    return Exit.FAILED if errors else Exit.OK


def _count(found: list[Problem], what: str) -> str:
    return f"{len(found) or 'no'} {what}{'' if len(found) == 1 else 's'}"


def _files(paths: tuple[Path, ...]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(one for one in path.rglob("*") if one.suffix in (".yaml", ".yml"))
            if not found:
                raise click.UsageError(f"There is no YAML file in {path}.")
            files += found
        elif path.exists():
            files.append(path)
        else:
            raise click.UsageError(f"There is no file {path}.")
    return list(dict.fromkeys(files))


def _check(session: Session, paths: list[Path]) -> tuple[list[Problem], list[Problem]]:
    from boards.spec.check import check_generator, check_provider  # noqa: PLC0415  # not for --help
    from boards.spec.places import Problems  # noqa: PLC0415
    from boards.spec.reader import SpecFile, read_file  # noqa: PLC0415

    problems = Problems()
    unreadable: list[Problem] = []
    read: list[SpecFile] = []
    for path in paths:
        try:
            read.append(read_file(path, problems))
        except SpecError as error:
            unreadable += error.problems or (Problem(str(path), f"error: {error.message}"),)
    defined = {name: spec for file in read for name, spec in file.providers.items()}
    registry = session.boards(drive=False).registry
    for name, spec in defined.items():
        if spec.type == "rest":
            check_provider(name, spec, problems)
    for file in read:
        for generator in file.generators:
            provider = _provider(generator.provider, defined, registry)
            if provider is None and generator.place is not None:
                problems.warn(
                    generator.place,
                    f"the provider {generator.provider!r} is not defined here, nor installed: "
                    "what depends on it is not checked",
                )
            check_generator(generator, provider, problems)
    return [*unreadable, *problems.errors], problems.warnings


def _provider(
    name: str, defined: "dict[str, ProviderSpec]", registry: "Registry"
) -> "ProviderSpec | None":
    """A provider as it would run: of the files, over what is installed."""
    from boards.spec.merge import instance_of  # noqa: PLC0415  # not for --help

    own = defined.get(name)
    if own is not None and own.type == "rest" and "base_url" in own.config:
        return own
    try:
        definition = name if own is None or own.type == "rest" else own.type
        base = defined.get(definition) if definition != name else None
        base = base or registry.provider(definition).spec
    except BoardsError:
        return own
    return base if own is None else instance_of(base, own)


def _as_json(problem: Problem, severity: str) -> dict[str, str | int | None]:
    file, _, rest = problem.where.partition(":")
    parts = problem.where.rsplit(":", 2)
    line = column = None
    if rest and len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
        file, line, column = parts[0], int(parts[1]), int(parts[2])
    message = problem.message.removeprefix(f"{severity}: ")
    return {"file": file, "line": line, "column": column, "severity": severity, "message": message}
