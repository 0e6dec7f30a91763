"""``boards export``: a generator as YAML, or as a class of Python."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from attrs import frozen

from boards.cli.complete import complete_generator
from boards.cli.session import Session, command
from boards.errors import SpecError

if TYPE_CHECKING:
    from boards.spec.model import GeneratorSpec, ProviderSpec

__all__ = ["export"]


@frozen
class _Exported:
    """What is exported; providers by name."""

    generators: "tuple[GeneratorSpec, ...]"
    providers: "dict[str, ProviderSpec]"


@command()
@click.argument("name", metavar="NAME|FILE", shell_complete=complete_generator)
@click.option(
    "--to", "form", type=click.Choice(["yaml", "python"]), default="yaml", show_default=True,
    help="In which language.",
)  # fmt: skip
@click.option("--provider", "with_provider", is_flag=True, help="Its provider too.")
def export(
    session: Session, name: str, form: Literal["yaml", "python"], with_provider: bool
) -> None:
    """Write a generator as YAML, or as a class of Python.

    A generator that is installed, by its NAME; or all that a FILE of YAML, or of Python, defines.
    Either way says the same: what was converted converts back to an equal specification.
    """
    suffix = Path(name).suffix
    if suffix in (".yaml", ".yml"):
        exported = _of_yaml(Path(name))
    elif suffix == ".py":
        exported = _of_python(Path(name))
    else:
        exported = _installed(session, name, with_provider=with_provider)
    text = _yaml(exported) if form == "yaml" else _python(exported)
    if session.out.json:
        ids = [one.id for one in exported.generators]
        session.out.value({"generators": ids, "language": form, "text": text})
    else:
        session.out.line(text.removesuffix("\n"))


def _yaml(exported: _Exported) -> str:
    from boards.spec.writing import file_document, to_yaml  # noqa: PLC0415  # not for --help

    return to_yaml(file_document(exported.providers, exported.generators))


def _python(exported: _Exported) -> str:
    from boards.dsl.source import python_source  # noqa: PLC0415  # not for --help

    return python_source(exported.generators, exported.providers)


def _installed(session: Session, name: str, *, with_provider: bool) -> _Exported:
    registry = session.boards(drive=False).registry
    spec = registry.spec(registry.resolve(name)[0].id)
    providers = {spec.provider: registry.provider(spec.provider).spec} if with_provider else {}
    return _Exported((spec,), providers)


def _of_yaml(path: Path) -> _Exported:
    from boards.spec.places import Problems  # noqa: PLC0415  # not for --help
    from boards.spec.reader import read_file  # noqa: PLC0415

    problems = Problems()
    read = read_file(path, problems)
    if problems.errors:
        raise SpecError(f"{path} has mistakes.", problems.errors)
    return _Exported(read.generators, read.providers)


def _of_python(path: Path) -> _Exported:
    """What the top level of a file defines; it is run."""
    from boards.cli.python_files import specs  # noqa: PLC0415  # not for --help

    if not path.is_file():
        raise click.UsageError(f"There is no file {path}.")
    generators, providers = specs(path)
    if not generators and not providers:
        raise SpecError(
            f"{path} defines no generator and no provider.",
            remedy="A generator is a class with a name, at the top level: "
            'class Fox(Generator, name="fox", ...).',
        )
    return _Exported(generators, providers)
