"""Tokens: ``${input.prompt}``, ``${input.image?|file}``, ``$${`` for a literal ``${``.

A string that is one token yields the value itself, with its type. In a longer string a token must
be a scalar. What was rendered is never scanned again, and nothing is ever evaluated.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote

from attrs import evolve, field, frozen

from boards.spec.paths import ABSENT
from boards.spec.places import Place

__all__ = [
    "FILE_FILTERS",
    "FILTERS",
    "NAME_PATTERN",
    "NAME_WORDS",
    "ROOTS",
    "FileAccess",
    "RenderError",
    "Scope",
    "Template",
    "Token",
    "TokenError",
    "compile_path_template",
    "compile_template",
    "compile_token",
    "escaped",
    "parse_template",
    "scalar_text",
]

ROOTS: Final = (
    "input", "let", "config", "run", "job", "prev", "file", "upload", "item", "model", "steps"
)  # fmt: skip
FILE_FILTERS: Final = frozenset({"file", "url", "base64", "data_uri", "bytes", "mime"})
FILTERS: Final = ("str", "int", "json", *sorted(FILE_FILTERS))

NAME_PATTERN: Final = r"(?![\s\S]*\$\{)[\s\S]*"
"""What a header, a parameter, a field or a key of a body may be called."""
NAME_WORDS: Final = "a plain name (tokens stand in values)"

Scope = Mapping[str, Any]
"""The roots that a template may use, by name; ``files`` holds a :class:`FileAccess`."""

_TOKEN = re.compile(
    r"\$\{(?P<root>[A-Za-z_]+)(?P<steps>(?:\.[A-Za-z0-9_-]+)*)(?P<optional>\?)?"
    r"(?P<filters>(?:\|[a-z0-9_]+)*)\}"
)
_WHOLE = re.compile(r"\s*[-+]?[0-9]+\s*")


class TokenError(ValueError):
    """A text has a token that cannot be read."""


class RenderError(ValueError):
    """A template cannot be rendered with these values.

    Attributes:
        token: The token at fault, as written.
    """

    def __init__(self, token: "Token", message: str) -> None:
        super().__init__(f"{token.text}: {message}")
        self.token = token


class FileAccess(Protocol):
    """Gives artifact inputs in the form that a provider takes."""

    def get(self, reference: str, form: str) -> Any:
        """An artifact input as ``file url base64 data_uri bytes mime``."""


@frozen
class Token:
    """One parsed token.

    Attributes:
        text: As written, with its braces.
        root: One of :data:`ROOTS`.
        steps: Keys and indices below the root; digits index a list.
        optional: It ends with ``?``: where it is absent or null, the key is left out.
        filters: Names, applied in order.
    """

    text: str
    root: str
    steps: tuple[str, ...]
    optional: bool = False
    filters: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The first step below the root, or an empty string."""
        return self.steps[0] if self.steps else ""


@frozen
class Template:
    """A string with tokens, parsed.

    Attributes:
        text: As written.
        parts: Literal text and tokens, in order.
        place: Where it stands.
    """

    text: str
    parts: tuple[str | Token, ...]
    place: Place | None = field(default=None, eq=False, repr=False)

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The tokens in it."""
        return tuple(part for part in self.parts if isinstance(part, Token))

    @property
    def only_token(self) -> Token | None:
        """The token, if the string is one token and nothing else."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Token):
            return self.parts[0]
        return None


def parse_template(text: str, place: Place | None = None) -> Template:
    """Read a string for its tokens.

    Raises:
        TokenError: A token is not closed, has an unknown root or filter, or is not a token.
    """
    if "{{" in text:
        raise TokenError("'{{' is no token of this language; write ${input.prompt}")
    parts: list[str | Token] = []
    literal: list[str] = []
    at = 0
    while True:
        begin = text.find("${", at)
        if begin < 0:
            literal.append(text[at:])
            break
        if begin > 0 and text[begin - 1] == "$":
            literal.append(text[at : begin - 1] + "${")
            at = begin + 2
            continue
        literal.append(text[at:begin])
        if joined := "".join(literal):
            parts.append(joined)
        literal = []
        token, at = _read_token(text, begin)
        parts.append(token)
    if joined := "".join(literal):
        parts.append(joined)
    return Template(text, tuple(parts), place)


def escaped(text: str) -> str:
    """A text as a template that yields it."""
    return text.replace("${", "$${")


def _read_token(text: str, begin: int) -> tuple[Token, int]:
    match = _TOKEN.match(text, begin)
    if match is None:
        end = text.find("}", begin)
        if end < 0:
            raise TokenError(f"token {text[begin : begin + 40]!r} is not closed")
        raise TokenError(
            f"{text[begin : end + 1]!r} is not a token; one looks like ${{input.prompt}}, "
            "${input.seed?} or ${input.image|file}"
        )
    root = match["root"]
    if root not in ROOTS:
        raise TokenError(f"unknown root {root!r} in {match.group()}; known: {', '.join(ROOTS)}")
    filters = tuple(match["filters"].split("|")[1:])
    for name in filters:
        if name not in FILTERS:
            raise TokenError(
                f"unknown filter {name!r} in {match.group()}; known: {', '.join(FILTERS)}"
            )
    steps = tuple(match["steps"].split(".")[1:])
    token = Token(match.group(), root, steps, match["optional"] is not None, filters)
    return token, match.end()


