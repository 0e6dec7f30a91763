"""What an import gives, and the choice of the importer."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from boards.errors import SpecError
from boards.spec.model import SPEC_VERSION

__all__ = ["Imported", "import_model"]


@frozen
class Imported:
    """A generator made from a provider's document.

    Attributes:
        document: The generator, as an item of ``generators:``.
        notes: What the document does not tell, or the language does not say, each in a sentence.
        version: The version of the model that the document describes, where it tells one.
        date: When that version was made, as the document writes it.
        providers: The provider by its name, as in ``providers:``; only from plain OpenAPI.
    """

    document: dict[str, Any]
    notes: tuple[str, ...] = ()
    version: str | None = None
    date: str | None = None
    providers: dict[str, Any] = field(factory=dict)

    def file(self) -> dict[str, Any]:
        """A whole document of the language."""
        providers = {"providers": self.providers} if self.providers else {}
        return {"spec": SPEC_VERSION, **providers, "generators": [self.document]}


def import_model(
    importer: str,
    document: Any,
    *,
    provider: str,
    name: str,
    generator: str | None = None,
) -> Imported:
    """Write the generator that a provider's document of a model describes.

    Args:
        importer: ``cog`` (Replicate's model or version, or a Cog image's OpenAPI), ``fal`` (the
            queue's OpenAPI of an endpoint) or ``openapi`` (any OpenAPI 3): ``catalog.importer``
            of the provider.
        document: The document, as JSON gives it.
        provider: The provider of the generator.
        name: The model as the provider names it: ``owner/name``, an endpoint id; for ``openapi``
            an operation, by its ``operationId`` or as ``POST /path``.
        generator: The name of the generator; made from ``name`` by default.

    Raises:
        SpecError: The document is not what the importer reads; tells why.
    """
    # One of them is needed at a time, and a registry imports this module for its record.
    from boards.spec.importers.cog import import_cog  # noqa: PLC0415
    from boards.spec.importers.fal import import_fal  # noqa: PLC0415
    from boards.spec.importers.openapi import import_openapi  # noqa: PLC0415

    importers = {"cog": import_cog, "fal": import_fal, "openapi": import_openapi}
    if importer not in importers:
        raise SpecError(f"There is no importer {importer!r}; there are {', '.join(importers)}.")
    if not isinstance(document, Mapping):
        what = _KINDS.get(type(document), type(document).__name__)
        if isinstance(document, str) and document.lstrip()[:1] == "<":
            what = "a web page"
        of = f"The document of {name}" if name else "The document"
        raise SpecError(f"{of} is {what}, not a JSON object.")
    return importers[importer](document, provider=provider, name=name, generator=generator)


_KINDS: Final = {
    str: "a text", list: "a list", type(None): "empty", bool: "true or false", int: "a number",
    float: "a number",
}  # fmt: skip
