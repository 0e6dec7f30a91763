"""From ``boards new-plugin`` to a green suite in a fresh environment, by the clock.

The commands are those that ``boards new-plugin`` prints, with pip and with nothing installed
before, and the same with uv. What is not of this workspace comes from the package index, or from
the installer's cache. The bar is five minutes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHEELS = ROOT / "build" / "wheels"
BAR = 300.0
BOARDS = [sys.executable, "-m", "boards.cli"]
PYTHON = str(Path("Scripts" if sys.platform == "win32" else "bin", "python"))

OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Acme", "version": "1"},
    "servers": [{"url": "https://api.acme.example/v1"}],
    "security": [{"key": []}],
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/images": {
            "post": {
                "operationId": "draw",
                "summary": "Draw a picture",
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["prompt"],
                                "properties": {
                                    "prompt": {"type": "string"},
                                    "seed": {"type": "integer", "minimum": 0},
                                },
                            }
                        }
                    }
                },
                "responses": {"200": {"content": {"image/png": {}}}},
            }
        }
    },
}


def main() -> None:
    """Print a line for each kind of plugin, with the seconds of each step."""
    if not list(WHEELS.glob("boards_core-*.whl")):
        sys.exit(f"There are no wheels in {WHEELS}: run nox -s bench -- new_plugin")
    with tempfile.TemporaryDirectory() as directory:
        document = Path(directory) / "openapi.json"
        document.write_text(json.dumps(OPENAPI))
        for name, options in (
            ("declarative", []),
            ("--from-openapi", ["--from-openapi", str(document)]),
            ("python", ["--kind", "python"]),
            ("storage", ["--kind", "storage"]),
            ("auth", ["--kind", "auth"]),
        ):
            for installer in ("uv", "pip") if name == "declarative" else ("uv",):
                measure(name, options, installer, Path(directory) / f"{name}-{installer}")


def measure(name: str, options: list[str], installer: str, directory: Path) -> None:
    """Make a plugin of a kind, install it and run its tests."""
    plugin = directory / "boards-acme"
    steps: dict[str, float] = {}
    new = [*BOARDS, "new-plugin", plugin.name, "--yes", "--output", str(directory), *options]
    timed(steps, "make", new, ROOT)
    python = str(plugin / ".venv" / PYTHON)
    if installer == "uv":
        timed(steps, "environment", ["uv", "venv", "-q", "--python", sys.executable], plugin)
        (core,) = WHEELS.glob(
            "boards_core-*.whl"
        )  # its path: uv keeps a wheel of a name and version
        own = f"boards-core[emulators] @ {core.as_uri()}"
        install = ["uv", "pip", "install", "-q", "-e", ".", "--group", "dev", own]
        timed(steps, "install", install, plugin)
    else:
        timed(steps, "environment", [sys.executable, "-m", "venv", ".venv"], plugin)
        pip = [python, "-m", "pip", "install", "-q"]
        timed(steps, "upgrade pip", [*pip, "--upgrade", "pip"], plugin)
        timed(steps, "install", [*pip, "-e", ".", "--group", "dev"], plugin)
    timed(steps, "test", [python, "-m", "pytest", "-q"], plugin)
    total = sum(steps.values())
    rounded = {step: round(seconds, 1) for step, seconds in steps.items()}
    told = {"plugin": name, "with": installer, **rounded, "total s": round(total, 1), "bar s": BAR}
    print(json.dumps(told), flush=True)
    if total > BAR:
        sys.exit(f"{name}: {total:.0f} s are more than {BAR:.0f}")


def timed(steps: dict[str, float], step: str, command: list[str], directory: Path) -> None:
    """Run a command, and note its seconds."""
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    environment |= {"PIP_FIND_LINKS": str(WHEELS), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    began = time.perf_counter()
    ran = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    steps[step] = time.perf_counter() - began
    if ran.returncode:
        sys.exit(f"{step} failed: {' '.join(command)}\n{ran.stdout}{ran.stderr}")


if __name__ == "__main__":
    main()
