"""Edges of the engine: what comes at the wrong moment, twice, or not at all."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from boards import Boards
from boards.adapters import Adapter, Job
from boards.engine import driving, limits, sse, waiting
from boards.engine.transport import UnsentError
from boards.errors import (
    BoardsError,
    GenerationFailedError,
    ProviderError,
    StorageError,
    StoreError,
)
from boards.generations import Generation, new_id
from boards.runner import embedded
from boards.settings import OnAmbiguous
from boards.spec.replies import Found
from boards.storage.local import LocalStorage
from boards.store import Change
from tests.integration.acme import PNG, Acme, drop
from tests.integration.conftest import Open
from tests.integration.test_listening import SOCKET, STREAM, _sockets
from tests.integration.test_reconcile import RECONCILE
from tests.integration.test_webhooks import PUBLIC, SLOW, WEBHOOK, call, signed, submitted, token_of

HERE = "tests.integration.test_engine_edges"

KEYED: dict[str, Any] = {
    "path": "/jobs",
    "json": {"prompt": "${input.prompt}"},
    "capture": {"id": "body.id"},
    "idempotency": {"header": "Idempotency-Key"},
}


async def until(true: Callable[[], Any], seconds: float = 15.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def phase(boards: Boards, generation: Generation, wanted: str) -> Generation:
    """The generation once it is in a phase."""
    async with asyncio.timeout(5):
        while (now := await boards.get(generation.id)).phase != wanted:
            await asyncio.sleep(0.01)
    return now


async def ended(boards: Boards, generation: Generation, seconds: float = 15.0) -> Generation:
    """The generation at its end, which comes soon."""
    async with asyncio.timeout(seconds):
        return await boards.wait(generation.id)


# Webhooks at the wrong moment


@pytest.mark.parametrize("answer", ["lost", "busy"])
async def test_a_call_during_the_submit_is_not_lost_with_the_submits_answer(
    acme: Acme, open_boards: Open, answer: str
) -> None:
    """The provider called back before its answer was lost: the job is known, not ``unknown``."""
    told, calls = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await acme.submit(request)
        told.set()
        await calls.wait()
        if answer == "lost":
            return await drop(request)
        return web.json_response({}, status=429, headers={"Retry-After": "0"})

    acme.answers["submit"] = slow
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        await told.wait()
        body = call(acme)
        acme.jobs["job-1"]["polls"] = 5
        await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        calls.set()
        async with asyncio.timeout(5):
            async for event in boards.events(generation.id):
                if event.type == "succeeded":
                    break
        assert (await boards.get(generation.id)).provider_job_id == "job-1"
    assert acme.counts["submit"] == 1


@pytest.mark.parametrize("on_ambiguous", ["resubmit", "fail", "hold"])
async def test_a_call_during_the_last_look_is_heard(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch, on_ambiguous: OnAmbiguous
) -> None:
    """It was to be submitted again, or given up: the job is known, and paid for."""
    monkeypatch.setattr("boards.engine.recovering._SOON", (0.01,))

    async def lost(request: web.Request) -> web.StreamResponse:
        await acme.submit(request)
        return await drop(request)

    async def lagging(_request: web.Request) -> web.StreamResponse:
        if acme.counts["list"] == 2:
            acme.jobs["job-1"]["polls"] = 5
            body = call(acme)
            await boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        return web.json_response({"jobs": []})

    acme.answers["submit"], acme.answers["list"] = lost, lagging
    async with open_boards(
        provider={"webhook": WEBHOOK, "reconcile": RECONCILE}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat", on_ambiguous=on_ambiguous)
        assert (await ended(boards, generation)).status == "succeeded"
    assert acme.counts["submit"] == 1


async def test_a_call_whose_proof_takes_long_meets_the_generation_as_it_is_then(
    acme: Acme, open_boards: Open
) -> None:
    """It became ``unknown`` while the secret was fetched: the call resolves it all the same."""
    asked, go = asyncio.Event(), asyncio.Event()
    secret = acme.secret

    async def slow(request: web.Request) -> web.StreamResponse:
        asked.set()
        await go.wait()
        return await secret(request)

    dropping = asyncio.Event()

    async def lost(request: web.Request) -> web.StreamResponse:
        await acme.submit(request)
        await dropping.wait()
        return await drop(request)

    acme.answers["secret"], acme.answers["submit"] = slow, lost
    async with open_boards(
        provider={"webhook": WEBHOOK}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        await until(lambda: acme.jobs)
        body = call(acme)
        taking = asyncio.create_task(
            boards.receive_webhook("acme", signed(body), body, await token_of(acme))
        )
        await asked.wait()
        dropping.set()
        await phase(boards, generation, "unknown")
        go.set()
        await taking
        acme.jobs["job-1"]["polls"] = 5
        await phase(boards, generation, "succeeded")


async def test_the_same_words_from_an_unsigned_call_wake_each_time(
    acme: Acme, open_boards: Open
) -> None:
    """Where a call means no more than: ask, an equal one is not taken for a replay."""
    webhook = {"verify": {"kind": "none"}, "then": "poll"}
    async with open_boards(
        provider={"webhook": webhook}, execution=SLOW, webhook_url=PUBLIC
    ) as boards:
        generation = await submitted(boards)
        token = await token_of(acme)
        await boards.receive_webhook("acme", {}, b"{}", token)
        await until(lambda: acme.counts["poll"] == 1)
        await boards.receive_webhook("acme", {}, b"{}", token)
        assert (await ended(boards, generation)).status == "succeeded"


# Manners


async def test_a_probe_that_never_asked_does_not_keep_the_provider_shut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A submit that is vetoed at the half-open gate says nothing: the next one probes."""
    monkeypatch.setattr(limits, "_COOL_DOWN", (0.05, 0.1))
    monkeypatch.setattr(limits, "_PROBE", 0.05)
    breaker = limits.Breaker()
    for _ in range(5):
        breaker.failed()
    await asyncio.sleep(0.06)
    assert breaker.wait == 0
    breaker.begin()
    assert breaker.wait > 0
    await asyncio.sleep(0.06)
    assert breaker.wait == 0


