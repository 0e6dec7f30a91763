"""From a class to its spec."""

from collections.abc import Iterator, Mapping
from inspect import cleandoc, get_annotations
from typing import Any, Final

import attrs

from boards.dsl.document import Writer
from boards.dsl.generator import PARTS, Generator
from boards.dsl.inputs import default_of, property_of
from boards.dsl.origin import Spot
from boards.dsl.parts import Output, Part
from boards.dsl.provider import Provider
from boards.dsl.references import Let, Names, Path
from boards.errors import SpecError
from boards.spec.check import check_documents
from boards.spec.grammar import Shape, keys_of
from boards.spec.model import Execution, GeneratorSpec
from boards.spec.places import Document, Place, Problems, Sequence, Source, nearest
from boards.spec.places import Mapping as Node
from boards.spec.reader import read_document

__all__ = ["compiled", "document_of", "fields_of", "input_name"]

_SPEC: Final = "__boards_compiled__"
_RUNS: Final = tuple(name for name in keys_of(Execution) if name not in ("type", "let", "extract"))


def compiled(generator: type[Generator]) -> GeneratorSpec:
    """The spec of a class; read and checked once.

    Raises:
        SpecError: The class has mistakes; all of them are told, each at its line.
    """
    known: GeneratorSpec | None = vars(generator).get(_SPEC)
    if known is None:
        known = _Compiling(generator, Problems()).spec()
        setattr(generator, _SPEC, known)
    return known


def document_of(generator: type[Generator], problems: Problems) -> Document:
    """A class as a document of the language, unread: with its provider, if that comes along."""
    return _Compiling(generator, problems).document()


def fields_of(generator: type[Generator]) -> "tuple[attrs.Attribute[Any], ...]":
    """The fields of a class, which are its inputs; their types are types.

    Raises:
        NameError: An annotation that is a text names what is not there; others as it is code.
    """
    found: Any = generator
    fields: tuple[attrs.Attribute[Any], ...] = tuple(attrs.fields(found))
    if any(isinstance(one.type, str) for one in fields):
        hints: dict[str, Any] = {}
        for one in reversed(generator.__mro__):
            names, local = vars(one).get("__boards_names__", ({}, {}))
            hints |= get_annotations(one, globals=names, locals=local, eval_str=True)
        for attribute in fields:  # as attrs.resolve_types does, which knows modules only
            object.__setattr__(attribute, "type", hints[attribute.name])
    return fields


def input_name(attribute: "attrs.Attribute[Any]") -> str:
    """What the generator calls an input."""
    name, _ = attribute.metadata.get("boards", (None, {}))
    return attribute.name if name is None else name


