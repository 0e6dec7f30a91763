"""The fal emulator speaks fal's API: to fal's own client, and byte by byte."""

import base64
import collections
import hashlib
import http.server
import io
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import fal_client
import httpx
import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from PIL import Image

from boards.testing.emulators.fal import FalEmulator
from boards.testing.emulators.fal.catalogue import Endpoint, app_of, endpoints
from boards.testing.emulators.fal.webhooks import Signer
from boards.testing.emulators.server import Knobs, load, running

FAST = Knobs(queue_seconds=0.06, run_seconds=0.12)
INSTANT = Knobs(queue_seconds=0.0, run_seconds=0.0)
SEEN = Knobs(queue_seconds=0.3, run_seconds=1.0)
SLOW = Knobs(queue_seconds=30.0, run_seconds=30.0)
FLUX = "fal-ai/flux/dev"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Fal:
    """An emulator, and an HTTP client that has a key."""

    def __init__(self, emulator: FalEmulator, http: httpx.Client) -> None:
        self.emulator = emulator
        self.http = http

    def submit(self, endpoint: str = FLUX, *, query: str = "", **options: Any) -> dict[str, Any]:
        options.setdefault("json", {"prompt": "a cat"})
        reply = self.http.post(f"{self.emulator.queue_url}/{endpoint}{query}", **options)
        assert reply.status_code == 200, reply.text
        ticket: dict[str, Any] = reply.json()
        return ticket

    def run(self, endpoint: str = FLUX, **given: Any) -> httpx.Response:
        return self.http.post(f"{self.emulator.run_url}/{endpoint}", json=given)

    def finished(self, ticket: dict[str, Any], *, logs: int = 0) -> dict[str, Any]:
        status: dict[str, Any] = until(
            lambda: self.http.get(ticket["status_url"], params={"logs": logs}).json(),
            lambda status: status["status"] == "COMPLETED",
        )
        return status

    def result(self, ticket: dict[str, Any]) -> httpx.Response:
        self.finished(ticket)
        return self.http.get(ticket["response_url"])


