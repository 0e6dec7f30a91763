"""Downloads that break off: gone on with where the server proves that the bytes are the same."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from attrs import define, field

from boards.engine import download
from boards.engine.addresses import AddressPolicy
from boards.engine.download import Downloader
from boards.engine.transport import AiohttpTransport
from boards.errors import ProviderError
from boards.storage.local import LocalStorage
from tests.integration.acme import PNG, Acme
from tests.integration.conftest import Open

MB = 1 << 20
WHOLE = b"".join(number.to_bytes(4, "big") for number in range(3 * MB // 4))
SHA256 = hashlib.sha256(WHOLE).hexdigest()
LONG_AGO = "Wed, 21 Oct 2015 07:28:00 GMT"


@define
class Store:
    """A file server whose connections break, and which may lie.

    Attributes:
        cuts: After how many bytes each answer breaks off; whole answers follow.
        validators: Headers that name the version of the bytes.
        ranges: Whether it knows ranges.
        spoil: Changes the headers of a 206.
    """

    url: str = ""
    content: bytes = WHOLE
    cuts: list[int] = field(factory=list)
    validators: dict[str, str] = field(factory=lambda: {"ETag": '"one"'})
    ranges: bool = True
    spoil: Callable[[dict[str, str]], Any] = lambda _: None
    asked: list[dict[str, str]] = field(factory=list)
    sent: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append({name.lower(): value for name, value in request.headers.items()})
        start, headers, status = 0, {**self.validators}, 200
        wanted = request.headers.get("Range")
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
            if wanted and request.headers.get("If-Range") in self.validators.values():
                start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
                total = len(self.content)
                headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
                self.spoil(headers)
        rest = self.content[start:]
        headers["Content-Length"] = str(len(rest))
        headers["Content-Type"] = "video/mp4"
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        cut = self.cuts.pop(0) if self.cuts else None
        rest = rest[:cut]
        self.sent += len(rest)
        await response.write(rest)
        if cut is not None:
            await asyncio.sleep(0.02)  # what was written is to arrive
            assert request.transport is not None
            request.transport.close()
        return response


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause worth speaking of between two tries."""
    monkeypatch.setattr(download, "_PAUSES", (0.001, 0.001))


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    files = Store()
    app = web.Application()
    app.router.add_get("/{path:.*}", files.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    files.url = f"http://127.0.0.1:{runner.addresses[0][1]}/a.mp4"
    yield files
    await runner.cleanup()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[LocalStorage]:
    opened = LocalStorage(tmp_path / "artifacts")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def downloader(storage: LocalStorage) -> AsyncIterator[Downloader]:
    transport = AiohttpTransport(AddressPolicy(True))
    opened = Downloader(transport, storage, limit=10 * MB)
    yield opened
    await opened.close()
    await transport.close()
    assert list((storage.root / "tmp").iterdir()) == []


async def sha256(downloader: Downloader, url: str) -> str:
    """The hash of what a download brings."""
    downloaded = await downloader.fetch(url)
    assert downloaded.content_type == "video/mp4"
    return (await downloaded.writer.commit("mp4")).sha256


@pytest.mark.parametrize(
    "validators",
    [
        {"ETag": '"one"'},
        {"Last-Modified": LONG_AGO},
        {"ETag": '"one"', "Last-Modified": LONG_AGO},
    ],
    ids=["etag", "date", "both"],
)
async def test_a_broken_download_goes_on_where_it_stopped(
    store: Store, downloader: Downloader, validators: dict[str, str]
) -> None:
    """Three breaks, and every byte is sent about once."""
    store.validators = validators
    store.cuts = [700_001, 1_300_000, 1]
    assert await sha256(downloader, store.url) == SHA256
    assert store.sent == len(WHOLE)
    starts = [one.get("range") for one in store.asked]
    assert starts == [None, "bytes=700001-", "bytes=2000001-", "bytes=2000002-"]
    assert {one.get("if-range") for one in store.asked[1:]} == {next(iter(validators.values()))}


@pytest.mark.parametrize(
    "validators",
    [{}, {"ETag": 'W/"one"'}, {"Last-Modified": "yesterday"}, {"Last-Modified": ""}],
    ids=["none", "weak", "no date", "empty"],
)
async def test_without_a_proof_nothing_is_gone_on_with(
    store: Store, downloader: Downloader, validators: dict[str, str]
) -> None:
    """The engine tries again later, from the start."""
    store.validators = validators
    store.cuts = [2 * MB]
    with pytest.raises(ProviderError) as caught:
        await sha256(downloader, store.url)
    assert caught.value.kind == "transient"
    assert await sha256(downloader, store.url) == SHA256
    assert [one.get("range") for one in store.asked] == [None, None]


async def test_a_server_without_ranges_sends_the_whole_again(
    store: Store, downloader: Downloader
) -> None:
    """An answer 200 to a range is the whole: nothing is glued together."""
    store.cuts = [2 * MB]
    store.ranges = False
    assert await sha256(downloader, store.url) == SHA256
    assert store.sent == 2 * MB + len(WHOLE)


async def test_a_file_that_changed_is_fetched_from_the_start(
    store: Store, downloader: Downloader
) -> None:
    """If-Range does not match: the new version arrives, whole."""
    store.cuts = [2 * MB]
    changed = WHOLE[::-1]
    pending = asyncio.create_task(sha256(downloader, store.url))
    while not store.sent:
        await asyncio.sleep(0.001)
    store.content, store.validators = changed, {"ETag": '"two"'}
    assert await pending == hashlib.sha256(changed).hexdigest()


@pytest.mark.parametrize(
    "spoil",
    [
        {"Content-Range": "bytes 5-3145727/3145728"},
        {"Content-Range": "bytes 2097152-3145727/9999999"},
        {"Content-Range": "bytes 2097152-3145728/3145728"},
        {"Content-Range": "bytes 2097152-/3145728"},
        {"Content-Range": "pages 2097152-3145727/3145728"},
        {"Content-Range": ""},
        {"ETag": '"two"'},
        {"Content-Encoding": "x-unknown"},
    ],
    ids=["start", "total", "end", "no end", "unit", "none", "version", "coding"],
)
async def test_a_range_that_does_not_fit_is_not_glued_on(
    store: Store, downloader: Downloader, spoil: dict[str, str]
) -> None:
    """It is fetched from the start instead."""
    store.cuts = [2 * MB]
    store.spoil = lambda headers: headers.update(spoil)
    assert await sha256(downloader, store.url) == SHA256
    assert [one.get("range") for one in store.asked] == [None, "bytes=2097152-", None]


async def test_a_part_of_the_rest_is_followed_by_the_next(
    store: Store, downloader: Downloader
) -> None:
    """A server may answer with less than was asked for."""
    store.cuts = [2 * MB]

    def shorten(headers: dict[str, str]) -> None:
        start = int(headers["Content-Range"].split()[1].partition("-")[0])
        end = min(start + 500_000, len(WHOLE)) - 1
        headers["Content-Range"] = f"bytes {start}-{end}/{len(WHOLE)}"
        store.content = WHOLE[: end + 1]

    store.spoil = shorten
    assert await sha256(downloader, store.url) == SHA256


async def test_a_download_that_makes_no_progress_is_given_up_for_now(
    store: Store, downloader: Downloader
) -> None:
    """And goes on at the next fetch, with what had arrived."""
    store.cuts = [2 * MB, *[0] * 20]
    with pytest.raises(ProviderError) as caught:
        await sha256(downloader, store.url)
    assert (caught.value.kind, caught.value.retryable) == ("transient", True)
    assert len(store.asked) < 10
    store.cuts = []
    store.asked.clear()
    assert await sha256(downloader, store.url) == SHA256
    assert [one.get("range") for one in store.asked] == ["bytes=2097152-"]


async def test_a_server_that_breaks_off_forever_is_not_asked_forever(
    store: Store, downloader: Downloader
) -> None:
    """However little progress it grants."""
    store.cuts = [1] * 1000
    with pytest.raises(ProviderError, match="again and again"):
        await sha256(downloader, store.url)
    assert len(store.asked) <= 20


@pytest.mark.parametrize("leaves", [False, True])
async def test_of_many_downloads_the_soonest_to_expire_goes_first(
    store: Store, storage: LocalStorage, leaves: bool
) -> None:
    """Of whichever generation it is; who gives up while it waits keeps nobody from going."""
    transport = AiohttpTransport(AddressPolicy(True))
    downloader = Downloader(transport, storage, limit=10 * MB, concurrency=1)
    order: list[float] = []

    async def fetch(expires_at: float) -> None:
        downloaded = await downloader.fetch(store.url, expires_at=expires_at)
        order.append(expires_at)
        await downloaded.writer.abort()

    waiting = {at: asyncio.create_task(fetch(at)) for at in (9.0, 5.0, 1.0, 3.0)}
    await asyncio.sleep(0)
    if leaves:
        waiting.pop(1.0).cancel()
    await asyncio.gather(*waiting.values())
    await downloader.close()
    await transport.close()
    assert order == ([9.0, 3.0, 5.0] if leaves else [9.0, 1.0, 3.0, 5.0])


async def test_outputs_are_fetched_in_the_order_in_which_they_expire(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one at a time is fetched: those of all generations, whichever was announced first."""
    monkeypatch.setitem(Downloader.__init__.__kwdefaults__, "concurrency", 1)
    held, asked = asyncio.Event(), list[str]()

    async def result(request: web.Request) -> web.StreamResponse:
        job = request.match_info["id"]
        names = {"late": f"{job}-late", "soon": f"{job}-soon"}
        if job == "job-1":
            names = {"late": "blocks"}
        return web.json_response(
            {at: [{"url": f"{acme.url}/files/{name}.png"}] for at, name in names.items()}
        )

    async def file(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"].removesuffix(".png")
        asked.append(name)
        if name == "blocks":
            await held.wait()
        return await acme.file(request)

    acme.answers["result"], acme.answers["file"] = result, file
    outputs = [
        {"from": "body.late[*].url", "expires": "2h"},
        {"from": "body.soon[*].url", "expires": "1m"},
    ]
    async with open_boards(execution={"extract": {"outputs": outputs}}) as boards:
        made = [await boards.submit("draw", prompt="a cat")]
        while not asked:
            await asyncio.sleep(0.01)
        waiting = boards._running._downloader._slots._waiting
        for number in (2, 4):
            made.append(await boards.submit("draw", prompt="a cat"))
            while len(waiting) < number:
                await asyncio.sleep(0.01)
        held.set()
        assert {(await boards.wait(one.id)).status for one in made} == {"succeeded"}
    assert asked == ["blocks", "job-2-soon", "job-3-soon", "job-2-late", "job-3-late"]


async def test_what_is_kept_for_the_next_fetch_is_dropped_in_the_end(
    store: Store, storage: LocalStorage, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ten minutes, or when too much is kept."""
    monkeypatch.setattr(download, "_KEPT", 2)
    for number in range(3):
        store.cuts = [2 * MB, *[0] * 20]
        with pytest.raises(ProviderError):
            await sha256(downloader, f"{store.url}?{number}")
    assert len(list((storage.root / "tmp").iterdir())) == 2
    monkeypatch.setattr(download, "_KEPT_SECONDS", -1.0)
    store.cuts = []
    assert await sha256(downloader, f"{store.url}?2") == SHA256
    assert store.asked[-1].get("range") is None
    assert list((storage.root / "tmp").iterdir()) == []


async def test_the_cap_counts_what_arrived_before_the_break(
    store: Store, storage: LocalStorage
) -> None:
    """An output cannot grow past it piece by piece."""
    transport = AiohttpTransport(AddressPolicy(True))
    downloader = Downloader(transport, storage, limit=len(WHOLE) - 1)
    store.cuts = [2 * MB]
    with pytest.raises(ProviderError, match="at most"):
        await downloader.fetch(store.url)
    assert list((storage.root / "tmp").iterdir()) == []
    await transport.close()


async def test_a_silent_server_is_left_and_asked_for_the_rest(
    store: Store, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that stalls is as good as broken."""
    monkeypatch.setattr(download, "_SILENCE", 0.1)
    cut = store.answer
    calls = 0

    async def stall(request: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        if calls > 1:
            return await cut(request)
        headers = {**store.validators, "Content-Length": str(len(WHOLE))}
        response = web.StreamResponse(headers={**headers, "Content-Type": "video/mp4"})
        await response.prepare(request)
        await response.write(WHOLE[: 2 * MB])
        await asyncio.sleep(1)
        return response

    app = web.Application()
    app.router.add_get("/a.mp4", stall)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/a.mp4"
        assert await sha256(downloader, url) == SHA256
        assert store.asked[0]["range"] == "bytes=2097152-"
    finally:
        await runner.cleanup()


async def test_the_output_that_arrived_is_not_fetched_again_with_one_that_did_not(
    acme: Acme, open_boards: Open
) -> None:
    """Each output is fetched once, however often another one fails; nothing is submitted again."""
    asked: list[str] = []

    async def two(_request: web.Request) -> web.StreamResponse:
        urls = [{"url": f"{acme.url}/files/{name}.png"} for name in ("good", "bad")]
        return web.json_response({"images": urls, "seed": 7})

    async def file(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        asked.append(name)
        if name == "bad.png" and asked.count(name) < 3:
            return web.Response(status=503 if asked.count(name) < 2 else 202)  # not yet
        return web.Response(body=PNG, content_type="image/png")

    acme.answers["result"], acme.answers["file"] = two, file
    async with open_boards() as boards:
        generation = await boards.generate("acme/draw", prompt="a")
    assert len(generation.artifacts) == 2
    assert sorted(asked) == ["bad.png"] * 3 + ["good.png"]
    assert acme.counts["submit"] == 1
