"""Whether a spec could have sent a request, and with which values: rendering, backwards.

Rendering goes from inputs to a body. Here a body that came is laid beside the spec's, and each
token takes the value that stands in its place. What does not fit could not have been sent.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from boards.spec.operators import (
    Body,
    Concat,
    Each,
    Items,
    Literal,
    MapTo,
    Members,
    Ratio,
    Secret,
    When,
)
from boards.spec.paths import ABSENT
from boards.spec.predicates import same
from boards.spec.tokens import FILE_FILTERS, Template, Token

Bound = dict[str, Any]
"""Values by root and name: ``{"input.prompt": "a fox", "run.uuid": "..."}``."""

_SHOWN: Final = 60
_STEPS: Final = ("input", "let", "item", "file")
"""Roots whose values are one step of a path: their slashes are escaped."""
_RATIO: Final = re.compile(r"[1-9][0-9]*:[1-9][0-9]*")
_DATA_URI: Final = re.compile(r"data:[^,]*,", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"https?://", re.IGNORECASE)


class UnlikeError(Exception):
    """A request that the spec could not have sent.

    Attributes:
        where: The place in the request: ``json.prompt``, ``query.n``.
        reason: What is wrong there.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


@frozen
class Part:
    """A file in a multipart body, or a raw body."""

    content: bytes = field(repr=False)
    mime: str = "application/octet-stream"
    name: str = ""


