"""From a spec to Python: the source of the class that says the same.

The source is laid out as formatters lay it out; run, it makes an equal spec.
"""

import builtins
import keyword
import re
from collections.abc import Iterable, Mapping
from inspect import cleandoc
from typing import Any, Final

from attrs import define, evolve, field

from boards import dsl
from boards.docstrings import within_docstring
from boards.dsl.annotations import InputField, field_of, same
from boards.dsl.expressions import Scope, Writer, kinds_of, literal, plain_name
from boards.dsl.generator import PARTS
from boards.dsl.layout import WIDTH, Call, Code, Expression, Items, flat, laid_out
from boards.dsl.references import Names
from boards.spec.grammar import Shape
from boards.spec.model import Execution, GeneratorSpec, OutputSpec, ProviderSpec
from boards.spec.writing import document_of

__all__ = ["python_source"]

_OURS: Final = frozenset({*PARTS, "self", "from_input"})
"""Names that no input can have in a class."""
_USED: Final = frozenset({*_OURS, *dsl.__all__, *dir(builtins), "Any", "Literal"})
"""Names that a class may use itself: an attribute of such a name hides it."""


_TYPES: Final = ("str", "int", "float", "bool", "list", "dict")


def python_source(
    generators: Iterable[GeneratorSpec], providers: Mapping[str, ProviderSpec] | None = None
) -> str:
    """A module of Python: its providers, and a class for each generator.

    Args:
        generators: What to write.
        providers: By name; a generator of one of these refers to the object, not to its name.
    """
    module = _Module()
    for name, spec in (providers or {}).items():
        module.provider(name, spec)
    for generator in generators:
        module.generator(generator)
    return module.text()


@define
class _Module:
    """A module in the making."""

    writer: Writer = field(factory=Writer)
    typing: set[str] = field(factory=set)
    blocks: list[str] = field(factory=list)
    providers: dict[str, str] = field(factory=dict)
    taken: set[str] = field(factory=lambda: {*_USED})

    def text(self) -> str:
        """The whole, imports first."""
        head = f"from typing import {', '.join(sorted(self.typing))}\n\n" if self.typing else ""
        return head + _import("boards.dsl", self.writer.used) + "".join(self.blocks)

    def provider(self, name: str, spec: ProviderSpec) -> None:
        """Add a provider."""
        variable = _unique(_identifier(name), self.taken)
        document = document_of(spec)
        config = document.pop("config", {})
        arguments: list[tuple[str | None, Expression]] = [(None, literal(name))]
        arguments += [
            (key, literal(config.pop(key)))
            for key in ("base_url", "api_key_env")
            if isinstance(config.get(key), str)
        ]
        if config:
            document = {"config": config, **document}
        arguments += self.writer.arguments(ProviderSpec, document, Scope())
        call = Call(self.writer.use("Provider"), tuple(arguments))
        self.blocks.append(f"\n{laid_out(call, prefix=f'{variable} = ')}\n")
        self.providers[name] = variable

    def generator(self, spec: GeneratorSpec) -> None:
        """Add a class."""
        name = _unique(_class_name(spec.name), self.taken)
        tried = evolve(self, writer=Writer(), typing=set())
        _Class(tried, spec, name, _USED).text()  # to know the names that it uses
        used = frozenset({*_OURS, *_TYPES, *tried.writer.used, *tried.typing, *self.providers})
        self.blocks.append(f"\n\n{_Class(self, spec, name, used).text()}")


