"""A proxy on the loopback interface between the engine and a provider's server.

It sees every request with its role, and a check may stand in for any reply: refuse, lose, stall,
or change what the server said. Without a check's word it passes everything on as it is, but for
addresses: where the server names itself the engine reads the proxy, and back.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import aiohttp
from aiohttp import web
from attrs import define, evolve, field, frozen
from yarl import URL

from boards.spec.hosts import origin
from boards.testing.conformance.roles import HEADER

__all__ = ["Answer", "Call", "FaultProxy", "Handler", "Lost", "answer"]

_BODY_LIMIT: Final = 200 * 1024 * 1024
_HOP: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "host", "te"}
)


class Lost(Exception):  # noqa: N818 - no error: what a handler wants
    """Raised by a handler: the connection is closed, and no reply comes."""


@frozen
class Answer:
    """A reply: of the server, or one that a check made up.

    Attributes:
        status: The HTTP status.
        headers: Names as they came, without those of the connection.
        body: The whole body.
    """

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = field(default=b"", repr=False)

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def value(self) -> dict[str, Any]:
        """The reply as response paths read it."""
        lower = {name.lower(): value for name, value in self.headers.items()}
        body = self.json
        if body is None and self.body:
            binary = lower.get("content-type", "").startswith(("image/", "audio/", "video/"))
            body = self.body if binary else self.body.decode("utf-8", "replace")
        return {"status": self.status, "header": lower, "body": body}

    def saying(self, body: Any) -> "Answer":
        """The same with another JSON body."""
        return evolve(self, body=json.dumps(body).encode())


def answer(status: int, body: Any, **headers: str) -> Answer:
    """A JSON reply; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"Content-Type": "application/json", **named}, json.dumps(body).encode())


@define(eq=False)
class Call:
    """One request that the engine made, and what it got.

    Attributes:
        role: See :data:`boards.testing.conformance.roles.ROLES`; ``other`` where nobody knows.
        number: Counted from 1 for each role.
        method: The HTTP method.
        url: As the engine asked for it.
        headers: As the engine sent them.
        body: As the engine sent it.
        at: When it came; seconds of the event loop.
        said: What the server said, if it was asked.
        got: What the engine got; None where the reply was lost, or is still to come.
        ended: When the reply was ready; seconds of the event loop.
    """

    role: str
    number: int
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    _forward: "Callable[[Call], Awaitable[Answer]]"
    said: Answer | None = None
    got: Answer | None = None
    ended: float | None = None

    async def forward(self) -> Answer:
        """Ask the server."""
        self.said = await self._forward(self)
        return self.said

    @property
    def bare_url(self) -> str:
        """The address without its query."""
        return self.url.partition("?")[0]

    @property
    def text(self) -> str:
        """All that was sent, as one text."""
        lines = [f"{self.method} {self.url}", *(f"{k}: {v}" for k, v in self.headers.items())]
        return "\n".join([*lines, self.body.decode("utf-8", "replace")])


Handler = Callable[[Call], Awaitable[Answer]]
"""Stands in for the reply to a call. It may ask the server, by :meth:`Call.forward`."""


