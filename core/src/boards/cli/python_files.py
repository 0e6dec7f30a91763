"""Files of Python that define generators and pipelines: they are run, for what is made there."""

import linecache
import sys
import traceback
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from attrs import frozen

from boards.errors import SpecError

if TYPE_CHECKING:
    from boards.dsl import Generator, Provider
    from boards.pipelines import Pipeline
    from boards.spec.model import GeneratorSpec, ProviderSpec
    from boards.spec.places import Document, Problems

__all__ = ["Made", "documents", "made_in", "specs"]


@frozen
class Made:
    """What the top level of a file makes.

    Attributes:
        generators: Its classes, in order; those without a name are for others to inherit from.
        providers: In order.
        pipelines: In order.
    """

    generators: "tuple[type[Generator], ...]"
    providers: "tuple[Provider, ...]"
    pipelines: "tuple[Pipeline, ...]"


def made_in(path: Path) -> Made:
    """Run a file of Python, and take what it makes. What it raises comes through."""
    from boards.dsl import Generator, Provider  # noqa: PLC0415  # not for --help
    from boards.pipelines import Pipeline  # noqa: PLC0415

    module = _run(path)
    made = list(vars(module).values())
    classes = [
        one
        for one in made
        if isinstance(one, type)
        and issubclass(one, Generator)
        and one.__module__ == module.__name__
        and "name" in one.__boards_header__
    ]
    providers = [one for one in made if isinstance(one, Provider)]
    pipelines = [one for one in made if isinstance(one, Pipeline)]
    return Made(
        tuple(dict.fromkeys(classes)),
        tuple(dict.fromkeys(providers)),
        tuple(dict.fromkeys(pipelines)),
    )


def _run(path: Path) -> ModuleType:
    """Import a file, and let it import what lies beside it, as ``python FILE`` does.

    It stays imported, as annotations that are texts are looked up in their module; under a name
    that hides no other module, whatever the file is called.
    """
    file = path.absolute()
    linecache.checkcache(str(file))  # the places of mistakes come from there
    name = f"__{path.stem}__"
    loader = SourceFileLoader(name, str(file))
    spec = spec_from_loader(name, loader)
    if spec is None:
        raise ImportError(f"{path} is no file of Python")
    module = module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(file.parent))
    try:
        loader.exec_module(module)
    finally:
        sys.path.remove(str(file.parent))
    return module


def documents(path: Path, problems: "Problems") -> "list[Document]":
    """What a file makes as documents of the language, each mistake at its line of Python.

    Args:
        path: Of the file; it is run.
        problems: Where mistakes are noted, also that it cannot be run.
    """
    from boards.dsl.compiling import document_of  # noqa: PLC0415  # not for --help
    from boards.spec.places import Document  # noqa: PLC0415

    try:
        made = made_in(path)
    except (Exception, SystemExit) as error:  # it is any code
        _note(error, path, problems)
        return []
    read = [document_of(one, problems) for one in made.generators]
    along = {one.__boards_header__.get("provider") for one in made.generators}
    for provider in made.providers:
        if provider not in along:
            root = provider.document(problems)
            read.append(Document(root.place.source, root, root.place))
    read += [one.located(problems) for one in made.pipelines]
    return read


def specs(path: Path) -> "tuple[tuple[GeneratorSpec, ...], dict[str, ProviderSpec]]":
    """The generators that a file makes, and its providers by name.

    Raises:
        SpecError: It cannot be run, or what it makes has mistakes; all of them are told.
    """
    from boards.dsl import spec_of  # noqa: PLC0415  # not for --help
    from boards.spec.places import Problems  # noqa: PLC0415

    try:
        made = made_in(path)
    except (Exception, SystemExit) as error:  # it is any code
        problems = Problems()
        _note(error, path, problems)
        raise SpecError(f"{path} cannot be run.", problems.errors) from error
    found: dict[Any, Any] = {}
    failed: list[SpecError] = []
    ones: tuple[Any, ...] = (*made.generators, *made.providers)
    for one in ones:
        try:
            found[one] = spec_of(one)
        except SpecError as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        told = dict.fromkeys(problem for error in failed for problem in error.problems)
        raise SpecError(f"{path} has mistakes.", list(told))
    return (
        tuple(found[one] for one in made.generators),
        {one.name: found[one] for one in made.providers},
    )


def _note(error: BaseException, path: Path, problems: "Problems") -> None:
    """Where a file stopped: at the last of its own lines that was run."""
    from boards.spec.places import Place, Source  # noqa: PLC0415  # not for --help

    at, told, file = (1, 1), f"{type(error).__name__}: {error}", str(path.absolute())
    if isinstance(error, SyntaxError) and error.filename == file:
        at, told = (error.lineno or 1, error.offset or 1), f"{type(error).__name__}: {error.msg}"
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == file:
                at = frame.lineno or 1, (frame.colno or 0) + 1
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    problems.error(Place(Source(str(path), text), *at), told)
