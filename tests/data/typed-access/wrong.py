"""Calls that do not fit: type checkers find each of the lines that say so."""

from pathlib import Path

import boards.sync
from boards import Boards
from boards.dsl import Generator


async def wrong(host: Boards, name: str, generator: Generator) -> None:
    await host.generate("fal/flux-dev", prmpt="a cat")  # wrong: the keyword
    await host.generate("fal/flux-dev", prompt="a cat", sed=7)  # wrong: another keyword
    await host.generate("fal/flux-dev", prompt=7)  # wrong: the type
    await host.generate("fal/flux-dev", prompt="a cat", steps="20")  # wrong: a text for a number
    await host.generate("fal/flux-dev", prompt="a cat", steps=20.5)  # wrong: no whole number
    await host.generate("fal/flux-dev", seed=7)  # wrong: nothing for prompt
    await host.generate("fal/flux-dev", prompt="a cat", aspect_ratio="17:9")  # wrong: the choice
    await host.generate("fal/flux-dev", prompt="a cat", image=7)  # wrong: no file
    await host.generate("fal/flux-dev", prompt="a cat", image=[Path("a.png")])  # wrong: a list
    await host.generate("fal/flux-2", prompt="both", images="https://a.example")  # wrong: no list
    await host.generate("fal/flux-2", prompt="both", images=[7])  # wrong: a list of no files
    await host.generate("fal/flux-dev", prompt="a cat", dedupe_key=7)  # wrong: the key
    await host.generate("fal/flux-dex", prompt="a cat")  # wrong: no such generator
    await host.generate("flux-dev", prompt="a cat", go_fast=True)  # wrong: not of all providers
    await host.submit("replicate/flux-schnell", prompt="a cat", seed="7")  # wrong: submit
    await host.submit(name, prompt="a cat")  # wrong: who knows what that name takes?
    host.estimate("replicate/flux-schnell")  # wrong: estimate
    await host.generate("acme/names", prompt="a cat")  # wrong: nothing for the odd names
    await host.generate("acme/shapes", prompt="a cat", mode="d")  # wrong: the choice
    await host.generate("acme/shapes", prompt="", mode=1, loras=[{"pth": ""}])  # wrong: the name
    await host.generate("acme/shapes", prompt="", mode=1, size={})  # wrong: nothing for width
    await host.generate("acme/shapes", prompt="", mode=1, weights={"one": ""})  # wrong: the value
    await host.generate("acme/shapes", prompt="", mode=1, maybe=7)  # wrong: neither text nor None
    await host.generate(generator, prompt="a cat")  # wrong: its inputs are its own
    await host.wiat("id")  # wrong: no such method


def wrong_without_await(host: boards.sync.Boards) -> None:
    host.generate("fal/flux-dev", prmpt="a cat")  # wrong: the keyword
    host.generate("fal/flux-dev", prompt="a cat", output_format="gif")  # wrong: the choice
    host.submit("fal/flux-dev")  # wrong: nothing for prompt
    host.estimate("fal/flux-dev", prompt=7)  # wrong: the type
