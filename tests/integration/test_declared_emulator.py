"""Providers played from their specs alone: every spec at hand, end to end, over real sockets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from attrs import evolve

from boards import Boards, GenerationFailedError
from boards.artifacts import type_of
from boards.registry import Registry
from boards.spec.model import GeneratorSpec
from boards.testing.emulators.declared import DeclaredEmulator
from boards.testing.emulators.media import image
from boards.testing.emulators.server import Knobs

SPECS = Path(__file__).parents[1] / "specs"
FAST = Knobs(queue_seconds=0.01, run_seconds=0.03)

NOT_PLAYED: Final[dict[str, str]] = {}
"""Generators that cannot be played from their spec, and why: none so far."""

NO_FIXTURE: Final = {"runware/image-inference-live": {"prompt": "a red fox"}}
"""Inputs for generators without a fixture: offline nothing runs a websocket."""


@cache
def registry() -> Registry:
    """A host that knows the installed plugins and the specs of the tests."""
    return Boards(drive=False, environment={}, generators=sorted(SPECS.rglob("*.yaml"))).registry


def quick(spec: GeneratorSpec) -> GeneratorSpec:
    """A generator whose jobs are asked for without waiting long."""
    poll = spec.execution.poll
    if poll is None:
        return spec
    return evolve(
        spec, execution=evolve(spec.execution, poll=evolve(poll, every=0.02, max_every=0.05))
    )


def emulator_of(name: str, knobs: Knobs, only: str | None) -> DeclaredEmulator:
    """The emulator of a provider; of one generator alone, it is there at once."""
    if only is None:
        return DeclaredEmulator.of(registry(), name, knobs)
    spec = registry().spec(f"{name}/{only}")
    return DeclaredEmulator(name, registry().provider(name).spec, [spec], knobs)


def pointed_at(emulator: DeclaredEmulator, home: Path, ids: list[str]) -> Boards:
    """A host whose provider is the emulator."""
    spec = registry().provider(emulator.name).spec
    retry = spec.retry and evolve(spec.retry, base=0.01, cap=0.02)
    here = evolve(spec, config={**spec.config, **emulator.config}, retry=retry)
    return Boards(
        home=home,
        environment=emulator.env,
        plugins=(),
        providers={emulator.name: here},
        generators=[quick(registry().spec(one)) for one in ids],
        allow_private_hosts=True,
    )


@asynccontextmanager
async def played(
    name: str, home: Path, knobs: Knobs = FAST, *, only: str | None = None
) -> AsyncIterator[Any]:
    """The emulator of a provider, and a host that uses it."""
    emulator = emulator_of(name, knobs, only)
    ids = [entry.id for entry in registry().generators(provider=name)]
    chosen = ids if only is None else [f"{name}/{only}"]
    async with emulator, pointed_at(emulator, home, chosen) as boards:
        yield emulator, boards


def an_input(spec: GeneratorSpec) -> dict[str, Any]:
    """The input of the first fixture that succeeds."""
    if spec.id in NO_FIXTURE:
        return NO_FIXTURE[spec.id]
    return next(one.input for one in spec.tests if one.raises is None and one.exchanges)


PROVIDERS: Final = sorted(
    {path.stem for path in SPECS.glob("*.yaml")} | {"fal", "openai", "replicate"}
)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_generator_generates_from_its_spec_alone(provider: str, tmp_path: Path) -> None:
    """Each makes artifacts of its type, with a job of its own, for the input of its fixture."""
    ids = [entry.id for entry in registry().generators(provider=provider)]
    ids = [one for one in ids if one not in NOT_PLAYED]
    async with played(provider, tmp_path) as (emulator, boards):
        made = await asyncio.gather(
            *(boards.generate(one, input=an_input(registry().spec(one))) for one in ids)
        )
        assert emulator.jobs == len(ids)
        assert len({one.provider_job_id for one in made}) == len(ids)
        assert all(one.size > 0 for generation in made for one in generation.artifacts)
        for generation in made:
            told = {type_of(one.mime) or generation.artifact_type for one in generation.artifacts}
            assert generation.artifact_type in told, generation.generator
        unknown = [route for route in emulator.stats if "404" in route]
        assert not unknown


def test_no_spec_was_left_out() -> None:
    """Every provider at hand is played, and more than a hundred generators."""
    known = {entry.name for entry in registry().providers()}
    assert set(PROVIDERS) <= known
    played_ = [one for name in PROVIDERS for one in registry().generators(provider=name)]
    assert len(played_) - len(NOT_PLAYED) >= 108
    kinds = Counter(registry().spec(one.id).execution.synchronous for one in played_)
    assert kinds[True] > 20 < kinds[False]


def first_of(provider: str) -> GeneratorSpec:
    """The default generator of a provider."""
    name = registry().provider(provider).spec.default_generator
    return registry().spec(f"{provider}/{name}")


QUEUES: Final = ("fal", "replicate", "comfyui", "luma", "runware", "runway")
AT_ONCE: Final = ("automatic1111", "google-gemini", "openai", "stability")


@pytest.mark.parametrize("provider", [*QUEUES, *AT_ONCE])
async def test_every_nth_job_fails_as_the_provider_fails_jobs(
    provider: str, tmp_path: Path
) -> None:
    """The first job succeeds, the second does not, and the host knows why."""
    spec = first_of(provider)
    async with played(provider, tmp_path, evolve(FAST, fail_every=2), only=spec.name) as (
        _,
        boards,
    ):
        await boards.generate(spec.id, input=an_input(spec))
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate(spec.id, input=an_input(spec))
    assert caught.value.kind in ("provider", "transient", "timeout", "quota", "invalid_input")
    assert caught.value.message


MODERATED: Final = (
    "black-forest-labs/flux-2-pro",
    "elevenlabs/music",
    "fal/veo-3",
    "fal/topaz-image-upscale",
    "google-gemini/imagen-4",
    "luma/ray-2",
    "openai/sora-2",
    "replicate/sdxl",
    "runware/video-inference",
    "runway/gen4.5",
    "stability/upscale-creative",
)


@pytest.mark.parametrize("generator", MODERATED)
async def test_every_nth_job_is_refused_for_its_content(generator: str, tmp_path: Path) -> None:
    """As the provider does it: at the submit, at the poll or with the result."""
    spec = registry().spec(generator)
    knobs = evolve(FAST, moderate_every=1)
    async with played(spec.provider, tmp_path, knobs, only=spec.name) as (_, boards):
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate(spec.id, input=an_input(spec))
    assert caught.value.kind == "moderated"


@pytest.mark.parametrize("provider", ["runware", "replicate", "elevenlabs"])
async def test_a_create_that_is_limited_is_sent_again_when_it_may(
    provider: str, tmp_path: Path
) -> None:
    """A 429 with when to come back; the job is accepted once."""
    spec = first_of(provider)
    async with played(provider, tmp_path, evolve(FAST, rate_limit_every=2), only=spec.name) as (
        emulator,
        boards,
    ):
        await boards.generate(spec.id, input=an_input(spec))
        await boards.generate(spec.id, input=an_input(spec))
        assert emulator.jobs == 2
    submits = sum(n for route, n in emulator.stats.items() if route.startswith("POST /"))
    assert submits >= 3


async def test_a_key_that_is_not_the_one_is_refused_in_the_providers_words(tmp_path: Path) -> None:
    """The fixture's 401 is what a caller reads."""
    async with played("openai", tmp_path, only="gpt-image-2") as (emulator, boards):
        emulator.knobs = evolve(FAST, key="another")
        with pytest.raises(GenerationFailedError) as caught:
            await boards.generate("openai/gpt-image-2", prompt="a red fox")
    assert caught.value.kind == "auth"
    assert emulator.jobs == 0


