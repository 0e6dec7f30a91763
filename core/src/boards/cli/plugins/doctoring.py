"""``boards plugins doctor``: what is wrong, and the command that mends it."""

from collections.abc import Callable, Sequence
from typing import Final

import click

from boards.cli.complete import complete_plugin
from boards.cli.exits import Exit
from boards.cli.output import Output, plain
from boards.cli.session import Session, command
from boards.doctor.findings import Finding, Report

__all__ = ["doctor", "write_findings"]

_COLOURS: Final = {"error": "red", "warning": "yellow", "info": "cyan"}


@command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_plugin)
def doctor(session: Session, names: tuple[str, ...]) -> int:
    """Tell what is wrong with plugins, and the command that mends it.

    With NAME, of these plugins alone: fal is boards-fal. The exit code is 1 when something is
    wrong; a key that is not set is told, and is not wrong.
    """
    from boards.doctor import examine  # noqa: PLC0415  # imports what --help does without

    report = examine(session.settings(), names)
    out = session.out
    if out.json:
        out.value(report.as_dict())
    else:
        _write(report, out)
    return Exit.OK if report.ok else Exit.FAILED


def _write(report: Report, out: Output) -> None:
    out.pairs(
        [
            ("Python", f"{report.python} at {report.executable}"),
            ("boards-core", report.core),
            ("installs with", report.installer or "nothing: boards plugins install says why"),
        ]
    )
    if report.plugins:
        out.line()
        out.table(
            ("distribution", "version", "needs boards-core", "state", "in"),
            [
                [
                    one.distribution,
                    one.version,
                    one.core or "any",
                    "disabled" if one.disabled else "enabled",
                    one.location,
                ]
                for one in report.plugins
            ],
        )
    out.line()
    write_findings(report.findings, out.line)
    wrong = sum(one.severity != "info" for one in report.findings)
    out.line("Nothing is wrong." if not wrong else f"{wrong} to mend.")


def write_findings(findings: Sequence[Finding], line: Callable[[str], None]) -> None:
    """Write each finding: how bad, where, what, and the remedy below it."""
    for one in findings:
        severity = click.style(one.severity, fg=_COLOURS[one.severity], bold=True)
        line(f"{severity}: {plain(one.where)}: {plain(one.what)}")
        if one.remedy:
            line(f"  {plain(one.remedy)}")
