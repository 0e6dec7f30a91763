"""Python source, run as a file is: with its text at hand for the places of mistakes."""

import itertools
import linecache
from typing import Any

__all__ = ["run"]

_numbers = itertools.count(1)


def run(source: str) -> dict[str, Any]:
    """The names that a module of this source defines."""
    number = next(_numbers)
    linecache.cache.pop(f"<exported {number - 50}>", None)  # only the last ones are looked at
    name = f"<exported {number}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "exported"}
    exec(compile(source, name, "exec"), namespace)
    return namespace
