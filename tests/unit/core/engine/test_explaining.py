"""What would be sent is told, runs as a command, and is not sent."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from attrs import define, field

from boards import Artifact, Boards, InvalidInputError, ProviderError
from boards.dsl import Generator, body, post
from boards.dsl import input as asked
from boards.engine.explaining import Explanation
from boards.engine.transport import Request
from boards.sync import Boards as SyncBoards
from boards.testing.fixtures.comparing import body_of

KEY = "secret-of-acme"
NASTY = 'a "fox" costs $HOME `id` \\n it\'s\nJSON\n$(id) ! %s é'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


class NoTransport:
    """Fails a test that sends anything."""

    async def send(self, request: Request) -> Any:
        raise AssertionError(request)

    async def connect(self, url: str, timeout: float | None) -> Any:
        raise AssertionError(url)

    async def close(self) -> None:
        """Nothing is open."""


@define
class Taker:
    """A server that takes requests down, and answers ``{}``."""

    url: str = ""
    taken: list[Request] = field(factory=list)


@pytest.fixture(scope="module")
def server() -> Iterator[Taker]:
    """On loopback."""
    taker = Taker()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
            taker.taken.append(
                Request(
                    self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body
                )
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_PUT = _take  # noqa: N815  # as its base class has it

        def log_message(self, *_: object) -> None:
            """Nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taker.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield taker
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def host(url: str = "https://acme.test", **execution: Any) -> dict[str, Any]:
    """Arguments of a host with the generator ``acme/draw``."""
    provider = execution.pop("provider", {})
    properties = {
        "prompt": {"type": "string"},
        "n": {"type": "integer", "default": 2},
        "image": {"type": "string", "format": "image"},
        "images": {"type": "array", "items": {"type": "string", "format": "image"}, "maxItems": 3},
    }
    return {
        "transport": NoTransport(),
        "environment": {},
        "plugins_disabled": ("boards-fal", "boards-replicate"),
        "providers": {
            "acme": {
                "config": {"base_url": f"{url}/v1", "api_key_env": "ACME_KEY"},
                "auth": {"kind": "bearer"},
                "files": {"accept": ["url", "data_uri"], "data_uri_max": "1MB"},
                **provider,
            }
        },
        "generators": [
            {
                "name": "draw",
                "provider": "acme",
                "artifact_type": "image",
                "cost": {
                    "unit": "image", "usd": 0.02, "times": "${input.n}",
                    "source": "https://acme.test", "as_of": "2026-01-01",
                },
                "io": {
                    "input_schema": {
                        "type": "object", "properties": properties, "required": ["prompt"],
                    }
                },
                "execution": {
                    "submit": {
                        "path": "/draw",
                        "json": {
                            "prompt": "${input.prompt}",
                            "n": "${input.n}",
                            "image": "${input.image?|file}",
                        },
                    },
                    "extract": {"output_paths": ["url"]},
                    **execution,
                },
            }
        ],
    }  # fmt: skip


async def explain(given: dict[str, Any], **inputs: Any) -> Explanation:
    """Of a host that was not even opened."""
    return await Boards(**given).explain("draw", **inputs)


