"""What bytes are, told from the first of them."""

import time

import pytest

from boards.artifacts import ArtifactType
from boards.engine.media import mismatch, sniff

DOCTYPE = b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/svg11.dtd">'


@pytest.mark.parametrize(
    "head",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg/>",
        b"<!-- Made by a tool -->\n<svg/>",
        DOCTYPE + b"\n<svg/>",
        b"<?xml version='1.0'?><!--" + b"x" * 300 + b"-->" + DOCTYPE + b"<svg/>",
    ],
)
def test_a_drawing_is_known_behind_what_may_stand_before_it(head: bytes) -> None:
    """A declaration, comments and a document type; a drawing is an image and no mere text."""
    assert sniff(head) == "image/svg+xml"
    assert not mismatch(sniff(head), "image", head)


@pytest.mark.parametrize("wanted", ["image", "model"])
def test_a_page_is_known_behind_a_comment_too(wanted: ArtifactType) -> None:
    """It is none of what a generator makes."""
    head = b"<!-- saved from a proxy -->\n<!DOCTYPE html><html><svg/>"
    assert mismatch(sniff(head), wanted, head) == "text/html"


@pytest.mark.parametrize("head", [b"<!--" * 1024, b"<!---->" * 600, b"<?xml?><list/>"])
def test_what_never_becomes_a_drawing_is_none(head: bytes) -> None:
    """And does not take long."""
    began = time.process_time()
    assert sniff(head) is None
    assert time.process_time() - began < 0.5
