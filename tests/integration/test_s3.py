"""Whole flows with artifacts in a bucket: this machine has no file of their bytes."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yarl

from boards import Boards, NotFoundError
from boards.auth import Identity
from boards.cli.app import boards as group
from boards.generations import new_id
from boards.sync import Boards as BlockingBoards
from tests.integration.acme import PNG, Acme
from tests.integration.conftest import Open
from tests.integration.emulated import emulators, settings
from tests.unit.plugins.s3.bucket_server import BUCKET, BucketServer, Call, serving

KEY = {"ACME_KEY": "acme-secret-key"}


@pytest.fixture
def server() -> Iterator[BucketServer]:
    """A bucket."""
    with serving() as running:
        yield running


async def content(boards: Boards, of: Any) -> bytes:
    return b"".join([chunk async for chunk in boards.read(of)])


def run(*arguments: str) -> int:
    return int(group.main([*arguments], standalone_mode=False))


async def test_artifacts_and_inputs_lie_in_the_bucket(
    server: BucketServer, acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """An artifact has no path, but its facts and its bytes; it can be an input."""
    async with open_boards(storage="s3", environment={**KEY, **server.environment}) as boards:
        first = await boards.generate("acme/draw", prompt="a", image=PNG + b"an input")
        [artifact] = first.artifacts
        assert (artifact.path, artifact.width, artifact.height) == (None, 1, 1)
        assert artifact.as_dict()["path"] is None
        assert await content(boards, artifact) == await content(boards, artifact.id) == PNG
        await boards.generate("acme/draw", prompt="b", image=artifact)
    assert set(server.objects().values()) == {len(PNG), len(PNG) + len(b"an input")}
    assert not list((tmp_path / "home").rglob("*.png"))


async def test_an_artifact_has_an_address(
    server: BucketServer, acme: Acme, open_boards: Open
) -> None:
    """For everybody, for a while."""
    async with (
        open_boards(storage="s3", environment={**KEY, **server.environment}) as boards,
        aiohttp.ClientSession() as client,
    ):
        [artifact] = (await boards.generate("acme/draw", prompt="a")).artifacts
        address = await boards.url(artifact, expires=timedelta(minutes=5))
        assert address is not None
        async with client.get(yarl.URL(address, encoded=True)) as reply:
            assert await reply.read() == PNG
            assert reply.content_type == "image/png"


async def test_bytes_are_for_their_owner(
    server: BucketServer, acme: Acme, open_boards: Open
) -> None:
    """Whoever learned an artifact's id, or made one up, gets neither its bytes nor an address."""
    async with open_boards(storage="s3", environment={**KEY, **server.environment}) as boards:
        alice = await boards.as_owner(Identity("alice"))
        bob = await boards.as_owner(Identity("bob"))
        [artifact] = (await alice.generate("acme/draw", prompt="a")).artifacts
        assert [chunk async for chunk in alice.read(artifact)] == [PNG]
        with pytest.raises(NotFoundError):
            await anext(aiter(bob.read(artifact)))
        with pytest.raises(NotFoundError):
            await bob.url(artifact.id)
        for unknown in (f"{artifact.id}1", artifact.id[:-2], f"{new_id()}.0"):
            with pytest.raises(NotFoundError):
                await alice.url(unknown)


@pytest.mark.parametrize(
    ("generator", "fact"),
    [("replicate/minimax-video-01", "fps"), ("fal/stable-audio-2.5", "duration")],
)
async def test_facts_are_read_without_a_file(
    server: BucketServer, tmp_path: Path, generator: str, fact: str
) -> None:
    """Of film and sound too, from the beginning of the object."""
    with emulators() as (replicate, fal):
        given = settings(replicate, fal)
        given["environment"] |= server.environment
        async with Boards(home=tmp_path, storage="s3", **given) as boards:
            done = await boards.generate(generator, prompt="waves")
            [artifact] = done.artifacts
            assert getattr(artifact, fact) is not None
            found = await content(boards, artifact)
    assert hashlib.sha256(found).hexdigest() == artifact.sha256


def test_the_blocking_facade_reads_too(server: BucketServer, tmp_path: Path) -> None:
    """In chunks, without await."""
    with emulators() as (replicate, fal):
        given = settings(replicate, fal)
        given["environment"] |= server.environment
        with BlockingBoards(home=tmp_path, storage="s3", **given) as boards:
            [artifact] = boards.generate("fal/flux-schnell", prompt="waves").artifacts
            assert len(b"".join(boards.read(artifact))) == artifact.size
            assert str(boards.url(artifact)).startswith(server.url)


async def test_the_commands(
    server: BucketServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Results are named by their ids, ``--out`` fetches them, garbage is collected."""
    with emulators() as (replicate, fal):
        given = settings(replicate, fal)
        for name, value in {**replicate.env, **fal.env, **server.environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("BOARDS_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("BOARDS_STORAGE", "s3")
        monkeypatch.setenv("BOARDS_ALLOW_PRIVATE_HOSTS", "1")
        host = tmp_path / "home" / "providers.yaml"
        host.parent.mkdir()
        host.write_text(json.dumps({"providers": given["providers"]}))

        arguments = ("generate", "fal/flux-schnell", "prompt=a fox")
        assert await asyncio.to_thread(run, *arguments) == 0
        artifact = capsys.readouterr().out.split()[0]
        assert artifact.endswith(".0")
        generation, out = artifact.removesuffix(".0"), str(tmp_path / "out")
        assert await asyncio.to_thread(run, "wait", generation, "--out", out) == 0
        [copied] = (tmp_path / "out").iterdir()
        assert capsys.readouterr().out.split()[0] == str(copied)
        [(key, size)] = server.objects().items()
        assert copied.stat().st_size == size
        name = f"{hashlib.sha256(copied.read_bytes()).hexdigest()}{copied.suffix}"
        assert key == f"team/boards/{name}"
        assert await asyncio.to_thread(run, "status", generation) == 0
        assert name in capsys.readouterr().out

        lost = hashlib.sha256(b"lost").hexdigest()
        server.client().put_object(Bucket=BUCKET, Key=f"team/boards/{lost}.png", Body=b"lost")
        await asyncio.sleep(1.1)  # S3 counts seconds, and what was just written stays
        assert await asyncio.to_thread(run, "gc", "--grace", "0s", "--json") == 0
        assert json.loads(capsys.readouterr().out)["deleted"] == 1
        assert server.objects() == {key: size}


async def test_a_bucket_that_is_down_for_a_moment_loses_nothing(
    server: BucketServer, acme: Acme, open_boards: Open
) -> None:
    """The job was paid for: its output is kept when the bucket is up again."""
    down = True

    def refused(call: Call) -> int | None:
        return 503 if down and call.method == "PUT" else None

    server.gate.fault = refused
    async with open_boards(storage="s3", environment={**KEY, **server.environment}) as boards:
        generation = await boards.submit("acme/draw", prompt="a")
        while len([one for one in server.gate.calls if one.method == "PUT"]) < 3:
            await asyncio.sleep(0.02)
        assert server.objects() == {}
        down = False
        assert (await boards.wait(generation.id)).status == "succeeded"
        assert acme.counts["submit"] == 1
    assert list(server.objects().values()) == [len(PNG)]
