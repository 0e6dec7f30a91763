"""Requests, compiled: a template rendered to method, URL, headers and body, nothing sent yet."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from boards.spec.model import RequestSpec
from boards.spec.operators import compile_body
from boards.spec.paths import ABSENT
from boards.spec.tokens import (
    Render,
    RenderError,
    Scope,
    Template,
    Token,
    compile_path_template,
    compile_template,
    scalar_text,
)

__all__ = ["CompiledRequest", "FilePart", "Rendered", "tokens_of"]


@frozen
class FilePart:
    """A file with its bytes: in a multipart body, as a whole body, or to be uploaded."""

    name: str
    mime: str
    content: bytes = field(repr=False)


@frozen
class Rendered:
    """A request as the spec says it, before credentials.

    Attributes:
        method: The HTTP method.
        url: Absolute, or below a base URL where ``base`` is given; without ``query``.
        base: The config key that ``url`` follows; None where it is absolute.
        query: Names and texts, in order.
        headers: Names and texts.
        json: The JSON body, or ``ABSENT``.
        form: A urlencoded body, or None.
        multipart: Parts: texts, or :class:`FilePart` as the ``bytes`` filter gives; or None.
        body: A raw body; None where there is none.
        accept: What a 2xx reply is: ``json``, ``binary`` or ``text``.
        timeout: Seconds for the whole exchange.
        authenticated: Whether credentials go with it.
    """

    method: str
    url: str
    base: str | None
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    json: Any
    form: Mapping[str, str] | None
    multipart: Mapping[str, Any] | None
    body: Any
    accept: str
    timeout: float
    authenticated: bool


class CompiledRequest:
    """A request template, compiled once.

    Args:
        spec: The request.
        headers: Of the provider; the request's own win.
    """

    def __init__(self, spec: RequestSpec, headers: Mapping[str, Template] | None = None) -> None:
        self.spec = spec
        target = spec.path if spec.path is not None else spec.url
        assert target is not None  # noqa: S101  # the checker saw to it
        self._base = spec.base if spec.path is not None else None
        self._target: Render = (
            compile_path_template(target) if spec.path is not None else _compile_url(target)
        )
        both = {name.lower(): (name, value) for name, value in (headers or {}).items()}
        both.update({name.lower(): (name, value) for name, value in spec.headers.items()})
        self._headers = [
            (name, _as_header(template)) for name, template in dict(both.values()).items()
        ]
        self._query = _texts(spec.query)
        self._json = compile_body(spec.json) if spec.json is not None else None
        self._form = _texts(spec.form) if spec.form is not None else None
        self._multipart = (
            [(name, compile_template(value)) for name, value in spec.multipart.items()]
            if spec.multipart is not None
            else None
        )
        self._body = compile_template(spec.body) if spec.body is not None else None

    def render(self, scope: Scope) -> Rendered:
        """The request with these values.

        Raises:
            RenderError: A value is missing, or cannot stand where it should.
        """
        spec = self.spec
        url = self._target(scope)
        if url is ABSENT:
            raise RenderError(_first_token(spec), "the URL of the request is absent")
        return Rendered(
            spec.method,
            url,
            self._base,
            tuple(_rendered(self._query, scope)),
            dict(_rendered(self._headers, scope)) if self._headers else {},
            ABSENT if self._json is None else self._json(scope),
            None if self._form is None else dict(_rendered(self._form, scope)),
            None
            if self._multipart is None
            else {
                name: value
                for name, part in self._multipart
                if (value := part(scope)) is not ABSENT
            },
            None if self._body is None else self._body(scope),
            spec.accept,
            spec.timeout,
            spec.auth != "none",
        )


_Texts = list[tuple[str, Callable[[Scope], Any]]]


def _texts(templates: Mapping[str, Template]) -> _Texts:
    """Compiled templates whose values become text: of a query, a header, a form field."""
    return [(name, _as_text(template)) for name, template in templates.items()]


def _as_text(template: Template) -> Render:
    render = compile_template(template)
    token = template.only_token
    if token is None:
        return render

    def text(scope: Scope) -> Any:
        value = render(scope)
        return value if value is ABSENT else scalar_text(token, value)

    return text


_HEADER = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


def _as_header(template: Template) -> Render:
    """A header's value: a line break in it would begin another header."""
    render = _as_text(template)
    if not template.tokens:
        return render

    def checked(scope: Scope) -> Any:
        value = render(scope)
        if value is not ABSENT and not _HEADER.fullmatch(value):
            raise RenderError(template.tokens[0], "a header has one line of Latin-1 text")
        return value

    return checked


def _rendered(texts: _Texts, scope: Scope) -> list[tuple[str, str]]:
    return [(name, value) for name, part in texts if (value := part(scope)) is not ABSENT]


def _compile_url(template: Template) -> Render:
    """An absolute URL: one that is a token, or begins with one, keeps what the reply said."""
    if template.only_token is not None:
        return _as_text(template)
    first = template.parts[0]
    if isinstance(first, Token):
        head = _as_text(Template(first.text, (first,)))
        tail = compile_path_template(Template(template.text, template.parts[1:]))

        def joined(scope: Scope) -> Any:
            begin, end = head(scope), tail(scope)
            return ABSENT if begin is ABSENT or end is ABSENT else f"{begin}{end}"

        return joined
    return compile_path_template(template)


def tokens_of(spec: RequestSpec | None) -> tuple[Token, ...]:
    """The tokens that a request's address, query and headers cannot do without."""
    if spec is None:
        return ()
    targets = [spec.path, spec.url, *spec.query.values(), *spec.headers.values()]
    return tuple(
        token for target in targets if target for token in target.tokens if not token.optional
    )


def _first_token(spec: RequestSpec) -> Token:
    target = spec.path or spec.url
    assert target is not None  # noqa: S101  # the checker saw to it
    return target.tokens[0]
