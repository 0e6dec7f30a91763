"""``boards stubs`` and ``boards types``: what they write, keep and refuse."""

import errno
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

Cli = Callable[..., Any]

FILES = ["__init__.pyi", "generator_inputs.pyi", "sync.pyi"]


def test_stubs_are_written_where_checkers_look(cli: Cli, tmp_path: Path) -> None:
    """In ``typings``, and nothing else."""
    ran = cli("stubs")
    assert ran.code == 0
    assert ran.out == "".join(f"typings/boards/{name}: written\n" for name in FILES)
    files = sorted((tmp_path / "typings").rglob("*.*"))
    assert [one.name for one in files] == FILES
    assert all(stat.S_IMODE(one.stat().st_mode) & 0o444 == 0o444 for one in files)


def test_what_is_up_to_date_is_not_written_again(cli: Cli, tmp_path: Path) -> None:
    """So that nothing is built for nothing."""
    cli("stubs")
    file = tmp_path / "typings/boards/sync.pyi"
    before = file.stat().st_mtime_ns, file.stat().st_ino
    ran = cli("stubs")
    assert ran.out == "".join(f"typings/boards/{name}: as it should be\n" for name in FILES)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_where_nothing_can_be_written_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, of this machine, and not the 1 of files that are out of date."""
    full = mock.Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr("boards.cli.typegen.replace_text", full)
    for arguments in (["stubs"], ["types", "--typescript", "--output", "types.ts"]):
        ran = cli(*arguments)
        assert ran.code == 3
        assert "cannot be written: No space left on device." in ran.err


def test_check_tells_what_is_out_of_date_and_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    """Exit code 1, for CI."""
    assert cli("stubs", "--check").code == 1
    assert not (tmp_path / "typings").exists()
    cli("stubs")
    assert cli("stubs", "--check").code == 0
    ran = cli("stubs", "--check", "--json", "fal/flux-dev")
    assert ran.code == 1
    assert json.loads(ran.out) == [
        {"file": f"typings/boards/{name}", "changed": True} for name in FILES
    ]


def test_stubs_of_some_generators(cli: Cli, tmp_path: Path) -> None:
    """A short name means all generators of that name."""
    cli("stubs", "--output", "here", "fal/flux-dev")
    text = (tmp_path / "here/boards/generator_inputs.pyi").read_text()
    assert "class FalFluxDev(TypedDict)" in text
    assert "class ReplicateFluxDev(TypedDict)" not in text
    cli("stubs", "--output", "here", "flux-dev")
    assert "class ReplicateFluxDev(" in (tmp_path / "here/boards/generator_inputs.pyi").read_text()


def test_a_name_that_nothing_has_is_told(cli: Cli) -> None:
    """Exit code 2, with what was meant."""
    ran = cli("stubs", "fal/flux-dex")
    assert ran.code == 2
    assert "fal/flux-dev" in ran.err


def test_files_of_others_stay(cli: Cli, tmp_path: Path) -> None:
    """Nothing is written over that this command did not make."""
    (tmp_path / "mine.ts").write_text("export {};\n")
    ran = cli("types", "--typescript", "--output", "mine.ts")
    assert ran.code == 2
    assert "mine.ts was not made by this command" in ran.err
    assert (tmp_path / "mine.ts").read_text() == "export {};\n"
    (tmp_path / "typings/boards").mkdir(parents=True)
    (tmp_path / "typings/boards/sync.pyi").write_bytes(b"\xff")
    assert cli("stubs").code == 2
    assert [one.name for one in (tmp_path / "typings/boards").iterdir()] == ["sync.pyi"]


def test_a_directory_that_cannot_be_made_is_told(cli: Cli, tmp_path: Path) -> None:
    """Exit code 1; nothing temporary stays."""
    (tmp_path / "file").write_text("")
    ran = cli("types", "--typescript", "--output", "file/types.ts")
    assert (ran.code, "file/types.ts cannot be" in ran.err) == (2, True)


def test_typescript_goes_to_standard_output(cli: Cli, tmp_path: Path) -> None:
    """Or to a file, the same text."""
    shown = cli("types", "--typescript", "fal/flux-dev").out
    assert "export interface FalFluxDevInput {" in shown
    assert json.loads(cli("types", "--typescript", "--json", "fal/flux-dev").out) == {
        "typescript": shown
    }
    cli("types", "--typescript", "--output", "web/generators.ts", "fal/flux-dev")
    assert (tmp_path / "web/generators.ts").read_text() == shown
    ran = cli("types", "--typescript", "--output", "web/generators.ts", "--check", "fal/flux-dev")
    assert ran.code == 0


def test_types_needs_a_language_and_check_needs_a_file(cli: Cli) -> None:
    """Exit code 2."""
    assert "--typescript" in cli("types").err
    ran = cli("types", "--typescript", "--check")
    assert (ran.code, "--output FILE" in ran.err) == (2, True)


def test_a_generator_that_cannot_be_read_is_left_out(cli: Cli, tmp_path: Path, site: Any) -> None:
    """And that is told; the others are typed."""
    documents = {"p.yaml": site.provider("alpha"), "g.yaml": site.generators("alpha", "flux")}
    site.specs("boards-alpha", "boards_alpha", documents)
    del documents["p.yaml"]
    site.specs("boards-rival", "boards_rival", documents)
    ran = cli("stubs")
    assert (ran.code, "left out: alpha/flux: " in ran.err) == (0, True)
    text = (tmp_path / "typings/boards/sync.pyi").read_text()
    assert ("fal/flux-dev" in text, "alpha/flux" in text) == (True, False)


def test_mistakes_in_files_are_told(cli: Cli, tmp_path: Path) -> None:
    """What they hide has no types, and a program that uses it does not pass."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/generators.yaml").write_text("generators:\n  - name: broken\n")
    ran = cli("stubs")
    assert (ran.code, "generators.yaml:2:5: " in ran.err) == (0, True)
    assert "broken" not in (tmp_path / "typings/boards/sync.pyi").read_text()
