"""What is offered, layer by layer: plugins, their hooks, the host's files, arguments.

A later layer overrides an earlier one. Two sources within one layer that offer the same name are
a mistake: neither is picked silently.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from boards.discovery import SpecSource, stamp
from boards.errors import Problem, SpecError
from boards.rows import FileRows, GeneratorRow, ProviderRow

if TYPE_CHECKING:
    from boards.documents import SpecDocument
    from boards.dsl import Generator, Provider
    from boards.index import Index
    from boards.models import ModelFiles
    from boards.plugins import Plugins
    from boards.records import GeneratorRecord, ProviderRecord
    from boards.settings import Settings
    from boards.spec.model import GeneratorSpec, ProviderSpec

    GivenProviders: TypeAlias = (
        Mapping[str, Mapping[str, Any] | ProviderSpec] | Iterable[ProviderRecord | Provider]
    )
    GivenGenerators: TypeAlias = Iterable[
        Mapping[str, Any] | GeneratorSpec | GeneratorRecord | type[Generator] | Path
    ]

__all__ = [
    "Layer",
    "Offer",
    "arguments",
    "hook_records",
    "host_files",
    "host_sources",
    "models",
    "plugins",
]

Row = TypeVar("Row")
Spec = TypeVar("Spec")


@frozen(eq=False)
class Offer(Generic[Row, Spec]):
    """A provider or a generator of one source.

    Attributes:
        row: What a listing shows.
        source: Distribution and version, or the host's file.
        load: Reads the spec.
        rival: Another source of the same layer that offers the same name.
    """

    row: Row
    source: str
    load: Callable[[], Spec]
    rival: str | None = None


@frozen(eq=False)
class Layer:
    """One layer.

    Attributes:
        scope: Layers of one scope know each other's definitions as their own.
        providers: By name.
        generators: By ``provider/name``.
        switched_off: ``provider/name`` of generators that are merely disabled, and by whom.
        unreadable: ``provider/name`` of generators with mistakes: a function that tells them.
        unreadable_providers: Names of providers with mistakes, and their source.
        obscure: Sources that should tell of providers, and cannot be read.
        problems: All mistakes.
    """

    scope: str
    providers: "dict[str, Offer[ProviderRow, ProviderSpec]]" = field(factory=dict)
    generators: "dict[str, Offer[GeneratorRow, GeneratorSpec]]" = field(factory=dict)
    switched_off: dict[str, str] = field(factory=dict)
    unreadable: dict[str, tuple[Problem, ...]] = field(factory=dict)
    unreadable_providers: dict[str, str] = field(factory=dict)
    obscure: list[str] = field(factory=list)
    problems: list[Problem] = field(factory=list)

    def offer_provider(self, offer: "Offer[ProviderRow, ProviderSpec]") -> None:
        """Add a provider."""
        self._put(self.providers, offer.row.name, offer, "provider")

    def offer_generator(self, offer: "Offer[GeneratorRow, GeneratorSpec]") -> None:
        """Add a generator."""
        self._put(self.generators, f"{offer.row.provider}/{offer.row.name}", offer, "generator")

    def offer_record(self, record: "GeneratorRecord", source: str) -> None:
        """Add a generator, and the provider that comes along, if this layer lacks it."""
        along = record.provider
        if along is not None:
            known = self.providers.get(along.name)
            if known is None or known.load() != along.spec:
                row = ProviderRow.of(along.name, along.spec)
                self.offer_provider(Offer(row, source, _known(along.spec)))
        self.offer_generator(Offer(GeneratorRow.of(record.spec), source, _known(record.spec)))

    def _put(self, offers: dict[str, Any], name: str, offer: Any, what: str) -> None:
        first = offers.setdefault(name, offer)
        if first is not offer:
            offers[name] = evolve(first, rival=offer.source)
            message = f"error: the {what} is offered by both {first.source} and {offer.source}"
            self.problems.append(Problem(name, message))

    def add(self, rows: FileRows, source: str, document: "Callable[[], SpecDocument]") -> None:
        """Add what a document offers; it is read again only when a spec is needed."""
        for provider in rows.providers:
            self.offer_provider(Offer(provider, source, _provider(document, provider, source)))
        for generator in rows.generators:
            self.offer_generator(Offer(generator, source, _generator(document, generator, source)))
        self.switched_off.update(dict.fromkeys(rows.switched_off, source))
        self.unreadable.update(dict.fromkeys(rows.unreadable, rows.problems))
        self.unreadable_providers.update(dict.fromkeys(rows.unreadable_providers or (), source))
        self.problems.extend(rows.problems)


def _provider(
    document: "Callable[[], SpecDocument]", row: ProviderRow, source: str
) -> "Callable[[], ProviderSpec]":
    def load() -> "ProviderSpec":
        try:
            return document().file.providers[row.name]
        except KeyError:
            raise _changed(source, row.name) from None

    return load


def _generator(
    document: "Callable[[], SpecDocument]", row: GeneratorRow, source: str
) -> "Callable[[], GeneratorSpec]":
    def load() -> "GeneratorSpec":
        for spec in document().file.generators:
            if (spec.provider, spec.name) == (row.provider, row.name):
                return spec
        raise _changed(source, f"{row.provider}/{row.name}")

    return load


def _changed(source: str, name: str) -> SpecError:
    return SpecError(
        f"{name} is no longer in {source}: a file was changed while it was in use.",
        remedy="Start again.",
    )


def plugins(installed: "Plugins", index: "Index") -> Layer:
    """What the plugins' specification files offer."""
    layer = Layer("installed")
    for source in installed.spec_files():
        layer.add(index.rows(source), source.source, _reader(index, source))
    return layer


