"""From a document to specs: providers by name, and generators."""

from pathlib import Path
from typing import Any

from attrs import field, frozen

from boards.spec import yaml
from boards.spec.grammar import BAD, Shape
from boards.spec.model import INSTANCE_NAME, SPEC_VERSION, GeneratorSpec, ProviderSpec
from boards.spec.places import Document, Mapping, Place, Problems, Sequence, did_you_mean

__all__ = ["SpecFile", "read_document", "read_file", "read_text", "version_known"]

_TOP = ("spec", "providers", "generators")
_PIPELINE = (
    "this file is a pipeline, where one of providers and generators is expected: "
    "boards run runs it, boards check checks it"
)


@frozen
class SpecFile:
    """What one document defines; what could not be read is left out, and told as a problem."""

    providers: dict[str, ProviderSpec] = field(factory=dict)
    generators: tuple[GeneratorSpec, ...] = ()


def read_file(path: Path, problems: Problems) -> SpecFile:
    """Read a YAML file.

    Raises:
        SpecError: The file cannot be opened, is too large, or is not UTF-8.
    """
    return read_text(yaml.load(path), str(path), problems)


def read_text(text: str, name: str, problems: Problems) -> SpecFile:
    """Read a YAML text; ``name`` stands for it in messages."""
    document = yaml.parse(text, name, problems)
    return SpecFile() if document is None else read_document(document, problems)


def read_document(document: Document, problems: Problems) -> SpecFile:
    """Read what a document defines."""
    root = document.root
    if not isinstance(root, Mapping):
        if root is not None:
            problems.error(document.place, "expected 'providers:' and 'generators:' at the top")
        return SpecFile()
    for name in root:
        if name == "pipeline":
            problems.error(root.key_places[name], _PIPELINE)
        elif name not in _TOP:
            problems.error(root.key_places[name], f"unknown key {name!r}{did_you_mean(name, _TOP)}")
    if "spec" in root and not version_known(root["spec"], root.value_places["spec"], problems):
        return SpecFile()
    return SpecFile(_providers(root, problems), _generators(root, problems))


def version_known(version: Any, place: Place, problems: Problems) -> bool:
    """Whether a document is of a version of the language that is known here; a problem if not."""
    if type(version) is not int or version < 1:
        problems.error(place, f"spec is the version of the language, an integer: {SPEC_VERSION}")
    elif version > SPEC_VERSION:
        problems.error(
            place,
            f"this file is written in version {version} of the language; "
            f"this boards-core reads version {SPEC_VERSION}: upgrade boards-core",
        )
    else:
        return True
    return False


def _providers(root: Mapping, problems: Problems) -> dict[str, ProviderSpec]:
    value = root.get("providers")
    if value is None:
        return {}
    place = root.value_places["providers"]
    if not isinstance(value, Mapping):
        problems.error(place, "providers is a mapping by name")
        return {}
    found = {}
    for name, one in value.items():
        known = INSTANCE_NAME.read(name, value.key_places[name], problems)
        spec = Shape(ProviderSpec).read(one, value.value_places[name], problems)
        if BAD not in (known, spec):
            found[name] = spec
    return found


def _generators(root: Mapping, problems: Problems) -> tuple[GeneratorSpec, ...]:
    value = root.get("generators")
    if value is None:
        return ()
    if not isinstance(value, Sequence):
        problems.error(root.value_places["generators"], "generators is a list")
        return ()
    found: dict[str, GeneratorSpec] = {}
    for item, place in zip(value, value.item_places, strict=True):
        spec = Shape(GeneratorSpec).read(item, place, problems)
        if spec is BAD:
            continue
        if spec.id in found:
            at = spec.place.at("name") if spec.place is not None else place
            problems.error(at, f"{spec.id} is defined twice in this file")
            continue
        found[spec.id] = spec
    return tuple(found.values())
