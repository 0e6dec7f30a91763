"""A run made ready to be committed: its pipeline checked, its input complete, its files kept."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boards.choosing import choose
from boards.engine.inputs import checked, ingested
from boards.errors import InvalidInputError, Problem, SpecError
from boards.generations import new_id
from boards.pipelines.checking import check_document, check_pipeline, installed
from boards.pipelines.model import PipelineSpec
from boards.runs import PipelineRun, StepRun
from boards.spec import yaml
from boards.spec.places import Problems
from boards.spec.writing import document_of

if TYPE_CHECKING:
    from boards.registry import Registry
    from boards.settings import Settings
    from boards.storage import Storage

__all__ = ["prepared", "read_file", "refuse_mistakes", "unfit"]


def read_file(path: Path, registry: "Registry") -> PipelineSpec:
    """The pipeline of a YAML file.

    Raises:
        SpecError: It cannot be read, or could not run; all mistakes are told, each at its place.
    """
    problems = Problems()
    document = yaml.parse(yaml.load(path), str(path), problems)
    spec = None if document is None else check_document(document, problems, installed(registry))
    if spec is None or problems.errors:
        raise SpecError(f"The pipeline {path} has mistakes.", problems.errors)
    return spec


def refuse_mistakes(spec: PipelineSpec, registry: "Registry") -> set[str]:
    """Refuse a pipeline that could not run.

    Returns:
        The generators that are known, by the names that its steps call them.

    Raises:
        SpecError: It has mistakes; all are told.
    """
    problems = Problems()
    known = check_pipeline(spec, problems, installed(registry))
    if problems.errors:
        raise SpecError(f"The pipeline {spec.name} has mistakes.", problems.errors)
    return {spec.steps[name].generator for name in known}


def unfit(spec: PipelineSpec, problems: Sequence[Problem]) -> InvalidInputError:
    """The error of an input that does not fit a pipeline."""
    return InvalidInputError(
        f"The input does not fit the pipeline {spec.name}; nothing was begun.",
        problems,
        remedy=f"It takes: {', '.join(spec.inputs) or 'nothing'}",
    )


async def prepared(
    spec: PipelineSpec,
    given: Mapping[str, Any],
    registry: "Registry",
    settings: "Settings",
    storage: "Storage",
    *,
    owner: str,
    dedupe_key: str | None,
    priority: int,
) -> PipelineRun:
    """A run of a pipeline, ready to be committed.

    Raises:
        SpecError: The pipeline has mistakes.
        UnavailableError: A step's provider cannot be used; tells why. Nothing was begun.
        InvalidInputError: The input does not fit the pipeline.
    """
    for name in sorted(refuse_mistakes(spec, registry)):
        choose(registry, name, settings.fallback)
    schema = spec.input_schema
    try:
        complete = checked(schema, given, spec.name)
    except InvalidInputError as error:
        raise unfit(spec, error.problems) from error
    steps = (
        StepRun(name=name, generator=step.generator, needs=step.awaits)
        for name, step in spec.steps.items()
    )
    return PipelineRun(
        id=new_id(),
        pipeline=spec.name,
        document=document_of(spec),
        input=await ingested(schema, complete, storage),
        steps=tuple(steps),
        outputs=spec.results,
        owner=owner,
        dedupe_key=dedupe_key,
        priority=priority,
        created_at=time.time(),
    )
