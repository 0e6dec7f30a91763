"""Replicate's HTTP API, emulated: predictions, trainings, streams and outputs.

Boards reaches it with the provider's configuration ``base_url`` set to
``emulator.base_url + "/v1"``; Replicate's own SDK (1.x) with `ReplicateEmulator.env`.

Worth knowing:

* A create that waits (``Prefer: wait``) and finishes in time is answered in two ways in
  turn, as both were seen: ``processing`` with outputs as data URIs, and ``succeeded`` with
  URLs.
* A model that is not known runs a stock text-to-image model, unless `Knobs.strict`.
* A credential with ``nocredit`` in it is answered 402 on every create.
* Webhooks may go to plain HTTP on the loopback interface; anywhere else HTTPS is asked for.
"""

import asyncio
import base64
import json
import re
import secrets
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from aiohttp import web
from yarl import URL

from boards.testing.emulators import media
from boards.testing.emulators.delivery import deliver
from boards.testing.emulators.replicate import outputs, webhooks
from boards.testing.emulators.replicate.files import Files
from boards.testing.emulators.replicate.library import Library, read_json
from boards.testing.emulators.replicate.models import MODEL_NAME, Model
from boards.testing.emulators.replicate.pages import page
from boards.testing.emulators.replicate.predictions import (
    TERMINAL,
    Prediction,
    resolved,
    timestamp,
)
from boards.testing.emulators.replicate.problems import (
    invalid,
    no_credit,
    no_version,
    not_found,
    problem,
    throttled,
    unauthenticated,
)
from boards.testing.emulators.schema import Problem, problems
from boards.testing.emulators.server import DEFAULT_KNOBS, Emulator, Job, Knobs

_OPEN: Final = re.compile(r"/delivery/.*|/v1/streams/.*|/v1/files/[^/]+/download")
"""Paths that need no credential: they cannot be guessed, or are signed."""

_CREATE: Final = re.compile(r"/v1/(predictions|(models|deployments)/[^/]+/[^/]+/predictions)")
_WAIT: Final = re.compile(r"\bwait(?:=(\d+))?\b")
_DURATION: Final = re.compile(r"(?=.)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")

_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["input"],
    "properties": {
        "input": {"type": "object"},
        "stream": {"type": "boolean"},
        "lifetime": {"type": "string"},
        "webhook": {"type": "string"},
        "webhook_completed": {"type": "string"},
        "webhook_events_filter": {"type": "array", "items": {"enum": list(webhooks.EVENTS)}},
    },
    "additionalProperties": False,
}
_VERSION_BODY: Final = {
    **_BODY,
    "required": ["version", "input"],
    "properties": {"version": {"type": "string"}, **_BODY["properties"]},
}
_TRAINING_BODY: Final = {
    **_BODY,
    "required": ["destination", "input"],
    "properties": {"destination": {"type": "string"}, **_BODY["properties"]},
}

_ERRORS: Final = {
    # Outcome, and whether the model is an official one.
    ("fail", True): (
        "Service is currently unavailable due to high demand. Please try again later. (E003)"
    ),
    ("fail", False): "Prediction interrupted; please retry (code: PA)",
    ("moderate", True): (
        "The input or output was flagged as sensitive. "
        "Please try again with different inputs. (E005) ({reference})"
    ),
    ("moderate", False): (
        "NSFW content detected. Try running it again, or try a different prompt."
    ),
}