@frozen
class Reader:
    """Lays what came beside what a generator's spec says.

    Attributes:
        lets: The ``let`` of the generator, by name.
        config: The provider's non-secret settings, as clients have them.
        types: The JSON Schema types of the inputs, by name: texts in a path or a form are read
            as those.
    """

    lets: Mapping[str, Body] = field(factory=dict)
    config: Mapping[str, Any] = field(factory=dict)
    types: Mapping[str, Any] = field(factory=dict)

    def read(self, body: Body, value: Any, at: str, known: Bound) -> Bound:
        """What a value binds, beside what is known.

        Args:
            body: What the spec says.
            value: What came; ``ABSENT`` where nothing did.
            at: The place, for the error.
            known: Bound so far.

        Raises:
            UnlikeError: The spec could not have sent it.
        """
        match body:
            case Template():
                return self._template(body, value, at, known)
            case When():
                return self._when(body, value, at, known)
            case MapTo() | Each() if value is ABSENT and body.token.optional:
                return known
            case _ if value is ABSENT:
                raise UnlikeError(at, "is missing")
            case Literal(expected):
                if not same(value, expected):
                    raise UnlikeError(at, f"is {_shown(value)}, not {_shown(expected)}")
                return known
            case Members(members):
                return self._members(members, value, at, known)
            case Items(items):
                return self._sequence([(one, False) for one in items], value, at, known)
            case Concat(parts):
                return self._sequence([(one, True) for one in parts], value, at, known)
            case MapTo():
                return self._map(body, value, at, known)
            case Each():
                return self._each(body, value, at, known)
            case Ratio():
                if not isinstance(value, str) or not _RATIO.fullmatch(value):
                    raise UnlikeError(at, f"is {_shown(value)}, not a ratio such as 7:4")
                return known
            case Secret(name):
                return {**known, f"secret.{name}": value}
        raise AssertionError(body)

    def _members(
        self, members: Sequence[tuple[str, Body]], value: Any, at: str, known: Bound
    ) -> Bound:
        if not isinstance(value, dict):
            raise UnlikeError(at, f"is {_shown(value)}, not a mapping")
        for name in value:
            if name not in dict(members):
                raise UnlikeError(f"{at}.{name}", "is nothing that the spec sends")
        for name, body in members:
            known = self.read(body, value.get(name, ABSENT), f"{at}.{name}", known)
        return known

    def _when(self, body: When, value: Any, at: str, known: Bound) -> Bound:
        try:
            return self.read(body.then, value, at, known)
        except UnlikeError:
            if body.otherwise is not None:
                return self.read(body.otherwise, value, at, known)
            if value is ABSENT:
                return known
            raise

    def _map(self, body: MapTo, value: Any, at: str, known: Bound) -> Bound:
        for key, to in body.to:
            try:
                found = self.read(to, value, at, known)
            except UnlikeError:
                continue
            return self._bind(body.token, key, at, found, text=True)
        if body.otherwise is not None:
            return self.read(body.otherwise, value, at, known)
        raise UnlikeError(at, f"is {_shown(value)}, which $map does not give")

    def _each(self, body: Each, value: Any, at: str, known: Bound) -> Bound:
        if not isinstance(value, list):
            raise UnlikeError(at, f"is {_shown(value)}, not a list")
        for index, one in enumerate(value):
            bound = self.read(body.do, one, f"{at}[{index}]", known)
            known = {name: at_ for name, at_ in bound.items() if not name.startswith("item")}
        return known

    def _sequence(
        self, parts: Sequence[tuple[Body, bool]], value: Any, at: str, known: Bound
    ) -> Bound:
        """Parts that are items, or lists of them; any may be absent where the spec allows it."""
        if not isinstance(value, list):
            raise UnlikeError(at, f"is {_shown(value)}, not a list")
        if not parts:
            if value:
                raise UnlikeError(f"{at}[-1]", "is one more than the spec sends")
            return known
        (body, spread), rest = parts[0], parts[1:]
        last: UnlikeError | None = None
        for taken in range(len(value) if spread else min(len(value), 1), -1, -1):
            head: Any = value[:taken] if spread else (value[0] if taken else ABSENT)
            try:
                try:
                    found = self.read(body, head, at, known)
                except UnlikeError:
                    if not spread or taken:
                        raise
                    found = self.read(body, ABSENT, at, known)
                return self._sequence(rest, value[taken:], at, found)
            except UnlikeError as error:
                last = last or error
        raise last or UnlikeError(at, "does not fit")

    def _template(self, template: Template, value: Any, at: str, known: Bound) -> Bound:
        if value is ABSENT:
            for token in template.tokens:
                if token.optional or (token.root == "config" and self._config(token) is None):
                    return known
            raise UnlikeError(at, "is missing")
        if (only := template.only_token) is not None:
            return self._bind(only, value, at, known, text=False)
        if not isinstance(value, str):
            raise UnlikeError(at, f"is {_shown(value)}, not a text")
        return self.text(template, value, at, known)

    def text(self, template: Template, value: str, at: str, known: Bound) -> Bound:
        """What a text binds that is rendered from a template, one token or more.

        Raises:
            UnlikeError: It does not begin, end or go on as the template does.
        """
        return self._text(template, value, at, known, "(.*)", "(.*)")

    def path(self, template: Template, value: str) -> Bound:
        """What a path binds; an input is one step of it.

        Raises:
            UnlikeError: It is another path.
        """
        bound = self._text(template, value, "path", {}, "([^/]+)", "(.+)")
        return {
            name: one.replace("%2F", "/") if isinstance(one, str) else one
            for name, one in bound.items()
        }

    def _text(
        self, template: Template, value: str, at: str, known: Bound, step: str, anything: str
    ) -> Bound:
        pattern = "".join(
            re.escape(part)
            if isinstance(part, str)
            else (step if part.root in _STEPS else anything)
            for part in template.parts
        )
        found = re.fullmatch(pattern, value, re.DOTALL)
        if found is None:
            raise UnlikeError(at, f"is {_shown(value)}, not {template.text}")
        for token, text in zip(template.tokens, found.groups(), strict=True):
            known = self._bind(token, text, at, known, text=True)
        return known

    def _bind(self, token: Token, value: Any, at: str, known: Bound, *, text: bool) -> Bound:
        if token.root == "let" and token.name in self.lets and not token.filters:
            if text and isinstance(value, str):
                return self._let_text(token, value, at, known)
            return self.read(self.lets[token.name], value, at, known)
        if token.root == "config":
            expected = self._config(token)
            if expected is not ABSENT and str(expected) != str(value):
                raise UnlikeError(at, f"is {_shown(value)}, not {_shown(expected)}")
            return known
        files = FILE_FILTERS.intersection(token.filters)
        if files:
            self._file(token, value, at)
            return {**known, f"file.{token.root}.{'.'.join(token.steps)}": value}
        name = ".".join((token.root, *token.steps))
        if text or token.filters:
            value = self._typed(token, value)
        if name in known and not same(known[name], value):
            raise UnlikeError(at, f"is {_shown(value)}, and was {_shown(known[name])} before")
        return {**known, name: value}

    def _let_text(self, token: Token, value: str, at: str, known: Bound) -> Bound:
        """A ``let`` inside a text: what it says, where that can be told from its text."""
        body = self.lets[token.name]
        if isinstance(body, Template):
            return self.text(body, value, at, known)
        if isinstance(body, Literal) and str(body.value) != value:
            raise UnlikeError(at, f"is {_shown(value)}, not {_shown(body.value)}")
        return known

    def _config(self, token: Token) -> Any:
        value: Any = self.config
        for step in token.steps:
            value = value.get(step, ABSENT) if isinstance(value, Mapping) else ABSENT
        return value

    def _typed(self, token: Token, value: Any) -> Any:
        """A text as the input's own type: what a filter or a path made of it, undone."""
        if not isinstance(value, str) or (token.root != "input" and "json" not in token.filters):
            return value
        kind = self.types.get(token.name)
        if kind == "string" or (kind is None and "json" not in token.filters):
            return value
        try:
            return json.loads(value)
        except ValueError:
            return value

    def _file(self, token: Token, value: Any, at: str) -> None:
        for one in value if isinstance(value, list) else [value]:
            form = next(name for name in token.filters if name in FILE_FILTERS)
            if form == "bytes":
                if not isinstance(one, Part):
                    raise UnlikeError(at, "is not a file")
            elif not isinstance(one, str) or not one:
                raise UnlikeError(at, f"is {_shown(one)}, not a file")
            elif form == "url" and not _ADDRESS.match(one):
                raise UnlikeError(at, f"is {_shown(one)}, not an address")
            elif form == "data_uri" and not _DATA_URI.match(one):
                raise UnlikeError(at, f"is {_shown(one)}, not a data URI")
            elif form == "base64" and not _is_base64(one):
                raise UnlikeError(at, f"is {_shown(one)}, not base64")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _shown(value: Any) -> str:
    if isinstance(value, Part):
        return "a file"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
