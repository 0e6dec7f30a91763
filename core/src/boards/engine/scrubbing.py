"""A provider's secrets, taken out of what it says and of what is said about it."""

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

__all__ = ["Scrubber", "forms"]

GONE: Final = "***"
_WORD: Final = 4
"""Characters from which a secret is taken out of messages."""
_KEY: Final = 16
"""Characters from which it is taken out of replies too: a shorter one may be a word of them, and
what works with a reply needs its words."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~+/%=:-]*")
_MEDIA: Final = 4_000_000
"""Characters from which a text in a reply is the bytes of a file, in base64."""


def forms(secret: str) -> set[str]:
    """A secret, and what it looks like in an address, in JSON or in basic authentication."""
    content = secret.encode()
    encoded = {base64.b64encode(content).decode(), base64.urlsafe_b64encode(content).decode()}
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        secret.replace("/", "\\/"),
        *encoded,
        *(one.rstrip("=") for one in encoded),
    }


class Scrubber:
    """Takes secrets out of texts and replies, whichever form they have there.

    Args:
        secrets: Their values.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({one for one in secrets if len(one) >= _WORD}, key=len, reverse=True)
        self._all = tuple(form for one in known for form in _longest_first(one))
        self._keys = tuple(
            form for one in known if len(one) >= _KEY for form in _longest_first(one)
        )
        self._sought = tuple(one.encode() for one in self._keys)
        # In JSON, letters and digits are escaped in one way, a slash in two, and the rest in more.
        plain = all(map(_PLAIN.fullmatch, self._keys))
        self._escapes = (b"\\u", b"\\/") if plain else (b"\\",)

    def text(self, text: str) -> str:
        """A message without any of them."""
        return _without(text, self._all)

    def may_be_in(self, content: bytes) -> bool:
        """Whether the bytes of a reply may hold one of those that :meth:`value` takes out.

        False is sure, and costs a hundredth of a look at every text of the reply. Zeros are of
        other encodings than UTF-8.
        """
        return (
            any(one in content for one in self._escapes)
            or any(one in content for one in self._sought)
            or b"\0" in content
        )

    def texts(self, texts: Mapping[str, str]) -> Mapping[str, str]:
        """Headers, as :meth:`value` would return them."""
        told = "\n".join((*texts, *texts.values()))
        if any(one in told for one in self._keys):
            return {
                _without(name, self._keys): _without(text, self._keys)
                for name, text in texts.items()
            }
        return texts

    def value(self, value: Any) -> Any:
        """A JSON value without those that are long enough; the same object where it has none."""
        if isinstance(value, str):
            return _without(value, self._keys) if len(value) < _MEDIA else value
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list):
            items = [self.value(one) for one in value]
            return value if all(map(_same, items, value)) else items
        return value

    def _mapping(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        clean = {_without(name, self._keys): self.value(one) for name, one in value.items()}
        unchanged = all(map(_same, clean.values(), value.values())) and clean.keys() == value.keys()
        return value if unchanged else clean


def _longest_first(secret: str) -> list[str]:
    return sorted(forms(secret), key=len, reverse=True)


def _without(text: str, secrets: tuple[str, ...]) -> str:
    for one in secrets:
        if one in text:
            text = text.replace(one, GONE)
    return text


def _same(one: object, other: object) -> bool:
    return one is other
