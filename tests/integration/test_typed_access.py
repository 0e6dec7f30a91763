"""What type checkers make of the stubs: right calls pass, and each wrong one is found."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from boards.cli.app import boards

CALLS = Path(__file__).parents[1] / "data" / "typed-access"
WRONG = [
    number
    for number, line in enumerate((CALLS / "wrong.py").read_text().splitlines(), 1)
    if "# wrong" in line
]


def tool(*names: str) -> str:
    """The first of some programs that is there, beside Python or on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    pytest.skip(f"{' or '.join(names)} is not installed")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with stubs and types of all installed generators, and of some odd ones."""
    path = tmp_path_factory.mktemp("project")
    shutil.copytree(CALLS, path, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(path)
        monkeypatch.setenv("BOARDS_HOME", str(path / "home"))
        monkeypatch.setenv("BOARDS_PROVIDERS_CONFIG_PATH", "generators.yaml")
        monkeypatch.setenv("BOARDS_GENERATORS_CONFIG_PATH", "generators.yaml")
        for arguments in (["stubs"], ["types", "--typescript", "--output", "generators.ts"]):
            assert boards.main(arguments, prog_name="boards", standalone_mode=False) == 0
    return path


def run(command: list[str], project: Path, **environment: str) -> tuple[int, str]:
    """Run a checker in the project; its exit code, and what it says."""
    ran = subprocess.run(
        command,
        cwd=project,
        env={**os.environ, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return ran.returncode, ran.stdout


def test_mypy_passes_right_calls_and_finds_each_wrong_one(project: Path) -> None:
    """In strict mode, with the stubs themselves; errors are on the marked lines alone."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-color-output"]
    files = ["right.py", "wrong.py", *map(str, sorted(project.glob("typings/boards/*.pyi")))]
    code, said = run([*command, *files], project, MYPYPATH="typings")
    found = re.findall(r"^(\S+?):(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE)
    assert {file for file, _, _ in found} == {"wrong.py"}, said
    assert [int(line) for _, line, _ in found] == WRONG, said
    assert {kind for _, _, kind in found} == {"call-overload", "attr-defined"}
    assert code == 1


def test_pyright_passes_right_calls_and_finds_each_wrong_one(project: Path) -> None:
    """With its defaults, which look for stubs in ``typings``."""
    pyright = tool("pyright", "basedpyright")
    command = [pyright, "--level", "error", "--pythonpath", sys.executable]
    (project / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    code, said = run([*command, "right.py", "wrong.py", "typings"], project)
    found = re.findall(r"(\w+\.pyi?):(\d+):\d+ - error: ", said)
    assert {file for file, _ in found} == {"wrong.py"}, said
    assert sorted({int(line) for _, line in found}) == WRONG, said
    assert code == 1


def test_tsc_passes_right_calls_and_finds_each_wrong_one(project: Path) -> None:
    """In strict mode; a mistake that is expected and not there is an error, too."""
    options = ["--strict", "--noEmit", "--target", "es2020", "--module", "esnext"]
    options += ["--moduleResolution", "bundler", "--noUncheckedIndexedAccess"]
    command = [tool("tsc"), *options, "--exactOptionalPropertyTypes", "--types", ""]
    assert run([*command, "calls.ts"], project) == (0, "")
