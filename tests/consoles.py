"""Commands of a page, run as it shows them, on the files that it has its reader write."""

import contextlib
import io
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sybil.example import Example

from boards.cli.app import boards

RUN = "<!-- commands are run -->"
"""A page with this line has its consoles run."""

_MARK = re.compile(r"<!-- (file|add): (\S+)(?: (\w+))? -->\n+\Z")
_PORT = "8900"  # what pages write; in truth a free one
_DIRECTORY = "/home/me/tutorial/"
_VARIES = [
    (re.compile(r"\b[0-9a-hjkmnp-tv-z]{26}\b"), "ID"),
    (re.compile(r"\bsubmitted as \S+"), "submitted as ID"),
    (re.compile(r"-[0-9a-hjkmnp-tv-z]{8}(?=-\d+\.)"), "-ID"),
    (re.compile(r"\b\d+\.\d s\b"), "SECONDS"),
    # What is shown of a generation under way depends on how long it lasts.
    (re.compile(r"^\S+: (queued|running|fetching)\b.*\n", re.MULTILINE), ""),
    (re.compile(r" +$", re.MULTILINE), ""),
]


class Console:
    """A working directory and an environment, as a reader of the page has them.

    A block below ``<!-- file: NAME -->`` is a file. ``<!-- file: NAME PART -->`` is one part of it,
    and ``<!-- add: NAME PART -->`` is appended to that; parts stand in the order of their first
    mention.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._environment = monkeypatch
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
        program, *arguments = shlex.split(line.replace(_PORT, self._port))
        if program == "export":
            for one in arguments:
                self._environment.setenv(*one.split("=", 1))
            return ""
        module = {"python": [], "boards": ["-m", "boards.cli"]}[program]
        if arguments[-1] == "&":
            self._serve([*module, *arguments[:-1]])
            return ""
        assert program == "boards", f"{line}: would not end"
        with io.StringIO() as printed:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                boards.main(arguments, prog_name="boards", standalone_mode=False)
            text = printed.getvalue().replace(self._port, _PORT)
        return text.replace(f"{Path.cwd()}/", _DIRECTORY)

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
        """End the servers."""
        for server in self._servers:
            server.terminate()
            server.wait(10)


def _plain(text: str) -> str:
    for varies, word in _VARIES:
        text = varies.sub(word, text)
    return text.strip()