class _Class:
    """One class in the making."""

    def __init__(
        self, module: _Module, spec: GeneratorSpec, name: str, used: frozenset[str]
    ) -> None:
        self.module = module
        self.writer = module.writer
        self.document = document_of(spec)
        self.run: dict[str, Any] = self.document["execution"]
        self.schema: dict[str, Any] = self.document["io"]["input_schema"]
        properties = self.schema.get("properties")
        self.properties: dict[str, Any] = properties if _are_inputs(properties) else {}
        self.name = name
        self.taken = {*module.taken, *self.properties}
        self.names = {
            name: name if plain_name(name, used) else _unique(_identifier(name), self.taken)
            for name in self.properties
        }
        self.description: str = self.document.pop("description", "")
        self.documented = _is_docstring(self.description)

    def text(self) -> str:
        """The statement."""
        fields, more, optional = self._fields()
        renamed = {name: python for name, python in self.names.items() if python != name}
        lets, scope = self._lets(Scope(Names(optional=optional), renamed))
        attributes = self._attributes(more, scope)
        blocks = [
            [_docstring(self.description)] if self.documented else [],
            fields,
            [
                *lets,
                *(laid_out(one, prefix=f"    {name} = ", indent=4) for name, one in attributes),
            ],
        ]
        body = "\n\n".join("\n".join(lines) for lines in blocks if lines)
        return f"{self._head()}\n{body or '    pass'}\n"

    def _head(self) -> str:
        document: dict[str, Any] = {
            key: self.document[key] for key in _HEADER if key in self.document
        }
        provider = document["provider"]
        known = self.module.providers.get(provider)
        arguments: list[tuple[str | None, Expression]] = [
            (None, Code(self.writer.use("Generator"))),
            ("name", literal(document.pop("name"))),
            ("provider", Code(known) if known else literal(provider)),
            ("artifact", literal(document.pop("artifact_type"))),
        ]
        del document["provider"]
        if self.description and not self.documented:
            document["description"] = self.description
        if "type" in self.run:
            document["type"] = self.run["type"]
        arguments += [(key, literal(one)) for key, one in document.items()]
        return laid_out(Call(self.name, tuple(arguments)), prefix="class ", suffix=":")

    # Inputs

    def _fields(self) -> tuple[list[str], dict[str, Any] | None, frozenset[str]]:
        """The fields, what else the schema says, and the inputs that may be absent."""
        listed = self.schema.get("required")
        required = listed if isinstance(listed, list) else []
        fields = {
            name: field_of(one, required=name in required) for name, one in self.properties.items()
        }
        needed = [name for name, one in fields.items() if "default" not in one.arguments]
        derived = {
            "type": "object",
            **({"required": needed} if needed else {}),
            "properties": {name: one.made for name, one in fields.items()},
        }
        more: dict[str, Any] = {
            key: value
            for key, value in self.schema.items()
            if key not in derived or not same(derived[key], value)
        }
        if not fields or "properties" in more or derived.keys() - self.schema.keys():
            more = self.schema  # merged, it would not come out
        optional = {
            name
            for name, one in fields.items()
            if one.optional and "default" not in one.made and name not in required
        }
        lines = [self._field(name, one) for name, one in fields.items()]
        return lines, None if same(derived, self.schema) else more, frozenset(optional)

    def _field(self, name: str, one: InputField) -> str:
        source = flat(one.annotation)
        words = set(re.findall(r"\w+", re.sub(r"([\"'])(?:\\.|(?!\1).)*\1", "", source)))
        self.module.typing |= words & {"Any", "Literal"}
        self.writer.used |= words & {"Image", "Audio", "Video", "Model", "File"}
        arguments = dict(one.arguments)
        written: list[tuple[str | None, Expression]] = []
        if "default" in arguments:
            written.append(("default", literal(arguments.pop("default"))))
        if self.names[name] != name:
            written.append(("name", literal(name)))
        written += [(key, literal(value)) for key, value in arguments.items()]
        begin = f"    {self.names[name]}: "
        null = one.optional and source != "Any"
        if not written:
            return _annotated(one.annotation, begin, "", null)
        if len(written) == 1 and written[0][0] == "default" and isinstance(written[0][1], Code):
            return _annotated(one.annotation, begin, f" = {written[0][1].text}", null)
        call = Call(self.writer.use("field"), tuple(written))
        head = _annotated(one.annotation, begin, f" = {call.function}(", null)
        head = head.removesuffix(f"{call.function}(")
        before, line, last = head.rpartition("\n")
        return before + line + laid_out(call, prefix=last, indent=4)

    # What happens

    def _lets(self, scope: Scope) -> tuple[list[str], Scope]:
        """The derived values, and the scope of what follows them."""
        lines = []
        for name, value in self.run.get("let", {}).items():
            plain = plain_name(name, self.taken)
            python = name if plain else _unique(_identifier(name), self.taken)
            self.taken.add(python)
            arguments: list[tuple[str | None, Expression]] = [
                (None, self.writer.body(value, scope))
            ]
            if python != name:
                arguments.append(("name", literal(name)))
            call = Call(self.writer.use("let"), tuple(arguments))
            lines.append(laid_out(call, prefix=f"    {python} = ", indent=4))
            scope = evolve(scope, lets={**scope.lets, name: python})
        return lines, scope

    def _attributes(
        self, more: dict[str, Any] | None, scope: Scope
    ) -> list[tuple[str, Expression]]:
        found: list[tuple[str, Expression]] = []
        whole, run = kinds_of(GeneratorSpec), kinds_of(Execution)
        if "cost" in self.document:
            found.append(("cost", self.writer.value(whole["cost"], self.document["cost"], scope)))
        if more is not None:
            found.append(("input_schema", literal(more)))
        if "output_schema" in self.document["io"]:
            found.append(("output_schema", literal(self.document["io"]["output_schema"])))
        for name, value in self.run.items():
            if name == "submit":
                found.append((name, self.writer.submit(value, scope)))
            elif name == "extract":
                found.append(("outputs", self._outputs(value, scope)))
            elif name not in ("type", "let"):
                found.append((name, self.writer.value(run[name], value, scope)))
        if "tests" in self.document:
            found.append(
                ("tests", self.writer.value(whole["tests"], self.document["tests"], scope))
            )
        return found

    def _outputs(self, extract: Mapping[str, Any], scope: Scope) -> Expression:
        listed: list[Expression] = [
            Code(self.writer.body_path(one)) for one in extract.get("output_paths", ())
        ]
        shape = Shape(OutputSpec)
        listed += [self.writer.value(shape, one, scope) for one in extract.get("outputs", ())]
        return listed[0] if len(listed) == 1 else Items(tuple(listed))


