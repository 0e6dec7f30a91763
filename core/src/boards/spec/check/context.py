"""What may be referred to, at each position of a spec."""

from collections.abc import Iterator
from typing import Any, Final

from attrs import evolve, field, frozen

from boards.spec.hosts import TrustedHosts
from boards.spec.inputs import InputSchema
from boards.spec.places import NOWHERE, Place, Problems
from boards.spec.predicates import Predicate

__all__ = ["BEFORE", "NOWHERE", "RESPONSE", "Context", "place_of"]

BEFORE: Final = frozenset({"input", "let", "config", "run"})
"""Roots of tokens that are there before the submit."""

RESPONSE: Final = frozenset({"body", "header", "status"})
"""Roots of paths into a reply."""

_ALL: Final = "input"


def place_of(part: Any, key: str | None = None) -> Place:
    """Where a part of a spec stands, or the value of one of its keys."""
    place: Place = part.place or NOWHERE
    return place if key is None else place.at(key)


@frozen
class Context:
    """What a token may refer to where it stands; None where that is not known.

    Attributes:
        problems: Where mistakes are noted.
        schema: Of the input.
        lets: Names that ``let`` has derived so far.
        absent: Those of them that may be absent.
        captures: Names below ``job``, or below ``upload``.
        config: Keys of the provider's config.
        roots: The first steps that a token may have.
        guarded: Values that are there for sure, as ``input.NAME``.
        secrets: Names for ``$secret``; empty where it may not stand.
        files: Whether files are at hand: for a submit, and for nothing else.
        trusted: Where requests may go with credentials.
        used: Inputs that were referred to, gathered for a lint.
    """

    problems: Problems
    schema: InputSchema | None = None
    lets: frozenset[str] | None = None
    absent: frozenset[str] = frozenset()
    captures: frozenset[str] | None = None
    config: frozenset[str] | None = None
    roots: frozenset[str] = BEFORE
    guarded: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    files: bool = False
    trusted: TrustedHosts | None = None
    used: set[str] = field(factory=set)

    def guard(self, predicate: Predicate | None) -> "Context":
        """The context under a predicate: what must exist there needs no ``?``."""
        there = frozenset(_existing(predicate))
        return evolve(self, guarded=self.guarded | there | frozenset(self._required_by(there)))

    def _required_by(self, there: frozenset[str]) -> Iterator[str]:
        """The inputs that the schema requires where some others are there."""
        required = self.schema.schema.get("dependentRequired", {}) if self.schema else {}
        for name, needed in required.items():
            if f"input.{name}" in there:
                yield from (f"input.{one}" for one in needed)

    def with_roots(self, *roots: str) -> "Context":
        """The context where further roots are known."""
        return evolve(self, roots=self.roots | set(roots))

    def only(self, *roots: str) -> "Context":
        """The context of a request that belongs to no generation."""
        return evolve(self, roots=frozenset(roots))

    def is_certain(self, name: str) -> bool:
        """Whether an input is there for sure: required, with a default, or guarded."""
        schema = self.schema
        return (
            schema is None
            or name in schema.required
            or name in schema.defaults
            or self.is_guarded(f"input.{name}")
        )

    def is_guarded(self, name: str) -> bool:
        """Whether a condition has made sure of a value: of ``input.NAME`` or ``let.NAME``."""
        return name in self.guarded or _ALL in self.guarded

    def schema_of(self, root: str, name: str) -> dict[str, Any]:
        """The schema of an input; empty for anything else."""
        found = self.schema.properties.get(name) if self.schema and root == "input" else None
        return found if isinstance(found, dict) else {}


def _existing(predicate: Predicate | None) -> Iterator[str]:
    """The inputs whose presence a predicate that holds proves."""
    if predicate is not None and not predicate.conditions:
        yield _ALL  # it could not be read: any input may be meant
    for condition in predicate.conditions if predicate else ():
        if condition.path is not None and condition.path.root not in BEFORE:
            yield _ALL  # a mistake, told at the path
        elif condition.path is not None:
            yield ".".join(str(step) for step in condition.path.steps[:2])
