"""TypeScript: an interface for each generator's inputs, and a map of all of them by name."""

import json
import re
from collections.abc import Iterable
from typing import Final

from boards.typegen.inputs import GeneratorTypes, class_name, explained
from boards.typegen.shapes import (
    Anything,
    Choice,
    Field,
    File,
    ListOf,
    MapOf,
    OneOf,
    Record,
    Scalar,
    Shape,
)

__all__ = ["HEADER", "typescript"]

HEADER: Final = "// Made by `boards types`"
"""How the file begins; a file that begins otherwise is somebody else's."""

_TOP: Final = f"""{HEADER} from the generators that are installed. Do not edit it: run that again.
/* eslint-disable */

/** A file: an http(s) URL, a data URI, or `artifact:KEY` of an earlier generation. */
export type FileInput = string;
"""
_BOTTOM: Final = """
/** Every name that a generator has. */
export type GeneratorName = keyof Generators;

/** What a generator takes. */
export type InputOf<Name extends GeneratorName> = Generators[Name]["input"];

/** What a generator makes. */
export type ArtifactTypeOf<Name extends GeneratorName> = Generators[Name]["artifactType"];
"""
_TAKEN: Final = frozenset({"FileInput", "Generators", "GeneratorName", "InputOf", "ArtifactTypeOf"})
_SCALARS: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def typescript(generators: Iterable[GeneratorTypes]) -> str:
    """A module of TypeScript with the inputs of generators, as JSON holds them."""
    blocks, entries = [_TOP], []
    taken = set(_TAKEN)
    for one in generators:
        name = f"{class_name(one.names[0])}Input"
        while name in taken:
            name += "_"
        taken.add(name)
        about = "\n".join(one.about)
        record = _record(one.fields, "", open=one.open)
        blocks.append(f"{_comment(about, '')}export interface {name} {record}\n")
        entries += [
            f"  {_text(known)}: {{ input: {name}; artifactType: {_text(one.artifact_type)} }};"
            for known in one.names
        ]
    about = "/** Generators by every name that they have. */"
    blocks.append("\n".join([about, "export interface Generators {", *entries, "}", _BOTTOM]))
    return "\n".join(blocks)


def _record(fields: Iterable[Field], indent: str, *, open: bool = False) -> str:  # noqa: A002
    """An object type."""
    inner = indent + "  "
    lines = []
    for field in fields:
        told = "\n".join(explained(field))
        if "default" in field.schema:
            told += f"\n@default {_text(field.schema['default'])}"
        name = field.name if _IDENTIFIER.fullmatch(field.name) else _text(field.name)
        optional = "" if field.required else "?"
        lines.append(
            f"{_comment(told, inner)}{inner}{name}{optional}: {_type(field.shape, inner)};"
        )
    lines += [f"{inner}[input: string]: unknown;"] if open else []
    return "\n".join(["{", *lines, f"{indent}}}"]) if lines else "{}"


def _type(shape: Shape, indent: str) -> str:
    match shape:
        case Scalar(kind):
            return _SCALARS[kind]
        case Choice(values):
            return " | ".join(map(_text, values))
        case File():
            return "FileInput"
        case ListOf(item):
            return f"readonly ({_type(item, indent)})[]"
        case MapOf(value):
            return f"Record<string, {_type(value, indent)}>"
        case Record(fields):
            return _record(fields, indent)
        case OneOf(options):
            return " | ".join(dict.fromkeys(_type(one, indent) for one in options))
        case Anything():
            return "unknown"


def _comment(text: str, indent: str) -> str:
    """A documentation comment, which a text of somebody else must not end."""
    lines = text.strip().replace("*/", "*\\/").splitlines()
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return "".join([f"{indent}/**\n", *(f"{indent} * {one}\n" for one in lines), f"{indent} */\n"])


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
