"""``boards check``: every mistake in files of the generator language."""

import contextlib
import gc
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from boards.cli.exits import Exit
from boards.cli.session import Session, command
from boards.errors import BoardsError, Problem, SpecError

if TYPE_CHECKING:
    from boards.registry import Registry
    from boards.spec.model import ProviderSpec
    from boards.spec.places import Document

__all__ = ["as_json", "check", "find_mistakes", "tell_mistakes", "yaml_files"]


@command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(session: Session, paths: tuple[Path, ...]) -> int:
    """Check files of the generator language, and tell all mistakes at once.

    A directory stands for the YAML files in it. A file with `pipeline:` is a pipeline, all others
    define providers and generators; a file of Python is run for what it defines, pipelines too.
    A provider that a file does not define is taken from another of the files, or from what is
    installed.
    """
    return tell_mistakes(session, yaml_files(paths))


def tell_mistakes(session: Session, files: list[Path]) -> int:
    """Check some files that belong together, write what is wrong, and return the exit code."""
    errors, warnings = find_mistakes(session, files)
    out = session.out
    if out.json:
        shown = [*((one, "error") for one in errors), *((one, "warning") for one in warnings)]
        out.value([as_json(one, severity) for one, severity in shown])
        return Exit.FAILED if errors else Exit.OK
    for one in (*errors, *warnings):
        out.line(str(one))
    counted = f"{len(files)} file{'s' if len(files) != 1 else ''}: {_count(errors, 'error')}"
    out.note(f"{counted}, {_count(warnings, 'warning')}")
    return Exit.FAILED if errors else Exit.OK


def _count(found: list[Problem], what: str) -> str:
    return f"{len(found) or 'no'} {what}{'' if len(found) == 1 else 's'}"


def yaml_files(paths: tuple[Path, ...]) -> list[Path]:
    """The files that paths stand for; a directory, for the YAML files in it.

    Raises:
        click.UsageError: There is no such path, or no file in it.
    """
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


def find_mistakes(session: Session, paths: list[Path]) -> tuple[list[Problem], list[Problem]]:
    """The errors and the warnings of some files that belong together, by place."""
    from boards.cli import python_files  # noqa: PLC0415  # not for --help
    from boards.documents import take_switches  # noqa: PLC0415
    from boards.pipelines.checking import check_document, installed  # noqa: PLC0415
    from boards.pipelines.reader import is_pipeline  # noqa: PLC0415
    from boards.spec import yaml  # noqa: PLC0415
    from boards.spec.check import check_documents  # noqa: PLC0415
    from boards.spec.places import Problems  # noqa: PLC0415

    problems = Problems()
    unreadable: list[Problem] = []
    documents: list[Document] = []
    pipelines: list[Document] = []
    with _without_collections():
        for path in paths:
            if path.suffix == ".py":
                for document in python_files.documents(path, problems):
                    (pipelines if is_pipeline(document) else documents).append(document)
                continue
            try:
                parsed = yaml.parse(yaml.load(path), str(path), problems)
            except SpecError as error:
                told = error.message.removeprefix(f"{path} ")
                unreadable += error.problems or (Problem(str(path), f"error: {told}"),)
                continue
            if parsed is not None and is_pipeline(parsed):
                pipelines.append(parsed)
            elif parsed is not None:
                take_switches(parsed.root)  # a host's file may merely disable a generator
                documents.append(parsed)
        files = check_documents(documents, problems, _Installed(session))
        if pipelines:
            defined = (one for file in files for one in file.generators)
            registry = session.boards(drive=False).registry
            look_up = installed(registry, besides=defined, whole=not problems.errors)
            for document in pipelines:
                check_document(document, problems, look_up)
    return [*unreadable, *problems.errors], problems.warnings


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """Without garbage collections: all nodes live to the end, and are looked at again each time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Installed:
    """Providers by name, of a registry that is made only where a file needs it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @cached_property
    def _registry(self) -> "Registry":
        return self._session.boards(drive=False).registry

    def __call__(self, name: str) -> "ProviderSpec | None":
        try:
            return self._registry.provider(name).spec
        except BoardsError:
            return None


def as_json(problem: Problem, severity: str) -> dict[str, str | int | None]:
    """A mistake as ``--json`` prints it: its file, line and column apart."""
    file, _, rest = problem.where.partition(":")
    parts = problem.where.rsplit(":", 2)
    line = column = None
    if rest and len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
        file, line, column = parts[0], int(parts[1]), int(parts[2])
    message = problem.message.removeprefix(f"{severity}: ")
    return {"file": file, "line": line, "column": column, "severity": severity, "message": message}
