"""The inputs of generators under all the names that a caller may use."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from boards.errors import BoardsError
from boards.names import unsuffixed
from boards.spec.inputs import InputSchema
from boards.typegen.shapes import Field, meet, shape_of

if TYPE_CHECKING:
    from boards.entries import GeneratorEntry
    from boards.registry import Registry

__all__ = ["GeneratorTypes", "class_name", "explained", "limits", "printable", "typed_generators"]


@frozen(kw_only=True)
class GeneratorTypes:
    """What a call of a generator looks like.

    Attributes:
        names: What it is called: the id, and whatever else stands for it alone; or a short name
            that several providers offer.
        artifact_type: What it makes.
        description: For people.
        docs: Where the model is documented.
        fields: Its inputs, in the order of the schema; of a short name that several providers
            offer, those that all of them take.
        open: Whether inputs that the schema does not name are taken.
    """

    names: tuple[str, ...]
    artifact_type: str
    description: str
    docs: str = ""
    fields: tuple[Field, ...]
    open: bool = False

    @property
    def about(self) -> list[str]:
        """What it is, and where that is documented: for a comment."""
        first = f"{self.names[0]}: {self.description}".removesuffix(": ")
        return [printable(first), *filter(None, [printable(self.docs)])]


def typed_generators(
    registry: "Registry", ids: Iterable[str] | None = None
) -> tuple[GeneratorTypes, ...]:
    """What the calls of generators look like, in an order that depends on nothing else.

    A short name that several providers offer stands for what all of them take: which of them runs
    depends on the keys that are set. Where an input that one of them requires is not known to
    another, it stands for the first provider's generator.

    Args:
        registry: What is installed.
        ids: Only generators of these ids; all by default.

    Raises:
        SpecError: One of the generators has mistakes.
        NotFoundError: There is no such generator.
    """
    entries = registry.generators()
    known = {entry.id for entry in entries}
    wanted = known if ids is None else set(ids)
    own = {id_: [id_] for id_ in sorted(wanted)}
    shared: dict[str, list[str]] = {}
    for name in sorted(_other_names(registry, entries) - known):
        candidates = _candidates(registry, name)
        if len(candidates) == 1 and candidates[0] in wanted:
            own[candidates[0]].append(name)
        elif len(candidates) > 1 and not wanted.isdisjoint(candidates):
            shared[name] = candidates
    needed = [*own, *(id_ for candidates in shared.values() for id_ in candidates)]
    typed = {id_: _typed(registry, id_) for id_ in dict.fromkeys(needed)}
    common: list[GeneratorTypes] = []
    for name, candidates in shared.items():
        found = _common(name, [typed[one] for one in candidates])
        if found is not None:
            common.append(found)
        elif candidates[0] in own:
            own[candidates[0]].append(name)
    alone = [evolve(typed[id_], names=tuple(names)) for id_, names in own.items()]
    return (*alone, *common)


def _other_names(registry: "Registry", entries: "list[GeneratorEntry]") -> set[str]:
    """All names that callers may use beside the ids."""
    names = {f"@{one.name}" for one in registry.providers() if one.default_generator}
    for one in entries:
        names |= {one.name, unsuffixed(one.name), unsuffixed(one.id)}
    return names


def _candidates(registry: "Registry", name: str) -> list[str]:
    """The generators that a name stands for, but for those that cannot be read."""
    found = []
    with suppress(BoardsError):  # the default of a provider that cannot be used
        for entry in registry.resolve(name):
            with suppress(BoardsError):
                registry.spec(entry.id)
                found.append(entry.id)
    return found


def _typed(registry: "Registry", generator_id: str) -> GeneratorTypes:
    spec = registry.spec(generator_id)
    inputs = InputSchema(spec.io.input_schema)
    files = {one.name for one in inputs.files}
    return GeneratorTypes(
        names=(generator_id,),
        artifact_type=spec.artifact_type,
        description=spec.description or spec.display_name,
        docs=spec.docs,
        open=inputs.schema["additionalProperties"] is not False,
        fields=tuple(
            Field(
                name=name,
                shape=shape_of(schema, inputs.schema, files=name in files),
                required=name in inputs.required and name not in inputs.defaults,
                schema=schema if isinstance(schema, Mapping) else {},
            )
            for name, schema in inputs.properties.items()
        ),
    )


def _common(name: str, candidates: list[GeneratorTypes]) -> GeneratorTypes | None:
    """What all generators of a short name take; None where no call suits them all."""
    first, *others = candidates
    found: dict[str, Field] = {one.name: one for one in first.fields}
    for other in others:
        theirs = {one.name: one for one in other.fields}
        found = {
            one.name: both
            for one in found.values()
            if (another := theirs.get(one.name)) and (both := _both(one, another))
        }
    required = {one.name for candidate in candidates for one in candidate.fields if one.required}
    if not required <= found.keys() or len({one.artifact_type for one in candidates}) > 1:
        return None
    ids = " and ".join(one.names[0] for one in candidates)
    return GeneratorTypes(
        names=(name,),
        artifact_type=first.artifact_type,
        description=f"What {ids} have in common: {first.description}",
        fields=tuple(found.values()),
    )


def _both(one: Field, other: Field) -> Field | None:
    shape = meet(one.shape, other.shape)
    if shape is None:
        return None
    told = {key: value for key, value in one.schema.items() if other.schema.get(key) == value}
    if "description" in one.schema:
        told["description"] = one.schema["description"]
    return Field(name=one.name, shape=shape, required=one.required or other.required, schema=told)


_LIMITS: Final[Mapping[str, str]] = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matching {}",
}


def limits(schema: Mapping[str, Any]) -> str:
    """What a type cannot say of a value, for people."""
    if schema.get("minLength") == 1 or schema.get("minItems") == 1:
        schema = {key: one for key, one in schema.items() if key not in ("minLength", "minItems")}
        return ", ".join(filter(None, ("not empty", limits(schema))))
    return ", ".join(text.format(schema[key]) for key, text in _LIMITS.items() if key in schema)


def explained(field: Field) -> Iterator[str]:
    """The sentences that tell an input, beside its type and its default."""
    if description := printable(str(field.schema.get("description", ""))):
        yield f"{description.rstrip('.')}."
    if found := limits(field.schema):
        yield f"{found[0].upper()}{found[1:]}."


def printable(text: str) -> str:
    """A text of somebody else, without characters that would end or garble a comment."""
    lines = ("".join(filter(str.isprintable, line)).rstrip() for line in text.splitlines())
    return "\n".join(lines).strip()


def class_name(*names: str) -> str:
    """A name for a type: ``fal``, ``flux-1.1-pro`` is ``FalFlux1_1Pro``."""
    made = ""
    for part in re.split(r"[^0-9A-Za-z]+", " ".join(names)):
        between = "_" if made[-1:].isdigit() and part[:1].isdigit() else ""
        made += between + part[:1].upper() + part[1:]
    return f"_{made}" if not made or made[0].isdigit() else made
