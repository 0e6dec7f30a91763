"""Files in and out: the form that a provider takes, uploads, redirects, types."""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from boards import Boards, GenerationFailedError, NotFoundError
from boards.cli.app import boards as group
from boards.testing.emulators import media
from tests.integration.acme import PNG, Acme
from tests.integration.conftest import Open
from tests.integration.emulated import emulators, settings

SAMPLES = Path(__file__).parents[1] / "data" / "media"


@pytest.mark.parametrize("provider", ["replicate", "fal"])
async def test_a_large_file_is_uploaded_where_a_data_uri_would_be_too_large(
    tmp_path: Path, provider: str
) -> None:
    """The plugin's own upload: the provider fetches the file from its own storage."""
    picture = tmp_path / "large.png"
    picture.write_bytes(media.image("x", 1, width=64, height=64).content + b"\0" * 1_200_000)
    with emulators() as pair:
        async with Boards(home=tmp_path / "home", **settings(*pair)) as boards:
            generation = await boards.generate(
                f"{provider}/flux-kontext-pro", prompt="blue", image=picture
            )
        routes = {route for emulator in pair for route in emulator.stats}
    assert generation.status == "succeeded"
    upload = {"replicate": "POST /v1/files", "fal": "POST /rest/storage/upload/initiate"}
    assert upload[provider] in routes


