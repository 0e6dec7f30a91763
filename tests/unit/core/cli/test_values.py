"""``key=value`` arguments are what the generator's schema says."""

from pathlib import Path
from typing import Any

import click
import pytest

from boards.artifacts import Artifact
from boards.cli.values import read_inputs, read_mapping, split, typed
from boards.errors import NotFoundError
from boards.generations import Generation
from boards.spec.inputs import InputSchema

SCHEMA = {
    "type": "object",
    "$defs": {"size": {"type": "integer"}},
    "properties": {
        "prompt": {"type": "string"},
        "seed": {"type": ["integer", "null"]},
        "strength": {"type": "number"},
        "fast": {"type": "boolean"},
        "width": {"$ref": "#/$defs/size"},
        "frames": {"enum": [5, 10, "auto"]},
        "size": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "text_first": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "tags": {"type": "array", "items": {"type": "integer"}},
        "loras": {"type": "array", "items": {"type": "object"}},
        "options": {"type": "object"},
        "anything": {},
        "image": {"type": "string", "format": "image"},
        "images": {"type": "array", "items": {"type": "string", "format": "image"}},
    },
}
EARLIER = Generation(
    id="01m7y8r10dxddjr690710twj2a",
    generator="fal/flux-dev",
    provider="fal",
    artifact_type="image",
    input={},
    phase="succeeded",
    artifacts=tuple(
        Artifact(f"01m7y8r10dxddjr690710twj2a.{n}", "image", "image/png", 1, "0" * 64, f"key{n}")
        for n in range(2)
    ),
)


async def get(generation_id: str) -> Generation:
    if EARLIER.id.startswith(generation_id):
        return EARLIER
    raise NotFoundError("none")


async def read(*arguments: str, **mapping: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    values, problems = await read_inputs(split(arguments), mapping, InputSchema(SCHEMA), get)
    return values, [(one.where, one.message) for one in problems]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("prompt=7", "7"),
        ("prompt=a cat = a cat", "a cat = a cat"),
        ("prompt=", ""),
        ("prompt=null", "null"),
        ("prompt=@notes.txt", "@notes.txt"),
        ("seed=7", 7),
        ("seed=-7", -7),
        ("seed=null", None),
        ("seed=abc", "abc"),
        ("seed=7.5", "7.5"),
        ("strength=0.5", 0.5),
        ("strength=1", 1),
        ("strength=nan", "nan"),
        ("fast=true", True),
        ("fast=FALSE", False),
        ("fast=yes", "yes"),
        ("width=1024", 1024),
        ("frames=10", 10),
        ("frames=auto", "auto"),
        ("size=9", 9),
        ("size=large", "large"),
        ("text_first=9", "9"),
        ("tags=3", [3]),
        ("tags=[1,2]", [1, 2]),
        ('loras=[{"path":"x"}]', [{"path": "x"}]),
        ('options={"a":1}', {"a": 1}),
        ("options={", "{"),
        ("anything=3", 3),
        ("anything=three", "three"),
        ("not_an_input=3", 3),
        ('prompt:="null"', "null"),
        ("prompt:=7", 7),
        ("image=https://a.test/x.png", "https://a.test/x.png"),
        ("image=artifact:key", "artifact:key"),
        ("image=cat.png", "cat.png"),
        ("images=@a.png", [Path("a.png")]),
        ('images=["@a.png","https://a.test/b.png"]', [Path("a.png"), "https://a.test/b.png"]),
        ("image=@cat.png", Path("cat.png")),
        ("image=@~nobody-has-this-name/cat.png", Path("~nobody-has-this-name/cat.png")),
    ],
)
async def test_a_text_is_what_the_schema_says(argument: str, value: Any) -> None:
    """What fits no type stays as it was written, for the check to name it."""
    values, problems = await read(argument)
    (found,) = values.values()
    assert (found, type(found)) == (value, type(value))
    assert not problems


async def test_a_list_is_given_item_by_item() -> None:
    """A repeated key adds an item, files included."""
    values, problems = await read("tags=1", "tags=2", "images=@a.png", "images=@b.png")
    assert values == {"tags": [1, 2], "images": [Path("a.png"), Path("b.png")]}
    assert not problems


async def test_what_is_no_list_is_given_once() -> None:
    """A repeated key elsewhere is a mistake, not silently the last."""
    _, problems = await read("seed=1", "seed=2")
    assert problems == [("seed", "is given more than once, and is no list")]


async def test_arguments_win_over_the_mapping() -> None:
    """``--input`` gives the rest."""
    values, _ = await read("seed=1", seed=9, prompt="x", image="@cat.png")
    assert values == {"seed": 1, "prompt": "x", "image": Path("cat.png")}


@pytest.mark.parametrize(
    ("given", "key"), [(EARLIER.id, "key0"), (f"{EARLIER.id}.1", "key1"), ("01m7y8r10d", "key0")]
)
async def test_a_file_may_be_an_earlier_generation(given: str, key: str) -> None:
    """By its id, by the beginning of it, or by the id of one artifact."""
    values, problems = await read(f"image={given}")
    assert values["image"].key == key
    assert not problems


async def test_an_earlier_generation_needs_that_artifact() -> None:
    """The number is checked before anything is sent."""
    _, problems = await read(f"image={EARLIER.id}.2")
    assert problems == [("image", f"generation {EARLIER.id} has no artifact 2: it has 2")]


async def test_broken_json_is_told_with_its_field() -> None:
    """``:=`` wants JSON."""
    _, [(where, message)] = await read("loras:=[")
    assert where == "loras"
    assert message.startswith("what follows := is no JSON")


@pytest.mark.parametrize("argument", ["prompt", "=x", "a b=c", "--seed=7"])
def test_an_argument_without_a_key_is_refused(argument: str) -> None:
    """And the message shows how it is written."""
    with pytest.raises(click.UsageError, match="write key=value"):
        split([argument])


def test_nullable_comes_before_its_other_types() -> None:
    """``null`` is null where null is allowed; the word itself is ``:="null"``."""
    assert typed("null", {"type": ["string", "null"]}, {}) is None


@pytest.mark.parametrize("text", ['{"seed": 7}', "seed: 7\n"])
def test_a_mapping_is_json_or_yaml(text: str, tmp_path: Path) -> None:
    """Types are the document's own."""
    path = tmp_path / "input"
    path.write_text(text)
    assert read_mapping(str(path)) == {"seed": 7}


@pytest.mark.parametrize(
    ("text", "told"), [("[1]", "is no mapping"), ("a: [", "neither JSON nor YAML")]
)
def test_what_is_no_mapping_is_refused(text: str, told: str, tmp_path: Path) -> None:
    """With the place of the mistake where there is one."""
    path = tmp_path / "input"
    path.write_text(text)
    with pytest.raises(click.UsageError, match=told):
        read_mapping(str(path))
