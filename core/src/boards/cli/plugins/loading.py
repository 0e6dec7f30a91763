"""The commands that plugins bring."""

import importlib
from typing import TYPE_CHECKING, Any

import click

from boards.errors import PluginError

if TYPE_CHECKING:
    from boards.discovery import EntryPoint

__all__ = ["load_command"]


def load_command(entry_point: "EntryPoint") -> click.Command:
    """Import a plugin's command.

    Raises:
        PluginError: It cannot be imported, or is no click command.
    """
    module, _, attribute = entry_point.value.partition(":")
    remedy = (
        f"Upgrade or remove it: pip install -U {entry_point.distribution}, "
        f"or BOARDS_PLUGINS_DISABLED={entry_point.distribution}"
    )
    try:
        found: Any = importlib.import_module(module.strip())
        for name in attribute.strip().split("."):
            found = getattr(found, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of an extension in Rust is no Exception
        raise PluginError(
            f"The command {entry_point.name} of {entry_point.source} cannot be imported: "
            f"{type(error).__name__}: {error}",
            remedy=remedy,
        ) from error
    if not isinstance(found, click.Command):
        raise PluginError(
            f"The command {entry_point.name} of {entry_point.source} is no click command, "
            f"but {type(found).__name__}.",
            remedy=remedy,
        )
    return found