async def test_a_provider_that_takes_only_small_data_uris_refuses_a_large_file(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """Nothing is sent; the error tells what is taken."""
    picture = tmp_path / "large.png"
    picture.write_bytes(PNG + b"\0" * 10_000)
    provider = {"files": {"accept": ["data_uri"], "data_uri_max": "5KB"}}
    async with open_boards(provider=provider) as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("acme/draw", prompt="a", image=picture)
    assert caught.value.kind == "invalid_input"
    assert "data_uri" in caught.value.message
    assert acme.counts["submit"] == 0


@pytest.mark.parametrize(
    "given",
    ["https://example.com/cat.png", "data:image/png;base64," + base64.b64encode(PNG).decode()],
)
async def test_urls_and_data_uris_pass_unchanged(acme: Acme, open_boards: Open, given: str) -> None:
    """What the provider takes as it is, it gets as it is."""
    async with open_boards() as boards:
        await boards.generate("acme/draw", prompt="a", image=given)
    assert acme.jobs["job-1"]["input"]["image"] == given


async def test_an_output_is_followed_through_redirects(acme: Acme, open_boards: Open) -> None:
    """Each hop is checked like the first; credentials go to none of them."""
    hops: list[str] = []

    async def moved(request: web.Request) -> web.StreamResponse:
        hops.append(request.headers.get("Authorization", ""))
        if len(hops) < 3:
            raise web.HTTPFound(f"/files/{len(hops)}.png")
        return web.Response(body=PNG, content_type="image/png")

    acme.answers["file"] = moved
    async with open_boards() as boards:
        generation = await boards.generate("acme/draw", prompt="a")
    assert generation.status == "succeeded"
    assert hops == ["", "", ""]


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:1/a.png", "file:///etc/passwd", "http://169.254.169.254/latest"]
)
async def test_a_redirect_to_a_forbidden_place_is_refused(
    acme: Acme, open_boards: Open, target: str
) -> None:
    """The second hop is as untrusted as the first."""

    async def moved(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": target})

    acme.answers["file"] = moved
    port = acme.url.rpartition(":")[2]
    async with open_boards(allow_private_hosts=(f"127.0.0.1:{port}",)) as boards:
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("acme/draw", prompt="a")
    assert caught.value.kind == "untrusted_url"


async def test_a_circle_of_redirects_ends(acme: Acme, open_boards: Open) -> None:
    """After a few hops."""

    async def moved(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/files/a.png"})

    acme.answers["file"] = moved
    async with open_boards() as boards:
        with pytest.raises(GenerationFailedError, match="circles"):
            await boards.generate("acme/draw", prompt="a")


@pytest.mark.parametrize("kind", ["fetched", "inline"])
async def test_an_artifact_tells_the_facts_of_its_bytes(
    acme: Acme,
    open_boards: Open,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    """Not those that a reply claims, which are its meta; also after a restart, and by command."""

    async def claim(_request: web.Request) -> web.StreamResponse:
        uri = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
        url = f"{acme.url}/files/a.png" if kind == "fetched" else uri
        return web.json_response({"images": [{"url": url, "width": 512}]})

    acme.answers["result"] = claim
    output = {"from": "body.images[*].url", "meta": {"width": "body.images[*].width"}}
    async with open_boards(execution={"extract": {"outputs": [output]}}) as boards:
        generation = await boards.generate("acme/draw", prompt="a")
    async with open_boards() as boards:
        [artifact] = (await boards.get(generation.id)).artifacts
    assert (artifact.width, artifact.height, artifact.duration) == (1, 1, None)
    assert artifact.meta == {"width": 512}
    assert artifact.as_dict()["width"] == 1
    status = ["--home", str(tmp_path / "home"), "status", generation.id]
    await asyncio.to_thread(group.main, status, standalone_mode=False)
    assert "1 x 1" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes])
async def test_outputs_inside_the_reply_need_no_download(
    acme: Acme, open_boards: Open, encode: Callable[[bytes], bytes]
) -> None:
    """Base64 and data URIs are decoded, also with line breaks, and typed by their bytes."""

    async def inline(_request: web.Request) -> web.StreamResponse:
        encoded = encode(PNG).decode()
        return web.json_response({"b64": [encoded], "uri": f"data:image/png;base64,{encoded}"})

    acme.answers["result"] = inline
    extract = {
        "outputs": [
            {"from": "body.b64[*]", "as": "base64"},
            {"from": "body.uri", "as": "url"},
        ]
    }
    async with open_boards(execution={"extract": extract}) as boards:
        generation = await boards.generate("acme/draw", prompt="a")
    assert [one.mime for one in generation.artifacts] == ["image/png", "image/png"]
    assert len({one.key for one in generation.artifacts}) == 1
    assert acme.counts["file"] == 0


async def test_a_download_that_breaks_off_is_fetched_again(acme: Acme, open_boards: Open) -> None:
    """Without another submit."""
    tries = 0

    async def flaky(request: web.Request) -> web.StreamResponse:
        nonlocal tries
        tries += 1
        if tries == 1:
            response = web.StreamResponse(headers={"Content-Length": "100000"})
            await response.prepare(request)
            await response.write(PNG)
            assert request.transport is not None
            request.transport.close()
            await asyncio.sleep(0)
            return response
        return await acme.file(request)

    acme.answers["file"] = flaky
    async with open_boards() as boards:
        generation = await boards.generate("acme/draw", prompt="a")
    assert generation.status == "succeeded"
    assert (tries, acme.counts["submit"]) == (2, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b'{"detail": "try later"}', "text, not image"), (b"ID3...", "audio/mpeg")],
)
async def test_bytes_that_are_no_image_are_no_success(
    acme: Acme, open_boards: Open, content: bytes, message: str
) -> None:
    """Whatever status and content type they came with."""

    async def bytes_(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type="image/png")

    acme.answers["file"] = bytes_
    async with open_boards() as boards:
        with pytest.raises(GenerationFailedError, match=message):
            await boards.generate("acme/draw", prompt="a")


def _branded(name: str, brand: bytes) -> bytes:
    content = (SAMPLES / name).read_bytes()
    return content[:8] + brand + content[12:]


