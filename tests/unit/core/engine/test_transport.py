"""The transport over real sockets: what was sent, what came back, and nothing sent twice."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from boards.engine import transport as transport_module
from boards.engine.addresses import AddressPolicy
from boards.engine.transport import (
    AiohttpTransport,
    LostReplyError,
    ReplyTooLargeError,
    Request,
    UnsentError,
)

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handle: Handle) -> AsyncIterator[str]:
    """A bare TCP server; its base URL."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    """A transport that may connect to this machine."""
    opened = AiohttpTransport(AddressPolicy(True))
    yield opened
    await opened.close()


def replying(reply: bytes, seen: list[bytes]) -> Handle:
    """Read a request's head, then answer so."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                return
            writer.write(reply)
            await writer.drain()

    return handle


PACKED = gzip.compress(b"x" * 1000)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\nX-Seen: Yes\r\n\r\nhi"


async def test_a_url_goes_out_as_it_is(transport: AiohttpTransport) -> None:
    """Percent-encoding is not touched: ``%2E%2E`` must not become ``..``."""
    seen: list[bytes] = []
    async with server(replying(OK, seen)) as base:
        reply = await transport.send(Request("GET", f"{base}/a/%2E%2E/b%2Fc?x=%20+y"))
        assert await reply.read(100) == b"hi"
        assert (reply.status, reply.headers["x-seen"]) == (200, "Yes")
    assert seen[0].startswith(b"GET /a/%2E%2E/b%2Fc?x=%20+y HTTP/1.1\r\n")


async def test_no_cookie_is_kept(transport: AiohttpTransport) -> None:
    """What one reply sets does not go out with the next request."""
    seen: list[bytes] = []
    async with server(replying(OK, seen)) as base:
        for _ in range(2):
            reply = await transport.send(Request("GET", base + "/"))
            await reply.read(100)
            await reply.close()
    assert b"cookie" not in seen[1].lower()


async def test_a_redirect_is_not_followed(transport: AiohttpTransport) -> None:
    """The caller decides, hop by hop."""
    seen: list[bytes] = []
    moved = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with server(replying(moved, seen)) as base:
        reply = await transport.send(Request("GET", base + "/"))
        assert (reply.status, reply.headers["location"]) == (302, "/elsewhere")
        await reply.close()
    assert len(seen) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_request_on_a_connection_that_dies_is_never_repeated(
    transport: AiohttpTransport, method: str
) -> None:
    """The server drops the kept connection on the second request: it arrives once."""
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        if len(seen) == 1:
            writer.write(OK)
            await writer.drain()
            seen.append(await reader.readuntil(b"\r\n\r\n"))

    async with server(handle) as base:
        reply = await transport.send(Request("GET", base + "/"))
        await reply.read(100)
        with pytest.raises(LostReplyError):
            await transport.send(Request(method, base + "/again", timeout=5))
        await asyncio.sleep(0.05)
    assert len(seen) == 2


def counting(seen: list[bytes]) -> tuple[Handle, list[int]]:
    """Answer, and note how many requests had come before each new connection."""
    connections: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(seen))
        await replying(OK, seen)(reader, writer)

    return handle, connections


async def test_a_fresh_request_is_not_sent_where_others_were(transport: AiohttpTransport) -> None:
    """A submit never rides on a connection that may be half dead; on a lively one it does."""
    handle, connections = counting([])
    async with server(handle) as base:
        for fresh in (False, False, True, True):
            reply = await transport.send(Request("GET", base + "/", fresh=fresh))
            await reply.read(100)
            await reply.close()
    assert connections == [0, 2]


