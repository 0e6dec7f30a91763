"""Plugins installed and removed with whatever runs this environment: pip, or uv.

Nothing here imports a plugin, so that one that is broken can be replaced or removed.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from attrs import frozen

from boards.discovery import canonical
from boards.errors import InvalidInputError, PluginError

__all__ = [
    "Installer",
    "distribution_of",
    "environment_note",
    "find_installer",
    "installed_versions",
    "name_of",
    "requirement_of",
    "run_shown",
]

_REQUIREMENT: Final = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(\[[A-Za-z0-9 ,._-]*\])?\s*([<>=!~][^;@]*)?"
)
_CORE: Final = "boards-core"
_OURS: Final = frozenset({"boards", _CORE})


@frozen
class Installer:
    """What installs into this environment.

    Attributes:
        name: ``pip`` or ``uv``.
        command: The words before ``install`` and ``uninstall``.
        python: The interpreter of the environment.
    """

    name: Literal["pip", "uv"]
    command: tuple[str, ...]
    python: str

    def install(
        self,
        requirements: Iterable[str],
        *,
        upgrade: bool = False,
        find_links: str | None = None,
        no_index: bool = False,
    ) -> list[str]:
        """The command that installs plugins; boards-core stays at the version that runs.

        Args:
            requirements: As :func:`requirement_of` makes them.
            upgrade: Take the newest versions of them.
            find_links: A directory or page with wheels, looked at too.
            no_index: Look nowhere else.
        """
        options = ["--upgrade"] * upgrade
        options += ["--find-links", find_links] if find_links else []
        options += ["--no-index"] * no_index
        return [*self._words("install"), *options, *requirements, _core_as_it_is()]

    def uninstall(self, distributions: Iterable[str]) -> list[str]:
        """The command that removes plugins; what they needed stays."""
        return [
            *self._words("uninstall"),
            *(["--yes"] if self.name == "pip" else []),
            *distributions,
        ]

    def upgrade_core(self) -> list[str]:
        """The command that upgrades boards-core."""
        return [*self._words("install"), "--upgrade", _CORE]

    def _words(self, verb: str) -> list[str]:
        if self.name == "uv":
            return [*self.command, verb, "--python", self.python]
        return [*self.command, verb, "--disable-pip-version-check", "--no-input"]


def _core_as_it_is() -> str:
    """A plugin that needs another core must not change the program that installs it."""
    return f"{_CORE}=={installed_versions()[_CORE]}"


def find_installer() -> Installer:
    """Tell what runs this environment: uv where an environment has no pip of its own.

    Raises:
        PluginError: The environment is managed by something else, or there is neither.
    """
    prefix = Path(sys.prefix)
    managed = _managed(prefix)
    if managed is not None:
        raise PluginError(managed[0], remedy=managed[1])
    if find_spec("pip") is not None:
        return Installer("pip", (sys.executable, "-m", "pip"), sys.executable)
    uv = _find_uv()
    if uv is not None:
        return Installer("uv", (uv, "pip"), sys.executable)
    raise PluginError(
        f"The environment {prefix} has no pip, and there is no uv on the path.",
        remedy=f"Give it pip: {shlex.quote(sys.executable)} -m ensurepip",
    )


def _managed(prefix: Path) -> tuple[str, str] | None:
    """Why plugins are not installed here by pip or uv, and what does it."""
    if (prefix / "pipx_metadata.json").is_file():
        return (
            f"Boards was installed by pipx, in {prefix}: plugins are added by pipx.",
            f"pipx inject {prefix.name} NAME... (boards-fal, say); pipx uninject removes them",
        )
    if (prefix / "uv-receipt.toml").is_file():
        return (
            f"Boards was installed by uv tool, in {prefix}: plugins are added by uv tool.",
            f"uv tool install {prefix.name} --with NAME --with ... (all that you want)",
        )
    standard = sysconfig.get_path("stdlib", sysconfig.get_default_scheme())
    if sys.prefix == sys.base_prefix and (Path(standard) / "EXTERNALLY-MANAGED").is_file():
        venv = f"{shlex.quote(sys.executable)} -m venv boards-env"
        return (
            f"The operating system manages the Python in {prefix}, and forbids pip to change it.",
            f"Make an environment: {venv} && boards-env/bin/pip install boards-core NAME...",
        )
    return None


def _find_uv() -> str | None:
    scripts = os.pathsep.join([sysconfig.get_path("scripts"), str(Path.home() / ".local" / "bin")])
    given = os.environ.get("UV")  # uv run says where uv is
    return (given and shutil.which(given)) or shutil.which("uv") or shutil.which("uv", path=scripts)


def environment_note() -> str:
    """What becomes of an installation in an environment that a uv project keeps; else empty."""
    project = Path(sys.prefix).parent
    if (project / "uv.lock").is_file() and (project / "pyproject.toml").is_file():
        return (
            f"{project} is a uv project: its next uv sync undoes this. "
            f"To keep it: uv add --project {shlex.quote(str(project))} NAME..."
        )
    return ""


def requirement_of(text: str, *, exact: bool = False) -> str:
    """What to install for what a person typed.

    ``fal`` is ``boards-fal``, and so is ``boards-fal``; extras and versions stay (``fal>=0.2``).
    Files, directories and addresses are taken as they are.

    Args:
        text: What was typed.
        exact: Take a name as it is.

    Raises:
        InvalidInputError: It is neither, or it is the core.
    """
    text = text.strip()
    if _is_place(text):
        return text
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        raise InvalidInputError(
            f"{text!r} is no plugin to install.",
            remedy="Name one (fal, boards-fal, 'fal>=0.2'), a wheel, a directory or an address.",
        )
    name, extras, versions = match[1], match[2] or "", (match[3] or "").strip()
    if not exact:
        name = distribution_of(name)
    if canonical(name) in _OURS:
        raise InvalidInputError(
            f"{name} is {'the core' if canonical(name) == _CORE else 'no plugin of Boards'}.",
            remedy=f"To upgrade the core: {shlex.quote(sys.executable)} -m pip install "
            f"--upgrade {_CORE}",
        )
    return f"{name}{extras}{versions}"


def name_of(requirement: str) -> str:
    """The canonical name in what :func:`requirement_of` gave; empty where only a build would tell.

    A wheel tells it in its file name.
    """
    match = _REQUIREMENT.fullmatch(requirement)
    if match and not _is_place(requirement):
        return canonical(match[1])
    name, at, _ = requirement.partition(" @ ")
    if at:
        return canonical(name.partition("[")[0].strip())
    file = requirement.rpartition("/")[2]
    return canonical(file.partition("-")[0]) if file.endswith(".whl") else ""


def _is_place(text: str) -> bool:
    if text.startswith("-"):
        return False
    return "://" in text or " @ " in text or text in (".", "..") or _is_path(text)


def _is_path(text: str) -> bool:
    return bool({"/", os.sep} & set(text)) or text.endswith((".whl", ".tar.gz", ".zip"))


def distribution_of(name: str, known: Iterable[str] = ()) -> str:
    """The distribution that a name stands for: itself if it is known, else ``boards-`` before it.

    Args:
        name: ``fal``, ``boards-fal`` or ``Boards_Fal``.
        known: Distributions that are looked among first, by their own names.
    """
    by_name = {canonical(one): one for one in known}
    plain = canonical(name)
    for wanted in (plain, f"boards-{plain}"):
        if wanted in by_name:
            return by_name[wanted]
    return name if plain in _OURS or plain.startswith("boards-") else f"boards-{name}"


def installed_versions() -> dict[str, str]:
    """Every installed distribution and its version, read anew."""
    from importlib import invalidate_caches  # noqa: PLC0415

    from importlib_metadata import MetadataPathFinder, distributions  # noqa: PLC0415 - slow

    invalidate_caches()
    MetadataPathFinder.invalidate_caches()
    found: dict[str, str] = {}
    for distribution in distributions():
        try:
            name, version = distribution.metadata["Name"], distribution.metadata["Version"]
        except Exception:  # noqa: S112 - whatever is wrong with it, it is not asked about
            continue
        if name:
            found.setdefault(canonical(name), version or "")
    return found


def run_shown(command: Sequence[str], show: Callable[[str], None]) -> int:
    """Run a command; each line that it writes is handed on as it comes. Returns its exit code."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(  # noqa: S603 - a list of words, shown before
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
    )
    with process as running:
        assert running.stdout is not None  # noqa: S101 - PIPE
        for line in running.stdout:
            show(line.rstrip())
    return process.returncode
