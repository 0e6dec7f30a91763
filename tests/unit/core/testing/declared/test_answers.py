"""Replies written to at the paths from which a spec reads them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from boards.spec.paths import EVERY, Path, first, parse_path
from boards.testing.emulators.declared.answers import Answer, everywhere
from boards.testing.emulators.declared.ids import fresh

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
STEPS = st.lists(
    st.sampled_from(["a", "b"]) | st.integers(0, 2) | st.just((EVERY,)), min_size=1, max_size=4
)


@given(JSON, STEPS, st.integers())
def test_what_is_put_at_a_path_is_found_there(body: Any, steps: list[Any], new: int) -> None:
    """Whatever was there before, the way to it is made."""
    path = Path("path", ("body", *steps))
    put = Answer(body=body).put(path, new)
    assert first(path)(put.value()) == new


def test_a_change_leaves_all_else_as_it_is() -> None:
    """Each value that the path finds, and no other."""
    answer = Answer(body={"images": [{"url": "a"}, {"url": "b", "seed": 1}], "url": "c"})
    changed = answer.change(parse_path("body.images[*].url"), str.upper)
    assert changed.body == {"images": [{"url": "A"}, {"url": "B", "seed": 1}], "url": "c"}
    assert answer.change(parse_path("body.videos[*].url"), str.upper) == answer


def test_names_of_members_are_texts_too() -> None:
    """ComfyUI's history is named by the job."""
    assert everywhere({"j1": [{"id": "j1"}]}, lambda text: text.replace("j1", "j2")) == {
        "j2": [{"id": "j2"}]
    }


def test_fresh_ids_look_like_the_old_ones() -> None:
    """A UUID for a UUID, digits for digits, and the steps before it stay."""
    assert len({fresh("x1") for _ in range(100)}) == 100
    assert str(fresh("12345678901234")).isdigit()
    assert isinstance(fresh(7), int)
    assert str(fresh("models/veo/operations/abc")).startswith("models/veo/operations/")
    made = str(fresh("497f6eca-6276-4993-bfeb-53cbbbba6f08"))
    assert [len(part) for part in made.split("-")] == [8, 4, 4, 4, 12]
