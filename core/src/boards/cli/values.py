"""``key=value`` arguments as inputs, typed by the generator's schema.

``key=value``
    The schema says what the text is: an integer, a number, ``true``, a string. ``null`` where null
    is allowed. A list or a mapping is JSON; a list may also be given item by item, by repeating the
    key. Where several types are allowed, the first that fits counts.
``key=@path``
    A file, for an input that takes files; for any other, the text is what it is.
``key=ID`` or ``key=ID.N``
    An artifact of an earlier generation, for an input that takes files.
``key:=JSON``
    JSON, whatever the schema says.
"""

import json
import math
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from boards.artifacts import REFERENCE_PREFIX, Artifact
from boards.errors import InvalidInputError, NotFoundError, Problem

if TYPE_CHECKING:
    from boards.generations import Generation
    from boards.spec.inputs import InputSchema

__all__ = ["Pair", "read_inputs", "read_mapping", "refused", "split", "typed"]

Pair = tuple[str, str, bool]
"""Name, text, and whether the text is JSON by ``:=``."""

_PAIR: Final = re.compile(r"([A-Za-z_][\w.-]*)(:?=)(.*)", re.DOTALL)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_GENERATION: Final = re.compile(r"([0-9a-hjkmnp-tv-z]{6,26})(?:\.([0-9]{1,3}))?")
_URL: Final = ("https://", "http://", "data:", REFERENCE_PREFIX)

_UNFIT: Final = object()
"""The text is nothing of the type."""


def split(arguments: Iterable[str]) -> list[Pair]:
    """Take ``key=value`` and ``key:=JSON`` apart.

    Raises:
        click.UsageError: An argument is neither.
    """
    pairs = []
    for argument in arguments:
        match = _PAIR.fullmatch(argument)
        if match is None:
            raise click.UsageError(
                f"{argument!r} is no input: write key=value, for example prompt='a cat'."
            )
        pairs.append((match[1], match[3], match[2] == ":="))
    return pairs