async def test_a_lost_reply_is_found_again_by_its_key(tmp_path: Path) -> None:
    """Runware knows a task by its UUID: asked once more, it says so, and there is one job."""
    async with played(
        "runware", tmp_path, evolve(FAST, lose_replies_every=1), only="image-inference"
    ) as (
        emulator,
        boards,
    ):
        generation = await boards.generate("runware/image-inference", prompt="a red fox")
        assert generation.artifacts
        assert emulator.jobs == 1


async def test_a_lost_job_is_found_in_the_list(tmp_path: Path) -> None:
    """ComfyUI's history has the mark that the submit carried."""
    async with played("comfyui", tmp_path, evolve(FAST, lose_replies_every=1), only="txt2img") as (
        emulator,
        boards,
    ):
        generation = await boards.generate("comfyui/txt2img", prompt="a red fox", seed=7)
        assert generation.artifacts
        assert emulator.jobs == 1


@pytest.mark.parametrize("provider", ["fal", "replicate", "luma"])
async def test_a_canceled_job_ends_canceled(provider: str, tmp_path: Path) -> None:
    """Whether the provider has a word for it, or forgets the job."""
    spec = first_of(provider)
    knobs = Knobs(queue_seconds=0.01, run_seconds=60)
    async with played(provider, tmp_path, knobs, only=spec.name) as (emulator, boards):
        generation = await boards.submit(spec.id, input=an_input(spec))
        while not emulator.tasks:
            await asyncio.sleep(0.01)
        await boards.cancel(generation.id)
        ended = await boards.wait(generation.id)
    assert ended.status == "canceled"
    assert emulator.tasks[0].canceled


