"""``boards explain``: the request as it would be sent."""

from typing import TYPE_CHECKING, Any

import click

from boards.cli.complete import complete_generator, complete_input
from boards.cli.exits import Exit
from boards.cli.inputs import read_given
from boards.cli.session import Session, command

if TYPE_CHECKING:
    from boards.cli.values import Pair
    from boards.engine.explaining import Explanation

__all__ = ["explain"]


@command()
@click.argument("name", shell_complete=complete_generator)
@click.argument("inputs", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=complete_input)
@click.option(
    "--input", "source", metavar="FILE|-",
    help="More inputs, as a JSON or YAML mapping; KEY=VALUE wins.",
)  # fmt: skip
@click.option("--http", "form", flag_value="http", help="Only the HTTP of the submit.")
@click.option("--curl", "form", flag_value="curl", help="Only the curl command of the submit.")
def explain(
    session: Session,
    name: str,
    inputs: tuple[str, ...],
    source: str | None,
    form: str | None,
) -> int:
    """Show the request that a generation would send, as HTTP and as a curl command.

    Nothing is sent, and no key is needed: secrets are masked. The command takes them from the
    environment variables that it names.
    """
    from boards.cli.values import read_mapping, split  # noqa: PLC0415  # not for --help

    pairs = split(inputs)
    mapping = read_mapping(source) if source is not None else {}
    explanation = session.run(_explained(session, name, pairs, mapping))
    if session.out.json:
        session.out.value(explanation.as_dict())
    elif form is not None:
        _only(session, explanation, form)
    else:
        _all(session, explanation)
    shown = [step.curl if form == "curl" else step.http for step in explanation.steps[:1]]
    return Exit.OK if any(shown) else Exit.FAILED


async def _explained(
    session: Session, name: str, pairs: "list[Pair]", mapping: dict[str, Any]
) -> "Explanation":
    from boards.engine.explaining import likely  # noqa: PLC0415  # not for --help

    boards = session.boards(drive=False)
    entry = likely(boards.registry, name)
    schema = boards.registry.compiled(entry.id).inputs
    given = await read_given(session, entry.id, schema, pairs, mapping)
    return await boards.explain(entry.id, input=given)


def _only(session: Session, explanation: "Explanation", form: str) -> None:
    """One form of the submit, for another program to read."""
    out = session.out
    for step in explanation.steps[:1]:
        out.line(step.curl if form == "curl" else step.http)
    for note in explanation.notes:
        out.note(note)


def _all(session: Session, explanation: "Explanation") -> None:
    out = session.out
    cost = explanation.cost
    price = f", about ${cost.usd:.4g}" if cost is not None else ""
    out.line(f"# {explanation.generator}{price}. Nothing is sent.")
    for note in explanation.notes:
        out.line(f"# {note}")
    for step in explanation.steps[:1]:
        out.line(f"\n{step.http}")
        if step.curl:
            out.line(f"\n# The same as a command:\n\n{step.curl}")
    for step in explanation.steps[1:]:
        out.line(f"\n# {_WHEN[step.name]}\n\n{step.http}")


_WHEN = {
    "poll": "Then, until it ends:",
    "stream": "Then, to be told how it goes:",
    "result": "When it has succeeded:",
    "cancel": "If it is canceled:",
}
