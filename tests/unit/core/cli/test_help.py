"""Help is quick and whole."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import attrs
import click
import pytest

from boards.cli.app import COMMANDS, boards
from boards.cli.emulate import KNOBS
from boards.testing.emulators.server import Knobs

HEAVY = ("asyncio", "aiohttp", "aiosqlite", "jsonschema_rs", "pluggy", "rich", "yaml",
         "boards.registry", "boards.engine", "boards.cli.generate")  # fmt: skip


def test_help_imports_nothing_that_it_does_not_need() -> None:
    """A press of TAB and a look at the help must not wait for HTTP and YAML."""
    script = (
        "import json, sys\nfrom boards.cli.app import boards\n"
        "boards.main(['--help'], prog_name='boards', standalone_mode=False)\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert "generate" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name: str) -> None:
    """Under its own name, with a help of its own."""
    where, told = COMMANDS[name]
    module, _, attribute = where.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help
    assert told.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_json(name: str, cli: Callable[..., Any]) -> None:
    """And tells so."""
    ran = cli(name, "--help")
    assert ran.code == 0
    assert "--json" in ran.out


def test_every_knob_of_the_emulators_is_an_option() -> None:
    """``strict`` is the global one."""
    assert {*KNOBS, "strict"} == {one.name for one in attrs.fields(Knobs)}


def test_without_a_command_help_is_shown(cli: Callable[..., Any]) -> None:
    """As with ``--help``."""
    assert cli().out == cli("--help").out


def test_a_slip_of_a_command_is_guessed(cli: Callable[..., Any]) -> None:
    """With exit code 2, that of every wrong argument."""
    ran = cli("generat")
    assert ran.code == 2
    assert "There is no command 'generat'. Did you mean generate or" in ran.err


def test_a_usage_error_is_json_where_json_is_wanted(cli: Callable[..., Any]) -> None:
    """On stdout, and nothing else."""
    ran = cli("show", "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["error"]["kind"] == "usage"
    assert ran.err == ""


def test_the_version_is_told(cli: Callable[..., Any]) -> None:
    """By ``--version``."""
    assert cli("--version").out.startswith("boards ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_completion_script(shell: str, cli: Callable[..., Any]) -> None:
    """That calls ``boards`` back."""
    ran = cli("completion", shell)
    assert ran.code == 0
    assert "_BOARDS_COMPLETE" in ran.out
    shown = json.loads(cli("completion", shell, "--json").out)
    assert shown == {"shell": shell, "script": ran.out.removesuffix("\n")}


def completions(*words: str) -> list[str]:
    """What the shell would offer for the last word."""
    from click.shell_completion import ShellComplete

    complete = ShellComplete(boards, {}, "boards", "_BOARDS_COMPLETE")
    return [one.value for one in complete.get_completions(list(words[:-1]), words[-1])]


def test_generators_and_their_inputs_are_completed(cli: Callable[..., Any]) -> None:
    """Inputs end in ``=``; those that are given are not offered again; enums have values."""
    assert completions("generate", "flux-d") == ["flux-dev"]
    assert completions("generate", "fal/flux-d") == ["fal/flux-dev"]
    assert completions("generate", "flux-dev", "pro") == ["prompt="]
    assert completions("generate", "flux-dev", "prompt=x", "pro") == []
    assert completions("generate", "flux-dev", "output_format=p") == ["output_format=png"]
    assert completions("generate", "no-such-generator", "p") == []
