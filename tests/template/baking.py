"""Plugins made of the template, each with a fresh environment of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

__all__ = ["COMBINATIONS", "WHEELS", "Baked", "Combination", "install", "make", "uv"]

WHEELS = "BOARDS_TEMPLATE_WHEELS"
"""The variable with the directory of this workspace's wheels; set by ``nox -s template``."""


@frozen
class Combination:
    """Answers, and who is told them.

    ``kinds`` has four values and all others have two classes: which way in, whether the API takes
    a key, whether the licence is a short one, and whether the names are plain.
    """

    kinds: str
    way: str
    auth: str
    license: str
    distribution: str
    provider: str

    def classes(self) -> tuple[str, str, bool, bool, bool]:
        """What is combined in pairs."""
        return (
            self.kinds,
            self.way,
            self.auth == "none",
            self.license in ("MIT", "Proprietary"),
            self.distribution == f"boards-{self.provider}",
        )

    @property
    def answers(self) -> dict[str, str]:
        """By the names of the template."""
        return {
            "distribution": self.distribution,
            "provider": self.provider,
            "kinds": self.kinds,
            "auth": self.auth,
            "license": self.license,
        }


COMBINATIONS = [
    Combination("declarative", "cookiecutter", "bearer", "MIT", "boards-acme", "acme"),
    Combination("declarative", "command", "none", "Apache-2.0", "Pixel_Art.boards", "pixel.art-2"),
    Combination("python", "cookiecutter", "header", "BSD-3-Clause", "acme-plugin", "ac_me"),
    Combination("python", "command", "none", "Proprietary", "boards-acme", "acme"),
    Combination("storage", "cookiecutter", "none", "MIT", "Pixel_Art.boards", "pixel.art-2"),
    Combination("storage", "command", "query", "Apache-2.0", "boards-acme", "acme"),
    Combination("auth", "cookiecutter", "none", "BSD-3-Clause", "boards-acme", "acme"),
    Combination("auth", "command", "basic", "Proprietary", "acme-plugin", "ac_me"),
]
"""Eight, in which every two classes meet."""


@frozen
class Baked:
    """A plugin in a directory, and the environment that it is installed in."""

    project: Path
    environment: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the plugin's directory, as its author would."""
        folder = self.environment / ("Scripts" if sys.platform == "win32" else "bin")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BOARDS_")}
        return subprocess.run(
            [str(folder / command[0]), *command[1:]],
            cwd=self.project,
            capture_output=True,
            text=True,
            check=False,
            env={**inherited, "BOARDS_HOME": str(self.environment / "home")},
        )

    def install(self) -> None:
        """Install the plugin anew, in its directory and without what it requires."""
        uv("pip", "install", "--python", self.environment, "--quiet", "--no-deps",
           "--editable", self.project)  # fmt: skip


def make(one: Combination, directory: Path) -> Path:
    """Make a plugin below a directory, the way that the combination says."""
    if one.way == "command":
        options = {"--provider": one.provider, "--auth": one.auth, "--license": one.license}
        given = [part for option in options.items() for part in option]
        kinds = [part for kind in one.kinds.split(",") for part in ("--kind", kind)]
        command = [
            "boards.cli",
            "new-plugin",
            one.distribution,
            "--yes",
            "--output",
            str(directory),
        ]
        _python("-m", *command, *given, *kinds)
    else:
        settings = directory / "settings.yaml"
        places = {name: str(directory / name) for name in ("cookiecutters_dir", "replay_dir")}
        settings.write_text(json.dumps(places))
        answers = [f"{name}={value}" for name, value in one.answers.items()]
        template = Path(__file__).parents[2]
        _python("-m", "cookiecutter", str(template), "--directory", "cookiecutter-plugin",
                "--no-input", "--config-file", str(settings), "--output-dir", str(directory),
                *answers)  # fmt: skip
    return directory / one.distribution


def install(project: Path, environment: Path, *, editable: bool = False) -> Baked:
    """Install a plugin with what its author needs, and the core of this workspace."""
    uv("venv", "--quiet", "--python", sys.executable, environment)
    where = ("--editable", project) if editable else (project,)
    group = f"{project / 'pyproject.toml'}:dev"
    uv("pip", "install", "--quiet", "--python", environment, *where, "--group", group, *_wheels())
    return Baked(project, environment)


def _wheels() -> Iterator[str]:
    (core,) = Path(os.environ[WHEELS]).resolve().glob("boards_core-*.whl")
    yield f"boards-core[emulators] @ {core.as_uri()}"


def uv(*arguments: str | Path) -> None:
    """Run uv, which shares its cache between environments."""
    _python("-m", "uv", *map(str, arguments))


def _python(*arguments: str) -> None:
    ran = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{' '.join(arguments)}\n{ran.stdout}{ran.stderr}"
