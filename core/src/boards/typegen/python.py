"""Stubs for Python: ``generate`` and its like know each generator's inputs.

They stand in for two modules of Boards, :mod:`boards` and :mod:`boards.sync`; every other module,
and every other method, is the installed one.
"""

import json
import keyword
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Final

import boards.sync
from boards import blocking_facade, facade
from boards.docstrings import within_docstring
from boards.facade import RESERVED
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
from boards.typegen.signatures import Signature, imports, signature, signatures

__all__ = ["HEADER", "stubs"]

HEADER: Final = "# Made by `boards stubs`"
"""How each file begins; a file that begins otherwise is somebody else's."""

_TOP: Final = f"""{HEADER} from the generators that are installed. Do not edit it: run that again.
# mypy: disable-error-code="override"
# pyright: reportIncompatibleMethodOverride=false
# ruff: noqa
"""
_INPUTS: Final = '''\
"""What generators take. For type checkers: there is nothing to import at run time."""

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any, Literal, NotRequired, Protocol, TypeAlias, TypedDict, TypeVar

from boards.artifacts import Artifact

_T_co = TypeVar("_T_co", covariant=True)

File: TypeAlias = str | bytes | bytearray | PathLike[str] | Artifact
"""A path, bytes, an http(s) URL, a data URI, or an artifact of an earlier generation."""

class Items(Protocol[_T_co]):
    """A list or a tuple. A text is none, though it is a sequence of texts."""

    def __contains__(self, value: object, /) -> bool: ...
    def __getitem__(self, index: int, /) -> _T_co: ...
    def __iter__(self) -> Iterator[_T_co]: ...
    def __len__(self) -> int: ...
'''
_TAKEN: Final = frozenset(
    {"Any", "Artifact", "File", "Items", "Iterator", "Literal", "Mapping", "NotRequired"}
    | {"PathLike", "Protocol", "TypeAlias", "TypeVar", "TypedDict"}
)
_SCALARS: Final = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}


def stubs(generators: Iterable[GeneratorTypes]) -> dict[str, str]:
    """Stubs that overload the facades by the names of generators.

    Returns:
        The files, by their paths below the directory of stubs.
    """
    named = _named(generators)
    return {
        "boards/__init__.pyi": _facade(boards, facade.Facade, named),
        "boards/generator_inputs.pyi": _inputs(named),
        "boards/sync.pyi": _facade(boards.sync, blocking_facade.Facade, named),
    }


def _named(generators: Iterable[GeneratorTypes]) -> dict[str, GeneratorTypes]:
    """Generators by the names of their inputs' classes; no two are the same."""
    found: dict[str, GeneratorTypes] = {}
    for one in generators:
        name = class_name(one.names[0])
        while name in found or name in _TAKEN:
            name += "_"
        found[name] = one
    return found


# Facades


def _facade(public: ModuleType, base: type, named: Mapping[str, GeneratorTypes]) -> str:
    """The stub of a public module, whose two facades have the calls of a base, overloaded."""
    host, scoped = vars(public)["Boards"], vars(public)["ScopedBoards"]
    all_signatures = signatures(base)
    as_owner = signature(host, "as_owner")
    used = {name for one in all_signatures for name in one.names}
    lines = sorted(
        {
            "from typing import Literal, Unpack, overload",
            "from boards import generator_inputs as _inputs",
            f"from {host.__module__} import Boards as _Boards",
            f"from {scoped.__module__} import ScopedBoards as _ScopedBoards",
            f"from {base.__module__} import Facade as _Facade",
            *imports(_module(base), used),
            *imports(_module(host), as_owner.names - {"ScopedBoards"}),
            *imports(public, set(public.__all__) - {"Boards", "ScopedBoards"}),
        }
    )
    overloads = [text for one in all_signatures for text in _overloads(one, named)] or ["    ..."]
    classes = [
        f"__all__ = {json.dumps(public.__all__)}",
        "\n".join(["class _Typed(_Facade):", *overloads]),
        "class ScopedBoards(_Typed, _ScopedBoards):\n    ...",
        f"class Boards(_Typed, _Boards):\n{as_owner.alone()}",
    ]
    return _TOP + "\n\n".join(["\n".join(lines), *classes])


def _module(class_: type) -> ModuleType:
    return sys.modules[class_.__module__]


