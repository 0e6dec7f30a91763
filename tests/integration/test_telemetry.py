"""OpenTelemetry: the trace and the figures of generations, as an SDK gets them."""

import asyncio
import functools
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from boards import Boards, GenerationFailedError, SettingsError
from boards.pipelines import Pipeline
from tests.integration.acme import Acme, drop
from tests.integration.conftest import Open

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
    InMemorySpanExporter,
)


class Collected:
    """What the one SDK of this process collected since a test began: providers are set once."""

    @classmethod
    @functools.cache
    def one(cls) -> "Collected":
        """It."""
        return cls()

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        delta = AggregationTemporality.DELTA
        self.reader = InMemoryMetricReader(
            preferred_temporality={Counter: delta, Histogram: delta, UpDownCounter: delta}
        )
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        trace.set_tracer_provider(provider)
        metrics.set_meter_provider(MeterProvider([self.reader]))

    def spans(self) -> dict[str, list[ReadableSpan]]:
        """Spans by name."""
        found: dict[str, list[ReadableSpan]] = {}
        for span in self.exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        return found

    def figures(self) -> dict[str, list[Any]]:
        """The data points of each metric; the next call begins anew."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            if scope.scope.name == "boards"
            for metric in scope.metrics
        }


@pytest.fixture
def collected() -> Iterator[Collected]:
    """Nothing yet."""
    sdk = Collected.one()
    sdk.exporter.clear()
    sdk.figures()
    yield sdk
    sdk.exporter.clear()


def by(points: list[Any], attribute: str) -> dict[Any, Any]:
    """Values of a counter by one of its attributes."""
    return {point.attributes[attribute]: point.value for point in points}


async def test_a_generation_is_one_trace(
    open_boards: Open, acme: Acme, collected: Collected
) -> None:
    """A span for each phase and each fetched output, inside the caller's own span."""
    with trace.get_tracer("host").start_as_current_span("request") as request:
        async with open_boards() as boards:
            generation = await boards.generate("acme/draw", prompt="a very private cat")
    spans = collected.spans()
    (root,) = spans["boards.generation"]
    assert root.parent is not None
    assert root.parent.span_id == request.get_span_context().span_id
    attributes = root.attributes or {}
    assert dict(attributes) == {
        "boards.generation.id": generation.id,
        "boards.generator": "acme/draw",
        "boards.outcome": "succeeded",
        "boards.artifacts": 1,
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "draw",
        "gen_ai.output.type": "image",
        "gen_ai.response.id": "job-1",
    }
    phases = ["boards.queue", "boards.submit", "boards.wait", "boards.fetch"]
    assert list(spans) == [*phases[:3], "boards.download", "boards.fetch", root.name, "request"]
    for name in phases:
        (span,) = spans[name]
        assert span.parent is not None
        assert span.parent.span_id == root.context.span_id
    (submit,), (wait,) = spans["boards.submit"], spans["boards.wait"]
    assert dict(submit.attributes or {}) == {
        "http.response.status_code": 201,
        "boards.requests": 1,
    }
    assert [event.name for event in wait.events].count("progress") >= 1
    (download,) = spans["boards.download"]
    assert (download.attributes or {})["boards.download.size"] == generation.artifacts[0].size


@pytest.mark.parametrize("url", ["http://cdn.example:99999/a.png", "http://[cdn]/a.png"])
async def test_an_address_that_is_none_fails_as_it_does_unwatched(
    open_boards: Open, acme: Acme, collected: Collected, url: str
) -> None:
    """At once, as ``untrusted_url``; its span has no address."""

    async def odd(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"images": [{"url": url}]})

    acme.answers["result"] = odd
    async with asyncio.timeout(10), open_boards() as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("acme/draw", prompt="a")
    assert caught.value.kind == "untrusted_url"
    (download,) = collected.spans()["boards.download"]
    assert "server.port" not in (download.attributes or {})


async def test_figures_tell_outcomes_times_and_sizes(
    open_boards: Open, acme: Acme, collected: Collected
) -> None:
    """By provider and generator."""
    async with open_boards() as boards:
        await boards.generate("acme/draw", prompt="a cat")
        acme.answers["submit"] = _refuse
        with pytest.raises(GenerationFailedError):
            await boards.generate("acme/draw", prompt="a dog")
    figures = collected.figures()
    assert by(figures["boards.generations"], "boards.outcome") == {"succeeded": 1, "failed": 1}
    failed = next(p for p in figures["boards.generations"] if "error.type" in p.attributes)
    assert failed.attributes["error.type"] == "invalid_input"
    assert by(figures["boards.submits"], "boards.result") == {"accepted": 1, "refused": 1}
    assert sum(point.value for point in figures["boards.generations.in_flight"]) == 0
    phases = {point.attributes["boards.phase"] for point in figures["boards.requests"]}
    assert phases == {"submitting", "waiting", "fetching"}
    for name in (
        "gen_ai.client.operation.duration",
        "boards.generation.queue_time",
        "boards.generation.run_time",
        "boards.download.size",
    ):
        assert all(point.sum > 0 for point in figures[name]), name
    (size,) = figures["boards.download.size"]
    assert size.attributes["boards.generator"] == "acme/draw"


async def _refuse(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"error": {"message": "no dogs"}}, status=422)


