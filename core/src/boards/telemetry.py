"""OpenTelemetry: a trace of each generation and figures of all of them.

It watches what the store commits, and what the transport and the downloader carry; the engine
knows nothing of spans. Only the extra ``otel`` brings what is imported here: without it, and in
hosts that do not use OpenTelemetry, this module is never loaded.

Names follow the semantic conventions for generative AI and for HTTP where they have any
(https://github.com/open-telemetry/semantic-conventions-genai, in development as of 2025), else
they begin with ``boards.``. No input, no output, no URL, no header and no owner is in any of them,
but for what the message of a failure and the reason of an event quote.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from attrs import define
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from boards.logs import facts

if TYPE_CHECKING:
    from boards.engine.download import Downloaded, Fetcher
    from boards.engine.transport import Reply, Request, Socket, Transport
    from boards.events import Happening
    from boards.generations import Attempt, Generation, Phase

__all__ = ["Telemetry"]

_SPANS: Final[Mapping["Phase", str]] = {
    "queued": "boards.queue",
    "submitting": "boards.submit",
    "waiting": "boards.wait",
    "fetching": "boards.fetch",
    "unknown": "boards.unknown",
}
"""The span of each phase, a child of the generation's."""

_TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "progress": ("status", "percent", "queue_position"),
    "log": (),
    "retrying": ("reason", "seconds"),
    "fallback": ("from", "to", "reason"),
    "canceling": (),
    "resolved": ("decision",),
    "unknown": ("reason",),
}
"""Events of a generation that become events of its span, and what they tell there."""

_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 3600)
_DOLLARS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)
_BYTES: Final = tuple(float(4**power) for power in range(5, 17))


@define
class _Trace:
    """A generation that is watched.

    Attributes:
        root: Its span.
        span: That of its phase.
        phase: Which.
        of: What its figures are by.
        requests: How many were sent in this phase.
    """

    root: Span
    span: Span
    phase: "Phase"
    of: dict[str, str]
    requests: int = 0


class Telemetry:
    """Watches the generations that this process drives."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("boards")
        self._live: dict[str, _Trace] = {}
        self._closed = False
        meter = metrics.get_meter("boards")
        self._ended = meter.create_counter(
            "boards.generations", "{generation}", "Generations that ended, by outcome."
        )
        self._in_flight = meter.create_up_down_counter(
            "boards.generations.in_flight", "{generation}", "Generations under way."
        )
        self._submits = meter.create_counter(
            "boards.submits", "{submit}", "Attempts to submit, by result."
        )
        self._requests = meter.create_counter(
            "boards.requests", "{request}", "HTTP requests, by the phase of their generation."
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "From creation to the end.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._queue_time = meter.create_histogram(
            "boards.generation.queue_time",
            "s",
            "From creation until the provider was first seen running it.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._run_time = meter.create_histogram(
            "boards.generation.run_time",
            "s",
            "From then to the end.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._cost = meter.create_histogram(
            "boards.generation.cost",
            "{USD}",
            "What a generation that succeeded cost, where it is known.",
            explicit_bucket_boundaries_advisory=_DOLLARS,
        )
        self._size = meter.create_histogram(
            "boards.download.size",
            "By",
            "Bytes of each output that was fetched.",
            explicit_bucket_boundaries_advisory=_BYTES,
        )

    # What the engine tells

    def begin(self, generation: "Generation", context: Context | None = None) -> None:
        """Watch a generation from now on: within the caller's span, if no context is given."""
        root = self._tracer.start_span(
            "boards.generation",
            context,
            SpanKind.CLIENT,
            {"boards.generation.id": generation.id},
            start_time=_nanoseconds(generation.created_at),
        )
        known = _Trace(root, root, generation.phase, {})
        self._name(known, generation)
        if not generation.final:
            self._begin_phase(known, generation.phase)
        self._live[generation.id] = known
        self._in_flight.add(1, known.of)

    def committed(self, generation: "Generation", happenings: "Sequence[Happening]") -> None:
        """Told by the store after each commit of a process that drives."""
        if self._closed:
            return  # the last commits of a process that leaves are those of whoever goes on
        known = self._live.get(generation.id)
        if known is None:
            if generation.phase == "queued":
                return  # whoever created it begins it, within its own span
            if generation.final and all(one.type != generation.phase for one in happenings):
                return  # its end was told before: a late answer, an orphan
            self.begin(generation, Context())
            known = self._live[generation.id]
        for one in happenings:
            if one.type in _TOLD:
                told = {key: one.data.get(key) for key in _TOLD[one.type]}
                if one.type == "log":
                    told["lines"] = len(one.data["lines"])
                known.span.add_event(one.type, {k: v for k, v in told.items() if v is not None})
        if generation.provider != known.of["gen_ai.provider.name"]:
            self._in_flight.add(-1, known.of)
            self._name(known, generation)
            self._in_flight.add(1, known.of)
        if generation.phase != known.phase:
            self._end_phase(known)
            if not generation.final:
                self._begin_phase(known, generation.phase)
        if generation.final:
            self._end(known, generation)

    def attempted(
        self, generation: "Generation", before: "Attempt | None", attempt: "Attempt"
    ) -> None:
        """Told what became of an attempt, when it is committed."""
        known = before is not None and before.number == attempt.number and before.outcome
        if attempt.outcome is not None and not known:
            self._submits.add(1, {**_attributes(generation), "boards.result": attempt.outcome})

    def close(self) -> None:
        """Nothing more is watched here: what is under way, another process goes on with."""
        self._closed = True
        for known in self._live.values():
            self._end_phase(known)
            known.root.set_attribute("boards.left", True)
            known.root.end()
            self._in_flight.add(-1, known.of)
        self._live.clear()

    def transport(self, inner: "Transport") -> "Transport":
        """A transport that is watched."""
        return _Requests(self, inner)

    def fetcher(self, inner: "Fetcher") -> "Fetcher":
        """A downloader that is watched."""
        return _Downloads(self, inner)

    # Spans

    def _name(self, known: _Trace, generation: "Generation") -> None:
        known.of = _attributes(generation)
        known.root.set_attributes(
            {
                **known.of,
                "gen_ai.operation.name": "generate_content",
                "gen_ai.output.type": generation.artifact_type,
            }
        )

    def _begin_phase(self, known: _Trace, phase: "Phase") -> None:
        known.phase, known.requests = phase, 0
        known.span = self._tracer.start_span(_SPANS[phase], trace.set_span_in_context(known.root))

    def _end_phase(self, known: _Trace) -> None:
        known.span.set_attribute("boards.requests", known.requests)
        known.span.end()

    def _end(self, known: _Trace, generation: "Generation") -> None:
        """The span and the figures of a generation that ended."""
        del self._live[generation.id]
        root, of = known.root, known.of
        failure, cost = generation.error, generation.cost
        outcome = {**of, "boards.outcome": generation.phase}
        if failure is not None:
            outcome["error.type"] = failure.kind
            root.set_status(Status(StatusCode.ERROR, failure.message))
        root.set_attributes({**outcome, "boards.artifacts": len(generation.artifacts)})
        if generation.provider_job_id is not None:
            root.set_attribute("gen_ai.response.id", generation.provider_job_id)
        if cost is not None:
            root.set_attribute("boards.cost.usd", cost.usd)
            root.set_attribute("boards.cost.told", not cost.estimated)
        finished = generation.finished_at or time.time()
        root.end(_nanoseconds(finished))
        self._in_flight.add(-1, of)
        self._ended.add(1, outcome)
        by = {name: outcome[name] for name in outcome if name != "boards.outcome"}
        by["gen_ai.operation.name"] = "generate_content"
        self._duration.record(max(0.0, finished - generation.created_at), by)
        running = generation.started_at or generation.submitted_at
        if running is not None:
            self._queue_time.record(max(0.0, running - generation.created_at), of)
            self._run_time.record(max(0.0, finished - running), outcome)
        if cost is not None and generation.phase == "succeeded":
            self._cost.record(cost.usd, of)

    @property
    def current(self) -> _Trace | None:
        """The generation that is driven here."""
        return self._live.get(facts().get("generation", ""))

    def asked(self, known: _Trace, result: Mapping[str, Any]) -> None:
        """Count a request for a generation."""
        known.requests += 1
        self._requests.add(
            1,
            {
                "gen_ai.provider.name": known.of["gen_ai.provider.name"],
                "boards.phase": known.phase,
                **result,
            },
        )

    def fetched(self, known: _Trace, size: int) -> None:
        """Note the size of an output."""
        self._size.record(size, known.of)

    @asynccontextmanager
    async def child(self, known: _Trace, name: str, url: str) -> "AsyncIterator[Span]":
        """A span of something that is carried for a generation; a URL's host, and no more of it."""
        within = trace.set_span_in_context(known.span)
        span = self._tracer.start_span(name, within, SpanKind.CLIENT, _server(url))
        try:
            yield span
        except BaseException as error:
            # Its message may quote what was sent, and to where.
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()


