"""Where to find things: the catalogue's two addresses, and the way in for JavaScript clients."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from aiohttp import web
from attrs import frozen

from boards.testing.emulators.fal.catalogue import Endpoint, endpoints
from boards.testing.emulators.fal.replies import error, number, reply

HOSTS: Mapping[str, str] = {
    "queue.fal.run": "/queue",
    "queue.falrun.com": "/queue",
    "fal.run": "/run",
    "falrun.com": "/run",
    "rest.fal.ai": "/rest",
    "rest.alpha.fal.ai": "/rest",
    "v3.fal.media": "/cdn",
    "api.fal.ai": "",
    "fal.ai": "",
}
"""fal's hosts, and where they are here."""

PAGE = 50
"""Models on a page of the catalogue."""


@frozen
class Directory:
    """The catalogue and the proxy.

    Attributes:
        base: Gives the emulator's own base URL.
        endpoint: The endpoint of a name, or what stands in for it.
    """

    base: Callable[[], str]
    endpoint: Callable[[str], Endpoint | None]

    def routes(self) -> list[web.RouteDef]:
        """The documents of `fal.ai` and `api.fal.ai`, and the proxy."""
        return [
            web.get("/api/openapi/queue/openapi.json", self.get_document),
            web.get("/v1/models", self.get_models),
            web.get("/v1/models/pricing", self.get_prices),
            web.route("*", "/proxy", self.proxy),
        ]

    async def get_document(self, request: web.Request) -> web.Response:
        """The OpenAPI document of one endpoint; no key is needed."""
        wanted = request.query.get("endpoint_id", "")
        endpoint = self.endpoint(wanted)
        if endpoint is None:
            return error(404, f"Endpoint '{wanted}' not found")
        return reply(endpoint.document())

    async def get_models(self, request: web.Request) -> web.Response:
        """The catalogue: by id, or a page of those that fit `query` (or `q`) and `category`."""
        query = request.query
        if wanted := query.getall("endpoint_id", []):
            found = [endpoint for name in wanted if (endpoint := self.endpoint(name))]
            if not found:
                return error(404, "Model not found")
        else:
            words = (query.get("query") or query.get("q") or "").lower()
            found = [
                endpoint
                for name, endpoint in endpoints().items()
                if words in name and query.get("category") in {None, endpoint.category}
            ]
        start = max(0, int(number(query.get("cursor"), 0)))
        end = start + max(1, int(number(query.get("limit"), PAGE)))
        expand = "openapi-3.0" in query.getall("expand", [])
        models = [
            {
                "endpoint_id": endpoint.id,
                "metadata": {"display_name": endpoint.id, **endpoint.metadata()},
                **({"openapi": endpoint.document()} if expand else {}),
            }
            for endpoint in found[start:end]
        ]
        more = end < len(found)
        cursor = str(end) if more else None
        return reply({"models": models, "next_cursor": cursor, "has_more": more})

    async def get_prices(self, request: web.Request) -> web.Response:
        """What endpoints cost: an emulator charges nothing."""
        wanted = request.query.getall("endpoint_id", [])
        prices = [
            {"endpoint_id": name, "unit_price": 0.0, "unit": "request", "currency": "USD"}
            for name in wanted
            if self.endpoint(name) is not None
        ]
        return reply({"prices": prices})

    async def proxy(self, request: web.Request) -> web.StreamResponse:
        """Send a JavaScript client on to what stands for its `x-fal-target-url`."""
        target = urlsplit(request.headers.get("x-fal-target-url", ""))
        host = HOSTS.get(target.hostname or "")
        if host is None:
            return error(412, "Invalid x-fal-target-url")
        query = f"?{target.query}" if target.query else ""
        location = f"{self.base()}{host}{target.path}{query}"
        return web.Response(status=307, headers={"Location": location})
