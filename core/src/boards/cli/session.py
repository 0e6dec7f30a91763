"""What every command shares: the global options, the streams, and how Boards is opened."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import click
from attrs import define, field

from boards.boards import Boards
from boards.cli.output import Output

__all__ = ["Session", "command", "global_options"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@define
class Session:
    """One call of ``boards``.

    Attributes:
        json: ``--json``, before or after the command.
        strict: ``--strict``.
        home: ``--home``.
    """

    json: bool = False
    strict: bool = False
    home: str | None = None
    _out: Output | None = field(default=None, init=False)

    @property
    def out(self) -> Output:
        """Where this call writes."""
        if self._out is None:
            self._out = Output(json=self.json)
        return self._out

    def boards(self, *, drive: bool = True, **more: Any) -> Boards:
        """The facade with the global options; a command that only looks never drives."""
        overrides = {"home": self.home, "strict": self.strict or None, **more}
        return Boards(drive=drive, **overrides)

    @contextlib.asynccontextmanager
    async def opened(self, *, drive: bool = True, **more: Any) -> AsyncIterator[Boards]:
        """The facade, open. What libraries and plugins print meanwhile goes to stderr."""
        out = self.out  # holds the real stdout
        with contextlib.redirect_stdout(sys.stderr):
            async with self.boards(drive=drive, **more) as boards:
                yield boards
        del out

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return asyncio.run(work)


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> Any:
        if value:
            setattr(context.ensure_object(Session), name, value)
        return value

    return callback


def global_options(function: F) -> F:
    """Add ``--json``, ``--strict`` and ``--home``, which may stand before or after a command."""
    for option in (
        click.option(
            "--home", metavar="DIR", expose_value=False, callback=_set("home"),
            help="Where data lives (BOARDS_HOME).",
        ),
        click.option(
            "--strict", is_flag=True, expose_value=False, callback=_set("strict"),
            help="A broken plugin or file is an error (BOARDS_STRICT).",
        ),
        click.option(
            "--json", is_flag=True, expose_value=False, callback=_set("json"),
            help="Print one JSON value, and nothing else.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def command(**attributes: Any) -> Callable[[Callable[..., int | None]], click.Command]:
    """A command that gets the :class:`Session` first, and returns its exit code."""

    def decorate(function: Callable[..., int | None]) -> click.Command:
        wrapped = global_options(click.pass_obj(function))
        return click.command(**attributes)(wrapped)

    return decorate
