"""The configuration files that a user wrote by hand: loaded unchanged, and run."""

from pathlib import Path

import pytest

from boards import Boards
from tests.integration.emulated import emulators

SEED = Path(__file__).parent.parent / "data" / "seed-config"


def test_the_files_load_unchanged(tmp_path: Path) -> None:
    """Both providers and the generator are there, and win over the plugins."""
    boards = Boards(
        home=tmp_path,
        environment={},
        providers_config_path=SEED / "providers.yaml",
        generators_config_path=SEED / "generators.yaml",
    )
    entry = next(one for one in boards.generators() if one.id == "replicate/flux-1.1-pro")
    assert entry.source.endswith("generators.yaml")
    assert {one.name for one in boards.providers()} >= {"replicate", "fal"}
    assert set(boards.registry.spec("replicate/flux-1.1-pro").io.input_schema["properties"]) == {
        "prompt",
        "width",
        "height",
    }
    assert boards.registry.problems() == []


@pytest.mark.parametrize("name", ["flux-1.1-pro", "replicate/flux-1.1-pro"])
async def test_the_generator_in_it_runs(tmp_path: Path, name: str) -> None:
    """Only ``base_url`` is changed, to an emulator's address."""
    with emulators() as (replicate, _):
        text = (SEED / "providers.yaml").read_text()
        config = tmp_path / "providers.yaml"
        config.write_text(text.replace("https://api.replicate.com/v1", f"{replicate.base_url}/v1"))
        async with Boards(
            home=tmp_path / "home",
            environment=replicate.env,
            allow_private_hosts=True,
            providers_config_path=config,
            generators_config_path=SEED / "generators.yaml",
        ) as boards:
            generation = await boards.generate(name, prompt="a cat")
    (artifact,) = generation.artifacts
    assert artifact.mime == "image/png"
    assert artifact.path is not None
    assert artifact.path.stat().st_size == artifact.size


async def test_the_fal_file_keeps_its_queue_host(tmp_path: Path) -> None:
    """``base_url`` there is the synchronous host; the plugin's queue host stays."""
    boards = Boards(home=tmp_path, environment={}, providers_config_path=SEED / "providers.yaml")
    config = boards.registry.provider("fal").spec.config
    assert config["base_url"] == "https://fal.run"
    assert config["queue_url"] == "https://queue.fal.run"
