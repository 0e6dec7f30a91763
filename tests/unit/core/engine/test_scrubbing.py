"""A provider's secrets in what it says: found in every form, and nothing else changed."""

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.engine.scrubbing import Scrubber

KEY = "sk/abc+def=0123456789"
SHORT = "photo"
WORD = "r8_0123456789abcdefghijk"


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


@given(
    st.recursive(
        st.none() | st.text() | st.sampled_from([KEY, f"x{KEY}y", KEY.replace("/", "\\/"), WORD]),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just(WORD), inner),
    ),
    st.sampled_from([KEY, WORD]),
    st.sampled_from(["utf-8", "utf-16", "utf-32"]),
    st.booleans(),
)
def test_bytes_in_which_it_cannot_be_have_none(
    value: object, secret: str, encoding: str, ascii_: bool
) -> None:
    """What is passed over without a look at its texts has nothing that would be taken out."""
    scrubber = Scrubber([secret])
    for text in (
        json.dumps(value, ensure_ascii=ascii_),
        json.dumps(value, ensure_ascii=ascii_).replace("/", "\\/"),
        json.dumps(value, ensure_ascii=True).replace("k", "\\u006b"),
    ):
        content = text.encode(encoding, "surrogatepass")
        if not scrubber.may_be_in(content):
            decoded = json.loads(text)
            assert scrubber.value(decoded) is decoded


def test_most_replies_are_not_looked_through() -> None:
    """A key of letters and digits is sought in the bytes alone."""
    assert not Scrubber([WORD]).may_be_in(b'{"logs": "a\\nb \\"c\\"", "url": "https://host"}')
    assert Scrubber([WORD]).may_be_in(f'{{"echo": "Bearer {WORD}"}}'.encode())


def test_headers_are_without_it() -> None:
    """In names and in values; where there is none, they are the same object."""
    scrubber = Scrubber([WORD])
    headers = {"x-echo": f"Bearer {WORD}", "content-type": "text/html"}
    assert scrubber.texts(headers) == {"x-echo": "Bearer ***", "content-type": "text/html"}
    assert scrubber.texts({f"x-{WORD}": "a"}) == {"x-***": "a"}
    plain = {"a": "b"}
    assert scrubber.texts(plain) is plain
