"""From specs back to documents, and from documents to YAML text in the house style.

What is written reads back as an equal spec: keys at their defaults are left out, those that stand
are in the model's order.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from boards.spec.grammar import Shape
from boards.spec.model import SPEC_VERSION, GeneratorSpec, ProviderSpec

__all__ = ["document_of", "file_document", "to_yaml"]

_WIDTH: Final = 100
_FLAT: Final = 2
"""Levels of collections that may stand on one line."""


def document_of(spec: Any) -> dict[str, Any]:
    """A spec, or any part of one that is a model class, as plain dicts, lists and scalars."""
    return Shape(type(spec)).write(spec)


def file_document(
    providers: Mapping[str, ProviderSpec], generators: Iterable[GeneratorSpec]
) -> dict[str, Any]:
    """The document of a whole file."""
    document: dict[str, Any] = {"spec": SPEC_VERSION}
    if providers:
        document["providers"] = {name: document_of(spec) for name, spec in providers.items()}
    if listed := [document_of(spec) for spec in generators]:
        document["generators"] = listed
    return document


def to_yaml(document: Any) -> str:
    """A document as YAML: what fits on a line stands on one, the rest in blocks.

    Texts that this language or another reader of YAML could take for something else are quoted.
    """
    lines: list[str] = []
    _write(document, "", "", lines)
    return "\n".join([*lines, ""])


def _write(value: Any, indent: str, prefix: str, lines: list[str]) -> None:
    """Add a value's lines; ``prefix`` is what stands before it on its first line."""
    if isinstance(value, str) and _is_block(value):
        lines.append(f"{prefix}|{'' if value.endswith(chr(10)) else '-'}")
        lines += [f"{indent}{line}" if line else "" for line in value.rstrip("\n").split("\n")]
        return
    if not isinstance(value, dict | list) or not value:
        lines.append(f"{prefix}{_scalar(value, flow=False)}")
        return
    if prefix and _depth(value) <= _FLAT and len(line := f"{prefix}{_flow(value)}") <= _WIDTH:
        lines.append(line)
        return
    if prefix.endswith(": "):
        lines.append(prefix.rstrip())
        prefix = ""
    named = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in named:
        begin = "- " if key is None else f"{_scalar(key, key=True)}: "
        _write(item, f"{indent}  ", f"{prefix or indent}{begin}", lines)
        prefix = ""  # what stood before the first member stands before no other


def _depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    items = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, items), default=0)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{_scalar(key, key=True)}: {_flow(item)}" for key, item in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value)


_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_QUANTITY = r"[0-9]+(?:ms|s|m|h|KB|MB|GB)"
_PLAIN = re.compile(rf"{_QUANTITY}|[A-Za-z_/](?:[\w ./+@=;()'-]*[\w./+)])?")
_PLAIN_IN_BLOCKS = re.compile(rf"{_QUANTITY}|[A-Za-z_/](?:[\w ,./+@=;()'-]*[\w./+)])?")
_PLAIN_KEY = re.compile(r"[$]?[\w./-]+")


def _scalar(value: Any, *, flow: bool = True, key: bool = False) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return (
            repr(value) if not isinstance(value, dict | list) else ("{}" if value == {} else "[]")
        )
    plain = _PLAIN_KEY if key else _PLAIN if flow else _PLAIN_IN_BLOCKS
    if plain.fullmatch(value) and value.lower() not in _WORDS and not value.startswith("-"):
        return value
    return f'"{"".join(map(_escaped, value))}"'


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def _escaped(one: str) -> str:
    if one in _ESCAPES:
        return _ESCAPES[one]
    if one.isprintable():
        return one
    code = ord(one)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_block(text: str) -> bool:
    """Whether a text reads best, and back, as a literal block."""
    lines = text.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and all(line.isprintable() and line == line.rstrip() for line in lines)
        and not lines[0].startswith(" ")
        and bool(lines[0] and lines[-1])
    )
