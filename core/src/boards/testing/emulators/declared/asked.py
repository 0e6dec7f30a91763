"""A request that came, and the requests of a spec that it is laid beside."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from attrs import frozen

from boards.spec.model import ProviderSpec, RequestSpec
from boards.spec.paths import ABSENT
from boards.spec.tokens import Template
from boards.testing.emulators.declared.addresses import path_template, plain, shown
from boards.testing.emulators.declared.reading import Bound, Part, Reader, UnlikeError

_NO_VALUES: Mapping[str, Any] = {}


@frozen
class Asked:
    """A request, its body parsed.

    Attributes:
        method: The HTTP method.
        path: ``/HOST/PATH``, without escapes.
        query: Values by name; a list where a name is repeated.
        headers: By lower-case names.
        json: The body's JSON value, or ``ABSENT``.
        fields: Of a form or a multipart body; None where it is neither.
        content: The body.
        mime: Its media type.
    """

    method: str
    path: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    json: Any
    fields: Mapping[str, Any] | None
    content: bytes
    mime: str

    @classmethod
    async def of(cls, request: web.Request) -> "Asked":
        """Read a request."""
        mime = request.content_type if request.body_exists else ""
        fields: dict[str, Any] | None = None
        content = b""
        if mime in ("application/x-www-form-urlencoded", "multipart/form-data"):
            fields = {}
            for name, part in (await request.post()).items():
                _add(fields, name, _part(part))
        else:
            content = await request.read()
        value: Any = ABSENT
        if content and fields is None:
            try:
                value = json.loads(content)
            except ValueError:
                value = ABSENT
        query: dict[str, Any] = {}
        for name, text in parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True):
            _add(query, name, text)
        headers = {name.lower(): one for name, one in request.headers.items()}
        path = plain(request.rel_url.raw_path)
        return cls(request.method, path, query, headers, value, fields, content, mime)


def _add(values: dict[str, Any], name: str, value: Any) -> None:
    """Add a value to those of a name: one as it is, several as a list."""
    if name not in values:
        values[name] = value
    elif isinstance(values[name], list):
        values[name].append(value)
    else:
        values[name] = [values[name], value]


def _part(value: Any) -> Any:
    if isinstance(value, web.FileField):
        return Part(value.file.read(), value.content_type, value.filename)
    return value.decode() if isinstance(value, bytes | bytearray) else value


@frozen
class Route:
    """A request of the spec, as it can be told from others by method and path.

    Attributes:
        role: What it is for: ``submit``, ``check``, ``upload`` and so on.
        spec: The request.
        path: Its local path, as a template.
        headers: Of the provider, which go with it.
        auth: The query parameter that has the credential, if one has.
    """

    role: str
    spec: RequestSpec
    path: Template
    headers: Mapping[str, Template]
    auth: str | None = None

    @classmethod
    def of(cls, role: str, spec: RequestSpec, provider: ProviderSpec) -> "Route | None":
        """A route; None for a request whose address only a reply tells."""
        path = path_template(spec, provider.config)
        if path is None:
            return None
        auth = provider.auth
        name = (auth.name or "key") if auth is not None and auth.kind == "query" else None
        return cls(role, spec, path, provider.headers, name)

    @property
    def pattern(self) -> str:
        """Method and path for people: ``POST /api.acme.example/images``."""
        return f"{self.spec.method} {shown(self.path).partition('?')[0]}"

    def fits(self, method: str, path: str, reader: Reader) -> Bound | None:
        """What the path of a request binds; None where it is another one."""
        if method != self.spec.method:
            return None
        parts: list[Any] = []
        for part in self.path.parts:
            head, mark, _ = part.partition("?") if isinstance(part, str) else (part, "", "")
            parts.append(plain(head) if isinstance(head, str) else head)
            if mark:
                break
        try:
            return reader.path(Template(self.path.text, tuple(parts)), path)
        except UnlikeError:
            return None

    def read(self, asked: Asked, reader: Reader, known: Bound) -> Bound:
        """What query, headers and body bind.

        Raises:
            UnlikeError: The spec could not have sent it.
        """
        spec = self.spec
        literal = "".join(part for part in self.path.parts if isinstance(part, str))
        own = {self.auth, *dict(parse_qsl(literal.partition("?")[2], keep_blank_values=True))}
        query = {name: one for name, one in asked.query.items() if name not in own}
        known = self._texts("query", spec.query, query, reader, known)
        headers = {
            name.lower(): one for name, one in (*self.headers.items(), *spec.headers.items())
        }
        sent = {name: asked.headers[name] for name in headers if name in asked.headers}
        known = self._texts("header", headers, sent, reader, known)
        if spec.json is not None:
            return reader.read(spec.json, asked.json, "json", known)
        if spec.form is not None:
            return self._texts("form", spec.form, asked.fields or _NO_VALUES, reader, known)
        if spec.multipart is not None:
            parts = asked.fields or _NO_VALUES
            return self._texts("multipart", spec.multipart, parts, reader, known)
        if spec.body is not None:
            return self._raw(spec.body, asked, reader, known)
        return known

    def _texts(
        self,
        where: str,
        templates: Mapping[str, Template],
        values: Mapping[str, Any],
        reader: Reader,
        known: Bound,
    ) -> Bound:
        """Names whose values are texts, or files."""
        for name in values:
            if name not in templates:
                raise UnlikeError(f"{where}.{name}", "is nothing that the spec sends")
        for name, template in templates.items():
            value, at = values.get(name, ABSENT), f"{where}.{name}"
            if isinstance(value, str):
                known = reader.text(template, value, at, known)
            else:
                known = reader.read(template, value, at, known)
        return known

    def _raw(self, template: Template, asked: Asked, reader: Reader, known: Bound) -> Bound:
        token = template.only_token
        if (token is not None and "bytes" in token.filters) or (token and token.root == "file"):
            part = Part(asked.content, asked.mime)
            return {**known, f"file.{token.root}.{'.'.join(token.steps)}": part}
        return reader.text(template, asked.content.decode("utf-8", "replace"), "body", known)
