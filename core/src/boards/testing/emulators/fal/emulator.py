"""fal's hosts, played by one server."""

import asyncio
import contextlib
import json
import math
import random
import re
import time
import uuid
from typing import Any

from aiohttp import web

from boards.testing.emulators import media
from boards.testing.emulators.fal import webhooks
from boards.testing.emulators.fal.catalogue import Endpoint, app_of, endpoints, stock
from boards.testing.emulators.fal.directory import Directory
from boards.testing.emulators.fal.errors import (
    MODEL_ERRORS,
    PLATFORM_ERRORS,
    Failure,
    invalid,
    model_failure,
    platform_failure,
    problems,
)
from boards.testing.emulators.fal.outputs import Made, compose, file_problems, prompt_of
from boards.testing.emulators.fal.replies import (
    IngressError,
    error,
    ingress,
    number,
    read_input,
    reply,
)
from boards.testing.emulators.fal.storage import Storage, StoredFile, lifetime
from boards.testing.emulators.fal.submission import Submission
from boards.testing.emulators.fal.webhooks import Signer
from boards.testing.emulators.server import DEFAULT_KNOBS, Emulator, Knobs

QUIRKS = frozenset(
    ("fast", "requeue", "uncancellable", "ingress", "unserializable", "string_detail", "no_detail")
)
STREAM_SECONDS = 0.02
"""How often a status stream looks whether something has changed."""