class _Requests:
    """A transport whose requests for generations are counted.

    Those before the submit are uploads and have spans; those of other phases belong to the span
    of the phase, of which there may be hundreds.
    """

    def __init__(self, telemetry: Telemetry, inner: "Transport") -> None:
        self._telemetry = telemetry
        self._inner = inner

    async def send(self, request: "Request") -> "Reply":
        known = self._telemetry.current
        if known is None:
            return await self._inner.send(request)
        if known.phase != "queued":
            return await self._counted(known, known.span, request)
        async with self._telemetry.child(known, "boards.upload", request.url) as span:
            span.set_attribute("http.request.method", request.method)
            return await self._counted(known, span, request)

    async def _counted(self, known: _Trace, span: Span, request: "Request") -> "Reply":
        try:
            reply = await self._inner.send(request)
        except BaseException as error:
            self._telemetry.asked(known, {"error.type": type(error).__name__})
            raise
        status = {"http.response.status_code": reply.status}
        span.set_attributes(status)
        self._telemetry.asked(known, status)
        return reply

    async def connect(self, url: str, seconds: float | None) -> "Socket":
        return await self._inner.connect(url, seconds)

    async def close(self) -> None:
        await self._inner.close()


class _Downloads:
    """A downloader whose downloads for generations have spans."""

    def __init__(self, telemetry: Telemetry, inner: "Fetcher") -> None:
        self._telemetry = telemetry
        self._inner = inner

    async def fetch(
        self, url: str, headers: Mapping[str, str] | None = None, *, expires_at: float = 0.0
    ) -> "Downloaded":
        known = self._telemetry.current
        if known is None:
            return await self._inner.fetch(url, headers, expires_at=expires_at)
        async with self._telemetry.child(known, "boards.download", url) as span:
            downloaded = await self._inner.fetch(url, headers, expires_at=expires_at)
            size = downloaded.writer.size
            span.set_attribute("boards.download.size", size)
            self._telemetry.fetched(known, size)
            return downloaded


def _attributes(generation: "Generation") -> dict[str, str]:
    """What spans and figures are by."""
    return {
        "gen_ai.provider.name": generation.provider,
        "gen_ai.request.model": generation.generator.removeprefix(f"{generation.provider}/"),
        "boards.generator": generation.generator,
    }


def _server(url: str) -> dict[str, str | int]:
    """A URL's host and port; empty for what is none: whoever carries it refuses it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return {}
    return {"server.address": host} | ({} if port is None else {"server.port": port})


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
