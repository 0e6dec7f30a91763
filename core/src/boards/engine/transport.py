"""HTTP as the engine needs it: one request, one reply, and whether anything was sent.

aiohttp carries the requests. Any httpx transport can stand in for it (:class:`HttpxTransport`),
for adapters and for tests.
"""

import asyncio
import io
import json
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import aiohttp
from attrs import define, field, frozen
from yarl import URL

from boards.engine.addresses import AddressPolicy, ForbiddenAddressError

if TYPE_CHECKING:
    import httpx

__all__ = [
    "CONTROLS",
    "AiohttpTransport",
    "HttpxTransport",
    "LostReplyError",
    "Reply",
    "ReplyTooLargeError",
    "Request",
    "Socket",
    "Transport",
    "UnsentError",
    "shown_url",
    "unsilent",
]

_CHUNK: Final = 65_536
_CONNECT_SECONDS: Final = 15.0
_LARGE_BODY: Final = 524_288
_HEARTBEAT: Final = 30.0
_LIVELY: Final = 1.0
"""Seconds since its last reply in which a connection is taken to be alive: no server that keeps
connections closes them so soon. Older ones are not trusted with a submit."""
_KEPT: Final = 15.0
"""Seconds for which an idle connection is kept for requests that may be repeated."""
_ONCE: Final = 0.0
"""Websockets have connections of their own, and submits to a host that is not trusted with more."""
_MAX_FRAME: Final = 64 * 1024 * 1024
_SHOWN: Final = 200
"""Characters of a URL, or of what is wrong with a reply, in messages."""


CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
"""What no URL has, and what would disturb a terminal."""


class UnsentError(Exception):
    """Nothing of the request left this machine: it may be sent again.

    Attributes:
        forbidden: The address that was refused, if that is why.
    """

    def __init__(self, message: str, *, forbidden: str | None = None) -> None:
        super().__init__(message)
        self.forbidden = forbidden


class LostReplyError(Exception):
    """The request was sent, at least in part, and no whole reply came back."""


class ReplyTooLargeError(Exception):
    """A reply has more bytes than it may."""


def shown_url(url: str) -> str:
    """A URL for messages: without what may be a secret, and what would disturb a terminal."""
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    return re.sub(r"//[^/]*@", "//***@", CONTROLS.sub("?", bare))[:_SHOWN]


def _without_query(url: str) -> str:
    """A URL as it may be shown: its query may hold a key."""
    return repr(url.partition("?")[0])


@frozen
class Request:
    """One HTTP request, ready to send.

    Attributes:
        method: The HTTP method.
        url: Absolute and percent-encoded; sent as it is, never normalised.
        headers: Names and values.
        body: The bytes of the body, or None.
        timeout: Seconds for all of it, the reply's body included; None for no limit.
        fresh: On a new connection, or on one that was used a moment ago: one that the provider may
            have closed meanwhile would make it unknowable whether a submit arrived.
    """

    method: str
    url: str = field(repr=_without_query)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout: float | None = 60.0
    fresh: bool = False


class Reply(Protocol):
    """The reply to a request; its body is still to be read."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""

    async def read(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            ReplyTooLargeError: It has more than ``limit`` bytes.
            LostReplyError: The connection broke before its end.
        """

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it arrives. Raises :class:`LostReplyError` where it breaks off."""

    async def close(self) -> None:
        """Release the connection, also in the middle of a body."""


class Socket(Protocol):
    """An open websocket whose frames are JSON texts."""

    async def send(self, frame: Any) -> None:
        """Send one frame. Raises :class:`LostReplyError` where the connection is gone."""

    async def receive(self) -> Any:
        """The next frame; frames that are no JSON are passed over.

        Raises:
            LostReplyError: The connection is gone.
        """

    async def close(self) -> None:
        """Close the connection."""


class Transport(Protocol):
    """Sends requests. Never repeats one, never follows a redirect, keeps no cookies."""

    async def send(self, request: Request) -> Reply:
        """Send a request and wait for the head of its reply.

        Raises:
            UnsentError: Nothing was sent.
            LostReplyError: Something was sent, and no reply came.
        """

    async def connect(self, url: str, seconds: float | None) -> Socket:
        """Open a websocket at a ``wss`` or ``ws`` URL.

        Raises:
            UnsentError: There is no connection.
        """

    async def close(self) -> None:
        """Close all connections."""


@define
class _Sending:
    """What is known of one request under way."""

    sent: bool = False


_sending: ContextVar[_Sending] = ContextVar("boards_sending")


class _NotedRequest(aiohttp.ClientRequest):
    """Notes when it begins to be sent. Trace hooks would tell it, too, at ten times the price."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        if conn.protocol.should_close:  # it said more than it was asked: that is no reply to this
            raise aiohttp.ClientConnectionError("the connection said something unasked")
        _sending.get().sent = True
        return await super().send(conn)


