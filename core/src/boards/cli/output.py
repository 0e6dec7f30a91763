"""What a command writes: results to stdout, everything else to stderr."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import click

__all__ = ["Output", "ago", "plain", "seconds", "size"]


class Output:
    """The two streams of a command.

    Attributes:
        json: Whether stdout is one JSON value and nothing else.
    """

    def __init__(
        self, *, json: bool, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.json = json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr

    @property
    def terminal(self) -> bool:
        """Whether a person reads the results as they come."""
        return self._stdout.isatty()

    @property
    def errors_terminal(self) -> bool:
        """Whether a person sees the progress."""
        return self._stderr.isatty()

    @property
    def errors(self) -> TextIO:
        """The stream of everything that is no result."""
        return self._stderr

    def style(self, text: str, **style: Any) -> str:
        """A text for stderr in a style, where a person sees it and wants colours."""
        if not self.errors_terminal or os.environ.get("NO_COLOR"):
            return text
        return click.style(text, **style)

    def line(self, text: str = "") -> None:
        """A line of the result."""
        click.echo(text, file=self._stdout)

    def note(self, text: str = "") -> None:
        """A line for the person who waits."""
        click.echo(text, file=self._stderr)

    def value(self, value: Any, *, compact: bool = False) -> None:
        """A result as JSON."""
        indent = None if compact else 2
        # What UTF-8 lacks, a lone surrogate, and any other encoding too, JSON escapes itself.
        text = json.dumps(value, indent=indent, ensure_ascii=False, default=str)
        try:
            text.encode(getattr(self._stdout, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            text = json.dumps(value, indent=indent, default=str)
        self.line(text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table: fitted to the terminal, or with columns as wide as they need where piped."""
        rows = [[plain(cell) for cell in row] for row in rows]
        if not self.terminal:
            self._plain_table(columns, rows)
            return
        from rich import box  # noqa: PLC0415  # slow to import, and only terminals need it
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        console = Console(file=self._stdout)
        table = Table(
            box=box.SIMPLE_HEAD, show_edge=False, header_style="bold", padding=(0, 1, 0, 0)
        )
        lines = [columns, *rows]
        widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
        # Names and figures stay whole, paths and sentences share the room that is left; where
        # there is too little of it, the first column does, which is for copying.
        whole = [width <= _WHOLE for width in widths]
        if sum(width + 2 for width, one in zip(widths, whole, strict=True) if one) > console.width:
            whole = [number == 0 for number in range(len(columns))]
        for column, one in zip(columns, whole, strict=True):
            table.add_column(column, overflow="fold", no_wrap=one)
        for row in rows:
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        console.print(table)

    def _plain_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        lines = [[column.upper() for column in columns], *rows]
        widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.line("  ".join(cells).rstrip())

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Names and values, one pair a line; empty values are left out."""
        shown = [(name, value) for name, value in pairs if value]
        width = max((len(name) for name, _ in shown), default=0)
        columns = shutil.get_terminal_size().columns if self.terminal else 0
        for name, value in shown:
            text = plain(value)
            if columns > width + 20:
                import textwrap  # noqa: PLC0415  # only here

                lines = textwrap.wrap(
                    text, columns - width - 2, break_long_words=False, break_on_hyphens=False
                ) or [text]
                text = f"\n{' ' * (width + 2)}".join(lines)
            self.line(f"{name.ljust(width)}  {text}")


_WHOLE = 28
"""Characters up to which a cell of a table is never broken; an id has 26."""

_STYLES = {
    "yes": "green",
    "ok": "green",
    "succeeded": "green",
    "no": "red",
    "broken": "red",
    "failed": "red",
    "unknown": "yellow",
    "running": "cyan",
    "disabled": "dim",
    "canceled": "dim",
}


def plain(text: str) -> str:
    """A text of somebody else, on one line and without control characters.

    A provider's message could otherwise move the cursor, or rewrite what stands above it.
    """
    return "".join(one if one.isprintable() else " " for one in text).strip()


def size(count: int) -> str:
    """Bytes for people."""
    number = float(count)
    for unit in ("B", "KB", "MB"):
        if number < 1000:
            return (
                f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
            )
        number /= 1000
    return f"{number:.1f} GB"


def seconds(duration: float) -> str:
    """A duration for people."""
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(int(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def ago(duration: float) -> str:
    """How long ago something was, for people."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if duration >= length:
            return f"{int(duration // length)} {unit} ago"
    return "just now"
