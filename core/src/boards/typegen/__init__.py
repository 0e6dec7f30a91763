"""Types made from generators' schemas: stubs for Python, and TypeScript."""

from boards.typegen.inputs import GeneratorTypes, typed_generators
from boards.typegen.python import stubs
from boards.typegen.typescript import typescript

__all__ = ["GeneratorTypes", "stubs", "typed_generators", "typescript"]
