"""Documents whose every node remembers its place: ``file:line:column``."""

import re
from collections.abc import Container, Iterable, Iterator
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Any, Final, Literal

from attrs import field, frozen

from boards.errors import Problem

__all__ = [
    "NOWHERE",
    "Document",
    "Mapping",
    "MappingPlace",
    "Place",
    "Problems",
    "Sequence",
    "Source",
    "did_you_mean",
    "locate",
    "meant_by",
    "nearest",
    "plain",
]


@frozen(eq=False)
class Source:
    """A text that a document came from.

    Attributes:
        name: A path, or what stands for one.
        text: The whole text, for quoting the line of a mistake.
    """

    name: str
    text: str = field(default="", repr=False)

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.splitlines()

    def line(self, number: int) -> str:
        """The line of that number, counting from 1."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    @property
    def length(self) -> int:
        """How many lines there are."""
        return len(self._lines)


_WIDTH: Final = 160
_MOST_LINES: Final = 60
_MOST_COLUMNS: Final = 4096
"""How far a part of a text is looked for: a hostile text has as many parts as lines."""
_BLOCK = re.compile(r"[|>][-+0-9]{0,2}\s*(?:#.*)?$")


@frozen
class Place:
    """Where something stands: line and column count from 1."""

    source: Source
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def at(self, key: str) -> "Place":
        """Where the value of a key stands, if this is where a mapping stands that has it."""
        return self

    def find(self, text: str) -> "Place":
        """Where a part of the text that begins here stands; here, if it is not seen as written."""
        for number, line in self._lines():
            begin = self.column - 1 if number == self.line else 0
            column = line.find(text, begin, begin + _MOST_COLUMNS)
            if column >= 0:
                return Place(self.source, number, column + 1)
        return self

    def _lines(self) -> Iterator[tuple[int, str]]:
        """The line of this place; of a block scalar, also those indented below it."""
        line = self.source.line(self.line)
        yield self.line, line
        if not _BLOCK.match(line, self.column - 1):
            return
        indent = len(line) - len(line.lstrip())
        for number in range(self.line + 1, min(self.source.length, self.line + _MOST_LINES) + 1):
            line = self.source.line(number)
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                return
            yield number, line

    def quote(self) -> str:
        """The source line, with a caret under the column."""
        line = self.source.line(self.line)
        if not line.strip():
            return ""
        column = self.column
        if column > _WIDTH - 40:  # of a very long line, the part around it
            line = f"...{line[column - _WIDTH // 2 :]}"
            column = _WIDTH // 2 + 3
        shown = line[:_WIDTH]
        if not shown.isprintable():  # a tab would move the caret, an escape reach the terminal
            shown = "".join(one if one.isprintable() else " " for one in shown)
        return f"    {shown}\n    {' ' * (min(column, _WIDTH) - 1)}^"


@frozen
class MappingPlace(Place):
    """Where a mapping stands, and where its keys and values do.

    Attributes:
        keys: The place of each key.
        values: The place of each value.
    """

    keys: dict[str, Place] = field(factory=dict, eq=False, repr=False)
    values: dict[str, Place] = field(factory=dict, eq=False, repr=False)

    def at(self, key: str) -> Place:
        return self.values.get(key, self)


NOWHERE: Final = Place(Source("?"))
"""Where something stands that no text says: messages need a place."""


class Mapping(dict[str, Any]):
    """A mapping of a document: a dict that knows where its keys and values stand."""

    __slots__ = ("key_places", "place", "value_places")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.key_places: dict[str, Place] = {}
        self.value_places: dict[str, Place] = {}

    def located(self, place: Place) -> MappingPlace:
        """A place of this mapping, where it is written or where an alias stands for it."""
        return MappingPlace(
            place.source, place.line, place.column, self.key_places, self.value_places
        )

    def put(self, key: str, value: Any, key_place: Place, value_place: Place) -> None:
        """Set a key together with its places."""
        self[key] = value
        self.key_places[key] = key_place
        self.value_places[key] = value_place


class Sequence(list[Any]):
    """A sequence of a document: a list that knows where its items stand."""

    __slots__ = ("item_places", "place")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.item_places: list[Place] = []


@frozen(eq=False)
class Document:
    """A parsed text: its root and where that stands."""

    source: Source
    root: Any
    place: Place


def plain(value: Any) -> Any:
    """A document's tree without places: dicts, lists and scalars."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


