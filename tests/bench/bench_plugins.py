"""What a hundred installed plugins cost, none of which is imported: CPU over ``python -c pass``.

Each is data, with 50 generators: what is measured is found, read and remembered, not generated.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path

from bench_startup import BOARDS, cpu
from synthetic import install_plugins

PLUGINS, GENERATORS = 100, 50

OPENED = """
import asyncio, json, statistics, time
from boards import Boards

async def measure():
    taken = []
    for _ in range(6):  # the first imports the engine, which no plugin makes slower
        begun = time.process_time()
        async with Boards():
            taken.append((time.process_time() - begun) * 1000)
    return taken

print(json.dumps(asyncio.run(measure())))
"""
"""Opens a host again and again: what opening costs beside imports, in milliseconds of CPU."""


def opened(environment: dict[str, str]) -> float:
    """Milliseconds of CPU to open ``Boards()`` where its modules are imported."""
    done = subprocess.run(
        [sys.executable, "-c", OPENED], env=environment, check=True, capture_output=True, text=True
    )
    return statistics.median(json.loads(done.stdout)[1:])


def show(case: str, milliseconds: float, bar: float | None = None) -> None:
    """One line of the result."""
    told = {"case": case, "cpu ms": round(milliseconds, 1)}
    print(json.dumps(told if bar is None else {**told, "bar": bar, "ok": milliseconds < bar}))


def main() -> None:
    """Measure a home without plugins beside one with a hundred."""
    with tempfile.TemporaryDirectory() as directory:
        site, home = Path(directory) / "site", Path(directory) / "home"
        environment = {**os.environ, "BOARDS_HOME": str(home)}
        # Plugins that are code are imported, which is their own cost.
        code = {one.dist.name for one in entry_points(group="boards.plugins") if one.dist}
        environment["BOARDS_PLUGINS_DISABLED"] = ",".join(sorted(code))
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # bytecode is part of an installation
        bare = {**environment, "BOARDS_HOME": f"{home}-bare"}
        install_plugins(site, plugins=PLUGINS, generators=GENERATORS)
        environment["PYTHONPATH"] = str(site)

        floor = cpu([sys.executable, "-c", "pass"], environment)
        listing = [*BOARDS, "generators", "--json"]
        index = Path(directory) / "home" / "cache"
        cold = cpu(listing, environment, before_each=lambda: remove(index), runs=3) - floor
        help_, bare_help = (cpu([*BOARDS, "--help"], one) - floor for one in (environment, bare))
        warm, bare_warm = (cpu(listing, one) - floor for one in (environment, bare))

        show("boards --help, no plugin more", bare_help)
        show(f"boards --help, {PLUGINS} plugins", help_, bar=round(bare_help * 1.1 + 5, 1))
        show("boards generators, warm, no plugin more", bare_warm)
        show(f"boards generators, warm, {PLUGINS * GENERATORS} more", warm, bar=250)
        show(f"boards generators, cold, {PLUGINS * GENERATORS} more", cold, bar=3000)
        show("Boards() opened, no plugin more", opened(bare))
        show(f"Boards() opened, {PLUGINS} plugins", opened(environment), bar=100)


def remove(index: Path) -> None:
    """Forget what was found."""
    for path in index.glob("*"):
        path.unlink()


if __name__ == "__main__":
    main()
