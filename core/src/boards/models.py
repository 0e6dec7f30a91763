"""Models that nobody wrote a specification for: imported once, then kept on disk as YAML.

Each file has one generator, ``PROVIDER/MODEL``, with its source's version and date on top. A file
may be edited, and deleted: it is made anew when the model is asked for again.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from boards.discovery import SpecSource, stamp
from boards.errors import Problem, SpecError, StorageError
from boards.textfiles import replace_text

if TYPE_CHECKING:
    from boards.spec.importers import Imported
    from boards.spec.model import ProviderSpec

__all__ = ["ModelFiles", "heading"]


class ModelFiles:
    """The models that were imported on demand.

    Args:
        directory: Where they are kept; made with the first one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, provider: str, model: str) -> Path:
        """Where a model is kept: a provider's name and a model's may have any character."""
        return self.directory / quote(provider, safe="") / f"{quote(model, safe='')}.yaml"

    def sources(self) -> Iterator[SpecSource]:
        """Their files, in order."""
        for path in sorted(self.directory.glob("*/*.yaml")):
            size, mtime_ns = stamp(str(path)) or (0, 0)
            yield SpecSource(str(path), size=size, mtime_ns=mtime_ns)

    def keep(
        self,
        imported: "Imported",
        provider: str,
        model: str,
        known: "Callable[[str], ProviderSpec | None]",
    ) -> Path:
        """Check what was imported, and keep it.

        Args:
            imported: What the importer made of the provider's document.
            provider: The provider instance.
            model: As the provider names it.
            known: The providers that are installed.

        Raises:
            SpecError: It has mistakes: the document is not what the importer knows.
            StorageError: It cannot be written.
        """
        from boards.spec import yaml  # noqa: PLC0415  # loaded where something is imported
        from boards.spec.check import check_documents  # noqa: PLC0415
        from boards.spec.places import Problems  # noqa: PLC0415
        from boards.spec.writing import to_yaml  # noqa: PLC0415

        path = self.path(provider, model)
        text = "\n".join([*heading(imported, provider, model), to_yaml(imported.file())])
        problems = Problems()
        parsed = yaml.parse(text, str(path), problems)
        check_documents([] if parsed is None else [parsed], problems, known)
        if problems.errors:
            notes = [Problem("", note) for note in imported.notes]
            raise SpecError(
                f"{provider} describes {model} in a way that cannot be imported.",
                [*problems.errors, *notes],
                remedy=f"Write its specification: boards import {provider} {model} --output FILE,"
                " then mend it.",
                provider=provider,
            )
        try:
            replace_text(path, text)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error
        return path


def heading(imported: "Imported", provider: str, model: str) -> Iterator[str]:
    """Comments: where a specification is from, and what its source does not tell."""
    source = f"{provider}'s document of {model}" if model else f"a document of {provider}"
    version = f", version {imported.version}" if imported.version else ""
    date = f" of {imported.date}" if imported.date else ""
    yield f"# {_line(f'Imported from {source}{version}{date}.')}"
    for note in imported.notes:
        yield f"# - {_line(note)}"


def _line(text: str) -> str:
    """A text that stays on one line of a comment, whatever a provider put into it."""
    return "".join(one if one.isprintable() else " " for one in text)
