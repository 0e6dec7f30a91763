"""Names, descriptions and formats tell what a field holds."""

from typing import Any

import pytest

from boards.spec.importers.inputs import Input, typed
from boards.spec.importers.media import kind_in, kind_of_url, leaves
from boards.spec.importers.outputs import outputs_of
from boards.spec.importers.schemas import Notes, bare

URI = {"type": "string", "format": "uri"}
TEXT = {"type": "string"}


def formatted(name: str, schema: dict[str, Any], **how: bool) -> tuple[Any, str]:
    """The format of an input, or of its items, and the filter of its token."""
    one = typed(Input(name, name, schema), Notes(), **how)
    schema = one.schema.get("items", one.schema)
    return schema.get("format") if one.is_file else None, one.filter


@pytest.mark.parametrize(
    ("name", "schema", "format_"),
    [
        ("image", URI, "image"),
        ("init_img", URI, "image"),
        ("mask", URI, "image"),
        ("first_frame_image", URI, "image"),
        ("image_url", TEXT, "image"),
        ("image_urls", {"type": "array", "items": TEXT}, "image"),
        ("input_audio", URI, "audio"),
        ("speaker", {**URI, "description": "Original speaker audio (wav, mp3)"}, "audio"),
        ("song_input", URI, "audio"),
        ("driving_video_url", TEXT, "video"),
        ("face", {**URI, "description": "Video of someone talking."}, "video"),
        ("face", {**URI, "description": "Of a person."}, "image"),
        ("mesh_url", TEXT, "model"),
        ("input_images", {**URI, "description": "A zip file of images."}, "file"),
        ("media", {**URI, "description": "An image or video."}, "file"),
        ("images_data_url", {**TEXT, "description": "URL to zip archive with images."}, "file"),
        ("style", {**URI, "examples": ["https://a.example/b.webp"]}, "image"),
        ("source", {**URI, "x-cog-accept": "video/*"}, "video"),
        ("thing", {**TEXT, "ui": {"field": "audio"}}, "audio"),
        ("imageUrl", TEXT, "image"),
    ],
)
def test_files_among_the_inputs(name: str, schema: dict[str, Any], format_: str) -> None:
    """By name, then by description, then by the example."""
    assert formatted(name, schema) == (format_, "file")


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("prompt", {**TEXT, "description": "What the image shows."}),
        ("image_size", TEXT),
        ("video_length", {"type": "integer"}),
        ("webhook_url", TEXT),
        ("image_url", {"type": "string", "enum": ["a", "b"]}),
        ("model", TEXT),
        ("audio_format", {**TEXT, "enum": ["mp3"]}),
    ],
)
def test_texts_stay_texts(name: str, schema: dict[str, Any]) -> None:
    """Although a word of their names is one of files."""
    assert formatted(name, schema) == (None, "")


def test_an_address_of_anything_is_no_file_where_apis_are_of_anything() -> None:
    """In plain OpenAPI a link may be a link."""
    assert formatted("homepage", URI, any_address=False) == (None, "")
    assert formatted("homepage", {**URI}) == (None, "")
    assert formatted("style_url", TEXT, any_address=False) == (None, "")
    assert formatted("image", URI, any_address=False) == ("image", "file")


@pytest.mark.parametrize(
    ("schema", "filter_"),
    [
        ({"type": "string", "format": "binary"}, "bytes"),
        ({"type": "string", "format": "byte"}, "base64"),
        ({"type": "string", "contentEncoding": "base64"}, "base64"),
        ({"type": "string", "contentMediaType": "image/png"}, "bytes"),
        ({**TEXT, "description": "The image, base64 encoded."}, "base64"),
        ({**TEXT, "description": "URL or base64 data URI of the image."}, "file"),
    ],
)
def test_how_a_file_is_sent(schema: dict[str, Any], filter_: str) -> None:
    """As bytes, as base64, or as an address."""
    assert formatted("image", schema) == ("image", filter_)


def test_one_file_or_several_is_a_list() -> None:
    """The token of a list sends each of them."""
    notes = Notes()
    schema = {"anyOf": [URI, {"type": "array", "items": URI, "maxItems": 4}]}
    one = typed(Input("image", "image", schema), notes)
    assert one.schema == {
        "type": "array",
        "items": {"type": "string", "format": "image"},
        "maxItems": 4,
    }
    assert notes.kept() == ("image: takes one file or a list of them; here always a list",)


@pytest.mark.parametrize("default", ["", "cat.png", "data/cat.png", 3])
def test_a_default_that_is_no_file_goes(default: Any) -> None:
    """A path inside a container is nowhere else."""
    one = typed(Input("image", "image", {**URI, "default": default}), Notes())
    assert bare(one.schema) == {"type": "string", "format": "image"}
    assert one.token == "${input.image?|file}"


def test_a_default_that_does_not_fit_its_schema_goes() -> None:
    """And is told; one that fits stays."""
    notes = Notes()
    one = typed(Input("n", "n", {"type": "integer", "maximum": 4, "default": 9}), notes)
    assert "default" not in one.schema
    assert notes.kept() == ("n: its default 9 is left out: it does not fit",)
    assert typed(Input("n", "n", {"type": "integer", "default": 3}), notes).token == "${input.n}"