class _Compiling:
    """One class on its way to a spec."""

    def __init__(self, generator: type[Generator], problems: Problems) -> None:
        self.generator = generator
        self.header = generator.__boards_header__
        self.problems = problems
        self.properties: dict[str, Any] = {}
        self.spots = {one: _spot_of(one) for one in generator.__mro__ if issubclass(one, Generator)}
        self.here = self.spots[generator]
        self.fields: tuple[attrs.Attribute[Any], ...] = ()
        try:
            self.fields = fields_of(generator)
        except Exception as error:  # an annotation is any code
            self.problems.error(self.here.place, f"an annotation cannot be read: {error}")

    def document(self) -> Document:
        """The document that a file of this generator, and of its provider, would be."""
        self._look_for_slips()
        schema, optional = self._input_schema()
        lets = dict(self._lets())
        names = Names(self._renamed(), optional, {one._root: name for name, one in lets.items()})
        writer = Writer(names, self.problems)
        written = writer.write(Shape(GeneratorSpec), *self._document(schema, lets))
        place = self.here.place
        provider = self.header.get("provider")
        root = provider.document(self.problems) if isinstance(provider, Provider) else Node(place)
        listed = Sequence(place)
        listed.append(written)
        listed.item_places.append(place)
        root.put("generators", listed, place, place)
        return Document(place.source, root, place)

    def spec(self) -> GeneratorSpec:
        """The spec, checked."""
        document = self.document()
        check_documents([document], self.problems)
        if self.problems.errors:
            raise SpecError(
                f"The generator class {self.generator.__qualname__} has mistakes.",
                self.problems.errors,
            )
        return read_document(document, self.problems).generators[0]

    def _look_for_slips(self) -> None:
        """Attributes that are meant for parts, but have no part's name: nothing would read them."""
        for one, spot in self.spots.items():
            if one is Generator:
                continue
            for name, value in vars(one).items():
                if name in PARTS or name.startswith("_") or not isinstance(value, Part | Path):
                    continue
                near = nearest(name, PARTS)
                self.problems.error(
                    spot.children.get(name, spot).place,
                    f"{name} is no part of a generator; did you mean {near!r}?"
                    if near
                    else f"{name} is no part of a generator; a name that begins with an underscore "
                    "keeps it for others to use",
                )

    # Inputs

    def _input_schema(self) -> tuple[dict[str, Any], frozenset[str]]:
        """The schema, and the inputs that may be absent."""
        required: list[str] = []
        optional: set[str] = set()
        for attribute in self.fields:
            spot = self._spot(attribute.name)
            if attribute.name in PARTS:
                self.problems.error(
                    spot.place,
                    f"{attribute.name} is a part of a generator; call the input "
                    f'{attribute.name}_ and say field(name="{attribute.name}")',
                )
                continue
            name = input_name(attribute)
            if name in self.properties:
                self.problems.error(spot.place, f"the input {name} is there twice")
            _, keywords = attribute.metadata.get("boards", (None, {}))
            default = default_of(attribute)
            try:
                one, may_be_absent = property_of(attribute.type, keywords, default)
            except (TypeError, NameError) as error:
                self.problems.error(spot.place, f"{attribute.name}: {error}")
                one, may_be_absent, default = {}, False, attrs.NOTHING
            except RecursionError:
                self.problems.error(spot.place, f"{attribute.name}: its type contains itself")
                one, may_be_absent, default = {}, False, attrs.NOTHING
            self.properties[name] = _in_order(one, spot.choices())
            if may_be_absent:
                optional.add(name)
            elif default is attrs.NOTHING:
                required.append(name)
        given = self._part("input_schema")
        schema: dict[str, Any] = {
            "type": "object",
            **({"required": required} if required else {}),
            "properties": self.properties,
            **(given or {}),
        }
        if given is not None and ("properties" in given or not self.fields):
            schema = dict(given)
        # What a default of the schema fills in is never absent.
        absent = {one for one in optional if "default" not in self.properties[one]}
        listed = schema.get("required")
        needed = listed if isinstance(listed, list) else []
        return schema, frozenset(one for one in absent if one not in needed)

    def _renamed(self) -> dict[str, str]:
        """The inputs that have another name in Python."""
        return {
            one.name: name
            for one in self.fields
            if (name := input_name(one)) != one.name and one.name not in self.properties
        }

    # Everything else

    def _document(self, schema: Any, lets: Mapping[str, Let]) -> tuple[dict[str, Any], Spot]:
        header = dict(self.header)
        for name, (example, stand_in) in _NEEDED.items():
            if name not in header:
                self.problems.error(
                    self.here.place, f"the class statement says no {name}: add {example}"
                )
                header[name] = stand_in  # so that the rest is read too
        kind = header.pop("type", None)
        provider = header.pop("provider", None)
        artifact = header.pop("artifact", None)
        if isinstance(provider, Provider):
            provider = provider.name
        described = vars(self.generator).get("__doc__")
        if described is not None and "description" not in header:
            header["description"] = cleandoc(described)
        execution = {
            "type": kind,
            "let": {name: one._let for name, one in lets.items()} or None,
            **{name: self._part(name) or None for name in _RUNS},
            "extract": self._extract(),
        }
        io = {"input_schema": schema, "output_schema": self._part("output_schema")}
        document = {
            **header,
            "provider": provider,
            "artifact_type": artifact,
            "cost": self._part("cost"),
            "io": _said(io),
            "execution": _said(execution),
            "tests": self._part("tests") or None,
        }
        return _said(document), self._spots(lets)

    def _spots(self, lets: Mapping[str, Let]) -> Spot:
        place = self.here.place
        children = {
            key: spot
            for key in keys_of(GeneratorSpec)
            if (spot := self.here.children.get(f"class {_HEADER.get(key, key)}")) is not None
        }
        properties = {input_name(one): self._spot(one.name) for one in self.fields}
        run = {name: self._spot(name) for name in _RUNS}
        run["let"] = Spot(place, children={name: self._let_spot(one) for name, one in lets.items()})
        run["extract"] = Spot(self._spot("outputs").place, children={
            name: self._spot("outputs") for name in ("outputs", "output_paths")
        })  # fmt: skip
        schema = Spot(place, children={"properties": Spot(place, children=properties)})
        io = {"input_schema": schema, "output_schema": self._spot("output_schema")}
        return Spot(
            place,
            children={
                **children,
                "cost": self._spot("cost"),
                "tests": self._spot("tests"),
                "io": Spot(place, children=io),
                "execution": Spot(place, children=run),
            },
        )

    def _part(self, name: str) -> Any:
        """An attribute of the class, unless it is an input by mistake."""
        if any(one.name == name for one in self.fields):
            return None
        return getattr(self.generator, name)

    def _extract(self) -> dict[str, Any] | None:
        outputs = self._part("outputs")
        if outputs is None:
            return None
        listed = [outputs] if isinstance(outputs, Output | Path) else list(outputs)
        spot = self._spot("outputs")
        paths = []
        for one in listed:
            if not isinstance(one, Path):
                continue
            if one.below_body is None:
                self.problems.error(
                    spot.place, f"{one!r}: outputs that are a bare path begin at the body"
                )
            else:
                paths.append(Path(one.below_body))
        whole = [one for one in listed if not isinstance(one, Path)]
        return {
            **({"output_paths": paths} if paths else {}),
            **({"outputs": whole} if whole else {}),
        }

    def _lets(self) -> Iterator[tuple[str, Let]]:
        """The derived values, in the order of the classes and of what they say."""
        for one in reversed(self.generator.__mro__):
            for name, value in vars(one).items():
                if isinstance(value, Let) and getattr(self.generator, name) is value:
                    yield value._let_name or name, value

    def _let_spot(self, let: Let) -> Spot:
        for one, spot in self.spots.items():
            for name, value in vars(one).items():
                if value is let and name in spot.children:
                    found = spot.children[name]
                    return found.item(0) if found.node is not None else found
        return self.here

    def _spot(self, name: str) -> Spot:
        """Where an attribute stands: in this class, or in the one that it comes from."""
        for one, spot in self.spots.items():
            if one is not Generator and (name in vars(one) or name in spot.children):
                return spot.children.get(name, Spot(spot.place))
        return Spot(self.here.place)


_HEADER: Final = {"artifact_type": "artifact"}
_NEEDED: Final = {
    "name": ('name="..."', "unnamed"),
    "provider": ('provider="..."', "unnamed"),
    "artifact": ('artifact="image", or what else it makes', "intermediate"),
}
"""What a class statement must say, an example, and what stands for it where it is missing."""
_NOWHERE: Final = Place(Source("boards.dsl"))


def _spot_of(generator: type[Generator]) -> Spot:
    site = generator.__boards_site__
    if site is None or "__boards_site__" not in vars(generator):
        return Spot(_NOWHERE)
    return site.statement(generator.__name__)


def _in_order(schema: dict[str, Any], choices: list[Any]) -> dict[str, Any]:
    """A property, its enum in the order in which the source has it."""
    if isinstance(items := schema.get("items"), dict):
        return {**schema, "items": _in_order(items, choices)}
    listed = [(type(one), one) for one in schema.get("enum", ())]
    written = [one for one in choices if (type(one), one) in listed]
    return {**schema, "enum": written} if listed and len(written) == len(listed) else schema


def _said(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}
