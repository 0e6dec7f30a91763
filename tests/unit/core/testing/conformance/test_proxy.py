"""The proxy passes on what it is not told to break."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from boards.testing.conformance.proxy import Answer, Call, FaultProxy, Lost
from boards.testing.conformance.roles import HEADER


class Upstream:
    """A server that tells its own addresses, and what it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[str, str, dict[str, str]]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What came, and where more is."""
        text = await request.text()
        self.got.append((request.raw_path, text, dict(request.headers)))
        escaped = self.url.replace("/", "\\/")
        return web.Response(
            text=f'{{"file": "{self.url}/a.png", "escaped": "{escaped}"}}',
            content_type="application/json",
            headers={"Location": f"{self.url}/next", "Set-Cookie": "a=b"},
        )


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A running one."""
    made = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """A started one, which stands for nothing yet."""
    made = FaultProxy()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a role."""
    async with aiohttp.ClientSession() as session:
        yield session


async def test_addresses_are_those_of_the_proxy_on_the_way_back(
    upstream: Upstream, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    """In bodies, escaped or not, and in headers; and the server's again on the way there."""
    here = await proxy.stand_for(upstream.url)
    async with client.post(f"{here}/a%2Fb?x=1", data=f"see {here}/in.png") as reply:
        told = await reply.json()
        assert told == {"file": f"{here}/a.png", "escaped": here}
        assert reply.headers["Location"] == f"{here}/next"
    path, text, _ = upstream.got[0]
    assert (path, text) == ("/a%2Fb?x=1", f"see {upstream.url}/in.png")


async def test_a_role_is_told_to_the_proxy_alone(
    upstream: Upstream, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    """Without the header, a request is what it was before at the same place."""
    here = await proxy.stand_for(upstream.url)
    await client.get(f"{here}/jobs/1", headers={HEADER: "poll"})
    await client.get(f"{here}/jobs/1")
    assert [call.number for call in proxy.of("poll")] == [1, 2]
    assert not [1 for _, _, headers in upstream.got if HEADER in headers]
    assert HEADER not in proxy.calls[0].headers


async def test_a_handler_stands_in_for_the_reply_and_may_lose_it(
    upstream: Upstream, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    """The server was asked all the same, if the handler asked it."""
    here = await proxy.stand_for(upstream.url)

    async def lose(call: Call) -> Answer:
        if call.number == 1:
            return Answer(429, {"Retry-After": "1"}, b"later")
        await call.forward()
        raise Lost

    proxy.handlers["submit"] = lose
    headers = {HEADER: "submit"}
    async with client.post(f"{here}/jobs", headers=headers) as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.post(f"{here}/jobs", headers=headers)
    assert len(upstream.got) == 1
    assert proxy.calls[-1].said is not None
    assert proxy.calls[-1].got is None


async def test_a_foreign_host_is_another_port(
    upstream: Upstream, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    """The proxy knows it, and does not count it to the provider's."""
    here = await proxy.stand_for(upstream.url)
    there = await proxy.abroad()
    async with client.get(f"{there}/a.png") as reply:
        assert reply.status == 404
    assert proxy.knows(f"{there}/x")
    assert proxy.origins == (here,)
    assert [call.url for call in proxy.of("abroad")] == [f"{there}/a.png"]
