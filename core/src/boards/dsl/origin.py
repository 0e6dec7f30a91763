"""Where in Python something was written, so that a mistake is told at its line and column."""

import ast
import linecache
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from types import CodeType, FrameType
from typing import Any

from attrs import field, frozen

from boards.spec.places import Place, Source

__all__ = ["CallSite", "Spot", "caller", "class_statement", "site_of"]


@frozen
class Spot:
    """A place in a Python file, and what stands there, as far as the source tells.

    Attributes:
        place: File, line and column.
        node: The expression, for the places of its parts.
        positional: The names of a call's positional arguments.
        children: Spots that are known otherwise, by key.
        annotation: Of a field: its annotation.
    """

    place: Place
    node: ast.AST | None = None
    positional: tuple[str, ...] = ()
    children: Mapping[str, "Spot"] = field(factory=dict)
    annotation: ast.expr | None = None

    def choices(self) -> list[Any]:
        """The values of the one ``Literal`` in a field's annotation, as they are written.

        ``Literal["b", "a"] | None`` may be the object that ``Literal["a", "b"] | None`` made.
        """
        found = [
            one.slice
            for one in ast.walk(self.annotation or ast.Pass())
            if isinstance(one, ast.Subscript) and _is_literal(one.value)
        ]
        if len(found) != 1:
            return []
        items = found[0].elts if isinstance(found[0], ast.Tuple) else [found[0]]
        return [one.value for one in items if isinstance(one, ast.Constant)]

    def key(self, name: str) -> tuple[Place, "Spot"]:
        """Where a key stands, and its value; here, if that is not seen in the source."""
        if name in self.children:
            return self.children[name].place, self.children[name]
        match self.node:
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == name:
                        return self._at(key).place, self._at(value)
            case ast.Call(args=arguments, keywords=keywords):
                for keyword in keywords:
                    if keyword.arg is not None and keyword.arg.rstrip("_") == name:
                        return self._at(keyword).place, self._at(keyword.value)
                for at, argument in zip(self.positional, arguments, strict=False):
                    if at == name:
                        return self._at(argument).place, self._at(argument)
        return self.place, Spot(self.place)

    def item(self, index: int) -> "Spot":
        """Where an item of a list, or an argument of a call, stands."""
        match self.node:
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Call(args=items):
                if index < len(items) and not any(isinstance(one, ast.Starred) for one in items):
                    return self._at(items[index])
        return Spot(self.place)

    def _at(self, node: ast.expr | ast.keyword) -> "Spot":
        return Spot(_place(self.place.source, node.lineno, node.col_offset), node)


@frozen(eq=False)
class CallSite:
    """An instruction of a code object: what it was that called."""

    code: CodeType
    instruction: int

    def spot(self, positional: tuple[str, ...] = ()) -> Spot:
        """The call, as its file has it."""
        line, end_line, column, end_column = next(
            islice(self.code.co_positions(), self.instruction // 2, None), (None,) * 4
        )
        module = _module(self.code.co_filename)
        begin = line or self.code.co_firstlineno, column or 0
        node = module.calls.get((*begin, end_line, end_column))
        return Spot(_place(module.source, *begin), node, positional)

    def statement(self, name: str) -> Spot:
        """The statement of a class of that name."""
        line = next(islice(self.code.co_positions(), self.instruction // 2, None), (None,))[0]
        at = line or self.code.co_firstlineno
        module = _module(self.code.co_filename)
        named = [one for one in module.classes if one.name == name]
        found = min(named, key=lambda one: abs(one.lineno - at), default=None)
        if found is None:
            return Spot(Place(module.source, at, 1))
        return Spot(
            _place(module.source, found.lineno, found.col_offset),
            found,
            children={**_keywords(found, module.source), **_body(found, module.source)},
        )


def caller(depth: int = 1) -> CallSite:
    """Who called the function that asks; ``depth`` counts further functions between."""
    return site_of(sys._getframe(depth + 1))


def class_statement() -> FrameType:
    """The frame of the ``class`` statement that an ``__init_subclass__`` was called for.

    Between are those of other classes that it inherits from, such as ``Generic``.
    """
    frame = sys._getframe(1)
    while _passes_on(frame) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _passes_on(frame: FrameType) -> bool:
    """Whether a frame is an ``__init_subclass__``; from Python 3.12 on, Generic's is a function."""
    if frame.f_code.co_name == "__init_subclass__":
        return True
    return frame.f_globals.get("__name__") == "typing"


def site_of(frame: FrameType) -> CallSite:
    """What a frame is running now."""
    return CallSite(frame.f_code, frame.f_lasti)


@frozen(eq=False)
class _Module:
    """A file of Python, parsed; without nodes where it is none, as in a console."""

    source: Source
    calls: dict[tuple[int, int, int | None, int | None], ast.Call] = field(factory=dict)
    classes: list[ast.ClassDef] = field(factory=list)


def _module(filename: str) -> _Module:
    return _parsed(filename, "".join(linecache.getlines(filename)), os.getcwd())


@lru_cache(maxsize=64)
def _parsed(filename: str, text: str, directory: str) -> _Module:
    name = filename
    if os.path.isabs(filename) and filename.startswith(directory + os.sep):
        name = os.path.relpath(filename, directory)
    module = _Module(Source(name, text))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return module
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            key = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
            module.calls[key] = node
        elif isinstance(node, ast.ClassDef):
            module.classes.append(node)
    return module


def _place(source: Source, line: int, offset: int) -> Place:
    """A place from an offset in UTF-8 bytes."""
    before = source.line(line).encode()[:offset].decode(errors="ignore")
    return Place(source, line, (len(before) if source.text else offset) + 1)


def _is_literal(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
    return name == "Literal"


def _keywords(found: ast.ClassDef, source: Source) -> dict[str, Spot]:
    return {
        f"class {one.arg}": Spot(_place(source, one.value.lineno, one.value.col_offset), one.value)
        for one in found.keywords
    }


def _body(found: ast.ClassDef, source: Source) -> dict[str, Spot]:
    spots = {}
    for statement in found.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                spots[name] = Spot(_place(source, statement.lineno, statement.col_offset), value)
            case ast.AnnAssign(target=ast.Name(id=name), value=value, annotation=annotation):
                place = _place(source, statement.lineno, statement.col_offset)
                spots[name] = Spot(place, value, annotation=annotation)
    return spots
