"""Acme's server: its life, who may ask, what it counts, and its files.

========================  =======================================================================
``POST /v1/jobs``         begin a picture; `Idempotency-Key` makes repetitions one (`easel`)
``GET /v1/jobs/{id}``     how it is
``DELETE /v1/jobs/{id}``  withdraw it
``POST /v1/sketches``     a small picture at once (`sketch`)
``POST /v1/takes``        begin speech; ``GET`` lists takes (`studio`)
``GET /v1/takes/{id}``    how it is; ``/audio`` is the sound, ``POST .../stop`` stops it
``GET /v1/account``       who asks, and how much was charged
``GET /cdn/...``          a picture, for whoever has its signed address
========================  =======================================================================

The key goes into ``X-Acme-Key``.
"""

import asyncio
import hashlib
import hmac
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Self

from aiohttp import ClientSession, web

from tests.conformance.acme.defects import DEFECTS
from tests.conformance.acme.easel import Easel
from tests.conformance.acme.job import Job
from tests.conformance.acme.media import png
from tests.conformance.acme.rules import Refused, no_body, no_credentials
from tests.conformance.acme.sketch import Sketch
from tests.conformance.acme.studio import Studio

__all__ = ["DEFECTS", "AcmeServer"]

KEY = "acme-key-5f1c0a"
WEBHOOK_SECRET = "whsec_YWNtZSBzaWducyBpdHMgY2FsbHM="
STUDIO_SECRET = "studio-signing-secret"
SUBMITS_AT_ONCE = 4
FILE_SECONDS = 3600


