"""Models that nobody wrote a specification for, by their provider's name for them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boards import Boards
from boards.errors import NotFoundError, PipelineError, SpecError
from boards.pipelines import Pipeline
from boards.testing.emulators.server import Knobs
from tests.integration.emulated import emulators, settings

FLUX = "replicate/black-forest-labs/flux-schnell"


@pytest.fixture(scope="module")
def host() -> Iterator[dict[str, Any]]:
    """Arguments of a host whose providers are emulated."""
    with emulators() as (replicate, fal):
        yield settings(replicate, fal)


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        (FLUX, {"prompt": "a fox"}, "image"),
        ("fal/fal-ai/whisper", {"audio_url": "https://example.com/a.wav"}, "text"),
    ],
)
async def test_any_model_of_a_provider_can_be_generated_with(
    host: dict[str, Any], tmp_path: Path, name: str, given: dict[str, Any], kind: str
) -> None:
    """It is imported, checked, kept with its source's version, and run."""
    async with Boards(home=tmp_path, **host) as boards:
        generation = await boards.generate(name, input=given)
        kept = boards.registry.models.path(*name.split("/", 1))
    assert (generation.status, generation.generator) == ("succeeded", name)
    assert generation.artifacts[0].type == kind
    assert kept.read_text().startswith("# Imported from ")


async def test_what_was_imported_is_used_without_asking_again(
    host: dict[str, Any], tmp_path: Path
) -> None:
    """Also by a host that is opened later; a refresh asks."""
    async with Boards(home=tmp_path, **host) as boards:
        await boards.discover(FLUX)
        kept = boards.registry.models.path(*FLUX.split("/", 1))
    kept.write_text(kept.read_text().replace("description: ", "description: edited, ", 1))
    async with Boards(home=tmp_path, **host) as boards:
        assert (await boards.discover(FLUX)).description.startswith("edited, ")
        assert [one.id for one in boards.search("edited flux")] == [FLUX]
        assert not (await boards.discover(FLUX, refresh=True)).description.startswith("edited, ")


async def test_another_process_that_drives_finds_what_was_imported(
    host: dict[str, Any], tmp_path: Path
) -> None:
    """The one that submits imported it; the one that works reads it."""
    async with (
        Boards(home=tmp_path, **host) as worker,
        Boards(home=tmp_path, drive=False, **host) as server,
    ):
        assert worker.generators()
        generation = await server.submit(FLUX, prompt="a fox")
        assert (await worker.wait(generation.id)).status == "succeeded"


async def test_a_model_that_the_provider_does_not_know_is_not_found(tmp_path: Path) -> None:
    """Told once, with the provider's own words."""
    with emulators(Knobs(strict=True)) as (replicate, fal):
        async with Boards(home=tmp_path, **settings(replicate, fal)) as boards:
            for name in ("replicate/nobody/nothing", "fal/nobody/nothing"):
                with pytest.raises(NotFoundError, match="knows no such model"):
                    await boards.generate(name, prompt="a fox")
            with pytest.raises(NotFoundError, match="no generator 'nobody/nothing'"):
                await boards.generate("nobody/nothing", prompt="a fox")


async def test_a_step_of_a_model_that_the_provider_does_not_know_fails(tmp_path: Path) -> None:
    """Its run ends, with the provider's own words; nothing waits for it to appear."""
    pipeline = Pipeline("two")
    first = pipeline.step("first", "replicate/nobody/nothing", prompt="a fox")
    pipeline.step("second", "replicate/flux-schnell", prompt="a fox", needs=[first])
    with emulators(Knobs(strict=True)) as (replicate, fal):
        async with Boards(home=tmp_path, **settings(replicate, fal)) as boards:
            with pytest.raises(PipelineError, match="knows no such model") as caught:
                await boards.run(pipeline)
    one = caught.value.run
    assert (one.status, one["first"].status) == ("failed", "failed")
    assert one["first"].failure is not None
    assert one["first"].failure.kind == "not_found"
    assert one["second"].generation_id is None


async def test_a_document_that_cannot_be_imported_is_told_and_not_kept(
    host: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is guessed."""
    async with Boards(home=tmp_path, **host) as boards:

        async def nonsense(provider: str, model: str) -> Any:
            return json.loads('{"latest_version": null}')

        monkeypatch.setattr(boards, "model_document", nonsense)
        with pytest.raises(SpecError):
            await boards.generate("replicate/some/model", prompt="a fox")
    assert not (tmp_path / "models").exists()


def test_a_search_wants_every_word_and_puts_names_first(tmp_path: Path) -> None:
    """Words of descriptions count, names count more."""
    boards = Boards(home=tmp_path, environment={})
    found = boards.search("FLUX image")
    assert found
    assert all("flux" in f"{one.id} {one.description}".casefold() for one in found)
    assert "flux" in found[0].name
    assert boards.search("no-such-word flux") == []
