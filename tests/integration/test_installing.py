"""Plugins installed, examined and removed in fresh environments: with pip and with uv, offline.

Each command is a process, and pip a slow one: all of it is ``nox -s environments``; the suite takes
what matters most, with uv.
"""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import boards

ALL = "BOARDS_ENVIRONMENTS" in os.environ
session_only = pytest.mark.skipif(not ALL, reason="it is a session: nox -s environments")

SPEC = """\
spec: 1
providers:
  acme:
    setup: Create a key at https://acme.example.com/keys and set ACME_KEY.
    auth: {kind: bearer}
    config: {base_url: "https://api.acme.example.com", api_key_env: ACME_KEY}
generators:
  - name: draw
    artifact_type: image
    provider: acme
    io: {input_schema: {type: object, properties: {prompt: {type: string}}}}
    execution:
      submit: {path: /draw, json: {prompt: "${input.prompt?}"}}
      extract: {outputs: [{from: "body.images[*]", expires: 1h}]}
"""


def wheel(
    directory: Path,
    name: str,
    files: dict[str, str],
    *,
    number: str = "1.0",
    entry_points: str = "",
    requires: str = "boards-core>=0.1",
) -> Path:
    """A wheel: an archive with metadata."""
    module = name.replace("-", "_")
    info = f"{module}-{number}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"
        f"Requires-Dist: {requires}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/entry_points.txt": entry_points,
    }
    contents[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*contents, f"{info}/RECORD"))
    directory.mkdir(exist_ok=True)
    path = directory / f"{module}-{number}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for relative, text in contents.items():
            archive.writestr(relative, text)
    return path