def run(command: str, cwd: Path) -> None:
    """In bash, with the key set."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env={**os.environ, "ACME_KEY": KEY, "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (0, "{}"), done.stderr + command


async def test_what_cannot_be_derived_is_told_of_the_input(tmp_path: Path) -> None:
    """As a generation would fail with ``invalid_input``."""
    lets = {"number": "${input.prompt|int}"}
    with pytest.raises(InvalidInputError, match="cannot read a text"):
        await explain({**host(let=lets), "home": tmp_path / "home"}, prompt="a fox")


async def test_the_submit_is_told_without_a_key_and_without_sending(tmp_path: Path) -> None:
    """Its address, headers, body and price; the secret is masked."""
    found = await explain({**host(), "home": tmp_path / "home"}, prompt="a fox")
    (submit,) = found.steps
    assert (submit.name, submit.method, submit.url) == (
        "submit",
        "POST",
        "https://acme.test/v1/draw",
    )
    assert submit.headers["Authorization"] == "Bearer ***"
    assert json.loads(submit.body or "") == {"prompt": "a fox", "n": 2}
    assert submit.http.startswith(
        "POST https://acme.test/v1/draw HTTP/1.1\nContent-Type: application/json\n"
    )
    assert found.cost is not None
    assert (found.cost.usd, found.cost.quantity) == (0.04, 2)
    assert not {"boards.db", "artifacts"} & {one.name for one in (tmp_path / "home").iterdir()}


async def test_a_secret_that_is_set_is_not_even_looked_at() -> None:
    """Nor does it get into anything that is told."""
    given = {**host(), "environment": {"ACME_KEY": KEY}}
    found = await explain(given, prompt="a fox")
    assert KEY not in json.dumps(found.as_dict())
    assert "$ACME_KEY" in found.steps[0].curl


def test_it_is_there_without_await() -> None:
    """Open or not."""
    with SyncBoards(**host()) as boards:
        opened = boards.explain("draw", prompt="a fox")
    assert opened.steps == SyncBoards(**host()).explain("draw", prompt="a fox").steps


async def test_what_a_reply_tells_is_left_open() -> None:
    """In the requests about the job."""
    given = host(
        submit={
            "path": "/draw",
            "json": {
                "prompt": "${input.prompt}",
                "n": "${input.n}",
                "image": "${input.image?|file}",
            },
            "capture": {"id": "body.id", "url": "body.url"},
        },
        poll={"url": "${job.url}", "query": {"id": "${job.id}"}},
        status={"at": "body.status", "map": {"done": "succeeded"}, "unknown": "running"},
        result={"path": "/jobs/${job.id}", "accept": "binary", "auth": "none"},
        cancel={"method": "POST", "path": "/jobs/${job.id}/cancel", "json": {"last": "${prev.at}"}},
    )
    steps = {step.name: step for step in (await explain(given, prompt="a fox")).steps}
    assert list(steps) == ["submit", "poll", "result", "cancel"]
    assert steps["poll"].url == "<job.url>?id=<job.id>"
    assert steps["poll"].headers["Authorization"] == "Bearer ***"
    assert steps["result"].url == "https://acme.test/v1/jobs/<job.id>"
    assert "Authorization" not in steps["result"].headers
    assert json.loads(steps["cancel"].body or "") == {"last": "<prev.at>"}


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"kind": "bearer"}, ("authorization", f"Bearer {KEY}")),
        ({"kind": "header", "name": "X-Key", "prefix": "Key "}, ("x-key", f"Key {KEY}")),
        ({"kind": "basic"},
         ("authorization", f"Basic {base64.b64encode(KEY.encode()).decode()}")),
        ({"kind": "none"}, None),
    ],
)  # fmt: skip
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_the_command_sends_the_same_request(
    auth: dict[str, Any], header: tuple[str, str] | None, server: Taker, tmp_path: Path
) -> None:
    """With credentials from the environment, and whatever a prompt may be."""
    given = host(server.url, provider={"auth": auth})
    (step,) = (await explain(given, prompt=NASTY)).steps
    run(step.curl, tmp_path)
    sent = server.taken.pop()
    assert (sent.method, sent.url) == ("POST", "/v1/draw")
    assert json.loads(sent.body or b"") == {"prompt": NASTY, "n": 2}
    assert sent.headers["content-type"] == "application/json"
    assert header is None or sent.headers[header[0]] == header[1]
    assert KEY not in step.http + step.curl


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_a_query_and_a_key_in_it_arrive(server: Taker, tmp_path: Path) -> None:
    """Brackets and braces as they are."""
    given = host(
        server.url,
        provider={"auth": {"kind": "query", "name": "key"}},
        submit={"method": "POST", "path": "/draw", "query": {"q[]": "${input.prompt}"}},
    )
    (step,) = (await explain(given, prompt="{a}[1-3]", n=1)).steps
    assert step.url.endswith("&key=***")
    run(step.curl, tmp_path)
    assert server.taken.pop().url == "/v1/draw?q%5B%5D=%7Ba%7D%5B1-3%5D&key=secret-of-acme"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_a_file_is_shown_short_and_sent_whole(server: Taker, tmp_path: Path) -> None:
    """The command reads it from where it is; bytes without a file stand in it."""
    path = tmp_path / "my 'cat'; x.png"
    path.write_bytes(PNG)
    whole = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    for image, name in ((path, " of my 'cat'; x.png"), (PNG, ""), (whole, "")):
        (step,) = (await explain(host(server.url), prompt=NASTY, image=image)).steps
        shown = json.loads(step.body or "")["image"]
        assert shown == f"{whole[: 22 + 48]}... (2.1 KB{name})"
        assert len(step.curl) < 1500 or image is not path
        run(step.curl, tmp_path)
        assert json.loads(server.taken.pop().body or b"") == {
            "prompt": NASTY,
            "n": 2,
            "image": whole,
        }


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("from_disk", [True, False])
async def test_the_parts_of_a_multipart_body_arrive(
    from_disk: bool, server: Taker, tmp_path: Path
) -> None:
    """Texts as they are, a list as several parts, files under their names and types."""
    path = tmp_path / 'a "b";c,d.png'
    path.write_bytes(PNG)
    given = host(
        server.url,
        submit={
            "path": "/draw",
            "multipart": {
                "prompt": "${input.prompt}",
                "n": "${input.n}",
                "image": "${input.images?|bytes}",
            },
        },
    )
    nasty = "@/etc/passwd;type=x $HOME <b>"
    images = [path, path] if from_disk else [PNG, PNG]
    (step,) = (await explain(given, prompt=nasty, images=images)).steps
    assert "boundary=boards\n" in step.http
    assert f"(2.1 KB{' of ' + path.name if from_disk else ''})" in step.http
    assert "Content-Type: image/png" in step.http
    run(step.curl, tmp_path)
    sent = server.taken.pop()
    parts = body_of(sent)["multipart"]
    assert (parts["prompt"], parts["n"]) == (nasty, "2")
    assert (sent.body or b"").count(PNG) == 2
    assert (sent.body or b"").count(b'.png"\r\nContent-Type: image/png') == 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_a_file_at_an_address_is_named_and_not_fetched(server: Taker, tmp_path: Path) -> None:
    """Where its bytes are to be sent; the command fetches it."""
    url = f"{server.url}/a;$b.png?x=[1]&y={2}"
    text = {"prompt": "${input.prompt}", "n": "${input.n}"}
    bodies: list[tuple[dict[str, Any], str, str]] = [
        ({"json": {**text, "image": "${input.image?|base64}"}}, f'"image": "<bytes of {url}>"',
         base64.b64encode(b"{}").decode()),
        ({"json": {**text, "image": "${input.image?|data_uri}"}},
         f'"image": "data:image/png;base64,<bytes of {url}>"',
         f"data:image/png;base64,{base64.b64encode(b'{}').decode()}"),
        ({"json": {**text, "image": "${input.image?|mime}"}}, '"image": "image/png"', "image/png"),
        ({"multipart": {**text, "image": "${input.image?|bytes}"}}, f"\n<bytes of {url}>\n", "{}"),
    ]  # fmt: skip
    for sends, shown, sent in bodies:
        found = await explain(
            host(server.url, submit={"path": "/d", **sends}), prompt="x", image=url
        )
        (step,) = found.steps
        assert shown in step.http
        assert found.notes == (f"{url} would be fetched first; its bytes stand in the request.",)
        run(step.curl, tmp_path)
        arrived = body_of(server.taken.pop())
        assert arrived.get("json", arrived.get("multipart"))["image"] == sent
    put = {"init": {"path": "/u"}, "capture": {"a": "body.a"}, "result": "${upload.a}"}
    upload = {"accept": ["upload"], "upload": put}
    found = await explain(host(server.url, provider={"files": upload}), prompt="x", image=url)
    assert json.loads(found.steps[0].body or "")["image"] == f"<upload of {url}>"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize(
    "kind", ["$(touch ran)", "`touch ran`", 'image/png";touch ran;"', "a/$HOME"]
)
async def test_the_type_of_a_data_uri_is_text_and_no_command(
    server: Taker, tmp_path: Path, kind: str
) -> None:
    """It comes from who gave the input, and arrives as it was given."""
    uri = f"data:{kind};base64,{base64.b64encode(PNG).decode()}"
    (step,) = (await explain(host(server.url), prompt="x", image=uri)).steps
    assert json.loads(step.body or "")["image"].startswith(f"data:{kind};base64,")
    run(step.curl, tmp_path)
    assert json.loads(server.taken.pop().body or b"")["image"] == uri
    assert not (tmp_path / "ran").exists()


async def test_an_artifact_that_is_not_here_is_an_error() -> None:
    """A reference says which file it was, not where it is."""
    gone = f"artifact:{'0' * 64}.png"
    with pytest.raises(InvalidInputError, match=f"{gone} is none of the files"):
        await explain(host(), prompt="x", image=gone)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_what_curl_would_do_otherwise_arrives(server: Taker, tmp_path: Path) -> None:
    """A GET with a body stays one, an empty header is sent, a field's name is encoded."""
    submit = {
        "method": "GET", "path": "/draw", "headers": {"X-Note": "${input.prompt}"},
        "json": {"n": "${input.n}"},
    }  # fmt: skip
    step = (await explain(host(server.url, submit=submit), prompt="")).steps[0]
    run(step.curl, tmp_path)
    taken = server.taken.pop()
    assert (taken.method, taken.headers["x-note"]) == ("GET", "")
    assert json.loads(taken.body or b"") == {"n": 2}
    form = {"method": "POST", "path": "/draw", "form": {"a&b[]": "${input.prompt}"}}
    run((await explain(host(server.url, submit=form), prompt=NASTY)).steps[0].curl, tmp_path)
    assert parse_qs(str(server.taken.pop().body, "utf-8")) == {"a&b[]": [NASTY]}


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_a_form_and_a_raw_body_arrive(server: Taker, tmp_path: Path) -> None:
    """Encoded by curl, and not at all."""
    form = {"path": "/draw", "form": {"prompt": "${input.prompt}", "n": "${input.n}"}}
    (step,) = (await explain(host(server.url, submit=form), prompt=NASTY)).steps
    run(step.curl, tmp_path)
    assert body_of(server.taken.pop())["form"] == {"prompt": NASTY, "n": "2"}
    raw = {"path": "/draw", "query": {"n": "${input.n}"}, "body": "${input.prompt}"}
    (step,) = (await explain(host(server.url, submit=raw), prompt="@a $b\n")).steps
    run(step.curl, tmp_path)
    assert server.taken.pop().body == b"@a $b\n"
    file = {
        "method": "PUT",
        "path": "/draw",
        "query": {"n": "${input.n}"},
        "body": "${input.image?|bytes}",
    }
    (step,) = (await explain(host(server.url, submit=file), prompt="x", image=PNG)).steps
    run(step.curl, tmp_path)
    assert server.taken.pop().body == PNG


