"""Values that fit a schema: what a document gives as an example, else the plainest one."""

from collections.abc import Mapping
from typing import Any, Final

from boards.spec.importers.media import carrier_of, kind_in
from boards.spec.importers.schemas import accepts, bare, types_of

__all__ = ["sample_data", "sample_of", "sample_url"]

_DATA: Final = {
    "image": "data:image/png;base64,ZmlsZQ==",
    "audio": "data:audio/wav;base64,ZmlsZQ==",
    "video": "data:video/mp4;base64,ZmlsZQ==",
}
_FILES: Final = {"image": "png", "audio": "wav", "video": "mp4", "model": "glb", "text": "txt"}
_FORMATS: Final = {
    "date": "2025-01-15",
    "date-time": "2025-01-15T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uuid": "764cabcf-b745-4b3e-ae38-1200304cf45b",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "byte": "ZmlsZQ==",
}
_TRIED: Final = (
    "a text", "a", "text", "1", "10", "1.0", "v1.0", "en", "en-US", "a/b", "a-b", "#000000",
    "0" * 24,
    "1024x1024", "16:9", "2025-01-15", "00:00:10", *_FORMATS.values(),
)  # fmt: skip
"""What patterns mostly ask for."""
_MAX_DEPTH: Final = 8


def sample_url(kind: str | None) -> str:
    """The address of a file of some kind."""
    return f"https://example.com/file.{_FILES.get(kind or '', 'bin')}"


def sample_data(kind: str) -> str:
    """A file of some kind, as a data URI."""
    return _DATA.get(kind, "data:application/octet-stream;base64,ZmlsZQ==")


def sample_of(schema: Mapping[str, Any], name: str = "", depth: int = _MAX_DEPTH) -> Any:
    """A value of a plain schema; it may not fit where the schema is too particular to tell one."""
    fits = bare(schema)
    examples = schema.get("examples")
    offered = [
        *(examples if isinstance(examples, list) else ()),
        *([schema["default"]] if "default" in schema else ()),
        *([schema["const"]] if "const" in schema else ()),
        *schema.get("enum", ()),
    ]
    for value in offered:
        if value is not None and accepts(fits, value):
            return value
    for key in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(key, ()):
            if branch.get("type") != "null" and depth:
                both = {**{k: v for k, v in schema.items() if k != key}, **branch}
                value = sample_of(both, name, depth - 1)
                if accepts(fits, value):
                    return value
    kinds = types_of(schema)
    if "string" in kinds or not kinds:
        return _text(schema, name)
    if kinds & {"integer", "number"}:
        return _number(schema, whole="integer" in kinds)
    if "boolean" in kinds:
        return False
    if "array" in kinds:
        return _list(schema, name, depth)
    return _object(schema, depth)


def _text(schema: Mapping[str, Any], name: str) -> str:
    format_ = schema.get("format")
    if format_ in ("image", "audio", "video", "model", "file"):  # an input, typed already
        return sample_url(format_)
    carrier = carrier_of(name, schema)
    kind = kind_in(name, str(schema.get("description", "")))
    if carrier == "url":
        return sample_url(kind)
    if carrier is not None:
        return "ZmlsZQ=="
    if "pattern" in schema:
        return next((one for one in _TRIED if accepts(bare(schema), one)), "a text")
    text = _FORMATS.get(str(format_), "a text")
    least = schema.get("minLength", 0)
    text = text if len(text) >= least else (text * (least // len(text) + 1))[:least]
    most = schema.get("maxLength")
    return text if most is None else text[:most]


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    unit: int | float = schema.get("multipleOf", 1)
    value: int | float = unit
    if "minimum" in schema:
        value = -(-schema["minimum"] // unit) * unit
    elif "exclusiveMinimum" in schema:
        value = (schema["exclusiveMinimum"] // unit + 1) * unit
    elif "maximum" in schema:
        value = min(unit, schema["maximum"] // unit * unit)
    elif "exclusiveMaximum" in schema:
        value = min(unit, (-(-schema["exclusiveMaximum"] // unit) - 1) * unit)
    below = schema.get("maximum", value)
    if not whole and "multipleOf" not in schema and value > below:
        value = below  # 0.1 to 0.9
    return int(value) if whole and value == int(value) else value


def _list(schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
    if not depth:
        return []
    begun = [sample_of(one, name, depth - 1) for one in schema.get("prefixItems", ())]
    items = schema.get("items")
    missing = max(schema.get("minItems", 0) - len(begun), 0 if begun else 1)
    if isinstance(items, Mapping):
        begun += [sample_of(items, name, depth - 1)] * min(missing, 10)
    return begun


def _object(schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if not depth:
        return {}
    properties = schema.get("properties", {})
    needed = [name for name in schema.get("required", ()) if name in properties]
    chosen = needed or list(properties)
    made = {name: sample_of(properties[name], name, depth - 1) for name in chosen}
    extra = schema.get("additionalProperties")
    if not made and isinstance(extra, Mapping):
        made["key"] = sample_of(extra, "", depth - 1)
    return made
