"""What a field holds, as well as its name, its description and its format tell: files and texts.

Providers seldom say in a schema that a text is the address of an image. The words that tell it
were counted in some five thousand published documents of Replicate and fal.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from attrs import frozen

from boards.spec.importers.schemas import types_of

__all__ = [
    "Carrier",
    "Leaf",
    "MediaKind",
    "carrier_of",
    "first_kind",
    "is_any_of",
    "is_step",
    "kind_in",
    "kind_of_mime",
    "kind_of_url",
    "leaves",
    "urls_in",
    "words",
]

MediaKind = Literal["image", "audio", "video", "model", "text"]
Carrier = Literal["url", "base64", "binary"]
"""How a text stands for a file: its address (or a data URI), its base64, or its bytes."""

_STRONG: Final[dict[str, MediaKind]] = {
    **dict.fromkeys(
        ("image", "img", "picture", "photo", "photograph", "pic", "png", "jpeg", "jpg"), "image"
    ),
    **dict.fromkeys(("video", "clip", "movie", "footage", "mp4"), "video"),
    **dict.fromkeys(
        (
            "audio", "song", "music", "sound", "wav", "mp3", "speech", "voice", "vocal", "melody",
            "instrumental",
        ),
        "audio",
    ),
    **dict.fromkeys(
        ("mesh", "glb", "gltf", "obj", "ply", "stl", "fbx", "usdz", "3d", "lora", "safetensor",
         "checkpoint", "weight", "gaussian"),
        "model",
    ),
}  # fmt: skip
_WEAK: Final[dict[str, MediaKind]] = {
    **dict.fromkeys(
        ("mask", "selfie", "garment", "frame", "logo", "sketch", "thumbnail", "avatar", "texture",
         "icon", "drawing", "scribble", "canny"),
        "image",
    ),
    **dict.fromkeys(("speaker", "recording", "track", "stem", "tts"), "audio"),
    **dict.fromkeys(("animation", "film"), "video"),
    **dict.fromkeys(("model", "training"), "model"),
    **dict.fromkeys(("transcript", "caption", "subtitle", "transcription"), "text"),
}  # fmt: skip
_FAINT: Final[dict[str, MediaKind]] = dict.fromkeys(
    ("face", "portrait", "person", "pose", "depth", "character", "cloth"), "image"
)
"""Subjects: usually in images, unless a description says otherwise."""
_EXTENSIONS: Final[dict[str, MediaKind]] = {
    **dict.fromkeys(
        ("png", "jpg", "jpeg", "webp", "gif", "svg", "avif", "bmp", "tiff", "tif", "heic"), "image"
    ),
    **dict.fromkeys(("mp4", "webm", "mov", "mkv", "avi", "m4v"), "video"),
    **dict.fromkeys(("wav", "mp3", "flac", "ogg", "opus", "m4a", "aac", "mid", "midi"), "audio"),
    **dict.fromkeys(
        ("glb", "gltf", "obj", "ply", "stl", "fbx", "usdz", "splat", "safetensors", "ckpt", "pt",
         "pth", "onnx", "gguf", "zip", "tar"),
        "model",
    ),
    **dict.fromkeys(("txt", "srt", "vtt", "json", "csv", "md", "html"), "text"),
}  # fmt: skip
_ADDRESSES: Final = frozenset({"url", "urls", "uri", "uris"})
_OTHER_ADDRESSES: Final = frozenset(
    {
        "callback", "cancel", "docs", "documentation", "homepage", "hook", "next", "page", "poll",
        "polling", "prev", "previous", "progress", "redirect", "repo", "repository", "response",
        "self", "site", "status", "stream", "webhook", "website", "youtube",
    }
)  # fmt: skip
"""Words beside ``url`` in names whose address is no file."""
_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])")
_TEXTS: Final = frozenset(
    {
        "answer", "caption", "captions", "completion", "content", "contents", "description", "html",
        "lyrics", "markdown", "message", "ocr", "output", "outputs", "reply", "response", "result",
        "results", "summary", "text", "texts", "transcript", "transcription", "translation",
    }
)  # fmt: skip
"""Names of texts that are what was asked for; of the others one cannot tell."""


def words(name: str) -> list[str]:
    """The words of a name or a sentence, in lower case and singular."""
    found = [word.lower() for word in _SPLIT.split(name) if word]
    return [
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in found
    ]


def kind_in(name: str, *descriptions: str) -> MediaKind | None:
    """What the words of a name tell, else those of the first description that tells anything."""
    named = words(name)
    for table in (_STRONG, _WEAK):
        told = [table[word] for word in named if word in table]
        if told:
            return told[-1]  # `video_image` is an image
    for description in descriptions:
        spoken = words(description)
        for table in (_STRONG, _WEAK):
            first = next((table[word] for word in spoken if word in table), None)
            if first is not None:
                return first
    return next((_FAINT[word] for word in named if word in _FAINT), None)


def is_any_of(description: str) -> bool:
    """Whether a description offers files of several kinds: "an image or video", "a zip file"."""
    spoken = words(description)
    if {"zip", "tar", "archive", "zipped"} & set(spoken):
        return True
    told = [(place, _STRONG[word]) for place, word in enumerate(spoken) if word in _STRONG]
    return any(
        kind != other and other_place - place == 2 and spoken[place + 1] in ("or", "and")
        for (place, kind), (other_place, other) in pairwise(told)
    )


def first_kind(texts: Iterable[str]) -> MediaKind | None:
    """What the first of some texts tells that tells anything."""
    return next((kind for text in texts if (kind := kind_in("", text)) is not None), None)


def kind_of_mime(mime: str) -> MediaKind | None:
    """What a media type, or a range such as ``image/*``, tells."""
    main = mime.partition("/")[0].strip().lower()
    if main in ("image", "audio", "video", "model", "text"):
        return main  # type: ignore[return-value]  # one of them
    return None


def kind_of_url(url: str) -> MediaKind | None:
    """What the extension of an address, or the type in a data URI, tells."""
    if url.startswith("data:"):
        return kind_of_mime(url[5:].partition(";")[0].partition(",")[0])
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return _EXTENSIONS.get(path.rpartition(".")[2].lower())


def urls_in(value: Any) -> Iterator[str]:
    """The http(s) and data URIs in a JSON value, in order."""
    if isinstance(value, str):
        if value.startswith(("https://", "http://", "data:")):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from urls_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from urls_in(item)


def carrier_of(name: str, schema: Mapping[str, Any]) -> Carrier | None:
    """How a text field stands for a file, or None: it is a text, or no text at all.

    Args:
        name: Of the field.
        schema: Plain, with its hints.
    """
    if types_of(schema) - {"string"} or "enum" in schema or "const" in schema:
        return None
    description = str(schema.get("description", "")).lower()
    encoded = str(schema.get("contentEncoding", "")).lower().startswith("base64")
    shape = str(schema.get("format", "")).lower()
    if encoded or shape in ("byte", "base64"):
        return "base64"
    if shape in ("binary", "bytes"):
        return "binary"
    media_type = schema.get("contentMediaType")
    if isinstance(media_type, str) and kind_of_mime(media_type) not in (None, "text"):
        return "binary"
    named = words(name)
    if {"b64", "base64"} & set(named):
        return "base64"
    if set(named) & _OTHER_ADDRESSES:
        return None
    if shape in ("uri", "url", "data-uri", "uri-reference", "iri"):
        return "url"
    hinted = schema.get("ui")
    if isinstance(hinted, Mapping) and hinted.get("field") in ("image", "audio", "video", "file"):
        return "url"
    if set(name.lower().replace("-", "_").split("_")) & _ADDRESSES or named[-1:] == ["url"]:
        return "url"
    if kind_in(name) in ("image", "audio", "video") and len(named) <= 3:
        if "base64" in description:
            return "url" if re.search(r"\burls?\b|data.ur[il]", description) else "base64"
        if re.search(r"\burls?\b|\buris?\b", description):
            return "url"
    return None


@frozen
class Leaf:
    """A value inside a reply, as its schema announces it.

    Attributes:
        path: Of the language, from ``body`` on.
        name: The nearest name above it.
        form: ``url`` or ``base64``: a file. ``text``, ``fact`` (a number or a boolean), ``any``.
        kind: What the file is, as far as names tell.
        required: Whether it is always there.
        joined: A list of texts that are pieces of one.
        facts: Names and paths of facts that stand beside a file.
    """

    path: str
    name: str
    form: Literal["url", "base64", "text", "fact", "any"]
    kind: MediaKind | None = None
    required: bool = True
    joined: bool = False
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def is_file(self) -> bool:
        """Whether it stands for a file."""
        return self.form in ("url", "base64")

    @property
    def says_result(self) -> bool:
        """Whether a text's name says that it is what was asked for."""
        return bool(
            set(words(self.name)) & {word.rstrip("s") for word in _TEXTS}
            | (set(words(self.name)) & _TEXTS)
        )


_STEP = re.compile(r"[A-Za-z0-9_@$:-]+")


def is_step(name: str) -> bool:
    """Whether a path of the language can go through a property."""
    return _STEP.fullmatch(name) is not None


_FACTS: Final = ("width", "height", "duration", "fps", "num_frames", "seed")
_MAX_DEPTH: Final = 12


def leaves(
    schema: Mapping[str, Any], path: str = "body", name: str = "", *, required: bool = True
) -> list[Leaf]:
    """The values of a reply, in the order of its schema.

    Args:
        schema: Plain, with its hints.
        path: Where the reply's value is.
        name: What it is called.
        required: Whether it is always there.
    """
    found: dict[tuple[str, str], Leaf] = {}
    for leaf in _walk(schema, path, name, required, _MAX_DEPTH):
        found.setdefault((leaf.path, leaf.form), leaf)
    return list(found.values())


def _walk(
    schema: Mapping[str, Any], path: str, name: str, required: bool, depth: int
) -> Iterator[Leaf]:
    if depth == 0:
        return
    branches = [
        branch
        for key in ("anyOf", "oneOf", "allOf")
        for branch in schema.get(key, ())
        if branch.get("type") != "null"
    ]
    certain = required and not ("anyOf" in schema or "oneOf" in schema)
    for branch in branches:
        yield from _walk(branch, path, name, certain, depth - 1)
    kinds = types_of(schema)
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        yield from _walk_object(schema, properties, path, name, required, depth)
    if isinstance(schema.get("additionalProperties"), Mapping) and schema["additionalProperties"]:
        for leaf in _walk(schema["additionalProperties"], f"{path}[*]", name, False, depth - 1):
            if leaf.form != "fact":  # of a mapping of numbers, none goes with one file
                yield leaf
    if "items" in schema or "prefixItems" in schema:
        yield from _walk_list(schema, path, name, required, depth)
    elif "array" in kinds:
        yield Leaf(f"{path}[*]", name, "any", required=required)
    if "string" in kinds:
        yield _text_leaf(schema, path, name, required)
    elif kinds & {"number", "integer", "boolean"}:
        yield Leaf(path, name, "fact", required=required)
    elif not branches and not kinds & {"array"} and not properties:
        told = "enum" in schema or "const" in schema
        yield Leaf(path, name, "fact" if told else "any", required=required)


def _text_leaf(schema: Mapping[str, Any], path: str, name: str, required: bool) -> Leaf:
    carrier = carrier_of(name, schema)
    description = str(schema.get("description", ""))
    if carrier is None:
        told = "enum" in schema or "const" in schema
        return Leaf(path, name, "fact" if told else "text", required=required)
    form: Literal["url", "base64"] = "url" if carrier == "url" else "base64"
    kind = kind_in(name, description)
    media_type = schema.get("contentMediaType")
    if isinstance(media_type, str):
        kind = kind_of_mime(media_type) or kind
    return Leaf(path, name, form, kind, required)


def _walk_object(
    schema: Mapping[str, Any],
    properties: Mapping[str, Any],
    path: str,
    name: str,
    required: bool,
    depth: int,
) -> Iterator[Leaf]:
    url = properties.get("url")
    beside = {"content_type", "file_name", "file_size", "mime_type", "width", "height", "duration"}
    is_named = re.search(r"(File|Image|Video|Audio)\d*$", str(schema.get("title", "")))
    if (
        isinstance(url, Mapping)
        and "string" in types_of(url)
        and (beside & properties.keys() or is_named)
    ):
        kind = kind_in(name, str(schema.get("title", "")), str(schema.get("description", "")))
        facts = tuple((one, f"{path}.{one}") for one in _FACTS if one in properties)
        yield Leaf(f"{path}.url", name or "url", "url", kind, required, facts=facts)
        return
    always = set(schema.get("required", ()))
    for one, inner in properties.items():
        if is_step(one):
            called = f"{name}_{one}" if one in ("url", "uri", "data", "content") and name else one
            yield from _walk(inner, f"{path}.{one}", called, required and one in always, depth - 1)


def _walk_list(
    schema: Mapping[str, Any], path: str, name: str, required: bool, depth: int
) -> Iterator[Leaf]:
    joined = (
        schema.get("x-cog-array-display") == "concatenate"
        or schema.get("x-cog-array-type") == "iterator"
    )
    for items in [*schema.get("prefixItems", ()), schema.get("items", {})]:
        if not isinstance(items, Mapping):
            continue
        for leaf in _walk(items, f"{path}[*]", name, required, depth - 1):
            if joined and leaf.form == "text" and leaf.path == f"{path}[*]":
                yield Leaf(path, name, "text", required=required, joined=True)
            else:
                yield leaf
