"""Blobs in a directory: what is committed is there, whole, once; nothing else ever is."""

import asyncio
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from boards.errors import StorageError
from boards.storage import Blob, BlobWriter, Storage
from boards.storage.local import LocalStorage

MB = 1 << 20


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[LocalStorage]:
    storage = LocalStorage(tmp_path / "artifacts")
    await storage.open()
    yield storage
    await storage.close()


def typed_as_a_storage(storage: LocalStorage) -> Storage:
    """The type checker's proof that the protocol is implemented."""
    return storage


async def put(storage: LocalStorage, *chunks: bytes, extension: str = "bin") -> Blob:
    writer = storage.writer()
    for chunk in chunks:
        await writer.write(chunk)
    return await writer.commit(extension)


async def content(storage: LocalStorage, key: str) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key)])


def files(storage: LocalStorage) -> list[Path]:
    """Everything that lies in the storage's directory, temporary files included."""
    return [path for path in storage.root.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b""],
        [b"a"],
        [b"x" * 65_536] * 3,
        [b"x" * MB],
        [b"x" * MB, b"y"],
        [b"x" * (5 * MB)],
        [bytes([number % 256]) * 99_991 for number in range(60)],
    ],
    ids=["nothing", "empty", "one byte", "small", "1 MiB", "just more", "one piece", "stream"],
)
async def test_what_is_written_is_read(storage: LocalStorage, chunks: list[bytes]) -> None:
    """Whatever its size and however it comes."""
    whole = b"".join(chunks)
    blob = await put(storage, *chunks, extension="png")
    sha256 = hashlib.sha256(whole).hexdigest()
    assert blob == Blob(f"{sha256}.png", len(whole), sha256, whole[:4096])
    assert await content(storage, blob.key) == whole
    assert await storage.stat(blob.key) == blob
    assert storage.path(blob.key).read_bytes() == whole
    assert files(storage) == [storage.path(blob.key)]
    assert await storage.url(blob.key) is None


async def test_a_writer_tells_size_and_head(storage: LocalStorage) -> None:
    """While it is written, so that a cap and a media type can be checked on the way."""
    writer = storage.writer()
    assert (writer.size, writer.head) == (0, b"")
    for count in range(1, 4):
        await writer.write(b"abc" * 1000)
        assert writer.size == 3000 * count
        assert writer.head == (b"abc" * 3000)[: min(4096, 3000 * count)]
    await writer.abort()


async def test_a_chunk_may_be_used_again(storage: LocalStorage) -> None:
    """What was given to a writer is its own, also from a buffer that changes."""
    buffer: Any = bytearray(b"one")
    writer = storage.writer()
    await writer.write(buffer)
    buffer[:] = b"two"
    await writer.write(buffer)
    assert await content(storage, (await writer.commit("txt")).key) == b"onetwo"


async def test_nothing_is_visible_before_the_commit(storage: LocalStorage) -> None:
    """Nor after an abort: no name, no temporary file."""
    writer = storage.writer()
    await writer.write(b"x" * (3 * MB))
    assert [blob async for blob in storage.list()] == []
    await writer.abort()
    await writer.abort()
    assert files(storage) == []
    with pytest.raises(StorageError, match="finished"):
        await writer.write(b"more")
    with pytest.raises(StorageError, match="finished"):
        await writer.commit("bin")


async def test_an_abort_after_the_commit_drops_nothing(storage: LocalStorage) -> None:
    """So that it can stand in a finally; a second commit is the first."""
    writer = storage.writer()
    await writer.write(b"kept")
    blob = await writer.commit("txt")
    await writer.abort()
    assert await writer.commit("txt") == blob
    assert await content(storage, blob.key) == b"kept"


@pytest.mark.parametrize("size", [10, 2 * MB])
async def test_equal_bytes_are_kept_once(storage: LocalStorage, size: int) -> None:
    """Also when many write them at the same time; the file that is there stays as it is."""
    first = await put(storage, b"x" * size)
    inode = storage.path(first.key).stat().st_ino
    again = await asyncio.gather(*(put(storage, b"x" * size) for _ in range(20)))
    assert {blob.key for blob in again} == {first.key}
    assert files(storage) == [storage.path(first.key)]
    assert storage.path(first.key).stat().st_ino == inode