async def test_a_connection_that_rested_takes_no_submit(
    transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider may be closing it."""
    monkeypatch.setattr(transport_module, "_LIVELY", 0.05)
    handle, connections = counting([])
    async with server(handle) as base:
        for pause in (0.0, 0.1, 0.0):
            await asyncio.sleep(pause)
            reply = await transport.send(Request("POST", base + "/", fresh=True))
            await reply.read(100)
            await reply.close()
    assert connections == [0, 1]


async def test_a_host_that_lost_a_submit_is_trusted_with_new_connections_alone(
    transport: AiohttpTransport,
) -> None:
    """It closes connections that it had just used: that happens once."""
    connections = 0
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for reply in (OK, b""):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(reply)
            if not reply:
                return
            await writer.drain()

    async def submit() -> None:
        reply = await transport.send(Request("POST", base + "/", fresh=True, timeout=5))
        await reply.read(100)
        await reply.close()

    async with server(handle) as base:
        await submit()
        with pytest.raises(LostReplyError):
            await submit()
        for _ in range(3):
            await submit()
    assert connections == 4


@pytest.mark.parametrize("fresh", [False, True])
async def test_what_was_said_unasked_answers_no_request(
    transport: AiohttpTransport, fresh: bool
) -> None:
    """A second reply to one submit would give the next one its job: that is not sent there."""
    seen: list[bytes] = []
    stray = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(stray)
        await writer.drain()
        seen.append(await reader.readuntil(b"\r\n\r\n"))

    async with server(handle) as base:
        reply = await transport.send(Request("POST", base + "/", fresh=fresh))
        assert await reply.read(100) == b"hi"
        await asyncio.sleep(0.1)
        with pytest.raises(UnsentError):
            await transport.send(Request("POST", base + "/", fresh=fresh))
        assert len(seen) == 1
        reply = await transport.send(Request("POST", base + "/", fresh=fresh))
        assert await reply.read(100) == b"hi"


async def test_nobody_listening_is_unsent(transport: AiohttpTransport) -> None:
    """A refused connection proves that nothing arrived."""
    with pytest.raises(UnsentError, match=r"127\.0\.0\.1"):
        await transport.send(Request("POST", "http://127.0.0.1:9/", body=b"x"))


async def test_a_name_that_does_not_resolve_is_unsent(transport: AiohttpTransport) -> None:
    """So does a name that nobody knows."""
    with pytest.raises(UnsentError, match=r"nowhere\.invalid"):
        await transport.send(Request("POST", "https://nowhere.invalid/", body=b"x"))


async def test_a_failed_handshake_is_unsent(transport: AiohttpTransport) -> None:
    """TLS against a server that speaks none."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()

    async with server(handle) as base:
        with pytest.raises(UnsentError):
            await transport.send(Request("POST", base.replace("http", "https") + "/"))


async def test_silence_after_the_request_is_a_lost_reply(transport: AiohttpTransport) -> None:
    """It was sent: whether it was taken cannot be told."""

    async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(1)

    async with server(handle) as base:
        with pytest.raises(LostReplyError, match="no answer within"):
            await transport.send(Request("POST", base + "/", body=b"x", timeout=0.1))


async def test_a_reply_that_breaks_off_is_lost(transport: AiohttpTransport) -> None:
    """Half a body is no body."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(half)
        await writer.drain()

    async with server(handle) as base:
        reply = await transport.send(Request("GET", base + "/"))
        with pytest.raises(LostReplyError):
            await reply.read(1000)


async def test_what_is_no_http_tells_no_query(transport: AiohttpTransport) -> None:
    """The client's words for a broken reply quote its whole address; signatures stand in that."""
    async with server(replying(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", [])) as base:
        with pytest.raises(LostReplyError, match="400, Invalid header") as caught:
            await transport.send(Request("GET", f"{base}/a.png?signature=s3cret"))
        assert "s3cret" not in str(caught.value)
        with pytest.raises(UnsentError, match="400, Invalid header") as refused:
            await transport.connect(f"{base.replace('http', 'ws')}/?key=s3cret", 5.0)
    assert "s3cret" not in str(refused.value)


async def test_a_host_that_no_name_can_have_is_unsent(transport: AiohttpTransport) -> None:
    """A prefix of an encoded name, and nothing behind it."""
    with pytest.raises(UnsentError, match="xn--"):
        await transport.send(Request("GET", "http://xn--/", fresh=True))


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 1000\r\n\r\n" + b"x" * 1000,
        b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n",
        b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    ],
    ids=["declared", "chunked", "compressed"],
)
async def test_a_reply_over_its_limit_is_cut_off(transport: AiohttpTransport, body: bytes) -> None:
    """Whether the server says how long it is, or not, or how long it is compressed."""
    async with server(replying(b"HTTP/1.1 200 OK\r\n" + body, [])) as base:
        reply = await transport.send(Request("GET", base + "/"))
        with pytest.raises(ReplyTooLargeError):
            await reply.read(100)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "127.1"]
)
async def test_the_address_is_checked_however_it_is_written(host: str) -> None:
    """Literals, names, decimal and octal forms: the socket's address counts."""
    guarded = AiohttpTransport(AddressPolicy())
    try:
        with pytest.raises(UnsentError) as caught:
            await guarded.send(Request("GET", f"http://{host}:9/"))
        assert caught.value.forbidden is not None
    finally:
        await guarded.close()
