"""The kinds of values that a document's keys take, and how a mapping of them is read.

A class of the model declares its keys with :func:`key`; :class:`Shape` reads a mapping into it.
These declarations are the only table of the language: the reader, the checker's "did you mean"
and the published JSON Schema all come from them.
"""

import re
from decimal import Decimal
from functools import cache
from typing import Any, Final, Protocol

import attrs

from boards.spec.operators import Body, read_body, read_template, write_body
from boards.spec.paths import Path, PathError, parse_path
from boards.spec.places import Mapping, Place, Problems, Sequence, did_you_mean, meant_by, plain
from boards.spec.predicates import Predicate, read_predicate, write_predicate
from boards.spec.tokens import Template

__all__ = [
    "BAD",
    "DURATION",
    "RATE",
    "SIZE",
    "AnyOf",
    "BodyKind",
    "Choice",
    "DurationKind",
    "Fields",
    "FlagKind",
    "JsonKind",
    "Kind",
    "Listed",
    "Mapped",
    "NumberKind",
    "PathKind",
    "PredicateKind",
    "RateKind",
    "Shape",
    "SizeKind",
    "TemplateKind",
    "TextKind",
    "WholeKind",
    "key",
    "keys_of",
    "no_place",
]

BAD: Final = object()
"""What a kind reads where it noted a mistake."""


class Kind(Protocol):
    """How one value is read, and written back."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        """The value as the model keeps it, or :data:`BAD` with a problem noted."""

    def write(self, value: Any) -> Any:
        """The value as a document has it, so that reading it gives an equal one."""


def key(
    kind: "Kind",
    *,
    default: Any = attrs.NOTHING,
    name: str | None = None,
    doc: str = "",
) -> Any:
    """A key of a document, as an attribute of its model class.

    Args:
        kind: How the value is read and written.
        default: Where the key is absent; a key without one is required.
        name: The key, where it is no Python name (``from``, ``else``).
        doc: One line for editors.
    """
    if isinstance(default, dict | list):
        default = attrs.Factory(default.copy)
    return attrs.field(default=default, metadata={"kind": kind, "key": name, "doc": doc})


def no_place() -> Any:
    """Where a mapping stood: kept for messages, never compared."""
    return attrs.field(default=None, eq=False, repr=False, kw_only=True)


@cache
def keys_of(model: type) -> dict[str, "attrs.Attribute[Any]"]:
    """The keys that a model class declares."""
    return {
        attribute.metadata["key"] or attribute.name: attribute
        for attribute in attrs.fields(model)
        if "kind" in attribute.metadata
    }


@cache
def _keeps_place(model: type) -> bool:
    return "place" in attrs.fields_dict(model)


class _AsIs:
    """A value that the model keeps as the document has it."""

    __slots__ = ()

    def write(self, value: Any) -> Any:
        return value


@attrs.frozen
class TextKind(_AsIs):
    """A plain text; ``or_null``: null is one of its values."""

    pattern: str | None = None
    what: str = "a text"
    or_null: bool = False

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if self.or_null and value is None:
            return None
        if not isinstance(value, str) or (self.pattern and not re.fullmatch(self.pattern, value)):
            problems.error(place, f"expected {self.what}, not {shown(value)}")
            return BAD
        return value


@attrs.frozen
class FlagKind(_AsIs):
    """true or false."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if not isinstance(value, bool):
            problems.error(place, f"expected true or false, not {shown(value)}")
            return BAD
        return value


@attrs.frozen
class WholeKind(_AsIs):
    """An integer from a minimum on."""

    minimum: int = 0

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if type(value) is not int or value < self.minimum:
            problems.error(
                place, f"expected an integer of at least {self.minimum}, not {shown(value)}"
            )
            return BAD
        return value


