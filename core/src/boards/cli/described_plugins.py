"""What documents say a new plugin is to offer: read from files, kept, or asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from boards.cli.imports import ask_for_document, importer_of, read_document
from boards.cli.session import Session
from boards.errors import BoardsError, NotFoundError

if TYPE_CHECKING:
    from boards.registry import Registry
    from boards.scaffolding.described import Described

__all__ = ["answers_of_provider", "kept_answers", "of_model", "of_openapi"]


def of_openapi(
    path: Path, operations: tuple[str, ...], answers: Mapping[str, Any], base_url: str | None
) -> "Described":
    """What an OpenAPI document describes, for a plugin with these answers.

    Raises:
        SpecError: It cannot be read so, or it does not tell which operation is meant.
    """
    from boards.scaffolding.described import describe_openapi  # noqa: PLC0415  # not for --help

    adapter = f"{answers['module']}.adapter:{answers['__class']}Adapter"
    return describe_openapi(
        read_document(path),
        provider=answers["provider"],
        operations=operations,
        base_url=base_url,
        adapter=adapter if "python" in answers["kinds"] else None,
    )


def of_model(
    session: Session, registry: "Registry", model: str, document: Path | None
) -> "Described":
    """What a provider's document of a model describes: of a file, kept, or asked for.

    Raises:
        NotFoundError: There is no such provider, or it cannot be asked.
        SpecError: The document cannot be read.
    """
    from boards.scaffolding.described import (  # noqa: PLC0415  # not for --help
        describe_kept,
        describe_model,
    )

    provider, _, name = model.partition("/")
    if not name:
        raise click.UsageError("Name the model with its provider: replicate/openai/whisper.")
    definition = registry.provider(provider).spec
    kept = registry.models.path(provider, name)
    if document is None and kept.exists():
        text = kept.read_text(encoding="utf-8")
        return describe_kept(text, provider=provider, model=name, definition=definition)
    if document is not None:
        found = read_document(document)
        importer = importer_of(found, definition, document)
    elif definition.catalog is not None:
        found = session.run(ask_for_document(session, provider, name))
        importer = definition.catalog.importer
    else:
        raise NotFoundError(
            f"The provider {provider} has no catalog of models to ask.",
            remedy="Give its document with --document FILE.",
            provider=provider,
        )
    return describe_model(importer, found, provider=provider, model=name, definition=definition)


def answers_of_provider(registry: "Registry", described: "Described") -> dict[str, Any]:
    """Answers for a plugin with generators of another plugin's provider.

    Raises:
        BoardsError: No distribution has this provider.
    """
    for plugin in registry.plugins():
        if plugin.distribution and described.provider in plugin.offers.get("providers", ()):
            return {
                **described.answers,
                "_requires": [f"{plugin.distribution}{_bounds(plugin.version)}"],
            }
    raise BoardsError(
        f"The provider {described.provider} is this host's own: a plugin cannot depend on it.",
        remedy="Make a plugin of the provider first.",
        provider=described.provider,
    )


def _bounds(version: str) -> str:
    """The versions that are compatible by Semantic Versioning."""
    major, minor = (*version.split("."), "0")[:2]
    upper = f"0.{int(minor) + 1}" if major == "0" else str(int(major) + 1)
    return f">={major}.{minor},<{upper}"


def kept_answers(described: "Described | None", *, own_provider: bool) -> dict[str, Any]:
    """What the template keeps to itself, of documents."""
    if described is None:
        return {}
    return {
        "_generators": list(described.generators),
        "_open": list(described.open),
        "_provider_is_ours": own_provider,
    }
