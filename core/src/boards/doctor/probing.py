"""Plugins' code imported in another process first: some end the process, or never come back."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from boards.discovery import EntryPoint

__all__ = ["probe"]

_LISTING: Final = (
    "boards_providers", "boards_generators", "boards_storages", "boards_auths", "boards_stores",
    "boards_runners",
)  # fmt: skip


def probe(entry_points: Sequence[EntryPoint], *, seconds: float = 30) -> dict[EntryPoint, str]:
    """Import code of plugins elsewhere, and call what lists things.

    What merely raises is not told: it can be asked again without danger.

    Args:
        entry_points: Of ``boards.plugins`` and ``boards.commands``.
        seconds: How long one of them may take.

    Returns:
        Those that must not be imported here, with what they did.
    """
    fatal: dict[EntryPoint, str] = {}
    left = list(entry_points)
    while left:
        begun, did = _run(left, seconds)
        if did is None:
            break
        if begun == 0:  # not even the first one was reached: no plugin is to blame
            break
        fatal[left[begun - 1]] = did
        left = left[begun:]
    return fatal


def _run(entry_points: Sequence[EntryPoint], seconds: float) -> tuple[int, str | None]:
    """How many were begun, and what the last of them did; None if all came back."""
    with tempfile.TemporaryDirectory(prefix="boards-doctor-") as directory:
        progress = Path(directory) / "progress"
        progress.touch()
        given = {"path": sys.path, "plugins": [[one.group, one.value] for one in entry_points]}
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", __name__, str(progress)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with process, contextlib.suppress(BrokenPipeError):
            assert process.stdin is not None  # noqa: S101 - PIPE
            process.stdin.write(json.dumps(given))
            process.stdin.close()
            hangs = _wait(process, progress, seconds)
        begun = progress.stat().st_size
        if hangs:
            return begun, f"did not come back within {seconds:g} s"
        if process.returncode == 0:
            return begun, None
        return begun, f"ended the process (exit code {process.returncode})"


def _wait(process: "subprocess.Popen[str]", progress: Path, seconds: float) -> bool:
    """Wait for the end; whether it was brought about, because nothing went on any more."""
    begun, since = 0, time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
            return False
        size = progress.stat().st_size
        if size != begun:
            begun, since = size, time.monotonic()
        elif time.monotonic() - since > seconds:
            process.kill()
            return True


def _main(progress: str) -> None:
    from boards.hooks import load_hooks  # noqa: PLC0415 - imports pluggy

    given = json.load(sys.stdin)
    sys.path[:] = given["path"]
    for group, value in given["plugins"]:
        with Path(progress).open("a") as file:
            file.write(".")
        try:
            if group == "boards.plugins":
                module = load_hooks(EntryPoint(group, "", value, "", ""))
                for hook in _LISTING:
                    module.records(hook, object)
            else:
                import_module(value.partition(":")[0].strip())
        except (Exception, SystemExit):  # noqa: S112 - told where it is imported in earnest
            continue
    os._exit(0)  # whatever threads a plugin has left behind


if __name__ == "__main__":
    _main(*sys.argv[1:])
