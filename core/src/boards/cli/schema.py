"""``boards schema``: the JSON Schema of the generator language, for editors."""

from boards.cli.session import Session, command

__all__ = ["schema"]


@command()
def schema(session: Session) -> None:
    """Print the JSON Schema of the generator language.

    An editor with a YAML language server completes keys with it, and marks mistakes.
    """
    from boards.spec.schema import language_schema  # noqa: PLC0415  # not for --help

    session.out.value(language_schema())