async def test_an_upload_is_named_and_not_done(tmp_path: Path) -> None:
    """Its address is not known before."""
    files = {
        "accept": ["upload"],
        "upload": {
            "init": {"method": "POST", "path": "/files", "multipart": {"content": "${file.bytes}"}},
            "capture": {"url": "body.url"},
            "result": "${upload.url}",
        },
    }
    (tmp_path / "cat.png").write_bytes(PNG)
    found = await explain(host(provider={"files": files}), prompt="x", image=tmp_path / "cat.png")
    assert json.loads(found.steps[0].body or "")["image"] == "<upload of cat.png>"
    assert found.notes == ("cat.png would be uploaded first; its address stands in the request.",)


async def test_an_artifact_is_a_file_of_this_machine(tmp_path: Path) -> None:
    """Or cannot be shown."""
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    facts: dict[str, Any] = {"id": "1.0", "type": "image", "mime": "image/png", "size": 8,
                             "sha256": "", "key": "k.png", "meta": {}}  # fmt: skip
    found = await explain(host(), prompt="x", image=Artifact(path=path, **facts))
    assert "of a.png" in (found.steps[0].body or "")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        await explain(host(), prompt="x", image=Artifact(path=None, **facts))


async def test_the_variant_that_fits_is_told() -> None:
    """By its number."""
    submit = {
        "variants": [
            {
                "when": {"exists": "input.image"},
                "path": "/edit",
                "json": {"image": "${input.image|file}"},
            },
            {"path": "/draw", "json": {"n": "${input.n}"}},
        ]
    }
    found = await explain(host(submit=submit), prompt="x")
    assert found.steps[0].url.endswith("/draw")
    assert found.notes == ("Variant 2 of 2 fits the input.",)