def hook_records(installed: "Plugins") -> Layer:
    """What the plugins' hooks return."""
    layer = Layer("installed")
    for one in installed.providers():
        row = ProviderRow.of(one.record.name, one.record.spec)
        layer.offer_provider(Offer(row, one.entry_point.source, _known(one.record.spec)))
    for two in installed.generators():
        layer.offer_record(two.record, two.entry_point.source)
    return layer


def host_sources(settings: "Settings") -> list[SpecSource]:
    """The host's own files; one that both settings name is there once."""
    paths = (settings.providers_config_path, settings.generators_config_path)
    found: dict[str, SpecSource] = {}
    for path in paths:
        if path is not None:
            size, mtime_ns = stamp(str(path)) or (0, 0)
            source = SpecSource(str(path), size=size, mtime_ns=mtime_ns)
            found.setdefault(os.path.realpath(path), source)
    return list(found.values())


def host_files(settings: "Settings", index: "Index") -> Layer:
    """What the host's files offer."""
    layer = Layer("host")
    for source in host_sources(settings):
        rows = index.rows(source)
        layer.add(rows, source.source, _reader(index, source))
        if rows.unreadable_providers is None and source.path == str(settings.providers_config_path):
            layer.obscure.append(source.source)
    return layer


def models(files: "ModelFiles", index: "Index") -> Layer:
    """What was imported on demand."""
    layer = Layer("installed")
    for source in files.sources():
        layer.add(index.rows(source), source.source, _reader(index, source))
    return layer


def arguments(
    providers: "GivenProviders",
    generators: "GivenGenerators",
) -> Layer:
    """What the host's code gives: specs, records, classes, mappings as YAML has them, or files.

    Raises:
        SpecError: It has mistakes; all of them are told.
    """
    from boards.documents import read_specs, read_text  # noqa: PLC0415 - rarely needed
    from boards.records import GeneratorRecord, record_of  # noqa: PLC0415
    from boards.spec import yaml  # noqa: PLC0415
    from boards.spec.model import GeneratorSpec, ProviderSpec  # noqa: PLC0415
    from boards.spec.places import (  # noqa: PLC0415
        Document,
        Place,
        Problems,
        Sequence,
        Source,
        locate,
    )
    from boards.spec.places import Mapping as Node  # noqa: PLC0415

    layer = Layer("arguments")
    top = Place(Source("arguments"))
    root, named, listed = Node(top), Node(top), Sequence(top)
    by_name = (
        providers.items()
        if isinstance(providers, Mapping)
        else [(record.name, record.spec) for record in map(record_of, providers)]
    )
    for name, provider in by_name:
        if isinstance(provider, ProviderSpec):
            row = ProviderRow.of(name, provider)
            layer.offer_provider(Offer(row, "an argument", _known(provider)))
        else:
            place = Place(Source(f"providers[{name!r}]"))
            named.put(name, locate(_plain(provider), place), place, place)
    remedy = ""
    for number, given in enumerate(generators):
        if isinstance(given, str):
            remedy = f"A file is given as a path: generators=[Path({given!r})]"
        generator = record_of(given)
        if isinstance(generator, GeneratorRecord):
            layer.offer_record(generator, "an argument")
        elif isinstance(generator, GeneratorSpec):
            row_ = GeneratorRow.of(generator)
            layer.offer_generator(Offer(row_, "an argument", _known(generator)))
        elif isinstance(generator, Path):
            read = read_text(yaml.load(generator), str(generator), host=True)
            layer.add(read.rows, str(generator), _known(read))
        else:
            place = Place(Source(f"generators[{number}]"))
            listed.append(locate(_plain(generator), place))
            listed.item_places.append(place)
    root.put("providers", named, top, top)
    root.put("generators", listed, top, top)
    read = read_specs(Document(top.source, root, top), Problems(), host=True)
    layer.add(read.rows, "an argument", _known(read))
    if layer.problems:
        raise SpecError("The arguments have mistakes.", layer.problems, remedy=remedy)
    return layer


def _plain(given: Any) -> Any:
    """What cannot be a mapping is left to the reader, which tells it at its place."""
    return dict(given) if isinstance(given, Mapping) else given


def _reader(index: "Index", source: SpecSource) -> "Callable[[], SpecDocument]":
    return lambda: index.document(source)


T = TypeVar("T")


def _known(value: T) -> Callable[[], T]:
    return lambda: value