_HEADER: Final = (
    "name", "provider", "artifact_type", "display_name", "docs", "tags", "enabled"
)  # fmt: skip


def _annotated(annotation: Expression, begin: str, after: str, null: bool) -> str:
    """A field's annotation between what stands before it and after it."""
    if not null:
        return laid_out(annotation, prefix=begin, suffix=after, indent=4)
    whole = f"{begin}{flat(annotation)} | None{after}"
    if len(whole) <= WIDTH:
        return whole
    inner = f"{' ' * 8}{flat(annotation)} | None"
    if len(inner) > WIDTH:
        inner = f"{laid_out(annotation, prefix=' ' * 8, indent=8)}\n{' ' * 8}| None"
    return f"{begin}(\n{inner}\n    ){after}"


def _are_inputs(properties: Any) -> bool:
    return isinstance(properties, dict) and all(
        isinstance(one, dict) for one in properties.values()
    )


def _is_docstring(text: str) -> bool:
    lines = text.split("\n")
    return (
        bool(text)
        and cleandoc(text) == text
        and all(line.isprintable() and line == line.rstrip() for line in lines)
        and not text.startswith('"')
    )


def _docstring(text: str) -> str:
    first, *others = within_docstring(text).split("\n")
    if not others:
        return f'    """{first}"""'
    indented = "\n".join(f"    {line}" if line else "" for line in others)
    return f'    """{first}\n{indented}\n    """'


def _identifier(text: str) -> str:
    """A name of Python that is like a text."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    if not name or name[0].isdigit():
        name = f"n_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def _class_name(text: str) -> str:
    words = re.split(r"[^A-Za-z0-9]+", text)
    name = "".join(f"{word[:1].upper()}{word[1:]}" for word in words)
    return f"Generator{name}" if name[0].isdigit() else name


def _unique(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _import(module: str, names: Iterable[str]) -> str:
    """An import in the order of isort: constants, classes, the rest."""
    ordered = sorted(names, key=lambda name: (not name[0].isupper(), name))
    line = f"from {module} import {', '.join(ordered)}\n"
    if len(line) <= WIDTH + 1:
        return line
    return f"from {module} import (\n{''.join(f'    {one},{chr(10)}' for one in ordered)})\n"