def test_failures_of_what_was_under_way_do_not_open_the_breaker_for_longer() -> None:
    """Twenty requests fail at once: that is one outage, not sixteen."""
    breaker = limits.Breaker()
    for _ in range(20):
        breaker.failed()
    assert breaker.wait <= limits._COOL_DOWN[0]


async def test_what_waits_out_a_pause_is_canceled_at_once(acme: Acme, open_boards: Open) -> None:
    """The provider asked to wait half a minute; a wish to cancel does not."""

    async def busy(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": "30"})

    acme.answers["submit"] = busy
    async with open_boards() as boards:
        generation = await boards.submit("draw", prompt="a cat")
        async for event in boards.events(generation.id):
            if event.type == "retrying":
                break
        await boards.cancel(generation.id)
        assert (await ended(boards, generation, 10)).status == "canceled"


async def test_a_provider_that_asks_to_wait_no_time_is_not_asked_in_a_hurry(
    acme: Acme, open_boards: Open
) -> None:
    """``Retry-After: 0`` is no licence for a loop."""

    async def busy(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": "0"})

    acme.answers["poll"] = busy
    async with open_boards() as boards:
        await submitted(boards)
        await asyncio.sleep(1.0)
        assert 1 <= acme.counts["poll"] < 5


@pytest.mark.parametrize("why", ["told to wait", "polled rarely"])
async def test_no_wait_reaches_beyond_the_deadline(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Neither a provider's word nor a rare poll keeps a generation from expiring in time."""
    monkeypatch.setattr(waiting, "_GRACE", 0.1)

    async def busy(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": "3600"})

    execution: dict[str, Any] = {"deadline": {"queue": "500ms", "run": "500ms"}}
    if why == "told to wait":
        acme.answers["poll"] = busy
    else:
        execution["poll"] = {"path": "/jobs/${job.id}", "every": "1h", "max_every": "1h"}
        acme.polls_needed = 1_000_000
    async with open_boards(execution=execution) as boards:
        generation = await submitted(boards)
        assert (await ended(boards, generation)).phase == "expired"


async def test_a_result_is_not_lost_to_an_outage_at_the_deadline(
    acme: Acme, open_boards: Open
) -> None:
    """After a night asleep the first look fails: it is made again before the job is given up."""
    acme.polls_needed = 0
    poll = acme.poll

    async def later(request: web.Request) -> web.StreamResponse:
        return await (drop(request) if acme.counts["poll"] < 4 else poll(request))

    acme.answers["poll"] = later
    late = {"deadline": {"queue": "300ms", "run": "300ms"}}
    async with open_boards(execution=late) as boards:
        generation = await submitted(boards)
        assert (await ended(boards, generation, 10)).status == "succeeded"


async def test_a_broken_poll_ends_no_job_whose_result_tells_how_it_ended(
    acme: Acme, open_boards: Open
) -> None:
    """An entry for what a result answers holds for polls too: the job runs, and is paid for."""
    polled = acme.poll
    broken = {"when": {"status": 500}, "raise": "provider"}

    async def once(request: web.Request) -> web.StreamResponse:
        if acme.counts["poll"] == 1:
            return web.json_response({"error": "broken"}, status=500)
        return await polled(request)

    acme.answers["poll"] = once
    async with open_boards(provider={"errors": [broken]}) as boards:
        generation = await boards.generate("draw", prompt="a cat")
        assert generation.status == "succeeded"
        acme.answers["result"] = broken_result
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("draw", prompt="a dog")
    assert (caught.value.failure.kind, acme.counts["result"]) == ("provider", 2)


async def broken_result(_request: web.Request) -> web.StreamResponse:
    """The model's last word."""
    return web.json_response({"error": "broken"}, status=500)


async def test_a_late_job_is_asked_for_though_its_provider_counts_as_down(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came up again while nobody probed: what it has done by then is not thrown away."""
    monkeypatch.setattr(waiting, "_GRACE", 0.3)
    monkeypatch.setattr(limits, "_COOL_DOWN", (60.0, 60.0))
    acme.polls_needed = 0
    late = {
        "deadline": {"queue": "300ms", "run": "300ms"},
        "poll": {"path": "/jobs/${job.id}", "every": "200ms"},
    }
    async with open_boards(execution=late) as boards:
        generation = await submitted(boards)
        breaker = boards._running.client("acme").gate.breaker
        while not breaker.wait:
            breaker.failed()
        assert (await ended(boards, generation)).phase == "succeeded"


# Adapters that raise what nobody expects


class Odd(Adapter):
    """Raises, in the stage that a test names."""

    stage = ""
    error: BaseException = KeyError("oops acme-secret-key")
    times = 1_000_000

    def _raise(self, stage: str) -> None:
        if stage == Odd.stage and Odd.times > 0:
            Odd.times -= 1
            raise Odd.error

    async def authenticate(self, request: Any) -> Any:
        self._raise("authenticate")
        return await super().authenticate(request)

    async def prepare(self, job: Job, request: Any) -> Any:
        self._raise("prepare")
        return await super().prepare(job, request)

    async def submit(self, job: Job, request: Any) -> Any:
        self._raise("submit")
        return await super().submit(job, request)

    async def reconcile(self, job: Job) -> Any:
        self._raise("reconcile")
        return await super().reconcile(job)

    async def status(self, job: Job) -> Any:
        self._raise("status")
        return await super().status(job)

    async def result(self, job: Job, told: Any) -> Any:
        self._raise("result")
        return await super().result(job, told)

    async def outputs(self, job: Job, told: Any) -> list[Found]:
        self._raise("outputs")
        return await super().outputs(job, told)

    async def cancel(self, job: Job) -> None:
        self._raise("cancel")
        await super().cancel(job)


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The provider with that adapter; and what is tried again is tried soon."""
    monkeypatch.setattr(Odd, "times", 1_000_000)
    monkeypatch.setattr(embedded, "_AFTER_A_BUG", 0.1)
    monkeypatch.setattr(waiting, "_GRACE", 0.5)
    return {"adapter": f"{HERE}:Odd"}


SOON = {"deadline": {"queue": "700ms", "run": "700ms"}}


@pytest.mark.parametrize("stage", ["status", "result", "outputs"])
async def test_an_adapter_that_always_raises_ends_at_the_deadline_and_says_why(
    acme: Acme, open_boards: Open, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """It is retried, every time with an event that tells the mistake, then it expires."""
    monkeypatch.setattr(Odd, "stage", stage)
    async with open_boards(provider=odd, execution=SOON) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation, 8)).phase == "expired"
        events = [event async for event in boards.events(generation.id, follow=False)]
    reasons = [event.data["reason"] for event in events if event.type == "retrying"]
    assert any("KeyError" in reason for reason in reasons)
    assert "acme-secret-key" not in str(events)


@pytest.mark.parametrize("stage", ["status", "result", "outputs"])
async def test_an_adapter_that_raises_once_loses_nothing(
    acme: Acme, open_boards: Open, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """The next look finds the result."""
    monkeypatch.setattr(Odd, "stage", stage)
    monkeypatch.setattr(Odd, "times", 1)
    async with open_boards(provider=odd) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).status == "succeeded"
    assert acme.counts["submit"] == 1


async def test_an_adapter_that_raises_before_the_submit_fails_at_once(
    acme: Acme, open_boards: Open, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent, nothing is charged, and the caller is told."""
    monkeypatch.setattr(Odd, "stage", "prepare")
    async with open_boards(provider=odd) as boards:
        async with asyncio.timeout(5):
            with pytest.raises(GenerationFailedError, match="KeyError") as caught:
                await boards.generate("draw", prompt="a cat")
    assert caught.value.failure.maybe_charged is False
    assert "acme-secret-key" not in str(caught.value)
    assert acme.counts["submit"] == 0


async def test_an_adapter_whose_cancel_raises_does_not_keep_a_late_job_alive(
    acme: Acme, open_boards: Open, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline counts all the same."""
    monkeypatch.setattr(Odd, "stage", "cancel")
    acme.polls_needed = 1_000_000
    async with open_boards(provider=odd, execution=SOON) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).phase == "expired"


async def test_an_adapter_whose_reconcile_raises_leaves_the_generation_unknown(
    acme: Acme, open_boards: Open, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be looked up: that is no reason to stay in between forever."""
    monkeypatch.setattr("boards.engine.recovering._SOON", (0.01,))
    monkeypatch.setattr(Odd, "stage", "reconcile")
    acme.answers["submit"] = drop
    async with open_boards(provider=odd) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation, 8)).phase == "unknown"


async def test_outputs_that_raise_after_a_synchronous_submit_fail_it_once(
    acme: Acme, open_boards: Open, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was paid for: it is not submitted again, nor called unknown."""
    monkeypatch.setattr(Odd, "stage", "outputs")
    async with open_boards(provider=odd, synchronous=True) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        now = await ended(boards, generation)
    assert (now.phase, acme.counts["submit"]) == ("failed", 1)
    assert now.error is not None
    assert now.error.maybe_charged


@pytest.mark.parametrize("status", [None, 200, 500, 502])
async def test_an_adapter_that_says_that_it_was_refused_is_believed(
    acme: Acme, open_boards: Open, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch, status: Any
) -> None:
    """Nothing runs, whatever was answered to what it asked before: no charge, nothing unknown."""
    monkeypatch.setattr(Odd, "stage", "submit")
    monkeypatch.setattr(Odd, "error", ProviderError("provider", "no", status=status))
    async with open_boards(provider=odd) as boards:
        now = await ended(boards, await boards.submit("draw", prompt="a cat"))
    assert now.phase == "failed"
    assert now.error is not None
    assert not now.error.maybe_charged


@pytest.mark.parametrize("stage", ["status", "submit"])
async def test_a_cancellation_out_of_an_adapter_does_not_stop_the_drive(
    acme: Acme, open_boards: Open, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """An adapter's own task was canceled, not ours: the generation is driven on."""
    monkeypatch.setattr(Odd, "stage", stage)
    monkeypatch.setattr(Odd, "error", asyncio.CancelledError())
    monkeypatch.setattr(Odd, "times", 1)
    wanted = "succeeded" if stage == "status" else "unknown"
    async with open_boards(provider=odd) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).phase == wanted


# Local faults


class Full(LocalStorage):
    """A disk that is full for a while."""

    faults = 0

    def writer(self) -> Any:
        if Full.faults > 0:
            Full.faults -= 1
            raise StorageError("The disk is full.")
        return super().writer()


async def test_a_full_disk_does_not_lose_what_a_websocket_told(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The frame with the result comes once: it is kept until the disk has room."""
    monkeypatch.setattr(driving, "_AFTER_TROUBLE", 0.1)
    monkeypatch.setattr(Full, "faults", 1)
    sent = 0

    async def once(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_json()
        task = (await socket.receive_json())["task"]
        await socket.send_json({"data": [{"task": task, "status": "queued"}]})
        sent += 1
        await socket.send_json({"data": [{"task": task, "status": "done", "text": "iVBORw0KGgo="}]})
        await socket.receive()
        return socket

    acme.answers["socket"] = once
    inline = {**SOCKET, "extract": {"outputs": [{"from": "body.data[*].text", "as": "base64"}]}}
    storage = Full(tmp_path / "files")
    async with open_boards(provider=_sockets(acme), execution=inline, storage=storage) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        await phase(boards, generation, "succeeded")
    assert (sent, Full.faults) == (1, 0)


async def test_a_full_disk_does_not_lose_a_synchronous_reply(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The answer has been paid for, and is kept until the disk has room."""
    monkeypatch.setattr(driving, "_AFTER_TROUBLE", 0.1)
    monkeypatch.setattr(Full, "faults", 1)

    async def inline(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"bytes": "iVBORw0KGgo="})

    acme.answers["submit"] = inline
    execution = {"extract": {"outputs": [{"from": "body.bytes", "as": "base64"}]}}
    storage = Full(tmp_path / "files")
    async with open_boards(execution=execution, synchronous=True, storage=storage) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await phase(boards, generation, "succeeded")).artifacts
    assert (acme.counts["submit"], Full.faults) == (1, 0)


@pytest.mark.parametrize("why", ["refused", "unsent"])
async def test_a_full_disk_makes_no_refusal_ambiguous(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Nothing was accepted, and this process knows it: it is submitted again, not unknown."""
    monkeypatch.setattr(driving, "_AFTER_TROUBLE", 0.05)

    async def busy(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": "0"})

    async with open_boards() as boards:
        engine = boards._running
        client, cas, full = engine.client("acme"), engine.store.cas, 0
        exchange = client.exchange

        async def unsent(*_: Any, **__: Any) -> Any:
            client.exchange = exchange  # type: ignore[method-assign]
            raise UnsentError("no route")

        async def no_space(change: Change) -> bool:
            nonlocal full
            if change.expect == "submitting" and full < 2:
                acme.answers.pop("submit", None)
                full += 1
                raise StoreError("There is no space left.")
            return await cas(change)

        monkeypatch.setattr(engine.store, "cas", no_space)
        if why == "refused":
            acme.answers["submit"] = busy
        else:
            monkeypatch.setattr(client, "exchange", unsent)
        generation = await boards.submit("draw", prompt="a cat")
        await phase(boards, generation, "succeeded")
        outcomes = [one.outcome for one in await boards.attempts(generation.id)]
    assert outcomes == [why, "accepted"]


async def test_a_result_that_a_stream_announced_is_asked_for_until_it_comes(
    acme: Acme, open_boards: Open
) -> None:
    """Without a poll nothing else says again that the job is done."""
    result, events = acme.result, acme.events

    async def busy(request: web.Request) -> web.StreamResponse:
        if acme.counts["result"] < 3:
            return web.json_response({}, status=503)
        return await result(request)

    async def only_once(request: web.Request) -> web.StreamResponse:
        return await (events(request) if acme.counts["events"] == 1 else drop(request))

    acme.answers["result"], acme.answers["events"] = busy, only_once
    async with open_boards(execution={"stream": STREAM, "poll": None}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation, 8)).status == "succeeded"


async def test_a_stream_that_never_pauses_keeps_no_job_from_its_end(
    acme: Acme, open_boards: Open
) -> None:
    """Events come faster than they are judged: a cancel and the deadline come between."""

    async def flood(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        event = b'data: {"id": "job-1", "status": "running", "percent": 10}\n\n'
        while True:
            await stream.write(event * 50)
            await asyncio.sleep(0)

    acme.answers["events"] = flood
    execution = {"stream": STREAM, "poll": None, "deadline": {"run": "1s"}}
    async with open_boards(execution=execution) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        await until(lambda: acme.counts["events"])
        await asyncio.sleep(0.2)
        await boards.cancel(generation.id)
        await until(lambda: acme.counts["cancel"])
        assert (await ended(boards, generation, 20)).final


# Decisions and ends


@pytest.mark.parametrize(
    ("decision", "ends"),
    [("job", "succeeded"), ("resubmit", "succeeded"), ("abandon", "failed")],
)
async def test_any_process_may_decide_and_the_driver_goes_on(
    acme: Acme, open_boards: Open, decision: str, ends: str
) -> None:
    """Who decides is seldom who drives; each decision is taken once."""
    acme.answers["submit"] = drop
    async with open_boards() as worker, open_boards(drive=False) as other:
        generation = await worker.submit("draw", prompt="a cat")
        assert (await ended(worker, generation)).phase == "unknown"
        del acme.answers["submit"]
        acme.jobs["found"] = {"id": "found", "status": "queued", "polls": 0}
        submits = acme.counts["submit"]
        await other.resolve(
            generation.id,
            job="found" if decision == "job" else None,
            resubmit=decision == "resubmit",
        )
        with pytest.raises(BoardsError, match="not unknown"):
            await other.resolve(generation.id)
        assert (await ended(worker, generation, 8)).status == ends
        assert acme.counts["submit"] == submits + (decision == "resubmit")
        told = [event.type async for event in worker.events(generation.id)]
        assert told.count("resolved") == 1


@pytest.mark.parametrize(
    "late", [{"job": None, "resubmit": False}, {"job": "x", "resubmit": False}]
)
@pytest.mark.parametrize("here", [True, False])
async def test_who_decides_second_decides_nothing(
    acme: Acme, open_boards: Open, late: dict[str, Any], here: bool
) -> None:
    """Both saw it ``unknown``; the job that the first decision began is paid for, and goes on."""
    acme.answers["submit"] = drop
    acme.polls_needed = 1_000_000
    async with open_boards() as worker, open_boards(drive=False) as other:
        generation = await worker.submit("draw", prompt="a cat")
        seen = await ended(worker, generation)
        assert seen.phase == "unknown"
        del acme.answers["submit"]
        await worker.resolve(generation.id, resubmit=True)
        await phase(worker, generation, "waiting")
        with pytest.raises(BoardsError, match="decided meanwhile"):
            await (worker if here else other)._running.resolve(seen, **late)
        acme.polls_needed = 0
        assert (await ended(worker, generation, 8)).status == "succeeded"
        told = [event.type async for event in worker.events(generation.id)]
        assert told.count("resolved") == 1
        attempts = await worker.attempts(generation.id)
        assert [one.outcome for one in attempts] == ["ambiguous", "accepted"]
        assert acme.counts["submit"] == 2


async def test_no_submit_is_repeated_whose_answer_came_after_all(
    acme: Acme, open_boards: Open
) -> None:
    """A process that was slow kept it a moment ago: its job is paid for, and known."""
    acme.answers["submit"] = drop
    async with open_boards() as worker, open_boards(drive=False) as other:
        generation = await worker.submit("draw", prompt="a cat")
        seen = await ended(worker, generation)
        acme.jobs["late"] = {"id": "late", "status": "queued", "polls": 0}
        (attempt,) = await worker.attempts(generation.id)
        await other._running.store.attempt_result(
            attempt, provider_job_id="late", job={"id": "late"}, outcome="accepted"
        )
        with pytest.raises(BoardsError, match="meanwhile"):
            await other._running.resolve(seen, job=None, resubmit=True)
        await phase(worker, generation, "succeeded")
        assert acme.counts["submit"] == 1


@pytest.mark.parametrize(("synchronous", "job"), [(True, "job-1"), (False, " ")])
async def test_a_job_that_nobody_can_ask_for_is_no_decision(
    acme: Acme, open_boards: Open, synchronous: bool, job: str
) -> None:
    """Where the answer to the submit was the result, or where no id was given."""
    acme.answers["submit"] = drop
    async with open_boards(synchronous=synchronous) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).phase == "unknown"
        with pytest.raises(BoardsError, match="job"):
            await boards.resolve(generation.id, job=job)
        assert (await boards.get(generation.id)).phase == "unknown"


async def test_a_person_can_say_what_else_the_lost_reply_told(
    acme: Acme, open_boards: Open
) -> None:
    """Where requests follow addresses of the reply, the id alone leads nowhere."""
    acme.answers["submit"] = drop
    acme.jobs["found"] = {"id": "found", "status": "queued", "polls": 0}
    submit = {"path": "/jobs", "json": {}, "capture": {"id": "body.id", "at": "body.urls.get"}}
    poll = {"url": "${job.at}", "every": "20ms"}
    result = {"url": "${job.at}/result"}
    async with open_boards(execution={"submit": submit, "poll": poll, "result": result}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).phase == "unknown"
        with pytest.raises(BoardsError, match="told as at") as caught:
            await boards.resolve(generation.id, job="found")
        assert "--captured at=VALUE" in str(caught.value.remedy)
        captured = {"at": f"{acme.url}/v1/jobs/found"}
        with pytest.raises(BoardsError, match="without the job's id"):
            await boards.resolve(generation.id, captured=captured)
        await boards.resolve(generation.id, job="found", captured=captured)
        assert (await ended(boards, generation)).status == "succeeded"


async def test_a_decision_hides_no_wish_to_cancel(acme: Acme, open_boards: Open) -> None:
    """It came between the look at the generation and the decision: nothing is submitted."""
    acme.answers["submit"] = drop
    async with open_boards() as boards:
        generation = await boards.submit("draw", prompt="a cat")
        seen = await ended(boards, generation)
        del acme.answers["submit"]
        await boards.cancel(generation.id)
        assert not seen.canceling
        await boards._running.resolve(seen, job=None, resubmit=True)
        assert (await ended(boards, generation)).status == "canceled"
        assert acme.counts["submit"] == 1


async def test_who_waits_and_who_watches_is_told_that_boards_closes(
    acme: Acme, open_boards: Open
) -> None:
    """Neither hangs, and neither takes it for a cancellation of its own."""
    acme.polls_needed = 1_000_000

    async def watch(boards: Boards, id_: str) -> None:
        async for _ in boards.events(id_):
            pass

    async with open_boards() as boards:
        generation = await submitted(boards)
        waiter = asyncio.create_task(boards.wait(generation.id))
        watcher = asyncio.create_task(watch(boards, generation.id))
        await asyncio.sleep(0.05)
    _done, pending = await asyncio.wait([waiter, watcher], timeout=10)
    assert not pending
    for task in (waiter, watcher):
        assert not task.cancelled()
        assert isinstance(task.exception(), BoardsError)


async def test_who_reads_events_while_boards_closes_is_told(acme: Acme, open_boards: Open) -> None:
    """It was not waiting for news just then, so that nothing woke it."""
    acme.polls_needed = 1_000_000

    async def read(boards: Boards, id_: str) -> None:
        async for _ in boards.events(id_):
            boards._running._observers.close()

    async with open_boards() as boards:
        generation = await submitted(boards)
        with pytest.raises(BoardsError, match="closed"):
            await asyncio.wait_for(read(boards, generation.id), 5)
        with pytest.raises(BoardsError, match="closed"):
            await boards.wait(generation.id)


async def test_closing_does_not_wait_for_a_download(acme: Acme, open_boards: Open) -> None:
    """The result of a synchronous submit is announced; the next process fetches it."""
    stalled = asyncio.Event()

    async def now(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"images": [{"url": f"{acme.url}/files/a.png"}], "seed": 1})

    async def stall(request: web.Request) -> web.StreamResponse:
        stalled.set()
        await asyncio.sleep(30)
        return await acme.file(request)

    acme.answers["submit"], acme.answers["file"] = now, stall
    async with asyncio.timeout(8):
        async with open_boards(synchronous=True) as boards:
            generation = await boards.submit("draw", prompt="a cat")
            await stalled.wait()
        acme.answers.pop("file")
        async with open_boards(synchronous=True) as boards:
            assert (await boards.wait(generation.id)).status == "succeeded"
    assert acme.counts["submit"] == 1


async def test_no_listener_outlives_boards(acme: Acme, open_boards: Open) -> None:
    """A provider that never closes its websocket, or its stream, holds nothing up."""
    never = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await never.wait()
        return stream

    acme.answers["events"] = silent
    before = asyncio.all_tasks()
    async with open_boards(execution={"stream": {**STREAM, "timeout": "60s"}}) as boards:
        await submitted(boards)
        await until(lambda: acme.counts["events"])
    names = [str(task.get_coro()) for task in asyncio.all_tasks() - before]
    never.set()
    assert not [name for name in names if "_listen" in name or "drive" in name]


async def test_a_replay_goes_only_where_the_submit_went(acme: Acme, open_boards: Open) -> None:
    """After a restart with another key it is another account, which does not know the first."""
    execution: dict[str, Any] = {"submit": KEYED}
    acme.answers["submit"] = drop
    provider = {"retry": {"max": 1, "base": "10s", "cap": "10s"}}
    async with open_boards(execution=execution, provider=provider) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        await until(lambda: acme.counts["submit"] == 1)
        await asyncio.sleep(0.1)
    async with open_boards(
        execution=execution, provider=provider, environment={"ACME_KEY": "another-account"}
    ) as boards:
        assert (await ended(boards, generation)).phase == "unknown"
    assert acme.counts["submit"] == 1


async def test_a_submit_with_a_key_is_sent_again_until_it_is_answered(
    acme: Acme, open_boards: Open
) -> None:
    """However many answers are lost, more than ``retry`` says: the provider knows the key."""
    submit, keys = acme.submit, set()

    async def lossy(request: web.Request) -> web.StreamResponse:
        key = request.headers["Idempotency-Key"]
        reply = web.json_response({"id": "job-1"}) if key in keys else await submit(request)
        keys.add(key)
        return await drop(request) if acme.counts["submit"] <= 4 else reply

    acme.answers["submit"] = lossy
    provider = {"retry": {"max": 1, "base": "1ms", "cap": "5ms"}}
    async with open_boards(execution={"submit": KEYED}, provider=provider) as boards:
        assert (await boards.generate("draw", prompt="a cat")).status == "succeeded"
    assert len(acme.jobs) == 1


class Signing(LocalStorage):
    """Signs another address of a file each time."""

    async def url(self, key: str, *, expires: float = 3600.0) -> str | None:
        return f"https://files.example/{key}?signature={new_id()}"


@pytest.mark.parametrize("restart", [False, True])
async def test_a_replay_has_the_same_addresses_of_files(
    acme: Acme, open_boards: Open, tmp_path: Path, restart: bool
) -> None:
    """A storage that signs anew makes no other request of it, which the provider may refuse."""
    submit, seen = acme.submit, list[Any]()

    async def lossy(request: web.Request) -> web.StreamResponse:
        seen.append((request.headers["Idempotency-Key"], await request.json()))
        if acme.counts["submit"] == 1:
            await submit(request)
            return await drop(request)
        return web.json_response({"id": "job-1"})

    acme.answers["submit"], acme.polls_needed = lossy, 0
    both = {"prompt": "${input.prompt}", "image": "${input.image?|file}"}
    base = "10s" if restart else "1ms"
    given: dict[str, Any] = {
        "execution": {"submit": {**KEYED, "json": both}},
        "provider": {"files": {"accept": ["url"]}},
    }
    waits = {"retry": {"max": 1, "base": base, "cap": base}}
    first = {**given, "provider": {**given["provider"], **waits}}
    async with open_boards(**first, storage=Signing(tmp_path / "files")) as boards:
        generation = await boards.submit("draw", prompt="a cat", image=PNG)
        if restart:
            await until(lambda: acme.counts["submit"] == 1)
        else:
            assert (await boards.wait(generation.id)).status == "succeeded"
    async with open_boards(**given, storage=Signing(tmp_path / "files")) as boards:
        assert (await boards.wait(generation.id)).status == "succeeded"
    assert len(seen) == 2
    assert seen[0] == seen[1]


async def test_a_process_that_comes_back_late_may_ask_more_than_once(
    acme: Acme, open_boards: Open
) -> None:
    """The queue's deadline has passed while none ran, and its first replay meets an outage."""
    submit, outage = acme.submit, 3

    async def lossy(request: web.Request) -> web.StreamResponse:
        if acme.counts["submit"] == 1:
            await submit(request)
        if acme.counts["submit"] <= outage:
            return await drop(request)
        return web.json_response({"id": "job-1"})

    acme.answers["submit"], acme.polls_needed = lossy, 0
    execution: dict[str, Any] = {"submit": KEYED, "deadline": {"queue": "50ms", "run": "1h"}}
    provider = {"retry": {"max": 1, "base": "10s", "cap": "10s"}}
    async with open_boards(execution=execution, provider=provider) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        await until(lambda: acme.counts["submit"] == 1)
        await asyncio.sleep(0.1)
    async with open_boards(execution=execution) as boards:
        assert (await ended(boards, generation)).status == "succeeded"
    assert len(acme.jobs) == 1


async def test_a_job_whose_generator_can_no_longer_be_asked_does_not_spin(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new release of the plugin took the poll away while a job ran."""
    acme.polls_needed = 1_000_000
    async with open_boards() as boards:
        generation = await submitted(boards)
    looks = 0
    wait = waiting.wait

    async def counted(*given: Any) -> Any:
        nonlocal looks
        looks += 1
        return await wait(*given)

    monkeypatch.setattr(waiting, "wait", counted)
    async with open_boards(synchronous=True) as boards:
        await asyncio.sleep(0.5)
        assert (await boards.get(generation.id)).phase == "waiting"
    assert looks < 5


@pytest.mark.parametrize("stage", ["queued", "submitting", "waiting", "fetching"])
@pytest.mark.parametrize("who", ["the driver", "another process"])
async def test_what_has_no_generator_any_more_can_be_canceled(
    acme: Acme, open_boards: Open, tmp_path: Path, stage: str, who: str
) -> None:
    """Its plugin is gone, and nobody can be asked: the wish alone ends it, and says so."""

    async def never(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=503, headers={"Retry-After": "60"})

    if stage == "submitting":
        acme.answers["submit"] = drop
    acme.polls_needed = 0 if stage == "fetching" else 1_000_000
    acme.answers["file"] = never
    async with open_boards(provider={"reconcile": RECONCILE}) as boards:
        if stage == "queued":
            boards._running.client("acme").gate.pause(60)
        generation = await boards.submit("draw", prompt="a cat")
        await phase(boards, generation, stage)
    home = {"home": tmp_path / "home", "environment": {}}
    async with Boards(**home) as bare, Boards(**home, drive=False) as other:  # type: ignore[arg-type]
        waits = asyncio.create_task(ended(bare, generation))
        await asyncio.sleep(0.05)
        bare._running._runner.wake(generation.id)
        with pytest.raises(BoardsError, match=f"boards cancel {generation.id}"):
            await waits
        await (bare if who == "the driver" else other).cancel(generation.id)
        assert (await ended(other, generation)).phase == "canceled"
        told = [event async for event in bare.events(generation.id)][-1]
        assert (told.type, dict(told.data)) == ("canceled", {"upstream": False})
        assert all(not one.reserved_usd for one in await bare.costs())


async def test_what_is_unknown_and_has_no_generator_any_more_can_be_abandoned(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """Only what would ask the provider needs the plugin."""
    acme.answers["submit"] = drop
    async with open_boards() as boards:
        generation = await boards.submit("draw", prompt="a cat")
        await phase(boards, generation, "unknown")
    async with Boards(home=tmp_path / "home", environment={}) as bare:
        with pytest.raises(BoardsError, match="draw"):
            await bare.resolve(generation.id, resubmit=True)
        failed = await bare.resolve(generation.id)
        assert failed.phase == "failed"
        assert failed.error is not None
        assert failed.error.maybe_charged
        assert [one.outcome for one in await bare.attempts(generation.id)] == ["abandoned"]
        told = [event.type async for event in bare.events(generation.id)]
        assert told[-2:] == ["resolved", "failed"]
        with pytest.raises(BoardsError, match="nothing is to be decided"):
            await bare.resolve(generation.id)


@pytest.mark.parametrize(
    "when",
    [
        {"eq": ["body.id", "other-${job.id}"]},
        {"exists": "body.id", "not": {"eq": ["body.id", "${job.id}"]}},
        {"eq": ["body.id", "${input.prompt|int}"]},
    ],
)
@pytest.mark.parametrize("asks", ["errors", "status"])
async def test_a_rule_that_cannot_be_told_loses_no_submit(
    acme: Acme, open_boards: Open, asks: str, when: dict[str, Any]
) -> None:
    """The reply that tells the job is read before it is known; the rule does not hold then."""
    asked: dict[str, Any] = {"errors": [{"when": when, "raise": "provider"}]}
    if asks == "status":
        done = {"when": {"eq": ["body.status", "done"]}, "is": "succeeded"}
        asked = {"status": {"rules": [{"when": when, "is": "failed"}, done], "else": "running"}}
    async with open_boards(provider=asked) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).phase == "succeeded"


async def test_an_id_that_no_request_can_say_leaves_the_generation_unknown(
    acme: Acme, open_boards: Open
) -> None:
    """It cannot be asked for, neither with what the reply told nor with what a person says."""
    poll = {"path": "/jobs/${job.id|int}", "every": "20ms"}
    async with open_boards(execution={"poll": poll}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).phase == "unknown"
        with pytest.raises(BoardsError, match="does not lead to the job"):
            await boards.resolve(generation.id, job="job-1")


async def test_an_id_that_is_no_unicode_does_not_hold_its_generation_for_ever(
    acme: Acme, open_boards: Open
) -> None:
    """Half a surrogate pair, which JSON can say: the acceptance is kept, and the poll tells why."""

    async def odd(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=rb'{"id": "\ud83d", "status": "queued"}', content_type="application/json"
        )

    acme.answers["submit"] = odd
    async with open_boards() as boards:
        generation = await ended(boards, await boards.submit("draw", prompt="a cat"))
    assert (generation.phase, generation.provider_job_id) == ("failed", "?")
    assert generation.error is not None
    assert "this is not Unicode text" in generation.error.message


@pytest.mark.parametrize("asked", ["poll", "result"])
@pytest.mark.parametrize(("status", "body"), [(200, ""), (204, ""), (302, "<p>Log in!</p>")])
async def test_what_is_answered_with_nothing_is_asked_again(
    acme: Acme, open_boards: Open, asked: str, status: int, body: str
) -> None:
    """It is no JSON, as little as a page is: it says nothing of the job, which is paid for."""

    async def at_first_nothing(request: web.Request) -> web.StreamResponse:
        if acme.counts[asked] > 1:
            return await getattr(acme, asked)(request)
        return web.Response(status=status, text=body, headers={"Location": "/login"})

    acme.answers[asked] = at_first_nothing
    async with open_boards() as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).phase == "succeeded"


async def test_a_websocket_that_does_not_say_goodbye_is_left_at_the_end(
    acme: Acme, open_boards: Open
) -> None:
    """The generation has ended, and so does its listener, with Boards at the latest."""
    never = asyncio.Event()

    async def deaf(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoclose=False)
        await socket.prepare(request)
        await socket.receive_json()
        task = (await socket.receive_json())["task"]
        url = f"{acme.url}/files/a.png"
        await socket.send_json({"data": [{"task": task, "status": "queued"}]})
        await socket.send_json({"data": [{"task": task, "status": "done", "url": url}]})
        await never.wait()
        return socket

    acme.answers["socket"] = deaf
    before = asyncio.all_tasks()
    began = time.monotonic()
    async with open_boards(provider=_sockets(acme), execution=SOCKET) as boards:
        await boards.generate("draw", prompt="a cat")
    assert time.monotonic() - began < 4
    names = [str(task.get_coro()) for task in asyncio.all_tasks() - before]
    never.set()
    assert not [name for name in names if "_listen" in name]


async def test_an_answer_too_deep_to_be_read_is_a_lost_answer(
    acme: Acme, open_boards: Open
) -> None:
    """Whether it was accepted cannot be told: neither failed nor sent again."""

    async def deep(_request: web.Request) -> web.StreamResponse:
        text = '{"id": ' + "[" * 50_000 + "]" * 50_000 + "}"
        return web.Response(text=text, content_type="application/json")

    acme.answers["submit"] = deep
    async with open_boards() as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).phase == "unknown"
    assert acme.counts["submit"] == 1


async def test_a_job_that_ends_as_its_submit_is_canceled_is_not_asked_for_twice(
    acme: Acme, open_boards: Open
) -> None:
    """The wish comes while the submit is under way: one job, one cancel, one end."""
    told, go = asyncio.Event(), asyncio.Event()
    submit = acme.submit
    acme.polls_needed = 1_000_000

    async def slow(request: web.Request) -> web.StreamResponse:
        reply = await submit(request)
        told.set()
        await go.wait()
        return reply

    acme.answers["submit"] = slow
    async with open_boards() as boards:
        generation = await boards.submit("draw", prompt="a cat")
        await told.wait()
        await boards.cancel(generation.id)
        go.set()
        assert (await ended(boards, generation)).status == "canceled"
    assert (acme.counts["submit"], acme.counts["cancel"]) == (1, 1)


async def test_an_adapter_that_raises_while_an_output_is_fetched_is_asked_again(
    acme: Acme, open_boards: Open, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an event that says why, and the output fetched in the end."""
    monkeypatch.setattr(Odd, "stage", "authenticate")
    monkeypatch.setattr(Odd, "times", 0)
    files = f"{acme.url}/v1/content/1"

    async def result(_request: web.Request) -> web.StreamResponse:
        Odd.times = 1
        return web.json_response({"images": [{"url": files}]})

    acme.answers["result"] = result
    outputs = [{"from": "body.images[*].url", "fetch_auth": "same_origin"}]
    async with open_boards(provider=odd, execution={"extract": {"outputs": outputs}}) as boards:
        generation = await boards.submit("draw", prompt="a cat")
        assert (await ended(boards, generation)).status == "succeeded"
        events = [event async for event in boards.events(generation.id, follow=False)]
    reasons = [event.data["reason"] for event in events if event.type == "retrying"]
    assert any("KeyError" in reason for reason in reasons)


async def test_a_stream_of_heartbeats_is_no_endless_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """What bounds one event does not add up over comments."""
    monkeypatch.setattr(sse, "MAX_EVENT", 50)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b": still here\n\n"
        yield b"data: 1\n\n"

    assert [data async for data in sse.data_of(chunks())] == ["1"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_an_event_is_read_as_soon_as_its_last_line_has_ended(end: str, size: int) -> None:
    """Whatever ends its lines, wherever it is cut, and with a byte order mark before the first."""
    written = f"\ufeffdata: 1{end}data: \u00e9{end}{end}data:2{end}: hello{end}{end}".encode()

    async def chunks() -> AsyncIterator[bytes]:
        for begin in range(0, len(written), size):
            yield written[begin : begin + size]

    assert [data async for data in sse.data_of(chunks())] == ["1\n\u00e9", "2"]


async def test_another_event_loop_is_refused_before_anything_is_done(
    acme: Acme, open_boards: Open
) -> None:
    """What it waited for would never come there, and the job would be paid for."""
    async with open_boards() as boards:
        generation = await boards.generate("draw", prompt="a cat")
        calls: list[Coroutine[Any, Any, Any]] = [
            boards.generate("draw", prompt="a dog"),
            boards.wait(generation.id),
            boards.runs(),
        ]
        for made in calls:
            with pytest.raises(BoardsError, match="another event loop"):
                await asyncio.to_thread(asyncio.run, made)
        assert [one.id for one in await boards.list()] == [generation.id]
    assert acme.counts["submit"] == 1
