"""Response paths: ``body.images[*].url``, ``header.retry-after``, ``status``.

A path is read once and compiled to a closure that goes over plain JSON values. It is not a
programming language: keys, indices and ``[*]``, nothing else.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from attrs import field, frozen

from boards.spec.places import Place

__all__ = ["ABSENT", "Absent", "Path", "PathError", "first", "members", "parse_path", "values"]


class Absent:
    """What is not there: not null, not empty."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()
EVERY: Final = "*"

_STEP = re.compile(r"\.([A-Za-z0-9_@$:-]+)|\[([0-9]{1,9})\]|\[\*\]")
_FIRST = re.compile(r"[A-Za-z0-9_@$:-]+")


class PathError(ValueError):
    """A text is not a path."""


@frozen
class Path:
    """A parsed path.

    Attributes:
        text: As written.
        steps: Keys (str), indices (int) and :data:`EVERY` (a wildcard, as a one-tuple).
    """

    text: str
    steps: tuple[str | int | tuple[str], ...]
    place: Place | None = field(default=None, eq=False, repr=False)

    @property
    def root(self) -> str:
        """The first step."""
        return str(self.steps[0])

    @property
    def has_wildcard(self) -> bool:
        """Whether it may have several values."""
        return any(isinstance(step, tuple) for step in self.steps)


def parse_path(text: str, place: Place | None = None) -> Path:
    """Read a path.

    Raises:
        PathError: It is none; the message tells where it stops being one.
    """
    match = _FIRST.match(text)
    if match is None:
        raise PathError(f"{text!r} is not a path such as body.output[*].url")
    steps: list[str | int | tuple[str]] = [match.group()]
    at = match.end()
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise PathError(f"{text!r} is not a path: stuck at {text[at:]!r}")
        key, index = match.groups()
        if key is not None:
            steps.append(key.lower() if steps == ["header"] else key)
        else:
            steps.append(int(index) if index is not None else (EVERY,))
        at = match.end()
    return Path(text, tuple(steps), place)


def first(path: Path) -> Callable[[Any], Any]:
    """A closure to the path's first value, or :data:`ABSENT`."""
    if path.has_wildcard:
        every = values(path)

        def first_of_many(value: Any) -> Any:
            found = every(value)
            return found[0] if found else ABSENT

        return first_of_many
    return _walk(path.steps)


def values(path: Path) -> Callable[[Any], list[Any]]:
    """A closure to all of the path's values; missing steps drop out."""
    every = members(path)
    if not path.has_wildcard:
        return every
    return lambda value: [found for found in every(value) if found is not ABSENT]


def members(path: Path) -> Callable[[Any], list[Any]]:
    """Like :func:`values`, but each member that the last ``[*]`` goes over has its place.

    A member without the steps after it counts as :data:`ABSENT`, so that the values of two paths
    over the same members belong together.
    """
    stretches: list[list[str | int]] = [[]]
    for step in path.steps:
        if isinstance(step, tuple):
            stretches.append([])
        else:
            stretches[-1].append(step)
    walks = [_walk(tuple(stretch)) for stretch in stretches]
    head, rest = walks[0], walks[1:]

    def by_member(value: Any) -> list[Any]:
        found = head(value)
        if found is ABSENT:
            return []
        current = [found]
        for walk in rest:
            current = [walk(item) for collection in current for item in _members(collection)]
        return current

    return by_member


def _members(value: Any) -> Any:
    """What ``[*]`` goes over: a list, a mapping's values; a scalar is a list of one."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return value.values()
    return () if value is None or value is ABSENT else (value,)


def _walk(steps: tuple[str | int | tuple[str], ...]) -> Callable[[Any], Any]:
    """A closure along keys and indices, without wildcards."""
    if not steps:
        return lambda value: value
    if len(steps) == 1 and isinstance(steps[0], str):
        only = steps[0]
        return lambda value: value.get(only, ABSENT) if isinstance(value, dict) else ABSENT

    def walk(value: Any) -> Any:
        for step in steps:
            if isinstance(value, dict):
                value = value.get(step if isinstance(step, str) else str(step), ABSENT)
            elif isinstance(step, int) and isinstance(value, list):
                value = value[step] if step < len(value) else ABSENT
            elif step == 0 and value is not None:
                pass  # a scalar counts as a list of one
            else:
                return ABSENT
            if value is ABSENT:
                return ABSENT
        return value

    return walk
