"""Commands of a page, run as it shows them, on the files that it has its reader write."""

import contextlib
import importlib
import io
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from sybil.example import Example

from boards.cli.app import boards

RUN = "<!-- commands are run -->"
"""A page with this line has its consoles run."""

_MARK = re.compile(r"<!-- (file|add|append): (\S+)(?: (\w+))? -->\n+\Z")
_PORT = "8900"  # what pages write; in truth a free one
_DIRECTORY = "/home/me/tutorial/"
_VARIES = [
    (re.compile(r"\b[0-9a-hjkmnp-tv-z]{26}\b"), "ID"),
    (re.compile(r"\bsubmitted as \S+"), "submitted as ID"),
    (re.compile(r"-[0-9a-hjkmnp-tv-z]{8}(?=-\d+\.)"), "-ID"),
    (re.compile(r"\b\d+\.\d s\b"), "SECONDS"),
    (re.compile(r"\bin \d+\.\d+s\b"), "in SECONDS"),
    # Where the doctor finds things.
    (re.compile(r"^(Python|installs with) .*$", re.MULTILINE), r"\1 HERE"),
    (re.compile(r" enabled  .*$", re.MULTILINE), " enabled  HERE"),
    # What is shown of a generation under way depends on how long it lasts.
    (re.compile(r"^\S+: (queued|running|fetching)\b.*\n", re.MULTILINE), ""),
    (re.compile(r" +$", re.MULTILINE), ""),
]


class Console:
    """A working directory and an environment, as a reader of the page has them.

    A block below ``<!-- file: NAME -->`` is a file. ``<!-- file: NAME PART -->`` is one part of it,
    and ``<!-- add: NAME PART -->`` is appended to that; parts stand in the order of their first
    mention. ``<!-- append: NAME -->`` goes to the end of a file that is there already.

    ``pip install -e .`` makes a directory's distribution known to the page, as an editable install
    does, but without an environment of its own, nor what it requires: that is there already.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._environment = monkeypatch
        self._modules = set(sys.modules)
        self._root = Path.cwd()
        self._files: dict[str, dict[str, str]] = {}
        self._servers: list[subprocess.Popen[bytes]] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])

    def write(self, example: Example) -> bool:
        """Write the block, if it is marked as a file's."""
        text = example.document.text
        mark = _MARK.search(text[: example.region.start])
        if mark is None:
            return False
        # As it stands in the page: what is appended is indented.
        _, *lines, _ = text[example.region.start : example.region.end].rstrip("\n").split("\n")
        block = "".join(f"{line}\n" for line in lines)
        kind, name, part = mark.groups()
        if kind == "append":
            with Path(name).open("a") as file:
                file.write(f"\n{block}")
            return True
        parts = self._files.setdefault(name, {})
        before = parts.get(part, "") if kind == "add" else ""
        parts[part] = before + block.replace(_PORT, self._port)
        Path(name).write_text("".join(parts.values()))
        return True

    def evaluate(self, example: Example) -> None:
        """Run the block's commands; where it shows what they print, that is what they print."""
        shown = str(example.parsed)
        printed = self.transcript(shown)
        assert _plain(printed) == _plain(shown), f"{example.path}:{example.line}\n{printed}"

    def transcript(self, shown: str) -> str:
        """The block with what its commands print in truth."""
        lines = [line for line in shown.splitlines() if line.startswith("$ ")]
        return "".join(f"{line}\n{self._run(line[2:])}" for line in lines)

    def _run(self, line: str) -> str:
        program, *arguments = shlex.split(line.replace(_PORT, self._port), comments=True)
        if program == "export":
            for one in arguments:
                self._environment.setenv(*one.split("=", 1))
            return ""
        if program == "cd":
            self._environment.chdir(arguments[0])
            return ""
        if [program, *arguments[:3]] == ["pip", "install", "-e", "."]:
            self._install(Path.cwd())
            return ""
        if program == "python" and arguments[:2] in (["-m", "pytest"], ["-m", "hatchling"]):
            return self._module(arguments)
        module = {"python": [], "boards": ["-m", "boards.cli"]}[program]
        if arguments[-1] == "&":
            self._serve([*module, *arguments[:-1]])
            return ""
        assert program == "boards", f"{line}: would not end"
        self._forget()
        with io.StringIO() as printed:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                boards.main(arguments, prog_name="boards", standalone_mode=False)
            return self._as_shown(printed.getvalue())

    def _as_shown(self, text: str) -> str:
        return text.replace(self._port, _PORT).replace(f"{Path.cwd()}/", _DIRECTORY)

    def _module(self, arguments: list[str]) -> str:
        """A module that is a program, in a process of its own; what it prints."""
        # Not those plugins of pytest that the author of a page's reader has not.
        options = {"PYTEST_ADDOPTS": "-p no:asyncio -p no:cacheprovider --color=no"}
        ran = subprocess.run(
            [sys.executable, *arguments],
            env=os.environ | options,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return self._as_shown(ran.stdout)

    def _install(self, project: Path) -> None:
        """Make a distribution known to this process and to those that it begins."""
        site = Path(tempfile.mkdtemp(dir=self._root))
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(site)]
        subprocess.run(build, cwd=project, check=True, capture_output=True)
        (wheel,) = site.glob("*.whl")
        with zipfile.ZipFile(wheel) as file:
            metadata = [one for one in file.namelist() if ".dist-info/" in one]
            file.extractall(site, metadata)
        wheel.unlink()
        (record,) = site.glob("*.dist-info/RECORD")
        record.write_text("".join(f"{one},,\n" for one in metadata))
        paths = [str(project / "src"), str(site)]
        for path in paths:
            self._environment.syspath_prepend(path)
        self._environment.setenv("PYTHONPATH", os.pathsep.join(paths), prepend=os.pathsep)

    def _serve(self, arguments: list[str]) -> None:
        quiet = subprocess.DEVNULL
        self._servers.append(
            subprocess.Popen([sys.executable, *arguments], stdout=quiet, stderr=quiet)
        )
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(self._port)), timeout=1).close()
            except OSError:
                assert time.monotonic() < until, f"{arguments} does not listen"
                time.sleep(0.05)
            else:
                return

    def close(self) -> None:
        """End the servers, and forget what was imported from the page's directory."""
        for server in self._servers:
            server.terminate()
            server.wait(10)
        self._forget()

    def _forget(self) -> None:
        """Have what lies in the page's directory imported anew: each command is a new process."""
        here = str(self._root)
        for name in set(sys.modules) - self._modules:
            origin = getattr(sys.modules[name], "__file__", None) or ""
            if origin.startswith(here):
                del sys.modules[name]
        importlib.invalidate_caches()


def _plain(text: str) -> str:
    for varies, word in _VARIES:
        text = varies.sub(word, text)
    return text.strip()
