"""``boards completion``: the script that teaches a shell to complete ``boards``."""

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
)

from boards.cli.session import Session, command

__all__ = ["completion"]


class _Bash(BashComplete):
    """Bash without a space after ``key=``, where the value follows."""

    source_template = BashComplete.source_template.replace("-o nosort", "-o nosort -o nospace")

    def format_completion(self, item: CompletionItem) -> str:
        space = "" if str(item.value).endswith("=") or item.type != "plain" else " "
        return f"{super().format_completion(item)}{space}"


add_completion_class(_Bash)


_HELP = """Print the completion script of a shell.

\b
bash:  boards completion bash > ~/.local/share/bash-completion/completions/boards
zsh:   boards completion zsh > "${fpath[1]}/_boards"
fish:  boards completion fish > ~/.config/fish/completions/boards.fish
"""  # click keeps the lines of a paragraph that begins with \\b


@command(help=_HELP)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(session: Session, shell: str) -> None:
    """Print the completion script of a shell."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  # the choice has only shells that click knows
    from boards.cli.app import boards  # noqa: PLC0415  # the group imports its commands, not they it

    script = found(boards, {}, "boards", "_BOARDS_COMPLETE").source()
    if session.out.json:
        session.out.value({"shell": shell, "script": script})
    else:
        session.out.line(script)
