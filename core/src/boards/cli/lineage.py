"""``boards lineage``: what an artifact was made from, and what was made from it, as a tree."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from boards.cli.complete import complete_generation
from boards.cli.output import Output, plain
from boards.cli.session import Session, command, of_an_owner

if TYPE_CHECKING:
    from boards.lineage import Lineage, Link

__all__ = ["lineage"]


@command()
@of_an_owner
@click.argument("id_", metavar="ID", shell_complete=complete_generation)
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, metavar="N",
    help="At most so many generations in either direction, the nearest ones.",
)  # fmt: skip
def lineage(session: Session, id_: str, limit: int) -> None:
    """Show what was made from what.

    ID is that of a generation, or of one of its artifacts: GENERATION.NUMBER, counted from 0.
    """
    session.require_database(id_)
    found = session.run(_found(session, id_, limit))
    out = session.out
    if out.json:
        out.value(found.as_dict())
        return
    out.line(_about(found, found.id))
    if not found.ancestors and not found.descendants:
        out.note("It was made from no artifact, and nothing was made from it.")
    if found.ancestors:
        out.line("made from")
        _draw(found, out, found.sources_of, lambda one: one.source_id, _taken)
    if found.descendants:
        out.line("made into")
        _draw(found, out, found.uses_of, lambda one: one.generation_id, _use)
    if not found.complete:
        out.note(f"There is more than --limit {limit} lets be seen.")


async def _found(session: Session, id_: str, limit: int) -> "Lineage":
    async with session.viewed(drive=False) as boards:
        return await boards.lineage(id_, limit=limit)


def _about(found: "Lineage", id_: str) -> str:
    """An artifact's or a generation's line."""
    relative = found.relatives.get(id_) or found.relatives.get(id_.rpartition(".")[0])
    if relative is None:
        return f"{id_}  (deleted)"
    status = "" if relative.status == "succeeded" else f"  {relative.status}"
    return f"{id_}  {plain(relative.generator)}  {relative.artifact_type}{status}"


def _taken(found: "Lineage", link: "Link") -> str:
    return f"{plain(link.input)}: {_about(found, link.artifact_id)}"


def _use(found: "Lineage", link: "Link") -> str:
    return f"{_about(found, link.generation_id)}, as {plain(link.input)}"


def _draw(
    found: "Lineage",
    out: Output,
    links_of: "Callable[[str], Sequence[Link]]",
    far_end: "Callable[[Link], str]",
    shown: "Callable[[Lineage, Link], str]",
) -> None:
    """Draw links as a tree; what was drawn further up is not drawn below a second time."""
    drawn: set[str] = set()
    waiting: list[tuple[str, Link, bool]] = []

    def await_below(id_: str, trunk: str) -> None:
        links = links_of(id_)
        waiting.extend((trunk, one, one is links[-1]) for one in reversed(links))

    await_below(found.generation_id, "")
    while waiting:  # no recursion: a chain may be long
        trunk, link, last = waiting.pop()
        id_ = far_end(link)
        line = f"{trunk}{'└─ ' if last else '├─ '}{shown(found, link)}"
        if id_ in drawn:
            line += ", as above" if links_of(id_) else ""
        else:
            drawn.add(id_)
            await_below(id_, trunk + ("   " if last else "│  "))
        out.line(line)
