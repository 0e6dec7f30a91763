"""The examples of the hooks: each is a whole module, in the hook's docstring."""

import inspect
import textwrap
from typing import Final

from boards import hookspecs

__all__ = ["HOOKS", "example"]

HOOKS: Final = sorted(name for name in hookspecs.__all__ if name.startswith("boards_"))

_BEGIN: Final = ".. code-block:: python"


def example(hook: str) -> str:
    """The code in the docstring of a hook; empty if there is none."""
    _, _, rest = (inspect.getdoc(getattr(hookspecs, hook)) or "").partition(_BEGIN)
    block: list[str] = []
    for line in rest.splitlines():
        if line and not line.startswith("    "):
            break
        block.append(line)
    return textwrap.dedent("\n".join(block)).strip() + "\n"