@attrs.frozen
class NumberKind(_AsIs):
    """A number from a minimum on."""

    minimum: float = 0

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if type(value) not in (int, float) or not value >= self.minimum:
            problems.error(
                place, f"expected a number of at least {self.minimum:g}, not {shown(value)}"
            )
            return BAD
        return value


DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(KB|MB|GB)")
_BYTES: Final = {"KB": 1000, "MB": 1000_000, "GB": 1000_000_000}
RATE = re.compile(r"([1-9][0-9]*)/(?=[0-9.]*[1-9])([0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))")


@attrs.frozen
class DurationKind:
    """``500ms 10s 5m 24h``, in seconds."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        match = DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            problems.error(
                place, f"expected a duration such as 500ms, 10s, 5m or 24h, not {shown(value)}"
            )
            return BAD
        return float(match[1]) * _SECONDS[match[2]]

    def write(self, value: float) -> str:
        for unit in ("h", "m", "s", "ms"):
            count = value / _SECONDS[unit]
            if count >= 1 and count.is_integer() and int(count) * _SECONDS[unit] == value:
                return f"{int(count)}{unit}"
        return f"{_decimal(value)}s"


@attrs.frozen
class SizeKind:
    """``KB MB GB``, powers of ten, in bytes."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        match = SIZE.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            problems.error(place, f"expected a size such as 256KB, 1MB or 2GB, not {shown(value)}")
            return BAD
        return round(float(match[1]) * _BYTES[match[2]])

    def write(self, value: int) -> str:
        for unit in ("GB", "MB"):
            if value and value % _BYTES[unit] == 0:
                return f"{value // _BYTES[unit]}{unit}"
        return f"{_decimal(value / 1000)}KB"


@attrs.frozen
class RateKind:
    """``600/1m``: a count and the seconds that it is for."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        match = RATE.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            problems.error(place, f"expected a rate such as 600/1m or 5/1s, not {shown(value)}")
            return BAD
        return int(match[1]), DurationKind().read(match[2], place, problems)

    def write(self, value: tuple[int, float]) -> str:
        count, seconds = value
        return f"{count}/{DurationKind().write(seconds)}"


@attrs.frozen
class Choice(_AsIs):
    """One of a closed list of words."""

    words: tuple[str, ...]

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if value not in self.words:
            near = did_you_mean(str(value), self.words)
            problems.error(place, f"{shown(value)} is not allowed here{near}")
            return BAD
        return value


@attrs.frozen
class JsonKind:
    """Any JSON value, kept as it is."""

    mapping: bool = False

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if self.mapping and not isinstance(value, dict):
            problems.error(place, f"expected a mapping, not {shown(value)}")
            return BAD
        return plain(value)

    def write(self, value: Any) -> Any:
        return plain(value)


@attrs.frozen
class TemplateKind:
    """A text with tokens."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        template = read_template(value, place, problems)
        return BAD if template is None else template

    def write(self, value: Template) -> str:
        return value.text


@attrs.frozen
class BodyKind:
    """JSON with tokens and operators."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        body = read_body(value, place, problems)
        return BAD if body is None else body

    def write(self, value: Body) -> Any:
        return write_body(value)


@attrs.frozen
class PredicateKind:
    """A predicate."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        predicate = read_predicate(value, place, problems)
        return BAD if predicate is None else predicate

    def write(self, value: Predicate) -> Any:
        return write_predicate(value)