class AcmeServer:
    """Acme on the loopback interface.

    Args:
        defect: One of `DEFECTS`, which it then has.

    Attributes:
        base_url: Its origin, once started.
        knobs: ``queue_seconds``, ``run_seconds``, and of which jobs every Nth is broken
            (``fail_every``) or refused for its content (``moderate_every``); 0 is none.
        stats: ``jobs`` that were accepted, and ``charged`` ones.
        work: The jobs by their ids.
    """

    def __init__(self, defect: str | None = None) -> None:
        if defect is not None and defect not in DEFECTS:
            raise ValueError(f"Acme has no defect {defect!r}")
        self._defect = defect
        self.base_url = ""
        self.stats: Counter[str] = Counter()
        self.knobs: Any = SimpleNamespace(
            queue_seconds=0.1, run_seconds=0.1, fail_every=0, moderate_every=0
        )
        self.work: dict[str, Job] = {}
        self._numbers = itertools.count(1)
        self._signing = hashlib.sha256(f"{id(self)}".encode()).digest()
        self._submits = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self.session: ClientSession

    def has(self, defect: str) -> bool:
        """Whether it is broken in this way."""
        assert defect in DEFECTS, defect
        return self._defect == defect

    @property
    def jobs(self) -> int:
        """How many jobs were accepted."""
        return self.stats["jobs"]

    @property
    def config(self) -> dict[str, str]:
        """What a plugin's ``config`` has to say to reach this server."""
        return {"base_url": f"{self.base_url}/v1"}

    @property
    def env(self) -> dict[str, str]:
        """The environment of somebody who has an account here."""
        return {
            "ACME_KEY": KEY,
            "ACME_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "ACME_STUDIO_SECRET": STUDIO_SECRET,
        }

    # Life

    async def start(self) -> str:
        """Listen; the base URL."""
        app = web.Application(middlewares=[self._around])
        app.add_routes(
            [
                *Easel(self).routes(),
                *Sketch(self).routes(),
                *Studio(self).routes(),
                web.get("/v1/account", self._account),
                web.get("/cdn/{job}/{name}", self._file),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.session = ClientSession(trust_env=False)
        return self.base_url

    async def stop(self) -> None:
        """Stop listening, and calling back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.session.close()
        assert self._runner is not None
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # Requests

    @web.middleware
    async def _around(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Ask for the key, and give every refusal its shape."""
        try:
            if request.path.startswith("/v1/"):
                self._admit(request)
            return await handler(request)
        except Refused as refused:
            return refused.answer()
        except web.HTTPException as error:  # no such route
            return Refused(error.status, "no_such_route", error.reason).answer()

    def _admit(self, request: web.Request) -> None:
        given = request.headers.getall("X-Acme-Key", [])
        if self.has("takes-any-key") or given == [KEY]:
            return
        if self.has("hides-bad-keys"):
            raise Refused(404, "no_such_route", "Not Found")
        if self.has("calls-bad-keys-an-outage"):
            raise Refused(500, "internal", "Something went wrong.")
        raise Refused(401, "bad_key", "The key is not known.")

    # For the resources

    async def accept(self, prefix: str, asked: dict[str, Any], callback: str | None) -> Job:
        """Take in a job and charge for it.

        Raises:
            Refused: Too many are being taken in at this moment.
        """
        if self._submits >= SUBMITS_AT_ONCE:
            raise Refused(429, "busy", "Too many requests at once.", {"Retry-After": "1"})
        self._submits += 1
        try:
            await asyncio.sleep(0.02)
        finally:
            self._submits -= 1
        now = time.monotonic()
        number = 1 if self.has("gives-one-id-to-all") else next(self._numbers)
        digest = hashlib.sha256(self._signing + f"{prefix}{number}".encode()).hexdigest()
        job = Job(
            id=f"{prefix}_{digest[:16]}",
            asked=asked,
            callback=callback,
            starts=now + self.knobs.queue_seconds,
            ends=now + self.knobs.queue_seconds + self.knobs.run_seconds,
            fate=self._fate(asked, number),
        )
        self.work[job.id] = job
        self.stats["jobs"] += 1
        self.stats["charged"] += 1
        return job

    def _fate(self, asked: dict[str, Any], number: int) -> str:
        """How a job ends: ``forbidden`` is refused, ``impossible`` cannot be made."""
        words = {word for value in asked.values() for word in str(value).split()}
        if "forbidden" in words or _every(self.knobs.moderate_every, number):
            return "refused"
        broken = "impossible" in words or _every(self.knobs.fail_every, number)
        return "broken" if broken else "finished"

    def job(self, request: web.Request, prefix: str) -> Job:
        """The job that a path names.

        Raises:
            Refused: There is none.
        """
        job = self.work.get(request.match_info["id"])
        if job is None or not job.id.startswith(f"{prefix}_"):
            raise Refused(404, "no_such_job", "There is no such job.")
        return job

    def spawn(self, work: Awaitable[None]) -> None:
        """Do something beside the requests, to its end or to that of the server."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _account(self, request: web.Request) -> web.Response:
        await no_body(request)
        return web.json_response({"account": {"name": "a tester", **self.stats}})

    # Files

    def file_url(self, job: Job) -> str:
        """The address of a job's picture, signed, good for an hour."""
        until = int(time.time()) + FILE_SECONDS
        path = f"/cdn/{job.id}/0.png"
        return f"{self.base_url}{path}?until={until}&signature={self._signature(path, until)}"

    def _signature(self, path: str, until: int) -> str:
        return hmac.new(self._signing, f"{path} {until}".encode(), hashlib.sha256).hexdigest()

    async def _file(self, request: web.Request) -> web.Response:
        no_credentials(request)
        await no_body(request, "until", "signature")
        until = request.query.get("until", "")
        wanted = self._signature(request.path, int(until) if until.isdigit() else 0)
        given = request.query.get("signature", "")
        if not hmac.compare_digest(given, wanted) or int(until) < time.time():
            text = "<Error><Code>AccessDenied</Code><Message>Expired.</Message></Error>"
            return web.Response(status=403, text=text, content_type="application/xml")
        job = self.work.get(request.match_info["job"])
        if job is None:
            raise Refused(404, "no_such_file", "There is no such file.")
        if self.has("serves-pages-for-pictures"):
            return web.Response(text="<!doctype html><p>Sign in", content_type="text/html")
        if self.has("serves-errors-for-pictures"):
            return web.json_response({"problem": {"code": "busy", "text": "Come back later."}})
        if self.has("serves-empty-files"):
            return web.Response(body=b"", content_type="image/png")
        if self.has("mixes-up-jobs"):
            job = [*self.work.values()][-1]
        return web.Response(body=png(job.id), content_type="image/png")


def _every(nth: int, number: int) -> bool:
    return nth > 0 and number % nth == 0