def _overloads(signature: Signature, named: Mapping[str, GeneratorTypes]) -> list[str]:
    """A signature for each generator, and for names that are known only at run time."""
    if not named:
        return []
    if not signature.takes_name:
        return [signature.as_it_is()]
    made = []
    for name, one in named.items():
        literal = f"Literal[{', '.join(map(_text, one.names))}]"
        holder = _holder(one, f"_inputs.{name}")
        keywords = "Any" if one.open else f"Unpack[_inputs.{name}]"
        made.append(signature.overload(literal, given=holder, inputs=keywords))
    given = signature.annotation("input").removesuffix(" | None")
    return [*made, signature.overload("str", given=given, inputs=signature.annotation("inputs"))]


def _holder(one: GeneratorTypes, class_: str) -> str | None:
    """The annotation of ``input`` where some inputs can be given in no other way."""
    fields = [field for field in one.fields if not _is_keyword_argument(field.name)]
    if not fields:
        return None
    return f"{class_}_input" + ("" if any(field.required for field in fields) else " | None")


def _is_keyword_argument(name: str) -> bool:
    return _is_attribute(name) and name not in RESERVED


def _is_attribute(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


# Inputs


def _inputs(named: Mapping[str, GeneratorTypes]) -> str:
    module = _Inputs()
    for name, one in named.items():
        about = "\n\n    ".join(one.about)
        keywords = [field for field in one.fields if _is_keyword_argument(field.name)]
        others = [field for field in one.fields if not _is_keyword_argument(field.name)]
        module.add(name, keywords, about)
        if others:
            module.add(f"{name}_input", others, f"What `input={{...}}` is for: {one.names[0]}.")
    return _TOP + "\n".join([_INPUTS, *module.classes])


class _Inputs:
    """Classes of inputs; those that others are made of come first.

    Attributes:
        classes: Their source.
    """

    def __init__(self) -> None:
        self.classes: list[str] = []
        self._names: set[str] = set()

    def add(self, name: str, fields: Iterable[Field], doc: str = "") -> None:
        """Add a TypedDict."""
        self._names.add(name)
        annotated = [
            (field, self._annotation(field.shape, f"{name}_{class_name(field.name)}"))
            for field in fields
        ]
        annotated = [
            (field, annotation if field.required else f"NotRequired[{annotation}]")
            for field, annotation in annotated
        ]
        if all(_is_attribute(field.name) for field, _ in annotated):
            lines = [f"class {name}(TypedDict):"]
            lines += [f'    """{within_docstring(doc)}"""', ""] if doc else []
            lines += [] if doc or annotated else ["    ..."]
            for field, annotation in annotated:
                lines.append(f"    {field.name}: {annotation}")
                lines += [f'    """{within_docstring(told)}"""'] if (told := _told(field)) else []
        else:
            keys = [f"    {_text(field.name)}: {annotation}," for field, annotation in annotated]
            lines = [f'{name} = TypedDict("{name}", {{', *keys, "})"]
        self.classes.append("\n".join(lines) + "\n")

    def _annotation(self, shape: Shape, name: str) -> str:
        """The type of a value; ``name`` is for a class, if it takes one."""
        match shape:
            case Scalar(kind):
                return _SCALARS[kind]
            case Choice(values):
                return _choice(values)
            case File():
                return "File"
            case ListOf(item):
                return f"Items[{self._annotation(item, name)}]"
            case MapOf(value):
                return f"Mapping[str, {self._annotation(value, name)}]"
            case Record(fields):
                while name in self._names:
                    name += "_"
                self.add(name, fields)
                return name
            case OneOf(options):
                made = [
                    self._annotation(one, f"{name}_{number}")
                    for number, one in enumerate(options, 1)
                ]
                return " | ".join(dict.fromkeys(made))
            case Anything():
                return "Any"


def _choice(values: tuple[object, ...]) -> str:
    """A literal type, which knows no floats."""
    literal = [one for one in values if not isinstance(one, float)]
    made = [f"Literal[{', '.join(_text(one) for one in literal)}]"] if literal else []
    return " | ".join(made + ["float"] * (len(literal) < len(values)))


def _told(field: Field) -> str:
    default = f"By default {_text(field.schema['default'])}." if "default" in field.schema else ""
    return " ".join(filter(None, (*explained(field), default)))


def _text(value: object) -> str:
    """A JSON value as Python spells it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