@frozen
class Environment:
    """A fresh environment that has Boards."""

    python: Path
    home: Path
    wheels: Path
    path: str

    def boards(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run ``boards`` in it."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BOARDS_", "PIP_", "UV", "PYTHONPATH", "VIRTUAL_ENV"))
        }
        home = {"BOARDS_HOME": str(self.home), "PATH": self.path}
        return subprocess.run(
            [str(self.python), "-P", "-m", "boards.cli", *arguments],
            env=inherited | home | variables,
            capture_output=True, text=True, check=False, timeout=120, cwd=self.home.parent,
        )  # fmt: skip

    def json(self, *arguments: str, **variables: str) -> Any:
        """What a command prints as JSON."""
        done = self.boards(*arguments, "--json", **variables)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def install(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Install from the wheels alone."""
        offline = ["--no-index", "--find-links", str(self.wheels)]
        return self.boards("plugins", "install", *offline, *arguments)


def find_uv() -> str | None:
    """The uv of these tests' own environment, or any."""
    import shutil

    return shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")


def lend(directory: Path) -> None:
    """Boards and what it needs, without any plugin, so that nothing has to be installed."""
    directory.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith("boards") and path.suffix != ".pth":
            (directory / path.name).symlink_to(path)
    (directory / "boards").symlink_to(Path(boards.__file__).parent)


def make_environment(directory: Path, installer: str) -> Environment:
    """An environment with pip or without, to which Boards and what it needs is lent."""
    uv = find_uv()
    if installer == "uv" and uv is None:
        pytest.skip("there is no uv")
    venv = directory / "venv"
    options = [] if installer == "pip" else ["--without-pip"]
    subprocess.run([sys.executable, "-m", "venv", *options, str(venv)], check=True)
    python = venv / "bin" / "python"
    site = Path(
        subprocess.run(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()
    )  # fmt: skip
    lend(directory / "lent")
    (site / "lent.pth").write_text(f"{directory / 'lent'}\n")
    info = site / f"boards_core-{version('boards-core')}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: boards-core\nVersion: {version('boards-core')}\n"
    )
    (info / "RECORD").write_text("")
    (info / "INSTALLER").write_text("test\n")
    tools = os.pathsep.join(["/usr/bin", "/bin"])
    if installer == "uv":
        assert uv is not None
        tools = os.pathsep.join([str(Path(uv).parent), tools])
    return Environment(python, directory / "home", directory / "wheels", tools)


@pytest.fixture(scope="module", params=["pip", "uv"] if ALL else ["uv"])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An environment that pip runs, and one that has none and is uv's."""
    made = make_environment(tmp_path_factory.mktemp(request.param), request.param)
    wheel(
        made.wheels,
        "boards-acme",
        {"boards_acme/__init__.py": "", "boards_acme/specs/acme.yaml": SPEC},
        entry_points="[boards.specs]\nacme = boards_acme.specs\n",
    )
    return made


def findings_of(report: dict[str, Any], distribution: str) -> set[tuple[str, str]]:
    """The checks that found something of a distribution, each with its severity."""
    return {
        (one["check"], one["severity"])
        for one in report["findings"]
        if distribution in one["distributions"]
    }


def test_a_plugin_comes_and_goes(environment: Environment) -> None:
    """By its short name; the command is shown, the plugin is examined, and gone afterwards."""
    shown = environment.boards("plugins", "install", "acme", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "install" in shown.stdout
    assert f"boards-acme boards-core=={version('boards-core')}" in shown.stdout
    assert environment.boards("plugins", "uninstall", "acme").returncode == 2
    done = environment.install("acme")
    assert done.returncode == 0, done.stderr
    assert "boards-acme 1.0 is installed." in done.stdout
    assert "export ACME_KEY=... # Create a key at https://acme.example.com/keys" in done.stdout
    assert done.stderr.startswith("$ ")
    assert [one["id"] for one in environment.json("generators")] == ["acme/draw"]
    removed = environment.boards("plugins", "uninstall", "acme")
    assert removed.returncode == 0, removed.stderr
    assert "boards-acme is removed." in removed.stdout
    assert environment.json("generators") == []


@session_only
def test_what_runs_the_environment_is_told(environment: Environment) -> None:
    """Pip where there is one, else uv with this interpreter."""
    installer = environment.json("plugins", "doctor")["installer"]
    if (environment.python.parent / "pip").exists():
        assert installer == f"{environment.python} -m pip"
    else:
        assert installer.endswith("uv pip")
        command = environment.json("plugins", "install", "acme", "--dry-run")["command"]
        assert command[3:5] == ["--python", str(environment.python)]


@session_only
def test_a_plugin_that_is_not_there_is_told(environment: Environment) -> None:
    """The installer's own words, then what to do; nothing was changed."""
    done = environment.install("nobody")
    assert done.returncode == 3
    assert "boards-nobody" in done.stderr
    assert "could not install boards-nobody" in done.stderr


@session_only
def test_a_plugin_for_another_core_changes_nothing(environment: Environment) -> None:
    """boards-core stays; the remedy is its upgrade."""
    wheel(environment.wheels, "boards-later", {"boards_later.py": ""}, requires="boards-core>=99")
    done = environment.install("later")
    assert done.returncode == 3
    assert "--upgrade boards-core" in done.stderr
    assert environment.json("plugins", "doctor")["core"] == version("boards-core")


BROKEN = {
    "raises": "1 / 0",
    "ends": "import os; os._exit(7)",
}


@pytest.mark.parametrize("kind", BROKEN if ALL else ["raises"])
def test_a_broken_plugin_can_be_managed(environment: Environment, kind: str) -> None:
    """It is told at once, can be switched off and on, replaced by a better one, and removed."""
    name = f"boards-{kind}"
    points = f"[boards.plugins]\n{kind} = {kind}_hooks\n"
    path = wheel(environment.wheels, name, {f"{kind}_hooks.py": BROKEN[kind]}, entry_points=points)
    done = environment.boards("plugins", "install", "--no-index", str(path))
    assert done.returncode == 1, done.stderr
    assert f"error: {name} 1.0: " in done.stdout
    assert environment.boards("plugins", "disable", kind).returncode == 0
    report = environment.json("plugins", "doctor")
    assert (report["ok"], findings_of(report, name)) == (True, set())
    assert environment.boards("plugins", "enable", kind).returncode == 0
    report = environment.json("plugins", "doctor")
    assert (report["ok"], findings_of(report, name)) == (False, {("broken", "error")})
    wheel(environment.wheels, name, {f"{kind}_hooks.py": ""}, number="1.1", entry_points=points)
    better = environment.install("--upgrade", kind)
    assert better.returncode == 0, better.stdout + better.stderr
    assert f"{name} 1.1 is installed." in better.stdout
    removed = environment.boards("plugins", "uninstall", name)
    assert removed.returncode == 0, removed.stderr
    assert environment.json("plugins", "doctor")["plugins"] == []


@session_only
def test_an_unrelated_boards_is_told(environment: Environment) -> None:
    """A distribution that installs a module of our name, which is not ours; it is removed again."""
    wheel(
        environment.wheels,
        "boards",
        {"boards/surf.py": "", "boards/__init__.py": ""},
        requires="boards-core>=0.1",
    )
    refused = environment.install("--exact", "boards")
    assert refused.returncode == 2
    path = environment.wheels / "boards-1.0-py3-none-any.whl"
    site = subprocess.run(
        [str(environment.python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    with zipfile.ZipFile(path) as archive:
        # With its __init__ it would hide ours here, which lies elsewhere.
        names = [one for one in archive.namelist() if one != "boards/__init__.py"]
        archive.extractall(site, names)
    (Path(site) / "boards-1.0.dist-info" / "INSTALLER").write_text("test\n")
    report = environment.json("plugins", "doctor")
    assert findings_of(report, "boards") == {("module", "error")}
    (finding,) = (one for one in report["findings"] if one["check"] == "module")
    assert finding["remedy"].startswith("boards plugins uninstall --exact boards, ")
    removed = environment.boards("plugins", "uninstall", "--exact", "boards")
    assert removed.returncode == 0, removed.stderr
    assert environment.json("plugins", "doctor")["ok"]


@session_only
@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("pipx_metadata.json", "pipx inject venv NAME..."),
        ("uv-receipt.toml", "uv tool install venv --with NAME"),
    ],
)
def test_environments_of_others_are_left_alone(
    environment: Environment, file: str, told: str
) -> None:
    """Pipx and uv tool keep lists of what they installed: the command is theirs."""
    marker = environment.python.parents[1] / file
    marker.write_text("")
    try:
        done = environment.install("acme")
    finally:
        marker.unlink()
    assert done.returncode == 3
    assert told in done.stderr


@session_only
def test_an_environment_of_a_project_is_told(environment: Environment) -> None:
    """What uv sync would take out again is noted, with the command that keeps it."""
    project = environment.python.parents[2]
    for name in ("pyproject.toml", "uv.lock"):
        (project / name).touch()
    try:
        done = environment.install("acme")
    finally:
        for name in ("pyproject.toml", "uv.lock"):
            (project / name).unlink()
    assert done.returncode == 0, done.stderr
    assert f"uv add --project {project} NAME..." in done.stderr
    assert environment.boards("plugins", "uninstall", "acme").returncode == 0
