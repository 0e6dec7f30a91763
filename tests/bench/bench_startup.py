"""What the command line costs before it does anything: CPU over ``python -c pass``, in one run."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

RUNS = 15
BOARDS = [str(Path(sys.executable).with_name("boards"))]


def cpu(
    command: list[str],
    environment: dict[str, str],
    *,
    before_each: Callable[[], None] = lambda: None,
    runs: int = RUNS,
) -> float:
    """Milliseconds of CPU that a command takes: the median of some runs, after one to warm up."""
    taken = []
    for _ in range(runs + 1):
        before_each()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append((after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000)
    return statistics.median(taken[1:])


def main() -> None:
    """Print each case beside the interpreter's own start."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "BOARDS_HOME": str(Path(home) / "home")}
        # Bytecode is part of an installation.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        floor = cpu([sys.executable, "-c", "pass"], environment)
        print(json.dumps({"case": "python -c pass", "cpu ms": round(floor, 1)}))
        for name, command in (
            ("import boards", [sys.executable, "-c", "import boards"]),
            ("boards --help", [*BOARDS, "--help"]),
            ("boards generators, warm index", [*BOARDS, "generators", "--json"]),
        ):
            taken = cpu(command, environment)
            print(
                json.dumps(
                    {"case": name, "cpu ms": round(taken, 1), "over pass": round(taken - floor, 1)}
                )
            )


if __name__ == "__main__":
    main()
