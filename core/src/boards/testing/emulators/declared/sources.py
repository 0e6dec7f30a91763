"""Where the specs of an emulator come from: an installed provider, or files."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from boards.errors import SettingsError, SpecError
from boards.spec.model import GeneratorSpec, ProviderSpec

if TYPE_CHECKING:
    from boards.registry import Registry


@frozen
class Source:
    """A provider and its generators.

    Attributes:
        name: Of the provider.
        provider: Its definition.
        generators: Its generators, checked.
    """

    name: str
    provider: ProviderSpec
    generators: tuple[GeneratorSpec, ...]


def installed(registry: "Registry", provider: str) -> Source:
    """A provider that a host knows.

    Raises:
        NotFoundError: There is no such provider.
        SpecError: A generator has mistakes.
    """
    entry = registry.provider(provider)
    ids = [one.id for one in registry.generators(provider=provider)]
    return Source(entry.name, entry.spec, tuple(registry.compiled(one).spec for one in ids))


def in_files(paths: Sequence[Path]) -> Source:
    """The provider that some YAML files are of.

    What they do not define is taken from what is installed.

    Raises:
        SpecError: A file has mistakes.
        SettingsError: They are of no provider, or of several.
    """
    from boards.boards import Boards  # noqa: PLC0415  # a host, for one look

    names = list(dict.fromkeys(name for path in paths for name in _providers_of(path)))
    if len(names) != 1:
        raise SettingsError(
            f"An emulator plays one provider; {_listed(paths)} is of {', '.join(names) or 'none'}.",
            remedy="Name the files of one provider, or an installed provider.",
        )
    with tempfile.TemporaryDirectory(prefix="boards-emulator-") as home:
        host = Boards(drive=False, home=home, environment={}, generators=list(paths))
        return installed(host.registry, names[0])


def _providers_of(path: Path) -> list[str]:
    """The providers that a file defines; else those that its generators are of."""
    from boards.spec import yaml  # noqa: PLC0415
    from boards.spec.places import Problems, plain  # noqa: PLC0415

    problems = Problems()
    document = yaml.parse(yaml.load(path), str(path), problems)
    if problems.errors:
        raise SpecError(f"{path} has mistakes.", problems.errors)
    root = plain(document.root) if document is not None else {}
    if not isinstance(root, dict):
        return []
    generators = [one for one in root.get("generators") or () if isinstance(one, dict)]
    used = dict.fromkeys(str(one["provider"]) for one in generators if "provider" in one)
    return [*(root.get("providers") or used)]


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)