@pytest.mark.parametrize("form", ["url", "base64"])
@pytest.mark.parametrize(
    ("wanted", "content", "mime"),
    [
        ("audio", _branded("a.m4a", b"isom"), "audio/mp4"),
        ("audio", (SAMPLES / "a.webm").read_bytes(), "audio/webm"),
        ("video", (SAMPLES / "a.ogg").read_bytes(), "video/ogg"),
        ("image", _branded("a.avif", b"avis"), "image/avif"),
        ("image", _branded("a.avif", b"mif1"), "image/avif"),
    ],
    ids=["mp4", "webm", "ogg", "avis", "mif1"],
)
async def test_a_container_is_taken_for_what_the_generator_makes(
    acme: Acme, open_boards: Open, form: str, wanted: str, content: bytes, mime: str
) -> None:
    """Sound lies in MP4 and WebM, film in Ogg: their first bytes do not tell, and it was paid."""

    async def bytes_(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content)

    async def inline(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"b64": base64.b64encode(content).decode()})

    acme.answers["file"] = bytes_
    if form == "base64":
        acme.answers["result"] = inline
    outputs = {"url": "body.images[*].url", "base64": "body.b64"}
    extract = {"outputs": [{"from": outputs[form], "as": form}]}
    async with open_boards(execution={"extract": extract}, artifact_type=wanted) as boards:
        [artifact] = (await boards.generate("acme/draw", prompt="a")).artifacts
    assert (artifact.type, artifact.mime) == (wanted, mime)
    if wanted == "audio":
        assert artifact.duration == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(
    "declared", ["image/\xff", "image/\x1b[31m", "hello", f"image/{'x' * 300}"]
)
@pytest.mark.parametrize("form", ["url", "base64"])
async def test_a_declared_type_that_is_none_is_not_told(
    acme: Acme, open_boards: Open, form: str, declared: str
) -> None:
    """It is printed, and half a character stops whoever prints it."""

    async def odd(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {declared}\r\nContent-Length: 2\r\n\r\n"
        request.transport.write(head.encode("latin-1") + b"\x00\xfe")  # type: ignore[attr-defined]
        await asyncio.sleep(0.05)
        request.transport.close()
        return web.Response()

    async def inline(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"b64": "AP4=", "mime": declared.replace("\xff", "\udcff")})

    acme.answers["file"] = odd
    output: dict[str, str] = {"from": "body.images[*].url", "as": "url"}
    if form == "base64":
        acme.answers["result"] = inline
        output = {"from": "body.b64", "as": "base64", "mime": "body.mime"}
    async with (
        asyncio.timeout(10),
        open_boards(execution={"extract": {"outputs": [output]}}) as host,
    ):
        [artifact] = (await host.generate("acme/draw", prompt="a")).artifacts
    assert artifact.mime == "application/octet-stream"


async def test_a_declared_type_with_an_odd_extension_is_kept(acme: Acme, open_boards: Open) -> None:
    """The system's table has extensions that no storage takes: ``.webmanifest``, ``.x_t``."""

    async def bytes_(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\x00\xfe", content_type="application/manifest+json")

    acme.answers["file"] = bytes_
    async with asyncio.timeout(10), open_boards() as boards:
        generation = await boards.generate("acme/draw", prompt="a")
    assert generation.artifacts[0].key.endswith(".bin")


async def test_a_synchronous_provider_answers_with_the_bytes(acme: Acme, open_boards: Open) -> None:
    """No poll: the reply to the submit is the result."""

    async def bytes_(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=PNG, content_type="image/png")

    acme.answers["submit"] = bytes_
    execution = {
        "submit": {"path": "/jobs", "json": {"prompt": "${input.prompt}"}, "accept": "binary"},
        "extract": {"outputs": [{"from": "body", "as": "bytes"}]},
    }
    async with open_boards(execution=execution, synchronous=True) as boards:
        generation = await boards.generate("acme/draw", prompt="a")
        types = [event.type async for event in boards.events(generation.id)]
    assert generation.artifacts[0].size == len(PNG)
    assert types == ["queued", "submitting", "artifact", "succeeded"]


async def test_a_synchronous_answer_without_a_byte_is_no_output(
    acme: Acme, open_boards: Open
) -> None:
    """An empty file is a failure, as it is where outputs are fetched; it is not asked for again."""

    async def nothing(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"", content_type="image/png")

    acme.answers["submit"] = nothing
    execution = {
        "submit": {"path": "/jobs", "json": {"prompt": "${input.prompt}"}, "accept": "binary"},
        "extract": {"outputs": [{"from": "body", "as": "bytes"}]},
    }
    async with open_boards(execution=execution, synchronous=True) as boards:
        with pytest.raises(GenerationFailedError, match="The output is empty"):
            await boards.generate("acme/draw", prompt="a")
    assert acme.counts["submit"] == 1


async def test_an_artifacts_bytes_are_read(acme: Acme, open_boards: Open) -> None:
    """By the artifact or its id; a file of this machine has no address for others."""
    del acme
    async with open_boards() as boards:
        [artifact] = (await boards.generate("acme/draw", prompt="a")).artifacts
        for of in (artifact, artifact.id):
            assert b"".join([chunk async for chunk in boards.read(of)]) == PNG
            assert await boards.url(of) is None
        with pytest.raises(NotFoundError, match="There is no artifact"):
            await boards.url(f"{artifact.id}7")
