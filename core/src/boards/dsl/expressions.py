"""The expressions of Python that make the values of a document again, by their kinds."""

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
from attrs import define, field, frozen

from boards.dsl import parts
from boards.dsl.layout import Call, Code, Every, Expression, Items, Members, Not, flat, quoted
from boards.dsl.references import Names, Path
from boards.dsl.references import Token as TokenObject
from boards.spec.grammar import (
    AnyOf,
    BodyKind,
    Listed,
    Mapped,
    PathKind,
    PredicateKind,
    Shape,
    TemplateKind,
    keys_of,
)
from boards.spec.model import (
    Catalog,
    OutputSpec,
    Poll,
    Reconcile,
    RequestSpec,
    SecretRequest,
    Stream,
    Submit,
    WebSocket,
)
from boards.spec.tokens import Token, parse_template

__all__ = ["Scope", "Writer", "kinds_of", "literal", "plain_name"]

_REQUESTS: Final = (RequestSpec, Submit, Poll, Stream, Reconcile, SecretRequest)
_PARTS: Final = {
    one.model: one
    for one in vars(parts).values()
    if isinstance(one, type) and issubclass(one, parts.Part) and hasattr(one, "model")
}
_VERBS: Final = {"GET": "get", "POST": "post", "PUT": "put", "PATCH": "patch", "DELETE": "delete"}
_ROOTS: Final = frozenset({"input", "config", "run", "job", "prev", "file", "upload", "model"})
_OF_TOKENS: Final = frozenset(name for name in dir(TokenObject) if not name.startswith("_"))
_OF_PATHS: Final = frozenset(name for name in dir(Path) if not name.startswith("_"))
_OF_ROOTS: Final = frozenset({"path_text", "token_text"})


@frozen
class Scope:
    """What expressions refer to.

    Attributes:
        names: The inputs that may be absent.
        inputs: The Python names of inputs that have another one.
        lets: The Python names of the derived values that are defined so far.
        relative: Where paths begin, if not at a reply.
    """

    names: Names = field(factory=Names)
    inputs: Mapping[str, str] = field(factory=dict)
    lets: Mapping[str, str] = field(factory=dict)
    relative: str = ""


