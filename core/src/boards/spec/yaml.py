"""YAML as the language reads it: our own scalar resolver, places, and limits against hostile files.

The limits are checked on the parser's events, before anything is composed: composing deeply
nested text inside the C library crashes the interpreter.
"""

import re
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any, Final

import yaml
from attrs import define

from boards.errors import SpecError
from boards.spec.places import Document, Mapping, Place, Problems, Sequence, Source

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "load", "parse"]

MAX_BYTES = 1_048_576
MAX_DEPTH = 100
MAX_NODES = 50_000
_MAX_DIGITS = 300

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "": None}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_YAML_1_1: dict[str, list[tuple[str, re.Pattern[str]]]] = yaml.SafeLoader.yaml_implicit_resolvers
"""What YAML 1.1, and many a reader of YAML, makes of plain scalars, by their first character."""


class _RefusedError(Exception):
    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


@define
class _Node:
    """A finished value, where it stands, and how many nodes it has. Never changed."""

    value: Any
    place: Place
    weight: int


@define
class _Open:
    """A collection whose end is still to come."""

    value: Mapping | Sequence
    place: Place
    anchor: str | None
    weight: int = 1
    key: _Node | None = None
    merged: tuple[_Node, ...] = ()

    @property
    def awaits_key(self) -> bool:
        """Whether the next node is a key."""
        return self.key is None and isinstance(self.value, Mapping)


