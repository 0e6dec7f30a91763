"""One provider instance over HTTP: addresses, credentials, trust, and replies as values."""

import base64
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

from attrs import evolve

from boards.engine import sse
from boards.engine.limits import Gate
from boards.engine.scrubbing import Scrubber
from boards.engine.transport import (
    LostReplyError,
    Reply,
    ReplyTooLargeError,
    Request,
    Socket,
    Transport,
    UnsentError,
    shown_url,
    unsilent,
)
from boards.errors import BoardsError, ProviderError, ProviderErrorKind, UnavailableError
from boards.generations import CLOCK_SKEW
from boards.logs import retries_to_logging
from boards.settings import Settings
from boards.spec.compile import CompiledGenerator
from boards.spec.hosts import TrustedHosts, origin
from boards.spec.model import Auth, ProviderSpec, Retry
from boards.spec.paths import ABSENT
from boards.spec.replies import ReplyValue, compile_refusal
from boards.spec.requests import FilePart, Rendered
from boards.spec.tokens import Scope

__all__ = [
    "TRANSPORT_ERRORS",
    "ProviderClient",
    "UnreadableReplyError",
    "known_refusal",
    "with_query",
    "without_secrets",
]

MAX_REPLY: Final = 256 * 1024 * 1024
"""Bytes of an API reply, base64 media included."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header can have."""