async def test_the_key_of_idempotency_is_there() -> None:
    """As good a one as any."""
    submit = {"path": "/draw", "json": {"p": "${input.prompt}", "u": "${run.uuid}"},
              "idempotency": {"header": "Idempotency-Key"}}  # fmt: skip
    (step,) = (await explain(host(submit=submit), prompt="x")).steps
    assert step.headers["Idempotency-Key"].endswith("-1")
    assert len(json.loads(step.body or "")["u"]) == 36


async def test_a_signed_token_is_named_as_a_variable() -> None:
    """Bash makes none; its parts are not shown either."""
    provider = {
        "auth": {"kind": "jwt_hs256", "issuer": "access", "ttl": "30m"},
        "secrets": {"access": "ACME_ACCESS"},
    }
    (step,) = (await explain(host(provider=provider), prompt="x")).steps
    assert step.headers["Authorization"] == "Bearer ***"
    assert '-H "Authorization: Bearer $JWT"' in step.curl


async def test_a_websockets_frames_are_shown() -> None:
    """Its secret is masked; there is no command."""
    socket = {
        "url": "wss://acme.test/frames",
        "open": [{"key": {"$secret": "api_key"}}],
        "send": "submit.json",
        "match": {"eq": ["task", "${run.uuid}"]},
    }
    submit = {"path": "/unused", "json": {"prompt": "${input.prompt}"}}
    status = {"at": "body.status", "map": {"done": "succeeded"}, "unknown": "running"}
    found = await explain(host(submit=submit, websocket=socket, status=status), prompt="x")
    assert found.steps[0].http == (
        'WEBSOCKET wss://acme.test/frames\n\n{\n  "key": "***"\n}\n{\n  "prompt": "x"\n}'
    )
    assert found.steps[0].curl == ""


