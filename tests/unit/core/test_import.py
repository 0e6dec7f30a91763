"""What importing and listing cost: modules that must not be loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "aiohttp", "aiosqlite", "asyncio", "boards.cli", "boards.dsl", "boards.engine", "cattrs",
    "click", "httpx", "importlib_metadata", "jsonschema_rs", "pluggy", "rich", "sqlite3",
    "stamina", "structlog", "yaml",
)  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has after running this."""
    report = f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_importing_boards_is_light() -> None:
    """No HTTP client, YAML, pluggy, database or command line."""
    assert loaded_by("import boards") & set(HEAVY) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_no_plugin_and_no_engine(arguments: list[str]) -> None:
    """Beside click, only the standard library."""
    code = (
        "import sys\nfrom boards.cli import main\n"
        f"sys.argv = ['boards', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert loaded_by(code) & set(HEAVY) <= {"boards.cli", "click"}


def test_a_second_host_lists_without_reading_specs(tmp_path: Path) -> None:
    """A warm index answers for plugins that are data: no YAML, no metadata, no pluggy."""
    code = (
        "from boards import Boards\n"
        f"boards = Boards(home={str(tmp_path)!r}, environment={{}},\n"
        "    plugins=('boards-fal', 'boards-replicate'))\n"
        "assert boards.generators()"
    )
    loaded_by(code)
    assert loaded_by(code) & set(HEAVY) <= {"asyncio"}
