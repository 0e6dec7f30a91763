"""What paths and names on a command line stand for, where specifications are to be tried."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import field, frozen

from boards.cli.check import find_mistakes, yaml_files
from boards.cli.session import Session
from boards.errors import Problem, SpecError

if TYPE_CHECKING:
    from boards.registry import Registry
    from boards.spec.model import ProviderSpec

__all__ = ["Chosen", "bare_registry", "choose", "is_path"]


@frozen
class Chosen:
    """What is to be tested.

    Attributes:
        ids: Of generators.
        boards: Arguments of Boards: where they come from.
        problems: Mistakes in files; then nothing else is there.
    """

    ids: tuple[str, ...] = ()
    boards: dict[str, Any] = field(factory=dict)
    problems: tuple[Problem, ...] = ()


def choose(session: Session, targets: tuple[str, ...]) -> Chosen:
    """What paths and names stand for.

    What is installed is tested as its authors wrote it: the host's own files do not count, unless
    they are what is named, or have a provider that nothing else has.

    Raises:
        NotFoundError: Nothing is called so.
    """
    paths = tuple(Path(one) for one in targets if is_path(one))
    for path in paths:
        if path.suffix == ".py":
            raise click.UsageError(f"Its tests are run of YAML: boards export {path} > FILE.yaml")
    names = [one for one in targets if not is_path(one)]
    files = _specifications(paths)
    mistakes = find_mistakes(session, files)[0] if files else []
    if mistakes:
        return Chosen(problems=tuple(mistakes))
    settings = session.settings()
    boards: dict[str, Any] = {
        "cache": settings.cache,
        "plugins": settings.plugins,
        "plugins_disabled": settings.plugins_disabled,
    }
    own = session.boards(drive=False).registry
    installed = bare_registry(boards)
    generators: list[Any] = list(files)
    ids: list[str] = []
    for name in names:
        found = _named(installed, name)
        if not found:
            found = _named(own, name) or [entry.id for entry in own.resolve(name)[:1]]
            generators += [own.spec(one) for one in found]
        ids += found
    boards["generators"] = generators
    boards["providers"] = _providers_beside(files, ids, installed, own)
    sources = set(map(str, files))
    ids += [one.id for one in bare_registry(boards).generators() if one.source in sources]
    return Chosen(tuple(dict.fromkeys(ids)), boards)


def _specifications(paths: tuple[Path, ...]) -> list[Path]:
    """The YAML files that paths stand for; pipelines in a directory are passed over.

    Raises:
        click.UsageError: A file is a pipeline.
    """
    from boards.pipelines.reader import is_pipeline  # noqa: PLC0415  # not for --help
    from boards.spec import yaml  # noqa: PLC0415
    from boards.spec.places import Problems  # noqa: PLC0415

    files: list[Path] = []
    for path in yaml_files(paths) if paths else ():
        with contextlib.suppress(SpecError):  # it cannot be read, which is told with its mistakes
            document = yaml.parse(yaml.load(path), str(path), Problems())
            if document is not None and is_pipeline(document):
                if path in paths:
                    raise click.UsageError(
                        f"{path} is a pipeline, which has no tests: boards check {path} checks it,"
                        f" boards run {path} runs it."
                    )
                continue
        files.append(path)
    return files


def is_path(target: str) -> bool:
    """Whether an argument is a file or a directory, and no name."""
    return target.endswith((".yaml", ".yml")) or target[:1] in "./~" or Path(target).exists()


def bare_registry(boards: dict[str, Any]) -> "Registry":
    """What there is without the host's own files, keys and settings."""
    from boards.boards import Boards  # noqa: PLC0415  # not for --help

    return Boards(drive=False, environment={}, **{"home": boards["cache"], **boards}).registry


def _named(registry: "Registry", name: str) -> list[str]:
    """The generators of a distribution or of a provider, or the one of that id."""
    from boards.discovery import canonical  # noqa: PLC0415  # not for --help

    distribution = canonical(name)
    return [
        entry.id
        for entry in registry.generators()
        if name in (entry.id, entry.provider)
        or canonical(entry.source.partition(" ")[0]) == distribution
    ]


def _providers_beside(
    files: list[Path], ids: list[str], installed: "Registry", own: "Registry"
) -> "dict[str, ProviderSpec]":
    """The providers that neither the files nor the plugins define, as the host has them."""
    from boards.spec.places import Problems  # noqa: PLC0415  # not for --help
    from boards.spec.reader import read_file  # noqa: PLC0415

    read = [read_file(path, Problems()) for path in files]
    needed = {one.partition("/")[0] for one in ids}
    needed |= {generator.provider for file in read for generator in file.generators}
    known = {name for file in read for name in file.providers}
    known |= {entry.name for entry in installed.providers()}
    return {name: own.provider(name).spec for name in sorted(needed - known)}
