"""``boards plugins``: what there is."""

from typing import TYPE_CHECKING, Any

from boards.cli.output import plain
from boards.cli.plugins.loading import load_command
from boards.cli.session import Session
from boards.errors import PluginError

if TYPE_CHECKING:
    from boards.discovery import EntryPoint

__all__ = ["list_plugins"]


def list_plugins(session: Session) -> None:
    """Write the list: what each plugin offers, or what is wrong with it and how to mend it."""
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
