"""Tables fit where they are shown."""

import io
import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from boards.cli.output import Output

ID = "01m7y8r10dxddjr690710twj2a"
ROWS = [[ID, "replicate/flux-1.1-pro-ultra", "succeeded", "a sentence that is rather long " * 3]]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_an_id_is_never_broken_on_a_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there to be copied; nothing is cut off, and no line is too long."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Output(json=False, stdout=stream).table(("id", "generator", "status", "text"), ROWS)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()
    assert any(line.startswith(ID) for line in lines)
    assert all(len(line) <= int(columns) for line in lines)
    assert stream.getvalue().count("sentence") == 3
    assert "succeeded" in stream.getvalue()


def test_a_piped_table_breaks_no_line() -> None:
    """So that ``grep`` and ``awk`` work."""
    stream = io.StringIO()
    Output(json=False, stdout=stream).table(("id", "generator", "status", "text"), ROWS)
    header, line = stream.getvalue().splitlines()
    assert header.split() == ["ID", "GENERATOR", "STATUS", "TEXT"]
    assert line.startswith(f"{ID}  replicate/flux-1.1-pro-ultra  succeeded  a sentence")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("PIL", ("emulate", "fal")),
        ("cryptography", ("emulate", "fal", "--tls")),
        ("PIL", ("demo",)),
    ],
)
def test_a_missing_extra_is_told_with_its_remedy(
    cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    arguments: tuple[str, ...],
) -> None:
    """Before anything listens."""
    monkeypatch.setitem(sys.modules, module, None)
    ran = cli(*arguments)
    assert ran.code == 3
    assert 'pip install "boards-core[emulators]"' in ran.err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_json_in_every_encoding(encoding: str) -> None:
    """What the stream cannot write is escaped as JSON has it; nothing else is."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    value = {"prompt": "é 🦊", "path": "/tmp/\udcff.png"}
    Output(json=True, stdout=stream).value(value)
    Output(json=True, stdout=stream).value({"prompt": "fox"}, compact=True)
    stream.flush()
    first, _, last = stream.buffer.getvalue().decode(encoding).rstrip().rpartition("\n")  # type: ignore[attr-defined]
    assert json.loads(first) == value
    assert last == '{"prompt": "fox"}'
