"""``boards schema``: the JSON Schema of the language, for editors; of pipelines, and of events."""

import click

from boards.cli.session import Session, command

__all__ = ["schema"]


@command()
@click.option("--events", is_flag=True, help="That of an event, as `boards events --json` has it.")
@click.option("--pipeline", is_flag=True, help="That of a pipeline.")
def schema(session: Session, events: bool, pipeline: bool) -> None:
    """Print the JSON Schema of the generator language.

    An editor with a YAML language server completes keys with it, and marks mistakes.
    """
    if events:
        from boards.events import schema as event_schema  # noqa: PLC0415  # not for --help

        session.out.value(event_schema())
        return
    if pipeline:
        from boards.pipelines.model import PipelineSpec  # noqa: PLC0415  # not for --help
        from boards.spec.schema import document_schema  # noqa: PLC0415

        session.out.value(document_schema("A pipeline of Boards", "pipeline", PipelineSpec))
        return
    from boards.spec.schema import language_schema  # noqa: PLC0415  # not for --help

    session.out.value(language_schema())
