"""One provider instance over HTTP: addresses, credentials, trust, and replies as values."""

import base64
import json
import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from attrs import frozen

from boards.engine.transport import (
    LostReplyError,
    Reply,
    ReplyTooLargeError,
    Request,
    Transport,
    UnsentError,
)
from boards.engine.trust import TrustedHosts
from boards.errors import ProviderError, ProviderErrorKind, UnavailableError
from boards.logs import retries_to_logging
from boards.settings import Settings
from boards.spec.model import ProviderSpec, Retry
from boards.spec.paths import ABSENT
from boards.spec.replies import ReplyValue, compile_refusal
from boards.spec.requests import Rendered

__all__ = ["TRANSPORT_ERRORS", "FilePart", "ProviderClient", "UnreadableReplyError"]

MAX_REPLY: Final = 256 * 1024 * 1024
"""Bytes of an API reply, base64 media included."""


class UnreadableReplyError(Exception):
    """A successful reply is not what the spec expects: HTML instead of JSON, say."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@frozen
class FilePart:
    """A file in a multipart body."""

    name: str
    mime: str
    content: bytes


class ProviderClient:
    """Sends a provider's requests with its credentials, to trusted hosts only.

    Args:
        name: The provider instance.
        spec: Its effective definition.
        settings: Where its secrets are looked up.
        transport: Carries the requests.
    """

    def __init__(
        self, name: str, spec: ProviderSpec, settings: Settings, transport: Transport
    ) -> None:
        self.name = name
        self.spec = spec
        self._settings = settings
        self._transport = transport
        self.trusted = TrustedHosts(spec)
        self._refusal = compile_refusal(spec.errors)

    @property
    def config(self) -> Mapping[str, Any]:
        """The non-secret settings, ``config`` in specs."""
        return self.spec.config

    def _key(self) -> str:
        name = self.spec.config.get("api_key_env")
        key: str | None = self._settings.secret(name) if isinstance(name, str) else None
        if key is None:
            raise UnavailableError(
                f"{name or 'api_key_env'} is not set.",
                remedy=self.spec.setup or f"Set {name}.",
                provider=self.name,
            )
        return key

    def scrub(self, text: str) -> str:
        """A text without the provider's secrets."""
        for name in (self.spec.config.get("api_key_env"), *self.spec.secrets.values()):
            secret = self._settings.secret(name) if isinstance(name, str) else None
            if secret and len(secret) >= 4:
                text = text.replace(secret, "***")
        return text

    def url(self, rendered: Rendered) -> str:
        """The absolute URL of a rendered request, query included.

        Raises:
            ProviderError: ``untrusted_url``: its host is not the provider's.
        """
        url = rendered.url
        if rendered.base is not None:
            url = f"{str(self.spec.config[rendered.base]).rstrip('/')}{url}"
        if rendered.authenticated and url not in self.trusted:
            raise ProviderError(
                "untrusted_url",
                f"{url} is not a host of {self.name}: nothing was sent.",
                remedy=f"If it is, add its host to providers.{self.name}.hosts.",
                provider=self.name,
            )
        return with_query(url, rendered.query)

    def request(self, rendered: Rendered, *, fresh: bool = False) -> Request:
        """The request with its body encoded and its credentials in place.

        Raises:
            ProviderError: ``untrusted_url``.
            UnavailableError: The key is not set.
        """
        url = self.url(rendered)
        headers = dict(rendered.headers)
        body, content_type = _encode(rendered)
        given = {name.lower() for name in headers}
        if content_type is not None and "content-type" not in given:
            headers["Content-Type"] = content_type
        if "accept" not in given:
            headers["Accept"] = "application/json" if rendered.accept == "json" else "*/*"
        if rendered.authenticated:
            url = self._authenticate(url, headers)
        return Request(rendered.method, url, headers, body, rendered.timeout, fresh)

    def _authenticate(self, url: str, headers: dict[str, str]) -> str:
        auth = self.spec.auth
        if auth is None or auth.kind == "none":
            return url
        key = self._key()
        match auth.kind:
            case "bearer":
                headers["Authorization"] = f"Bearer {key}"
            case "basic":
                headers["Authorization"] = f"Basic {base64.b64encode(key.encode()).decode()}"
            case "header":
                headers[auth.name or "Authorization"] = f"{auth.prefix}{key}"
            case "query":
                return with_query(url, ((auth.name or "key", key),))
        return url

    def credentials(self) -> dict[str, str]:
        """The headers that carry the credentials, for an output on the provider's own origin."""
        headers: dict[str, str] = {}
        self._authenticate("", headers)
        return headers

    async def repeat(self, rendered: Rendered) -> ReplyValue:
        """Send a request that costs nothing, again and again as the provider's ``retry`` says.

        For uploads, cancels and look-ups; never for a submit.

        Raises:
            ProviderError: The last answer, where it stayed an error.
        """
        import stamina  # noqa: PLC0415  # most runs repeat nothing

        retries_to_logging()
        retry = self.spec.retry or Retry()
        request = self.request(rendered)
        async for attempt in stamina.retry_context(
            on=_pause,
            attempts=retry.max + 1,
            timeout=None,
            wait_initial=retry.base,
            wait_max=retry.cap,
        ):
            with attempt:
                return await self._accepted(request, rendered.accept)
        raise AssertionError  # stamina raises or returns

    async def _accepted(self, request: Request, accept: str) -> ReplyValue:
        """A reply that is no error; everything else as :class:`ProviderError`."""
        try:
            reply = await self.send(request, accept)
        except TRANSPORT_ERRORS as error:
            raise self.explain(error) from error
        refusal = self._refusal(reply)
        if refusal is not None:
            raise ProviderError(
                refusal.kind,
                self.scrub(refusal.message),
                status=reply["status"],
                retry_after=refusal.after,
                provider=self.name,
            )
        return reply

    def explain(self, error: Exception) -> ProviderError:
        """A transport's exception as what it means to a caller."""
        if isinstance(error, UnsentError) and error.forbidden is not None:
            return ProviderError(
                "untrusted_url",
                f"{self.name} was not asked: {error}.",
                remedy=(
                    "If the address is meant, allow it: "
                    f"BOARDS_ALLOW_PRIVATE_HOSTS={error.forbidden}"
                ),
                provider=self.name,
            )
        if isinstance(error, UnreadableReplyError | ReplyTooLargeError):
            return ProviderError("transient", f"{self.name}: {error}", provider=self.name)
        kind: ProviderErrorKind = "timeout" if "no answer within" in str(error) else "transient"
        return ProviderError(kind, f"{self.name} cannot be reached: {error}", provider=self.name)

    async def exchange(self, rendered: Rendered, *, fresh: bool = False) -> ReplyValue:
        """Send a rendered request and read the whole reply.

        Raises:
            UnsentError: Nothing was sent.
            LostReplyError: It was sent, and no whole reply came.
            UnreadableReplyError: A 2xx reply is not JSON where JSON was expected.
            ReplyTooLargeError: The reply has more than :data:`MAX_REPLY` bytes.
        """
        return await self.send(self.request(rendered, fresh=fresh), rendered.accept)

    async def send(self, request: Request, accept: str) -> ReplyValue:
        """Send a request and read the whole reply: see :meth:`exchange`."""
        reply = await self._transport.send(request)
        try:
            content = await reply.read(MAX_REPLY)
        finally:
            await reply.close()
        return {
            "status": reply.status,
            "header": reply.headers,
            "body": _decode(reply, content, accept),
        }