async def test_a_lost_answer_is_an_ambiguous_submit(
    open_boards: Open, acme: Acme, collected: Collected
) -> None:
    """It is open until it is resolved, and in flight as long."""
    acme.answers["submit"] = drop
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
        assert (await boards.wait(generation.id)).phase == "unknown"
        await asyncio.sleep(0)  # the engine's own turn, after its commit
        figures = collected.figures()
        assert by(figures["boards.submits"], "boards.result") == {"ambiguous": 1}
        assert sum(point.value for point in figures["boards.generations.in_flight"]) == 1
        assert "boards.generation" not in collected.spans()
        await boards.resolve(generation.id)
    spans = collected.spans()
    (root,), (unknown,) = spans["boards.generation"], spans["boards.unknown"]
    assert not root.status.is_ok
    assert [event.name for event in unknown.events] == ["resolved"]


async def test_a_generation_that_moves_to_another_process_has_two_traces(
    open_boards: Open, acme: Acme, collected: Collected
) -> None:
    """Both have its id; the first tells that it was left."""
    acme.polls_needed = 1_000
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
        while acme.counts["poll"] < 2:
            await asyncio.sleep(0.01)
    (first,) = collected.spans()["boards.generation"]
    assert (first.attributes or {})["boards.left"] is True
    acme.polls_needed = 0
    async with open_boards() as boards:
        await boards.wait(generation.id)
    both = collected.spans()["boards.generation"]
    assert [(one.attributes or {})["boards.generation.id"] for one in both] == [generation.id] * 2
    assert both[1].parent is None
    assert sum(p.value for p in collected.figures()["boards.generations.in_flight"]) == 0


async def test_steps_of_a_pipeline_are_inside_the_span_of_whoever_started_the_run(
    open_boards: Open, acme: Acme, collected: Collected
) -> None:
    """Also where two start one at once: no request has the steps of another one in its trace."""
    pipeline = Pipeline("chain", inputs={"idea": str})
    first = pipeline.step("first", "acme/draw", prompt=pipeline.input.idea)
    pipeline.step("last", "acme/draw", prompt="more", image=first.artifacts[0])
    mine: dict[str, int] = {}

    async def request(boards: Boards, idea: str) -> None:
        with trace.get_tracer("host").start_as_current_span(idea) as span:
            run = await boards.start_run(pipeline, idea=idea)
        run = await boards.wait_run(run.id)
        mine.update(
            (str(step.generation_id), span.get_span_context().span_id) for step in run.steps
        )

    async with open_boards() as boards:
        await asyncio.gather(request(boards, "a fox"), request(boards, "a hare"))
    found = {
        (root.attributes or {})["boards.generation.id"]: root.parent and root.parent.span_id
        for root in collected.spans()["boards.generation"]
    }
    assert found == mine


async def test_what_is_committed_while_a_process_leaves_begins_no_trace(
    open_boards: Open, acme: Acme, collected: Collected
) -> None:
    """Whoever goes on has it; a trace that nobody ends would count as under way for ever."""
    acme.polls_needed = 1_000
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
        while acme.counts["poll"] < 1:
            await asyncio.sleep(0.01)
        engine = boards._engine
        assert engine is not None
        telemetry = engine._telemetry
        assert telemetry is not None
        current = await boards.get(generation.id)
    telemetry.committed(current, ())
    assert sum(p.value for p in collected.figures()["boards.generations.in_flight"]) == 0


async def test_an_end_that_comes_by_a_decision_is_a_trace_too(
    open_boards: Open, acme: Acme, collected: Collected
) -> None:
    """Nothing was driven here before it: the unknown one was left by another process."""
    acme.answers["submit"] = drop
    async with open_boards() as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
        assert (await boards.wait(generation.id)).phase == "unknown"
    collected.exporter.clear()
    collected.figures()
    async with open_boards() as boards:
        await boards.resolve(generation.id)
        figures = collected.figures()
        assert by(figures["boards.generations"], "boards.outcome") == {"failed": 1}
        assert sum(p.value for p in figures["boards.generations.in_flight"]) == 0
    (root,) = collected.spans()["boards.generation"]
    assert (root.attributes or {})["boards.outcome"] == "failed"


async def test_a_process_that_only_submits_leaves_the_trace_to_the_driver(
    open_boards: Open, collected: Collected
) -> None:
    """A span that nobody ends would be none."""
    async with open_boards(drive=False) as boards:
        generation = await boards.submit("acme/draw", prompt="a cat")
    assert collected.spans() == {}
    async with open_boards() as boards:
        await boards.wait(generation.id)
    assert len(collected.spans()["boards.generation"]) == 1


async def test_it_can_be_switched_off(open_boards: Open, collected: Collected) -> None:
    """Even where the host uses OpenTelemetry."""
    async with open_boards(opentelemetry=False) as boards:
        await boards.generate("acme/draw", prompt="a cat")
    assert collected.spans() == {}
    assert collected.figures() == {}


def test_a_host_without_opentelemetry_never_loads_it(tmp_path: Any) -> None:
    """Installed or not: who does not import it does not use it."""
    code = (
        "import asyncio, sys\nfrom boards import Boards\n"
        "async def main():\n"
        f"    async with Boards(home={str(tmp_path)!r}, environment={{}}): pass\n"
        "asyncio.run(main())\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_what_is_not_installed_cannot_be_switched_on(
    open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "boards.telemetry", None)
    with pytest.raises(SettingsError) as raised:
        async with open_boards(opentelemetry=True):
            pass
    assert raised.value.remedy == "pip install 'boards-core[otel]'"