async def test_a_fraction_says_how_far_a_job_is(tmp_path: Path) -> None:
    """The fixture has one number; here it grows while the job runs."""
    knobs = Knobs(queue_seconds=0.01, run_seconds=0.4)
    async with played("runway", tmp_path, knobs, only="gen4-turbo") as (_, boards):
        generation = await boards.submit("runway/gen4-turbo", image="https://example.com/fox.png")
        told = [one async for one in boards.events(generation.id) if one.type == "progress"]
    percents = [one.data["percent"] for one in told if one.data["percent"] is not None]
    assert len(percents) > 1
    assert percents == sorted(percents)
    assert 0 < percents[-1] <= 100


async def test_as_many_outputs_come_as_are_asked_for(tmp_path: Path) -> None:
    """The fixture has two, and an input that counts them."""
    async with played("openai", tmp_path, only="gpt-image-2") as (_, boards):
        generation = await boards.generate("openai/gpt-image-2", prompt="a red fox", num_outputs=3)
    assert len({one.key for one in generation.artifacts}) == 3


async def test_an_upload_goes_where_the_submit_says(tmp_path: Path) -> None:
    """Fal's two steps: a place is asked for, the bytes are put there, and are served from there."""
    file = tmp_path / "fox.png"
    too_large_for_a_data_uri = bytes(1_000_000)
    file.write_bytes(image("a fox", 1).content + too_large_for_a_data_uri)
    async with played("fal", tmp_path / "home", only="birefnet-v2") as (emulator, boards):
        await boards.generate("fal/birefnet-v2", image=file)
        url = emulator.tasks[0].bound["file.input.image"]
        async with aiohttp.ClientSession() as session, session.get(url) as reply:
            assert await reply.read() == file.read_bytes()
            assert reply.content_type == "image/png"


@asynccontextmanager
async def served(name: str, knobs: Knobs = FAST) -> AsyncIterator[Any]:
    """The emulator of a provider, and a client of its own that goes to it."""
    emulator = DeclaredEmulator.of(registry(), name, knobs)
    async with emulator, aiohttp.ClientSession(emulator.base_url) as session:
        yield emulator, session


KEYED: Final = {"Authorization": "Bearer emulator-key"}


async def test_a_body_that_the_spec_could_not_have_sent_is_refused() -> None:
    """In the shape of the provider's own errors, with the place and the reason."""
    body = {"model": "gpt-image-2", "prompt": "a fox", "colour": "red"}
    async with served("openai") as (emulator, session):
        path = "/api.openai.com/v1/images/generations"
        async with session.post(path, json=body, headers=KEYED) as reply:
            told = await reply.json()
        assert reply.status == 400
        assert "json.colour: is nothing that the spec sends" in told["error"]["message"]
        assert emulator.jobs == 0


async def test_values_are_held_to_the_input_schema() -> None:
    """A number out of its range, where the rest fits."""
    spec = registry().spec("luma/photon-1")
    sent = dict(spec.tests[0].exchanges[0].expect["json"], prompt="x")
    async with served("luma") as (_, session):
        path = "/api.lumalabs.ai/dream-machine/v1/generations/image"
        async with session.post(path, json=sent, headers=KEYED) as reply:
            text = await reply.text()
        assert reply.status == 422
        assert "prompt" in text


async def test_a_route_that_is_not_declared_answers_with_those_that_are() -> None:
    """Whoever mistypes a path reads what there is."""
    async with served("luma") as (_, session):
        async with session.get("/api.lumalabs.ai/v2/generations") as reply:
            told = await reply.json()
        assert reply.status == 404
        async with session.get("/_boards") as reply:
            assert (await reply.json())["routes"] == told["declared"]
    routes = {one["route"]: one for one in told["declared"]}
    submit = routes["POST /api.lumalabs.ai/dream-machine/v1/generations/video"]
    assert submit == {
        "route": "POST /api.lumalabs.ai/dream-machine/v1/generations/video",
        "role": "submit",
        "generators": ["ray-2", "ray-flash-2"],
    }
    assert routes["GET /api.lumalabs.ai/dream-machine/v1/generations/{job.id}"]["role"] == "poll"


async def test_outputs_expire() -> None:
    """Their addresses are gone after a time."""
    async with served("huggingface", evolve(FAST, expire_seconds=0.0)) as (_, session):
        sent = {
            "prompt": "a red fox",
            "image_size": {"width": 512, "height": 512},
            "guidance_scale": 3.5,
        }
        path = "/router.huggingface.co/fal-ai/fal-ai/flux/dev"
        async with session.post(path, json=sent, headers=KEYED) as reply:
            url = (await reply.json())["images"][0]["url"]
        await asyncio.sleep(0.01)
        async with session.get(url) as reply:
            assert reply.status == 404