Render = Callable[[Scope], Any]
"""A closure from a scope to a value, or :data:`boards.spec.paths.ABSENT`."""


def compile_token(token: Token) -> Render:
    """A closure to the token's value, type kept.

    The closure raises :class:`RenderError` where a value without ``?`` is absent.
    """
    look_up = _look_up(token)
    apply = [_filter(token, name) for name in token.filters]

    if token.optional:

        def optional(scope: Scope) -> Any:
            value = look_up(scope)
            if value is ABSENT or value is None:
                return ABSENT
            for filter_ in apply:
                value = filter_(value, scope)
            return value

        return optional

    def required(scope: Scope) -> Any:
        value = look_up(scope)
        if value is ABSENT:
            raise RenderError(token, "there is no such value")
        for filter_ in apply:
            value = filter_(value, scope)
        return value

    return required


def _look_up(token: Token) -> Render:
    root, steps = token.root, token.steps
    if len(steps) == 1:
        only = steps[0]

        def one_step(scope: Scope) -> Any:
            value = scope.get(root, ABSENT)
            if isinstance(value, dict):
                return value.get(only, ABSENT)
            return _step(value, only)

        return one_step

    def many_steps(scope: Scope) -> Any:
        value = scope.get(root, ABSENT)
        for step in steps:
            value = _step(value, step)
            if value is ABSENT:
                return ABSENT
        return value

    return many_steps


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step, ABSENT)
    if isinstance(value, list) and step.isdecimal() and len(step) < 10:
        index = int(step)
        return value[index] if index < len(value) else ABSENT
    return ABSENT


def _filter(token: Token, name: str) -> Callable[[Any, Scope], Any]:
    def one(value: Any, scope: Scope) -> Any:
        if name in FILE_FILTERS:
            if not isinstance(value, str):
                raise RenderError(token, f"|{name} takes a file input, not {_typed(value)}")
            return scope["files"].get(value, name)
        if name == "json":
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if name == "str":
            return scalar_text(token, value)
        return _integer(token, value)

    if name == "json":
        return one

    def each(value: Any, scope: Scope) -> Any:
        return (
            [one(item, scope) for item in value] if isinstance(value, list) else one(value, scope)
        )

    return each


def _integer(token: Token, value: Any) -> int:
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError  # noqa: TRY301  # one message for every way
        if isinstance(value, str) and not _WHOLE.fullmatch(value):  # int() reads 1_000 too
            raise ValueError  # noqa: TRY301
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise RenderError(token, f"|int cannot read {_typed(value)}") from None


def scalar_text(token: Token, value: Any) -> str:
    """A scalar as text: booleans as ``true`` and ``false``.

    Raises:
        RenderError: The value is null, a list or a mapping.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise RenderError(token, f"{_typed(value)} cannot stand inside a text")


def _typed(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "a mapping", list: "a list", bool: "a boolean", bytes: "bytes", str: "a text"}
    return names.get(type(value), "a number")


def compile_template(template: Template) -> Render:
    """A closure from a scope to the rendered value.

    A template that is one token keeps the value's type. An absent ``?`` token makes all of it
    :data:`ABSENT`.
    """
    if (token := template.only_token) is not None:
        return compile_token(token)
    return _compile_text(template, scalar_text)


def _compile_text(template: Template, text_of: Callable[[Token, Any], str]) -> Render:
    if not template.tokens:
        constant = "".join(str(part) for part in template.parts)
        return lambda _scope: constant
    pieces: list[tuple[Token | None, Any]] = [
        (part, compile_token(part)) if isinstance(part, Token) else (None, part)
        for part in template.parts
    ]

    def render(scope: Scope) -> Any:
        rendered: list[str] = []
        for token, piece in pieces:
            if token is None:
                rendered.append(piece)
                continue
            value = piece(scope)
            if value is ABSENT:
                return ABSENT
            rendered.append(text_of(token, value))
        return "".join(rendered)

    return render


_OWN_ROOTS = frozenset({"job", "prev", "config", "model", "upload"})
# RFC 3986 allows these in a path beside letters, digits and "-._~"; "%" is always encoded.
_PATH_SAFE = "/:@!$&'()*+,;="
_END_OF_PATH = re.compile("[?#]")


def compile_path_template(template: Template) -> Render:
    """A closure to a URL path: values percent-encoded so that none adds or climbs segments.

    What came from a caller is encoded whole, ``/`` included; what came from the provider or the
    configuration keeps its ``/``. A segment that renders to ``.`` or ``..`` is refused.
    """

    def encoded(token: Token, value: Any) -> str:
        safe = _PATH_SAFE if token.root in _OWN_ROOTS else ""
        try:
            return quote(scalar_text(token, value), safe=safe)
        except UnicodeEncodeError:
            raise RenderError(token, "this is not Unicode text") from None

    render = _compile_text(evolve(template), encoded)
    tokens = template.tokens
    if not tokens:
        return render

    def checked(scope: Scope) -> Any:
        path = render(scope)
        if path is not ABSENT:
            for segment in _END_OF_PATH.split(path, 1)[0].split("/"):
                if segment in (".", ".."):
                    raise RenderError(tokens[0], f"a path segment cannot be {segment!r}")
        return path

    return checked
