"""The specs of what is made in Python."""

from typing import overload

from boards.dsl.generator import Generator
from boards.dsl.provider import Provider
from boards.spec.model import GeneratorSpec, ProviderSpec

__all__ = ["spec_of"]


@overload
def spec_of(made: type[Generator]) -> GeneratorSpec: ...
@overload
def spec_of(made: Provider) -> ProviderSpec: ...
def spec_of(made: type[Generator] | Provider) -> GeneratorSpec | ProviderSpec:
    """The spec of a class, or of a provider: what its YAML would be read into.

    Raises:
        SpecError: It has mistakes; all of them are told, each at its line.
    """
    return made.spec if isinstance(made, Provider) else made.__boards_spec__()
