"""``boards import``: the specification of any model, from its provider's own document."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from boards.cli.complete import complete_provider
from boards.cli.exits import Exit
from boards.cli.output import plain
from boards.cli.session import Session, command
from boards.errors import NotFoundError, SpecError, StorageError
from boards.models import heading
from boards.textfiles import replace_text

if TYPE_CHECKING:
    from boards.registry import Registry
    from boards.spec.importers import Imported
    from boards.spec.model import Catalog, ProviderSpec

__all__ = ["ask_for_document", "import_", "importer_of", "read_document"]

_PATH = click.Path(path_type=Path, dir_okay=False)


@command(name="import")
@click.argument("provider", shell_complete=complete_provider)
@click.argument("model", required=False, default="")
@click.option(
    "--file", "document", metavar="DOC", type=_PATH, help="Read the document from a file."
)
@click.option("--openapi", metavar="FILE", type=_PATH, help="Any OpenAPI 3, as JSON or YAML.")
@click.option("--operation", metavar="ID", help="Of --openapi: an operationId, or 'POST /path'.")
@click.option("--name", "generator", metavar="NAME", help="What the generator is called.")
@click.option("--output", metavar="FILE", type=_PATH, help="Write a file, not to stdout.")
@click.option("--force", is_flag=True, help="Let --output replace a file.")
def import_(
    session: Session,
    provider: str,
    model: str,
    document: Path | None,
    openapi: Path | None,
    operation: str | None,
    generator: str | None,
    output: Path | None,
    force: bool,
) -> int:
    """Write the specification of a model, and check it.

    PROVIDER is asked for its document of MODEL: owner/name at Replicate, an endpoint id at fal.
    With --file nothing is asked. With --openapi, PROVIDER is what the API is to be called.
    """
    from boards.spec.importers import import_model  # noqa: PLC0415  # not for --help

    if openapi is not None and document is not None:
        raise click.UsageError("--file and --openapi exclude each other.")
    if operation is not None and openapi is None:
        raise click.UsageError("--operation is of --openapi.")
    if openapi is None and not (model or document):
        raise click.UsageError("Name the MODEL to import.")
    if output is not None and output.exists() and not force:
        raise click.UsageError(f"{output} exists. Add --force to replace it.")
    registry = session.boards(drive=False).registry
    known = _known(registry, provider)
    if openapi is not None:
        found, importer = read_document(openapi), "openapi"
        model = operation or model
    elif document is not None:
        found = read_document(document)
        importer = importer_of(found, known, document)
        model = model or document.name.split(".")[0].replace("__", "/")
    else:
        importer = _catalog(registry, provider).importer
        found = session.run(ask_for_document(session, provider, model))
    imported = import_model(importer, found, provider=provider, name=model, generator=generator)
    if known is not None and imported.providers:
        imported = evolve(imported, providers={})
    return _write(session, imported, provider, model, registry, output)


def _known(registry: "Registry", provider: str) -> "ProviderSpec | None":
    try:
        return registry.provider(provider).spec
    except NotFoundError:
        return None


def _catalog(registry: "Registry", provider: str) -> "Catalog":
    """How a provider is asked for its models.

    Raises:
        NotFoundError: There is no such provider, or it has no catalog.
    """
    catalog = registry.provider(provider).spec.catalog
    if catalog is None:
        raise NotFoundError(
            f"The provider {provider} has no catalog of models to ask.",
            remedy="Give its document: --file DOC.json, or --openapi FILE --operation ID.",
            provider=provider,
        )
    return catalog


async def ask_for_document(session: Session, provider: str, model: str) -> Any:
    """A provider's document of a model, over the network."""
    async with session.asking() as boards:
        return await boards.model_document(provider, model)


def read_document(path: Path) -> Any:
    """A document of a file, JSON or YAML.

    Raises:
        click.UsageError: It cannot be read.
        SpecError: It is neither.
    """
    from boards.spec.importers.reading import parse_document  # noqa: PLC0415  # not for --help

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not UTF-8 text: {error}.") from error
    return parse_document(text, str(path))


def importer_of(found: Any, known: "ProviderSpec | None", path: Path) -> str:
    """What reads a document: what it is by its looks, else what its provider's are.

    Raises:
        SpecError: It is neither.
    """
    looks = found if isinstance(found, dict) else {}
    if looks.keys() & {"latest_version", "openapi_schema"}:
        return "cog"
    info = looks.get("info")
    if isinstance(info, dict) and "x-fal-metadata" in info:
        return "fal"
    if isinstance(info, dict) and info.get("title") == "Cog":
        return "cog"
    if known is not None and known.catalog is not None:
        return known.catalog.importer
    raise SpecError(
        f"{path} is no document of Replicate or fal.",
        remedy=f"If it is an OpenAPI document: --openapi {path} --operation ID",
    )


def _write(
    session: Session,
    imported: "Imported",
    provider: str,
    model: str,
    registry: "Registry",
    output: Path | None,
) -> int:
    from boards.spec import yaml  # noqa: PLC0415  # not for --help
    from boards.spec.check import check_documents  # noqa: PLC0415
    from boards.spec.places import Problems  # noqa: PLC0415
    from boards.spec.writing import to_yaml  # noqa: PLC0415

    text = "\n".join([*heading(imported, provider, model), to_yaml(imported.file())])
    problems = Problems()
    parsed = yaml.parse(text, str(output or "imported.yaml"), problems)
    check_documents(
        [] if parsed is None else [parsed], problems, lambda name: _known(registry, name)
    )
    out = session.out
    if output is not None:
        try:
            replace_text(output, text)
        except OSError as error:
            raise StorageError(
                f"{output} cannot be written: {error.strerror or error}.",
                remedy="Choose another file with --output.",
            ) from error
    if out.json:
        out.value(
            {
                "document": imported.file(),
                "notes": list(imported.notes),
                "version": imported.version,
                "date": imported.date,
                "problems": [str(one) for one in problems.errors],
            }
        )
    elif output is None:
        out.line(text.rstrip("\n"))
    if not out.json:
        for note in imported.notes:
            out.note(f"note: {plain(note)}")
        for one in (*problems.errors, *problems.warnings):
            out.note(str(one))
        if output is not None:
            name = f"{provider}/{imported.document['name']}"
            out.note(f"Wrote {name} to {output}.")
    return Exit.FAILED if problems.errors else Exit.OK
