"""``boards schema``: the JSON Schema of the generator language, for editors; or of events."""

import click

from boards.cli.session import Session, command

__all__ = ["schema"]


@command()
@click.option("--events", is_flag=True, help="That of an event, as `boards events --json` has it.")
def schema(session: Session, events: bool) -> None:
    """Print the JSON Schema of the generator language.

    An editor with a YAML language server completes keys with it, and marks mistakes.
    """
    if events:
        from boards.events import schema as event_schema  # noqa: PLC0415  # not for --help

        session.out.value(event_schema())
        return
    from boards.spec.schema import language_schema  # noqa: PLC0415  # not for --help

    session.out.value(language_schema())
