"""``boards gc``: delete what no generation mentions."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from boards.cli.output import size
from boards.cli.session import Session, command
from boards.cli.times import duration

if TYPE_CHECKING:
    from boards.engine.garbage import Collected

__all__ = ["gc"]


@command()
@click.option(
    "--grace", callback=duration, default="24h", show_default=True, metavar="TIME",
    help="Only files that were written before: 30m, 24h, 7d.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Delete nothing; only count.")
def gc(session: Session, grace: timedelta, dry_run: bool) -> None:
    """Delete the files in the storage that no generation mentions.

    Results that were refused, for example, and inputs of generations that were never created. What
    a generation has as its input or its artifact stays, whatever its status.
    """
    out = session.out
    if not session.has_database():
        # Without it everything would look unmentioned.
        out.note(f"Nothing was generated in {session.settings().home}.")
        if out.json:
            out.value({"deleted": 0, "freed": 0, "kept": 0, "dry_run": dry_run})
        return
    found = session.run(_collect(session, grace, dry_run))
    if out.json:
        out.value({**found.as_dict(), "dry_run": dry_run})
        return
    done = "would be deleted" if dry_run else "deleted"
    out.line(f"{found.deleted} {done}, {size(found.freed)}; {found.kept} kept")


async def _collect(session: Session, grace: timedelta, dry_run: bool) -> "Collected":
    async with session.opened(drive=False) as boards:
        return await boards.collect_garbage(grace=grace, dry_run=dry_run)
