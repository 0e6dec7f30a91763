"""``boards plugins``: list them, look what is wrong, install and remove, switch on and off."""

import click

from boards.cli.plugins.changing import install, uninstall
from boards.cli.plugins.doctoring import doctor
from boards.cli.plugins.listing import list_plugins
from boards.cli.plugins.switching import disable, enable
from boards.cli.session import Session, alone_on_stdout, global_options

__all__ = ["plugins"]


@click.group(invoke_without_command=True)
@global_options
@click.pass_context
def plugins(context: click.Context) -> None:
    """List plugins: what they offer, or what is wrong with them and how to mend it."""
    if context.invoked_subcommand is None:
        alone_on_stdout(list_plugins)(context.ensure_object(Session))


for _one in (doctor, install, uninstall, enable, disable):
    plugins.add_command(_one)
