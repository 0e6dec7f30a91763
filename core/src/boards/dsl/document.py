"""From parts to a document of the language: the tree that YAML would give, with Python's places.

What a value means depends on the kind of its key (:mod:`boards.spec.grammar`): a text of a request
has tokens and must not take anything else for one, a path is written as one, JSON stays as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from boards.dsl.origin import Spot
from boards.dsl.parts import Operator, Part, Request, Variants
from boards.dsl.references import Names, Path, Predicate, Token, split
from boards.spec import places
from boards.spec.grammar import (
    AnyOf,
    BodyKind,
    Listed,
    Mapped,
    PathKind,
    PredicateKind,
    Shape,
    TemplateKind,
    keys_of,
    shown,
)
from boards.spec.model import OutputSpec, Submit, SubmitKind
from boards.spec.places import Place, Problems
from boards.spec.tokens import NAME_WORDS, escaped

__all__ = ["Writer"]

_MIME: Final = keys_of(OutputSpec)["mime"].metadata["kind"]


@frozen
class Writer:
    """Writes what one generator or provider says.

    Attributes:
        names: What its tokens refer to.
        problems: Where mistakes are noted.
    """

    names: Names
    problems: Problems

    def write(self, kind: Any, value: Any, spot: Spot) -> Any:
        """A value as its kind has it in a document."""
        if isinstance(value, Part) and not isinstance(value, Variants):
            spot = value.site.spot(value.positional)
        match kind:
            case SubmitKind():
                return self._submit(value, spot)
            case Shape():
                return self._mapping(value, spot, {
                    name: one.metadata["kind"] for name, one in keys_of(kind.model).items()
                })  # fmt: skip
            case Mapped(kind=inner):
                return self._mapping(value, spot, inner)
            case Listed(kind=inner):
                return self._list(value, spot, lambda item, at: self.write(inner, item, at))
            case AnyOf(kind=inner):
                if isinstance(value, list | tuple):
                    return self._list(value, spot, lambda item, at: self.write(inner, item, at))
                return self.write(inner, value, spot)
            case TemplateKind():
                return self._text(value, spot)
            case BodyKind():
                return self.body(value, spot)
            case PredicateKind():
                return self._predicate(value, spot)
            case PathKind():
                return self._path(value, spot)
        if kind is _MIME and isinstance(value, Path):
            return self._path(value, spot)
        return self.plain(value, spot)

    def _submit(self, value: Any, spot: Spot) -> Any:
        if not isinstance(value, Variants):
            return self.write(Shape(Submit), value, spot)
        spot = value.site.spot()
        mapping = self.write(Shape(Submit), value.shared, spot)
        listed = self._list(
            value.requests, spot, lambda item, at: self.write(Shape(Submit), item, at)
        )
        mapping.put("variants", listed, spot.place, spot.place)
        return mapping

    def _mapping(self, value: Any, spot: Spot, kinds: Any) -> Any:
        """A part, or a mapping; ``kinds``: of each key, or of all."""
        items = value.keys() if isinstance(value, Part) else value
        if not isinstance(items, Mapping):
            return self.plain(value, spot)
        mapping = places.Mapping(spot.place)
        guarded = self._guarded(value, items, spot)
        for key, item in items.items():
            if not isinstance(key, str):
                self.problems.error(spot.place, f"a key is a text, not {shown(key)}")
                continue
            key_place, inner = spot.key(key)
            if any(isinstance(part, Token) for part in split(key)):
                self.problems.error(key_place, f"expected {NAME_WORDS}")
                continue
            kind = kinds.get(key) if isinstance(kinds, dict) else kinds
            writer = self if key in ("when", "$when", "else") else guarded
            mapping.put(key, writer.write(kind, item, inner), key_place, inner.place)
            if isinstance(item, Part):
                mapping.value_places[key] = item.site.spot().place
        return mapping

    def _guarded(self, value: Any, items: Mapping[str, Any], spot: Spot) -> "Writer":
        """What writes the keys beside a condition: the inputs that it finds need no ``?``."""
        condition = items.get("when" if isinstance(value, Request) else "$when")
        if not isinstance(value, Request | Operator) or not isinstance(condition, Predicate):
            return self
        return evolve(self, names=self.names.guarded(self._predicate(condition, spot)))

    def _list(self, value: Any, spot: Spot, write: Any) -> Any:
        if isinstance(value, str) or not isinstance(value, Sequence):
            return self.plain(value, spot)
        sequence = places.Sequence(spot.place)
        for index, item in enumerate(value):
            at = item.site.spot() if isinstance(item, Part) else spot.item(index)
            sequence.append(write(item, at))
            sequence.item_places.append(at.place)
        return sequence

    def body(self, value: Any, spot: Spot) -> Any:
        """JSON with tokens and operators."""
        match value:
            case str() | Token():
                return self._text(value, spot)
            case Operator():
                spot = value.site.spot(value.positional)
                return self._mapping(value, spot, _OPERANDS)
            case Predicate():
                return self._predicate(value, spot)
            case Mapping():
                return self._mapping(value, spot, BodyKind())
            case Sequence():
                return self._list(value, spot, self.body)
        return self.plain(value, spot)

    def _text(self, value: Any, spot: Spot) -> Any:
        """A text with tokens: only what an f-string or a token object put there is one."""
        if isinstance(value, Token):
            return self._token(value, spot.place)
        if not isinstance(value, str):
            return self.plain(value, spot)
        written: list[str] = []
        for part in split(value):
            if isinstance(part, str):
                written.append(escaped(part))
                continue
            if written and written[-1].endswith("$"):
                self.problems.error(
                    spot.place,
                    f"a '$' directly before {part!r} cannot be said; an f-string needs none: "
                    '"{input.x}", not "${input.x}"',
                )
            written.append(self._token(part, spot.place))
        return "".join(written)

    def _token(self, value: Token, place: Place) -> str:
        try:
            return value.token_text(self.names)
        except TypeError as error:
            self.problems.error(place, str(error))
            return ""

    def _path(self, value: Any, spot: Spot) -> Any:
        if isinstance(value, Path | Token):
            return value.path_text(self.names)
        return self.plain(value, spot)

    def _predicate(self, value: Any, spot: Spot) -> Any:
        if not isinstance(value, Predicate):
            self.problems.error(
                spot.place, f"expected a condition such as body.status == 'failed', not {value!r}"
            )
            return places.Mapping(spot.place)
        mapping = places.Mapping(spot.place)
        for operator, operand in value.conditions.items():
            mapping.put(operator, self._operand(operator, operand, spot), spot.place, spot.place)
        return mapping

    def _operand(self, operator: str, operand: Any, spot: Spot) -> Any:
        match operator:
            case "not":
                return self._predicate(operand, spot)
            case "exists":
                return self._path(operand, spot)
            case "status":
                return self.plain(operand, spot)
        first, second = operand
        pair = [self._path(first, spot), self.body(second, spot)]
        sequence = places.Sequence(spot.place)
        sequence.extend(pair)
        sequence.item_places.extend([spot.place, spot.place])
        return sequence

    def plain(self, value: Any, spot: Spot) -> Any:
        """What has no tokens: JSON and the words of the language."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                if len(parts := split(value)) > 1 or (parts and isinstance(parts[0], Token)):
                    self._misplaced(parts[0] if isinstance(parts[0], Token) else parts[1], spot)
                return value
            case Mapping():
                return self._mapping(value, spot, None)
            case Sequence():
                return self._list(value, spot, self.plain)
            case Part():
                return self._mapping(value, spot, None)
        self._misplaced(value, spot)
        return None

    def _misplaced(self, value: Any, spot: Spot) -> None:
        what = (
            "a token" if isinstance(value, Token) else "a path" if isinstance(value, Path) else ""
        )
        self.problems.error(
            spot.place,
            f"{value!r}: {what} has no place here"
            if what
            else f"{value!r}: a {type(value).__name__} has no place in a specification",
        )


class _Operands(dict[str, Any]):
    """The kinds of an operator's keys: all are bodies, save a condition and a secret's name."""

    def get(self, key: str, default: Any = None) -> Any:
        return {"$when": PredicateKind(), "$secret": None}.get(key, BodyKind())


_OPERANDS: Final = _Operands()
