"""From a document to a pipeline: ``pipeline:`` at the top, in the generator language's own YAML."""

from typing import Any, Final

from boards.errors import SpecError
from boards.pipelines.model import PipelineSpec
from boards.spec.grammar import BAD, Shape
from boards.spec.places import (
    Document,
    Mapping,
    Place,
    Problems,
    Source,
    did_you_mean,
    locate,
)
from boards.spec.reader import version_known
from boards.spec.salvage import At, salvage_part

__all__ = [
    "from_document",
    "is_pipeline",
    "read_document",
    "read_pipeline",
    "salvage_document",
]

_TOP: Final = ("spec", "pipeline")


def is_pipeline(document: Document) -> bool:
    """Whether a document defines a pipeline, rather than generators."""
    return isinstance(document.root, Mapping) and "pipeline" in document.root


def read_document(document: Document, problems: Problems) -> PipelineSpec | None:
    """Read the pipeline of a document; None where a mistake was noted."""
    root = document.root
    if not isinstance(root, Mapping):
        problems.error(document.place, "expected 'pipeline:' at the top")
        return None
    before = problems.count
    for name in root:
        if name not in _TOP:
            problems.error(root.key_places[name], f"unknown key {name!r}{did_you_mean(name, _TOP)}")
    if "spec" in root and not version_known(root["spec"], root.value_places["spec"], problems):
        return None
    if "pipeline" not in root:
        if problems.count == before:
            problems.error(document.place, "missing key 'pipeline'")
        return None
    return read_pipeline(root["pipeline"], root.value_places["pipeline"], problems)


def read_pipeline(value: Any, place: Place, problems: Problems) -> PipelineSpec | None:
    """Read what stands under ``pipeline:``; None where a mistake was noted."""
    spec = Shape(PipelineSpec).read(value, place, problems)
    return None if spec is BAD else spec


def salvage_document(document: Document) -> tuple[PipelineSpec | None, frozenset[At]]:
    """What can still be read of a document with mistakes; nothing to run.

    Returns:
        The pipeline, if there is something of it; and the places at which a check would only tell
        what reading has told, as :func:`boards.spec.salvage.salvage` does.
    """
    root = document.root
    if not isinstance(root, Mapping) or "pipeline" not in root:
        return None, frozenset()
    if "spec" in root and not version_known(root["spec"], document.place, Problems()):
        return None, frozenset()  # its mistakes may be none in a newer language
    place = root.value_places["pipeline"]
    part, faults = salvage_part(Shape(PipelineSpec), root["pipeline"], place)
    return None if part is BAD else part, faults


def from_document(document: Any) -> PipelineSpec:
    """The pipeline of a run.

    Raises:
        SpecError: A newer release of Boards wrote it.
    """
    problems = Problems()
    place = Place(Source("the pipeline of the run"))
    spec = read_pipeline(locate(document, place), place, problems)
    if spec is None:
        raise SpecError(
            "The pipeline of the run cannot be read.",
            problems.errors,
            remedy="Upgrade: pip install --upgrade boards-core",
        )
    return spec
