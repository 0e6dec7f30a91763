"""The public API as a text, so that a change of it is seen, and is meant.

Public is what the documentation names: its reference, what its examples import, and the hooks.
``python -m tests.public_api --accept`` writes the text down. It refuses what breaks plugins: an
argument of a hook goes a year after it was deprecated, not before.
"""

import ast
import difflib
import inspect
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import Enum
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, get_origin

from boards import hookspecs
from tests.hook_examples import HOOKS, example

ROOT: Final = Path(__file__).parents[1]
KEPT: Final = ROOT / "tests" / "data" / "public-api.txt"
ACCEPT: Final = "python -m tests.public_api --accept"
PAGES: Final = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]

_REFERENCE = re.compile(r"^\.\. auto\w+:: (boards[\w.]*)", re.MULTILINE)
_EXAMPLE = re.compile(r"^( *)```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_HOOK = re.compile(r"^hook (\w+)\((.*)\)$", re.MULTILINE)
_GOES = re.compile(r"(\w+) \[goes after ([0-9-]+)\]")


def documented() -> list[str]:
    """The full names that the documentation names."""
    names = set()
    for page in PAGES:
        text = page.read_text()
        names.update(_REFERENCE.findall(text))
        for indent, code in _EXAMPLE.findall(text):
            names.update(_imported(re.sub(f"^{indent}", "", code, flags=re.MULTILINE)))
    for hook in HOOKS:  # the reference is made of them
        names.update(_imported(example(hook)))
    return sorted(names)


def _imported(code: str) -> Iterator[str]:
    tree = compile(code, "example", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "boards":
            yield from (f"{node.module}.{one.name}" for one in node.names)


def listing() -> str:
    """The public API: one line for each name, and for each member of a class."""
    blocks: dict[tuple[str, ...], None] = {}  # of a class and its members, each once
    for name in documented():
        try:
            found = _find(name)
        except ModuleNotFoundError:  # one that users write themselves; or it is gone: it shows
            continue
        if isinstance(found, ModuleType):
            blocks[(f"module {name}",)] = None
            for public in (one for one in getattr(found, "__all__", ()) if one not in HOOKS):
                blocks[tuple(_described(f"{name}.{public}", getattr(found, public)))] = None
        elif name.rpartition(".")[2] not in hookspecs.__all__ or name.endswith(".hookimpl"):
            blocks[tuple(_described(name, found))] = None
    lines = [line for block in blocks for line in block] + [_hook(name) for name in HOOKS]
    return "".join(f"{line}\n" for line in lines)


def _find(name: str) -> Any:
    """A module, or what is in one."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(import_module(module), attribute) if module else import_module(name)
    except AttributeError:
        return import_module(name)


def _described(name: str, found: Any) -> Iterator[str]:
    if not isinstance(found, type):
        if callable(found) and inspect.isroutine(found):
            yield f"{_kind(found)} {name}{_signature(found)}"
        else:
            values = f" = {found}" if get_origin(found) is Literal else ""
            yield f"data {name}{values}"
        return
    bases = [one.__name__ for one in found.__bases__ if one.__module__.startswith("boards")]
    yield f"class {name}{_signature(found)}{' < ' if bases else ''}{', '.join(bases)}"
    if hasattr(found, "__required_keys__"):  # a TypedDict
        yield from (f"  key {one}" for one in sorted(found.__annotations__))
    elif issubclass(found, Enum):
        yield from (f"  member {one.name} = {one.value!r}" for one in found)
    else:
        yield from sorted(_members(found))


def _members(found: type) -> Iterator[str]:
    seen: set[str] = set()
    for owner in found.__mro__:
        if not owner.__module__.startswith("boards"):
            continue
        for name, member in vars(owner).items():
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            plain = getattr(member, "__func__", member)  # of a classmethod or staticmethod
            if isinstance(member, property | cached_property):
                yield f"  property {name}"
            elif inspect.isfunction(plain):
                yield f"  {_kind(plain)} {name}{_signature(plain)}"


def _kind(function: Any) -> str:
    return "async" if inspect.iscoroutinefunction(function) else "function"


def _signature(found: Any) -> str:
    """Names, kinds and defaults; types are checked where the API is used."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return ""
    bare = [
        one.replace(
            annotation=one.empty,
            default=one.default if one.default is one.empty else _Default(one.default),
        )
        for one in signature.parameters.values()
    ]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


class _Default:
    """A default as a listing shows it: the same in every process."""

    def __init__(self, value: Any) -> None:
        simple = isinstance(value, str | int | float | bool | tuple | None)
        self.text = repr(value) if simple else "..."

    def __repr__(self) -> str:
        return self.text


def _hook(name: str) -> str:
    hook = getattr(hookspecs, name)
    warned = hook.boards_spec.get("warn_on_impl_args") or {}
    shown = []
    for argument in inspect.signature(hook).parameters:
        warning = warned.get(argument)
        goes = getattr(warning, "goes_after", None)
        shown.append(f"{argument} [goes after {goes}]" if goes else argument)
    return f"hook {name}({', '.join(shown)})"


def difference(kept: str, now: str) -> str:
    """What is no longer as it was written down; empty where nothing is."""
    lines = difflib.unified_diff(
        kept.splitlines(), now.splitlines(), KEPT.name, "the code", n=1, lineterm=""
    )
    return "\n".join(lines)


def forbidden(kept: str, now: str, today: date) -> list[str]:
    """Why a change may not be accepted: hooks and arguments that go before their day."""
    after = {name: re.findall(r"(\w+)(?: \[|,|$)", text) for name, text in _HOOK.findall(now)}
    told = []
    for name, text in _HOOK.findall(kept):
        if name not in after:
            told.append(f"the hook {name} is gone: plugins implement it")
            continue
        days = {argument: date.fromisoformat(day) for argument, day in _GOES.findall(text)}
        for argument in re.findall(r"(\w+)(?: \[|,|$)", text):
            if argument in after[name]:
                continue
            day = days.get(argument)
            if day is None:
                told.append(f"{name}: {argument} is gone, and was never deprecated")
            elif today <= day:
                told.append(f"{name}: {argument} may go after {day}")
    return told


def main() -> int:
    """Print the listing, or with ``--accept`` write it down."""
    now = listing()
    if sys.argv[1:] != ["--accept"]:
        print(now, end="")
        return 0
    kept = KEPT.read_text() if KEPT.exists() else ""
    refused = forbidden(kept, now, datetime.now(UTC).date())
    for one in refused:
        print(f"refused: {one}", file=sys.stderr)
    if not refused:
        KEPT.write_text(now)
        print(difference(kept, now) or "nothing changed")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
