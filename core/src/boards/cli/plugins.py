"""``boards plugins``, and the commands that plugins bring."""

import importlib
from typing import TYPE_CHECKING, Any

import click

from boards.cli.output import plain
from boards.cli.session import Session, command
from boards.errors import PluginError

if TYPE_CHECKING:
    from boards.discovery import EntryPoint

__all__ = ["load_command", "plugins"]


@command()
def plugins(session: Session) -> None:
    """List plugins: what they offer, or what is wrong with them and how to mend it."""
    boards = session.boards(drive=False)
    shown = [one.as_dict() for one in boards.plugins()]
    shown += [_command(one) for one in boards.registry.hooks.entry_points("boards.commands")]
    out = session.out
    if out.json:
        out.value(shown)
        return
    rows = [
        [
            one["name"],
            f"{one['distribution']} {one['version']}".strip() or one["source"],
            one["kind"],
            one["status"],
            one["error"] or _counts(one["offers"]),
        ]
        for one in shown
    ]
    out.table(("plugin", "from", "kind", "status", "offers"), rows)
    for one in shown:
        if one["error"] and one["remedy"]:
            out.note(f"{one['name']}: {plain(one['remedy'])}")


def _counts(offers: dict[str, list[str]]) -> str:
    parts = []
    for kind, names in offers.items():
        few = len(names) <= 3
        parts.append(f"{kind} {', '.join(names)}" if few else f"{len(names)} {kind}")
    return "; ".join(parts)


def _command(entry_point: "EntryPoint") -> dict[str, Any]:
    """A plugin's command in the shape of other plugins; it is imported, to see whether it can."""
    error = remedy = None
    try:
        load_command(entry_point)
    except PluginError as found:
        error, remedy = found.message, found.remedy
    return {
        "name": entry_point.name,
        "distribution": entry_point.distribution,
        "version": entry_point.version,
        "kind": "command",
        "source": entry_point.value,
        "status": "broken" if error else "ok",
        "offers": {"commands": [entry_point.name]},
        "error": error,
        "remedy": remedy,
    }


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
    except (Exception, SystemExit) as error:
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
