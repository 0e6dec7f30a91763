"""The server that every emulator is: its life, its knobs, its statistics and its faults.

A provider's emulator subclasses `Emulator` and gives its routes. The middleware here counts
requests by the pattern of their route, slows them down, answers 503 when told to, and asks
the subclass's `guard` for the credential. A job's fate and its times are decided once, in
`Emulator.admit`; its state at any later moment is arithmetic on the monotonic clock, so ten
thousand jobs in flight are ten thousand small objects and not one task.
"""

import asyncio
import contextlib
import heapq
import importlib
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

import aiohttp
from aiohttp import web
from attrs import define, evolve, field, frozen
from attrs.validators import ge, instance_of, optional

from boards.testing.emulators.certificate import self_signed

BODY_LIMIT: Final = 200 * 1024 * 1024
"""Largest accepted request body, in bytes."""

EMULATORS: Final[dict[str, str]] = {
    "fal": "boards.testing.emulators.fal:FalEmulator",
    "replicate": "boards.testing.emulators.replicate:ReplicateEmulator",
}
"""Name of each emulator, and where its class is; imported only when asked for."""

Outcome = Literal["succeed", "fail", "moderate"]

_seconds: list[Callable[[Any, Any, Any], Any]] = [instance_of((int, float)), ge(0)]
_count: list[Callable[[Any, Any, Any], Any]] = [instance_of(int), ge(0)]
_text = optional(instance_of(str))


@frozen(kw_only=True)
class Knobs:
    """How an emulator behaves. "Every Nth" counts from one; 0 means never."""

    queue_seconds: float = field(default=0.3, validator=_seconds)
    """Time in the queue before a job runs, in seconds; positions count down."""
    run_seconds: float = field(default=0.6, validator=_seconds)
    """Time a job runs, in seconds."""
    fail_every: int = field(default=0, validator=_count)
    """Every Nth job fails, as the provider fails jobs."""
    moderate_every: int = field(default=0, validator=_count)
    """Every Nth job is refused by content policy, as the provider does it."""
    lose_replies_every: int = field(default=0, validator=_count)
    """Every Nth create is accepted and counted, then the connection closes without a reply."""
    error_every: int = field(default=0, validator=_count)
    """Every Nth request answers 503, before anything is done."""
    rate_limit_every: int = field(default=0, validator=_count)
    """Every Nth create answers 429, alternating the provider's ways to tell until when."""
    latency_seconds: float = field(default=0.0, validator=_seconds)
    """Added to every request, in seconds."""
    expire_seconds: float = field(default=3600.0, validator=_seconds)
    """Outputs and their URLs are gone this long after completion, in seconds."""
    strict: bool = field(default=False, validator=instance_of(bool))
    """Whether unknown models are refused instead of running a stock one."""
    key: str | None = field(default=None, validator=_text)
    """The only accepted credential; None accepts any that is not empty."""
    output_host: str | None = field(default=None, validator=_text)
    """Base URL put into output URLs instead of the emulator's own."""


DEFAULT_KNOBS: Final = Knobs()


@define(eq=False)
class Job:
    """One accepted job: what will become of it and when, on the monotonic clock (seconds)."""

    number: int
    """Counted from 1 since start or reset."""
    outcome: Outcome
    lose_reply: bool
    """Whether the reply that would tell the client of this job is to be lost."""
    created: float
    starts: float
    """When it leaves the queue; later than `ends` where it is cut off in the queue."""
    ends: float
    cut: bool = False
    """Whether its lifetime ends it before it has run."""

    def progress(self, now: float) -> float:
        """How much of the run is done, from 0 to 1."""
        if now >= self.ends:
            return 1.0
        return max(0.0, now - self.starts) / max(1e-9, self.ends - self.starts)