class FalEmulator(Emulator):
    """fal on the loopback interface: queue, synchronous runs, storage, webhooks, catalogue.

    fal spreads over several hosts. Here they are paths of one, which suits `fal-client` too,
    since it only ever puts `https://` before a host and a path behind it:

    | fal                                | here              |
    |------------------------------------|-------------------|
    | `https://queue.fal.run`            | `{base}/queue`    |
    | `https://fal.run`                  | `{base}/run`      |
    | `https://rest.fal.ai`              | `{base}/rest`     |
    | `https://v3.fal.media`             | `{base}/cdn`      |
    | `https://fal.ai/api`               | `{base}/api`      |
    | `https://api.fal.ai/v1`            | `{base}/v1`       |
    | a JavaScript client's `proxyUrl`   | `{base}/proxy`    |

    Any credential is accepted; one that contains `nocredit` belongs to a user without balance.
    A prompt with one of these words in brackets makes that request behave so:

    - any type of `MODEL_ERRORS` or `PLATFORM_ERRORS`, as in `[content_policy_violation]` or
      `[runner_disconnected]`: it fails like that;
    - `[string_detail]`, `[no_detail]`: it fails with 422, `detail` being a string, or missing;
    - `[fast]`: it is never seen IN_PROGRESS;
    - `[requeue]`: it goes back to IN_QUEUE while it runs;
    - `[uncancellable]`: a cancel is accepted while it runs, and it still completes;
    - `[ingress]`: the first read of its result meets a 502 of nginx, without request id;
    - `[unserializable]`: its result is no JSON, so a webhook gets `payload_error`.

    Args:
        knobs: How it behaves.
        signing_key: The private key of its webhooks, 32 bytes; by default a new one.
        retry_delays: Seconds before each repeated delivery of a webhook.
    """

    name = "fal"

    def __init__(
        self,
        knobs: Knobs = DEFAULT_KNOBS,
        *,
        signing_key: bytes | None = None,
        retry_delays: tuple[float, ...] = webhooks.RETRY_DELAYS,
    ) -> None:
        super().__init__(knobs)
        self.signer = Signer() if signing_key is None else Signer(signing_key)
        self.retry_delays = retry_delays
        self.submissions: dict[str, Submission] = {}
        self.storage = Storage(lambda: self.base_url)
        self.directory = Directory(lambda: self.base_url, self._endpoint)

    @property
    def queue_url(self) -> str:
        """What stands for `https://queue.fal.run`."""
        return f"{self.base_url}/queue"

    @property
    def run_url(self) -> str:
        """What stands for `https://fal.run`."""
        return f"{self.base_url}/run"

    @property
    def rest_url(self) -> str:
        """What stands for `https://rest.fal.ai`."""
        return f"{self.base_url}/rest"

    @property
    def cdn_url(self) -> str:
        """What stands for `https://v3.fal.media`."""
        return f"{self.base_url}/cdn"

    @property
    def config(self) -> dict[str, str]:
        """Every host that the provider's requests go to."""
        return {
            "base_url": self.run_url,
            "queue_url": self.queue_url,
            "rest_url": self.rest_url,
            "api_url": f"{self.base_url}/v1",
            "site_url": self.base_url,
        }

    @property
    def env(self) -> dict[str, str]:
        """The key; with TLS also what `fal-client` reads to find this server and to trust it."""
        variables = {"FAL_KEY": self.knobs.key or "emulator:key"}
        if self.ca_file is not None:
            variables["FAL_RUN_HOST"] = self.run_url.removeprefix("https://")
            variables["FAL_QUEUE_RUN_HOST"] = self.queue_url.removeprefix("https://")
            variables["SSL_CERT_FILE"] = str(self.ca_file)
        return variables

    def routes(self) -> list[web.RouteDef]:
        """Every host's routes. Paths of a request are accepted with the whole endpoint id too."""
        request = "/queue/{endpoint:.+}/requests/{request_id}"
        return [
            web.get(f"{request}/status", self.get_status),
            web.get(f"{request}/status/stream", self.stream_status),
            web.get(f"{request}/response", self.get_result),
            web.get(request, self.get_result),
            web.put(f"{request}/cancel", self.cancel),
            # Not a POST to a path of a request: that would be a paid job by mistake.
            web.post("/queue/{endpoint:(?:(?!/requests/).)+}", self.submit),
            web.post("/run/{endpoint:.+}/stream", self.stream),
            web.post("/run/{endpoint:.+}", self.run),
            *self.storage.routes(),
            web.get("/rest/.well-known/jwks.json", self.get_jwks),
            web.get("/.well-known/jwks.json", self.get_jwks),
            *self.directory.routes(),
            web.route("*", "/{host:queue|run|rest|cdn|api|v1}/{path:.*}", self.not_found),
        ]

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        """The gateway: 401 without a key, 403 without balance."""
        path = request.path
        if path.startswith("/cdn/files/upload"):
            if request.headers.get("Authorization") == f"Bearer {self.storage.token}":
                return None
            return error(401, "Invalid or expired token")
        if not path.startswith(("/queue/", "/run/", "/rest/storage/", "/v1/")):
            return None
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in {"key", "bearer"} or not credential:
            return error(401, "Authentication is required to access this application")
        if not self.accepts(credential):
            return error(401, "invalid key credentials")
        if "nocredit" in credential:
            reason = "Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
            return error(403, f"User is locked. Reason: {reason}")
        return None

    def decorate(self, request: web.Request, response: web.StreamResponse) -> None:
        """Whatever fal answers has a request id; what the ingress before it answers has none."""
        if not isinstance(response, IngressError):
            response.headers.setdefault("x-fal-request-id", str(uuid.uuid4()))

    def unavailable(self, request: web.Request) -> web.StreamResponse:
        """The ingress answers before fal does: no request id, and nginx in the body."""
        return ingress(503, "503 Service Temporarily Unavailable")

    def reset(self) -> None:
        """Forget statistics, requests and files."""
        super().reset()
        self.submissions.clear()
        self.storage.clear()

    # The queue

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """Accept a request. Its input is looked at by the runner, not here."""
        accepted = await self._accept(request)
        if not isinstance(accepted, Submission):
            return accepted
        if webhook := request.query.get("fal_webhook"):
            self.spawn(self._notify(accepted, webhook))
        if accepted.job.lose_reply:
            return self.lose(request)
        return reply(accepted.ticket(self._url(accepted)), request_id=accepted.id)

    async def get_status(self, request: web.Request) -> web.StreamResponse:
        """Where a request stands: 202 while it is under way, 200 when it is over."""
        found = self._find(request)
        if found is None:
            return reply({"status": "NOT_FOUND"}, status=404)
        document = self._status(found, request)
        under_way = document["status"] != "COMPLETED"
        return reply(document, status=202 if under_way else 200, request_id=found.id)

    async def stream_status(self, request: web.Request) -> web.StreamResponse:
        """The status at every change, as server-sent events, until the request is over."""
        found = self._find(request)
        if found is None:
            return reply({"status": "NOT_FOUND"}, status=404)
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-cache",
                "x-fal-request-id": found.id,
            }
        )
        await response.prepare(request)
        told = None
        while True:
            document = self._status(found, request)
            if document != told:
                await response.write(b"data: " + json.dumps(document).encode() + b"\n\n")
                told = document
            if document["status"] == "COMPLETED":
                return response
            await asyncio.sleep(STREAM_SECONDS)

    async def get_result(self, request: web.Request) -> web.StreamResponse:
        """The output, or how the request failed."""
        found = self._find(request)
        if found is None:
            return reply({"status": "NOT_FOUND"}, status=404)
        if found.state(time.monotonic()) != "COMPLETED":
            return reply(
                {"detail": "Request is still in progress"}, status=400, request_id=found.id
            )
        if "ingress" in found.quirks:
            found.quirks.discard("ingress")
            return ingress(502, "502 Bad Gateway")
        return await self._result(found)

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """Take a request from the queue, or stop it if it runs."""
        found = self._find(request)
        if found is None:
            return reply({"status": "NOT_FOUND"}, status=404)
        now = time.monotonic()
        if now >= found.job.ends:
            return reply({"status": "ALREADY_COMPLETED"}, status=400, request_id=found.id)
        if now < found.job.starts or "uncancellable" not in found.quirks:
            # One that ran is charged; one that was to fail was not charged to begin with.
            refund = found.failure is None and now < found.job.starts
            found.failure = platform_failure("client_cancelled")
            self.finish(found.job, charged=not refund)
            found.stopped.set()
        return reply({"status": "CANCELLATION_REQUESTED"}, status=202, request_id=found.id)

    # The synchronous host

    async def run(self, request: web.Request) -> web.StreamResponse:
        """Run at once, and answer with the output when it is there."""
        accepted = await self._accept(request)
        if not isinstance(accepted, Submission):
            return accepted
        try:
            await asyncio.sleep(max(0.0, accepted.job.ends - time.monotonic()))
        except asyncio.CancelledError:
            accepted.failure = platform_failure("client_disconnected")
            self.finish(accepted.job)
            raise
        if accepted.job.lose_reply:
            return self.lose(request)
        return await self._result(accepted)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Run at once, and answer with server-sent events: only the last one, the output."""
        response = await self.run(request)
        if not isinstance(response, web.Response) or response.status != 200:
            return response
        return web.Response(
            text=f"data: {response.text}\n\n",
            content_type="text/event-stream",
            headers={"x-fal-request-id": response.headers["x-fal-request-id"]},
        )

    # What is left

    async def get_jwks(self, request: web.Request) -> web.Response:
        """The public keys of webhooks."""
        return reply(self.signer.jwks())

    async def not_found(self, request: web.Request) -> web.StreamResponse:
        """Any other path below one of the hosts."""
        return reply(
            {"detail": f"Path /{request.match_info['path']} not found"},
            status=404,
            headers={"X-Fal-Billable-Units": "0"},
        )

    # What all of it stands on

    async def _accept(self, request: web.Request) -> Submission | web.Response:
        """What queue and synchronous host have in common: the gateway's checks, and a job."""
        name = request.match_info["endpoint"].strip("/")
        endpoint, failure = self._endpoint(name), None
        if endpoint is None:
            app = app_of(name)
            if app not in {known.app for known in endpoints().values()}:
                return error(404, f"Application '{app}' not found")
            # The app is there, so it is its runner that will not know the path.
            path = name.removeprefix(app)
            failure = Failure(404, {"detail": f"Path {path} not found"}, {})
            endpoint = stock(name)
        if refused := self._refuse(request, endpoint):
            return refused
        given, errors = await read_input(request)
        quirks = set(re.findall(r"\[(\w+)\]", prompt_of(given)))
        failure = failure or self._examine(endpoint, given, errors, quirks)
        timeout = number(request.headers.get("X-Fal-Request-Timeout"), math.inf)
        late = timeout < self.knobs.queue_seconds
        job = self.admit(fails=failure is not None, lifetime=timeout if late else None)
        if late:
            failure = platform_failure("request_timeout")
        elif failure is None and job.outcome != "succeed":
            failure = model_failure(
                "content_policy_violation" if job.outcome == "moderate" else "internal_server_error"
            )
        identity = str(uuid.uuid4())
        accepted = Submission(
            id=identity,
            endpoint=endpoint,
            given=given,
            seed=random.getrandbits(31),
            job=job,
            planned=self.knobs.run_seconds,
            failure=failure,
            quirks=quirks & QUIRKS,
            lifetime=min(lifetime(request), self.knobs.expire_seconds),
            gateway_id=str(uuid.uuid4()) if "requeue" in quirks else identity,
        )
        if failure is not None and not late:
            # Neither refused inputs nor failures are billed; of late ones `admit` knows.
            self.stats["charged"] -= 1
        self.submissions[identity] = accepted
        return accepted

    def _refuse(self, request: web.Request, endpoint: Endpoint) -> web.Response | None:
        """The gateway's 429s."""
        refusal = self.refuse_create()
        if refusal is not None and refusal % 2 == 0:
            return reply(
                {"detail": "Too many concurrent requests", "type": "concurrent_requests_limit"},
                status=429,
                headers={"X-Fal-needs-retry": "1"},
            )
        if refusal is not None:
            return reply({"detail": "Too Many Requests"}, status=429, headers={"Retry-After": "1"})
        if (longest := request.query.get("fal_max_queue_length")) is not None:
            now = time.monotonic()
            waiting = sum(
                1
                for other in self.submissions.values()
                if other.endpoint.app == endpoint.app and other.state(now) == "IN_QUEUE"
            )
            if waiting > number(longest, math.inf):
                return error(429, f"Queue is full: {waiting} requests are waiting")
        return None

    def _examine(
        self,
        endpoint: Endpoint,
        given: dict[str, Any],
        errors: list[dict[str, Any]],
        quirks: set[str],
    ) -> Failure | None:
        """What the runner will find wrong with an input."""
        if found := errors or problems(endpoint, given) or file_problems(given, self.storage.read):
            return invalid(found)
        for word in sorted(quirks):
            if word in MODEL_ERRORS:
                return model_failure(word)
            if word in PLATFORM_ERRORS:
                return platform_failure(word)
            if word == "string_detail":
                return Failure(422, {"detail": "The input was not accepted"}, {})
            if word == "no_detail":
                return Failure(422, {}, {})
        return None

    def _endpoint(self, name: str) -> Endpoint | None:
        """The endpoint of that name, or what stands in for it; None if there is neither."""
        if known := endpoints().get(name):
            return known
        if self.knobs.strict or "/" not in app_of(name):
            return None
        return stock(name)

    def _find(self, request: web.Request) -> Submission | None:
        found = self.submissions.get(request.match_info["request_id"])
        app = request.match_info["endpoint"]
        if found is None or app not in {found.endpoint.app, found.endpoint.id}:
            return None
        return found

    def _url(self, found: Submission) -> str:
        return f"{self.queue_url}/{found.endpoint.app}/requests/{found.id}"

    def _status(self, found: Submission, request: web.Request) -> dict[str, Any]:
        logs = request.query.get("logs", "").lower() in {"1", "true"}
        return found.status(time.monotonic(), url=self._url(found), logs=logs)

    async def _result(self, found: Submission) -> web.Response:
        if (failure := found.failure) is not None:
            headers = {**failure.headers, "X-Fal-Billable-Units": "0"}
            return reply(failure.body, status=failure.status, headers=headers, request_id=found.id)
        if "unserializable" in found.quirks:
            picture = await asyncio.to_thread(media.image, prompt_of(found.given), found.seed)
            headers = {"Content-Type": picture.mime, "x-fal-request-id": found.id}
            return web.Response(body=picture.content, headers=headers)
        output, units = await self._output(found)
        headers = {"X-Fal-Billable-Units": f"{units:g}"}
        return reply(output, headers=headers, request_id=found.id)

    async def _output(self, found: Submission) -> tuple[dict[str, Any], float]:
        if found.output is None:
            # Drawing takes the processor for a while, which the loop should not wait for.
            found.output = await asyncio.to_thread(self._compose, found)
        return found.output

    def _compose(self, found: Submission) -> tuple[dict[str, Any], float]:
        numbers = iter(range(1000))

        def publish(made: Made) -> str:
            # The same names each time, should two readers make this compose twice.
            name = uuid.uuid5(uuid.UUID(found.id), str(next(numbers))).hex
            file = StoredFile(made.draw, made.media.mime, found.job.ends + found.lifetime)
            return self.output_url(self.storage.add(f"{name}.{made.media.extension}", file))

        return compose(
            found.endpoint,
            found.given,
            seed=found.seed,
            publish=publish,
            read=self.storage.read,
        )

    async def _notify(self, found: Submission, url: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(found.job.ends - time.monotonic()):
                await found.stopped.wait()
        output = None
        if found.failure is None and "unserializable" not in found.quirks:
            output, _ = await self._output(found)
        body = json.dumps(found.webhook(output), separators=(",", ":")).encode()
        await webhooks.deliver(
            self.session,
            self.signer,
            url,
            body,
            request_id=found.id,
            retry_delays=self.retry_delays,
        )
