"""What goes over the wire where the language says something special."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from aiohttp import web

from boards.errors import GenerationFailedError
from tests.integration.acme import PNG, Acme
from tests.integration.conftest import Open


async def test_an_output_with_a_request_of_its_own_is_fetched_with_credentials(
    acme: Acme, open_boards: Open
) -> None:
    """The value found is ${item}; the key goes to the provider's own host."""
    output = {
        "from": "body.seed",
        "request": {"path": "/content/${item}", "headers": {"X-Part": "all"}, "accept": "binary"},
    }
    async with open_boards(execution={"extract": {"outputs": [output]}}) as boards:
        generation = await boards.generate("draw", prompt="a cat")
        assert generation.artifacts[0].path is not None
        assert generation.artifacts[0].path.read_bytes() == PNG
    [request] = [request for name, (request, _) in acme.requests if name == "content"]
    assert (request.path, request.headers["X-Part"]) == ("/v1/content/7", "all")


async def test_a_request_of_an_output_never_leaves_the_providers_hosts(
    acme: Acme, open_boards: Open
) -> None:
    """An address from a reply cannot take the key along."""

    async def foreign(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"images": [{"url": "https://evil.example/a"}], "seed": 7})

    acme.answers["result"] = foreign
    output = {"from": "body.images[*].url", "request": {"url": "${item}"}}
    async with open_boards(execution={"extract": {"outputs": [output]}}) as boards:
        with pytest.raises(GenerationFailedError, match=r"evil\.example") as caught:
            await boards.generate("draw", prompt="a cat")
    assert caught.value.kind == "untrusted_url"


async def test_a_jwt_is_signed_with_the_key_and_names_its_issuer(
    acme: Acme, open_boards: Open
) -> None:
    """HS256 as RFC 7519 has it; the same token serves until half of its life is over."""
    tokens: list[str] = []

    async def see(request: web.Request) -> web.StreamResponse:
        tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
        acme.jobs["job-1"] = {"id": "job-1", "status": "queued", "polls": 5}
        return web.json_response({"id": "job-1", "status": "queued"})

    acme.answers["submit"] = see
    async with open_boards(
        provider={
            "auth": {"kind": "jwt_hs256", "issuer": "access", "ttl": "10m"},
            "secrets": {"access": "ACME_ACCESS"},
        },
        environment={"ACME_KEY": "signing-key", "ACME_ACCESS": "the-issuer"},
    ) as boards:
        for _ in range(2):
            await boards.generate("draw", prompt="a cat")
    assert tokens[0] == tokens[1]
    signed, _, signature = tokens[0].rpartition(".")
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
    assert claims["iss"] == "the-issuer"
    assert 590 < claims["exp"] - claims["nbf"] < 620
    mac = hmac.new(b"signing-key", signed.encode(), hashlib.sha256).digest()
    assert signature == base64.urlsafe_b64encode(mac).decode().rstrip("=")


@pytest.mark.parametrize("form", ["base64", "data_uri"])
async def test_a_url_is_fetched_where_the_provider_takes_bytes(
    acme: Acme, open_boards: Open, form: str
) -> None:
    """With the same care as an output's; the caller need not download it."""
    submit = {
        "path": "/jobs",
        "json": {"prompt": "${input.prompt}", "image": f"${{input.image?|{form}}}"},
        "capture": {"id": "body.id"},
    }
    async with open_boards(execution={"submit": submit}) as boards:
        await boards.generate("draw", prompt="a cat", image=f"{acme.url}/files/a.png")
    sent = acme.jobs["job-1"]["input"]["image"]
    assert base64.b64decode(sent.rpartition(",")[2]) == PNG


async def test_a_url_that_cannot_be_fetched_fails_before_anything_is_sent(
    acme: Acme, open_boards: Open
) -> None:
    """A private address is refused, and named."""
    submit = {
        "path": "/jobs",
        "json": {"image": "${input.image?|base64}", "prompt": "${input.prompt}"},
        "capture": {"id": "body.id"},
    }
    async with open_boards(
        execution={"submit": submit}, allow_private_hosts=acme.url.removeprefix("http://")
    ) as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("draw", prompt="a cat", image="http://127.0.0.1:9/a.png")
    assert caught.value.kind == "untrusted_url"
    assert acme.counts["submit"] == 0


async def test_a_provider_that_takes_plain_base64_gets_it(acme: Acme, open_boards: Open) -> None:
    """files.accept: base64 is a transport of |file, beside URLs."""
    async with open_boards(provider={"files": {"accept": ["url", "base64"]}}) as boards:
        await boards.generate("draw", prompt="a cat", image=PNG)
        await boards.generate("draw", prompt="a cat", image="https://example.com/a.png")
    sent = [job["input"]["image"] for job in acme.jobs.values()]
    assert sent == [base64.b64encode(PNG).decode(), "https://example.com/a.png"]


async def test_a_submit_that_the_provider_knows_again_is_repeated_after_a_503(
    acme: Acme, open_boards: Open
) -> None:
    """With a key, no answer and a gateway's error are asked again: the same attempt."""
    keys: list[str] = []
    submit = acme.submit

    async def busy(request: web.Request) -> web.StreamResponse:
        keys.append(request.headers["Idempotency-Key"])
        return web.Response(status=503) if len(keys) == 1 else await submit(request)

    acme.answers["submit"] = busy
    spec = {
        "path": "/jobs",
        "json": {"prompt": "${input.prompt}"},
        "capture": {"id": "body.id"},
        "idempotency": {"header": "Idempotency-Key"},
    }
    async with open_boards(execution={"submit": spec}) as boards:
        await boards.generate("draw", prompt="a cat")
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_lets_know_the_attempt(acme: Acme, open_boards: Open) -> None:
    """Every root that a request may use, a let may use too."""
    submit = {"path": "/jobs", "json": {"prompt": "${let.mark}"}, "capture": {"id": "body.id"}}
    async with open_boards(
        execution={"let": {"mark": "${run.id} ${run.uuid} ${run.submitted_at}"}, "submit": submit}
    ) as boards:
        generation = await boards.generate("draw", prompt="a cat")
    mark = acme.jobs["job-1"]["input"]["prompt"].split()
    assert (mark[0], len(mark[1]), len(mark)) == (generation.id, 36, 3)


@pytest.mark.parametrize("at", ["submit", "poll"])
async def test_a_page_instead_of_json_is_what_a_rule_says(
    acme: Acme, open_boards: Open, at: str
) -> None:
    """Errors come before the parse: a 200 with HTML may be a known refusal."""

    async def page(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>Payment due</html>", content_type="text/html")

    acme.answers[at] = page
    rule = {"when": {"contains": ["body", "Payment due"]}, "raise": "quota"}
    async with open_boards(provider={"errors": [rule]}) as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("draw", prompt="a cat")
    assert caught.value.kind == "quota"
