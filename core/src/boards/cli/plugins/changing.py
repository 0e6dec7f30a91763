"""``boards plugins install`` and ``uninstall``: pip or uv underneath; no plugin is imported."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from boards.cli.complete import complete_plugin
from boards.cli.exits import Exit
from boards.cli.output import Output, plain
from boards.cli.plugins.doctoring import write_findings
from boards.cli.session import Session, command
from boards.discovery import canonical
from boards.doctor.findings import Finding
from boards.errors import InvalidInputError, NotFoundError, PluginError
from boards.installing import (
    distribution_of,
    environment_note,
    find_installer,
    installed_versions,
    name_of,
    requirement_of,
    run_shown,
)

__all__ = ["install", "uninstall"]

_EXACT = click.option("--exact", is_flag=True, help="Put no boards- before names.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show the command, and run nothing.")


@command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--upgrade", is_flag=True, help="Take the newest version.")
@click.option("--find-links", metavar="DIR", help="Look for wheels here too.")
@click.option("--no-index", is_flag=True, help="Look nowhere else: no network.")
@_EXACT
@_DRY_RUN
def install(
    session: Session,
    names: tuple[str, ...],
    upgrade: bool,
    find_links: str | None,
    no_index: bool,
    exact: bool,
    dry_run: bool,
) -> int:
    """Install plugins, and see whether they are well.

    NAME is fal or boards-fal, 'fal>=0.2', a wheel, a directory or an address. Runs pip, or uv where
    the environment has no pip. boards-core stays as it is.
    """
    requirements = [requirement_of(name, exact=exact) for name in names]
    installer = find_installer()
    line = installer.install(
        requirements, upgrade=upgrade, find_links=find_links, no_index=no_index
    )
    out = session.out
    if not _start(line, out, dry_run=dry_run):
        return Exit.OK
    before = installed_versions()
    if code := run_shown(line, lambda text: out.note(plain(text))):
        raise PluginError(
            f"{installer.name} could not install {', '.join(requirements)}: exit code {code}.",
            remedy="Its messages say why. If another boards-core is needed, upgrade that first: "
            f"{shlex.join(installer.upgrade_core())}",
        )
    after = installed_versions()
    changed = {name for name in after if after[name] != before.get(name)}
    wanted = sorted(_verified(requirements, changed))
    report = _examined(session, wanted) if wanted else {"ok": True, "findings": [], "plugins": []}
    return _tell(session, line, report)


def _start(line: list[str], out: Output, *, dry_run: bool) -> bool:
    """Show the command; whether to run it."""
    if not dry_run:
        out.note(f"$ {shlex.join(line)}")
        if note := environment_note():
            out.note(note)
        return True
    if out.json:
        out.value({"command": line})
    else:
        out.line(shlex.join(line))
    return False


def _verified(requirements: list[str], changed: set[str]) -> set[str]:
    """The distributions to look at: those that were named, and plugins that came with them."""
    from boards.doctor.distributions import distributions_at  # noqa: PLC0415  # slow to import

    named = {name for one in requirements if (name := name_of(one))}
    plugins = {canonical(one.name) for one in distributions_at() if one.entry_points}
    return named | (changed & plugins)


def _examined(session: Session, names: list[str]) -> dict[str, Any]:
    """The doctor's report, from a new process: this one has old code, and must not die."""
    home = ["--home", str(session.settings().home)]
    done = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-P", "-m", "boards.cli", *home, "plugins", "doctor", "--json", *names],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        report: dict[str, Any] = json.loads(done.stdout)
        assert isinstance(report["ok"], bool)  # noqa: S101  # or it is an error
    except (ValueError, KeyError, TypeError):
        told = " ".join((done.stderr or done.stdout).split()[-40:])
        raise PluginError(
            f"{', '.join(names)}: installed, but Boards cannot look at it any more "
            f"(exit code {done.returncode}): {told}",
            remedy=f"Take it out again: boards plugins uninstall {' '.join(names)}",
        ) from None
    return report


def _tell(session: Session, line: list[str], report: dict[str, Any]) -> int:
    out = session.out
    if out.json:
        out.value({"command": line, **{k: report[k] for k in ("ok", "plugins", "findings")}})
    else:
        for one in report["plugins"]:
            out.line(f"{one['distribution']} {one['version']} is installed.")
        write_findings(
            tuple(Finding(**{**f, "distributions": ()}) for f in report["findings"]), out.line
        )
    return Exit.OK if report["ok"] else Exit.FAILED


@command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_plugin)
@_EXACT
@_DRY_RUN
def uninstall(session: Session, names: tuple[str, ...], exact: bool, dry_run: bool) -> int:
    """Remove plugins; what they needed stays. A broken one can be removed too.

    NAME is fal or boards-fal.
    """
    versions = installed_versions()
    chosen = [_removable(name, versions, exact=exact) for name in names]
    installer = find_installer()
    line = installer.uninstall(chosen)
    out = session.out
    if not _start(line, out, dry_run=dry_run):
        return Exit.OK
    code = run_shown(line, lambda text: out.note(plain(text)))
    left = [name for name in chosen if canonical(name) in installed_versions()]
    if code or left:
        raise PluginError(
            f"{installer.name} could not remove {', '.join(left or chosen)}: exit code {code}.",
            remedy="Its messages say why. To leave it out meanwhile: "
            f"boards plugins disable {' '.join(left or chosen)}",
        )
    if out.json:
        out.value({"command": line, "ok": True})
    else:
        for name in chosen:
            out.line(f"{name} is removed.")
    return Exit.OK


def _removable(name: str, versions: dict[str, str], *, exact: bool) -> str:
    """The installed plugin of that name.

    Raises:
        NotFoundError: It is not installed.
        InvalidInputError: It is no plugin, or the core.
    """
    from boards.doctor.distributions import distributions_at, modules_of  # noqa: PLC0415  # slow

    found = canonical(name if exact else distribution_of(name, versions))
    if found == "boards-core":
        raise InvalidInputError(
            "boards-core is the core, not a plugin.",
            remedy=f"To remove Boards: {Path(sys.executable).name} -m pip uninstall boards-core",
        )
    if found not in versions:
        raise NotFoundError(
            f"{found} is not installed.",
            suggestions=[],
            remedy="List what is: boards plugins doctor",
        )
    if not any(
        one.entry_points or found.startswith("boards-") or modules_of(one, "boards")
        for one in distributions_at()
        if canonical(one.name) == found
    ):
        raise InvalidInputError(
            f"{found} is no plugin of Boards.",
            remedy="Remove it with pip or uv, if nothing needs it.",
        )
    return found
