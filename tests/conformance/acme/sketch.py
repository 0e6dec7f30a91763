"""Small pictures at once: ``/v1/sketches``. Nothing makes two requests one here."""

import base64
from typing import TYPE_CHECKING

from aiohttp import web

from tests.conformance.acme.job import Job
from tests.conformance.acme.media import png
from tests.conformance.acme.rules import Refused, body_of

if TYPE_CHECKING:
    from tests.conformance.acme.server import AcmeServer


class Sketch:
    """The resource of sketches."""

    def __init__(self, server: "AcmeServer") -> None:
        self.server = server

    def routes(self) -> list[web.RouteDef]:
        """The route of sketches."""
        return [web.post("/v1/sketches", self.draw)]

    async def draw(self, request: web.Request) -> web.Response:
        """Draw; the picture is in the answer."""
        body = await body_of(request, {"prompt": str, "size": int}, "prompt")
        job = await self.server.accept("sketch", body, None)
        if job.fate != "finished":
            self.server.stats["charged"] -= 1
            raise self._refusal(job)
        picture = png(job.id, body.get("size", 16))
        data = base64.b64encode(picture).decode()
        return web.json_response({"sketch": {"id": job.id, "type": "image/png", "data": data}})

    def _refusal(self, job: Job) -> Refused:
        if job.fate == "broken":
            return Refused(422, "cannot_draw", "Nobody can draw that.")
        if self.server.has("refuses-without-a-code"):
            return Refused(422, "bad_field", "This prompt will not do.")
        return Refused(422, "content_policy", "The prompt is against the content policy.")