def test_secrets_are_told() -> None:
    """Inputs are kept in the database."""
    notes = Notes()
    typed(Input("token", "token", {**TEXT, "format": "password"}), notes)
    assert "secret" in notes.kept()[0]


def test_files_inside_of_mappings_are_told() -> None:
    """They are given as addresses."""
    notes = Notes()
    items = {"type": "object", "properties": {"image_url": TEXT}}
    typed(Input("parts", "parts", {"type": "array", "items": items}), notes)
    assert notes.kept() == ("parts: parts[].image_url: give the address of a file, not a file",)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://a.example/b.PNG?x=1", "image"),
        ("https://a.example/b.mp4", "video"),
        ("https://a.example/b.tar", "model"),
        ("data:audio/wav;base64,AA==", "audio"),
        ("https://a.example/b", None),
        ("https://[", None),
    ],
)
def test_an_address_tells_its_kind(url: str, kind: str | None) -> None:
    """By its extension, or the type in a data URI."""
    assert kind_of_url(url) == kind


def test_words_are_whole_words() -> None:
    """`imagine` is no image, and `photosynthesis` no photo."""
    assert kind_in("imagine", "photosynthesis") is None


def outputs(schema: Any, **how: Any) -> tuple[str, Any, tuple[str, ...]]:
    """Artifact type, extract and notes of a reply at body.output."""
    notes = Notes()
    found = outputs_of(schema, notes, path="body.output", **how)
    return found.artifact_type, found.extract, notes.kept()


def test_a_file_is_of_the_kind_of_the_sample() -> None:
    """The extension of a real output is the best witness."""
    kind, extract, _ = outputs(URI, sample="https://a.example/b.mp4", described=["An image"])
    assert (kind, extract) == ("video", {"outputs": [{"from": "body.output", "as": "url"}]})


def test_a_list_of_files_has_one_output_each() -> None:
    """With the provider's time to live."""
    _, extract, _ = outputs({"type": "array", "items": URI}, told="image", expires="1h")
    assert extract == {"outputs": [{"from": "body.output[*]", "as": "url", "expires": "1h"}]}


def test_pieces_of_a_text_are_joined() -> None:
    """What a language model streams is one text."""
    schema = {"type": "array", "items": TEXT, "x-cog-array-display": "concatenate"}
    assert outputs(schema, sample=["a", "b"])[:2] == (
        "text",
        {"outputs": [{"from": "body.output", "as": "text"}]},
    )


def test_several_files_of_several_kinds_are_those_of_one() -> None:
    """A generator's artifacts are of one type; what is left out is told."""
    schema = {"type": "object", "properties": {"video": URI, "preview_image": URI}}
    kind, extract, notes = outputs(schema)
    assert (kind, [one["from"] for one in extract["outputs"]]) == ("video", ["body.output.video"])
    assert notes == ("output.preview_image: left out of the outputs, as they are no video",)


def test_a_model_may_come_with_other_files() -> None:
    """Of weights nobody expects one media type."""
    schema = {"type": "object", "properties": {"lora_file": URI, "config_file": URI}}
    assert [one["from"] for one in outputs(schema)[1]["outputs"]] == [
        "body.output.lora_file",
        "body.output.config_file",
    ]


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"title": "Output"}])
def test_an_output_of_which_nothing_is_said(schema: dict[str, Any]) -> None:
    """Every address in it is fetched; the type is that of the sample, if there is one."""
    kind, extract, notes = outputs(schema, sample={"a": ["https://a.example/b.glb"]})
    assert (kind, extract) == ("model", {"output_paths": ["output"]})
    assert "every address in it is fetched" in notes[0]
    assert outputs(schema)[0] == "intermediate"


def test_a_sample_that_its_schema_does_not_announce() -> None:
    """Old Cog announced lists of mappings as one file."""
    kind, extract, _ = outputs(URI, sample=[{"file": "https://a.example/b.png"}])
    assert (kind, extract) == ("image", {"output_paths": ["output"]})
    assert outputs(URI, sample="just words")[:2] == (
        "text",
        {"outputs": [{"from": "body.output", "as": "text"}]},
    )


def test_the_nearest_text_is_the_result() -> None:
    """And what stands beside it is its meta."""
    chunk = {"type": "object", "properties": {"text": TEXT}}
    schema = {
        "type": "object",
        "properties": {"text": TEXT, "chunks": {"type": "array", "items": chunk}},
    }
    assert outputs(schema)[1] == {
        "outputs": [
            {"from": "body.output.text", "as": "text", "meta": {"chunks": "body.output.chunks"}}
        ]
    }


def test_fal_files_are_found_by_their_shape() -> None:
    """An object with a url and a content type, at any depth."""
    file = {"type": "object", "properties": {"url": TEXT, "content_type": TEXT, "width": {}}}
    schema = {"type": "object", "properties": {"images": {"type": "array", "items": file}}}
    (leaf,) = leaves(schema)
    assert (leaf.path, leaf.kind, leaf.facts) == (
        "body.images[*].url",
        "image",
        (("width", "body.images[*].width"),),
    )
