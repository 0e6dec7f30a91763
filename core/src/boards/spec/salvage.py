"""What can still be read of a document with mistakes, so that the checker tells the others too.

Every value that cannot be read is stood in for by one that no check objects to. What comes of it
is for the checker alone: it never runs.
"""

from functools import singledispatchmethod
from typing import Any, Final

import attrs

from boards.spec.grammar import (
    BAD,
    AnyOf,
    BodyKind,
    Choice,
    Fields,
    JsonKind,
    Kind,
    Listed,
    Mapped,
    NumberKind,
    PathKind,
    PredicateKind,
    Shape,
    TemplateKind,
    TextKind,
    keys_of,
)
from boards.spec.model import (
    SPEC_VERSION,
    GeneratorSpec,
    ProviderSpec,
    SchemaKind,
    Submit,
    SubmitKind,
)
from boards.spec.operators import OPERATORS, Literal
from boards.spec.paths import Path
from boards.spec.places import Document, Mapping, Place, Problems, Sequence, meant_by
from boards.spec.predicates import Predicate
from boards.spec.reader import SpecFile
from boards.spec.tokens import Template

__all__ = ["salvage", "salvage_part"]

At = tuple[str, int, int]
_TOP: Final = ("providers", "generators")

_STAND_INS: Final[dict[type, Any]] = {
    TextKind: "",
    JsonKind: {},
    Fields: {},
    NumberKind: 0.0,
    TemplateKind: Template("${}", ()),  # it may begin with anything
    PathKind: Path("body", ("body",)),
    PredicateKind: Predicate(()),  # it may ask for anything
    BodyKind: Literal(None),
}


def salvage(document: Document) -> tuple[SpecFile, frozenset[At]]:
    """Read what can be read.

    Returns:
        All providers and generators, and the places at which a check would only tell what
        reading has told: they are those of values that were stood in for, and of the mappings
        that such values, or missing or unknown keys, stand in.
    """
    salvage = _Salvage()
    root = document.root if isinstance(document.root, Mapping) else Mapping(document.place)
    version = root.get("spec", SPEC_VERSION)
    if type(version) is int and version > SPEC_VERSION:
        return SpecFile(), frozenset()  # its mistakes may be none in a newer language
    meant = meant_by(root, _TOP)
    providers, generators = (root.get(name, root.get(meant.get(name, ""))) for name in _TOP)
    named = providers if isinstance(providers, Mapping) else Mapping(document.place)
    listed = generators if isinstance(generators, Sequence) else Sequence(document.place)
    file = SpecFile(
        {
            name: salvage.read(Shape(ProviderSpec), one, named.value_places[name])
            for name, one in named.items()
        },
        tuple(
            salvage.read(Shape(GeneratorSpec), item, place)
            for item, place in zip(listed, listed.item_places, strict=True)
        ),
    )
    return file, frozenset(salvage.unread | salvage.flawed)


def salvage_part(kind: Kind, value: Any, place: Place) -> tuple[Any, frozenset[At]]:
    """Read what can be read of a part of a document: see :func:`salvage`.

    Returns:
        The part, or ``BAD`` where nothing can be made of it; and the places.
    """
    salvage = _Salvage()
    read = salvage.read(kind, value, place)
    return read, frozenset(salvage.unread | salvage.flawed)


def _at(place: Place) -> At:
    return place.source.name, place.line, place.column


