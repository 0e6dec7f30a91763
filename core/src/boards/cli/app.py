"""The group of all commands. A command's module is imported when the command is called.

``boards --help`` imports none of them: names and one-line helps stand in a table here.
"""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from boards.cli.exits import Exit
from boards.cli.session import Session, global_options

__all__ = ["COMMANDS", "BoardsGroup", "boards", "main"]

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "generate": ("boards.cli.generate:generate", "Generate, and wait for the result."),
    "run": ("boards.cli.pipelines:run", "Run a pipeline, and wait for its result."),
    "generators": ("boards.cli.catalog:generators", "List what there is to generate with."),
    "search": ("boards.cli.catalog:search", "Search generators by words, the best first."),
    "show": ("boards.cli.catalog:show", "Show a generator and its inputs."),
    "providers": ("boards.cli.catalog:providers", "List providers, and how to set them up."),
    "plugins": ("boards.cli.plugins:plugins", "List plugins, and what is wrong with them."),
    "generations": ("boards.cli.generations:generations", "List generations, newest first."),
    "runs": ("boards.cli.pipelines:runs", "List runs of pipelines, newest first; or show one."),
    "status": ("boards.cli.generations:status", "Show a generation."),
    "lineage": ("boards.cli.lineage:lineage", "Show what was made from what."),
    "wait": ("boards.cli.generate:wait", "Wait for a generation, and show its result."),
    "cancel": ("boards.cli.generations:cancel", "Cancel a generation, here and at the provider."),
    "events": ("boards.cli.generations:events", "Show what happened to a generation."),
    "costs": ("boards.cli.costs:costs", "Show what was spent, and what is left of budgets."),
    "resolve": ("boards.cli.generations:resolve", "Decide a generation whose submit was lost."),
    "work": ("boards.cli.work:work", "Drive generations until told to stop."),
    "gc": ("boards.cli.gc:gc", "Delete files that no generation mentions."),
    "check": ("boards.cli.check:check", "Check files of the generator language."),
    "export": ("boards.cli.export:export", "Write a generator as YAML or as Python."),
    "import": ("boards.cli.imports:import_", "Write the spec of any model from its document."),
    "new-plugin": ("boards.cli.new_plugin:new_plugin", "Make a plugin, with tests that pass."),
    "schema": ("boards.cli.schema:schema", "Print the JSON Schema of the language, for editors."),
    "test": ("boards.cli.fixtures:test", "Run the tests inside specifications, offline."),
    "conformance": (
        "boards.cli.conformance:conformance",
        "Try whether a plugin keeps the promises that Boards relies on.",
    ),
    "explain": ("boards.cli.explain:explain", "Show what would be sent; nothing is sent."),
    "stubs": ("boards.cli.typegen:stubs", "Write stubs for Python: inputs that type-check."),
    "types": ("boards.cli.typegen:types", "Write the types of inputs for TypeScript."),
    "demo": ("boards.cli.demo:demo", "Generate with every emulated provider: no key, no cost."),
    "emulate": ("boards.cli.emulate:emulate", "Serve a provider's API on this machine."),
    "completion": ("boards.cli.completion:completion", "Print the completion script of a shell."),
}
"""Each command: where it is, and what it does."""

_ALIASES: Final = {"list": "generations"}
_PLUGIN_GROUP: Final = "boards.commands"


class BoardsGroup(click.Group):
    """Commands by name: ours, then those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours alone: naming a plugin's would mean a look at everything that is installed."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        name = _ALIASES.get(cmd_name, cmd_name)
        if name in COMMANDS:
            module, _, attribute = COMMANDS[name][0].partition(":")
            found: click.Command = getattr(importlib.import_module(module), attribute)
            return found
        return _plugin_command(ctx.ensure_object(Session), cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches  # noqa: PLC0415  # only for mistakes

        known = [*COMMANDS, *_ALIASES, *_plugin_commands(ctx.ensure_object(Session))]
        near = get_close_matches(name, known)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise click.UsageError(f"There is no command {name!r}.{meant}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command, and tell every error in our way; then exit, unless told not to."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(given, prog_name, complete_var, standalone_mode=False, **extra)
        except (KeyboardInterrupt, click.Abort):
            code = Exit.INTERRUPTED
        except BrokenPipeError:
            # Who read our output has left, `head` for example; Python must not try once more.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = Exit.FAILED
        except Exception as error:
            from boards.cli.failures import tell  # noqa: PLC0415  # only for errors
            from boards.cli.output import Output  # noqa: PLC0415

            try:
                code = tell(error, Output(json="--json" in given))
            except OSError:  # stdout takes nothing: its disk is full
                code = tell(error, Output(json=False))
        code = code if isinstance(code, int) else Exit.OK
        if standalone_mode:
            sys.exit(int(code))
        return int(code)


def _plugin_commands(session: Session) -> dict[str, Any]:
    """The entry points of plugins' commands; the first distribution that has a name has it."""
    from boards.errors import BoardsError  # noqa: PLC0415

    try:
        entry_points = session.boards(drive=False).registry.hooks.entry_points(_PLUGIN_GROUP)
    except BoardsError:
        return {}
    return {one.name: one for one in reversed(entry_points)}


def _plugin_command(session: Session, name: str) -> click.Command | None:
    entry_point = _plugin_commands(session).get(name)
    if entry_point is None:
        return None
    from boards.cli.plugins.loading import load_command  # noqa: PLC0415

    return load_command(entry_point)


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version  # noqa: PLC0415  # slow to import

        click.echo(f"boards {version('boards-core')}")
        context.exit()


@click.group(
    cls=BoardsGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Plugins may bring further commands: boards plugins lists them. "
    "Exit codes: 0 success, 1 it failed, 2 usage or input, 3 setup of this machine, "
    "4 unresolved, 130 interrupted.",
)
@global_options
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version,
    help="Print the version.",
)  # fmt: skip
@click.pass_context
def boards(context: click.Context) -> None:
    """Generate images, video, audio and text with any installed provider."""
    context.ensure_object(Session)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run ``boards`` with the arguments of this process."""
    if "_BOARDS_COMPLETE" in os.environ:
        importlib.import_module("boards.cli.completion")  # knows bash better than click does
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What its encoding lacks is escaped, as on stderr: a result was paid for, and is told.
        sys.stdout.reconfigure(errors="backslashreplace")
    boards.main(prog_name="boards")
