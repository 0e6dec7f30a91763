"""What is special to a bucket: uploads in parts, faults of the server, deletions that race."""

import asyncio
import hashlib
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import evolve
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.s3.models import s3_backends
from tests.unit.plugins.s3.bucket_server import (
    BUCKET,
    KEY_ID,
    REGION,
    SECRET,
    BucketServer,
    Call,
)

from boards.errors import StorageError
from boards.storage import Blob
from boards_s3 import Bucket, Keys, S3Storage

MB = 1 << 20
LARGE = bytes(range(256)) * (17 * MB // 256)


def bucket(server: BucketServer, **changes: Any) -> Bucket:
    """The server's bucket, with its keys."""
    return evolve(
        Bucket(BUCKET, prefix="art", region=REGION, endpoint=server.url, public=True),
        **{"keys": Keys(KEY_ID, SECRET), **changes},
    )


@asynccontextmanager
async def opened(place: Bucket, patience: float = 10.0) -> AsyncIterator[S3Storage]:
    storage = S3Storage(place, patience=patience)
    await storage.open()
    try:
        yield storage
    finally:
        await storage.close()


@pytest.fixture
async def storage(server: BucketServer) -> AsyncIterator[S3Storage]:
    async with opened(bucket(server)) as one:
        yield one


async def put(storage: S3Storage, content: bytes, extension: str = "bin", step: int = MB) -> Blob:
    writer = storage.writer()
    try:
        for start in range(0, len(content), step):
            await writer.write(content[start : start + step])
        return await writer.commit(extension)
    finally:
        await writer.abort()


async def get(storage: S3Storage, key: str) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key)])


def name_of(content: bytes, extension: str = "bin") -> str:
    return f"{hashlib.sha256(content).hexdigest()}.{extension}"


async def test_a_large_file_goes_in_parts(server: BucketServer, storage: S3Storage) -> None:
    """17 MiB are three parts of 8 MiB at most, to where they stay; nothing is copied."""
    blob = await put(storage, LARGE)
    assert sorted((one.part, one.size) for one in server.gate.calls if one.part) == [
        (1, 8 * MB),
        (2, 8 * MB),
        (3, MB),
    ]
    assert server.objects() == {f"art/{blob.key}": len(LARGE)}
    assert await get(storage, blob.key) == LARGE


async def test_a_small_file_goes_at_once(server: BucketServer, storage: S3Storage) -> None:
    """In one request that writes, be it in memory or in a temporary file."""
    for content in (b"small", LARGE[: 3 * MB]):
        server.gate.calls.clear()
        await put(storage, content)
        assert [one.size for one in server.gate.calls if one.method in ("PUT", "POST")] == [
            len(content)
        ]


async def test_a_reader_asks_for_what_it_wants(server: BucketServer, storage: S3Storage) -> None:
    """One request for the first MiB, then as many as it takes."""
    blob = await put(storage, LARGE)
    server.gate.calls.clear()
    async for _ in storage.read(blob.key):
        break
    assert len(server.gate.calls) == 1
    server.gate.calls.clear()
    assert await get(storage, blob.key) == LARGE
    assert len(server.gate.calls) == 3


async def test_a_look_tells_the_first_bytes(server: BucketServer, storage: S3Storage) -> None:
    """In one request; of nothing, none."""
    for content in (LARGE[:5000], b""):
        blob = await put(storage, content)
        server.gate.calls.clear()
        found = await storage.stat(blob.key)
        assert found == blob
        assert found is not None
        assert found.head == content[:4096]
        assert abs((found.stored_at or 0) - time.time()) < 5
        assert len(server.gate.calls) == 1


@pytest.mark.parametrize(
    ("extension", "kind"),
    [
        ("png", "image/png"),
        ("svg", "image/svg+xml"),
        ("mp4", "video/mp4"),
        ("txt", "text/plain; charset=utf-8"),
        ("html", "application/octet-stream"),
        ("js", "application/octet-stream"),
        ("gz", "application/octet-stream"),
        ("bin", "application/octet-stream"),
    ],
)
async def test_a_signed_address_is_for_everybody(
    storage: S3Storage, extension: str, kind: str
) -> None:
    """Without any header; a browser shows media, and runs nothing."""
    blob = await put(storage, b"content", extension)
    address = await storage.url(blob.key, expires=60)
    assert address is not None
    assert SECRET not in address
    assert "X-Amz-Expires=60&" in address

    def fetch() -> tuple[str, str | None, bytes]:
        with urllib.request.urlopen(address, timeout=5) as reply:
            headers = reply.headers
            return headers["content-type"], headers["content-disposition"], reply.read()

    alone = (
        "attachment" if extension == "svg" else None
    )  # a drawing has scripts, in a tab of its own
    assert await asyncio.to_thread(fetch) == (kind, alone, b"content")


