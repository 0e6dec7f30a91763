"""The whole schema: files, and the classes of the model."""

import inspect
from functools import singledispatchmethod
from typing import Any, Final

import attrs

from boards.spec.check.rules import AtLeastOne, AtMostOne, Needs, Rule, rules_of
from boards.spec.grammar import (
    AnyOf,
    BodyKind,
    Fields,
    Kind,
    Listed,
    Mapped,
    PathKind,
    PredicateKind,
    Shape,
    TemplateKind,
    keys_of,
)
from boards.spec.model import (
    INSTANCE_NAME,
    SPEC_VERSION,
    GeneratorSpec,
    ProviderSpec,
    Submit,
    SubmitKind,
)
from boards.spec.schema.bodies import BODY, PATH, PREDICATE, TEXT, body_definitions
from boards.spec.schema.values import Json, closed, reference, value_schema

__all__ = ["SCHEMA_DRAFT", "document_schema", "language_schema"]

SCHEMA_DRAFT: Final = "http://json-schema.org/draft-07/schema#"


def language_schema() -> Json:
    """The JSON Schema (draft-07) of a file of the generator language."""
    return _Language().schema()


def document_schema(title: str, key: str, model: type) -> Json:
    """The JSON Schema (draft-07) of a document with one key, whose value is of a model class."""
    language = _Language()
    properties = {"spec": {"const": SPEC_VERSION}, key: language.of(Shape(model))}
    return {
        "$schema": SCHEMA_DRAFT,
        "title": title,
        **closed(properties, [key]),
        "definitions": language.definitions,
    }


_SWITCH: Final = ("name", "provider")


class _Language:
    """Collects the definitions that the schema refers to."""

    def __init__(self) -> None:
        self.definitions = body_definitions()

    def schema(self) -> Json:
        """Of a file, with every definition."""
        switch = {name: self._of_key(keys_of(GeneratorSpec)[name]) for name in _SWITCH}
        # What a host's file may say of an installed generator: that it is switched off.
        switched_off = closed({**switch, "enabled": {"const": False}}, [*_SWITCH, "enabled"])
        properties = {
            "spec": {
                "const": SPEC_VERSION,
                "description": "the version of the language that the file is written in",
            },
            "providers": {
                "type": ["object", "null"],
                "description": "providers by name",
                "propertyNames": self.of(INSTANCE_NAME),
                "additionalProperties": self.of(Shape(ProviderSpec)),
            },
            "generators": {
                "type": ["array", "null"],
                "description": "generators, each of a provider",
                "items": {"anyOf": [self.of(Shape(GeneratorSpec)), switched_off]},
            },
        }
        return {
            "$schema": SCHEMA_DRAFT,
            "title": "Boards generators and providers",
            "description": f"The generator language of Boards, version {SPEC_VERSION}.",
            **closed(properties),
            "definitions": self.definitions,
        }

    @singledispatchmethod
    def of(self, kind: Any) -> Json:
        """The schema of the values that a kind reads."""
        return value_schema(kind)

    @of.register
    def _(self, _kind: TemplateKind) -> Json:
        return TEXT

    @of.register
    def _(self, _kind: PathKind) -> Json:
        return PATH

    @of.register
    def _(self, _kind: PredicateKind) -> Json:
        return PREDICATE

    @of.register
    def _(self, _kind: BodyKind) -> Json:
        return BODY

    @of.register
    def _(self, kind: Mapped) -> Json:
        schema = {"type": "object", "additionalProperties": self.of(kind.kind)}
        return {**schema, "propertyNames": self.of(kind.keys)} if kind.keys.pattern else schema

    @of.register
    def _(self, kind: Listed) -> Json:
        return {"type": "array", "items": self.of(kind.kind)}

    @of.register
    def _(self, kind: AnyOf) -> Json:
        one = self.of(kind.kind)
        return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}

    @of.register
    def _(self, kind: Fields) -> Json:
        return closed({name: self.of(one) for name, one in kind.kinds.items()})

    @of.register
    def _(self, kind: Shape) -> Json:
        name = kind.model.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # a class that refers to itself finds the name taken
            rules = [_of_rule(rule) for rule in rules_of(kind.model)]
            together = {"allOf": rules} if rules else {}
            self.definitions[name] = {**self._of_class(kind.model), **together}
        return reference(name)

    @of.register
    def _(self, _kind: SubmitKind) -> Json:
        if "Variants" not in self.definitions:
            # What a variant lacks may stand beside; what it has too much of stands nowhere.
            rules = [_of_rule(one) for one in rules_of(Submit) if isinstance(one, AtMostOne)]
            variant = {**self._of_class(Submit), "description": "a variant", "allOf": rules}
            shared = self._of_class(Submit)
            shared["properties"].pop("when")
            shared["properties"]["variants"] = {
                "type": "array",
                "minItems": 1,
                "items": variant,
                "description": "the first whose `when` holds; the last has none",
            }
            self.definitions["Variants"] = {
                **shared,
                "description": "keys beside variants are shared",
                "required": ["variants"],
                "allOf": rules,
            }
        return {
            "if": {"type": "object", "required": ["variants"]},
            "then": reference("Variants"),
            "else": self.of(Shape(Submit)),
        }

    def _of_class(self, model: type) -> Json:
        attributes = keys_of(model)
        properties = {name: self._of_key(attribute) for name, attribute in attributes.items()}
        required = [name for name, one in attributes.items() if one.default is attrs.NOTHING]
        first = (inspect.getdoc(model) or "").partition("\n\n")[0]
        return {"description": " ".join(first.split()), **closed(properties, required)}

    def _of_key(self, attribute: "attrs.Attribute[Any]") -> Json:
        kind: Kind = attribute.metadata["kind"]
        schema = self.of(kind)
        described: Json = {}
        if doc := attribute.metadata["doc"]:
            described["description"] = doc
        default = attribute.default
        if isinstance(default, str | bool | int | float) and default != "":
            described["default"] = kind.write(default)
        if not described:
            return schema
        # Draft-07 ignores what stands beside a $ref.
        return {"allOf": [schema], **described} if "$ref" in schema else {**schema, **described}


def _of_rule(rule: Rule) -> Json:
    match rule:
        case AtLeastOne(keys):
            return {"anyOf": [{"required": [key]} for key in keys]}
        case AtMostOne(keys):
            pairs = [
                {"required": [one, other]}
                for index, one in enumerate(keys)
                for other in keys[index + 1 :]
            ]
            return {"not": {"anyOf": pairs}}
        case Needs(key, needed, _, values):
            chosen: Json = {"properties": {key: {"enum": list(values)}}} if values else {}
            return {
                "if": {"required": [key], **chosen},
                "then": {"anyOf": [{"required": [one]} for one in needed]},
            }
