"""The storage or auth that a kit is tried on, made as a host makes it."""

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from boards.testing.conformance.checks import NonconformanceError

__all__ = ["create", "own_environment"]


def own_environment() -> dict[str, str]:
    """The environment, without what this machine's own Boards is set to."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BOARDS_")}


def create(
    kind: Literal["storages", "auths"], name: str, home: Path, environment: Mapping[str, str]
) -> Any:
    """Make what a plugin offers.

    Args:
        kind: Which list of the host it is in.
        name: Its name there, or ``package.module:function`` for a function of the settings that
            no plugin offers yet.
        home: The host's home directory.
        environment: The host's environment.

    Raises:
        NonconformanceError: No plugin offers it.
    """
    from boards.plugins import Plugins  # noqa: PLC0415
    from boards.settings import load  # noqa: PLC0415

    settings = load(home=home, environment=environment)
    module, colon, attribute = name.partition(":")
    if colon:
        return getattr(importlib.import_module(module), attribute)(settings)
    plugins = Plugins(settings)
    records = getattr(plugins, kind)()
    if name in records:
        return records[name].create(settings)
    broken = [
        f"{one.distribution or one.source}: {one.error}" for one in plugins.infos() if one.error
    ]
    raise NonconformanceError(
        "\n".join((f"No plugin offers {name!r} among its {kind}: {', '.join(records)}.", *broken)),
        "Install the plugin, and look at its entry point in boards.plugins: boards plugins",
    )