async def test_an_address_lasts_a_week_at_most(storage: S3Storage, server: BucketServer) -> None:
    """As S3 has it; a private server has no address for anybody."""
    key = name_of(b"any")
    assert "X-Amz-Expires=604800&" in str(await storage.url(key, expires=1e9))
    async with opened(bucket(server, public=False)) as private:
        assert await private.url(key) is None


async def test_nothing_outside_the_prefix_is_listed(
    server: BucketServer, storage: S3Storage
) -> None:
    """Nor what is no blob, be it below the prefix."""
    key = (await put(storage, b"mine")).key
    async with opened(bucket(server, prefix="art2")) as other:
        await put(other, b"theirs")
    for name in ("art/notes.txt", f"art/deleting/{key}", f"art/more/{key}", key):
        server.client().put_object(Bucket=BUCKET, Key=name, Body=b"x")
    assert [one.key async for one in storage.list()] == [key]


async def test_many_pages_are_listed(server: BucketServer) -> None:
    """S3 tells a thousand at once."""
    wanted = {name_of(str(number).encode()) for number in range(1003)}
    for key in wanted:  # without HTTP, which would take seconds
        s3_backends[ACCOUNT]["aws"].put_object(BUCKET, f"art/{key}", b"x")
    async with opened(bucket(server)) as storage:
        assert {one.key async for one in storage.list()} == wanted
    pages = [one for one in server.gate.calls if one.query.get("list-type")]
    assert len(pages) == 2


