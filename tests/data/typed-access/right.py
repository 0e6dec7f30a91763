"""Calls that fit the generators: type checkers find nothing here."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import boards.sync
from boards import Artifact, Boards, Cost, Generation
from boards.dsl import Generator

if TYPE_CHECKING:
    from boards.generator_inputs import FalFluxDev


async def by_name(host: Boards) -> None:
    assert_type(await host.generate("fal/flux-dev", prompt="a cat"), Generation)
    await host.generate("fal/flux-dev", prompt="a cat", guidance=3, steps=20, dedupe_key="order-7")
    await host.generate("fal/flux-dev", prompt="a cat", acceleration="high", priority=1)
    assert_type(await host.submit("replicate/flux-schnell", prompt="a cat", seed=7), Generation)
    assert_type(host.estimate("replicate/flux-schnell", prompt="a cat"), Cost | None)


async def by_short_name(host: Boards) -> None:
    await host.generate("xtts-v2", text="hello", audio=Path("voice.wav"))  # of one provider
    await host.generate("flux-dev", prompt="a cat", aspect_ratio="16:9")  # of several
    await host.generate("@fal", prompt="a cat")


async def with_files(host: Boards, artifact: Artifact) -> None:
    await host.generate("fal/flux-dev", prompt="a cat", image=Path("cat.png"))
    await host.generate("fal/flux-dev", prompt="a cat", image="https://example.com/cat.png")
    await host.generate("fal/flux-dev", prompt="a cat", image=b"...")
    await host.generate("fal/flux-2", prompt="both", images=[artifact, Path("cat.png"), "data:,"])
    pictures = [Path("cat.png"), Path("dog.png")]
    await host.generate("fal/flux-2", prompt="both", images=pictures)
    await host.generate("fal/flux-2", prompt="both", images=(artifact, artifact))


async def with_inputs_from_elsewhere(host: Boards, name: str, inputs: dict[str, Any]) -> None:
    await host.generate(name, input=inputs)
    await host.generate(name, input=inputs, prompt="a cat", dedupe_key="order-7")
    typed: FalFluxDev = {"prompt": "a cat", "seed": 7}
    await host.generate("fal/flux-dev", **typed)


async def with_odd_inputs(host: Boards) -> None:
    await host.generate("acme/names", prompt="a cat", input={"class": "fast", "in-put": 7})
    await host.generate("acme/open", prompt="a cat", whatever=[1, 2])
    await host.generate("acme/nothing")
    await host.generate(
        "acme/shapes",
        prompt="a cat",
        mode="c\\d",
        scale=1.5,
        maybe=None,
        either=[1, 2],
        size={"width": 7},
        loras=[{"path": "one", "blend-mode": "add"}, {"path": "two", "scale": 2}],
        weights={"one": 1, "two": 0.5},
        options={"unknown": True},
        tree={"branches": [{"branches": []}]},
    )


async def with_a_class(host: Boards, generator: Generator) -> None:
    assert_type(await host.generate(generator, dedupe_key="order-7"), Generation)


async def everything_else_is_as_it_was() -> None:
    async with Boards(strict=True) as host:
        assert_type(await host.wait("id"), Generation)
        assert_type(await host.list(statuses=["failed"]), list[Generation])


def without_await(host: boards.sync.Boards) -> None:
    assert_type(host.generate("fal/flux-dev", prompt="a cat"), Generation)
    assert_type(host.submit("flux-dev", prompt="a cat"), Generation)
    assert_type(host.estimate("flux-dev", prompt="a cat"), Cost | None)
    assert_type(host.wait("id"), Generation)
    with boards.sync.Boards() as opened:
        opened.generate("@replicate", prompt="a cat")