class ReplicateEmulator(Emulator):
    """Replicate on the loopback interface."""

    name = "replicate"
    webhook_secret: ClassVar[str] = webhooks.SECRET

    def __init__(self, knobs: Knobs = DEFAULT_KNOBS) -> None:
        super().__init__(knobs)
        self._files = Files(lambda: self.base_url)
        self._library = Library(self)
        self._predictions: dict[str, Prediction] = {}
        self._trainings: dict[str, Prediction] = {}
        self._by_token: dict[str, Prediction] = {}

    @property
    def config(self) -> dict[str, str]:
        """The base URL, version included."""
        return {"base_url": f"{self.base_url}/v1"}

    @property
    def env(self) -> dict[str, str]:
        """What Replicate's SDK reads; its base URL is given without the version."""
        return {
            "REPLICATE_API_TOKEN": self.knobs.key or "r8_emulator",
            "REPLICATE_BASE_URL": self.base_url,
        }

    def reset(self) -> None:
        """Forget every job, file, model and deployment that was created, and the statistics."""
        super().reset()
        self._files.clear()
        self._library.clear()
        for kept in (self._predictions, self._trainings, self._by_token):
            kept.clear()

    def routes(self) -> list[web.RouteDef]:
        """The routes of the API, and those of the outputs (``/delivery``)."""
        return [
            web.post("/v1/predictions", self._create_by_version),
            web.post("/v1/models/{owner}/{name}/predictions", self._create_by_model),
            web.post("/v1/deployments/{owner}/{name}/predictions", self._create_by_deployment),
            web.get("/v1/predictions", self._list_predictions),
            web.get("/v1/predictions/{id}", self._read),
            web.post("/v1/predictions/{id}/cancel", self._cancel),
            web.post("/v1/models/{owner}/{name}/versions/{version}/trainings", self._train),
            web.get("/v1/trainings", self._list_trainings),
            web.get("/v1/trainings/{id}", self._read),
            web.post("/v1/trainings/{id}/cancel", self._cancel),
            web.get("/v1/streams/{token}", self._stream),
            web.get("/v1/webhooks/default/secret", self._secret),
            web.get("/delivery/{token}/{file}", self._deliver),
            *self._library.routes(),
            *self._files.routes(),
        ]

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        """Ask for the credential, in both forms in use."""
        if _OPEN.fullmatch(request.path):
            return None
        if not self.accepts(_credential(request)):
            return unauthenticated()
        unmatched = request.match_info.http_exception
        return None if unmatched is None else problem(unmatched.status, unmatched.reason)

    def decorate(self, request: web.Request, response: web.StreamResponse) -> None:
        """Tell how much of the rate limit is left."""
        if response.status == 401 or _OPEN.fullmatch(request.path):
            return
        remaining = 2999
        if request.method == "POST" and _CREATE.fullmatch(request.path):
            remaining = 599
        elif request.method == "GET" and request.path.startswith("/v1/predictions/"):
            remaining = 59_999
        response.headers["ratelimit-remaining"] = str(remaining)
        response.headers["ratelimit-reset"] = "1"

    # Creating

    async def _create_by_version(self, request: web.Request) -> web.StreamResponse:
        def choose(body: Mapping[str, Any]) -> Model | web.Response:
            model = self._library.catalogue.run(body["version"], strict=self.knobs.strict)
            return model or no_version()

        return await self._create(request, _VERSION_BODY, choose)

    async def _create_by_model(self, request: web.Request) -> web.StreamResponse:
        owner, name = request.match_info["owner"], request.match_info["name"]

        def choose(body: Mapping[str, Any]) -> Model | web.Response:
            model = self._library.catalogue.model(owner, name, strict=self.knobs.strict)
            if model is None or (model.known and not model.official):
                return not_found(f"Model not found: {owner}/{name}")
            return model

        return await self._create(request, _BODY, choose)

    async def _create_by_deployment(self, request: web.Request) -> web.StreamResponse:
        owner, name = request.match_info["owner"], request.match_info["name"]

        def choose(body: Mapping[str, Any]) -> Model | web.Response:
            return self._library.deployed(owner, name) or not_found()

        return await self._create(request, _BODY, choose, deployment=f"{owner}/{name}")

    async def _create(
        self,
        request: web.Request,
        schema: Mapping[str, Any],
        choose: Callable[[Mapping[str, Any]], Model | web.Response],
        **extra: str,
    ) -> web.StreamResponse:
        body = await self._accepted_body(request, schema)
        if isinstance(body, web.Response):
            return body
        model = choose(body)
        if isinstance(model, web.Response):
            return model
        lifetime = _lifetime(body.get("lifetime") or request.headers.get("Cancel-After"))
        found = _within_input(model.problems(body["input"]))
        if found := found + ([lifetime] if isinstance(lifetime, Problem) else []):
            return invalid(found)
        limit = None if isinstance(lifetime, Problem) else lifetime
        lost_file = next((url for url in _values(body["input"]) if self._files.missing(url)), None)
        job = self.admit(fails=lost_file is not None, lifetime=limit)
        prediction_id = _new_id()
        seed = _seed(body["input"], prediction_id)
        error = _error(job, model)
        if lost_file is not None:
            error = f"Input validation error: 404 Client Error: Not Found for url: {lost_file}"
        prediction = Prediction(
            id=prediction_id,
            model=model,
            # An official model does not tell its version, unless that was asked for.
            version="hidden" if model.official and not _pinned(body) else model.version_id,
            input=body["input"],
            job=job,
            output=outputs.make(model, body["input"], seed),
            token=secrets.token_urlsafe(33),
            seed=seed,
            error=error,
            extra=extra,
        )
        if limit is not None:
            deadline = timestamp(prediction.created + timedelta(seconds=limit))
            prediction.extra = {**prediction.extra, "deadline": deadline}
        self._predictions[prediction.id] = prediction
        return await self._accept(request, prediction, body)

    async def _train(self, request: web.Request) -> web.StreamResponse:
        body = await self._accepted_body(request, _TRAINING_BODY)
        if isinstance(body, web.Response):
            return body
        reference = "{owner}/{name}:{version}".format(**request.match_info)
        catalogue, strict = self._library.catalogue, self.knobs.strict
        model = catalogue.run(reference, strict=strict)
        if model is None or (model.known and model.training_schema is None):
            return no_version()
        destination = body["destination"]
        if not MODEL_NAME.fullmatch(destination) or (strict and not catalogue.exists(destination)):
            return problem(404, "The specified training destination does not exist")
        if found := _within_input(model.problems(body["input"], training=True)):
            return invalid(found)
        job = self.admit()
        training_id, version_id = _new_id(), secrets.token_hex(32)
        seed = _seed(body["input"], training_id)
        training = Prediction(
            id=training_id,
            model=model,
            version=model.version_id,
            input=body["input"],
            job=job,
            output={
                "version": f"{destination}:{version_id}",
                "weights": outputs.train(body["input"], seed),
            },
            token=secrets.token_urlsafe(33),
            seed=seed,
            error=_error(job, model),
            training=True,
        )
        if job.outcome == "succeed":
            owner, _, name = destination.partition("/")
            catalogue.add(model.derive(owner, name, version_id, job.ends))
        self._trainings[training.id] = training
        return await self._accept(request, training, body)

    async def _accepted_body(
        self, request: web.Request, schema: Mapping[str, Any]
    ) -> dict[str, Any] | web.Response:
        """The body of a create, or why it is refused before anything is looked at."""
        refusal = self.refuse_create()
        if refusal is not None:
            return throttled(refusal)
        if "nocredit" in (_credential(request) or ""):
            return no_credit()
        body = await read_json(request)
        if body is None:
            return problem(400, "The body is not JSON")
        if found := problems(schema, body):
            return invalid(found)
        for name in ("webhook", "webhook_completed"):
            if name in body and not _allowed_webhook(body[name]):
                return invalid([Problem((name,), "format", "is not HTTPS", "https", body[name])])
        accepted: dict[str, Any] = body
        return accepted

    async def _accept(
        self, request: web.Request, prediction: Prediction, body: Mapping[str, Any]
    ) -> web.StreamResponse:
        """Follow a job that was accepted, and answer its create."""
        self._by_token[prediction.token] = prediction
        prediction.webhook = body.get("webhook") or body.get("webhook_completed")
        if prediction.webhook is not None:
            only_end = "webhook" not in body
            default = ("completed",) if only_end else webhooks.DEFAULT_EVENTS
            prediction.events = frozenset(body.get("webhook_events_filter") or default)
            told = {name: body[name] for name in body if name.startswith("webhook")}
            prediction.extra = {**prediction.extra, **told}
            self.spawn(
                webhooks.follow(prediction, lambda: self._document(prediction), self.session)
            )
        if prediction.job.lose_reply:
            return self.lose(request)
        wait = _WAIT.search(request.headers.get("Prefer", ""))
        if wait is None or prediction.training:
            return web.json_response(prediction.created_document(self.base_url), status=201)
        seconds = min(max(int(wait[1] or 60), 1), 60)
        headers = {
            "preference-applied": f"wait={seconds}" if wait[1] else "wait",
            "Location": f"{self.base_url}/v1/predictions/{prediction.id}",
        }
        await prediction.until(min(prediction.job.created + seconds, prediction.job.ends))
        document = await self._waited(prediction)
        return web.json_response(document, status=201, headers=headers)

    async def _waited(self, prediction: Prediction) -> dict[str, Any]:
        """What a create that waited answers."""
        document = self._document(prediction)
        if document["status"] not in TERMINAL:
            # Even if it runs already: SDKs take anything but "starting" for finished.
            return prediction.created_document(self.base_url)
        if document["status"] != "succeeded" or prediction.job.number % 2 == 0:
            return document
        rendered = {
            file: media.data_uri(await asyncio.to_thread(file.render))
            for file in outputs.files(prediction.output)
        }
        return {
            **document,
            "status": "processing",
            "completed_at": None,
            "metrics": {},
            "output": resolved(prediction.output, lambda file: rendered[file]),
        }

    # Reading

    def _document(self, prediction: Prediction) -> dict[str, Any]:
        return prediction.document(
            time.monotonic(),
            base_url=self.base_url,
            place=lambda file: self.output_url(f"/delivery/{prediction.token}/{file.name}"),
            expire_seconds=self.knobs.expire_seconds,
        )

    def _find(self, request: web.Request) -> Prediction | None:
        # The links of a fresh training point at the predictions, so both find both.
        wanted = request.match_info["id"]
        return self._predictions.get(wanted) or self._trainings.get(wanted)

    async def _read(self, request: web.Request) -> web.Response:
        prediction = self._find(request)
        return not_found() if prediction is None else web.json_response(self._document(prediction))

    async def _cancel(self, request: web.Request) -> web.Response:
        prediction = self._find(request)
        if prediction is None:
            return not_found()
        now = time.monotonic()
        status = prediction.status(now)
        if status not in TERMINAL:
            self.finish(prediction.job, charged=status == "processing")
            prediction.canceled = True
            prediction.stopped.set()
            if prediction.training:
                self._library.catalogue.withdraw(prediction.output["version"].rpartition(":")[2])
        return web.json_response(self._document(prediction))

    async def _list_predictions(self, request: web.Request) -> web.Response:
        try:
            after, before = (
                datetime.fromisoformat(text) if (text := request.query.get(name)) else None
                for name in ("created_after", "created_before")
            )
            wanted = [
                prediction
                for prediction in reversed(self._predictions.values())
                if (after is None or prediction.created >= after)
                and (before is None or prediction.created < before)
            ]
        except (TypeError, ValueError):
            return problem(422, "created_after and created_before are ISO 8601 times with a zone")
        return self._page(request, wanted)

    async def _list_trainings(self, request: web.Request) -> web.Response:
        return self._page(request, list(reversed(self._trainings.values())))

    def _page(self, request: web.Request, found: list[Prediction]) -> web.Response:
        return page(
            request,
            found,
            size=100,
            key=lambda prediction: prediction.id,
            document=self._document,
            base_url=self.base_url,
        )

    async def _secret(self, request: web.Request) -> web.Response:
        return web.json_response({"key": self.webhook_secret})

    # Outputs

    async def _deliver(self, request: web.Request) -> web.Response:
        prediction = self._by_token.get(request.match_info["token"])
        now = time.monotonic()
        if (
            prediction is None
            or prediction.status(now) != "succeeded"
            or now >= prediction.job.ends + self.knobs.expire_seconds
        ):
            return web.Response(status=404, text="Not Found")
        for file in outputs.files(prediction.output):
            if file.name == request.match_info["file"]:
                rendered = await asyncio.to_thread(file.render)
                return deliver(request, rendered.content, rendered.mime)
        return web.Response(status=404, text="Not Found")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        prediction = self._by_token.get(request.match_info["token"])
        if prediction is None or not prediction.model.concatenates or prediction.training:
            return not_found()
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        job, pieces = prediction.job, prediction.output
        sent = 0

        async def send(event: str, data: str) -> None:
            nonlocal sent
            lines = "".join(f"data: {line}\n" for line in data.split("\n"))
            head = f"event: {event}\nid: {int(time.time())}:{sent}\n"
            await response.write(f"{head}{lines}\n".encode())
            sent += 1

        while True:
            status = prediction.status(time.monotonic())
            ready = len(pieces) if status == "succeeded" else 0
            if status == "processing":
                ready = prediction.chunks(time.monotonic())
            for piece in pieces[sent:ready]:
                await send("output", piece)
            if status in TERMINAL:
                break
            each = (job.ends - job.starts) / len(pieces)
            await prediction.until(min(job.starts + (sent + 1) * each, job.ends))
        if status == "failed":
            await send("error", json.dumps({"detail": prediction.error}))
        reasons = {"succeeded": {}, "failed": {"reason": "error"}}
        await send("done", json.dumps(reasons.get(status, {"reason": "canceled"})))
        return response