def load(path: Path) -> str:
    """The text of a specification file.

    Raises:
        SpecError: It cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise SpecError(
                f"{path} is too large; a specification has at most {MAX_BYTES:,} bytes.",
                remedy="Split it into several files.",
            )
        return content.decode("utf-8")
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not UTF-8 text: {error}.") from error


def parse(text: str, name: str, problems: Problems) -> Document | None:
    """Parse one YAML document; None, with a problem noted, where it cannot be parsed.

    Args:
        text: The document, at most :data:`MAX_BYTES` of UTF-8.
        name: What to call it in messages: its path.
        problems: Where mistakes are noted.
    """
    source = Source(name, text)
    start = Place(source)
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        problems.error(Place(Source(name)), f"longer than {MAX_BYTES:,} bytes")
        return None
    try:
        node = _compose(source, problems)
    except _RefusedError as refused:
        problems.error(refused.place, refused.message)
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, mark.line + 1, mark.column + 1) if mark else start
        problems.error(place, " ".join(filter(None, [error.context, error.problem])))
        return None
    except yaml.reader.ReaderError as error:  # an illegal character, at an offset in bytes
        before = text.encode("utf-8")[: error.position].decode("utf-8", "ignore")
        lines = f"{before}.".splitlines()  # the full stop stands for the character
        problems.error(
            Place(source, len(lines), len(lines[-1])),
            f"the character U+{error.character:04X} is not allowed: {error.reason}",
        )
        return None
    except UnicodeEncodeError as error:
        problems.error(start, f"not Unicode text: {error.reason}")
        return None
    return Document(source, node.value, node.place)


def _compose(source: Source, problems: Problems) -> _Node:
    """Build the tree from events, without recursion."""
    anchors: dict[str, _Node] = {}
    stack: list[_Open] = []
    root: _Node | None = None
    total = 0

    events: Iterator[Any] = yaml.parse(source.text, Loader=_Loader)
    for event in events:
        kind = type(event)  # cheaper than isinstance, which counts here
        if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            closed = stack.pop()
            _merge(closed)
            node = _Node(closed.value, _located(closed.value, closed.place), closed.weight)
            total -= closed.weight  # counted again below, as one finished node
            if closed.anchor:
                anchors[closed.anchor] = node
        else:
            mark = event.start_mark
            place = Place(source, mark.line + 1, mark.column + 1)
            if kind is yaml.ScalarEvent:
                _refuse_tag(event.tag, place)
                # A key is a text as it is written: 1.10 is not 1.1.
                is_key = bool(stack) and stack[-1].awaits_key
                node = _Node(event.value if is_key else _scalar(event, place, problems), place, 1)
                if not is_key and stack and event.implicit[0]:
                    _warn_of_look_alike(event.value, stack[-1].key, place, problems)
                if event.anchor:
                    anchors[event.anchor] = node
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                _refuse_tag(event.tag, place)
                if len(stack) >= MAX_DEPTH:
                    raise _RefusedError(place, f"nested deeper than {MAX_DEPTH} levels")
                value = Mapping(place) if kind is yaml.MappingStartEvent else Sequence(place)
                stack.append(_Open(value, place, event.anchor))
                total += 1
                continue
            elif kind is yaml.AliasEvent:
                if event.anchor not in anchors:
                    raise _RefusedError(place, f"unknown alias *{event.anchor}")
                anchor = anchors[event.anchor]
                node = _Node(anchor.value, _located(anchor.value, place), anchor.weight)
            elif kind is yaml.DocumentStartEvent and root is not None:
                raise _RefusedError(place, "a second document begins here; a file holds one")
            else:
                continue
        total += node.weight
        if total > MAX_NODES:
            raise _RefusedError(place, f"more than {MAX_NODES:,} nodes, aliases expanded")
        if stack:
            _add(stack[-1], node, problems)
        else:
            root = node
    return root or _Node(Mapping(Place(source)), Place(source), 1)


def _located(value: Any, place: Place) -> Place:
    return value.located(place) if isinstance(value, Mapping) else place


def _refuse_tag(tag: str | None, place: Place) -> None:
    if tag is not None and tag != "!":
        raise _RefusedError(place, f"tags such as {tag[:60]} are not part of the language")


def _scalar(event: Any, place: Place, problems: Problems) -> Any:
    text: str = event.value
    if not event.implicit[0]:  # quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.match(text):
        number = _number(text)
        if number is None:
            problems.error(place, "no number has so many digits; quote it if it is a text")
        return number
    return text


_LOOKS: Final = {
    "bool": "true or false",
    "null": "null",
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
}


def _warn_of_look_alike(text: str, key: _Node | None, place: Place, problems: Problems) -> None:
    """Tell of a plain scalar that is a text here, and something else in YAML 1.1."""
    if text in _WORDS or _DECIMAL.match(text) or (key is not None and key.value == "as_of"):
        return  # as_of is the language's own date: no other reader's
    for tag, pattern in _YAML_1_1.get(text[0], ()):
        if pattern.match(text) and (what := _LOOKS.get(tag.rpartition(":")[2])):
            problems.warn(place, f"{text} is a text here, but {what} to other readers: quote it")


def _number(text: str) -> int | float | None:
    if len(text) > _MAX_DIGITS:
        return None
    number = int(text) if _INTEGER.match(text) else float(text)
    return number if isfinite(number) else None


def _add(parent: _Open, node: _Node, problems: Problems) -> None:
    """Put a finished node into the collection that it stands in."""
    parent.weight += node.weight
    if isinstance(parent.value, Sequence):
        parent.value.append(node.value)
        parent.value.item_places.append(node.place)
    elif parent.key is None:
        if not isinstance(node.value, str):  # a collection, or an alias of some other scalar
            raise _RefusedError(node.place, "a key must be a text")
        parent.key = node
    else:
        key, parent.key = parent.key, None
        text = key.value
        if text == "<<":
            if parent.merged:
                problems.error(key.place, "a second '<<': merge a list, <<: [*one, *other]")
            parent.merged += (node,)
        elif text in parent.value:
            first = parent.value.key_places[text]
            problems.error(key.place, f"duplicate key {text!r}, first at line {first.line}")
        else:
            parent.value.put(text, node.value, key.place, node.place)


def _merge(closed: _Open) -> None:
    """Fill in what ``<<`` brings: the mapping's own keys win, then the first merged."""
    for node in closed.merged:
        sources = node.value if isinstance(node.value, list) else [node.value]
        for merged in sources:
            if not isinstance(merged, Mapping):
                raise _RefusedError(node.place, "<< takes a mapping, or a list of mappings")
            for key, value in merged.items():
                if key not in closed.value:
                    assert isinstance(closed.value, Mapping)  # noqa: S101  # only mappings merge
                    closed.value.put(key, value, merged.key_places[key], merged.value_places[key])
