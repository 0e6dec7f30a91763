"""What is seen of generations under way: live on a terminal, line by line elsewhere."""

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol, Self

from attrs import define, field

from boards.cli.output import Output, plain, seconds
from boards.events import Event

__all__ = ["Display", "display_for"]

_BAR: Final = re.compile(r"\d%\|")
"""A line of a progress bar: the percentage is shown already."""
_TREE: Final = " │├└─"
"""What stands before the name of a step."""


class Display(Protocol):
    """Shows generations under way. A context manager."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def add(self, generation_id: str, name: str, key: str | None = None) -> None:
        """Show one more generation; with a key, in the place of what was expected under that."""

    def expect(self, key: str, name: str) -> None:
        """Show one that is to begin later; :meth:`add` with its key tells that it does."""

    def over(self, key: str, outcome: str, said: str) -> None:
        """One that was expected ended without ever beginning."""

    def event(self, event: Event) -> None:
        """Something happened to one of them."""

    def note(self, text: str) -> None:
        """A line that stays."""

    def paused(self) -> contextlib.AbstractContextManager[None]:
        """Leave the terminal to a question."""


def display_for(out: Output) -> Display:
    """Live for a person; lines for a log; nothing beside JSON."""
    if out.errors_terminal:
        return _Live(out)
    return _Silent() if out.json else _Lines(out)


def _said(event: Event) -> str:
    """An event in words; empty where it says nothing new."""
    data = event.data
    match event.type:
        case "progress":
            return _progress(data)
        case "submitted":
            return f"submitted as {data.get('provider_job_id') or 'a job without id'}"
        case "retrying":
            reason, wait = data.get("reason", ""), data.get("seconds")
            when = f", again in {wait:.0f} s" if isinstance(wait, int | float) else ""
            return f"{reason}{when}"
        case "fallback":
            return f"{data.get('from')} cannot be used: {data.get('reason')}"
        case "artifact":
            return ""
        case "resolved":
            return f"decided: {data.get('decision')}"
        case _:
            return _WORDS.get(event.type, event.type)


_WORDS: Final = {
    "queued": "queued",
    "submitting": "submitting",
    "fetching": "fetching the result",
    "canceling": "canceling",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "canceled",
    "unknown": "the answer to the submit was lost",
}


def _progress(data: Mapping[str, Any]) -> str:
    if data.get("status") == "queued":
        position = data.get("queue_position")
        return "in the queue" if position is None else f"in the queue at position {position}"
    percent = data.get("percent")
    return "running" if percent is None else f"running, {percent:.0f} %"


def _log_lines(event: Event) -> list[str]:
    lines = event.data.get("lines") or ()
    shown = (plain(str(line))[:300] for line in lines if not _BAR.search(str(line)))
    return [line for line in shown if line]


class _Silent:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, generation_id: str, name: str, key: str | None = None) -> None:
        pass

    def expect(self, key: str, name: str) -> None:
        pass

    def over(self, key: str, outcome: str, said: str) -> None:
        pass

    def event(self, event: Event) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def paused(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class _Lines(_Silent):
    """A line for each thing that happens."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._names: dict[str, str] = {}
        self._last: dict[str, str] = {}

    def add(self, generation_id: str, name: str, key: str | None = None) -> None:
        self._names[generation_id] = name
        self._out.note(f"{name}: generation {generation_id}")

    def over(self, key: str, outcome: str, said: str) -> None:
        self._out.note(f"{key}: {outcome}{f', because {said}' if said else ''}")

    def event(self, event: Event) -> None:
        name = self._names.get(event.generation_id, "")
        if event.type == "log":
            for line in _log_lines(event):
                self._out.note(f"{name}: | {line}")
            return
        said = plain(_said(event))
        if said and said != self._last.get(event.generation_id):
            self._last[event.generation_id] = said
            self._out.note(f"{name}: {said}")

    def note(self, text: str) -> None:
        self._out.note(text)


@define
class _Row:
    name: str
    began: float | None = field(factory=time.monotonic)
    said: str = "queued"
    percent: float | None = None
    ended: float | None = None
    outcome: str = ""


_MARKS: Final = {"succeeded": ("✓", "green"), "failed": ("✗", "red"), "canceled": ("-", "dim")}
_MARKS_OF_STEPS: Final = {**_MARKS, "skipped": ("-", "dim"), "waiting": ("·", "dim")}


class _Live:
    """A line for each generation that changes in place, logs above."""

    def __init__(self, out: Output) -> None:
        # Slow to import, and only terminals need it.
        from rich.console import Console  # noqa: PLC0415
        from rich.live import Live  # noqa: PLC0415
        from rich.spinner import Spinner  # noqa: PLC0415

        self._rows: dict[str, _Row] = {}
        self._keys: dict[str, str] = {}
        self._console = Console(file=out.errors)
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            console=self._console,
            get_renderable=self._table,
            refresh_per_second=10,
            transient=True,
            redirect_stdout=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def add(self, generation_id: str, name: str, key: str | None = None) -> None:
        row = self._rows.get(key or generation_id)
        if key is None or row is None:
            self._rows[generation_id] = _Row(name)
            return
        row.began, row.outcome, row.said = time.monotonic(), "", "queued"
        self._keys[generation_id] = key

    def expect(self, key: str, name: str) -> None:
        self._rows[key] = _Row(name, began=None, said="waiting", outcome="waiting")

    def over(self, key: str, outcome: str, said: str) -> None:
        row = self._rows.get(key)
        if row is not None and row.ended is None:
            row.outcome, row.ended = outcome, time.monotonic()
            row.said = f"{outcome}{f': {plain(said)}' if said else ''}"

    def event(self, event: Event) -> None:
        row = self._rows.get(self._keys.get(event.generation_id, event.generation_id))
        if row is None:
            return
        if event.type == "log":
            for line in _log_lines(event):
                prefix = f"{row.name.lstrip(_TREE)}: " if len(self._rows) > 1 else ""
                self._print(f"{prefix}{line}", "dim")
            return
        if event.type == "fallback":
            self._print(plain(_said(event)), "yellow")
            return
        row.said = plain(_said(event)) or row.said
        percent = event.data.get("percent") if event.type == "progress" else None
        if percent is not None:
            row.percent = float(percent)
        if event.type in (*_MARKS, "unknown"):
            row.outcome, row.ended = event.type, time.monotonic()

    def note(self, text: str) -> None:
        self._print(text, "")

    def _print(self, text: str, style: str) -> None:
        from rich.text import Text  # noqa: PLC0415

        self._console.print(Text(text, style=style))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        self._live.stop()
        try:
            yield
        finally:
            self._live.start(refresh=True)

    def _table(self) -> Any:
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table.grid(padding=(0, 1))
        now = time.monotonic()
        for row in self._rows.values():
            mark, style = _MARKS_OF_STEPS.get(row.outcome, ("?", "yellow"))
            running = row.ended is None and row.began is not None
            took = "" if row.began is None else seconds((row.ended or now) - row.began)
            bar: Any = ""
            if running:
                bar = ProgressBar(
                    total=100,
                    completed=row.percent or 0.0,
                    pulse=row.percent is None,
                    width=20,
                    animation_time=now,
                )
            table.add_row(
                self._spinner if running else Text(mark, style=style),
                Text(row.name, style="bold", no_wrap=True),
                bar,
                Text(
                    row.said, style="cyan" if running else style, overflow="ellipsis", no_wrap=True
                ),
                Text(took, style="dim", no_wrap=True),
            )
        return table
