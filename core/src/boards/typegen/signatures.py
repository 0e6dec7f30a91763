"""The facades' own signatures, read from their source: what stubs repeat is never out of date."""

import ast
import copy
import inspect
import textwrap
from collections.abc import Iterable
from types import ModuleType
from typing import Final

from attrs import frozen

__all__ = ["Signature", "imports", "signature", "signatures"]

_ELLIPSIS: Final = ast.Expr(ast.Constant(...))


@frozen
class Signature:
    """A signature of a method that takes the name of a generator and its inputs.

    Attributes:
        node: The definition, its annotations unquoted.
        takes_name: False where the method takes something else in this signature.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef
    takes_name: bool

    @property
    def names(self) -> set[str]:
        """The names that the signature uses."""
        return {one.id for one in ast.walk(self.node) if isinstance(one, ast.Name)}

    def annotation(self, argument: str) -> str:
        """The annotation of a keyword, or of those that have no names."""
        arguments = self.node.args
        found = [*arguments.kwonlyargs, *([arguments.kwarg] if arguments.kwarg else [])]
        annotation = next(one.annotation for one in found if one.arg == argument)
        return "Any" if annotation is None else ast.unparse(annotation)

    def alone(self) -> str:
        """The signature as the only one, in one line."""
        return _stub(copy.deepcopy(self.node))

    def as_it_is(self) -> str:
        """The signature as one of several, in one line."""
        return _overload(copy.deepcopy(self.node))

    def overload(self, name: str, *, given: str | None, inputs: str) -> str:
        """The signature with other annotations, as one of several, in one line.

        Args:
            name: The annotation of the generator's name.
            given: The annotation of ``input``, then obligatory unless it is a union with None;
                without one, it cannot be given.
            inputs: The annotation of the other keywords.
        """
        made = copy.deepcopy(self.node)
        arguments = made.args
        arguments.posonlyargs[1].annotation = _expression(name)
        if arguments.kwarg is not None:
            arguments.kwarg.annotation = _expression(inputs)
        where = [one.arg for one in arguments.kwonlyargs].index("input")
        if given is None:
            del arguments.kwonlyargs[where], arguments.kw_defaults[where]
        else:
            arguments.kwonlyargs[where].annotation = _expression(given)
            if not given.endswith("| None"):
                arguments.kw_defaults[where] = None
        return _overload(made)


def signatures(facade: type) -> list[Signature]:
    """The methods of a class that take a generator's inputs.

    Of a method that has overloads, each of those.
    """
    found: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
    for one in _methods(facade):
        found.setdefault(one.name, []).append(one)
    return [
        Signature(_unquoted(one), _takes_inputs(one))
        for same in found.values()
        if any(map(_takes_inputs, same))
        for one in ([each for each in same if each.decorator_list] or same)
    ]


def signature(facade: type, name: str) -> Signature:
    """A method of a class, without its body."""
    (found,) = [one for one in _methods(facade) if one.name == name]
    return Signature(_unquoted(found), takes_name=False)


def _methods(facade: type) -> "list[ast.FunctionDef | ast.AsyncFunctionDef]":
    source = ast.parse(textwrap.dedent(inspect.getsource(facade)))
    (class_,) = [one for one in source.body if isinstance(one, ast.ClassDef)]
    return [one for one in class_.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]


def _takes_inputs(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = node.args
    keywords = {one.arg for one in arguments.kwonlyargs}
    return arguments.kwarg is not None and arguments.kwarg.arg == "inputs" and "input" in keywords


def _overload(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return f"    @overload\n{_stub(node)}"


def _stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    node.decorator_list, node.body = [], [_ELLIPSIS]
    return f"    {ast.unparse(node).replace(chr(10) + '    ', ' ')}\n"


def imports(module: ModuleType, names: Iterable[str]) -> list[str]:
    """The imports that names need, as a module has them; builtins need none."""
    tree = ast.parse(inspect.getsource(module))
    found = set()
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom):
            found |= {
                f"from {statement.module} import {one.name} as {one.asname or one.name}"
                for one in statement.names
                if (one.asname or one.name) in names
            }
        elif isinstance(statement, ast.Import):
            found |= {f"import {one.name}" for one in statement.names if one.name in names}
    return sorted(found)


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Unquoting(ast.NodeTransformer):
    """Quoted annotations as expressions; a stub may name what stands further down."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = _bare(node.annotation)
        return node


def _unquoted(
    node: ast.FunctionDef | ast.AsyncFunctionDef,
) -> ast.FunctionDef | ast.AsyncFunctionDef:
    node.args = _Unquoting().visit(node.args)
    node.returns = _bare(node.returns)
    node.body = []
    return node


def _bare(annotation: ast.expr | None) -> ast.expr | None:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _expression(annotation.value)
    return annotation
