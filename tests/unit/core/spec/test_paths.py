"""Response paths: keys, indices and wildcards over plain JSON."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.spec.paths import ABSENT, PathError, first, members, parse_path, values

BODY = {
    "id": "j1",
    "none": None,
    "images": [{"url": "a", "w": 1}, {"w": 2}, {"url": "c"}],
    "by_name": {"x": {"url": "d"}, "y": {"url": "e"}},
    "nested": [[1, 2], [], [3]],
    "scalar": "s",
    "0": "zero",
    "a-b": {"$c:d@e": 7},
}
REPLY = {"body": BODY, "header": {"retry-after": "5", "x-id": "h"}, "status": 200}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("status", [200]),
        ("body.id", ["j1"]),
        ("body.none", [None]),
        ("body.images[0].url", ["a"]),
        ("body.images[1].url", []),
        ("body.images[9]", []),
        ("body.images[*].url", ["a", "c"]),
        ("body.images[*].w", [1, 2]),
        ("body.by_name[*].url", ["d", "e"]),
        ("body.nested[*]", [[1, 2], [], [3]]),
        ("body.nested[*][*]", [1, 2, 3]),
        ("body.nested[*][0]", [1, 3]),
        ("body.scalar[*]", ["s"]),
        ("body.scalar[0]", ["s"]),
        ("body.scalar[1]", []),
        ("body.none[*]", []),
        ("body.none[0]", []),
        ("body.id.x", []),
        ("body.images.url", []),
        ("body.absent[*].x", []),
        ("body.0", ["zero"]),
        ("body[0]", ["zero"]),
        ("body.a-b.$c:d@e", [7]),
        ("header.Retry-After", ["5"]),
        ("header.X-ID", ["h"]),
    ],
)
def test_values(text: str, found: list[Any]) -> None:
    """All values in order; missing steps drop out, a scalar is a list of one."""
    assert values(parse_path(text))(REPLY) == found
    assert first(parse_path(text))(REPLY) == (found[0] if found else ABSENT)


def test_a_bare_root_is_the_whole() -> None:
    """``body`` is the reply's whole body, whatever it is."""
    for body in ([1], "text", None, b"bytes"):
        assert first(parse_path("body"))({"body": body}) is body


def test_only_headers_ignore_case() -> None:
    """Keys of a body are what they are."""
    assert first(parse_path("body.ID"))(REPLY) is ABSENT
    assert first(parse_path("body.header.X"))({"body": {"header": {"X": 1}}}) == 1


def test_members_keep_their_place() -> None:
    """A member without the last steps counts as absent, so that two paths belong together."""
    assert members(parse_path("body.images[*].url"))(REPLY) == ["a", ABSENT, "c"]
    assert members(parse_path("body.images[*].w"))(REPLY) == [1, 2, ABSENT]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".a",
        "a.",
        "a..b",
        "a[",
        "a[]",
        "a[-1]",
        "a[1:2]",
        "a[?x]",
        "a b",
        "$[",
        "[0]",
        "a['b']",
        "a[99999999999]",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    """There are no slices, filters or quoted keys."""
    with pytest.raises(PathError, match="is not a path"):
        parse_path(text)


_keys = st.sampled_from(["a", "b", "0", "1", "x-y"])
_steps = st.one_of(_keys, st.integers(0, 3), st.just("*"))
_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 5) | st.sampled_from(["", "s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=15,
)


def naive(steps: list[str | int], value: Any) -> list[Any]:
    """What the language document says, one step at a time."""
    if not steps:
        return [value]
    step, rest = steps[0], steps[1:]
    found: list[Any] = []
    if step == "*":
        if isinstance(value, dict):
            found = list(value.values())
        elif isinstance(value, list):
            found = value
        elif value is not None:
            found = [value]
    elif isinstance(value, dict):
        found = [value[str(step)]] if str(step) in value else []
    elif isinstance(step, int) and isinstance(value, list):
        found = value[step : step + 1]
    elif step == 0 and value is not None:
        found = [value]
    return [leaf for one in found for leaf in naive(rest, one)]


@given(st.lists(_steps, max_size=5), _values)
def test_paths_find_what_the_language_says(steps: list[str | int], body: Any) -> None:
    """Compiled paths agree with a naive walk on any JSON."""
    text = "body" + "".join(
        "[*]" if step == "*" else f"[{step}]" if isinstance(step, int) else f".{step}"
        for step in steps
    )
    path = parse_path(text)
    found = naive(steps, body)
    assert values(path)({"body": body}) == found
    assert first(path)({"body": body}) == (found[0] if found else ABSENT)


@given(st.text(max_size=30) | st.text(alphabet="ab.[]*0-_", max_size=12))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    """Parsing raises nothing but PathError, and keeps the text."""
    with contextlib.suppress(PathError):
        assert parse_path(text).text == text