async def test_many_write_equal_bytes_first(storage: LocalStorage) -> None:
    """Nobody is first, and all succeed."""
    blobs = await asyncio.gather(*(put(storage, b"x" * 100) for _ in range(40)))
    assert len({blob.key for blob in blobs}) == 1
    assert await content(storage, blobs[0].key) == b"x" * 100
    assert files(storage) == [storage.path(blobs[0].key)]


async def test_a_directory_deleted_by_hand_is_made_again(storage: LocalStorage) -> None:
    """A cleaned-up storage takes the same bytes as before."""
    blob = await put(storage, b"again")
    for folder in (storage.path(blob.key).parent, storage.root / "tmp"):
        shutil.rmtree(folder)
        assert await put(storage, b"again") == blob
        assert await content(storage, blob.key) == b"again"
        await put(storage, folder.name.encode())


async def test_a_storage_that_is_gone_is_not_made_again(storage: LocalStorage) -> None:
    """Its disk may be away for a moment: what is written beneath is lost when that comes back."""
    shutil.rmtree(storage.root)
    with pytest.raises(StorageError):
        await put(storage, b"lost")
    assert not storage.root.exists()


async def test_blobs_of_two_levels_of_directories_get_their_place(tmp_path: Path) -> None:
    """They were kept so before; what else lies there stays, and a second look finds nothing."""
    storage = LocalStorage(tmp_path / "artifacts")
    await storage.open()
    blob = await put(storage, b"x")
    await storage.close()
    path = storage.path(blob.key)
    older = path.parent / blob.key[2:4]
    older.mkdir()
    path.rename(older / path.name)
    (older / "note.txt").write_text("mine")
    for _ in range(2):
        await storage.open()
        assert await content(storage, blob.key) == b"x"
        assert [one.key async for one in storage.list()] == [blob.key]
        await storage.close()
    assert [one.name for one in older.iterdir()] == ["note.txt"]


async def test_a_truncated_file_is_replaced(storage: LocalStorage) -> None:
    """Equal bytes that are written again mend it."""
    blob = await put(storage, b"whole")
    storage.path(blob.key).write_bytes(b"who")
    await put(storage, b"whole")
    assert await content(storage, blob.key) == b"whole"


async def test_listing_and_deleting(storage: LocalStorage) -> None:
    """Every blob is listed; strangers' files are passed over; a deleted one is gone."""
    blobs = [await put(storage, str(number).encode(), extension="txt") for number in range(20)]
    folder = storage.path(blobs[0].key).parent
    (folder / "README").write_text("not a blob")
    (folder / f"{'0' * 64}.txt").write_text("in the wrong place")
    (storage.root / "lost+found").mkdir()
    listed = [blob async for blob in storage.list()]
    assert {(one.key, one.size, one.sha256) for one in listed} == {
        (one.key, one.size, one.sha256) for one in blobs
    }
    assert len(listed) == 20
    assert await storage.delete(blobs[0].key)
    assert not await storage.delete(blobs[0].key)
    assert await storage.stat(blobs[0].key) is None
    with pytest.raises(StorageError, match="no file"):
        await content(storage, blobs[0].key)
    assert len([blob async for blob in storage.list()]) == 19


HASH = "ab" * 32