class TestFaults:
    """What a server does, and what is told of it."""

    async def test_a_fault_that_passes_is_not_noticed(
        self, server: BucketServer, storage: S3Storage
    ) -> None:
        """Each first try is refused: of parts, of writing, looking, reading, listing, deleting."""
        seen: set[tuple[str, str, int | None]] = set()

        def once(call: Call) -> int | None:
            which = (call.method, call.path, call.part)
            return None if which in seen else seen.add(which) or 503

        server.gate.fault = once
        blob = await put(storage, LARGE)
        assert await storage.stat(blob.key) == blob
        assert await get(storage, blob.key) == LARGE
        assert [one.key async for one in storage.list()] == [blob.key]
        assert await storage.delete(blob.key)

    @pytest.mark.parametrize("after", [1, 2, 3])
    async def test_a_server_that_goes_down_amid_an_upload_leaves_nothing_visible(
        self, server: BucketServer, after: int
    ) -> None:
        """Whatever part it had; and the same bytes can be written when it is up again."""
        down = False

        def dies(call: Call) -> int | None:
            nonlocal down
            down = down or call.part == after
            return 500 if down else None

        server.gate.fault = dies
        async with opened(bucket(server), patience=0.2) as storage:
            with pytest.raises(StorageError, match="answers 500") as raised:
                await put(storage, LARGE)
            assert raised.value.retryable
            server.gate.fault = lambda _: None
            assert server.objects() == {}
            assert [one async for one in storage.list()] == []
            assert await storage.stat(name_of(LARGE)) is None
            assert (await put(storage, LARGE)).key == name_of(LARGE)

    async def test_a_server_that_is_gone(self, server: BucketServer) -> None:
        """Is told as such, soon; it may be back."""
        async with opened(bucket(server), patience=0.2) as storage:
            blob = await put(storage, b"before")
            server.stop()
            for asked in (
                put(storage, b"after"),
                put(storage, LARGE),
                get(storage, blob.key),
                storage.stat(blob.key),
                storage.delete(blob.key),
                storage.delete(blob.key, before=time.time() + 60),
                anext(storage.list()),
            ):
                with pytest.raises(StorageError, match="does not answer") as raised:
                    await asked
                assert raised.value.retryable
                assert "BOARDS_S3_ENDPOINT" in str(raised.value.remedy)

    @pytest.mark.parametrize(
        ("changes", "message", "remedy"),
        [
            ({"name": "nowhere"}, "no bucket 'nowhere'", "Create the bucket"),
            ({"keys": Keys(KEY_ID, "wrong-" + SECRET)}, "", "keys"),
            ({"keys": Keys("AKIDSOMEBODYELSE0000", SECRET)}, "", "keys"),
            ({"region": "us-west-2"}, "", "BOARDS_S3_REGION"),
        ],
        ids=["no bucket", "wrong secret", "wrong key", "wrong region"],
    )
    async def test_a_wrong_setting_is_told_at_every_call(
        self, server: BucketServer, changes: dict[str, Any], message: str, remedy: str
    ) -> None:
        """With its remedy, and no secret; a missing bucket is not taken for a missing blob."""
        key = name_of(b"any")
        async with opened(bucket(server, **changes)) as storage:
            for asked in (
                put(storage, b"content"),
                put(storage, LARGE),
                get(storage, key),
                storage.stat(key),
                storage.delete(key),
                anext(storage.list()),
            ):
                with pytest.raises(StorageError) as raised:
                    await asked
                told = f"{raised.value.message} {raised.value.remedy}"
                assert message in raised.value.message
                assert remedy in str(raised.value.remedy)
                assert not raised.value.retryable
                assert SECRET not in told
                assert "no answer" not in told
        assert server.objects() == {}

    async def test_without_any_keys_it_is_told_where_to_put_them(
        self, server: BucketServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The machine is asked for its own, and has none."""
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
        async with opened(bucket(server, keys=None), patience=0.2) as storage:
            with pytest.raises(StorageError, match="There are no keys") as raised:
                await storage.stat(name_of(b"any"))
        assert "AWS_" in str(raised.value.remedy)

    async def test_an_upload_that_is_canceled_leaves_no_visible_object(
        self, server: BucketServer, storage: S3Storage
    ) -> None:
        """Amid its parts."""
        task = asyncio.create_task(put(storage, LARGE))
        while not any(one.part for one in server.gate.calls):
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert server.objects() == {}


class TestDeletionByAge:
    """What is written again at that very moment stays."""

    async def test_written_between_the_look_and_the_deletion(
        self, server: BucketServer, storage: S3Storage
    ) -> None:
        """The writer sees the announcement, or that it is gone, and uploads once more."""
        blob = await put(storage, b"wanted again")
        loop, writing = asyncio.get_running_loop(), []

        def write_now(call: Call) -> None:
            # The look of the one who deletes was answered: it is old. Its deletion comes next.
            if call.method == "GET" and call.path.endswith(blob.key) and not writing:
                writing.append(
                    asyncio.run_coroutine_threadsafe(put(storage, b"wanted again"), loop)
                )
                deadline = time.monotonic() + 5
                while not _wrote(server, blob.key) and time.monotonic() < deadline:
                    time.sleep(0.005)

        server.gate.calls.clear()
        server.gate.after = write_now
        assert await storage.delete(blob.key, before=time.time() + 3600)
        server.gate.after = lambda _: None
        assert (await asyncio.wrap_future(writing[0])).key == blob.key
        assert await get(storage, blob.key) == b"wanted again"
        assert server.objects() == {f"art/{blob.key}": 12}

    async def test_written_after_the_announcement(
        self, server: BucketServer, storage: S3Storage
    ) -> None:
        """The one who deletes looks again, and finds it young."""
        announced = time.time()
        blob = await put(storage, b"wanted again")
        assert not await storage.delete(blob.key, before=announced)
        assert server.objects() == {f"art/{blob.key}": 12}

    async def test_a_leftover_announcement_holds_nobody_up(
        self, server: BucketServer, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of a host that was killed while it deleted."""
        monkeypatch.setattr("boards_s3.storage._STALE", 0.5)
        key = name_of(b"x")
        server.client().put_object(Bucket=BUCKET, Key=f"art/deleting/{key}", Body=b"")
        assert (await put(storage, b"x")).key == key
        assert await get(storage, key) == b"x"


def _wrote(server: BucketServer, key: str) -> bool:
    return any(
        one.method == "HEAD" and one.path.endswith(f"deleting/{key}") for one in server.gate.calls
    )
