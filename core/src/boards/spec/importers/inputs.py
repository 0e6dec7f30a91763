"""Inputs of a model: names, files among them, the tokens that send them, and a sample of them."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from boards.spec.importers.media import (
    Carrier,
    MediaKind,
    carrier_of,
    is_any_of,
    kind_in,
    kind_of_mime,
    kind_of_url,
    urls_in,
    words,
)
from boards.spec.importers.samples import sample_data, sample_of, sample_url
from boards.spec.importers.schemas import Notes, accepts, bare, is_usable, types_of
from boards.spec.inputs import InputSchema

__all__ = ["Input", "Inputs", "inputs_of", "members", "named", "typed"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_FILTERS: Final[dict[Carrier, str]] = {"url": "file", "base64": "base64", "binary": "bytes"}
_FILE_WORDS: Final = frozenset(
    {"archive", "data", "dataset", "document", "file", "input", "pdf", "source", "src", "zip"}
)
_KEPT: Final = ("description", "deprecated", "examples", "minItems", "maxItems")


@frozen
class Input:
    """One input.

    Attributes:
        name: Of the generator.
        key: Of the provider.
        schema: Plain, with its hints.
        required: Whether the document requires it.
        filter: Of its token; empty for none.
        place: Where it goes, in a request with several places: ``body path query header``.
    """

    name: str
    key: str
    schema: dict[str, Any]
    required: bool = False
    filter: str = ""
    place: str = "body"

    @property
    def certain(self) -> bool:
        """There is always a value."""
        return self.required or "default" in self.schema

    @property
    def token(self) -> str:
        """What sends it."""
        optional = "" if self.certain else "?"
        return f"${{input.{self.name}{optional}{f'|{self.filter}' if self.filter else ''}}}"

    @property
    def is_file(self) -> bool:
        """Whether it takes files."""
        return self.filter in _FILTERS.values()

    def sent(self, value: Any) -> Any:
        """What its token makes of a value; files are URLs, or data URIs in base64."""
        if isinstance(value, list) and self.filter and self.filter != "json":
            return [self.sent(one) for one in value]
        if self.filter == "json":
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if self.filter == "base64":
            return str(value).partition(",")[2]
        return "file" if self.filter == "bytes" else value


@frozen
class Inputs:
    """The inputs of a generator.

    Attributes:
        given: Each of them, in order.
        constraints: Keywords of the input schema beside ``properties`` and ``required``.
    """

    given: tuple[Input, ...]
    constraints: Mapping[str, Any] = field(factory=dict)

    def schema(self) -> dict[str, Any]:
        """``input_schema``."""
        required = [one.name for one in self.given if one.required]
        return {
            "type": "object",
            **({"required": required} if required else {}),
            "properties": {one.name: bare(one.schema) for one in self.given},
            **self.constraints,
        }

    def examples(self) -> dict[str, Any]:
        """The first example that each input's own schema has, by the provider's names."""
        return {
            one.key: one.schema["examples"][0]
            for one in self.given
            if isinstance(one.schema.get("examples"), list) and one.schema["examples"]
        }

    def sample(self, example: Any, notes: Notes) -> dict[str, Any] | None:
        """An input that fits: the document's example as far as it does, and what is required.

        Args:
            example: A real input, by the provider's names; anything else counts as none.
            notes: Where is kept that there is none.
        """
        told = example if isinstance(example, Mapping) else {}
        schema = InputSchema(self.schema())
        chosen: dict[str, Any] = {}
        for one in self.given:
            value = told.get(one.key)
            if value is not None and self._fits(one, value):
                chosen[one.name] = value
            elif one.required and "default" not in one.schema:
                chosen[one.name] = _made(one)
        needed = {one.name for one in self.given if one.required}
        for candidate in (
            chosen,
            {name: chosen[name] for name in chosen if name in needed},
            *self._branches(chosen),
        ):
            completed = schema.complete(candidate)
            if not schema.problems(completed):
                return candidate
        notes.add("", "no sample input could be made that fits the schema: there is no fixture")
        return None

    def _branches(self, chosen: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The sample with all of one alternative: enough to be no other."""
        for key in ("oneOf", "anyOf"):
            for branch in self.constraints.get(key, ()):
                told = {name: sample_of(one, name) for name, one in members(branch)[0].items()}
                yield {**chosen, **told}

    def sent(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What of an input goes out, by the provider's names, defaults included."""
        completed = InputSchema(self.schema()).complete(given)
        return {
            one.key: one.sent(completed[one.name])
            for one in self.given
            if one.name in completed and (completed[one.name] is not None or one.certain)
        }

    def _fits(self, one: Input, value: Any) -> bool:
        if not accepts(bare(one.schema), value) or len(json.dumps(value)) > 20_000:
            return False
        if not one.is_file:
            return True
        values = value if isinstance(value, list) else [value]
        begins = ("https://", "http://") if one.filter == "file" else ("data:",)
        return all(isinstance(item, str) and item.startswith(begins) for item in values)


def _made(one: Input) -> Any:
    """A sample of an input that the document gives none of."""
    if not one.is_file:
        return sample_of(one.schema, one.name)
    leaf = one.schema.get("items", one.schema)
    file = sample_url(leaf["format"]) if one.filter == "file" else sample_data(leaf["format"])
    return [file] * max(1, one.schema.get("minItems", 1)) if leaf is not one.schema else file


def members(schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[str], bool]:
    """Properties and required names of an object, also where alternatives have them.

    Returns:
        The properties, the names, and whether they are those of one flat schema.
    """
    properties: dict[str, Any] = dict(schema.get("properties", {}))
    required: list[str] = list(schema.get("required", ()))
    flat = True
    for key in ("allOf", "anyOf", "oneOf"):
        branches = [one for one in schema.get(key, ()) if isinstance(one, Mapping)]
        needed: list[list[str]] = []
        for branch in branches:
            inner, names, _ = members(branch)
            needed.append(names)
            for name, one in inner.items():
                flat = False
                if name not in properties:
                    # Boards fills in defaults, and one branch's must not fail another.
                    properties[name] = {k: v for k, v in one.items() if k != "default"}
                elif name not in schema.get("properties", {}) and bare(properties[name]) != bare(
                    one
                ):
                    properties[name] = _either(properties[name], one)
        common = set.intersection(*map(set, needed)) if needed and key != "allOf" else set()
        listed = [name for names in needed for name in names]
        required += [name for name in listed if key == "allOf" or name in common]
    return properties, list(dict.fromkeys(required)), flat


def _either(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    first = {key: value for key, value in first.items() if key != "default"}
    second = {key: value for key, value in second.items() if key != "default"}
    described = {"description": first["description"]} if "description" in first else {}
    branches = first["anyOf"] if first.keys() <= {"anyOf", "description"} else [first]
    return {**described, "anyOf": [*branches, second]}


def named(
    properties: Mapping[str, Any], required: Iterable[str], notes: Notes, taken: Iterable[str] = ()
) -> dict[str, str]:
    """A name of the language for each key; optional ones that have none are left out."""
    needed = set(required)
    names: dict[str, str] = {}
    used = {*taken, *(key for key in properties if _NAME.fullmatch(key))}
    for key in properties:
        if _NAME.fullmatch(key):
            names[key] = key
            continue
        if key not in needed:
            notes.add("", f"{key!r} is no name of an input here: it is left out")
            continue
        name = re.sub(r"[^A-Za-z0-9]+", "_", key).strip("_") or "input"
        name = f"_{name}" if name[0].isdecimal() else name
        while name in used:
            name += "_"
        used.add(name)
        names[key] = name
        notes.add("", f"{key!r} is no name of an input here: it is called {name}")
    return names


def inputs_of(
    schema: Mapping[str, Any],
    notes: Notes,
    *,
    order: Callable[[str, Mapping[str, Any]], Any] | None = None,
    any_address: bool = True,
) -> Inputs:
    """The inputs that an object's schema describes.

    Args:
        schema: Plain, with its hints.
        notes: Where is kept what could not be told.
        order: A sorting key of an input.
        any_address: Whether an address of which nobody says what it leads to is a file.
    """
    properties, required, flat = members(schema)
    keys = list(properties)
    if order is not None:
        keys.sort(key=lambda key: order(key, properties[key]))
    names = named(properties, required, notes)
    given = []
    for key in keys:
        if key not in names:
            continue
        one = Input(names[key], key, properties[key], key in required)
        if properties[key].get("readOnly") is True and not one.required:
            continue
        given.append(typed(one, notes, any_address=any_address))
    constraints = {
        key: value
        for key, value in bare(schema).items()
        if key
        not in ("type", "properties", "required", "description", "default", "additionalProperties",
                "unevaluatedProperties", "format", "deprecated")
    }  # fmt: skip
    if schema.get("additionalProperties") not in (None, False):
        notes.add("", "further inputs are allowed by the document; only those it names are taken")
    if any(names.get(key, key) != key for key in keys) and constraints:
        notes.add("", f"{', '.join(constraints)} of the input: left out, as names differ")
        constraints = {}
    if not flat and constraints and (why := is_usable(constraints)):
        notes.add("", f"{', '.join(constraints)} of the input: left out, {why}")
        constraints = {}
    return Inputs(tuple(given), constraints)


def typed(one: Input, notes: Notes, *, any_address: bool = True) -> Input:
    """An input as it is taken: a file where it stands for one; without what cannot be.

    A default that does not fit its own schema goes, and a schema that no validator can use
    becomes one that accepts anything; both are noted.
    """
    schema = one.schema
    if schema.get("x-cog-secret") or schema.get("format") == "password":
        notes.add(one.name, "a secret; Boards keeps the inputs of a generation in its database")
    if why := is_usable(bare(schema)):
        notes.add(one.name, f"its schema cannot be used ({why}); any value is accepted")
        schema = {key: schema[key] for key in ("description",) if key in schema}
    one = _as_file(evolve(one, schema=schema), notes, any_address=any_address)
    schema = one.schema
    if "default" in schema:
        default = schema["default"]
        fits = accepts(bare(schema), default)
        if one.is_file and fits:
            values = default if isinstance(default, list) else [default]
            fits = all(str(item).startswith(("https://", "http://", "data:")) for item in values)
        if not fits:
            if default != "" or not one.is_file:
                notes.add(one.name, f"its default {_shown(default)} is left out: it does not fit")
            schema = {key: value for key, value in schema.items() if key != "default"}
    return evolve(one, schema=schema)


def _as_file(one: Input, notes: Notes, *, any_address: bool) -> Input:
    schema = one.schema
    branches = [branch for key in ("anyOf", "oneOf") for branch in schema.get(key, ()) if branch]
    texts = [branch for branch in branches if types_of(branch) == {"string"}]
    lists = [branch for branch in branches if types_of(branch) == {"array"}]
    if branches and len(texts) + len(lists) == len([b for b in branches if b != {"type": "null"}]):
        if lists:
            found = _file_list(one.key, lists[0], any_address=any_address)
            if found is not None:
                notes.add(one.name, "takes one file or a list of them; here always a list")
                return _file_input(one, found, many=lists[0])
        else:
            told = [_file(one.key, {**schema, **b}, any_address=any_address) for b in texts]
            found = next((one for one in told if one is not None), None)
            if found is not None:
                return _file_input(one, found)
        return one
    if types_of(schema) == {"string"}:
        found = _file(one.key, schema, any_address=any_address)
        return one if found is None else _file_input(one, found)
    if types_of(schema) == {"array"}:
        found = _file_list(one.key, schema, any_address=any_address)
        if found is not None:
            return _file_input(one, found, many=schema)
    nested = _nested_files(schema, one.name)
    if nested:
        notes.add(one.name, f"{', '.join(nested)}: give the address of a file, not a file")
    return one


def _file(key: str, schema: Mapping[str, Any], *, any_address: bool) -> tuple[Carrier, str] | None:
    """How a text stands for a file, and its format; None where it does not."""
    carrier = carrier_of(key, schema)
    if carrier is None:
        return None
    kind = _input_kind(key, schema)
    spoken = set(words(key)) & _FILE_WORDS
    if kind is None and carrier == "url" and not any_address and not spoken:
        return None
    return carrier, kind or "file"


def _file_list(
    key: str, schema: Mapping[str, Any], *, any_address: bool
) -> tuple[Carrier, str] | None:
    items = schema.get("items")
    if not isinstance(items, Mapping) or types_of(items) != {"string"}:
        return None
    described = {"description": schema.get("description", ""), **items}
    return _file(key, described, any_address=any_address)


def _input_kind(key: str, schema: Mapping[str, Any]) -> MediaKind | None:
    for hint in (schema.get("x-cog-accept"), schema.get("contentMediaType")):
        if isinstance(hint, str) and (kind := kind_of_mime(hint)) not in (None, "text"):
            return kind
    hinted = schema.get("ui")
    field_ = hinted.get("field") if isinstance(hinted, Mapping) else None
    if field_ in ("image", "audio", "video"):
        return field_  # type: ignore[no-any-return]  # one of them
    named_ = words(key)
    if set(named_) & {"zip", "archive", "dataset", "pdf", "csv"}:
        return None
    description = str(schema.get("description", ""))
    kind = None if is_any_of(description) else kind_in(key, description)
    if kind is None:  # not even the words tell, but perhaps the example does
        kind = next(filter(None, map(kind_of_url, urls_in(schema.get("examples")))), None)
        kind = None if kind == "model" else kind
    return None if kind == "text" else kind


def _file_input(
    one: Input, found: tuple[Carrier, str], many: Mapping[str, Any] | None = None
) -> Input:
    carrier, format_ = found
    schema = one.schema
    nullable = accepts(bare(schema), None)
    leaf: dict[str, Any] = {"type": "string", "format": format_}
    kept: dict[str, Any] = {key: schema[key] for key in _KEPT if key in schema}
    if many is not None:
        leaf = {"type": "array", "items": leaf}
        kept.update({key: many[key] for key in _KEPT if key in many and key not in kept})
    if nullable:
        leaf["type"] = [leaf["type"], "null"]
    if "default" in schema:
        kept["default"] = schema["default"]
    return evolve(one, schema={**leaf, **kept}, filter=_FILTERS[carrier])


def _nested_files(schema: Mapping[str, Any], path: str) -> list[str]:
    found = []
    inner = schema.get("items")
    if isinstance(inner, Mapping):
        found += _nested_files(inner, f"{path}[]")
    for name, one in schema.get("properties", {}).items():
        if types_of(one) == {"string"} and carrier_of(name, one) == "url":
            found.append(f"{path}.{name}")
        found += _nested_files(one, f"{path}.{name}")
    return found[:5]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
