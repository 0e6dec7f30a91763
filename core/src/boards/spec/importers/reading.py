"""A document's text, read: JSON, or YAML as other people write it."""

import json
from typing import Any, Final

import yaml

from boards.errors import SpecError

__all__ = ["parse_document"]

_MAX_DEPTH: Final = 200
_MAX_CHARACTERS: Final = 32 * 1024 * 1024

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainLoader(_Loader):  # type: ignore[misc]  # one of two loaders, by what is installed
    """YAML in which a date is a text, as in JSON."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def parse_document(text: str, name: str) -> Any:
    """Read a JSON or YAML document.

    Args:
        text: The whole of it.
        name: What it is called in messages.

    Raises:
        SpecError: It is neither, or too large or too deep to be a description of an API.
    """
    if len(text) > _MAX_CHARACTERS:
        raise SpecError(f"{name} is too large: it has more than {_MAX_CHARACTERS:,} characters.")
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("<"):
        raise SpecError(
            f"{name} is a web page or XML, not JSON or YAML.",
            remedy="Save the document itself: its address often ends in openapi.json.",
        )
    try:
        return json.loads(start)
    except RecursionError:
        raise SpecError(f"{name} is nested too deeply.") from None
    except ValueError as error:
        if start.startswith(("{", "[")):
            raise SpecError(f"{name} is not JSON: {error}.") from None
    try:
        _refuse_depth(start, name)  # building deep YAML crashes the C library
        return yaml.load(start, Loader=_PlainLoader)  # noqa: S506  # a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        told = " ".join(str(error).split())[:200]
        raise SpecError(f"{name} is neither JSON nor YAML: {told}.") from None


def _refuse_depth(text: str, name: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise SpecError(f"{name} is nested deeper than {_MAX_DEPTH} levels.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
