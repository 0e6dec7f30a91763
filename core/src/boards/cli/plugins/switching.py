"""``boards plugins enable`` and ``disable``: for good, in this home. No plugin is imported."""

import click

from boards.cli.complete import complete_plugin
from boards.cli.exits import Exit
from boards.cli.session import Session, command
from boards.discovery import canonical
from boards.errors import NotFoundError
from boards.index import Index
from boards.installing import distribution_of
from boards.settings import Settings
from boards.switches import read_switches, switch_off, switch_on, switches_path

__all__ = ["disable", "enable"]

_NAMES = click.argument(
    "names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_plugin
)


@command()
@_NAMES
def disable(session: Session, names: tuple[str, ...]) -> int:
    """Leave plugins out from now on, in this home; they stay installed.

    NAME is a distribution: fal is boards-fal.
    """
    settings = session.settings()
    chosen = [_known(name, _installed(settings)) for name in names]
    switch_off(settings.home, chosen)
    return _tell(session, chosen, enabled=False)


@command()
@_NAMES
def enable(session: Session, names: tuple[str, ...]) -> int:
    """Use plugins again that were disabled.

    NAME is a distribution: fal is boards-fal. What BOARDS_PLUGINS_DISABLED names stays left out.
    """
    settings = session.settings()
    known = [*_installed(settings), *read_switches(settings.home)]
    chosen = [_known(name, known) for name in names]
    switch_on(settings.home, chosen)
    return _tell(session, chosen, enabled=True)


def _installed(settings: Settings) -> list[str]:
    index = Index(settings.cache)
    return [one.distribution for one in index.entry_points()]


def _known(name: str, known: list[str]) -> str:
    """The distribution of that name.

    Raises:
        NotFoundError: There is none.
    """
    found = distribution_of(name, known)
    if canonical(found) in map(canonical, known):
        return found
    from boards.names import near  # noqa: PLC0415  # only for mistakes

    suggestions = near(found, dict.fromkeys(known))
    meant = f" Did you mean {' or '.join(suggestions)}?" if suggestions else ""
    raise NotFoundError(
        f"No plugin {found} is installed.{meant}",
        suggestions=suggestions,
        remedy="List them with: boards plugins",
    )


def _tell(session: Session, chosen: list[str], *, enabled: bool) -> int:
    """What is used now; 1 where a setting says otherwise."""
    settings = session.settings()
    off = set(map(canonical, settings.plugins_disabled))
    allowed = settings.plugins
    told, code = [], Exit.OK
    for name in chosen:
        why = ""
        if canonical(name) in off:
            why = "BOARDS_PLUGINS_DISABLED"
        elif allowed is not None and canonical(name) not in map(canonical, allowed):
            why = "BOARDS_PLUGINS"
        used = not why
        told.append({"distribution": name, "enabled": used})
        if not session.json:
            session.out.line(f"{name} is {'enabled' if used else 'disabled'}.")
            if enabled and why:
                session.out.note(f"{why} leaves it out: change that, too.")
        if used != enabled:
            code = Exit.FAILED
    if session.json:
        session.out.value({"file": str(switches_path(settings.home)), "plugins": told})
    return code
