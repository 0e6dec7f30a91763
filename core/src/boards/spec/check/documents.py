"""Whole documents: all mistakes at once, those of reading and those of checking."""

from collections.abc import Callable, Iterable

from attrs import frozen

from boards.spec.check.context import place_of
from boards.spec.check.fixtures import check_fixture
from boards.spec.check.generator import check_generator
from boards.spec.check.lints import lint_document, lint_generator
from boards.spec.check.provider import check_provider
from boards.spec.merge import instance_of
from boards.spec.model import ProviderSpec
from boards.spec.places import Document, Place, Problems
from boards.spec.reader import SpecFile, read_document
from boards.spec.salvage import salvage

__all__ = ["check_documents"]

Installed = Callable[[str], ProviderSpec | None]
"""The provider that is installed under a name, in its effective form."""


@frozen
class _Read:
    """A document, as far as it can be read."""

    document: Document
    file: SpecFile
    whole: bool


def _nothing(_name: str) -> None:
    return None


def check_documents(
    documents: Iterable[Document], problems: Problems, installed: Installed = _nothing
) -> list[SpecFile]:
    """Note every mistake in some documents that belong together.

    What can be read of a generator is checked although other parts of it cannot be.

    Args:
        documents: Parsed; a provider may be defined in another one than its generators.
        problems: Where mistakes and warnings are noted.
        installed: Finds providers that none of them defines.

    Returns:
        What they define, mistakes included: nothing to run.
    """
    read: list[_Read] = []
    faults: set[tuple[str, int, int]] = set()
    for document in documents:
        before = problems.count
        file = read_document(document, problems)
        whole = problems.count == before
        if not whole:
            file, known = salvage(document)
            faults |= known
        read.append(_Read(document, file, whole))
    found = Problems()
    defined = {name: spec for one in read for name, spec in one.file.providers.items()}
    effective = {name: _effective(name, spec, defined, installed) for name, spec in defined.items()}
    for name, spec in effective.items():
        check_provider(name, spec, found)
    seen: dict[str, Place] = {}
    for one in read:
        for generator in one.file.generators:
            provider = effective.get(generator.provider) or installed(generator.provider)
            if provider is None:
                found.warn(
                    place_of(generator, "provider"),
                    f"the provider {generator.provider!r} is not defined here, nor installed: "
                    "what depends on it is not checked",
                )
            used: set[str] = set()
            schema = check_generator(generator, provider, found, used=used)
            for fixture in generator.tests:
                check_fixture(fixture, schema, found)
            lint_generator(generator, schema if one.whole else None, used, found)
            place = place_of(generator, "name")
            first = seen.setdefault(generator.id, place)
            if first.source is not place.source:
                found.warn(place, f"{generator.id} is defined in {first.source.name} too")
        lint_document(one.document, found)
    problems.take(found, but_at=faults | problems.error_places)
    return [one.file for one in read]


def _effective(
    name: str, spec: ProviderSpec, defined: dict[str, ProviderSpec], installed: Installed
) -> ProviderSpec:
    """A provider as it would run: an instance, or what adjusts an installed one, over its base."""
    if spec.type != "rest":
        base = defined.get(spec.type) if spec.type != name else None
        base = base or installed(spec.type)
    elif "base_url" not in spec.config:
        base = installed(name)
    else:
        base = None
    return spec if base is None else instance_of(base, spec)