@attrs.frozen
class PathKind:
    """A response path."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if not isinstance(value, str):
            problems.error(place, f"expected a path such as body.output, not {shown(value)}")
            return BAD
        try:
            return parse_path(value, place)
        except PathError as error:
            problems.error(place, str(error))
            return BAD

    def write(self, value: Path) -> str:
        return value.text


@attrs.frozen
class Mapped:
    """A mapping with free keys, in order, as pairs."""

    kind: Kind
    keys: TextKind = TextKind()

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if not isinstance(value, Mapping):
            problems.error(place, f"expected a mapping, not {shown(value)}")
            return BAD
        before = problems.count
        read = {}
        for name, item in value.items():
            self.keys.read(name, value.key_places[name], problems)
            read[name] = self.kind.read(item, value.value_places[name], problems)
        return BAD if problems.count > before else read

    def write(self, value: dict[str, Any]) -> dict[str, Any]:
        return {name: self.kind.write(item) for name, item in value.items()}


@attrs.frozen
class Listed:
    """A list."""

    kind: Kind

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if not isinstance(value, Sequence):
            problems.error(place, f"expected a list, not {shown(value)}")
            return BAD
        before = problems.count
        read = tuple(
            self.kind.read(item, at, problems)
            for item, at in zip(value, value.item_places, strict=True)
        )
        return BAD if problems.count > before else read

    def write(self, value: tuple[Any, ...]) -> list[Any]:
        return [self.kind.write(item) for item in value]


@attrs.frozen
class AnyOf:
    """One, or a list of several of which one is enough."""

    kind: Kind

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if isinstance(value, Sequence):
            if not value:
                problems.error(place, "expected one at least, not an empty list")
                return BAD
            return Listed(self.kind).read(value, place, problems)
        read = self.kind.read(value, place, problems)
        return BAD if read is BAD else (read,)

    def write(self, value: tuple[Any, ...]) -> Any:
        written = [self.kind.write(item) for item in value]
        return written[0] if len(written) == 1 else written


@attrs.frozen
class Shape:
    """A mapping with closed keys: those of a model class."""

    model: type

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if not isinstance(value, Mapping):
            problems.error(place, f"expected a mapping, not {shown(value)}")
            return BAD
        known = keys_of(self.model)
        before = problems.count
        meant: dict[str, str] = {}
        if not value.keys() <= known.keys():
            meant = meant_by(value, known)
            for name in value:
                if name not in known:
                    near = did_you_mean(name, known)
                    problems.error(value.key_places[name], f"unknown key {name!r}{near}")
        arguments: dict[str, Any] = {}
        for name, attribute in known.items():
            written = name if name in value else meant.get(name)
            if written is not None:
                kind: Kind = attribute.metadata["kind"]
                at = value.value_places[written]
                told = problems if written == name else Problems()
                arguments[attribute.name] = kind.read(value[written], at, told)
                if told is not problems:  # it may not have been meant: what is within it counts
                    problems.take(told, but_at={(at.source.name, at.line, at.column)})
            elif attribute.default is attrs.NOTHING:
                problems.error(place, f"missing key {name!r}")
        if problems.count > before:
            return BAD
        if _keeps_place(self.model):
            arguments["place"] = place
        return self.model(**arguments)

    def write(self, value: Any) -> dict[str, Any]:
        """The keys that are not what they default to, in the model's order."""
        written = {}
        for name, attribute in keys_of(self.model).items():
            item = getattr(value, attribute.name)
            default: Any = attribute.default
            if hasattr(default, "factory"):
                default = default.factory()
            if item != default or type(item) is not type(default):
                written[name] = attribute.metadata["kind"].write(item)
        return written


@attrs.frozen
class Fields:
    """A mapping with closed keys, all of them optional, kept as it is."""

    kinds: dict[str, Kind]

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if not isinstance(value, Mapping):
            problems.error(place, f"expected a mapping, not {shown(value)}")
            return BAD
        before = problems.count
        for name, item in value.items():
            if name in self.kinds:
                self.kinds[name].read(item, value.value_places[name], problems)
            else:
                near = did_you_mean(name, self.kinds)
                problems.error(value.key_places[name], f"unknown key {name!r}{near}")
        return BAD if problems.count > before else plain(value)

    def write(self, value: Any) -> Any:
        return plain(value)


def _decimal(number: float) -> str:
    """A number without an exponent."""
    return f"{Decimal(repr(number)):f}"


def shown(value: Any) -> str:
    """A value in a message: short, and telling its type by its quotes."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