@define
class Writer:
    """Writes expressions, and keeps the names of :mod:`boards.dsl` that they use."""

    used: set[str] = field(factory=set)

    def use(self, name: str) -> str:
        """A name, which will be imported."""
        self.used.add(name)
        return name

    def value(self, kind: Any, value: Any, scope: Scope) -> Expression:
        """What makes a value of a document again."""
        match kind:
            case Shape(model=model) if model in _REQUESTS:
                return self.request(model, value, scope)
            case Shape(model=model):
                return self._part(model, value, scope)
            case Mapped(kind=inner):
                written = (
                    (quoted(key), self.value(inner, one, scope)) for key, one in value.items()
                )
                return Members(tuple(written))
            case Listed(kind=inner):
                return Items(tuple(self.value(inner, one, scope) for one in value))
            case AnyOf(kind=inner):
                listed = isinstance(value, list)
                return self.value(Listed(inner) if listed else inner, value, scope)
            case TemplateKind():
                return Code(self.text(value, scope))
            case BodyKind():
                return self.body(value, scope)
            case PredicateKind():
                return self._predicate(value, scope)
            case PathKind():
                return Code(self.path(value, scope))
        return literal(value)

    # Parts

    def arguments(
        self, model: type, document: Mapping[str, Any], scope: Scope, positional: Iterable[str] = ()
    ) -> list[tuple[str | None, Expression]]:
        """What a part is called with."""
        kinds = kinds_of(model)
        written: dict[str, Expression] = {}
        for name, item in document.items():
            at = attrs.evolve(scope, relative=_relative(model, name, document) or scope.relative)
            if model is OutputSpec and name == "mime" and _is_path(item):
                written[name] = Code(self.path(item, at))
            else:
                written[name] = self.value(kinds[name], item, at)
        first: list[tuple[str | None, Expression]] = []
        for name in positional:
            if name not in written:
                break
            first.append((None, written.pop(name)))
        return first + [(_argument(name), one) for name, one in written.items()]

    def _part(self, model: type, document: Mapping[str, Any], scope: Scope) -> Expression:
        part = _PARTS[model]
        # What is positional in Python; a catalog's model is its request.
        names = ("model",) if model is Catalog else parts.positional_keys(part)
        return Call(self.use(part.__name__), tuple(self.arguments(model, document, scope, names)))

    def request(self, model: type, document: Mapping[str, Any], scope: Scope) -> Expression:
        """A request, by its method."""
        method = document.get("method", keys_of(model)["method"].default)
        function = _VERBS.get(method, "request")
        first = [] if method in _VERBS else [(None, literal(method))]
        rest = {name: item for name, item in document.items() if name != "method"}
        if "when" in rest:
            guarded = scope.names.guarded(rest["when"])
            when = self.value(PredicateKind(), rest.pop("when"), scope)
            arguments = self.arguments(model, rest, attrs.evolve(scope, names=guarded), ("path",))
            at = sum(name is None for name, _ in arguments)
            arguments.insert(at, ("when", when))
        else:
            arguments = self.arguments(model, rest, scope, ("path",))
        return Call(self.use(function), (*first, *arguments))

    def submit(self, document: Mapping[str, Any], scope: Scope) -> Expression:
        """A submit, or its variants."""
        if "variants" not in document:
            return self.request(Submit, document, scope)
        calls = tuple((None, self.request(Submit, one, scope)) for one in document["variants"])
        return Call(self.use("variants"), calls)

    # Bodies

    def body(self, value: Any, scope: Scope) -> Expression:
        """JSON with tokens and operators."""
        if isinstance(value, str):
            return Code(self.text(value, scope))
        if isinstance(value, list):
            return Items(tuple(self.body(one, scope) for one in value))
        if not isinstance(value, dict):
            return literal(value)
        operator = next((key for key in value if key.startswith("$")), None)
        if operator is not None:
            return self._operator(operator, value, scope)
        return self._members(value, scope)

    def _members(self, value: Mapping[str, Any], scope: Scope) -> Expression:
        return Members(tuple((quoted(key), self.body(one, scope)) for key, one in value.items()))

    def _operator(self, operator: str, value: Mapping[str, Any], scope: Scope) -> Expression:
        first: list[Expression]
        match operator:
            case "$when":
                within = attrs.evolve(scope, names=scope.names.guarded(value["$when"]))
                condition = self._predicate(value["$when"], scope)
                first = [condition, self.body(value["then"], within)]
            case "$map":
                first = [self.body(value["$map"], scope), self._members(value["to"], scope)]
            case "$each":
                first = [self.body(value[key], scope) for key in ("$each", "do")]
            case "$secret":
                first = [literal(value["$secret"])]
            case _:
                first = [self.body(one, scope) for one in value[operator]]
        arguments: list[tuple[str | None, Expression]] = [(None, one) for one in first]
        if "else" in value:
            arguments.append(("else_", self.body(value["else"], scope)))
        function = {"$map": "map_"}.get(operator, operator[1:])
        return Call(self.use(function), tuple(arguments))

    # Texts, tokens and paths

    def text(self, text: str, scope: Scope) -> str:
        """A text with tokens."""
        template = parse_template(text)
        if (only := template.only_token) is not None:
            return self.token(only, scope)
        if not template.tokens:
            return quoted("".join(str(part) for part in template.parts))
        inner = ""
        for part in template.parts:
            if isinstance(part, str):
                inner += quoted(part, only='"')[1:-1].replace("{", "{{").replace("}", "}}")
            else:
                inner += f"{{{self.token(part, scope)}}}".replace('"', "'")
        return f'f"{inner}"'

    def token(self, token: Token, scope: Scope) -> str:
        """A token."""
        steps = token.steps
        if token.root == "let" and steps:
            begin = scope.lets.get(steps[0]) or self.use("let") + _below(steps[:1], frozenset())
        elif token.root == "item":
            begin = self.use("item") + _below(steps[:1], _OF_TOKENS)
        elif token.root in _ROOTS and steps:
            name = scope.inputs.get(steps[0], steps[0]) if token.root == "input" else steps[0]
            begin = self.use(token.root) + _below([name], _OF_ROOTS)
        elif token.text == f"${{{token.root}}}" and token.root in _ROOTS:
            return self.use(token.root)
        else:
            return f"{self.use('token')}({quoted(token.text)})"
        begin += _below(steps[1:], _OF_TOKENS)
        if token.optional != scope.names.optional_token(token.root, token.name):
            begin += ".optional" if token.optional else ".required"
        return begin + "".join(
            f".{name}_" if name in ("str", "int") else f".{name}" for name in token.filters
        )

    def path(self, text: str, scope: Scope) -> str:
        """A path."""
        first, *rest = _STEP.findall(text)
        if _ODD_INDEX.search(text):
            return f"{self.use('path')}({quoted(text)})"
        if scope.relative and first not in ("input", "let", "config", "run", "job"):
            return self.use(scope.relative) + _path_below([first, *rest], _OF_PATHS)
        if text == "status":
            return self.use("status_code")
        if first in ("body", "header"):
            return self.use(first) + _path_below(rest, _OF_PATHS)
        name = rest[0].removeprefix(".") if rest and rest[0].startswith(".") else ""
        if first == "let" and name in scope.lets:
            return scope.lets[name] + _path_below(rest[1:], _OF_TOKENS)
        if first in _ROOTS and name:
            name = scope.inputs.get(name, name) if first == "input" else name
            begin = self.use(first) + _path_below([f".{name}"], _OF_ROOTS)
            return begin + _path_below(rest[1:], _OF_TOKENS)
        return self.use("element") + _path_below([first, *rest], _OF_PATHS)

    def body_path(self, text: str) -> str:
        """A path that is relative to the body, from the reply on."""
        return self.path(f"body.{text}", Scope())

    # Predicates

    def _predicate(self, document: Mapping[str, Any], scope: Scope) -> Expression:
        conditions = [self._condition(key, value, scope) for key, value in document.items()]
        if len(conditions) == 1:
            return conditions[0]
        return Every(tuple(Code(f"({flat(one)})") if _compares(one) else one for one in conditions))

    def _condition(self, operator: str, value: Any, scope: Scope) -> Expression:
        match operator:
            case "exists":
                return Code(f"{self.path(value, scope)}.exists()")
            case "not":
                return self._negated(value, scope)
            case "status" if isinstance(value, list):
                return Call(f"{self.use('status_code')}.in_", ((None, literal(value)),))
            case "status":
                return Code(f"{self.use('status_code')} == {value}")
        path, operand = self._subject(value[0], scope), value[1]
        if operator == "in":
            listed = Items(tuple(self.body(one, scope) for one in operand))
            return Call(f"{path}.in_", ((None, listed),))
        second = flat(self.body(operand, scope))
        if operator == "eq" and (operand is None or isinstance(operand, bool)):
            return Code(f"{path}.is_({second})")
        if operator == "eq":
            return Code(f"{path} == {second}")
        return Code(f"{path}.{'startswith' if operator == 'prefix' else operator}({second})")

    def _negated(self, document: Mapping[str, Any], scope: Scope) -> Expression:
        if document.keys() == {"eq"} and not isinstance(document["eq"][1], bool | None):
            path, operand = document["eq"]
            second = flat(self.body(operand, scope))
            return Code(f"{self._subject(path, scope)} != {second}")
        inner = self._predicate(document, scope)
        if isinstance(inner, Every) or _compares(inner):
            return Not(inner)
        if isinstance(inner, Call):
            return attrs.evolve(inner, function=f"~{inner.function}")
        return Not(inner) if isinstance(inner, Not) else Code(f"~{flat(inner)}")

    def _subject(self, text: str, scope: Scope) -> str:
        """The path of a comparison; of the bare status, ``==`` would say something else."""
        at = self.path(text, scope)
        return f"{self.use('path')}({quoted(text)})" if at == "status_code" else at


