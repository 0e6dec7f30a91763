"""The input of a step, from the input of its run and what other steps made."""

from collections.abc import Mapping
from typing import Any, Final

from boards.artifacts import Artifact
from boards.errors import InvalidInputError, Problem
from boards.lineage import Source
from boards.pipelines.model import Step
from boards.pipelines.references import references
from boards.runs import PipelineRun, StepRun
from boards.spec.operators import Members, compile_body
from boards.spec.predicates import compile_predicate
from boards.spec.tokens import RenderError
from boards.storage import Storage

__all__ = ["MAX_TEXT", "render", "scope_of", "texts_taken", "wanted"]

MAX_TEXT: Final = 1_000_000
"""Bytes of a text that another step may take."""


class _Made(dict[str, Any]):
    """An artifact as tokens see it: itself where it is given whole, its facts by name."""

    artifact: Artifact


async def scope_of(step: Step, run: PipelineRun, storage: Storage) -> Mapping[str, Any]:
    """What the tokens of a step may refer to.

    Raises:
        InvalidInputError: A text that it takes is no text, or too long.
        StorageError: It cannot be read.
    """
    return {
        "input": dict(run.input),
        "steps": {
            name: await _results(run[name], storage, texts=name in step.reads)
            for name in step.awaits
        },
    }


async def _results(made: StepRun, storage: Storage, *, texts: bool) -> dict[str, Any]:
    if not made.artifacts:
        return {"status": made.status}
    artifacts = []
    for one in made.artifacts:
        shown = _Made({**one.as_dict(), "meta": dict(one.meta)})
        shown.artifact = one
        if texts and one.type == "text":
            shown["text"] = await _text(made.name, one, storage)
        artifacts.append(shown)
    told = [one["text"] for one in artifacts if "text" in one]
    return {
        "status": made.status,
        "artifacts": artifacts,
        "meta": artifacts[0]["meta"],
        **({"text": told[0]} if told else {}),
    }


async def _text(step: str, artifact: Artifact, storage: Storage) -> str:
    where = f"steps.{step}.text"
    if artifact.size > MAX_TEXT:
        flaw = f"has {artifact.size:,} bytes; at most {MAX_TEXT:,} may be passed on"
        raise InvalidInputError("A step cannot take this text.", [Problem(where, flaw)])
    data = b"".join([chunk async for chunk in storage.read(artifact.key)])
    try:
        return data.decode()
    except UnicodeDecodeError:
        flaw = f"is {artifact.mime}, and not UTF-8"
        raise InvalidInputError("A step cannot take this text.", [Problem(where, flaw)]) from None


def wanted(step: Step, scope: Mapping[str, Any]) -> bool:
    """Whether the step's ``when`` holds.

    Raises:
        InvalidInputError: It compares with something that is not there.
    """
    try:
        return step.when is None or compile_predicate(step.when)(scope, scope)
    except RenderError as error:
        raise InvalidInputError(
            "A step's condition cannot be told.", [Problem("when", str(error))]
        ) from error


def render(step: Step, scope: Mapping[str, Any]) -> dict[str, Any]:
    """The input of a step.

    Raises:
        InvalidInputError: Something that it takes is not there.
    """
    try:
        rendered = _given(compile_body(step.input)(scope))
    except RenderError as error:
        raise InvalidInputError(
            "A step cannot take what others made.", [Problem("", str(error))]
        ) from error
    if not isinstance(rendered, dict):
        raise InvalidInputError("The input of a step is a mapping of inputs by name.")
    return rendered


def texts_taken(step: Step, run: PipelineRun) -> list[Source]:
    """The artifacts whose text is part of a step's input, beside those that it takes as files."""
    members = step.input.members if isinstance(step.input, Members) else ()
    found: dict[Source, None] = {}
    for name, value in members:
        for one in references(value):
            below = one.token.steps[1:]
            if one.step is None or "text" not in below:
                continue
            made = run[one.step].artifacts
            numbered = below[0] == "artifacts" and below[1].isdecimal()
            texts = [artifact for artifact in made if artifact.type == "text"]
            for artifact in made[int(below[1]) :][:1] if numbered else texts[:1]:
                found[Source(name, artifact.sha256, artifact.id)] = None
    return list(found)


def _given(value: Any) -> Any:
    """A rendered value, artifacts in it as the facade takes them."""
    if isinstance(value, _Made):
        return value.artifact
    if isinstance(value, dict):
        return {name: _given(one) for name, one in value.items()}
    return [_given(one) for one in value] if isinstance(value, list) else value
