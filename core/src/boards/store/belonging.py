"""Whose a file of the storage is: equal bytes of two owners lie there once, under one key."""

from typing import Any, Final

from boards.artifacts import REFERENCE_PREFIX
from boards.generations import Phase

__all__ = ["is_input", "made_query", "mentions_query"]

_MADE: Final = "SELECT 1 FROM made WHERE sha256 = ? AND owner = ? LIMIT 1"

# The index of phases yields them newest first, so that a recent one is found at once.
_MENTIONS: Final = """
    SELECT i.input, g.seq FROM generations g JOIN inputs i ON i.generation = g.seq
    WHERE g.phase = ? AND g.owner = ? AND g.seq < ? AND instr(i.input, ?)
    ORDER BY g.seq DESC LIMIT ?"""


def made_query(key: str, owner: str) -> tuple[str, tuple[object, ...]]:
    """A row if an artifact of an owner has the bytes of a file."""
    return _MADE, (key.partition(".")[0], owner)


def mentions_query(
    key: str, owner: str, phase: Phase, before: int, limit: int
) -> tuple[str, tuple[object, ...]]:
    """Inputs of an owner's generations in a phase in which a key occurs, newest first.

    Each with its generation's number. They are candidates alone: see :func:`is_input`.
    """
    return _MENTIONS, (phase, owner, before, key, limit)


def is_input(given: Any, key: str) -> bool:
    """Whether a file is a value of an input, however deep.

    Such a value was checked when it was given, so it proves that the file was the owner's then.
    """
    if isinstance(given, dict):
        return any(is_input(one, key) for one in given.values())
    if isinstance(given, list):
        return any(is_input(one, key) for one in given)
    return bool(given == f"{REFERENCE_PREFIX}{key}")
