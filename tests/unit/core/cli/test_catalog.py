"""Generators, providers and plugins, as they are listed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_generators_are_found_by_provider_type_and_words(cli: Cli) -> None:
    """All three at once."""
    ran = cli("generators", "kling", "--provider", "fal", "--type", "video", "--json")
    found = json.loads(ran.out)
    assert [one["id"] for one in found] == ["fal/kling-v2.1-master"]
    assert found[0]["available"] is False
    assert ran.code == 0


def test_several_words_narrow_the_list_as_they_do_a_search(cli: Cli) -> None:
    """With quotes around them, or without."""
    lists = [cli("generators", *words).out for words in (["image", "kontext"], ["image kontext"])]
    assert lists[0] == lists[1] != cli("generators").out
    assert "fal/flux-kontext-pro" in lists[0]


def test_a_piped_list_has_a_line_for_each(cli: Cli) -> None:
    """Without colours."""
    lines = cli("generators", "--type", "text").out.splitlines()
    assert lines[0].split() == ["GENERATOR", "MAKES", "READY", "DESCRIPTION"]
    assert lines[1].split()[:3] == ["fal/whisper", "text", "no"]
    assert "\x1b" not in "".join(lines)


def test_no_match_says_so(cli: Cli) -> None:
    """And the list is empty."""
    ran = cli("generators", "no such thing")
    assert (ran.code, ran.out) == (0, "")
    assert "No generator matches" in ran.err
    assert "Install a plugin" not in ran.err
    assert "can be named, listed or not: boards generate replicate/MODEL\n" in ran.err
    ran = cli("generators", "flux-schnel-1", "--type", "video")
    assert "Did you mean fal/flux-schnell or replicate/flux-schnell" in ran.err


def test_where_nothing_is_installed_a_plugin_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else."""
    monkeypatch.setenv("BOARDS_PLUGINS", "boards-jwt")
    told = "Install a plugin, for example: pip install boards-replicate\n"
    assert cli("generators").err == f"There are no such generators.\n{told}"
    assert cli("search", "flux").err == f"No generator matches 'flux'.\n{told}"


def test_listing_makes_no_database(cli: Cli, tmp_path: Path) -> None:
    """Nor does any command that only looks."""
    for command in ("generators", "providers", "plugins", "generations"):
        assert cli(command).code == 0
    for command in ("status", "events", "wait", "cancel"):
        ran = cli(command, "01abc")
        assert ran.code == 2
        assert "nothing was generated" in ran.err
    assert not (tmp_path / "home" / "boards.db").exists()


def test_no_generations_is_an_empty_list(cli: Cli) -> None:
    """As JSON too."""
    assert json.loads(cli("--json", "generations").out) == []
    assert json.loads(cli("list", "--json").out) == []


def test_a_generator_is_shown_with_its_inputs(cli: Cli) -> None:
    """Type, default, range and description; ``*`` marks what is required."""
    lines = cli("show", "fal/flux-dev").out.splitlines()
    inputs = {line.split("  ")[0]: line for line in lines}
    assert "string" in inputs["prompt *"]
    assert "1 to 4" in inputs["num_outputs"]
    assert "jpeg, png" in inputs["output_format"]


def test_a_generator_is_shown_as_json(cli: Cli) -> None:
    """With the schema itself, and who else offers it."""
    shown = json.loads(cli("show", "flux-dev", "--json").out)
    assert shown["id"] == "replicate/flux-dev"
    assert shown["also"] == ["fal/flux-dev"]
    assert shown["input_schema"]["required"] == ["prompt"]
    assert {"name": "prompt", "required": True}.items() <= shown["inputs"][0].items()


def test_an_unknown_name_is_guessed(cli: Cli) -> None:
    """Of generators and of providers."""
    ran = cli("show", "flux-dv")
    assert ran.code == 2
    assert "Did you mean" in ran.err
    assert "flux-dev" in ran.err
    shown = json.loads(cli("providers", "replicat", "--json").out)
    assert shown["error"]["kind"] == "not_found"
    assert shown["error"]["suggestions"] == ["replicate"]