class UnreadableReplyError(Exception):
    """A successful reply is not what the spec expects: HTML instead of JSON, say.

    Attributes:
        reply: What it is: its body as text. A rule of the spec may know it.
    """

    def __init__(self, reply: ReplyValue, message: str) -> None:
        super().__init__(message)
        self.reply = reply


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
        self._token: tuple[float, str] | None = None
        self._variables = _secret_variables(spec)
        self._scrubbing: Scrubber | None = None
        self.gate = Gate(spec.limits)
        self.authenticate: Callable[[Request], Awaitable[Request]] | None = None
        """An adapter's own way to add credentials; None for what the spec says."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The non-secret settings, ``config`` in specs."""
        return self.spec.config

    def secret(self, variable: str) -> str | None:
        """The value of a secret's environment variable; None where it is not set.

        What was asked for here is taken out of replies and messages from then on.
        """
        if variable not in self._variables:
            self._variables.add(variable)
            self._scrubbing = None
        return self._settings.secret(variable)

    def named_secret(self, name: str) -> str:
        """A secret by its name in the spec: ``api_key``, or one of ``secrets``.

        Raises:
            UnavailableError: It is not set.
        """
        config = self.spec.config.get("api_key_env")
        variable = config if name == "api_key" else self.spec.secrets.get(name)
        secret = self.secret(variable) if isinstance(variable, str) else None
        if secret is None:
            raise UnavailableError(
                f"{variable or name} is not set.",
                remedy=self.spec.setup or f"Set {variable or name}.",
                provider=self.name,
            )
        return secret

    @cached_property
    def account(self) -> str:
        """SHA-256 of the addresses and secrets: another one is another account, or may be."""
        addresses = sorted((name, str(value)) for name, value in self.spec.config.items())
        names = {self.spec.config.get("api_key_env"), *self.spec.secrets.values()}
        variables = sorted(name for name in names if isinstance(name, str))
        secrets = [self._settings.secret(name) for name in variables]
        return hashlib.sha256(json.dumps([addresses, secrets]).encode()).hexdigest()

    @property
    def has_hidden_secrets(self) -> bool:
        """Whether an adapter asked for secrets that :attr:`account` knows nothing of."""
        return self._variables != _secret_variables(self.spec)

    def scrub(self, text: str) -> str:
        """A text without the provider's secrets."""
        return self._scrubber.text(text)

    def mistake(self, error: Exception) -> str:
        """What to tell of an exception that no stage may raise."""
        return self.scrub(f"The adapter of {self.name} failed: {type(error).__name__}: {error}")

    def clean(self, value: Any) -> Any:
        """What the provider said, without its secrets: it may repeat what it was sent.

        Nothing else of a reply is ever seen: not by a specification, nor by the store.
        """
        return self._scrubber.value(value)

    @property
    def _scrubber(self) -> Scrubber:
        if self._scrubbing is None:
            values = [self._settings.secret(one) or "" for one in self._variables]
            if self._token is not None:
                values.append(self._token[1])
            self._scrubbing = Scrubber(values)
        return self._scrubbing

    def address(self, rendered: Rendered) -> str:
        """The absolute URL of a rendered request without its query, trusted or not."""
        if rendered.base is None:
            return rendered.url
        return f"{str(self.spec.config[rendered.base]).rstrip('/')}{rendered.url}"

    def url(self, rendered: Rendered) -> str:
        """The absolute URL of a rendered request, query included.

        Raises:
            ProviderError: ``untrusted_url``: its host is not the provider's.
        """
        url = self.address(rendered)
        found = origin(url)
        if rendered.authenticated and not self.trusted.has(found):
            raise ProviderError(
                "untrusted_url",
                f"{shown_url(url)} is not a host of {self.name}: nothing was sent.",
                remedy=f"If it is, add its host to providers.{self.name}.hosts.",
                provider=self.name,
            )
        if found is None:
            raise ProviderError(
                "untrusted_url",
                f"{shown_url(url)} is not http(s) with a plain host: nothing was sent.",
                provider=self.name,
            )
        return with_query(url, rendered.query)

    def check(self, rendered: Rendered) -> None:
        """Make sure that a request could be sent: its host is trusted, its key is set.

        Raises:
            ProviderError: ``untrusted_url``.
            UnavailableError: The key is not set.
        """
        self.url(rendered)
        if rendered.authenticated and self.authenticate is None:
            self.authenticated(Request(rendered.method, rendered.url))

    async def request(self, rendered: Rendered, *, fresh: bool = False) -> Request:
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
        request = Request(rendered.method, url, headers, body, rendered.timeout, fresh)
        return await self._with_credentials(request) if rendered.authenticated else request

    async def _with_credentials(self, request: Request) -> Request:
        if self.authenticate is None:
            return self.authenticated(request)
        return await self.authenticate(request)

    def authenticated(self, request: Request) -> Request:
        """A request with the credentials that ``auth`` in the spec says.

        Raises:
            UnavailableError: The key is not set, or can stand in no header.
        """
        auth = self.spec.auth
        if auth is None or auth.kind == "none":
            return request
        key = self.named_secret("api_key")
        match auth.kind:
            case "query":
                return evolve(request, url=with_query(request.url, ((auth.name or "key", key),)))
            case "header":
                name, value = auth.name or "Authorization", f"{auth.prefix}{key}"
            case "basic":
                name, value = "Authorization", f"Basic {base64.b64encode(key.encode()).decode()}"
            case "jwt_hs256":
                name, value = "Authorization", f"Bearer {self._jwt(auth, key)}"
            case _:
                name, value = "Authorization", f"Bearer {key}"
        if _CONTROL.search(value):  # the transport refuses it, when it is too late to tell why
            raise UnavailableError(
                f"{self.spec.config.get('api_key_env')} has a line break or another control "
                "character in it, and nothing was sent.",
                remedy=self.spec.setup or "Set it to the key alone.",
                provider=self.name,
            )
        return evolve(request, headers={**request.headers, name: value})

    def _jwt(self, auth: Auth, key: str) -> str:
        """A token that is still good for a while (RFC 7519, HS256)."""
        now = time.time()
        if self._token is None or now > self._token[0]:
            issuer = self.named_secret(auth.issuer) if auth.issuer is not None else None
            claims = {"iss": issuer, "exp": int(now + auth.ttl), "nbf": int(now - CLOCK_SKEW)}
            if issuer is None:
                del claims["iss"]
            self._token = (now + auth.ttl / 2, jwt_hs256(claims, key))
            self._scrubbing = None
        return self._token[1]

    async def credentials(self, url: str) -> Request:
        """A GET of an output at the provider, with the credentials."""
        return await self._with_credentials(Request("GET", url, {}))

    async def repeat(self, rendered: Rendered) -> ReplyValue:
        """Send a request that costs nothing, again and again as the provider's ``retry`` says.

        For uploads, cancels and look-ups; never for a submit.

        Raises:
            ProviderError: The last answer, where it stayed an error.
        """
        import stamina  # noqa: PLC0415  # most runs repeat nothing

        retries_to_logging()
        retry = self.spec.retry or Retry()
        request = await self.request(rendered)
        own = rendered.authenticated
        async for attempt in stamina.retry_context(
            on=_pause,
            attempts=retry.max + 1,
            timeout=None,
            wait_initial=retry.base,
            wait_max=retry.cap,
        ):
            with attempt:
                return await self._accepted(request, rendered.accept, own=own)
        raise AssertionError  # stamina raises or returns

    async def _accepted(self, request: Request, accept: str, *, own: bool) -> ReplyValue:
        """A reply that is no error; everything else as :class:`ProviderError`."""
        unreadable: UnreadableReplyError | None = None
        try:
            reply = await self.send(request, accept, own=own)
        except UnreadableReplyError as error:  # a rule of the spec may know it all the same
            reply, unreadable = error.reply, error
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
        if unreadable is not None:
            raise self.explain(unreadable) from unreadable
        return reply

    def explain(self, error: Exception) -> ProviderError:
        """A transport's exception as what it means to a caller."""
        if isinstance(error, UnsentError) and error.forbidden is not None:
            return ProviderError(
                "untrusted_url",
                self.scrub(f"{self.name} was not asked: {error}."),
                remedy=(
                    "If the address is meant, allow it: "
                    f"BOARDS_ALLOW_PRIVATE_HOSTS={error.forbidden}"
                ),
                provider=self.name,
            )
        if isinstance(error, UnreadableReplyError | ReplyTooLargeError):
            return ProviderError(
                "transient", self.scrub(f"{self.name}: {error}"), provider=self.name
            )
        kind: ProviderErrorKind = "timeout" if "no answer within" in str(error) else "transient"
        return ProviderError(
            kind, self.scrub(f"{self.name} cannot be reached: {error}"), provider=self.name
        )

    async def exchange(self, rendered: Rendered, *, fresh: bool = False) -> ReplyValue:
        """Send a rendered request and read the whole reply.

        Raises:
            UnsentError: Nothing was sent.
            LostReplyError: It was sent, and no whole reply came.
            UnreadableReplyError: A 2xx reply is not JSON where JSON was expected.
            ReplyTooLargeError: The reply has more than :data:`MAX_REPLY` bytes.
        """
        request = await self.request(rendered, fresh=fresh)
        return await self.send(request, rendered.accept, own=rendered.authenticated)

    async def send(self, request: Request, accept: str, *, own: bool = False) -> ReplyValue:
        """Send a request and read the whole reply: see :meth:`exchange`.

        Args:
            request: Ready to send.
            accept: What a 2xx reply is.
            own: It goes to the provider itself: what comes of it tells how the provider is.
        """
        try:
            reply = await self._transport.send(request)
            try:
                content = await reply.read(MAX_REPLY)
            finally:
                await reply.close()
        except (UnsentError, LostReplyError) as error:
            if own and getattr(error, "forbidden", None) is None:
                self.gate.breaker.failed()
            raise
        if own:
            self.gate.observe(reply.status, reply.headers)
        try:
            body = _decode(reply, content, accept, self.scrub)
            return self._reply_value(reply, body, content)
        except RecursionError:
            told: dict[str, Any] = {"status": reply.status, "header": reply.headers, "body": ""}
            raise UnreadableReplyError(told, "the reply is nested too deeply") from None

    async def stream(self, rendered: Rendered) -> AsyncIterator[ReplyValue]:
        """Server-sent events whose data is JSON, each as a reply.

        A reply that is no stream is the only one. ``rendered.timeout`` is how long the stream may
        be silent.

        Raises:
            UnsentError: Nothing was sent.
            LostReplyError: The stream broke off, or fell silent.
        """
        request = await self.request(rendered)
        headers = {**request.headers, "Accept": "text/event-stream"}
        silence = request.timeout
        reply = await self._transport.send(evolve(request, headers=headers, timeout=None))
        try:
            media = reply.headers.get("content-type", "").partition(";")[0].strip()
            if reply.status >= 300 or media != "text/event-stream":
                content = await reply.read(MAX_REPLY)
                body = _decode(reply, content, rendered.accept, self.scrub)
                yield self._reply_value(reply, body, content)
                return
            async for data in sse.data_of(unsilent(reply.chunks(), silence)):
                try:
                    body = json.loads(data)
                except (ValueError, RecursionError):
                    continue  # [DONE], and tokens of a text
                yield self._reply_value(reply, body, data.encode())
        finally:
            await reply.close()

    async def connect(self, rendered: Rendered) -> Socket:
        """Open a websocket to a trusted host.

        Raises:
            ProviderError: ``untrusted_url``.
            UnsentError: No connection.
        """
        url = self.address(rendered)
        self.url(evolve(rendered, url=_http_of(url), base=None))
        return _CleanSocket(await self._transport.connect(url, rendered.timeout), self.clean)

    def _reply_value(self, reply: Reply, body: Any, content: bytes) -> dict[str, Any]:
        """A reply without the provider's secrets; most have none in their bytes."""
        scrubber = self._scrubber
        return {
            "status": reply.status,
            "header": scrubber.texts(reply.headers),
            "body": scrubber.value(body) if scrubber.may_be_in(content) else body,
        }


