"""Rendering, backwards: what a body binds, and which bodies a spec could not have sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.spec.operators import Body, compile_body, read_body
from boards.spec.paths import ABSENT
from boards.spec.places import Problems
from boards.spec.yaml import parse
from boards.testing.emulators.declared.reading import Reader, UnlikeError

BODY = """
prompt: "${input.prompt}"
size: "${input.width}x${input.height}"
seed: "${input.seed?}"
format: {$map: "${input.format}", to: {jpeg: JPG, png: PNG}}
loras: {$each: "${input.loras?}", do: {model: "${item}", weight: 1}}
hires: {$when: {exists: input.scale}, then: {by: "${input.scale}"}}
parts: {$concat: [[{text: "${input.prompt}"}], {$each: "${input.images?}", do: {image: "${item}"}}]}
id: "${run.uuid}"
quality: high
"""

TYPES = {"width": "integer", "height": "integer", "prompt": "string", "seed": "integer"}


def body() -> Body:
    """The body, as a spec has it."""
    problems = Problems()
    document = parse(BODY, "body.yaml", problems)
    assert document is not None
    read = read_body(document.root, document.root.place, problems)
    assert read is not None
    assert not problems.errors
    return read


def bound(value: Any) -> dict[str, Any]:
    """What a value binds."""
    return Reader(types=TYPES).read(body(), value, "json", {})


def sent(**given_: Any) -> Any:
    """The body rendered for an input."""
    scope = {"input": {"prompt": "a fox", "width": 8, "height": 6, "format": "png", **given_}}
    return compile_body(body())({**scope, "run": {"uuid": "u1"}})


INPUTS = st.fixed_dictionaries(
    {
        "prompt": st.text(min_size=1),
        "width": st.integers(1, 4096),
        "height": st.integers(1, 4096),
        "format": st.sampled_from(["jpeg", "png"]),
    },
    optional={
        "seed": st.integers(0, 2**32),
        "scale": st.integers(1, 4),
        "loras": st.lists(st.text(min_size=1), max_size=3),
        "images": st.lists(st.text(min_size=1), max_size=3),
    },
)


@given(INPUTS)
def test_what_a_spec_renders_is_read_back(given_: dict[str, Any]) -> None:
    """Every input that stands in the body by itself, in its own type."""
    found = bound(sent(**given_))
    for name in ("prompt", "width", "height", "format", "seed", "scale"):
        assert found.get(f"input.{name}", ABSENT) == given_.get(name, ABSENT)
    assert found["run.uuid"] == "u1"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"quality": "low"}, 'json.quality: is "low", not "high"'),
        ({"colour": "red"}, "json.colour: is nothing that the spec sends"),
        ({"format": "GIF"}, 'json.format: is "GIF", which $map does not give'),
        ({"size": "large"}, 'json.size: is "large", not ${input.width}x${input.height}'),
        ({"loras": [{"model": "x", "weight": 2}]}, "json.loras[0].weight: is 2, not 1"),
        ({"hires": {"times": 2}}, "json.hires.times: is nothing that the spec sends"),
        ({"parts": [{"text": "another"}]}, 'json.parts.text: is "another", and was "a fox" before'),
        ({"parts": "text"}, 'json.parts: is "text", not a list'),
    ],
)
def test_what_a_spec_cannot_render_is_told_with_its_place(
    changed: dict[str, Any], told: str
) -> None:
    """Another constant, a strange key, a value that no operator gives."""
    with pytest.raises(UnlikeError) as caught:
        bound({**sent(), **changed})
    assert told in str(caught.value)


def test_what_may_not_lack_is_missed() -> None:
    """An optional token may; a constant may not."""
    whole = sent(seed=3)
    bound({name: one for name, one in whole.items() if name != "seed"})
    with pytest.raises(UnlikeError, match=r"json\.prompt: is missing"):
        bound({name: one for name, one in whole.items() if name != "prompt"})
