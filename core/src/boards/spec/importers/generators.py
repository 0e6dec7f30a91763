"""The parts that generators of every importer share: names, the document's head, fixtures."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from boards.errors import SpecError
from boards.spec.importers.inputs import Inputs
from boards.spec.importers.outputs import Outputs

__all__ = ["body_of", "generator_name", "head", "line", "succeeding", "text_of"]

_LONGEST: Final = 400


def generator_name(model: str) -> str:
    """A name of the language for a provider's name of a model: ``owner/name`` is ``owner-name``.

    Raises:
        SpecError: Nothing of the name can stand in one.
    """
    name = re.sub(r"[^a-z0-9._-]+", "-", model.lower()).strip("-._")
    if not name:
        raise SpecError(f"{model!r} has no letter or digit to name a generator by.")
    return name


def text_of(value: Any) -> str:
    """A text of a document on one line; empty where it is none."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def line(value: Any) -> str:
    """A text of a document, on one line and not too long."""
    text = text_of(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rsplit(' ', 1)[0]}…"


def head(
    *,
    name: str,
    provider: str,
    display_name: str,
    description: str,
    docs: str,
    tags: Iterable[str],
    inputs: Inputs,
    outputs: Outputs,
) -> dict[str, Any]:
    """The beginning of a generator, up to ``execution``; what is empty is left out."""
    head_ = {
        "name": name,
        "display_name": display_name,
        "description": description,
        "artifact_type": outputs.artifact_type,
        "provider": provider,
        "docs": docs,
        "tags": list(tags),
    }
    return {
        **{key: value for key, value in head_.items() if value},
        "io": {"input_schema": inputs.schema()},
    }


def body_of(inputs: Inputs) -> dict[str, str]:
    """A JSON body of all inputs."""
    return {one.key: one.token for one in inputs.given}


def succeeding(
    given: Mapping[str, Any], exchanges: list[dict[str, Any]], found: list[dict[str, Any]]
) -> dict[str, Any]:
    """A fixture of a success."""
    return {
        "name": "the document's sample",
        "input": dict(given),
        "exchanges": exchanges,
        "outputs": found,
    }
