"""The public API as a type checker sees it. Never run: ``nox -s typing`` reads it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import assert_type

import httpx

import boards.sync
from boards import (
    Artifact,
    Boards,
    Cost,
    CostGroup,
    Failure,
    Generation,
    GenerationFailedError,
    PipelineRun,
    ScopedBoards,
    StepRun,
)
from boards.auth import Auth, Identity
from boards.engine.explaining import Explanation
from boards.entries import Availability, GeneratorEntry, ProviderEntry
from boards.events import AnyEvent
from boards.generations import Attempt
from boards.hookspecs import hookimpl
from boards.pipelines import Pipeline
from boards.plugins import PluginInfo
from boards.records import StorageRecord
from boards.settings import Settings
from boards.storage import Storage
from boards.storage.local import LocalStorage
from boards.store import Store
from boards.store.sqlite import SQLiteStore


async def generating(image: Artifact) -> None:
    async with Boards() as host:
        assert_type(host, Boards)
        assert_type(await host.generate("flux-dev", prompt="a cat", seed=7), Generation)
        assert_type(await host.submit("kling", image=Path("cat.png"), priority=1), Generation)
        await host.generate("flux-dev", input={"cache": True}, dedupe_key="one", image=image)
        await host.generate("flux-dev", dedupe_key=7)  # type: ignore[call-overload]
        generation = await host.wait("id")
        assert_type(generation.artifacts, tuple[Artifact, ...])
        assert_type(generation.artifacts[0].path, Path | None)
        assert_type(generation.error, Failure | None)
        assert_type(host.estimate("flux-dev", prompt="a cat"), Cost | None)
        assert_type(await host.explain("flux-dev", prompt="a cat"), Explanation)
        assert_type(host.events("id"), AsyncIterator[AnyEvent])
        async for event in host.events("id"):
            if event.type == "progress":
                assert_type(event.data["percent"], float | None)
            elif event.type == "log":
                event.data["line"]  # type: ignore[typeddict-item]
        assert_type(await host.list(statuses=["failed"], limit=3), list[Generation])
        pipeline = Pipeline("poster", inputs={"idea": str})
        base = pipeline.step("base", "flux-dev", prompt=pipeline.input.idea)
        pipeline.step("large", "esrgan", image=base.artifacts[0], needs=[base])
        run = await host.run(pipeline, idea="a cat", dedupe_key="one")
        assert_type(run, PipelineRun)
        assert_type(run["base"], StepRun)
        assert_type(run.artifacts, tuple[Artifact, ...])
        assert_type(host.watch_run(run.id), AsyncIterator[PipelineRun])
        assert_type(await host.runs(statuses=["failed"]), list[PipelineRun])
        await host.start_run(Path("poster.yaml"), idea="a cat")
        await host.run(pipeline, priority="high")  # type: ignore[arg-type]
        await host.list(statuses=["broken"])  # type: ignore[list-item]


async def serving(request: Mapping[str, str], auth: Auth) -> None:
    async with Boards(auth=auth, storage="local") as host:
        mine = await host.as_owner(request)
        assert_type(mine, ScopedBoards)
        assert_type(await host.as_owner("token"), ScopedBoards)
        assert_type(await mine.generate("flux-dev", prompt="a cat"), Generation)
        assert_type(await mine.costs(group_by="day"), list[CostGroup])
        assert_type(await mine.attempts("id"), list[Attempt])
        await mine.prune()  # type: ignore[attr-defined]
        await host.as_owner(7)  # type: ignore[arg-type]
    with boards.sync.Boards(auth="jwt") as blocking:
        theirs = blocking.as_owner(Identity("alice", tenant="acme"))
        assert_type(theirs, boards.sync.ScopedBoards)
        assert_type(theirs.generate("flux-dev", prompt="a cat"), Generation)
        assert_type(theirs.identity, Identity)


async def looking(host: Boards) -> None:
    assert_type(host.generators(artifact_type="image"), list[GeneratorEntry])
    assert_type(host.providers(), list[ProviderEntry])
    assert_type(host.plugins(), list[PluginInfo])
    assert_type(await host.check_provider("fal"), Availability)
    assert_type(host.settings, Settings)


def configuring() -> None:
    Boards(home="here", strict=True, plugins=["boards-fal"], max_output_bytes="1GB")
    Boards(providers={"acme": {"config": {"base_url": "https://acme.example"}}})
    Boards(generators=[Path("generators.yaml")], transport=httpx.MockTransport(_answer))
    Boards(strict=3)  # type: ignore[arg-type]
    Boards(stric=True)  # type: ignore[call-arg]


def _answer(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200)


def without_await() -> None:
    with boards.sync.Boards() as host:
        assert_type(host.generate("flux-dev", prompt="a cat"), Generation)
        for event in host.events("id"):
            assert_type(event, AnyEvent)
        assert_type(host.cancel("id"), Generation)


def failing(error: GenerationFailedError) -> None:
    assert_type(error.failure, Failure)
    assert_type(error.retryable, bool)
    assert_type(error.generation, Generation)


def parts(settings: Settings) -> None:
    keep(LocalStorage(settings.home), SQLiteStore(settings.home / "boards.db"))


def keep(storage: Storage, store: Store) -> None:
    Boards(storage=storage, store=store)


@hookimpl
def boards_storages() -> list[StorageRecord]:
    return [StorageRecord("here", lambda settings: LocalStorage(settings.home))]
