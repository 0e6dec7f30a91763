"""Documents of specifications, read for a registry: what they define, and what a host adjusts."""

from typing import Any

from attrs import frozen

from boards.errors import Problem, SpecError
from boards.rows import FileRows, GeneratorRow, ProviderRow
from boards.spec import yaml
from boards.spec.places import Document, Mapping, Problems, Sequence
from boards.spec.reader import SpecFile, read_document

__all__ = ["SpecDocument", "read_specs", "read_text", "take_switches", "unreadable"]


@frozen
class SpecDocument:
    """A document, read: its specs, and the rows of a listing."""

    file: SpecFile
    rows: FileRows


def read_text(text: str, name: str, *, host: bool) -> SpecDocument:
    """Read a YAML text; its mistakes are in the rows."""
    problems = Problems()
    document = yaml.parse(text, name, problems)
    if document is None:
        return _nothing(tuple(problems.errors))
    return read_specs(document, problems, host=host)


def read_specs(document: Document, problems: Problems, *, host: bool) -> SpecDocument:
    """Read a document.

    In a host's document, a generator of which only ``enabled: false`` is said is switched off,
    and a provider with neither ``type`` nor ``base_url`` adjusts the installed one of its name.
    """
    root = document.root
    switched_off = take_switches(root) if host else ()
    written, named = _written(root), _named(root)
    file = read_document(document, problems)
    adjusting = _adjusting(root) if host else frozenset()
    readable = {generator.id for generator in file.generators}
    rows = FileRows(
        providers=tuple(
            ProviderRow.of(name, spec, adjusts=name in adjusting)
            for name, spec in file.providers.items()
        ),
        generators=tuple(GeneratorRow.of(spec) for spec in file.generators),
        switched_off=switched_off,
        unreadable=tuple(one for one in written if one not in readable),
        unreadable_providers=(
            None if named is None else tuple(one for one in named if one not in file.providers)
        ),
        problems=tuple(problems.errors),
    )
    return SpecDocument(file, rows)


def unreadable(name: str, error: SpecError) -> SpecDocument:
    """A file that cannot even be opened."""
    return _nothing(error.problems or (Problem(name, f"error: {error.message}"),))


def _nothing(problems: tuple[Problem, ...]) -> SpecDocument:
    return SpecDocument(SpecFile(), FileRows(unreadable_providers=None, problems=problems))


def _named(root: Any) -> tuple[str, ...] | None:
    """The providers that a document names; None where it is not even a document."""
    providers = root.get("providers") if isinstance(root, Mapping) else root
    if providers is None:
        return ()
    return tuple(providers) if isinstance(providers, Mapping) else None


def _generators(root: Any) -> Sequence | None:
    value = root.get("generators") if isinstance(root, Mapping) else None
    return value if isinstance(value, Sequence) else None


def _id_of(item: Any) -> str | None:
    """``provider/name``, where both are texts."""
    if not isinstance(item, Mapping):
        return None
    provider, name = item.get("provider"), item.get("name")
    return f"{provider}/{name}" if isinstance(provider, str) and isinstance(name, str) else None


def _written(root: Any) -> list[str]:
    return [name for item in _generators(root) or () if (name := _id_of(item)) is not None]


def take_switches(root: Any) -> tuple[str, ...]:
    """Take out the generators that a host's file merely disables: the reader wants whole ones."""
    generators = _generators(root)
    if generators is None:
        return ()
    kept, places, taken = [], [], []
    for item, place in zip(generators, generators.item_places, strict=True):
        name = _switched_off(item)
        if name is None:
            kept.append(item)
            places.append(place)
        else:
            taken.append(name)
    generators[:], generators.item_places[:] = kept, places
    return tuple(taken)


def _switched_off(item: Any) -> str | None:
    bare = isinstance(item, Mapping) and item.keys() == {"name", "provider", "enabled"}
    return _id_of(item) if bare and item["enabled"] is False else None


def _adjusting(root: Any) -> frozenset[str]:
    providers = root.get("providers") if isinstance(root, Mapping) else None
    if not isinstance(providers, Mapping):
        return frozenset()
    return frozenset(
        name
        for name, one in providers.items()
        if isinstance(one, Mapping) and "type" not in one and "base_url" not in _config(one)
    )


def _config(provider: Mapping) -> Mapping | dict[str, Any]:
    config = provider.get("config")
    return config if isinstance(config, Mapping) else {}