class Emulator:
    """A provider's API on the loopback interface.

    Subclasses set `name`, override `routes` and `env`, and as needed `guard`, `decorate`,
    `unavailable`, `route_of`, `overview` and `reset`.
    """

    name: str

    def __init__(self, knobs: Knobs = DEFAULT_KNOBS) -> None:
        self.knobs = knobs
        """May be replaced while running."""
        self.base_url = ""
        """``http://127.0.0.1:PORT``, once started."""
        self.ca_file: Path | None = None
        """The certificate to trust, once started with TLS."""
        self.stats: Counter[str] = Counter()
        """Requests by route (``POST /v1/predictions``), and ``jobs`` and ``charged``."""
        self._in_flight: list[tuple[float, int]] = []
        self._finished_early: set[int] = set()
        self._max_in_flight = 0
        self._creates = 0
        self._refusals = 0
        self._requests = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._cleanup = contextlib.AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    # For subclasses to override

    def routes(self) -> list[web.RouteDef]:
        """The provider's routes."""
        raise NotImplementedError

    @property
    def env(self) -> dict[str, str]:
        """The environment a client needs to use this emulator."""
        raise NotImplementedError

    @property
    def config(self) -> dict[str, str]:
        """What of a provider's ``config`` leads here; known once it was started."""
        return {"base_url": self.base_url}

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        """Refuse a request before its handler sees it; None lets it pass."""
        return None

    def decorate(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the provider's headers to a reply, before it is sent."""

    def unavailable(self, request: web.Request) -> web.StreamResponse:
        """The 503 of `Knobs.error_every`."""
        return web.Response(status=503, text="Service Unavailable")

    def route_of(self, request: web.Request) -> str:
        """Under which name a request is counted: its method and the pattern of its route."""
        resource = request.match_info.route.resource
        pattern = resource.canonical if resource is not None else request.path
        return f"{request.method} {pattern}"

    def overview(self) -> list[dict[str, Any]]:
        """The routes, for whoever looks: ``{"route": "POST /v1/predictions"}``."""
        return [{"route": f"{route.method} {route.path}"} for route in self.routes()]

    def reset(self) -> None:
        """Forget every statistic and every counter of the "every Nth" knobs."""
        self.stats.clear()
        self._in_flight.clear()
        self._finished_early.clear()
        self._max_in_flight = self._creates = self._refusals = self._requests = 0

    # For subclasses to use

    def accepts(self, credential: str | None) -> bool:
        """Whether a credential is the accepted one."""
        return bool(credential) and self.knobs.key in {None, credential}

    def refuse_create(self) -> int | None:
        """Count a create, and say whether `Knobs.rate_limit_every` refuses it.

        Returns:
            None to go on; else the number of this refusal, counted from 0, for the
            provider's ways to tell to alternate.
        """
        self._creates += 1
        if not _every(self.knobs.rate_limit_every, self._creates):
            return None
        self._refusals += 1
        return self._refusals - 1

    def admit(self, *, fails: bool = False, lifetime: float | None = None) -> Job:
        """Accept a job: count it, charge it, and decide its outcome and its times.

        A job whose lifetime ends before it starts to run is not charged.

        Args:
            fails: Whether the job must fail, whatever the knobs say.
            lifetime: The time from now, in seconds, after which it is cut off.
        """
        knobs, now = self.knobs, time.monotonic()
        self.stats["jobs"] += 1
        self.stats["charged"] += 1
        number = self.stats["jobs"]
        outcome: Outcome = "succeed"
        if _every(knobs.moderate_every, number):
            outcome = "moderate"
        if fails or _every(knobs.fail_every, number):
            outcome = "fail"
        starts = now + knobs.queue_seconds
        ends = starts + knobs.run_seconds
        cut = lifetime is not None and now + lifetime < ends
        if lifetime is not None and cut:
            ends = now + lifetime
            if ends < starts:
                self.stats["charged"] -= 1
        job = Job(
            number=number,
            outcome=outcome,
            lose_reply=_every(knobs.lose_replies_every, number),
            created=now,
            starts=starts,
            ends=ends,
            cut=cut,
        )
        heapq.heappush(self._in_flight, (job.ends, number))
        self._max_in_flight = max(self._max_in_flight, self.in_flight())
        return job

    def finish(self, job: Job, *, charged: bool = True) -> None:
        """End a job now, ahead of its time; a job that has ended is left alone.

        Args:
            job: One that `admit` returned.
            charged: Whether the provider still charges for it.
        """
        now = time.monotonic()
        if now >= job.ends:
            return
        job.ends = now
        self._finished_early.add(job.number)
        if not charged:
            self.stats["charged"] -= 1

    def in_flight(self) -> int:
        """Jobs that are queued or running."""
        now = time.monotonic()
        while self._in_flight and self._in_flight[0][0] <= now:
            self._finished_early.discard(heapq.heappop(self._in_flight)[1])
        return len(self._in_flight) - len(self._finished_early)

    def lose(self, request: web.Request) -> web.Response:
        """Close the connection under a request, so that its reply is lost."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def output_url(self, path: str) -> str:
        """The URL of an output, given its path from the root (``/...``)."""
        return (self.knobs.output_host or self.base_url).rstrip("/") + path

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background (a webhook) until done or until `stop`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def session(self) -> aiohttp.ClientSession:
        """A client for what the emulator itself has to send."""
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
            self._cleanup.push_async_callback(self._session.close)
        return self._session

    # Life

    async def start(self, *, host: str = "127.0.0.1", port: int = 0, tls: bool = False) -> str:
        """Listen, and return the base URL.

        Args:
            host: The address to listen on.
            port: The port to listen on; 0 takes a free one.
            tls: Whether to speak HTTPS, with a throwaway certificate (see `ca_file`).

        Raises:
            OSError: The address cannot be listened on.
        """
        context = None
        try:
            if tls:
                directory = self._cleanup.enter_context(tempfile.TemporaryDirectory("-boards"))
                context, self.ca_file = self_signed(Path(directory), host)
            app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._middleware])
            app.add_routes(self._control_routes())
            app.add_routes(self.routes())
            runner = web.AppRunner(
                app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True
            )
            await runner.setup()
            self._cleanup.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, host, port, ssl_context=context, backlog=1024)
            await site.start()
            bound = runner.addresses[0][1]
        except BaseException:
            await self.stop()
            raise
        self.base_url = f"{'https' if tls else 'http'}://{host}:{bound}"
        return self.base_url

    async def stop(self) -> None:
        """Stop listening and drop background work; what is stored stays readable."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._cleanup.aclose()
        self._session = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    # Requests

    @web.middleware
    async def _middleware(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        if request.path == "/_boards" or request.path.startswith("/_boards/"):
            return await handler(request)
        self.stats[self.route_of(request)] += 1
        self._requests += 1
        number = self._requests
        if self.knobs.latency_seconds:
            await asyncio.sleep(self.knobs.latency_seconds)
        if _every(self.knobs.error_every, number):
            return self.unavailable(request)
        response = await self.guard(request) or await handler(request)
        if not response.prepared:
            self.decorate(request, response)
        return response

    def _control_routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_boards", self._get_overview),
            web.get("/_boards/stats", self._get_stats),
            web.post("/_boards/reset", self._post_reset),
            web.put("/_boards/knobs", self._put_knobs),
        ]

    async def _get_overview(self, request: web.Request) -> web.Response:
        return web.json_response({"name": self.name, "routes": self.overview()})

    async def _get_stats(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "requests": {route: n for route, n in self.stats.items() if " " in route},
                "jobs": self.stats["jobs"],
                "charged": self.stats["charged"],
                "in_flight": self.in_flight(),
                "max_in_flight": self._max_in_flight,
            }
        )

    async def _post_reset(self, request: web.Request) -> web.Response:
        self.reset()
        return web.Response(status=204)

    async def _put_knobs(self, request: web.Request) -> web.Response:
        try:
            self.knobs = evolve(self.knobs, **await request.json())
        except (TypeError, ValueError) as error:
            return web.json_response({"detail": str(error)}, status=400)
        return web.Response(status=204)