@frozen
class _Found:
    place: Place
    message: str
    severity: Literal["error", "warning"]


class Problems:
    """Mistakes found so far. Reading goes on after each, so that all are told at once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str], _Found] = {}
        self._count = 0

    def error(self, place: Place, message: str) -> None:
        """Note a mistake; the same one at the same place is told once."""
        self._add(_Found(place, message, "error"))

    def warn(self, place: Place, message: str) -> None:
        """Note what is allowed but looks wrong."""
        self._add(_Found(place, message, "warning"))

    def _add(self, found: _Found) -> None:
        place = found.place
        key = (place.source.name, place.line, place.column, found.message)
        self._found.setdefault(key, found)
        self._count += found.severity == "error"

    def _sorted(self, severity: str) -> list[Problem]:
        chosen = [one for one in self._found.values() if one.severity == severity]
        chosen.sort(key=lambda one: (one.place.source.name, one.place.line, one.place.column))
        return [
            Problem(str(one.place), f"{one.severity}: {one.message}", one.place.quote())
            for one in chosen
        ]

    @property
    def error_places(self) -> set[tuple[str, int, int]]:
        """Where errors are: name of the source, line, column."""
        return {key[:3] for key, found in self._found.items() if found.severity == "error"}

    def take(self, others: "Problems", *, but_at: Container[tuple[str, int, int]] = ()) -> None:
        """Note what was found elsewhere, but not the errors at these places."""
        for key, found in others._found.items():
            if found.severity != "error" or key[:3] not in but_at:
                self._add(found)

    @property
    def errors(self) -> list[Problem]:
        """The mistakes, by place."""
        return self._sorted("error")

    @property
    def warnings(self) -> list[Problem]:
        """The warnings, by place."""
        return self._sorted("warning")

    @property
    def count(self) -> int:
        """How often an error was noted, repeated ones too: compare before and after a step."""
        return self._count


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is nearest; None where none is near, or where they are many."""
    names = tuple(known)
    return _nearest(name, names) if len(names) <= _MOST_COMPARED else None


_MOST_COMPARED: Final = 200
_MOST_MEANT: Final = 50
"""A file may have thousands of slips: to compare each with thousands of names takes minutes."""


@lru_cache(maxsize=512)
def _nearest(name: str, names: tuple[str, ...]) -> str | None:
    return next(iter(get_close_matches(name, names, n=1, cutoff=0.6)), None)


def meant_by(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """The known names that unknown ones are meant for; nothing where too many are unknown."""
    known = tuple(known)
    unknown = [name for name in names if name not in known]
    if len(unknown) > _MOST_MEANT:
        return {}
    return {near: name for name in unknown if (near := nearest(name, known)) is not None}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` where a known name is near, else what is known, else nothing."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f"; did you mean {near!r}?"
    if 0 < len(names) <= 24:
        return f"; known: {', '.join(names)}"
    return ""


def locate(value: Any, place: Place) -> Any:
    """A tree without places as a document's tree, all of it at one place."""
    if isinstance(value, dict):
        mapping = Mapping(place)
        for key, item in value.items():
            mapping.put(str(key), locate(item, place), place, place)
        return mapping
    if isinstance(value, list | tuple):
        sequence = Sequence(place)
        for item in value:
            sequence.append(locate(item, place))
            sequence.item_places.append(place)
        return sequence
    return value