TRANSPORT_ERRORS: Final = (
    UnsentError,
    LostReplyError,
    UnreadableReplyError,
    ReplyTooLargeError,
)
"""All that :meth:`ProviderClient.send` raises when no readable reply came."""


class _CleanSocket:
    """A websocket whose frames are without secrets: see :meth:`ProviderClient.clean`."""

    def __init__(self, socket: Socket, clean: Callable[[Any], Any]) -> None:
        self._socket = socket
        self._clean = clean
        self.send = socket.send
        self.close = socket.close

    async def receive(self) -> Any:
        return self._clean(await self._socket.receive())


def _secret_variables(spec: ProviderSpec) -> set[str]:
    """The environment variables that a provider's secrets are in."""
    names = {spec.config.get("api_key_env"), *spec.secrets.values()}
    if spec.webhook is not None:
        names.add(spec.webhook.verify.secret_env)
    return {name for name in names if isinstance(name, str)}


def _http_of(url: str) -> str:
    """The origin of a websocket as the http(s) one that it shares its trust with."""
    return f"http{url.removeprefix('ws')}" if url.startswith(("ws:", "wss:")) else url


def jwt_hs256(claims: Mapping[str, Any], key: str) -> str:
    """A JSON Web Token (RFC 7519) signed with HMAC-SHA256."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    def section(value: Mapping[str, Any]) -> str:
        return part(json.dumps(value, separators=(",", ":")).encode())

    signed = f"{section({'alg': 'HS256', 'typ': 'JWT'})}.{section(claims)}"
    return f"{signed}.{part(hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest())}"


def known_refusal(compiled: CompiledGenerator, error: Exception, scope: Scope) -> ReplyValue | None:
    """The reply that could not be read, where a rule of the spec knows it as an error."""
    if not isinstance(error, UnreadableReplyError):
        return None
    reply = {**error.reply, "scope": scope}
    return reply if compiled.refusal(reply) is not None else None


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


def _decode(reply: Reply, content: bytes, accept: str, scrub: Callable[[str], str]) -> Any:
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
            {"status": reply.status, "header": reply.headers, "body": scrub(text)},
            f"the reply is not JSON but {what}: {' '.join(scrub(text).split())[:120]!r}",
        ) from None


def without_secrets(client: ProviderClient, error: BoardsError) -> BoardsError:
    """What a stage raised, for whoever waits: an adapter may quote a secret in it."""
    said = "\n".join(map(str, _chain(error)))
    if client.scrub(said) == said:
        return error
    return BoardsError(
        client.scrub(error.message),
        remedy=client.scrub(error.remedy),
        provider=error.provider,
        generator=error.generator,
        generation_id=error.generation_id,
    )


def _chain(error: BaseException) -> list[BaseException]:
    """An error and what it came of: all that a traceback of it would tell."""
    found = [error]
    while (before := found[-1].__cause__ or found[-1].__context__) and before not in found:
        found.append(before)
    return found
