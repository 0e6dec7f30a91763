"""Where a provider's webhooks arrive: a small server on the loopback interface."""

import contextlib
from collections.abc import AsyncIterator, Mapping

from aiohttp import web
from attrs import define, field, frozen

__all__ = ["Delivery", "Receiver", "receiver"]


@frozen
class Delivery:
    """A call that arrived."""

    provider: str
    token: str
    headers: Mapping[str, str]
    body: bytes


@define
class Receiver:
    """The calls that arrived at an address.

    Attributes:
        url: What the host tells providers, as ``webhook_url``.
        deliveries: In the order in which they came.
    """

    url: str = ""
    deliveries: list[Delivery] = field(factory=list)

    async def _take(self, request: web.Request) -> web.Response:
        names = request.match_info
        one = Delivery(
            names["provider"], names["token"], dict(request.headers), await request.read()
        )
        self.deliveries.append(one)
        return web.Response()


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Listen for webhooks."""
    made = Receiver()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/hooks/{provider}/{generation}/{token}", made._take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
        yield made
    finally:
        await runner.cleanup()