async def test_what_an_adapter_does_is_not_known() -> None:
    """It is not even imported: the spec's request is shown, or that there is none."""
    provider = {"adapter": "no_such_module:Adapter"}
    found = await explain(host(provider=provider), prompt="x")
    assert found.notes == ("The adapter no_such_module:Adapter may change what is sent.",)
    assert found.steps
    given = host(provider=provider)
    given["generators"][0]["execution"] = {"type": "adapter"}
    found = await explain(given, prompt="x")
    assert found.notes == ("no_such_module:Adapter submits: what it sends is not known here.",)
    assert found.steps == ()


def test_an_instance_of_a_class_is_name_and_input_in_one() -> None:
    """As for a generation, with await and without."""

    class Sketch(Generator, name="sketch", provider="acme", artifact="image"):
        prompt: str

        submit = post("/sketch", json={"prompt": asked.prompt})
        outputs = body.url

    found = asyncio.run(Boards(**host()).explain(Sketch(prompt="a fox")))
    assert (found.generator, found.input) == ("acme/sketch", {"prompt": "a fox"})
    assert found.steps == SyncBoards(**host()).explain(Sketch(prompt="a fox")).steps


async def test_what_could_not_be_sent_is_an_error() -> None:
    """Wrong input, and an address that is not the provider's."""
    with pytest.raises(InvalidInputError):
        await explain(host(), promt="x")
    with pytest.raises(ProviderError, match="not a host of acme"):
        await explain(host(submit={"url": "https://${input.prompt}.test/x"}), prompt="other")
