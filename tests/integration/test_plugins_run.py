"""Every generator of both plugins, against emulators that check inputs as the providers do."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from boards import Boards, Generation
from boards.testing.emulators import media
from boards.testing.emulators.fal import FalEmulator
from boards.testing.emulators.replicate import ReplicateEmulator
from tests.integration.emulated import FAST, emulators, settings

SHARED: dict[str, dict[str, Any]] = {
    "flux-dev": {"prompt": "a cat", "aspect_ratio": "16:9", "num_outputs": 2, "seed": 3},
    "flux-schnell": {"prompt": "a cat", "steps": 2, "output_format": "png"},
    "flux-1.1-pro": {"prompt": "a cat", "width": 512, "height": 768},
    "minimax-video-01": {"prompt": "a cat walks"},
    "kling-v2.1-master": {"prompt": "a cat walks", "duration": 5, "aspect_ratio": "9:16"},
    "veo-3": {"prompt": "a cat walks", "resolution": "720p"},
}

Emulators = tuple[ReplicateEmulator, FalEmulator]


@pytest.fixture(scope="module")
def both() -> Iterator[Emulators]:
    """Both emulators."""
    with emulators() as pair:
        yield pair


def file_of(format_: str) -> bytes:
    """A real file of an artifact input's format."""
    match format_:
        case "video":
            return media.video("in", 1, seconds=0.5).content
        case "audio":
            return media.audio("in", 1, seconds=0.5).content
        case _:
            return media.image("in", 1, width=256, height=256).content


def least_input(schema: dict[str, Any]) -> dict[str, Any]:
    """The required inputs of a generator, with values that its schema allows."""
    given: dict[str, Any] = {}
    for name in schema.get("required", ()):
        one = schema["properties"][name]
        if one.get("format") in ("image", "audio", "video", "file", "model"):
            given[name] = file_of(one["format"])
        elif one.get("type") == "array":
            given[name] = [file_of(one["items"].get("format", "image"))]
        elif "enum" in one:
            given[name] = one["enum"][0]
        elif one["type"] == "string":
            given[name] = "owner/name" if name == "destination" else "a cat in the rain"
        else:
            given[name] = one.get("minimum", 1)
    return given


async def test_every_generator_runs(both: Emulators, tmp_path: Path) -> None:
    """With its required inputs alone, each ends with artifacts of its type that are kept."""
    async with Boards(home=tmp_path, **settings(*both)) as boards:
        entries = [one for one in boards.generators() if one.provider in ("replicate", "fal")]
        assert len([one for one in entries if one.provider == "replicate"]) >= 12
        assert len([one for one in entries if one.provider == "fal"]) >= 12

        async def run(name: str) -> tuple[str, Generation]:
            given = least_input(boards.registry.spec(name).io.input_schema)
            generation = await boards.submit(name, input=given)
            return name, await boards.wait(generation.id)

        results = await asyncio.gather(*(run(entry.id) for entry in entries))
        types = {entry.id: entry.artifact_type for entry in entries}
    failed = {
        name: generation.error for name, generation in results if generation.status != "succeeded"
    }
    assert failed == {}
    for name, generation in results:
        assert generation.artifacts, name
        assert types[name] in {artifact.type for artifact in generation.artifacts}, name
        assert all(artifact.path and artifact.path.is_file() for artifact in generation.artifacts)
    assert set(types.values()) >= {"image", "video", "audio", "text", "model"}


@pytest.mark.parametrize("name", sorted(SHARED))
async def test_a_shared_name_takes_the_same_input_at_both_providers(
    both: Emulators, tmp_path: Path, name: str
) -> None:
    """Only the address differs: the same call succeeds, with as many artifacts of one type."""
    async with Boards(home=tmp_path, **settings(*both)) as boards:
        first, second = await asyncio.gather(
            boards.generate(f"replicate/{name}", **SHARED[name]),
            boards.generate(f"fal/{name}", **SHARED[name]),
        )
    assert len(first.artifacts) == len(second.artifacts)
    assert {one.type for one in first.artifacts} == {one.type for one in second.artifacts}


async def test_a_lost_prediction_without_a_file_is_found_without_a_webhook(tmp_path: Path) -> None:
    """By its whole input; each of them is paid for once."""
    with emulators(evolve(FAST, lose_replies_every=1)) as (replicate, fal):
        async with Boards(home=tmp_path, **settings(replicate, fal)) as boards:
            given = {
                entry.id: least_input(boards.registry.spec(entry.id).io.input_schema)
                for entry in boards.generators()
                if entry.provider == "replicate"
            }
            filed = [name for name, one in given.items() if any(map(_is_file, one.values()))]
            plain = sorted(given.keys() - filed)
            made = await asyncio.gather(*(boards.generate(one, input=given[one]) for one in plain))
    assert len(plain) == 16
    assert [one.status for one in made] == ["succeeded"] * len(plain)
    assert replicate.stats["jobs"] == len(plain)


def _is_file(value: Any) -> bool:
    return isinstance(value, bytes)


@pytest.mark.parametrize("provider", ["replicate", "fal"])
async def test_a_plugin_checks_its_credentials(
    both: Emulators, tmp_path: Path, provider: str
) -> None:
    """Each provider's free request tells a good key from none that it knows."""
    replicate, fal = both
    given = settings(replicate, fal)
    given["providers"]["fal"]["config"]["api_url"] = f"{fal.base_url}/v1"
    async with Boards(home=tmp_path, **given) as boards:
        assert (await boards.check_provider(provider)).ok
