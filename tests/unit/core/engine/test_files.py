"""Files as texts: data URIs, whoever wrote them."""

import pytest

from boards.engine.files import parse_data_uri


@pytest.mark.parametrize(
    ("uri", "content", "mime"),
    [
        ("data:image/png;base64,aGk=", b"hi", "image/png"),
        ("data:image/svg+xml;charset=utf-8;base64,aGk=", b"hi", "image/svg+xml"),
        ("data:;base64,aGk=", b"hi", "application/octet-stream"),
        ("data:image/png;BASE64,aGk=", b"hi", "image/png"),
        ("data:,hi%20there", b"hi there", "text/plain"),
        ("data:image/png\r\nX-Key: 1;base64,aGk=", b"hi", "application/octet-stream"),
        ("data:image/../../x;base64,aGk=", b"hi", "application/octet-stream"),
        ('data:image/png"x;base64,aGk=', b"hi", "application/octet-stream"),
    ],
)
def test_a_data_uri_has_bytes_and_a_type_that_a_header_can_have(
    uri: str, content: bytes, mime: str
) -> None:
    """The type stands in headers and names of files: what is none is not taken for one."""
    assert parse_data_uri(uri) == (content, mime)


@pytest.mark.parametrize("text", ["hi", "data:hi", "data:image/png;base64,!"])
def test_other_texts_are_none(text: str) -> None:
    """As an error that says why."""
    with pytest.raises(ValueError, match="data URI"):
        parse_data_uri(text)
