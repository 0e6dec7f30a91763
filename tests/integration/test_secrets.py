"""Secrets are planted, providers repeat them in every way, and every sink is searched."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import io
import json
import logging
import os
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from aiohttp import web

from boards import Boards, BoardsError
from boards.adapters import Adapter, Job
from boards.adapters import reply as reply_value
from boards.boards import succeeded
from boards.engine.scrubbing import forms
from boards.errors import ProviderError, UnavailableError
from boards.logs import add_generation
from boards.settings import load
from tests.integration.acme import PNG, Acme, drop
from tests.integration.conftest import Open
from tests.integration.test_listening import SOCKET, STREAM, _sockets

KEY = "sk-PLANTED/api+key=7f3a9c1e55d0"
SECOND = "PLANTED-second-secret-0a1b2c3d4e"
SIGNING = f"whsec_{base64.b64encode(b'PLANTED-webhook-secret-99').decode()}"
SIGNATURE = "PLANTED-signature-of-an-output-5e6f"
ENVIRONMENT = {"ACME_KEY": KEY, "ACME_SECOND": SECOND, "ACME_HOOK": SIGNING}
PROVIDER: dict[str, Any] = {
    "secrets": {"second": "ACME_SECOND"},
    "progress": {"percent": "body.percent", "logs": "body.logs"},
    "retry": {"max": 1, "base": "10ms", "cap": "20ms"},
}
PLANTED = sorted({form for one in (KEY, SECOND, SIGNING) for form in forms(one)}, key=len)


class Sinks:
    """Everything that a host or a person may ever see, as one text."""

    def __init__(self) -> None:
        self.logs: list[str] = []
        self.texts: list[str] = []

    def keep(self, text: object) -> None:
        """Something that was shown."""
        self.texts.append(str(text))

    def keep_error(self, error: BaseException) -> None:
        """An exception, in each way that people print one."""
        self.texts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        self.texts += traceback.format_exception(error)
        report = traceback.TracebackException.from_exception(error)
        self.texts += list(report.format())

    def log(self, _logger: Any, _method: str, event: Any) -> Any:
        """The last processor."""
        self.logs.append(event if isinstance(event, str) else json.dumps(event, default=repr))
        raise structlog.DropEvent

    def found_in(self, home: Path, secrets: list[str]) -> list[str]:
        """Where a secret stands: files of the home directory too, as they are on the disk."""
        places = [(f"log: {one}", one.encode()) for one in self.logs]
        places += [(f"shown: {one}", one.encode()) for one in self.texts]
        places += [(str(path), path.read_bytes()) for path in home.rglob("*") if path.is_file()]
        return [
            f"{secret} in {where}"
            for where, content in places
            for secret in secrets
            if secret.encode() in content
        ]


@pytest.fixture(params=["logging", "json", "console"])
def sinks(request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]) -> Iterator[Sinks]:
    """Collects what is logged: by the standard library, as JSON with every frame, or for people."""
    sinks = Sinks()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    common = [add_generation, structlog.processors.add_log_level]
    if request.param == "json":
        frames = structlog.processors.dict_tracebacks
        render = structlog.processors.JSONRenderer(default=repr)
        structlog.configure([*common, frames, render, sinks.log])
    elif request.param == "console":
        # Older versions warn of tracebacks that come as text, unless they are to be plain.
        plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        structlog.configure([*common, plain, sinks.log])
    yield sinks
    structlog.reset_defaults()
    root.removeHandler(handler)
    root.setLevel(level)
    sinks.logs.append(stream.getvalue())
    sinks.logs += capfd.readouterr()


async def observed(boards: Boards, sinks: Sinks, *, until: float = 5.0, **given: Any) -> str:
    """Generate, and keep all that can be seen of it; how it ended."""
    try:
        generation = await boards.submit("acme/draw", prompt="a cat", **given)
        async with asyncio.timeout(until):
            generation = await boards.wait(generation.id)
    except TimeoutError:
        generation = await boards.cancel(generation.id)
    except BoardsError as error:
        sinks.keep_error(error)
        return "refused"
    engine = boards._running
    async for event in boards.events(generation.id, follow=False):
        sinks.keep(event)
        sinks.keep(json.dumps(event.as_dict()))
    sinks.keep(json.dumps(generation.as_dict()))
    sinks.keep(generation)
    for one in await engine.store.attempts(generation.id):
        sinks.keep(one)
    for thing in (boards, boards.settings, engine, engine.machine, engine.client("acme")):
        sinks.keep(repr(thing))
    try:
        succeeded(generation)
    except BoardsError as error:
        sinks.keep_error(error)
    return generation.phase


def told(request: web.Request) -> str:
    """What a careless provider repeats of a request."""
    credentials = " ".join(
        value for name, value in request.headers.items() if name in ("Authorization", "X-Key")
    )
    return f"{credentials} {request.query_string} {KEY} {SECOND} {quote(KEY, safe='')}"


def as_json(status: int) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": told(request)}}, status=status)

    return answer


def as_page(status: int, before: int = 0) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        text = f"<html><body>{'x' * before}{told(request)}</body></html>"
        return web.Response(text=text, status=status, content_type="text/html")

    return answer


def as_text(status: int, before: int = 0) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=f"{'x' * before}{told(request)}", status=status)

    return answer


async def as_header(request: web.Request) -> web.StreamResponse:
    headers = {"Retry-After": told(request), "X-Reason": told(request)}
    return web.json_response({}, status=400, headers=headers)


def as_job(**more: Any) -> Callable[[web.Request], Any]:
    """A job that is full of what was sent."""

    async def answer(request: web.Request) -> web.StreamResponse:
        words = told(request)
        job = {"id": "job-1", "status": "running", "percent": 5, "logs": words, "seen": words}
        acme_job = {**job, **more}
        if acme_job.get("reason"):
            acme_job["reason"] = words
        return web.json_response(acme_job)

    return answer


ANSWERS: dict[str, dict[str, Any]] = {
    "a refusal as JSON": {"submit": as_json(401)},
    "a refusal that may be repeated": {"submit": as_json(429)},
    "a refusal as a page": {"submit": as_page(400)},
    "a refusal as text": {"submit": as_text(422)},
    "a secret that is cut": {"submit": as_text(422, before=480)},
    "a refusal in a header": {"submit": as_header},
    "a broken gateway": {"submit": as_page(502)},
    "a page instead of a job": {"submit": as_page(200)},
    "a page with a secret that is cut": {"submit": as_page(200, before=95)},
    "an accepted job without an id": {"submit": as_job(id=None)},
    "a lost answer": {"submit": drop},
    "a status that nobody knows": {"submit": as_job(), "poll": as_job(status=f"bad {KEY}")},
    "a failure": {"submit": as_job(), "poll": as_job(status="failed", reason="?")},
    "an outage between": {"submit": as_job(), "poll": as_json(503)},
    "a page between": {"submit": as_job(), "poll": as_page(200)},
    "a poll that is refused": {"submit": as_job(), "poll": as_json(400)},
    "a result that is refused": {"submit": as_job(), "result": as_json(410)},
    "an output that is refused": {"submit": as_job(), "file": as_json(403)},
    "progress": {"submit": as_job(), "poll": as_job()},
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_what_a_provider_repeats_is_seen_by_nobody(
    acme: Acme, open_boards: Open, sinks: Sinks, tmp_path: Path, name: str
) -> None:
    """However it repeats it, and whichever step it answers."""
    acme.answers |= ANSWERS[name]
    acme.jobs["job-1"] = {"id": "job-1", "status": "queued", "polls": 0}
    async with open_boards(provider=PROVIDER, environment=ENVIRONMENT) as boards:
        phase = await observed(boards, sinks, until=0.6)
        if phase == "unknown":
            await boards.resolve((await boards.list())[0].id)
    assert sinks.found_in(tmp_path / "home", PLANTED) == []


AUTHS: dict[str, dict[str, Any]] = {
    "bearer": {},
    "header": {"auth": {"kind": "header", "name": "X-Key"}},
    "query": {"auth": {"kind": "query", "name": "key"}},
    "basic": {"auth": {"kind": "basic"}},
    "jwt": {"auth": {"kind": "jwt_hs256", "issuer": "second", "ttl": "10m"}},
}


@pytest.mark.parametrize("kind", AUTHS)
async def test_credentials_are_known_again_in_the_form_in_which_they_were_sent(
    acme: Acme, open_boards: Open, sinks: Sinks, tmp_path: Path, kind: str
) -> None:
    """In success too: what is kept of the job, the facts of an artifact, and the outputs."""
    sent: list[str] = []

    async def result(request: web.Request) -> web.StreamResponse:
        header = request.headers.get("Authorization", "")
        sent.extend(one for one in (header.partition(" ")[2], request.query.get("key")) if one)
        url = f"{acme.url}/files/a.png?echo={quote(told(request))}"
        return web.json_response({"images": [{"url": url}], "seed": told(request)})

    acme.answers |= {"submit": as_job(), "poll": as_job(status="done"), "result": result}
    provider = {**PROVIDER, **AUTHS[kind]}
    async with open_boards(provider=provider, environment=ENVIRONMENT) as boards:
        assert await observed(boards, sinks) == "succeeded"
    assert bool(sent) == (kind != "header")
    assert sinks.found_in(tmp_path / "home", [*PLANTED, *sent]) == []


async def test_frames_of_a_websocket(
    acme: Acme, open_boards: Open, sinks: Sinks, tmp_path: Path
) -> None:
    """The key is in the first frame; it comes back in a refusal, and in the job."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        first = await socket.receive_json()
        await socket.send_json({"error": {"message": f"{first} is wrong", "code": "key"}})
        await socket.close(message=KEY.encode())
        return socket

    async def echo(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        key = await socket.receive_json()
        task = (await socket.receive_json())["task"]
        status = {"task": task, "status": "running", "key": key}
        await socket.send_json({"data": [status]})
        await socket.send_json({"data": [{**status, "status": f"odd {key}"}]})
        return socket

    provider = {**PROVIDER, **_sockets(acme)}
    for answer in (refuse, echo):
        acme.answers["socket"] = answer
        async with open_boards(
            provider=provider, execution=SOCKET, environment=ENVIRONMENT
        ) as boards:
            assert await observed(boards, sinks) == "failed"
    assert sinks.found_in(tmp_path / "home", PLANTED) == []


async def test_events_of_a_stream(
    acme: Acme, open_boards: Open, sinks: Sinks, tmp_path: Path
) -> None:
    """As replies, and as what ends the stream."""

    async def events(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        for status in ("running", "failed"):
            data = {"id": "job-1", "status": status, "logs": told(request), "reason": KEY}
            await stream.write(f"data: {json.dumps(data)}\n\n".encode())
        return stream

    acme.answers |= {"submit": as_job(), "events": events}
    async with open_boards(
        provider=PROVIDER, execution={"stream": STREAM}, environment=ENVIRONMENT
    ) as boards:
        assert await observed(boards, sinks) == "failed"
    assert sinks.found_in(tmp_path / "home", PLANTED) == []


async def test_an_upload(acme: Acme, open_boards: Open, sinks: Sinks, tmp_path: Path) -> None:
    """That is refused, and that is repeated before."""
    upload = {
        "init": {"method": "POST", "path": "/jobs", "json": {"name": "${file.name}"}},
        "capture": {"url": "body.url"},
        "result": "${upload.url}",
    }
    provider = {**PROVIDER, "files": {"accept": ["upload"], "upload": upload}}
    for answer in (as_json(500), as_page(403), as_page(200), as_job(), as_job(url=f"/{KEY}")):
        acme.answers |= {"submit": answer, "poll": as_job(status="failed", reason="?")}
        async with open_boards(provider=provider, environment=ENVIRONMENT) as boards:
            await observed(boards, sinks, image=PNG)
    assert sinks.found_in(tmp_path / "home", PLANTED) == []


def _signed(body: bytes) -> dict[str, str]:
    when = str(int(time.time()))
    key = base64.b64decode(SIGNING.removeprefix("whsec_"))
    mac = hmac.new(key, f"m.{when}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return {"Webhook-Id": "m", "Webhook-Timestamp": when, "Webhook-Signature": signature}


async def test_a_webhook(acme: Acme, open_boards: Open, sinks: Sinks, tmp_path: Path) -> None:
    """One that is forged, and one that tells the result: the secret and the token stay unknown."""
    tokens: list[str] = []

    async def submit(request: web.Request) -> web.StreamResponse:
        address = (await request.json())["webhook"]
        tokens.append(address.rsplit("/", 1)[1])
        return web.json_response({"id": "job-1", "status": "queued", "logs": address})

    async def poll(request: web.Request) -> web.StreamResponse:
        logs = f"will call .../{tokens[0]}"
        return web.json_response({"id": "job-1", "status": "running", "percent": 1, "logs": logs})

    acme.answers |= {"submit": submit, "poll": poll}
    verify = {"kind": "standard_webhooks", "secret_env": "ACME_HOOK"}
    execution = {
        "submit": {
            "path": "/jobs",
            "json": {"webhook": "${run.webhook_url?}"},
            "capture": {"id": "body.id"},
        }
    }
    async with open_boards(
        provider={**PROVIDER, "webhook": {"verify": verify, "then": "accept"}},
        execution=execution,
        environment=ENVIRONMENT,
        webhook_url="https://boards.example/hooks",
    ) as boards:
        running = asyncio.create_task(observed(boards, sinks))
        while not tokens:
            await asyncio.sleep(0.01)
        url = f"{acme.url}/files/a.png"
        told = {
            "id": "job-1",
            "status": "done",
            "images": [{"url": url}],
            "seed": f"{KEY} {SIGNING}",
        }
        body = json.dumps(told).encode()
        headers = {**_signed(body), "Webhook-Signature": f"v1,{SIGNING}"}
        with pytest.raises(BoardsError) as forged:
            await boards.receive_webhook("acme", headers, body, tokens[0])
        sinks.keep_error(forged.value)
        await boards.receive_webhook("acme", _signed(body), body, tokens[0])
        assert await running == "succeeded"
    assert sinks.found_in(tmp_path / "home", [*PLANTED, *tokens]) == []


async def test_a_key_that_cannot_be_sent(open_boards: Open, sinks: Sinks, tmp_path: Path) -> None:
    """A provider that is not there, at an address that has the key; and requests that are free."""
    for kind in AUTHS.values():
        provider = {
            **PROVIDER,
            **kind,
            "config": {"base_url": "http://127.0.0.1:9/v1", "api_key_env": "ACME_KEY"},
        }
        async with open_boards(provider=provider, environment=ENVIRONMENT) as boards:
            await observed(boards, sinks, until=0.3)
            sinks.keep(await boards.check_provider("acme"))
            request = boards._running.client("acme")
            sinks.keep(repr(await request.credentials("http://127.0.0.1:9/v1/me")))
            sinks.keep(await boards.explain("acme/draw", prompt="a cat"))
    assert sinks.found_in(tmp_path / "home", PLANTED) == []


class Careless(Adapter):
    """An adapter whose mistakes quote what it works with."""

    async def submit(self, job: Job, rendered: Any) -> Any:
        key = self.client.named_secret("api_key")
        match job.input["prompt"]:
            case "raise":
                raise ValueError(f"cannot use {key}")
            case "tell":
                raise ProviderError("auth", f"cannot use {key}", remedy=f"not {key}")
            case _:
                return reply_value({"id": "job-1", "status": "queued"})

    async def status(self, job: Job) -> Any:
        raise ProviderError("provider", f"no {self.client.named_secret('second')}")


@pytest.mark.parametrize("prompt", ["raise", "tell", "run"])
async def test_an_adapter_that_quotes_them(
    acme: Acme, open_boards: Open, sinks: Sinks, tmp_path: Path, prompt: str
) -> None:
    """In an error of its own, and in a mistake, whose frames a log may show."""
    provider = {**PROVIDER, "adapter": f"{__name__}:Careless"}
    execution = {"type": "adapter"}
    async with open_boards(
        provider=provider, execution=execution, environment=ENVIRONMENT
    ) as boards:
        generation = await boards.submit("acme/draw", prompt=prompt)
        generation = await boards.wait(generation.id)
        assert generation.phase == "failed"
        sinks.keep(generation)
        sinks.keep(generation.as_dict())
    assert sinks.found_in(tmp_path / "home", PLANTED) == []


class Locked(Adapter):
    """One that cannot look for a job, nor ask about one, and says with what."""

    async def reconcile(self, job: Job) -> list[dict[str, Any]] | None:
        raise ProviderError("auth", f"cannot look with {self.client.named_secret('second')}")

    async def status(self, job: Job) -> Any:
        cause = ValueError(f"bad {self.client.named_secret('second')}")
        raise UnavailableError("Unlock it.", remedy=f"Not by {cause}") from cause


@pytest.mark.parametrize("lost", [True, False], ids=["a look-up", "a poll"])
async def test_an_adapter_that_cannot_be_used_and_says_with_what(
    acme: Acme,
    open_boards: Open,
    sinks: Sinks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lost: bool,
) -> None:
    """What holds a generation up is told to who waits, and in the log: where it came from, too."""
    monkeypatch.setattr("boards.engine.recovering._SOON", (0.01,))
    provider = {**PROVIDER, "adapter": f"{__name__}:Locked"}
    if lost:
        acme.answers["submit"] = drop
    environment = {**ENVIRONMENT, "ACME_KEY": "acme-secret-key"}
    async with open_boards(provider=provider, environment=environment) as boards:
        assert await observed(boards, sinks) == ("unknown" if lost else "refused")
    assert sinks.found_in(tmp_path / "home", PLANTED) == []
    assert lost or any("Unlock it." in one for one in sinks.texts)


async def test_the_signature_of_an_output_is_told_to_nobody(
    acme: Acme, open_boards: Open, sinks: Sinks, tmp_path: Path
) -> None:
    """Whoever has its URL has the output. Only the database knows it, which fetches it again."""

    async def result(_request: web.Request) -> web.StreamResponse:
        url = f"{acme.url}/files/a.png?X-Signature={SIGNATURE}"
        return web.json_response({"images": [{"url": url}]})

    async def gone(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=403, text=SIGNATURE)

    acme.answers["result"] = result
    environment = {**ENVIRONMENT, "ACME_KEY": "acme-secret-key"}
    async with open_boards(provider=PROVIDER, environment=environment) as boards:
        assert await observed(boards, sinks) == "succeeded"
        acme.answers["file"] = gone
        assert await observed(boards, sinks) == "failed"
    assert sinks.found_in(tmp_path / "nothing", [SIGNATURE]) == []


@pytest.mark.parametrize("sinks", ["console"], indirect=True)  # the command logs as it does
@pytest.mark.parametrize("answer", ["a refusal as JSON", "a page instead of a job", "a failure"])
async def test_the_command_line(acme: Acme, sinks: Sinks, tmp_path: Path, answer: str) -> None:
    """Of a command that fails: both of its outputs, as text and as JSON."""
    acme.answers |= ANSWERS[answer]
    from tests.integration.acme import generator

    files = {"providers": {"acme": {**acme.provider(), **PROVIDER}}, "generators": [generator()]}
    (tmp_path / "boards.yaml").write_text(json.dumps(files))
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **ENVIRONMENT,
        "BOARDS_HOME": str(tmp_path / "home"),
        "BOARDS_PROVIDERS_CONFIG_PATH": str(tmp_path / "boards.yaml"),
        "BOARDS_GENERATORS_CONFIG_PATH": str(tmp_path / "boards.yaml"),
        "BOARDS_ALLOW_PRIVATE_HOSTS": "1",
    }
    for command in (
        ["generate", "acme/draw", "prompt=a cat"],
        ["--json", "generate", "acme/draw", "prompt=a cat"],
        ["providers", "acme", "--check"],
        ["--json", "generations"],
    ):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "boards.cli", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        sinks.keep(done.stdout)
        sinks.keep(done.stderr)
    assert "acme/draw" in "".join(sinks.texts)
    assert sinks.found_in(tmp_path / "home", PLANTED) == []


def test_settings_show_no_environment() -> None:
    """They are what people print when something is wrong."""
    assert "PLANTED" not in repr(load(environment=ENVIRONMENT))


@contextlib.asynccontextmanager
async def opentelemetry_spans() -> AsyncIterator[list[str]]:
    """What an SDK exports of the spans that end meanwhile, as JSON; the metrics last."""
    pytest.importorskip("opentelemetry.sdk")
    from tests.integration.test_telemetry import Collected

    collected = Collected.one()
    collected.exporter.clear()
    exported: list[str] = []
    yield exported
    exported += [span.to_json() for span in collected.exporter.get_finished_spans()]
    figures = collected.reader.get_metrics_data()
    assert figures is not None
    exported.append(figures.to_json())


@pytest.mark.parametrize("name", ANSWERS)
async def test_spans_and_figures(acme: Acme, open_boards: Open, name: str) -> None:
    """Nothing of a request is in them, nor of what was generated."""
    acme.answers |= ANSWERS[name]
    acme.jobs["job-1"] = {"id": "job-1", "status": "queued", "polls": 0}
    provider = {**PROVIDER, **AUTHS["query"]}
    async with (
        opentelemetry_spans() as exported,
        open_boards(provider=provider, environment=ENVIRONMENT) as boards,
    ):
        await observed(boards, Sinks(), until=0.6)
    text = "".join(exported)
    assert "boards.generation" in text
    assert "a cat" not in text
    assert [one for one in PLANTED if one in text] == []
