"""A power cut after each operation on the storage's files: what is claimed is there, and whole."""

import errno
import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest

from boards.errors import StorageError
from boards.storage import local
from boards.storage.local import LocalStorage
from boards.store import Change
from boards.testing.paid_provider import Behaviour, PaidProvider
from tests.crash.conftest import MakePlan
from tests.crash.faults import Falling, FallingStore
from tests.crash.host import Call, account, opened
from tests.crash.journal import Journal, State, journaled

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names descriptors by /proc")


class ClaimingStore(FallingStore):
    """Tells the journal which artifacts the database is about to claim."""

    journal: Journal

    async def cas(self, change: Change) -> bool:
        for artifact in change.generation.artifacts:
            self.journal.claim(artifact.key)
        return await super().cas(change)


async def remains(state: State, root: Path) -> dict[str, str]:
    """The blobs that a storage finds after a power cut, by key, with the hash of their bytes."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    state.materialise(root)
    storage = LocalStorage(root / "artifacts")
    await storage.open()
    found = {}
    async for blob in storage.list():
        data = b"".join([chunk async for chunk in storage.read(blob.key)])
        found[blob.key] = hashlib.sha256(data).hexdigest()
    await storage.close()
    return found


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Journal, LocalStorage]:
    """A journal, and a storage whose every operation it records."""
    monkeypatch.setattr(local, "_BATCH", 1000)  # so that a little more is written in parts
    journal = Journal(tmp_path / "disk")
    journal.root.mkdir()
    root, system = journaled(journal)
    monkeypatch.setattr(local, "os", system)
    return journal, LocalStorage(root / "artifacts")


async def cut(journal: Journal, root: Path) -> None:
    """Cut the power after each operation, in every way, and open the storage anew."""
    local.os = os  # type: ignore[attr-defined]
    claims = 0
    for state in journal.states():
        found = await remains(state, root)
        assert all(key.partition(".")[0] == hash_ for key, hash_ in found.items()), state.told
        assert state.claimed <= found.keys(), state.told
        claims += len(state.claimed)
    assert claims > 0


async def test_what_the_database_claims_outlives_a_power_cut(
    provider: PaidProvider,
    make_plan: MakePlan,
    tmp_path: Path,
    disk: tuple[Journal, LocalStorage],
) -> None:
    """At no moment does a name show other bytes than its hash tells, or a claim nothing."""
    journal, storage = disk
    prompts = ("first", "twin#1", "twin#2")
    plan = make_plan(calls=tuple(Call("plain", prompt) for prompt in prompts))
    provider.behave(account(plan, "plain"), Behaviour(size=3000, run=0.0))
    store = ClaimingStore(plan.home / "boards.db", Falling(None, plan.fell))
    store.journal = journal
    async with opened(plan, store=store, storage=storage) as boards:
        submitted = [await boards.submit("plain/draw", prompt=call.prompt) for call in plan.calls]
        assert {(await boards.wait(one.id)).phase for one in submitted} == {"succeeded"}
    await cut(journal, tmp_path / "after")


async def test_bytes_that_another_left_half_way_are_made_durable(
    tmp_path: Path, disk: tuple[Journal, LocalStorage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who finds its bytes there already may not rely on whoever wrote them."""
    journal, storage = disk
    await storage.open()
    sync = local._sync_directory

    def fail(folder: Path) -> None:
        if len(folder.relative_to(storage.root).parts) == 1:
            raise OSError(errno.EIO, "it died here")
        sync(folder)

    monkeypatch.setattr(local, "_sync_directory", fail)
    first = storage.writer()
    await first.write(b"bytes" * 500)
    with pytest.raises(StorageError):
        await first.commit("bin")
    monkeypatch.setattr(local, "_sync_directory", sync)
    second = storage.writer()
    await second.write(b"bytes" * 500)
    journal.claim((await second.commit("bin")).key)
    await storage.close()
    await cut(journal, tmp_path / "after")