def _every(nth: int, number: int) -> bool:
    return nth > 0 and number % nth == 0


E = TypeVar("E", bound=Emulator)


@contextlib.contextmanager
def running(
    emulator: E, *, host: str = "127.0.0.1", port: int = 0, tls: bool = False
) -> Iterator[E]:
    """Run an emulator on a thread with its own event loop, for synchronous clients.

    Raises:
        OSError: The address cannot be listened on.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=f"{emulator.name}-emulator")
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(
            emulator.start(host=host, port=port, tls=tls), loop
        ).result()
        yield emulator
    finally:
        asyncio.run_coroutine_threadsafe(emulator.stop(), loop).result()
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def load(name: str) -> type[Emulator]:
    """Import the emulator of that name.

    Raises:
        LookupError: There is none; the message names those that there are.
    """
    try:
        module, _, attribute = EMULATORS[name].partition(":")
    except KeyError:
        known = ", ".join(sorted(EMULATORS))
        raise LookupError(f"No emulator is called {name!r}; there are: {known}.") from None
    emulator: type[Emulator] = getattr(importlib.import_module(module), attribute)
    return emulator


async def serve(
    name: str,
    *,
    knobs: Knobs = DEFAULT_KNOBS,
    port: int = 0,
    tls: bool = False,
    ready: Callable[[Emulator], None],
) -> None:
    """Run an emulator until cancelled.

    Args:
        name: One of `EMULATORS`.
        knobs: How it behaves.
        port: The port on 127.0.0.1; 0 takes a free one.
        tls: Whether to speak HTTPS.
        ready: Called once it listens, to tell the user its address.

    Raises:
        LookupError: No emulator has that name.
        OSError: The port is taken.
    """
    emulator = load(name)(knobs)
    await emulator.start(port=port, tls=tls)
    try:
        ready(emulator)
        await asyncio.Event().wait()
    finally:
        await emulator.stop()
