"""A provider's secrets in what it says: found in every form, and nothing else changed."""

import base64
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.engine.scrubbing import Scrubber

KEY = "sk/abc+def=0123456789"
SHORT = "photo"


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        quote(KEY, safe=""),
        urlencode({"k": KEY}),
        KEY.replace("/", "\\/"),
        base64.b64encode(KEY.encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    ],
)
def test_it_is_known_in_the_form_in_which_it_was_sent(form: str) -> None:
    """In texts, in values, in keys, and within other text."""
    scrubber = Scrubber([KEY, ""])
    assert form not in scrubber.text(f"bad key {form}!")
    assert form not in str(scrubber.value({"a": [{f"x{form}": f"<{form}>"}]}))


def test_a_short_secret_is_taken_out_of_messages_alone() -> None:
    """A reply needs its words; two letters are no secret."""
    scrubber = Scrubber([SHORT, "no"])
    assert scrubber.text("the photo is no good") == "the *** is no good"
    assert scrubber.value({"style": "photo"}) == {"style": "photo"}


def test_one_secret_within_another_leaves_nothing_of_either() -> None:
    """The longer one goes first."""
    assert Scrubber([KEY, KEY[:17]]).text(f"{KEY} {KEY[:17]}") == "*** ***"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_has_no_secret_is_the_same_object(value: object) -> None:
    """Nothing is copied for the sake of what is not there."""
    assert Scrubber([KEY]).value(value) is value