def kinds_of(model: type) -> dict[str, Any]:
    """The kind of each key of a model class."""
    return {name: one.metadata["kind"] for name, one in keys_of(model).items()}


def _relative(model: type, name: str, document: Mapping[str, Any]) -> str:
    """Where the paths of a key begin, if not at a reply."""
    if model is WebSocket:
        return "frame"
    if model is OutputSpec and "each" in document and name in ("from", "mime", "meta"):
        return "element"
    return "element" if model is Reconcile and name in ("where", "capture") else ""


def _compares(expression: Expression) -> bool:
    return isinstance(expression, Code) and re.search(r" [!=]= ", expression.text) is not None


_STEP: Final = re.compile(r"^[A-Za-z0-9_@$:-]+|\.[A-Za-z0-9_@$:-]+|\[[0-9]+\]|\[\*\]")


_ODD_INDEX: Final = re.compile(r"\[0[0-9]")
"""An index that Python does not take as it is written."""


def _is_path(text: str) -> bool:
    return "".join(_STEP.findall(text)) == text != ""


def _argument(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def plain_name(name: str, taken: Iterable[str] = ()) -> bool:
    """Whether it can be an attribute."""
    return (
        name.isidentifier()
        and name.isascii()
        and not keyword.iskeyword(name)
        and not name.startswith("_")
        and name not in taken
    )


def _below(steps: Iterable[str], taken: frozenset[str]) -> str:
    """Steps of a token: ``.a[0]["b-c"]``."""
    written = ""
    for step in steps:
        if plain_name(step, taken):
            written += f".{step}"
        elif step.isdecimal() and str(int(step)) == step:
            written += f"[{step}]"
        else:
            written += f"[{quoted(step)}]"
    return written


def _path_below(steps: Iterable[str], taken: frozenset[str]) -> str:
    """Steps of a path, as written: ``.a``, ``[0]``, ``[*]``."""
    written = ""
    for step in steps:
        if step.startswith("["):
            written += "[:]" if step == "[*]" else step
        else:
            name = step.removeprefix(".")
            written += f".{name}" if plain_name(name, taken) else f"[{quoted(name)}]"
    return written


def literal(value: Any) -> Expression:
    """JSON as Python."""
    if isinstance(value, dict):
        return Members(tuple((quoted(key), literal(one)) for key, one in value.items()))
    if isinstance(value, list | tuple):
        return Items(tuple(literal(one) for one in value))
    return Code(quoted(value) if isinstance(value, str) else repr(value))