class _Salvage:
    """Reads with stand-ins, and remembers where."""

    def __init__(self) -> None:
        self.unread: set[At] = set()
        self.flawed: set[At] = set()

    def read(self, kind: Kind, value: Any, place: Place) -> Any:
        """The value, or what stands in for it; ``BAD`` where nothing does."""
        return self._read(kind, value, place)

    @singledispatchmethod
    def _read(self, kind: Any, value: Any, place: Place) -> Any:
        read = kind.read(value, place, Problems())
        if read is not BAD:
            return read
        self.unread.add(_at(place))
        return self._stand_in(kind, place)

    def _stand_in(self, kind: Any, place: Place) -> Any:
        if isinstance(kind, Choice):
            return kind.words[0]
        if isinstance(kind, SchemaKind):  # no JSON Schema: the inputs are not known
            self.unread.add(_at(place))
            unknown = Mapping(place)
            unknown.put("type", "unknown", place, place)
            return unknown
        if isinstance(kind, Shape):
            return self._read(kind, Mapping(place), place)
        if isinstance(kind, AnyOf):
            item = self._stand_in(kind.kind, place)
            return BAD if item is BAD else (item,)
        found = _STAND_INS.get(type(kind), BAD)
        if isinstance(found, Template | Path | Predicate):
            return attrs.evolve(found, place=place)
        return found

    @_read.register
    def _(self, kind: Shape, value: Any, place: Place) -> Any:
        if not isinstance(value, Mapping):
            self.unread.add(_at(place))
            value = Mapping(place)
        known = keys_of(kind.model)
        meant = meant_by(value, known)
        flawed = not value.keys() <= known.keys()
        arguments: dict[str, Any] = {}
        for name, attribute in known.items():
            written = name if name in value else meant.get(name)
            one: Any = attribute.metadata["kind"]
            required = attribute.default is attrs.NOTHING
            read = BAD
            if written is not None:
                at = value.value_places[written]
                read = self._read(one, value[written], at)
                flawed = flawed or _at(at) in self.unread
            elif required:
                flawed = True
                read = self._stand_in(one, place)
            if read is not BAD:
                arguments[attribute.name] = read
            elif required:
                return BAD
        if flawed:
            self.flawed.add(_at(place))
        if "place" in attrs.fields_dict(kind.model):
            arguments["place"] = place
        return kind.model(**arguments)

    @_read.register
    def _(self, kind: Mapped, value: Any, place: Place) -> Any:
        if not isinstance(value, Mapping):
            self.unread.add(_at(place))
            return BAD
        read = {
            name: self._read(kind.kind, item, value.value_places[name])
            for name, item in value.items()
        }
        return {name: item for name, item in read.items() if item is not BAD}

    @_read.register
    def _(self, kind: Listed, value: Any, place: Place) -> Any:
        if not isinstance(value, Sequence):  # one item, most likely
            self.unread.add(_at(place))
            item = self._read(kind.kind, value, place)
            return () if item is BAD else (item,)
        read = [
            self._read(kind.kind, item, at)
            for item, at in zip(value, value.item_places, strict=True)
        ]
        return tuple(item for item in read if item is not BAD)

    @_read.register
    def _(self, kind: AnyOf, value: Any, place: Place) -> Any:
        if isinstance(value, Sequence):
            return self._read(Listed(kind.kind), value, place)
        item = self._read(kind.kind, value, place)
        return BAD if item is BAD else (item,)

    @_read.register
    def _(self, kind: SubmitKind, value: Any, place: Place) -> Any:
        variants = kind.shared(value, place, Problems())
        if variants is None:
            self.unread.add(_at(place))
            return BAD
        return tuple(self._read(Shape(Submit), one, at) for one, at in variants)

    @_read.register
    def _(self, kind: BodyKind, value: Any, place: Place) -> Any:
        return kind.read(self._mended(value, place), place, Problems())

    def _mended(self, value: Any, place: Place) -> Any:
        """A body in which null stands for what cannot be read, from the leaves up."""
        mended: Any = value
        if isinstance(value, Sequence):
            mended = Sequence(value.place)
            for item, at in zip(value, value.item_places, strict=True):
                mended.append(self._mended(item, at))
                mended.item_places.append(at)
            return mended
        if isinstance(value, Mapping):
            operator = next((name for name in value if name in OPERATORS), None)
            mended = Mapping(value.place)
            for name, item in value.items():
                if "${" in name:
                    continue
                if operator is None or name in (operator, *OPERATORS[operator]):
                    at = value.value_places[name]
                    mended.put(name, self._mended(item, at), value.key_places[name], at)
            if not any(name.startswith("$") for name in mended):
                return mended
        if BodyKind().read(mended, place, Problems()) is not BAD:
            return mended
        self.unread.add(_at(place))
        return None