@pytest.mark.parametrize(
    "key",
    [
        "",
        ".",
        "../x",
        "/etc/passwd",
        HASH,
        f"{HASH}.",
        f"{HASH}.png\n",
        f"{HASH}.png/../../x",
        f"../{HASH}.png",
        f"{HASH}.\0",
        f"{HASH}.p\0g",
        f"{HASH}.PNG",
        f"{HASH}.tar.gz",
        f"{HASH}.verylongext",
        f"{HASH.upper()}.png",
        f"{HASH[1:]}.png",
        f"{HASH}ab.png",
        "\uff41" * 64 + ".png",
        f"{HASH}.\u0661",
    ],
)
async def test_hostile_keys_never_reach_the_disk(
    storage: LocalStorage, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused by their shape, before any file is looked at."""

    async def never(function: object) -> None:
        raise AssertionError("the disk was asked")

    monkeypatch.setattr(storage, "_run", never)
    with pytest.raises(StorageError, match="no key"):
        storage.path(key)
    with pytest.raises(StorageError, match="no key"):
        await storage.stat(key)
    with pytest.raises(StorageError, match="no key"):
        await storage.delete(key)
    with pytest.raises(StorageError, match="no key"):
        await storage.url(key)
    with pytest.raises(StorageError, match="no key"):
        await content(storage, key)
    monkeypatch.undo()


@pytest.mark.parametrize(
    "extension", ["", ".png", "PNG", "../x", "a/b", "a\0", "png\n", "toolong99"]
)
async def test_hostile_extensions_are_refused(storage: LocalStorage, extension: str) -> None:
    """And the bytes can still be committed under a good one."""
    writer = storage.writer()
    await writer.write(b"bytes")
    with pytest.raises(StorageError, match="no file extension"):
        await writer.commit(extension)
    assert (await writer.commit("png")).key.endswith(".png")


async def test_a_canceled_write_leaves_nothing(storage: LocalStorage) -> None:
    """Whatever its thread was doing; half a batch can never be committed."""
    for moment in (0, 1, 2, 5):
        writer = storage.writer()
        writing = asyncio.create_task(writer.write(b"x" * (8 * MB)))
        await asyncio.sleep(0)
        for _ in range(moment):
            await asyncio.sleep(0.001)
        writing.cancel()
        finished = not isinstance(
            (await asyncio.gather(writing, return_exceptions=True))[0], asyncio.CancelledError
        )
        if not finished:
            with pytest.raises(StorageError, match="finished"):
                await writer.commit("bin")
        await writer.abort()
        assert files(storage) == []


async def test_reading_may_stop_early(storage: LocalStorage) -> None:
    """The file is closed, and can be deleted."""
    blob = await put(storage, b"x" * (2 * MB))
    reading = storage.read(blob.key)
    assert await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]
    assert await storage.delete(blob.key)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses to let a file grow further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def spill(writer: BlobWriter) -> None:
    for _ in range(10):
        await writer.write(b"x" * MB)


async def test_a_disk_that_takes_no_more_is_told(storage: LocalStorage) -> None:
    """While streaming and at the commit; the space is given back at once, and work goes on."""
    with files_of_at_most(100_000):
        streaming = storage.writer()
        with pytest.raises(StorageError, match="grew beyond") as raised:
            await spill(streaming)
        assert raised.value.remedy
        assert files(storage) == []
        with pytest.raises(StorageError, match="finished"):
            await streaming.commit("bin")
        with pytest.raises(StorageError, match="grew beyond"):
            await put(storage, b"x" * 200_000)
        assert files(storage) == []
        await streaming.abort()
        assert await put(storage, b"small")
    assert await put(storage, b"x" * 200_000)


async def test_a_full_disk_is_told(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the directory, and that a retry may help."""

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="no space left") as raised:
        await put(storage, b"x")
    assert str(storage.root) in str(raised.value)
    assert raised.value.retryable
    assert files(storage) == []


async def test_a_directory_that_may_not_be_written_is_told() -> None:
    """When it is opened, and when it becomes so later."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        script = f"""
import asyncio, os
from pathlib import Path
from boards.storage.local import LocalStorage
from boards.errors import StorageError

async def main():
    storage = LocalStorage(Path({name!r}) / "artifacts")
    await storage.open()
    (storage.root / "tmp").chmod(0o555)
    folder = storage.root.parent
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    writer = storage.writer()
    await writer.write(b"x")
    for attempt in (writer.commit("bin"), LocalStorage(folder / "new").open()):
        try:
            await attempt
        except StorageError as error:
            print(str(folder) in error.message and "writable" in error.remedy)
    await storage.close()

asyncio.run(main())
"""
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        folder.chmod(0o755)
        assert (done.stdout, done.stderr) == ("True\nTrue\n", "")


async def test_leftovers_of_a_crash_are_dropped(storage: LocalStorage) -> None:
    """Those of dead processes at once, any other once it is old; what is written now stays."""
    alive = storage.writer()
    await alive.write(b"x" * (2 * MB))
    (mine,) = files(storage)
    host, process, run, _ = mine.name.split("-")
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    expected = {
        f"{host}-{dead.pid}-{run}-1": False,
        f"{host}-{process}-00000000-2": False,  # an earlier run that had this one's number
        f"{host}-1-00000000-3": True,
        f"00000000-{dead.pid}-{run}-4": True,  # of another host
        "anything": True,
    }
    for name in expected:
        (mine.parent / name).touch()
        (mine.parent / f"old-{name}").touch()
        os.utime(mine.parent / f"old-{name}", (0, time.time() - 7200))
    again = LocalStorage(storage.root)
    await again.open()
    await again.close()
    left = {path.name for path in files(storage)}
    assert left == {mine.name, *(name for name, stays in expected.items() if stays)}
    blob = await alive.commit("bin")
    assert blob.size == 2 * MB


async def test_a_killed_process_leaves_only_leftovers(tmp_path: Path) -> None:
    """Whatever it was writing, the blobs that are there are whole."""
    script = f"""
