"""``boards new-plugin``: a distribution that installs, and whose tests pass as it is made."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from boards.cli.complete import complete_provider
from boards.cli.described_plugins import answers_of_provider, kept_answers, of_model, of_openapi
from boards.cli.output import plain
from boards.cli.session import Session, command
from boards.errors import StorageError

if TYPE_CHECKING:
    from boards.scaffolding.described import Described
    from boards.scaffolding.template import Template

__all__ = ["new_plugin"]

_PATH: Final = click.Path(path_type=Path, dir_okay=False)
_OF_SPECS: Final = ("base_url", "auth", "endpoint")
"""What only plugins with specifications are asked."""

_PYTHON: Final = str(Path(".venv", "Scripts" if sys.platform == "win32" else "bin", "python"))
_NEXT: Final = (
    "cd {directory}",
    "python -m venv .venv",
    f"{_PYTHON} -m pip install --upgrade pip",  # 25.1 is the first that knows --group
    f"{_PYTHON} -m pip install -e . --group dev",
    f"{_PYTHON} -m pytest",
)


@command(name="new-plugin")
@click.argument("name", required=False, metavar="[NAME]")
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND",
    help="declarative, python, storage or auth; may be repeated.",
)  # fmt: skip
@click.option(
    "--provider", metavar="NAME", shell_complete=complete_provider,
    help="What the provider, storage or auth is called.",
)  # fmt: skip
@click.option("--module", metavar="NAME", help="The Python package.")
@click.option("--base-url", metavar="URL", help="Where the API is.")
@click.option("--auth", metavar="KIND", help="bearer, header, query, basic or none.")
@click.option("--endpoint", metavar="PATH", help="What makes something, below the base URL.")
@click.option("--license", metavar="SPDX", help="MIT, Apache-2.0, BSD-3-Clause or Proprietary.")
@click.option("--author", metavar="TEXT", help="Who holds the rights.")
@click.option("--from-openapi", "openapi", metavar="FILE", type=_PATH, help="Describes the API.")
@click.option(
    "--operation", "operations", multiple=True, metavar="ID",
    help="Of --from-openapi: an operationId, or 'POST /path'; may be repeated.",
)  # fmt: skip
@click.option(
    "--from-provider-model", "model", metavar="ID",
    help="A model of an installed provider: replicate/openai/whisper.",
)  # fmt: skip
@click.option(
    "--document", metavar="FILE", type=_PATH,
    help="Of --from-provider-model: the provider's document, which is not asked for then.",
)  # fmt: skip
@click.option(
    "--output", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), default=Path(),
    help="Where the plugin's directory is made; here by default.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Ask nothing: defaults stand for what is missing.")
def new_plugin(
    session: Session,
    name: str | None,
    kinds: tuple[str, ...],
    openapi: Path | None,
    operations: tuple[str, ...],
    model: str | None,
    document: Path | None,
    output: Path,
    yes: bool,
    **options: str | None,
) -> None:
    """Make a new plugin, in a directory of its NAME, such as boards-acme.

    It installs as it is made, and its tests pass. On a terminal, what is missing is asked for.
    """
    from boards.scaffolding.described import fill  # noqa: PLC0415  # not for --help
    from boards.scaffolding.template import Template  # noqa: PLC0415

    if model is not None and set(kinds) - {"declarative"}:
        raise click.UsageError("--from-provider-model makes a declarative plugin.")
    _refuse_contradictions(openapi, operations, model, document, options)
    template = Template()
    given: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if name:
        given["distribution"] = name
    if kinds:
        given["kinds"] = ",".join(kinds)
    described: Described | None = None
    registry = session.boards(drive=False).registry
    if model is not None:
        described = of_model(session, registry, model, document)
        given |= {"kinds": "declarative", **answers_of_provider(registry, described)}
        given.setdefault("distribution", f"boards-{described.generators[0].replace('/', '-')}")
    _require_right(template, given)
    ask = None if yes or not sys.stdin.isatty() else _ask
    known = _OF_SPECS if openapi or model else ()
    answers = _answers(template, given, ask, known)
    if openapi is not None:
        described = of_openapi(openapi, operations, answers, given.get("base_url"))
        answers |= described.answers
    files = template.render(answers | kept_answers(described, own_provider=model is None))
    if described is not None:
        files = fill(files, described)
    directory = output / answers["distribution"]
    _write(directory, files)
    _tell(session, directory, files, answers, described)


def _refuse_contradictions(
    openapi: Path | None,
    operations: tuple[str, ...],
    model: str | None,
    document: Path | None,
    options: Mapping[str, str | None],
) -> None:
    if openapi is not None and model is not None:
        raise click.UsageError("--from-openapi and --from-provider-model exclude each other.")
    if operations and openapi is None:
        raise click.UsageError("--operation is of --from-openapi.")
    if document is not None and model is None:
        raise click.UsageError("--document is of --from-provider-model.")
    told: tuple[str, ...] = ()
    if openapi is not None:
        told = ("auth", "endpoint")
    elif model is not None:
        told = ("provider", *_OF_SPECS)
    for name in told:
        if options.get(name) is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} is told by the document.")


# Answers


def _answers(
    template: "Template",
    given: Mapping[str, Any],
    ask: "Callable[[Template, str, str], str] | None",
    known: tuple[str, ...],
) -> dict[str, Any]:
    """All answers: those that are given, those of a person, and defaults.

    Raises:
        click.UsageError: A default does not go with what is given, and nobody is asked.
    """
    answers = dict(given)
    for name in template.prompts if ask is not None else ():
        spared = name in known or (name in _OF_SPECS and not _has_specs(answers["kinds"]))
        if ask is not None and name not in answers and not spared:
            answers[name] = ask(template, name, template.default(name, answers))
        answers.setdefault(name, template.default(name, answers))
    if known and not _has_specs(answers.get("kinds", "declarative")):
        answers["kinds"] = f"declarative,{answers['kinds']}"
    whole = template.complete(answers)
    _require_right(template, whole)
    return whole


def _has_specs(kinds: str) -> bool:
    return "declarative" in kinds or "python" in kinds


def _ask(template: "Template", name: str, default: str) -> str:
    """A person's answer; asked again until it is right."""
    choices = template.choices(name)
    text = template.prompts[name] + (f" ({', '.join(choices)})" if choices else "")
    while True:
        value = str(click.prompt(text, default=default, err=True)).strip()
        problem = template.problems({name: value}).get(name)
        if problem is None:
            return value
        click.echo(f"{problem}.", err=True)


