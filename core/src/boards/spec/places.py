"""Documents whose every node remembers its place: ``file:line:column``."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Literal

from attrs import field, frozen

from boards.errors import Problem

__all__ = [
    "Document",
    "Mapping",
    "Place",
    "Problems",
    "Sequence",
    "Source",
    "did_you_mean",
    "locate",
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


@frozen
class Place:
    """Where something stands: line and column count from 1."""

    source: Source
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def quote(self) -> str:
        """The source line, with a caret under the column."""
        line = self.source.line(self.line)
        if not line.strip():
            return ""
        shown = line[:160]
        if not shown.isprintable():  # a tab would move the caret, an escape reach the terminal
            shown = "".join(one if one.isprintable() else " " for one in shown)
        return f"    {shown}\n    {' ' * (min(self.column, 160) - 1)}^"


class Mapping(dict[str, Any]):
    """A mapping of a document: a dict that knows where its keys and values stand."""

    __slots__ = ("key_places", "place", "value_places")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.key_places: dict[str, Place] = {}
        self.value_places: dict[str, Place] = {}

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
        if key not in self._found:
            self._found[key] = found
            self._count += found.severity == "error"

    def _sorted(self, severity: str) -> list[Problem]:
        chosen = [one for one in self._found.values() if one.severity == severity]
        chosen.sort(key=lambda one: (one.place.source.name, one.place.line, one.place.column))
        return [
            Problem(str(one.place), f"{one.severity}: {one.message}", one.place.quote())
            for one in chosen
        ]

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
        """How many errors there are: compare before and after a step."""
        return self._count


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` where a known name is near, else what is known, else nothing."""
    names = list(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
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