def read_mapping(source: str) -> dict[str, Any]:
    """The inputs of ``--input``: a JSON or YAML mapping, in a file or on stdin (``-``).

    Raises:
        click.UsageError: It cannot be read, or is no mapping.
    """
    name = "standard input" if source == "-" else source
    try:
        with click.open_file(source, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise click.UsageError(f"--input {name} cannot be read: {reason}.") from error
    try:
        value = json.loads(text)
    except ValueError:
        value = _yaml(text, name)
    if not isinstance(value, dict):
        raise click.UsageError(f"--input {name} is no mapping of inputs.")
    return value


def _yaml(text: str, name: str) -> Any:
    from boards.spec import yaml  # noqa: PLC0415  # slow to import, and JSON does without
    from boards.spec.places import Problems, plain  # noqa: PLC0415

    problems = Problems()
    document = yaml.parse(text, name, problems)
    if document is None or problems.errors:
        told = "\n".join(str(problem) for problem in problems.errors)
        raise click.UsageError(f"--input {name} is neither JSON nor YAML.\n{told}".rstrip())
    return plain(document.root)


async def read_inputs(
    pairs: Iterable[Pair],
    mapping: Mapping[str, Any],
    schema: "InputSchema",
    get: "Callable[[str], Awaitable[Generation]]",
) -> tuple[dict[str, Any], list[Problem]]:
    """Inputs for :meth:`boards.Boards.submit`.

    Args:
        pairs: From the command line; they win over the mapping.
        mapping: From ``--input``; typed already.
        schema: The generator's.
        get: Finds an earlier generation by its id.

    Returns:
        The inputs, and what is wrong with how they are written. What is wrong with their values
        is found when they are checked.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = dict(mapping)
    texts: dict[str, list[str]] = {}
    for name, text, is_json in pairs:
        if not is_json:
            texts.setdefault(name, []).append(text)
            continue
        try:
            values[name] = json.loads(text)
        except ValueError as error:
            problems.append(Problem(name, f"what follows := is no JSON: {error}"))
    files = {one.name: one for one in schema.files}
    for name, given in texts.items():
        declared = schema.properties.get(name)
        many = (files[name].many if name in files else False) or _takes_list(declared, schema)
        if len(given) > 1 and not many and name in schema.properties:
            problems.append(Problem(name, "is given more than once, and is no list"))
        values[name] = _value(given, declared, schema, many=many, file=name in files)
    for name, one in files.items():
        if name not in values:
            continue
        items = values[name] if one.many and isinstance(values[name], list) else [values[name]]
        found = [await _file(name, item, get, problems) for item in items]
        values[name] = found if items is values[name] else found[0]
    return values, problems


def _value(
    given: list[str], declared: Any, schema: "InputSchema", *, many: bool, file: bool
) -> Any:
    text = given[-1]
    if many:
        if len(given) == 1 and text.lstrip().startswith("["):
            value = _json(text, list)
            return text if value is _UNFIT else value
        if len(given) == 1 and text == "null":
            return typed(text, declared, schema.schema)
        items = _items(declared, schema)
        return [one if file else typed(one, items, schema.schema) for one in given]
    if file:
        return None if text == "null" and typed(text, declared, schema.schema) is None else text
    return typed(text, declared, schema.schema)


def typed(text: str, declared: Any, root: Mapping[str, Any]) -> Any:
    """A text as the schema says; the text itself where it is nothing that is allowed.

    Args:
        text: What stands behind the ``=``.
        declared: The input's own schema.
        root: The whole schema, for ``$ref``.
    """
    alternatives = list(_alternatives(declared, root))
    if not alternatives:
        value = _json(text, object)
        return text if value is _UNFIT else value
    if text == "null" and "null" in alternatives:
        return None
    for one in alternatives:
        value = _as(text, one)
        if value is not _UNFIT:
            return value
    return text


def _alternatives(declared: Any, root: Mapping[str, Any], depth: int = 0) -> Iterable[Any]:
    """What a schema allows, in its order: names of types, or a tuple of constants."""
    if not isinstance(declared, Mapping) or depth > 8:
        return
    if isinstance(reference := declared.get("$ref"), str):
        yield from _alternatives(_referenced(reference, root), root, depth + 1)
    constants = declared["enum"] if "enum" in declared else [declared.get("const", _UNFIT)]
    if isinstance(constants, list) and constants != [_UNFIT]:
        yield tuple(constants)
        return
    kinds = declared.get("type", ())
    yield from [kinds] if isinstance(kinds, str) else kinds
    for keyword in ("anyOf", "oneOf", "allOf"):
        for one in declared.get(keyword) or ():
            yield from _alternatives(one, root, depth + 1)


def _referenced(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if found else None
    return found


def _as(text: str, kind: Any) -> Any:
    if isinstance(kind, tuple):
        return next((one for one in kind if _written(one) == text), _UNFIT)
    match kind:
        case "string":
            return text
        case "boolean":
            return {"true": True, "false": False}.get(text.lower(), _UNFIT)
        case "integer":
            return int(text) if _INTEGER.fullmatch(text) and len(text) < 100 else _UNFIT
        case "number":
            return _number(text)
        case "array":
            return _json(text, list)
        case "object":
            return _json(text, dict)
        case _:
            return _UNFIT


def _written(constant: Any) -> str:
    return constant if isinstance(constant, str) else json.dumps(constant)


def _number(text: str) -> Any:
    if _INTEGER.fullmatch(text) and len(text) < 100:
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return _UNFIT
    return number if math.isfinite(number) else _UNFIT


def _json(text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return _UNFIT
    return value if isinstance(value, kind) else _UNFIT


def _takes_list(declared: Any, schema: "InputSchema") -> bool:
    return next(iter(_alternatives(declared, schema.schema)), None) == "array"


def _items(declared: Any, schema: "InputSchema") -> Any:
    if not isinstance(declared, Mapping):
        return None
    if "items" in declared:
        return declared["items"]
    if isinstance(reference := declared.get("$ref"), str):
        return _items(_referenced(reference, schema.schema), schema)
    return next(
        (found for one in declared.get("anyOf") or () if (found := _items(one, schema))), None
    )


def _path(text: str) -> Path:
    return Path(os.path.expanduser(text))  # the home of nobody stays as it was written


async def _file(
    name: str,
    value: Any,
    get: "Callable[[str], Awaitable[Generation]]",
    problems: list[Problem],
) -> Any:
    """A file input as the facade takes it."""
    if not isinstance(value, str) or value.startswith(_URL):
        return value
    if value.startswith("@"):
        return _path(value[1:])
    match = _GENERATION.fullmatch(value)
    if match is None:
        return value  # the check tells what a file may be
    try:
        generation = await get(match[1])
    except NotFoundError:
        return value
    artifacts: tuple[Artifact, ...] = generation.artifacts
    number = int(match[2] or 0)
    if number < len(artifacts):
        return artifacts[number]
    told = f"it has {len(artifacts)}" if artifacts else f"it is {generation.status} and has none"
    problems.append(Problem(name, f"generation {generation.id} has no artifact {number}: {told}"))
    return value


def refused(
    problems: list[Problem], error: InvalidInputError | None, generator: str
) -> InvalidInputError:
    """One error of how the inputs are written and of what is wrong with their values."""
    mine = {problem.where for problem in problems}
    others = [one for one in (error.problems if error else ()) if one.where not in mine]
    return InvalidInputError(
        "The input does not fit the generator; nothing was sent.",
        [*problems, *others],
        generator=generator,
        remedy=f"See what it takes: boards show {generator}",
    )