TRANSPORT_ERRORS: Final = (
    UnsentError,
    LostReplyError,
    UnreadableReplyError,
    ReplyTooLargeError,
)
"""All that :meth:`ProviderClient.send` raises when no readable reply came."""


def _pause(error: Exception) -> bool | float:
    """Whether to repeat after an error, or the seconds to wait before."""
    if not isinstance(error, ProviderError) or not error.retryable:
        return False
    return True if error.retry_after is None else min(error.retry_after, 60.0)


def with_query(url: str, query: tuple[tuple[str, str], ...]) -> str:
    """A URL with more query parameters."""
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def _encode(rendered: Rendered) -> tuple[bytes | None, str | None]:
    """The body's bytes and media type."""
    if rendered.json is not ABSENT:
        text = json.dumps(rendered.json, ensure_ascii=False, separators=(",", ":"))
        return text.encode(), "application/json"
    if rendered.form is not None:
        return urlencode(rendered.form).encode(), "application/x-www-form-urlencoded"
    if rendered.multipart is not None:
        return _multipart(rendered.multipart)
    body = rendered.body
    if body is None or body is ABSENT:
        return None, None
    if isinstance(body, FilePart):
        return body.content, body.mime
    return str(body).encode(), "text/plain; charset=utf-8"


def _multipart(parts: Mapping[str, Any]) -> tuple[bytes, str]:
    """RFC 7578, all in memory."""
    boundary = f"boards-{os.urandom(16).hex()}"
    encoded: list[bytes] = []
    for name, value in parts.items():
        for one in value if isinstance(value, list) else [value]:
            disposition = f'form-data; name="{_quoted(name)}"'
            content = one.content if isinstance(one, FilePart) else _text(one).encode()
            lines = [f"--{boundary}"]
            if isinstance(one, FilePart):
                disposition += f'; filename="{_quoted(one.name)}"'
                lines += [f"Content-Disposition: {disposition}", f"Content-Type: {one.mime}"]
            else:
                lines.append(f"Content-Disposition: {disposition}")
            encoded += ["\r\n".join([*lines, "", ""]).encode(), content, b"\r\n"]
    encoded.append(f"--{boundary}--\r\n".encode())
    return b"".join(encoded), f"multipart/form-data; boundary={boundary}"


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _decode(reply: Reply, content: bytes, accept: str) -> Any:
    """The body as the spec expects it; an error's as JSON where it is, else as text."""
    successful = reply.status < 300
    if successful and accept == "binary":
        return content
    if successful and accept == "text":
        return content.decode("utf-8", "replace")
    try:
        return json.loads(content) if content.strip() else None
    except ValueError:
        text = content.decode("utf-8", "replace")
        if not successful:
            return text
        what = reply.headers.get("content-type", "no content type")
        raise UnreadableReplyError(
            reply.status, f"the reply is not JSON but {what}: {' '.join(text.split())[:120]!r}"
        ) from None