import asyncio, os
from pathlib import Path
from boards.storage.local import LocalStorage

async def main():
    storage = LocalStorage(Path({str(tmp_path)!r}))
    await storage.open()
    async def one(number):
        while True:
            number += 1000
            writer = storage.writer()
            for _ in range(3):
                await writer.write(b"%d" % number * 150_000)
            blob = await writer.commit("bin")
            os.write(1, blob.key.encode() + b"\\n")
    await asyncio.gather(*(one(number) for number in range(8)))

asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        keys = [child.stdout.readline() for _ in range(20)]
        child.kill()
        keys += [line for line in child.stdout if line.endswith("\n")]
    storage = LocalStorage(tmp_path)
    await storage.open()
    assert not [*(tmp_path / "tmp").iterdir()]
    listed = {blob.key async for blob in storage.list()}
    assert {key.strip() for key in keys} <= listed
    for key in listed:
        assert hashlib.sha256(await content(storage, key)).hexdigest() == key[:64]
    await storage.close()


async def test_a_blob_is_deleted_only_if_it_is_old_enough(storage: LocalStorage) -> None:
    """The age is that of the last write, also of one that found equal bytes."""
    blob = await put(storage, b"x")
    then = time.time() - 1000
    os.utime(storage.path(blob.key), (then, then))
    assert not await storage.delete(blob.key, before=then - 1)
    assert await put(storage, b"x") == blob
    assert not await storage.delete(blob.key, before=then + 10)
    found = await storage.stat(blob.key)
    assert found is not None
    assert found.stored_at is not None
    assert found.stored_at > then + 900
    assert await storage.delete(blob.key, before=time.time() + 10)
    assert not await storage.delete(blob.key, before=time.time() + 10)
    assert files(storage) == []


async def test_a_blob_that_is_touched_while_it_is_deleted_stays(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at its age and its end, somebody may write the same bytes."""
    blob = await put(storage, b"x")
    path = storage.path(blob.key)
    os.utime(path, (1, 1))
    rename = Path.rename

    def touched(self: Path, target: Path) -> Path:
        os.utime(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", touched)
    assert not await storage.delete(blob.key, before=1000.0)
    assert await content(storage, blob.key) == b"x"
    assert files(storage) == [path]


async def test_a_writer_whose_file_was_deleted_does_not_begin_another(
    storage: LocalStorage,
) -> None:
    """The end of the bytes never gets the name of the whole."""
    writer = storage.writer()
    await writer.write(b"x" * (3 * MB))
    [temporary] = files(storage)
    temporary.unlink()
    await writer.write(b"y")
    with pytest.raises(StorageError):
        await writer.commit("bin")
    assert files(storage) == []


async def test_the_event_loop_is_never_blocked(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs hangs its own thread: other tasks go on meanwhile."""
    turns = 0
    released = asyncio.Event()
    slow = os.fsync

    def hang(descriptor: int) -> None:
        time.sleep(0.2)
        slow(descriptor)

    async def turn() -> None:
        nonlocal turns
        while not released.is_set():
            turns += 1
            await asyncio.sleep(0.001)

    monkeypatch.setattr(os, "fsync", hang)
    turning = asyncio.create_task(turn())
    await put(storage, b"x" * (2 * MB))
    released.set()
    await turning
    assert turns > 20


async def test_a_closed_storage_says_so(tmp_path: Path) -> None:
    """Before it is opened and after it was closed; it may be opened again."""
    storage = LocalStorage(tmp_path)
    with pytest.raises(StorageError, match="not open"):
        await put(storage, b"x")
    await storage.open()
    await storage.open()
    blob = await put(storage, b"x")
    await storage.close()
    await storage.close()
    with pytest.raises(StorageError, match="not open"):
        await storage.stat(blob.key)
    await storage.open()
    assert await content(storage, blob.key) == b"x"
    await storage.close()
