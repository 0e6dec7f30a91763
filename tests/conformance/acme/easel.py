"""Pictures by the queue: ``/v1/jobs``."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError, ClientTimeout, web

from tests.conformance.acme.job import Job
from tests.conformance.acme.rules import Refused, body_of, callback_of, idempotency_key, no_body

if TYPE_CHECKING:
    from tests.conformance.acme.server import AcmeServer

FIELDS = {"model": str, "prompt": str, "width": int, "seed": int, "callback_url": str}
PROBLEMS = {
    "refused": {"code": "content_policy", "text": "The prompt is against the content policy."},
    "broken": {"code": "cannot_draw", "text": "The easel fell over at stroke 7."},
}
REDELIVERIES = (0.2, 0.5)


class Easel:
    """The resource of jobs. States: ``pending drawing finished broken withdrawn``."""

    def __init__(self, server: "AcmeServer") -> None:
        self.server = server
        self._keys: dict[str, tuple[str, bytes]] = {}
        self._told: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """The routes of jobs."""
        return [
            web.post("/v1/jobs", self.begin),
            web.get("/v1/jobs/{id}", self.look),
            web.delete("/v1/jobs/{id}", self.withdraw),
        ]

    async def begin(self, request: web.Request) -> web.Response:
        """Begin a picture; with a known key, tell of the job that it began before."""
        fields = {**FIELDS, "text": str} if self.server.has("renamed-the-prompt") else FIELDS
        wanted = "text" if self.server.has("renamed-the-prompt") else "prompt"
        body = await body_of(request, fields, "model", wanted)
        if body["model"] != "easel-2":
            raise Refused(404, "no_such_model", f"There is no model {body['model']}.")
        if not 64 <= body.get("width", 512) <= 1024:
            raise Refused(422, "bad_field", "width goes from 64 to 1024.")
        key, raw = idempotency_key(request), await request.read()
        if key is not None and not self.server.has("ignores-idempotency-keys"):
            job_id, before = self._keys.get(key, ("", raw))
            if before != raw:
                raise Refused(409, "key_reused", "This Idempotency-Key was of another request.")
            if job_id:
                job = self.server.work[job_id]
                return web.json_response(self._told_of(job), headers={"X-Replayed": "true"})
        job = await self.server.accept("job", body, callback_of(body))
        if key is not None:
            self._keys[key] = (job.id, raw)
        if job.callback is not None:
            self.server.spawn(self._call_back(job))
        return web.json_response(self._told_of(job), status=202)

    async def look(self, request: web.Request) -> web.Response:
        """How a job is."""
        await no_body(request)
        job = self.server.job(request, "job")
        if self.server.has("tells-the-end-once") and job.over:
            if job.id in self._told:
                raise Refused(404, "no_such_job", "There is no such job.")
            self._told.add(job.id)
        return web.json_response(self._told_of(job))

    async def withdraw(self, request: web.Request) -> web.Response:
        """Stop a job; one that has not begun is not charged."""
        await no_body(request)
        job = self.server.job(request, "job")
        if not self.server.has("goes-on-after-withdrawal"):
            if job.phase == "pending":
                self.server.stats["charged"] -= 1
            job.withdraw()
        return web.json_response(self._told_of(job), status=202)

    def _told_of(self, job: Job) -> dict[str, Any]:
        has, phase = self.server.has, job.phase
        if has("never-finishes-well") and phase == "finished":
            phase = "broken"
        told: dict[str, Any] = {
            "id": "job_1" if has("tells-one-id-to-all") else job.id,
            "state": "broken" if phase == "refused" else phase,
            "percent": job.percent,
            "pictures": [],
            "problem": PROBLEMS.get(phase),
        }
        if has("has-a-state-nobody-knows") and phase == "drawing":
            told["state"] = "varnishing"
        if has("finishes-what-it-refuses") and phase in PROBLEMS:
            told |= {"state": "finished", "problem": None}
        if has("calls-refusals-faults") and phase == "refused":
            told["problem"] = {"code": "cannot_draw", "text": "The picture could not be drawn."}
        if phase == "finished" and not has("forgets-the-pictures"):
            url = self.server.file_url(job)
            told["pictures"] = [{"url": url, "type": "image/png", "seed": job.asked.get("seed", 7)}]
        return {"job": told}

    async def _call_back(self, job: Job) -> None:
        """Tell the callback, once it is over; again where it did not listen."""
        assert job.callback is not None
        await asyncio.sleep(max(0.0, job.ends - time.monotonic()))
        if job.withdrawn:
            return
        told = self._told_of(job)
        if self.server.has("calls-without-the-pictures"):
            told["job"]["pictures"] = []
        body = json.dumps({"event": "job.ended", **told}).encode()
        for pause in (*REDELIVERIES, 0.0):
            try:
                status = await self._deliver(job, body)
            except (ClientError, TimeoutError):
                status = 0
            if 200 <= status < 300:
                return
            await asyncio.sleep(pause)

    async def _deliver(self, job: Job, body: bytes) -> int:
        """One call, signed as Standard Webhooks: the id, the time and the body."""
        has = self.server.has
        secret = self.server.env["ACME_WEBHOOK_SECRET"].removeprefix("whsec_")
        moment = int(time.time()) - (86_400 if has("calls-with-yesterdays-time") else 0)
        signed = b"" if has("signs-nothing-but-the-id") else f".{moment}.".encode() + body
        message = f"msg_{job.id}"
        mac = hmac.new(base64.b64decode(secret), message.encode() + signed, hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(moment),
            "webhook-signature": f"v1,{base64.b64encode(mac.digest()).decode()}",
        }
        timeout = ClientTimeout(total=5)
        async with self.server.session.post(
            job.callback or "", data=body, headers=headers, timeout=timeout
        ) as answer:
            return answer.status
