"""What is installed for what was typed, and with what."""

import os
import sys
from pathlib import Path

import pytest

from boards import installing
from boards.errors import InvalidInputError, PluginError
from boards.installing import (
    Installer,
    distribution_of,
    find_installer,
    name_of,
    requirement_of,
    run_shown,
)


@pytest.mark.parametrize(
    ("typed", "meant", "name"),
    [
        ("fal", "boards-fal", "boards-fal"),
        ("boards-fal", "boards-fal", "boards-fal"),
        ("Boards_Fal", "Boards_Fal", "boards-fal"),
        ("fal>=0.2,<0.3", "boards-fal>=0.2,<0.3", "boards-fal"),
        ("s3[minio] ==1.0", "boards-s3[minio]==1.0", "boards-s3"),
        ("./dist/boards_acme-1.0-py3-none-any.whl",) * 2 + ("boards-acme",),
        ("boards_acme-1.0-py3-none-any.whl",) * 2 + ("boards-acme",),
        ("../acme", "../acme", ""),
        (".", ".", ""),
        ("git+https://git.example.com/acme", "git+https://git.example.com/acme", ""),
        ("acme @ https://example.com/a.tar.gz",) * 2 + ("acme",),
    ],
)
def test_what_was_typed(typed: str, meant: str, name: str) -> None:
    """Names of one word get our prefix; whatever says where it lies is taken as it is."""
    assert requirement_of(typed) == meant
    assert name_of(meant) == name


def test_an_exact_name_gets_no_prefix() -> None:
    """For a plugin that is called otherwise."""
    assert requirement_of("acme-media", exact=True) == "acme-media"


@pytest.mark.parametrize(
    "typed",
    ["", "-r", "--index-url=x", "-e./acme", "a b", "fal;os", "boards", "core", "boards-core"],
)
def test_what_is_no_plugin(typed: str) -> None:
    """Nothing that an installer would take for an option, and not the core."""
    with pytest.raises(InvalidInputError) as caught:
        requirement_of(typed)
    assert caught.value.remedy


def test_a_known_distribution_counts_by_its_own_name() -> None:
    """Before one with our prefix."""
    known = ["acme", "boards_s3", "boards-acme"]
    assert distribution_of("acme", known) == "acme"
    assert distribution_of("S3", known) == "boards_s3"
    assert distribution_of("fal", known) == "boards-fal"


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without pip, in a home without uv."""
    monkeypatch.setattr(installing, "find_spec", lambda _: None)
    monkeypatch.setattr("sysconfig.get_path", lambda *_: "/nowhere")
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("UV", raising=False)


def test_pip_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of this interpreter."""
    monkeypatch.setattr(installing, "find_spec", lambda _: object())
    assert find_installer() == Installer("pip", (sys.executable, "-m", "pip"), sys.executable)


@pytest.mark.usefixtures("no_pip")
def test_uv_where_there_is_no_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the path, or the one that runs this."""
    uv = tmp_path / "uv"
    uv.touch(mode=0o755)
    wanted = Installer("uv", (str(uv), "pip"), sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_installer() == wanted
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("UV", str(uv))
    assert find_installer() == wanted
    assert wanted.uninstall(["boards-fal"])[1:] == [
        "pip", "uninstall", "--python", sys.executable, "boards-fal",
    ]  # fmt: skip


@pytest.mark.usefixtures("no_pip")
def test_with_neither(tmp_path: Path) -> None:
    """The remedy is Python's own."""
    with pytest.raises(PluginError, match="no pip, and there is no uv") as caught:
        find_installer()
    assert caught.value.remedy.endswith("-m ensurepip")


def test_a_python_of_the_operating_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of an environment, where the system forbids it: make one."""
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    with pytest.raises(PluginError, match="operating system") as caught:
        find_installer()
    assert "-m venv boards-env && boards-env/bin/pip install boards-core" in caught.value.remedy


def test_a_command_is_shown_line_by_line() -> None:
    """Both streams, with whatever bytes."""
    shown: list[str] = []
    script = "import sys, os; print('one', flush=True); os.write(2, b'tw\\xff\\n'); sys.exit(7)"
    assert run_shown([sys.executable, "-c", script], shown.append) == 7
    assert shown == ["one", "tw\N{REPLACEMENT CHARACTER}"]
    assert "PYTHONIOENCODING" not in os.environ