class AiohttpTransport:
    """The default transport.

    Args:
        policy: Which addresses may be connected to.
        connections: At most so many at once.
    """

    def __init__(self, policy: AddressPolicy, *, connections: int = 512) -> None:
        self._policy = policy
        self._connections = connections
        self._sessions: dict[float, aiohttp.ClientSession] = {}
        self._distrusted: set[str | None] = set()
        """Hosts that lost a reply to a submit: each further one gets a connection of its own."""

    async def send(self, request: Request) -> Reply:
        url = URL(request.url, encoded=True)
        sending = _Sending()
        _sending.set(sending)
        try:
            response = await self._session(self._kept_for(request, url)).request(
                request.method,
                url,
                headers=request.headers,
                data=_body(request.body),
                allow_redirects=False,
                timeout=_timeout(request.timeout),
            )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            if request.fresh and sending.sent:
                self._distrusted.add(url.raw_host)
            raise _explained(error, sending, request) from error
        return _AiohttpReply(response)

    def _kept_for(self, request: Request, url: URL) -> float:
        """Seconds for which an idle connection may be used again for a request."""
        if not request.fresh:
            return _KEPT
        return _ONCE if url.raw_host in self._distrusted else _LIVELY

    async def connect(self, url: str, seconds: float | None) -> Socket:
        sending = _Sending()
        _sending.set(sending)
        request = Request("GET", url, timeout=seconds)
        try:
            async with asyncio.timeout(seconds):
                socket_ = await self._session(_ONCE).ws_connect(
                    URL(url, encoded=True), heartbeat=_HEARTBEAT, max_msg_size=_MAX_FRAME
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # Whatever was said so far was only the handshake.
            told = _explained(error, sending, request)
            raise UnsentError(str(told), forbidden=getattr(told, "forbidden", None)) from error
        return _AiohttpSocket(socket_)

    def _session(self, kept: float) -> aiohttp.ClientSession:
        """The session whose connections are used again after so many idle seconds at most."""
        session = self._sessions.get(kept)
        if session is None:
            session = self._sessions[kept] = self._open(kept)
        return session

    def _open(self, kept: float) -> aiohttp.ClientSession:
        reused: dict[str, Any] = (
            {"force_close": True} if kept == _ONCE else {"keepalive_timeout": kept}
        )
        connector = aiohttp.TCPConnector(
            limit=self._connections, socket_factory=self._socket, **reused
        )
        session = aiohttp.ClientSession(
            connector=connector,
            request_class=_NotedRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_staying()] if kept == _ONCE else None,
            trust_env=False,
            headers={"User-Agent": "boards/0.1"},
        )
        # Private, and tested: aiohttp would send an idempotent request a second time by itself.
        session._retry_connection = False
        return session

    def _socket(self, info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        self._policy.check(str(address[0]), int(address[1]))
        return socket.socket(family=family, type=kind, proto=protocol)

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()


@lru_cache(maxsize=64)  # a few are in use, and each request has one
def _timeout(seconds: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)


def _body(body: bytes | None) -> bytes | io.BytesIO | None:
    """A large body as a stream: written whole, it would hold the event loop up."""
    return io.BytesIO(body) if body is not None and len(body) > _LARGE_BODY else body


def _staying() -> aiohttp.TraceConfig:
    """Keeps a websocket from being opened elsewhere than where it was asked for."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_stay)
    return trace


async def _stay(_session: Any, _context: Any, _params: Any) -> None:
    # aiohttp has no other way to open a websocket where it was asked for, or not at all.
    raise aiohttp.ClientError("it redirects elsewhere")


def _explained(error: BaseException, sending: _Sending, request: Request) -> Exception:
    """The transport's word for an exception of aiohttp."""
    host = URL(request.url, encoded=True).raw_host  # not decoded: that may fail
    cause: BaseException | None = getattr(error, "os_error", error)
    if isinstance(cause, ForbiddenAddressError):
        return UnsentError(f"{host} is {cause.address}: {cause}", forbidden=cause.address)
    if isinstance(error, aiohttp.InvalidURL):  # 0177.0.0.1 and other ways to hide an address
        return UnsentError(f"{host} is no address: {error}", forbidden=str(host))
    what = str(error) or type(error).__name__
    if isinstance(error, aiohttp.ClientResponseError):  # its text has the URL, query and all
        what = f"{error.status}, {' '.join(error.message.split())[:_SHOWN]}"
    if isinstance(error, TimeoutError):
        what = (
            f"no answer within {request.timeout:g} s" if sending.sent else "no connection in time"
        )
    if sending.sent:
        return LostReplyError(f"{host}: {what}")
    return UnsentError(f"{host}: {what}")


async def _whole(reply: Reply, limit: int) -> bytes:
    """All chunks of a reply's body, up to a limit."""
    parts: list[bytes] = []
    size = 0
    async for chunk in reply.chunks():
        size += len(chunk)
        if size > limit:
            await reply.close()
            raise ReplyTooLargeError(f"more than {limit:,} bytes")
        parts.append(chunk)
    return b"".join(parts)


class _AiohttpReply:
    """A reply of aiohttp."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    async def read(self, limit: int) -> bytes:
        length = self._response.content_length
        if length is not None and length > limit:
            await self.close()
            raise ReplyTooLargeError(f"{length:,} bytes, more than {limit:,}")
        if length is None or "content-encoding" in self.headers:
            return await _whole(self, limit)  # the length is that of compressed bytes
        try:
            return await self._response.read()
        except _BREAKS as error:
            raise _broken(error) from error

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_chunked(_CHUNK):
                yield chunk
        except _BREAKS as error:
            raise _broken(error) from error

    async def close(self) -> None:
        self._response.close()


class _AiohttpSocket:
    """A websocket of aiohttp."""

    def __init__(self, socket_: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket_

    async def send(self, frame: Any) -> None:
        try:
            await self._socket.send_str(json.dumps(frame, ensure_ascii=False))
        except _BREAKS as error:
            raise _broken(error) from error

    async def receive(self) -> Any:
        while True:
            try:
                message = await self._socket.receive()
            except _BREAKS as error:
                raise _broken(error) from error
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                try:
                    return json.loads(message.data)
                except (ValueError, RecursionError):
                    continue
            if message.type in _ENDS:
                raise LostReplyError(f"the websocket was closed ({self._socket.close_code})")

    async def close(self) -> None:
        await self._socket.close()


_ENDS: Final = frozenset(
    {
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSING,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
    }
)


async def unsilent(chunks: AsyncIterator[bytes], silence: float | None) -> AsyncIterator[bytes]:
    """Chunks, as long as each comes within so many seconds.

    Raises:
        LostReplyError: One does not.
    """
    iterator = aiter(chunks)
    while True:
        try:
            async with asyncio.timeout(silence):
                chunk = await anext(iterator)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise LostReplyError(f"nothing came for {silence:g} s") from error
        yield chunk


_BREAKS: Final = (aiohttp.ClientError, OSError, TimeoutError)
"""What aiohttp raises where a reply breaks off."""


def _broken(error: BaseException) -> LostReplyError:
    return LostReplyError(f"the reply broke off: {error or type(error).__name__}")


class HttpxTransport:
    """Any httpx transport as ours: for adapters, and for tests with ``respx``.

    Args:
        transport: For example ``httpx.MockTransport(router.async_handler)``.
    """

    def __init__(self, transport: "httpx.AsyncBaseTransport") -> None:
        self._transport = transport

    async def send(self, request: Request) -> Reply:
        import httpx  # noqa: PLC0415  # an extra

        timeout = httpx.Timeout(request.timeout, connect=_CONNECT_SECONDS)
        outgoing = httpx.Request(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.body,
            extensions={"timeout": timeout.as_dict()},
        )
        try:
            async with asyncio.timeout(request.timeout):
                response = await self._transport.handle_async_request(outgoing)
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.UnsupportedProtocol,
        ) as error:
            raise UnsentError(f"{outgoing.url.host}: {error or type(error).__name__}") from error
        except (httpx.TransportError, TimeoutError) as error:
            raise LostReplyError(f"{outgoing.url.host}: {error or type(error).__name__}") from error
        return _HttpxReply(response)

    async def connect(self, url: str, seconds: float | None) -> Socket:
        raise UnsentError(f"httpx opens no websockets: {shown_url(url)}")

    async def close(self) -> None:
        await self._transport.aclose()


class _HttpxReply:
    """A reply of httpx."""

    def __init__(self, response: "httpx.Response") -> None:
        self._response = response
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    async def read(self, limit: int) -> bytes:
        return await _whole(self, limit)

    async def chunks(self) -> AsyncIterator[bytes]:
        import httpx  # noqa: PLC0415  # an extra

        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
        except httpx.HTTPError as error:
            raise LostReplyError(f"the reply broke off: {error}") from error

    async def close(self) -> None:
        await self._response.aclose()
