"""A host in a process of its own, which a check kills: ``python -m`` this, its plan on stdin."""

import asyncio
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from boards.spec.hosts import origin
from boards.spec.model import GeneratorSpec, ProviderSpec
from boards.testing.conformance.rig import host

__all__ = ["Plan"]


@frozen
class Plan:
    """What the process is to do.

    Attributes:
        home: The host's directory.
        provider: Fast, and pointed at the proxy.
        generators: By id.
        environment: The credentials.
        name: Of the provider.
        origins: Of the proxy.
        generator: Which one is to generate.
        input: From what.
    """

    home: Path
    provider: ProviderSpec
    generators: Mapping[str, GeneratorSpec]
    environment: Mapping[str, str]
    name: str
    origins: tuple[str, ...]
    generator: str
    input: Mapping[str, Any]

    def opened(self) -> Any:
        """The host, as a context manager; after a restart the same."""
        known = {origin(one) for one in self.origins}
        return host(
            self.home,
            self.provider,
            self.generators,
            self.environment,
            self.name,
            allowed=tuple(one.removeprefix("http://") for one in self.origins),
            known=lambda url: origin(url) in known,
        )


async def _generate(plan: Plan) -> None:
    async with plan.opened() as (boards, _):
        generation = await boards.submit(plan.generator, input=plan.input)
        await boards.wait(generation.id)


if __name__ == "__main__":
    asyncio.run(_generate(pickle.load(sys.stdin.buffer)))  # noqa: S301  # of our own check
