"""Plugins that are switched off for good: a text file in the home, beside the settings."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from boards.errors import SettingsError
from boards.settings import load
from boards.switches import read_switches, switch_off, switch_on, switches_path


def disabled(home: Path, **more: str) -> tuple[str, ...]:
    return load(home=home, environment=more).plugins_disabled


def test_without_the_file_nothing_is_off(tmp_path: Path) -> None:
    """And nothing is made by asking."""
    assert disabled(tmp_path / "home") == ()
    assert not (tmp_path / "home").exists()


def test_off_and_on_again(tmp_path: Path) -> None:
    """By canonical name; each is there once."""
    switch_off(tmp_path, ["boards-fal", "boards-s3"])
    switch_off(tmp_path, ["Boards_Fal", "boards-x"])
    assert read_switches(tmp_path) == ("boards-fal", "boards-s3", "boards-x")
    switch_on(tmp_path, ["BOARDS.FAL", "boards-unknown"])
    assert disabled(tmp_path) == ("boards-s3", "boards-x")


def test_what_a_person_wrote_stays(tmp_path: Path) -> None:
    """Comments and empty lines, and what stands behind a name."""
    path = switches_path(tmp_path)
    path.write_text("# ours\n\nboards-fal  # too dear\nboards-s3\n")
    switch_on(tmp_path, ["boards-fal"])
    switch_off(tmp_path, ["boards-x"])
    assert path.read_text() == "# ours\n\nboards-s3\nboards-x\n"


def test_both_the_file_and_the_setting_count(tmp_path: Path) -> None:
    """Neither takes back what the other leaves out."""
    switch_off(tmp_path, ["boards-fal"])
    assert disabled(tmp_path, BOARDS_PLUGINS_DISABLED="boards-s3") == ("boards-s3", "boards-fal")
    assert load(home=tmp_path, environment={}, plugins_disabled=()).plugins_disabled == (
        "boards-fal",
    )


@pytest.mark.parametrize("content", [b"boards fal\n", b"--boards\n", b"\xff\n"])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    """With its path, and the line where it is one."""
    switches_path(tmp_path).write_bytes(content)
    with pytest.raises(SettingsError, match=r"plugins-disabled\.txt") as caught:
        disabled(tmp_path)
    assert "Mend the" in caught.value.remedy


def test_of_two_at_once_none_is_lost(tmp_path: Path) -> None:
    """Each process reads the file, changes a line and writes all of it: one after the other."""
    code = (
        "import sys; from pathlib import Path; from boards.switches import switch_off, switch_on\n"
        "for number in range(40):\n"
        "    switch_off(Path(sys.argv[1]), [f'{sys.argv[2]}-{number}'])\n"
        "    if number % 2: switch_on(Path(sys.argv[1]), [f'{sys.argv[2]}-{number}'])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen([*command, name]) for name in ("a", "b", "c")]
    assert [process.wait() for process in processes] == [0, 0, 0]
    even = {f"{name}-{number}" for name in "abc" for number in range(0, 40, 2)}
    assert set(read_switches(tmp_path)) == even


def test_a_crash_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is replaced as a whole, and nothing else is left behind."""
    switch_off(tmp_path, ["boards-fal"])

    def refuse(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("os.replace", refuse)
    for change in (switch_off, switch_on):
        with pytest.raises(OSError, match="gone"):
            _call(change, tmp_path, ["boards-s3" if change is switch_off else "boards-fal"])
    assert read_switches(tmp_path) == ("boards-fal",)
    assert [one.name for one in tmp_path.iterdir()] == ["plugins-disabled.txt"]


def _call(change: Callable[[Path, list[str]], None], home: Path, names: list[str]) -> None:
    change(home, names)
