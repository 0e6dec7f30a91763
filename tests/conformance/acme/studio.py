"""Speech: ``/v1/takes``. Phases are numbers, sound is hexadecimal, every body has a digest."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError, ClientTimeout, web

from tests.conformance.acme.job import Job
from tests.conformance.acme.media import wav
from tests.conformance.acme.rules import Refused, body_of, callback_of, no_body

if TYPE_CHECKING:
    from tests.conformance.acme.server import AcmeServer

FIELDS = {"text": str, "voice": str, "ref": str, "callback_url": str}
PHASES = {
    "pending": 10,
    "drawing": 20,
    "finished": 30,
    "refused": 40,
    "broken": 41,
    "withdrawn": 50,
}
REASONS = {"refused": "The text is against the content policy.", "broken": "The voice broke."}


class Studio:
    """The resource of takes."""

    def __init__(self, server: "AcmeServer") -> None:
        self.server = server

    def routes(self) -> list[web.RouteDef]:
        """The routes of takes."""
        return [
            web.post("/v1/takes", self.begin),
            web.get("/v1/takes", self.list),
            web.get("/v1/takes/{id}", self.look),
            web.get("/v1/takes/{id}/audio", self.audio),
            web.post("/v1/takes/{id}/stop", self.stop),
        ]

    async def begin(self, request: web.Request) -> web.Response:
        """Begin a take, of a body whose digest is right."""
        digest = hashlib.sha256(await request.read()).hexdigest()
        if request.headers.get("X-Acme-Digest") != f"sha256={digest}":
            raise Refused(400, "bad_digest", "X-Acme-Digest is not that of the body.")
        body = await body_of(request, FIELDS, "text", "ref")
        if body.get("voice", "anna") not in {"anna", "bert"}:
            raise Refused(422, "bad_field", "There is no such voice.")
        job = await self.server.accept("take", body, callback_of(body))
        if job.callback is not None:
            self.server.spawn(self._call_back(job))
        return web.json_response(self._told_of(job), status=201)

    async def list(self, request: web.Request) -> web.Response:
        """The takes that have a reference."""
        await no_body(request, "ref")
        takes = [job for job in self.server.work.values() if job.id.startswith("take_")]
        ref = request.query.get("ref")
        if ref is not None and not self.server.has("lists-nothing"):
            takes = [job for job in takes if job.asked["ref"] == ref]
        elif self.server.has("lists-nothing"):
            takes = []
        return web.json_response({"takes": [self._told_of(job) for job in takes]})

    async def look(self, request: web.Request) -> web.Response:
        """How a take is."""
        await no_body(request)
        return web.json_response(self._told_of(self.server.job(request, "take")))

    async def audio(self, request: web.Request) -> web.Response:
        """The sound of a take that is finished."""
        await no_body(request)
        job = self.server.job(request, "take")
        if job.phase != "finished":
            raise Refused(409, "not_finished", "There is no sound yet.")
        return web.json_response({"format": "wav", "hex": wav(job.id).hex()})

    async def stop(self, request: web.Request) -> web.Response:
        """Stop a take."""
        await no_body(request)
        job = self.server.job(request, "take")
        job.withdraw()
        return web.json_response(self._told_of(job))

    def _told_of(self, job: Job) -> dict[str, Any]:
        told = {"take": job.id, "phase": PHASES[job.phase], "ref": job.asked["ref"]}
        return told | ({"reason": REASONS[job.phase]} if job.phase in REASONS else {})

    async def _call_back(self, job: Job) -> None:
        """Tell the callback once, signed over the time and the body."""
        await asyncio.sleep(max(0.0, job.ends - time.monotonic()))
        if job.withdrawn:
            return
        body = json.dumps(self._told_of(job)).encode()
        moment = int(time.time())
        secret = self.server.env["ACME_STUDIO_SECRET"].encode()
        mac = hmac.new(secret, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Acme-Signature": f"t={moment},v1={mac}",
        }
        url, timeout = job.callback or "", ClientTimeout(total=5)
        with contextlib.suppress(ClientError, TimeoutError):
            async with self.server.session.post(url, data=body, headers=headers, timeout=timeout):
                pass