class FaultProxy:
    """The proxy, one port for each origin of the server.

    Attributes:
        calls: All calls, in order.
        handlers: By role: what stands in for its replies.
        unnamed: Tells the role of a call that does not tell it, where it is certain.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.handlers: dict[str, Handler] = {}
        self._numbers: Counter[str] = Counter()
        self.unnamed: Callable[[], str | None] = lambda: None
        self._roles: dict[tuple[str, str], str] = {}
        self._pairs: list[tuple[str, str]] = []
        self._abroad: list[str] = []
        self._stack = contextlib.AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    # Life

    async def start(self) -> None:
        """Open what is needed to ask servers."""
        self._session = aiohttp.ClientSession(
            trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        self._stack.push_async_callback(self._session.close)

    async def stop(self) -> None:
        """Stop listening."""
        await self._stack.aclose()

    async def stand_for(self, upstream: str) -> str:
        """Listen on a port that stands for an origin of a server; the origin of the port."""
        for there, here in self._pairs:
            if there == upstream:
                return here
        here = await self._listen(lambda request: self._passed(request, upstream))
        self._pairs.append((upstream, here))
        return here

    async def abroad(self, upstream: str | None = None) -> str:
        """A foreign host: another port, which is not the provider's.

        Calls there have the role ``abroad``. With ``upstream`` it leads to that server's files,
        otherwise it answers 404.
        """
        here = await self._listen(lambda request: self._passed(request, upstream, "abroad"))
        self._abroad.append(here)
        return here

    async def _listen(self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> str:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await handle(request)

        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=256)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    def stands_for(self, url: str) -> str:
        """An address of the server as the engine has to know it."""
        return self._hither(url.encode()).decode()

    def knows(self, url: str) -> bool:
        """Whether an address is one of the proxy's, foreign hosts included."""
        known = [*(here for _, here in self._pairs), *self._abroad]
        return origin(url) in {origin(one) for one in known}

    @property
    def origins(self) -> tuple[str, ...]:
        """Where it stands for the server."""
        return tuple(here for _, here in self._pairs)

    @property
    def ports(self) -> tuple[str, ...]:
        """Hosts with ports that stand for the server."""
        return tuple(here.removeprefix("http://") for here in self.origins)

    # Calls

    def of(self, *roles: str) -> list[Call]:
        """The calls of these roles, in order."""
        return [call for call in self.calls if call.role in roles]

    async def _passed(
        self, request: web.Request, upstream: str | None, role: str | None = None
    ) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() != HEADER.lower()}
        place = request.method, request.path
        told = role or request.headers.get(HEADER) or self._roles.get(place) or self.unnamed()
        told = told or "other"
        self._roles[place] = told
        self._numbers[told] += 1
        loop = asyncio.get_running_loop()
        url = f"http://{request.host}{request.raw_path}"

        async def forward(call: Call) -> Answer:
            if upstream is None:
                return Answer(404)
            return await self._asked(call, request, upstream)

        call = Call(
            told, self._numbers[told], request.method, url, headers, await request.read(),
            loop.time(), forward,
        )  # fmt: skip
        self.calls.append(call)
        if request.headers.get("Upgrade", "").lower() == "websocket" and upstream is not None:
            return await self._socket(request, upstream)
        handler = self.handlers.get(told)
        try:
            got = await (call.forward() if handler is None else handler(call))
        except Lost:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        except aiohttp.ClientError as error:
            got = Answer(502, {}, f"the server cannot be asked: {error}".encode())
        call.got, call.ended = got, loop.time()
        kept = {k: v for k, v in got.headers.items() if k.lower() not in _HOP}
        response = web.Response(status=got.status, body=got.body)
        response.headers.update(kept)
        return response

    async def _asked(self, call: Call, request: web.Request, upstream: str) -> Answer:
        assert self._session is not None  # noqa: S101  # it was started
        headers = {k: v for k, v in call.headers.items() if k.lower() not in _HOP}
        async with self._session.request(
            request.method,
            URL(f"{upstream}{request.raw_path}", encoded=True),
            headers=headers,
            data=self._thither(call.body) or None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as reply:
            body = await reply.read()
            kept = {k: self.stands_for(v) for k, v in reply.headers.items()}
            kept = {k: v for k, v in kept.items() if k.lower() not in _HOP}
            if "content-encoding" not in {name.lower() for name in kept}:
                media = reply.headers.get("Content-Type", "").partition(";")[0].strip()
                if media.startswith("text/") or media.endswith("json") or not media:
                    body = self._hither(body)
            return Answer(reply.status, kept, body)

    async def _socket(self, request: web.Request, upstream: str) -> web.StreamResponse:
        """A websocket, frame by frame."""
        assert self._session is not None  # noqa: S101  # it was started
        here = web.WebSocketResponse()
        await here.prepare(request)
        kept = {k: v for k, v in request.headers.items() if not k.lower().startswith("sec-")}
        headers = {k: v for k, v in kept.items() if k.lower() not in _HOP}
        url = f"{upstream}{request.raw_path}"
        async with self._session.ws_connect(url, headers=headers) as there:
            await asyncio.wait(
                {
                    asyncio.create_task(_pump(here, there, self._thither)),
                    asyncio.create_task(_pump(there, here, self._hither)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )
        await here.close()
        return here

    def _hither(self, text: bytes) -> bytes:
        return _replaced(text, self._pairs)

    def _thither(self, text: bytes) -> bytes:
        return _replaced(text, ((here, there) for there, here in self._pairs))


async def _pump(source: Any, sink: Any, change: Callable[[bytes], bytes]) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(change(message.data.encode()).decode())
        elif message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)


def _replaced(text: bytes, pairs: "Iterator[tuple[str, str]] | list[tuple[str, str]]") -> bytes:
    for old, new in pairs:
        for scheme in ("http", "ws"):
            before, after = (f"{scheme}{one.removeprefix('http')}" for one in (old, new))
            text = text.replace(before.encode(), after.encode())
            text = text.replace(
                before.replace("/", "\\/").encode(), after.replace("/", "\\/").encode()
            )
    return text
