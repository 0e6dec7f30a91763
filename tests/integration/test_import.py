"""Models imported from emulated providers, and run there with what came of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boards import Boards
from boards.errors import NotFoundError, ProviderError
from boards.spec.importers import import_model
from tests.integration.emulated import emulators, settings

RUNS = [
    ("replicate", "black-forest-labs/flux-schnell", {"prompt": "a fox"}, "image"),
    ("replicate", "openai/whisper", {"audio": "https://example.com/a.wav"}, "text"),
    ("replicate", "cjwbw/demucs", {"audio": "https://example.com/a.wav"}, "audio"),
    ("replicate", "meta/meta-llama-3-8b-instruct", {"prompt": "a fox"}, "text"),
    ("replicate", "meta/sam-2", {"image": "https://example.com/a.png"}, "image"),
    ("fal", "fal-ai/flux/schnell", {"prompt": "a fox"}, "image"),
    ("fal", "fal-ai/whisper", {"audio_url": "https://example.com/a.wav"}, "text"),
    ("fal", "fal-ai/trellis", {"image_url": "https://example.com/a.png"}, "model"),
]


@pytest.fixture(scope="module")
def host() -> Iterator[dict[str, Any]]:
    """Arguments of a host whose providers are emulated."""
    with emulators() as (replicate, fal):
        yield settings(replicate, fal)


@pytest.mark.parametrize(("provider", "model", "given", "kind"), RUNS, ids=str)
async def test_an_imported_model_runs(
    host: dict[str, Any], tmp_path: Path, provider: str, model: str, given: Any, kind: str
) -> None:
    """Its document is asked for, becomes a generator, and that generates."""
    async with Boards(home=tmp_path / "asks", **host) as boards:
        document = await boards.model_document(provider, model)
        importer = boards.registry.provider(provider).spec.catalog.importer
    imported = import_model(importer, document, provider=provider, name=model)
    async with Boards(home=tmp_path / "runs", generators=[imported.document], **host) as boards:
        generation = await boards.generate(f"{provider}/{imported.document['name']}", input=given)
    assert generation.status == "succeeded"
    assert {one.type for one in generation.artifacts} == {kind}


async def test_a_model_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """In the provider's words."""
    from boards.testing.emulators.server import Knobs

    with emulators(Knobs(strict=True)) as (replicate, fal):
        async with Boards(home=tmp_path, **settings(replicate, fal)) as boards:
            for provider in ("replicate", "fal"):
                with pytest.raises(ProviderError, match="not found") as caught:
                    await boards.model_document(provider, "nobody/nothing")
                assert caught.value.kind == "not_found"


async def test_a_provider_without_catalog_cannot_be_asked(tmp_path: Path) -> None:
    """And says so."""
    acme = {"config": {"base_url": "https://acme.test"}, "auth": {"kind": "none"}}
    async with Boards(home=tmp_path, providers={"acme": acme}) as boards:
        with pytest.raises(NotFoundError, match="no catalog"):
            await boards.model_document("acme", "fox")