def until(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while not good(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


@pytest.fixture(scope="module")
def shared() -> Iterator[Fal]:
    with running(FalEmulator(FAST)) as emulator, httpx.Client(timeout=60) as http:
        http.headers["Authorization"] = "Key emulator:key"
        yield Fal(emulator, http)


@pytest.fixture
def fal(shared: Fal) -> Iterator[Fal]:
    """An emulator that knows nothing yet, and jobs that take a moment."""
    yield shared
    shared.emulator.reset()
    shared.emulator.knobs = FAST


@pytest.fixture(scope="module")
def tls() -> Iterator[FalEmulator]:
    with running(FalEmulator(FAST), tls=True) as emulator:
        yield emulator


@pytest.fixture
async def opened(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Close the HTTP clients that fal's client opens: it leaves that to the end of the process."""
    found: list[httpx.Client | httpx.AsyncClient] = []
    for kind in (httpx.Client, httpx.AsyncClient):

        def record(self: Any, *args: Any, init: Any = kind.__init__, **options: Any) -> None:
            init(self, *args, **options)
            found.append(self)

        monkeypatch.setattr(kind, "__init__", record)
    yield
    for http_client in found:
        if isinstance(http_client, httpx.AsyncClient):
            await http_client.aclose()
        else:
            http_client.close()


@pytest.fixture
def client(
    tls: FalEmulator, opened: None, monkeypatch: pytest.MonkeyPatch
) -> fal_client.SyncClient:
    """The client that fal publishes, with its constants pointed at the emulator."""
    for name, value in tls.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("fal_client.client.QUEUE_URL_FORMAT", f"{tls.queue_url}/")
    monkeypatch.setattr("fal_client.client.RUN_URL_FORMAT", f"{tls.run_url}/")
    monkeypatch.setattr("fal_client.client.REST_URL", tls.rest_url)
    monkeypatch.setattr("fal_client.client.CDN_URL", tls.cdn_url)
    return fal_client.SyncClient(key=tls.env["FAL_KEY"])


class Receiver:
    """Listens for webhooks, and answers with the given statuses, then 200."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: collections.deque[int] = collections.deque()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append((dict(self.headers), body))
                self.send_response(receiver.answers.popleft() if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=1"

    def wait(self, count: int = 1) -> list[dict[str, Any]]:
        until(lambda: self.calls, lambda calls: len(calls) >= count)
        return [json.loads(body) for _, body in self.calls]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.02,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


class TestFalClient:
    def test_submit_events_and_result(
        self, client: fal_client.SyncClient, tls: FalEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The client submits, sees queue, progress and completion, and reads the result."""
        monkeypatch.setattr(tls, "knobs", SEEN)
        handle = client.submit(FLUX, {"prompt": "a cat", "seed": 7, "num_inference_steps": 4})
        events = list(handle.iter_events(with_logs=True, interval=0.01))
        kinds = [type(event) for event in events]
        assert list(dict.fromkeys(kinds)) == [
            fal_client.Queued,
            fal_client.InProgress,
            fal_client.Completed,
        ]
        positions = [event.position for event in events if isinstance(event, fal_client.Queued)]
        assert positions == sorted(positions, reverse=True)
        assert positions[0] == 2
        done = events[-1]
        assert isinstance(done, fal_client.Completed)
        assert [entry["message"][-3:] for entry in done.logs or []] == ["1/4", "2/4", "3/4", "4/4"]
        assert done.metrics["inference_time"] > 0
        assert done.error is None
        result = handle.get()
        assert result["seed"] == 7
        assert result["images"][0]["width"] == 1024
        picture = httpx.get(result["images"][0]["url"]).content
        assert Image.open(io.BytesIO(picture)).size == (1024, 768)

    def test_subscribe_run_and_stream(self, client: fal_client.SyncClient) -> None:
        """subscribe, run and stream end with the same output for the same seed."""
        given = {"prompt": "a cat", "seed": 3}
        seeds = [
            client.subscribe(FLUX, given, interval=0.02)["seed"],
            client.run(FLUX, given)["seed"],
            *(event["seed"] for event in client.stream(FLUX, given)),
        ]
        assert seeds == [3, 3, 3]

    def test_handle_by_id(self, client: fal_client.SyncClient) -> None:
        """A handle made from the whole endpoint id and a request id finds the request."""
        request_id = client.submit(FLUX, {"prompt": "a cat"}).request_id
        handle = client.get_handle(FLUX, request_id)
        assert handle.get(interval=0.02)["images"]
        assert isinstance(client.status(FLUX, request_id), fal_client.Completed)

    def test_refused_input(self, client: fal_client.SyncClient) -> None:
        """A bad input is accepted, and its error raised when the result is read."""
        handle = client.submit(FLUX, {"prompt": "a cat", "num_images": 9})
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            handle.get(interval=0.02)
        assert caught.value.status_code == 422
        assert json.loads(caught.value.response.text)["detail"][0]["type"] == "less_than_equal"

    def test_cancel(
        self, client: fal_client.SyncClient, tls: FalEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A cancelled request completes with the platform's error."""
        monkeypatch.setattr(tls, "knobs", SLOW)
        handle = client.submit(FLUX, {"prompt": "a cat"})
        handle.cancel()
        status = handle.status()
        assert isinstance(status, fal_client.Completed)
        assert status.error_type == "client_cancelled"
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            handle.get()
        assert caught.value.status_code == 499

    def test_start_timeout(
        self, client: fal_client.SyncClient, tls: FalEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request that does not start in time ends with 504, which the client does not repeat."""
        monkeypatch.setattr(tls, "knobs", SLOW)
        handle = client.submit(FLUX, {"prompt": "a cat"}, start_timeout=1.01)
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            handle.get(interval=0.02)
        assert caught.value.status_code == 504
        assert caught.value.error_type == "request_timeout"
        assert caught.value.response_headers["x-fal-request-timeout-type"] == "user"

    @pytest.mark.parametrize("repository", ["fal_v3", "fal"])
    def test_upload(self, client: fal_client.SyncClient, repository: Any) -> None:
        """Both ways to upload give a URL with the bytes behind it."""
        url = client.upload(b"hello", "text/plain", "note.txt", repository=repository)
        reply = httpx.get(url)
        assert reply.content == b"hello"
        assert reply.headers["content-type"] == "text/plain"
        assert url.endswith(".txt")

    def test_upload_in_parts(
        self, client: fal_client.SyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A large upload arrives in parts and is put together in order."""
        monkeypatch.setattr("fal_client.client.MULTIPART_THRESHOLD", 10)
        monkeypatch.setattr("fal_client.client.MULTIPART_CHUNK_SIZE", 7)
        content = bytes(range(40))
        url = client.upload(content, "application/octet-stream", "a.bin")
        assert httpx.get(url).content == content

    async def test_async_client(self, client: fal_client.SyncClient, tls: FalEmulator) -> None:
        """The asynchronous client of fal is served alike."""
        asynchronous = fal_client.AsyncClient(key="a:b")
        handle = await asynchronous.submit(FLUX, {"prompt": "a cat"})
        assert (await handle.get(interval=0.02))["images"]
        url = await asynchronous.upload(b"hello", "text/plain")
        assert httpx.get(url).content == b"hello"


class TestQueue:
    def test_ticket(self, fal: Fal) -> None:
        """A submit answers with absolute URLs that leave out the path of the endpoint."""
        reply = fal.http.post(f"{fal.emulator.queue_url}/{FLUX}", json={"prompt": "a cat"})
        ticket = reply.json()
        url = f"{fal.emulator.base_url}/queue/fal-ai/flux/requests/{ticket['request_id']}"
        assert ticket == {
            "status": "IN_QUEUE",
            "request_id": ticket["request_id"],
            "gateway_request_id": ticket["request_id"],
            "response_url": url,
            "status_url": f"{url}/status",
            "cancel_url": f"{url}/cancel",
            "queue_position": 2,
        }
        assert reply.headers["x-fal-request-id"] == ticket["request_id"]

    def test_both_forms_of_urls(self, fal: Fal) -> None:
        """A request is found with its whole endpoint id, and its result under /response too."""
        ticket = fal.submit()
        output = fal.result(ticket).json()
        whole = f"{fal.emulator.queue_url}/{FLUX}/requests/{ticket['request_id']}"
        for url in (whole, f"{whole}/response", f"{ticket['response_url']}/response"):
            assert fal.http.get(url).json() == output
        assert fal.http.get(f"{whole}/status").json()["status"] == "COMPLETED"

    def test_status_codes_and_null_logs(self, fal: Fal) -> None:
        """The status is 202 until it is COMPLETED; logs are null unless asked for."""
        fal.emulator.knobs = SEEN
        ticket = fal.submit()
        first = fal.http.get(ticket["status_url"])
        assert (first.status_code, first.json()["status"]) == (202, "IN_QUEUE")
        assert "logs" not in first.json()
        running = until(
            lambda: fal.http.get(ticket["status_url"]),
            lambda reply: reply.json()["status"] != "IN_QUEUE",
        )
        assert (running.status_code, running.json()["logs"]) == (202, None)
        done = fal.finished(ticket, logs=1)
        assert done["logs"][-1]["level"] == "STDERR"
        assert fal.http.get(ticket["status_url"]).status_code == 200

    def test_status_stream(self, fal: Fal) -> None:
        """The stream tells every change once and closes after COMPLETED."""
        ticket = fal.submit()
        with fal.http.stream("GET", f"{ticket['status_url']}/stream?logs=1") as reply:
            assert reply.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in reply.iter_lines() if line]
        events = [json.loads(line.removeprefix("data: ")) for line in lines]
        states = [event["status"] for event in events]
        assert list(dict.fromkeys(states)) == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
        assert states.count("COMPLETED") == 1
        assert all(one != other for one, other in itertools.pairwise(events))

    def test_result_too_early(self, fal: Fal) -> None:
        """Before completion the result is 400 with the text that clients look for."""
        fal.emulator.knobs = SLOW
        reply = fal.http.get(fal.submit()["response_url"])
        assert reply.status_code == 400
        assert reply.json() == {"detail": "Request is still in progress"}

    def test_unknown_request(self, fal: Fal) -> None:
        """An unknown request, or one of another app, is not found."""
        ticket = fal.submit()
        other = ticket["status_url"].replace("fal-ai/flux", "fal-ai/other")
        missing = ticket["status_url"].replace(ticket["request_id"], "x")
        for url in (other, missing):
            reply = fal.http.get(url)
            assert (reply.status_code, reply.json()) == (404, {"status": "NOT_FOUND"})
        assert fal.http.put(other.replace("/status", "/cancel")).status_code == 404

    def test_cancel(self, fal: Fal) -> None:
        """A queued request is removed and not charged; its result is 499 from then on."""
        fal.emulator.knobs = SLOW
        ticket = fal.submit()
        reply = fal.http.put(ticket["cancel_url"])
        assert (reply.status_code, reply.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
        status = fal.finished(ticket, logs=1)
        assert (status["logs"], status["metrics"]) == ([], {"inference_time": 0.0})
        result = fal.result(ticket)
        assert result.status_code == 499
        assert result.json()["error_type"] == "client_cancelled"
        assert result.headers["x-fal-error-type"] == "client_cancelled"
        again = fal.http.put(ticket["cancel_url"])
        assert (again.status_code, again.json()) == (400, {"status": "ALREADY_COMPLETED"})
        assert fal.emulator.stats["charged"] == 0
        assert fal.emulator.in_flight() == 0

    def test_cancel_that_comes_too_late(self, fal: Fal) -> None:
        """A running request may complete although its cancel was accepted."""
        fal.emulator.knobs = evolve(SEEN, queue_seconds=0.0)
        ticket = fal.submit(json={"prompt": "[uncancellable] cat"})
        assert fal.http.put(ticket["cancel_url"]).status_code == 202
        assert fal.result(ticket).status_code == 200

    def test_a_post_to_a_request_is_no_submit(self, fal: Fal) -> None:
        """A cancel sent with the wrong method does not become a paid job."""
        ticket = fal.submit()
        assert fal.http.post(ticket["cancel_url"]).status_code == 404
        assert fal.emulator.stats["jobs"] == 1

    @pytest.mark.parametrize(
        ("word", "states"),
        [
            ("fast", ["IN_QUEUE", "COMPLETED"]),
            ("requeue", ["IN_QUEUE", "IN_PROGRESS", "IN_QUEUE", "IN_PROGRESS", "COMPLETED"]),
        ],
    )
    def test_odd_paths(self, fal: Fal, word: str, states: list[str]) -> None:
        """A request may skip IN_PROGRESS, or go back into the queue."""
        fal.emulator.knobs = SEEN
        ticket = fal.submit(json={"prompt": f"[{word}]"})
        with fal.http.stream("GET", f"{ticket['status_url']}/stream") as reply:
            seen = [json.loads(line[6:])["status"] for line in reply.iter_lines() if line]
        merged = [seen[0], *(b for a, b in itertools.pairwise(seen) if a != b)]
        assert merged == states

    def test_queue_that_is_too_long(self, fal: Fal) -> None:
        """fal_max_queue_length refuses a request that more than so many are ahead of."""
        fal.emulator.knobs = SLOW
        for _ in range(2):
            fal.submit(query="?fal_max_queue_length=1")
        url = f"{fal.emulator.queue_url}/{FLUX}?fal_max_queue_length=1"
        assert fal.http.post(url, json={"prompt": "a cat"}).status_code == 429
        assert fal.emulator.stats["jobs"] == 2


class TestErrors:
    @pytest.fixture
    def fal(self, fal: Fal) -> Fal:
        fal.emulator.knobs = INSTANT
        return fal

    def test_every_problem_of_an_input(self, fal: Fal) -> None:
        """A bad input is accepted, COMPLETED without an error, and 422 as its result."""
        ticket = fal.submit(
            json={"num_images": 9, "image_size": {"width": 0}, "acceleration": "warp", "seed": None}
        )
        status = fal.finished(ticket)
        assert "error" not in status
        reply = fal.http.get(ticket["response_url"])
        assert reply.status_code == 422
        assert reply.headers["x-fal-retryable"] == "false"
        assert reply.headers["x-fal-billable-units"] == "0"
        found = {tuple(entry["loc"]): entry for entry in reply.json()["detail"]}
        assert found["body", "prompt"]["type"] == "missing"
        assert found["body", "acceleration"]["type"] == "literal_error"
        assert found["body", "image_size", "width"]["ctx"] == {"gt": 0}
        assert found["body", "num_images"] == {
            "loc": ["body", "num_images"],
            "msg": "Input should be less than or equal to 4",
            "type": "less_than_equal",
            "url": "https://docs.fal.ai/errors/#less_than_equal",
            "ctx": {"le": 4},
            "input": 9,
        }
        assert len(found) == 4
        assert fal.emulator.stats["charged"] == 0

    @pytest.mark.parametrize(
        ("body", "kind"), [(b"{", "json_invalid"), (b"[]", "model_attributes_type")]
    )
    def test_a_body_that_is_no_object(self, fal: Fal, body: bytes, kind: str) -> None:
        """Even a body that is no JSON object is only refused by the runner."""
        reply = fal.result(fal.submit(content=body, json=None))
        assert (reply.status_code, reply.json()["detail"][0]["type"]) == (422, kind)

    @pytest.mark.parametrize(
        ("url", "kind"),
        [
            ("cat.png", "file_download_error"),
            ("data:image/png;base64,!", "file_download_error"),
            ("data:image/png;base64,aGVsbG8=", "image_load_error"),
            ("{cdn}/files/koala/gone.png", "file_download_error"),
        ],
    )
    def test_input_files_that_cannot_be_read(self, fal: Fal, url: str, kind: str) -> None:
        """An input file must be reachable, and a picture must be one."""
        given = {"prompt": "a cat", "image_url": url.format(cdn=fal.emulator.cdn_url)}
        reply = fal.run("fal-ai/flux-pro/kontext", **given)
        assert reply.status_code == 422
        assert reply.json()["detail"][0]["type"] == kind
        assert reply.json()["detail"][0]["loc"] == ["body", "image_url"]

    @pytest.mark.parametrize(
        ("kind", "status", "retryable"),
        [
            ("content_policy_violation", 422, "false"),
            ("internal_server_error", 500, "true"),
            ("generation_timeout", 504, "true"),
            ("downstream_service_error", 400, "true"),
        ],
    )
    def test_errors_of_the_model(self, fal: Fal, kind: str, status: int, retryable: str) -> None:
        """A prompt can ask for any error of the model; the status does not tell of it."""
        ticket = fal.submit(json={"prompt": f"a cat [{kind}]"})
        assert "error_type" not in fal.finished(ticket)
        reply = fal.http.get(ticket["response_url"])
        assert (reply.status_code, reply.headers["x-fal-retryable"]) == (status, retryable)
        entry = reply.json()["detail"][0]
        assert (entry["type"], entry["url"]) == (kind, f"https://docs.fal.ai/errors/#{kind}")

    @pytest.mark.parametrize(
        ("kind", "status"), [("runner_disconnected", 503), ("startup_timeout", 504)]
    )
    def test_errors_of_the_platform(self, fal: Fal, kind: str, status: int) -> None:
        """The platform's errors are flat, and the status tells of them."""
        ticket = fal.submit(json={"prompt": f"[{kind}]"})
        assert fal.finished(ticket)["error_type"] == kind
        reply = fal.http.get(ticket["response_url"])
        assert reply.status_code == status
        assert reply.headers["x-fal-error-type"] == kind
        assert reply.json() == {"detail": fal.finished(ticket)["error"], "error_type": kind}

    @pytest.mark.parametrize(
        ("word", "body"),
        [("string_detail", {"detail": "The input was not accepted"}), ("no_detail", {})],
    )
    def test_details_that_are_no_list(self, fal: Fal, word: str, body: dict[str, str]) -> None:
        """Some endpoints answer with a string for detail, or without any."""
        reply = fal.run(prompt=f"[{word}]")
        assert (reply.status_code, reply.json()) == (422, body)

    def test_ingress_error(self, fal: Fal) -> None:
        """The ingress answers 502 with nginx in the body and no request id, once."""
        ticket = fal.submit(json={"prompt": "[ingress]"})
        reply = fal.result(ticket)
        assert reply.status_code == 502
        assert "nginx" in reply.text
        assert "x-fal-request-id" not in reply.headers
        assert fal.result(ticket).status_code == 200

    def test_credentials(self, fal: Fal) -> None:
        """No key is 401, a wrong one too, and one without balance 403."""
        url = f"{fal.emulator.queue_url}/{FLUX}"
        fal.emulator.knobs = evolve(FAST, key="right:key")
        seen = [
            httpx.post(url, json={}, headers={"Authorization": key})
            for key in ("", "Bearer", "Key wrong:key", "Key right:key")
        ]
        assert [reply.status_code for reply in seen] == [401, 401, 401, 200]
        assert seen[0].json() == {"detail": "Authentication is required to access this application"}
        fal.emulator.knobs = FAST
        poor = httpx.post(url, json={}, headers={"Authorization": "Key nocredit:key"})
        assert poor.status_code == 403
        assert poor.json()["detail"].startswith("User is locked. Reason: Exhausted balance.")
        assert fal.emulator.stats["jobs"] == 1

    def test_every_answer_has_a_request_id(self, fal: Fal) -> None:
        """Whatever fal answers carries x-fal-request-id."""
        base = fal.emulator.base_url
        for path in ("/queue/nothing", "/rest/x", "/v1/models", "/.well-known/jwks.json", "/cdn/x"):
            assert fal.http.get(base + path).headers["x-fal-request-id"]
        assert fal.http.post(f"{base}/rest/storage/upload/initiate").status_code == 422

    def test_strict(self, fal: Fal) -> None:
        """When strict, an unknown app is 404 at once, an unknown path of a known one later."""
        assert fal.run("someone/else", anything=1).json()["images"]
        fal.emulator.knobs = evolve(FAST, strict=True)
        unknown = fal.http.post(f"{fal.emulator.queue_url}/someone/else", json={})
        assert unknown.status_code == 404
        assert unknown.json() == {"detail": "Application 'someone/else' not found"}
        late = fal.result(fal.submit("fal-ai/flux/nothing"))
        assert (late.status_code, late.json()) == (404, {"detail": "Path /nothing not found"})


class TestKnobs:
    def test_failures_and_refusals(self, fal: Fal) -> None:
        """Every Nth job fails or is moderated as fal does it, and is not charged."""
        fal.emulator.knobs = evolve(INSTANT, fail_every=2, moderate_every=3)
        kinds = []
        for _ in range(4):
            reply = fal.run(prompt="a cat")
            kinds.append(reply.json()["detail"][0]["type"] if reply.is_error else None)
        failed, refused = "internal_server_error", "content_policy_violation"
        assert kinds == [None, failed, refused, failed]
        assert (fal.emulator.stats["jobs"], fal.emulator.stats["charged"]) == (4, 1)

    def test_rate_limits(self, fal: Fal) -> None:
        """429 tells in turn that a retry is needed, and when."""
        fal.emulator.knobs = evolve(INSTANT, rate_limit_every=2)
        replies = [fal.run(prompt="a cat") for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 429, 200, 429]
        assert replies[1].headers["x-fal-needs-retry"] == "1"
        assert replies[1].json()["type"] == "concurrent_requests_limit"
        assert replies[3].headers["retry-after"] == "1"

    def test_lost_replies(self, fal: Fal) -> None:
        """A lost reply is a job all the same."""
        fal.emulator.knobs = evolve(INSTANT, lose_replies_every=1)
        with pytest.raises(httpx.TransportError):
            fal.submit()
        assert fal.emulator.stats["jobs"] == 1

    def test_ingress_outage(self, fal: Fal) -> None:
        """error_every answers as the ingress does, before anything is done."""
        fal.emulator.knobs = evolve(FAST, error_every=1)
        reply = fal.run(prompt="a cat")
        assert reply.status_code == 503
        assert "nginx" in reply.text
        assert "x-fal-request-id" not in reply.headers
        assert fal.emulator.stats["jobs"] == 0

    def test_expiry(self, fal: Fal) -> None:
        """Outputs are gone after a while, or as soon as the client's preference says."""
        fal.emulator.knobs = evolve(INSTANT, expire_seconds=0.5)
        url = fal.run(prompt="a cat").json()["images"][0]["url"]
        assert fal.http.get(url).status_code == 200
        until(lambda: fal.http.get(url).status_code, lambda status: status == 404)
        fal.emulator.knobs = INSTANT
        preference = {"X-Fal-Object-Lifecycle-Preference": '{"expiration_duration_seconds": 0}'}
        ticket = fal.submit(headers=preference)
        gone = fal.result(ticket).json()["images"][0]["url"]
        assert fal.http.get(gone).status_code == 404

    def test_output_host(self, fal: Fal) -> None:
        """Output URLs may name another host."""
        fal.emulator.knobs = evolve(INSTANT, output_host="http://files.test")
        url = fal.run(prompt="a cat").json()["images"][0]["url"]
        assert url.startswith("http://files.test/cdn/files/")


class TestOutputs:
    @pytest.fixture
    def fal(self, fal: Fal) -> Fal:
        fal.emulator.knobs = INSTANT
        return fal

    def picture(self, fal: Fal, endpoint: str, **given: Any) -> Any:
        reply = fal.run(endpoint, **given)
        assert reply.status_code == 200, reply.text
        output = reply.json()
        return output.get("image") or output["images"][0]

    @pytest.mark.parametrize("endpoint", endpoints().values(), ids=lambda endpoint: endpoint.id)
    def test_every_endpoint(self, fal: Fal, endpoint: Endpoint) -> None:
        """Each endpoint runs with no more than it requires, and gives what it promises."""
        given: dict[str, Any] = {}
        for name in endpoint.input.get("required", ()):
            given[name] = [PIXEL] if name.endswith("_urls") else "a cat"
            if name.endswith("_url"):
                given[name] = PIXEL
        reply = fal.run(endpoint.id, **given)
        assert reply.status_code == 200, reply.text
        output = reply.json()
        assert set(endpoint.output["required"]) <= set(output) <= set(endpoint.output["properties"])
        links = re.findall(r'"url": ?"([^"]+)"', reply.text)
        assert links or "text" in output
        for link in links:
            assert fal.http.head(link).headers["content-type"]

    @pytest.mark.parametrize(
        ("endpoint", "given", "size"),
        [
            (FLUX, {"image_size": "portrait_16_9"}, (576, 1024)),
            (FLUX, {"image_size": {"width": 320, "height": 200}}, (320, 200)),
            ("fal-ai/nano-banana", {"aspect_ratio": "16:9"}, (1360, 768)),
            ("fal-ai/imagen4/preview", {"resolution": "2K"}, (2048, 2048)),
        ],
    )
    def test_sizes(self, fal: Fal, endpoint: str, given: Any, size: tuple[int, int]) -> None:
        """Presets, sizes in pixels, proportions and resolutions are honoured."""
        described = self.picture(fal, endpoint, prompt="a cat", **given)
        assert (described["width"], described["height"]) == size
        with Image.open(io.BytesIO(fal.http.get(described["url"]).content)) as picture:
            assert picture.size == size

    def test_size_of_the_source(self, fal: Fal) -> None:
        """An edit keeps the size of its source, and an upscaler multiplies it."""
        prompt = {"prompt": "a cat", "image_size": {"width": 64, "height": 48}}
        source = self.picture(fal, FLUX, **prompt)["url"]
        edited = self.picture(fal, "fal-ai/flux-pro/kontext", prompt="a dog", image_url=source)
        assert (edited["width"], edited["height"]) == (64, 48)
        larger = self.picture(fal, "fal-ai/topaz/upscale/image", image_url=source)["url"]
        with Image.open(io.BytesIO(fal.http.get(larger).content)) as picture:
            assert picture.size == (128, 96)

    def test_formats_counts_and_seeds(self, fal: Fal) -> None:
        """The format and the number of images are honoured; a seed repeats its picture."""
        given = {"prompt": "a cat", "num_images": 2, "output_format": "webp", "seed": 5}
        reply = fal.run("fal-ai/nano-banana", **given)
        images = reply.json()["images"]
        assert reply.headers["x-fal-billable-units"] == "2"
        assert [image["content_type"] for image in images] == ["image/webp"] * 2
        files = [fal.http.get(image["url"]).content for image in images]
        assert [image["file_size"] for image in images] == [len(file) for file in files]
        assert images[0]["url"].endswith(images[0]["file_name"])
        assert files[0] != files[1]
        again = fal.run("fal-ai/nano-banana", **given).json()["images"]
        assert [fal.http.get(image["url"]).content for image in again] == files

    def test_sync_mode(self, fal: Fal) -> None:
        """With sync_mode the file is a data URI."""
        image = self.picture(fal, FLUX, prompt="a cat", sync_mode=True)
        head, _, data = image["url"].partition(",")
        assert head == "data:image/jpeg;base64"
        assert base64.b64decode(data).startswith(b"\xff\xd8")

    def test_video(self, fal: Fal) -> None:
        """A video lasts as long as asked, and says what it is."""
        reply = fal.run("fal-ai/sora-2/text-to-video", prompt="a cat", aspect_ratio="9:16")
        video = reply.json()["video"]
        assert (video["duration"], video["fps"], video["num_frames"]) == (4.0, 10, 40)
        assert (video["width"], video["height"]) == (144, 256)
        assert reply.headers["x-fal-billable-units"] == "4"
        assert fal.http.get(video["url"]).content[4:8] == b"ftyp"

    def test_ranges(self, fal: Fal) -> None:
        """Files are served in parts."""
        url = self.picture(fal, FLUX, prompt="a cat")["url"]
        content = fal.http.get(url).content
        part = fal.http.get(url, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, content[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(content)}"
        assert fal.http.get(url, headers={"Range": "bytes=-5"}).content == content[-5:]
        beyond = fal.http.get(url, headers={"Range": f"bytes={len(content)}-"})
        assert beyond.status_code == 416


class TestStorage:
    def test_javascript_upload_in_parts(self, fal: Fal) -> None:
        """The JavaScript client's large uploads: PUT parts, then complete with their tags."""
        started = fal.http.post(
            f"{fal.emulator.rest_url}/storage/upload/initiate-multipart?storage_type=fal-cdn-v3",
            json={"content_type": "image/png", "file_name": "a.png"},
        ).json()
        url = httpx.URL(started["upload_url"])
        assert fal.http.get(started["file_url"]).status_code == 404
        parts = [
            httpx.put(url.copy_with(path=f"{url.path}/{n}"), content=part).json()
            for n, part in enumerate([b"one ", b"two"], 1)
        ]
        complete = url.copy_with(path=f"{url.path}/complete")
        assert httpx.post(complete, json={"parts": parts[:1]}).status_code == 400
        assert httpx.post(complete, json={"parts": parts}).status_code == 200
        assert fal.http.get(started["file_url"]).content == b"one two"

    def test_storage_needs_credentials(self, fal: Fal) -> None:
        """Tokens and announcements need a key, and the CDN a token."""
        for url in (
            f"{fal.emulator.rest_url}/storage/auth/token",
            f"{fal.emulator.rest_url}/storage/upload/initiate",
            f"{fal.emulator.cdn_url}/files/upload",
        ):
            assert httpx.post(url, json={}).status_code == 401
        assert httpx.put(f"{fal.emulator.cdn_url}/uploads/unknown").status_code == 404


class TestWebhooks:
    def test_vector(self) -> None:
        """The signature is the one that was computed from fal's description."""
        signer = Signer(bytes(range(32)))
        request_id = "80e732af-660e-45cd-bd63-580e4f2a94cc"
        body = (
            f'{{"request_id":"{request_id}","gateway_request_id":"{request_id}",'
            '"status":"OK","payload":{"seed":1}}'
        ).encode()
        headers = signer.headers(
            body, request_id=request_id, user_id="user-1", timestamp=1703769600
        )
        assert signer.jwks()["keys"][0]["x"] == "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
        assert headers == {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": "user-1",
            "X-Fal-Webhook-Timestamp": "1703769600",
            "X-Fal-Webhook-Signature": (
                "2cce8b12e23775c94ef7d4ee1ae28b2316fb98bb50523b2cf59ff790497ee386"
                "fde20de116eca6cfcdb5b93eba6f72d0552749e0e46ad99bd655217f5e993409"
            ),
        }

    def test_success(self, fal: Fal, receiver: Receiver) -> None:
        """The output comes signed by a key of the published set."""
        ticket = fal.submit(query=f"?fal_webhook={receiver.url}")
        [body] = receiver.wait()
        assert body["status"] == "OK"
        assert body["request_id"] == body["gateway_request_id"] == ticket["request_id"]
        assert body["payload"] == fal.result(ticket).json()
        headers, raw = receiver.calls[0]
        jwks = httpx.get(f"{fal.emulator.rest_url}/.well-known/jwks.json").json()
        public = base64.urlsafe_b64decode(jwks["keys"][0]["x"] + "=")
        signed = "\n".join(
            (
                headers["X-Fal-Webhook-Request-Id"],
                headers["X-Fal-Webhook-User-Id"],
                headers["X-Fal-Webhook-Timestamp"],
                hashlib.sha256(raw).hexdigest(),
            )
        )
        signature = bytes.fromhex(headers["X-Fal-Webhook-Signature"])
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed.encode())
        assert abs(time.time() - int(headers["X-Fal-Webhook-Timestamp"])) < 60

    def test_failures(self, fal: Fal, receiver: Receiver) -> None:
        """A failure is told with its status and its body, a cancel as soon as it happens."""
        fal.submit(json={}, query=f"?fal_webhook={receiver.url}")
        [body] = receiver.wait()
        assert (body["status"], body["error"]) == ("ERROR", "Invalid status code: 422")
        assert body["payload"]["detail"][0]["loc"] == ["body", "prompt"]
        fal.emulator.knobs = SLOW
        ticket = fal.submit(query=f"?fal_webhook={receiver.url}")
        fal.http.put(ticket["cancel_url"])
        assert receiver.wait(2)[1]["error"] == "Invalid status code: 499"

    def test_output_that_is_no_json(self, fal: Fal, receiver: Receiver) -> None:
        """What cannot be put into a webhook is named there, and found at the result URL."""
        ticket = fal.submit(
            json={"prompt": "[unserializable]"}, query=f"?fal_webhook={receiver.url}"
        )
        [body] = receiver.wait()
        assert (body["status"], body["payload"]) == ("OK", None)
        assert "not JSON serializable" in body["payload_error"]
        assert fal.result(ticket).headers["content-type"] == "image/png"

    def test_requeued_request(self, fal: Fal, receiver: Receiver) -> None:
        """The gateway's id is another one if the request was queued again."""
        fal.submit(json={"prompt": "[requeue]"}, query=f"?fal_webhook={receiver.url}")
        [body] = receiver.wait()
        assert body["gateway_request_id"] != body["request_id"]

    def test_repeated_until_accepted(self, receiver: Receiver) -> None:
        """A webhook that is refused comes again, the same body; a redirect ends it."""
        emulator = FalEmulator(INSTANT, retry_delays=(0.01, 0.01, 0.01))
        receiver.answers.extend([500, 404, 200, 302])
        with running(emulator), httpx.Client(timeout=60) as http:
            http.headers["Authorization"] = "Key a:b"
            fal = Fal(emulator, http)
            first = fal.submit(query=f"?fal_webhook={receiver.url}")
            bodies = receiver.wait(3)
            assert {body["request_id"] for body in bodies} == {first["request_id"]}
            fal.submit(query=f"?fal_webhook={receiver.url}")
            receiver.wait(4)
            time.sleep(0.1)
            assert len(receiver.calls) == 4


class TestCatalogue:
    def test_document(self, fal: Fal) -> None:
        """The OpenAPI document has fal's four paths, and leads to input and output."""
        url = f"{fal.emulator.base_url}/api/openapi/queue/openapi.json"
        document = httpx.get(url, params={"endpoint_id": FLUX}).json()
        request = f"/{FLUX}/requests/{{request_id}}"
        assert set(document["paths"]) == {
            f"/{FLUX}",
            request,
            f"{request}/status",
            f"{request}/cancel",
        }
        post = document["paths"][f"/{FLUX}"]["post"]
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/FluxDevInput"}
        components = document["components"]["schemas"]
        assert set(components) == {
            "QueueStatus",
            "FluxDevInput",
            "FluxDevOutput",
            "Image",
            "ImageSize",
        }
        assert components["FluxDevInput"]["x-fal-order-properties"][0] == "prompt"
        assert document["info"]["x-fal-metadata"]["category"] == "text-to-image"
        assert document["servers"] == [{"url": "https://queue.fal.run"}]

    def test_unknown_document(self, fal: Fal) -> None:
        """An unknown endpoint has a stock document, and none when strict."""
        url = f"{fal.emulator.base_url}/api/openapi/queue/openapi.json?endpoint_id=some/one"
        assert "/some/one" in httpx.get(url).json()["paths"]
        fal.emulator.knobs = evolve(FAST, strict=True)
        assert httpx.get(url).status_code == 404

    def test_models(self, fal: Fal) -> None:
        """Models are found by id, with their document if wanted, by category and by word."""
        url = f"{fal.emulator.base_url}/v1/models"
        [one] = fal.http.get(url, params={"endpoint_id": FLUX, "expand": "openapi-3.0"}).json()[
            "models"
        ]
        assert one["openapi"]["info"]["title"] == f"Queue OpenAPI for {FLUX}"
        found: list[str] = []
        cursor: str | None = "0"
        while cursor is not None:
            query: dict[str, str | int] = {
                "category": "text-to-video",
                "limit": 3,
                "cursor": cursor,
            }
            page = fal.http.get(url, params=query).json()
            found += [model["endpoint_id"] for model in page["models"]]
            cursor = page["next_cursor"]
        videos = [e.id for e in endpoints().values() if e.category == "text-to-video"]
        assert found == videos
        assert len(fal.http.get(url, params={"query": "veo3.1"}).json()["models"]) == 2

    def test_proxy(self, fal: Fal) -> None:
        """A JavaScript client that knows only a proxy is sent on to the right host."""
        reply = fal.http.post(
            f"{fal.emulator.base_url}/proxy",
            json={"prompt": "a cat"},
            headers={"x-fal-target-url": f"https://queue.fal.run/{FLUX}?fal_max_queue_length=9"},
            follow_redirects=True,
        )
        assert reply.json()["status"] == "IN_QUEUE"
        elsewhere = {"x-fal-target-url": "https://example.com/"}
        url = f"{fal.emulator.base_url}/proxy"
        assert fal.http.get(url, headers=elsewhere).status_code == 412

    @pytest.mark.parametrize(
        ("endpoint_id", "app"),
        [
            ("fal-ai/flux/dev/image-to-image", "fal-ai/flux"),
            ("workflows/someone/flow/path", "workflows/someone/flow"),
            ("comfy/someone/flow", "comfy/someone/flow"),
            ("12345-my-app", "12345/my-app"),
        ],
    )
    def test_apps(self, endpoint_id: str, app: str) -> None:
        """The URLs of requests carry namespace, owner and alias only."""
        assert app_of(endpoint_id) == app


def test_name_and_environment(tls: FalEmulator, fal: Fal) -> None:
    """The command finds the emulator by name, and prints what a client needs."""
    assert load("fal") is FalEmulator
    assert fal.emulator.env == {"FAL_KEY": "emulator:key"}
    assert tls.env["FAL_QUEUE_RUN_HOST"] == tls.queue_url.removeprefix("https://")


def test_environment_of_the_client(tls: FalEmulator) -> None:
    """With TLS, the environment alone points fal's client at the emulator."""
    script = "import fal_client; print(fal_client.subscribe('fal-ai/trellis', {'image_url': '%s'}))"
    done = subprocess.run(
        [sys.executable, "-c", script % PIXEL],
        env={**os.environ, **tls.env},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{tls.cdn_url}/files/" in done.stdout
