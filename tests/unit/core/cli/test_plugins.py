"""``boards plugins``: the list as ever, and what manages plugins beside it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def statuses(cli: Cli) -> dict[str, str]:
    return {one["distribution"]: one["status"] for one in json.loads(cli("plugins", "--json").out)}


def test_the_bare_command_lists(cli: Cli) -> None:
    """As a table, and as JSON with the keys that it always had."""
    ran = cli("plugins")
    assert ran.code == 0
    assert ran.out.startswith("PLUGIN ")
    (first, *_) = json.loads(cli("plugins", "--json").out)
    assert list(first) == [
        "name", "distribution", "version", "kind", "source", "status", "offers", "error", "remedy",
    ]  # fmt: skip
    assert cli("--json", "plugins").out == cli("plugins", "--json").out


def test_disabled_until_enabled(cli: Cli, tmp_path: Path) -> None:
    """Kept in the home, by short name or whole."""
    ran = cli("plugins", "disable", "fal")
    assert (ran.code, ran.out) == (0, "boards-fal is disabled.\n")
    assert statuses(cli)["boards-fal"] == "disabled"
    assert not [one for one in json.loads(cli("generators", "--json").out) if "fal/" in one["id"]]
    assert (tmp_path / "home" / "plugins-disabled.txt").read_text().splitlines()[1:] == [
        "boards-fal"
    ]
    again = cli("plugins", "disable", "boards-fal", "--json")
    assert json.loads(again.out)["plugins"] == [{"distribution": "boards-fal", "enabled": False}]
    ran = cli("plugins", "enable", "boards-fal")
    assert (ran.code, ran.out) == (0, "boards-fal is enabled.\n")
    assert statuses(cli)["boards-fal"] == "ok"


def test_what_a_setting_leaves_out_stays_out(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is told, with exit code 1."""
    cli("plugins", "disable", "fal")
    monkeypatch.setenv("BOARDS_PLUGINS_DISABLED", "boards-fal")
    ran = cli("plugins", "enable", "fal")
    assert (ran.code, ran.out) == (1, "boards-fal is disabled.\n")
    assert ran.err == "BOARDS_PLUGINS_DISABLED leaves it out: change that, too.\n"
    monkeypatch.setenv("BOARDS_PLUGINS_DISABLED", "")
    monkeypatch.setenv("BOARDS_PLUGINS", "boards-replicate")
    assert cli("plugins", "enable", "fal").err.startswith("BOARDS_PLUGINS leaves it out")


@pytest.mark.parametrize("verb", ["enable", "disable", "uninstall"])
def test_a_plugin_that_is_not_there(cli: Cli, verb: str) -> None:
    """A slip is exit code 2, and changes nothing."""
    ran = cli("plugins", verb, "fall")
    assert ran.code == 2
    assert "boards-fall" in ran.err


def test_a_slip_is_guessed(cli: Cli) -> None:
    """Among what is installed."""
    assert "Did you mean boards-fal" in cli("plugins", "disable", "fall").err


def test_one_that_is_gone_can_be_enabled(cli: Cli, tmp_path: Path) -> None:
    """So that the file can be tidied."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "plugins-disabled.txt").write_text("boards-gone\n")
    assert cli("plugins", "enable", "gone").code == 0
    assert (home / "plugins-disabled.txt").read_text() == ""


def test_a_plugin_that_ends_the_process_can_be_switched(site: Any, cli: Cli) -> None:
    """Neither imports it."""
    site.hooks("boards-bad", "bad_hooks", "import os; os._exit(7)")
    assert cli("plugins", "disable", "bad").code == 0
    assert statuses(cli)["boards-bad"] == "disabled"
    assert cli("plugins", "uninstall", "bad", "--dry-run").code in (0, 3)


@pytest.mark.parametrize(
    "words", [("plugins",), ("generators",), ("providers",), ("plugins", "doctor", "boards-loud")]
)
def test_what_a_plugin_prints_is_no_result(site: Any, cli: Cli, words: tuple[str, ...]) -> None:
    """A library greets on stdout when it is imported; ``--json`` is one value all the same."""
    code = "print('welcome')\n@hookimpl\ndef boards_generators():\n    print('none')\n    return []"
    site.hooks("boards-loud", "loud_hooks", code)
    ran = cli(*words, "--json")
    assert json.loads(ran.out)
    assert "welcome\n" in ran.err


def test_the_doctor_tells_keys_and_is_content(cli: Cli) -> None:
    """Exit code 0: a key that is missing is nothing wrong."""
    ran = cli("plugins", "doctor")
    assert ran.code == 0
    assert "export FAL_KEY=... # " in ran.out
    assert ran.out.endswith("Nothing is wrong.\n")
    report = json.loads(cli("plugins", "doctor", "fal", "--json").out)
    assert report["ok"]
    assert [one["distribution"] for one in report["plugins"]] == ["boards-fal"]
    assert {tuple(one) for one in report["findings"]} == {
        ("check", "severity", "what", "where", "remedy", "distributions")
    }


def test_the_doctor_tells_what_is_wrong(site: Any, cli: Cli) -> None:
    """Exit code 1, the worst first, each with its remedy on the next line."""
    site.hooks("boards-bad", "bad_hooks", "1 / 0")
    ran = cli("plugins", "doctor")
    assert ran.code == 1
    lines = ran.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("error: "))
    assert lines[at].startswith("error: boards-bad 1.0: bad_hooks: importing bad_hooks failed")
    assert "pip install --upgrade boards-bad" in lines[at + 1]
    assert lines[-1] == "1 to mend."
    assert cli("--strict", "plugins", "doctor").out == ran.out


def test_names_are_completed(cli: Cli) -> None:
    """By the whole name or the short one."""
    from click.shell_completion import ShellComplete

    from boards.cli.app import boards

    complete = ShellComplete(boards, {}, "boards", "_BOARDS_COMPLETE")
    for typed in ("fa", "boards-f"):
        found = complete.get_completions(["plugins", "disable"], typed)
        assert [one.value for one in found] == ["boards-fal"]
    assert "doctor" in {one.value for one in complete.get_completions(["plugins"], "d")}


def test_a_command_that_there_is_not(cli: Cli) -> None:
    """With exit code 2."""
    assert cli("plugins", "doktor").code == 2


@pytest.mark.parametrize("name", ["core", "boards-core"])
def test_the_core_is_not_removed(cli: Cli, name: str) -> None:
    """That is for whoever installed it."""
    assert cli("plugins", "uninstall", name).code == 2
    assert cli("plugins", "install", name).code == 2


def test_what_is_no_plugin_is_not_removed(cli: Cli) -> None:
    """Boards needs some of it."""
    ran = cli("plugins", "uninstall", "--exact", "attrs")
    assert ran.code == 2
    assert "attrs is no plugin of Boards" in ran.err