def _credential(request: web.Request) -> str | None:
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    return credential.strip() if scheme in {"Bearer", "Token"} else None


def _new_id() -> str:
    """26 digits of base 32, in lower case."""
    return base64.b32hexencode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def _seed(given: Mapping[str, Any], prediction_id: str) -> int:
    """The input's own seed; a new one for each prediction where it has none."""
    seed = given.get("seed")
    return seed if isinstance(seed, int) else zlib.crc32(prediction_id.encode()) % 100_000


def _pinned(body: Mapping[str, Any]) -> bool:
    return len(str(body.get("version", "")).rpartition(":")[2]) == 64


def _error(job: Job, model: Model) -> str | None:
    if job.outcome == "succeed":
        return None
    reference = secrets.token_urlsafe(8)[:10]
    return _ERRORS[job.outcome, model.official].format(reference=reference)


def _lifetime(text: str | None) -> float | Problem | None:
    """Seconds of a duration such as ``1h30m45s``."""
    if text is None:
        return None
    parts = _DURATION.fullmatch(text)
    if parts is None:
        return Problem(("lifetime",), "format", "is no duration", "duration", text)
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds


def _allowed_webhook(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme == "https" or (
        url.scheme == "http" and url.host in {"127.0.0.1", "::1", "localhost"}
    )


def _within_input(found: list[Problem]) -> list[Problem]:
    return [
        Problem(("input", *item.path), item.kind, item.message, item.expected, item.value)
        for item in found
    ]


def _values(given: Mapping[str, Any]) -> list[Any]:
    """The values of an input, and those inside its lists."""
    return [
        item for value in given.values() for item in (value if isinstance(value, list) else [value])
    ]
