"""From a document to a pipeline: ``pipeline:`` at the top, in the generator language's own YAML."""

from pathlib import Path
from typing import Any

from boards.errors import SpecError
from boards.pipelines.model import PipelineSpec
from boards.spec import yaml
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

__all__ = [
    "from_document",
    "is_pipeline",
    "read_document",
    "read_file",
    "read_pipeline",
]

_TOP = ("spec", "pipeline")


def is_pipeline(document: Document) -> bool:
    """Whether a document defines a pipeline, rather than generators."""
    return isinstance(document.root, Mapping) and "pipeline" in document.root


def read_file(path: Path) -> PipelineSpec:
    """The pipeline of a YAML file, as far as the file alone tells whether it is right.

    Raises:
        SpecError: It cannot be read, or has mistakes; all are told, each at its place.
    """
    problems = Problems()
    document = yaml.parse(yaml.load(path), str(path), problems)
    spec = None if document is None else read_document(document, problems)
    if spec is None or problems.errors:
        raise SpecError(f"The pipeline {path} has mistakes.", problems.errors)
    return spec


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