def _require_right(template: "Template", answers: Mapping[str, Any]) -> None:
    told = template.problems({name: str(value) for name, value in answers.items()})
    if told:
        names = {"distribution": "NAME", "kinds": "--kind"}
        raise click.UsageError(
            "\n".join(
                f"{names.get(name, '--' + name.replace('_', '-'))}: {problem}."
                for name, problem in told.items()
            )
        )


# Files


def _write(directory: Path, files: Mapping[str, str]) -> None:
    if directory.exists() and any(directory.iterdir()):
        raise click.UsageError(f"{directory} exists, and is not empty.")
    try:
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StorageError(
            f"{directory} cannot be written: {error.strerror or error}.",
            remedy="Choose another directory with --output DIR.",
        ) from error


def _tell(
    session: Session,
    directory: Path,
    files: Mapping[str, str],
    answers: Mapping[str, Any],
    described: "Described | None",
) -> None:
    out = session.out
    notes = described.notes if described is not None else ()
    if out.json:
        shown = {name: value for name, value in answers.items() if not name.startswith("_")}
        out.value(
            {
                "directory": str(directory),
                "files": list(files),
                "answers": shown,
                "notes": list(notes),
            }
        )
        return
    for note in notes:
        out.note(f"note: {plain(note)}")
    out.line(f"{directory}: {len(files)} files")
    out.note("Next:")
    for line in _NEXT:
        out.note(f"  {line.format(directory=directory)}")