def test_a_provider_says_why_it_cannot_be_used(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to do about it."""
    assert "FAL_KEY is not set. Create a key at" in cli("providers").out
    monkeypatch.setenv("FAL_KEY", "a:b")
    listed = {one["name"]: one for one in json.loads(cli("providers", "--json").out)}
    fal, replicate = listed["fal"], listed["replicate"]
    assert (fal["available"], fal["reason"]) == (True, "")
    assert (replicate["available"], replicate["reason"]) == (
        False,
        "REPLICATE_API_TOKEN is not set",
    )


def test_asking_a_provider_that_is_not_set_up_is_a_failure_by_name(cli: Cli) -> None:
    """Exit code 3; without a name it is no failure of the others."""
    assert cli("providers", "fal", "--check").code == 3
    assert cli("providers", "--check").code == 0


def test_every_listing_works_beside_a_broken_plugin(cli: Cli, site: Any) -> None:
    """And ``plugins`` shows it with its error and remedy."""
    site.hooks("boards-broken", "boards_broken", "raise RuntimeError('boom')")
    assert cli("generators").code == 0
    ran = cli("plugins", "--json")
    broken = next(one for one in json.loads(ran.out) if one["distribution"] == "boards-broken")
    assert ran.code == 0
    assert broken["status"] == "broken"
    assert "boom" in broken["error"]
    assert broken["remedy"]
    assert cli("--strict", "generators").code == 3


COMMAND = """
import click

@click.command()
@click.pass_obj
def hello(session):
    '''Say hello.'''
    session.out.line('hello')
"""


def test_a_plugin_brings_a_command(cli: Cli, site: Any) -> None:
    """Found by its name when it is called."""
    site.distribution(
        "boards-hello",
        "[boards.commands]\nhello = boards_hello:hello\nbad = boards_hello:COMMAND\n",
        {"boards_hello.py": COMMAND},
    )
    assert cli("hello").out == "hello\n"
    assert "Did you mean hello" in cli("helo").err
    ran = cli("bad")
    assert ran.code == 3
    assert "bad of boards-hello 1.0 cannot be imported" in ran.err
    listed = {one["name"]: one["status"] for one in json.loads(cli("plugins", "--json").out)}
    assert (listed["hello"], listed["bad"]) == ("ok", "broken")


def test_what_a_plugin_prints_is_no_result(cli: Cli, site: Any) -> None:
    """When it is imported, say: it goes to stderr."""
    site.distribution(
        "boards-hello",
        "[boards.commands]\nhello = boards_hello:hello\n",
        {"boards_hello.py": f"print('loud')\n{COMMAND}"},
    )
    ran = cli("plugins", "--json")
    assert "hello" in {one["name"] for one in json.loads(ran.out)}
    assert ran.err == "loud\n"


def test_a_disabled_plugin_brings_none(
    cli: Cli, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for all that plugins offer."""
    site.distribution(
        "boards-hello",
        "[boards.commands]\nhello = boards_hello:hello\n",
        {"boards_hello.py": COMMAND},
    )
    monkeypatch.setenv("BOARDS_PLUGINS_DISABLED", "boards-hello")
    assert cli("hello").code == 2


def test_a_bad_setting_is_an_error_of_this_machine(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3, with the remedy and without a traceback."""
    monkeypatch.setenv("BOARDS_STRICT", "maybe")
    ran = cli("generators")
    assert ran.code == 3
    assert "BOARDS_STRICT is 'maybe'" in ran.err
    assert "Traceback" not in ran.err


def test_a_bug_is_told_without_a_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which ``BOARDS_DEBUG=1`` adds."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops\x1b[2J")

    monkeypatch.setattr("boards.cli.catalog._list", broken)
    ran = cli("generators")
    assert ran.code == 1
    assert "Unexpected ZeroDivisionError: oops [2J" in ran.err
    assert "Traceback" not in ran.err
    monkeypatch.setenv("BOARDS_DEBUG", "1")
    assert "Traceback" in cli("generators").err
