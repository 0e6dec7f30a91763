"""What every command shares: the global options, the streams, and how Boards is opened."""

import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TextIO, TypeVar, cast

import click
from attrs import define, field

from boards.auth import Identity
from boards.boards import Boards
from boards.cli.output import Output
from boards.errors import NotFoundError
from boards.facade import Facade
from boards.settings import Settings, load

__all__ = ["Session", "alone_on_stdout", "command", "global_options", "of_an_owner"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@define
class Session:
    """One call of ``boards``.

    Attributes:
        json: ``--json``, before or after the command.
        strict: ``--strict``.
        home: ``--home``.
        identity: ``--owner``: whose things a command is about; None for the host's own.
        closing: Boards is being closed, after what the command did.
        leaving: It was told to leave, by a signal.
    """

    json: bool = False
    strict: bool = False
    home: str | None = None
    identity: Identity | None = None
    closing: bool = field(default=False, init=False)
    leaving: bool = field(default=False, init=False)
    _stdout: TextIO = field(factory=lambda: sys.stdout, init=False)
    _stderr: TextIO = field(factory=lambda: sys.stderr, init=False)

    @property
    def out(self) -> Output:
        """Where this call writes: the streams as they were when it began."""
        return Output(json=self.json, stdout=self._stdout, stderr=self._stderr)

    def boards(self, *, drive: bool = True, **more: Any) -> Boards:
        """The facade with the global options; a command that only looks never drives."""
        overrides: dict[str, Any] = {"home": self.home, "strict": self.strict or None, **more}
        return Boards(drive=drive, **overrides)

    @contextlib.asynccontextmanager
    async def opened(self, *, drive: bool = True, **more: Any) -> AsyncIterator[Boards]:
        """The facade, open."""
        async with self.boards(drive=drive, **more) as boards:
            try:
                yield boards
            finally:
                self.closing = True

    @contextlib.asynccontextmanager
    async def viewed(self, *, drive: bool = True) -> AsyncIterator[Facade]:
        """The facade, open, as ``--owner`` sees it: for commands :func:`of_an_owner`."""
        async with self.opened(drive=drive) as boards:
            yield boards if self.identity is None else await boards.as_owner(self.identity)

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[Boards]:
        """The facade, open to ask providers: no database is made, and no home is needed."""
        import tempfile  # noqa: PLC0415  # only here
        from pathlib import Path  # noqa: PLC0415

        from boards.storage.local import LocalStorage  # noqa: PLC0415  # with the engine
        from boards.store.sqlite import SQLiteStore  # noqa: PLC0415

        with tempfile.TemporaryDirectory(prefix="boards-") as directory:
            store = SQLiteStore(Path(directory) / "boards.db")
            storage = LocalStorage(Path(directory) / "artifacts")
            async with self.opened(drive=False, store=store, storage=storage) as boards:
                yield boards

    def settings(self) -> Settings:
        """The settings, with the global options."""
        return load(home=self.home, strict=self.strict or None)

    def has_database(self) -> bool:
        """Whether anything was ever generated here; a command that only looks makes no database."""
        return self.settings().database.exists()

    def require_database(self, generation_id: str) -> None:
        """Refuse the id of a generation where there cannot be any.

        Raises:
            NotFoundError: Nothing was ever generated in this home.
        """
        if not self.has_database():
            raise NotFoundError(
                f"There is no generation {generation_id!r}: "
                f"nothing was generated in {self.settings().home} so far.",
                remedy="Choose another home with --home DIR or BOARDS_HOME.",
            )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        import asyncio  # noqa: PLC0415  # slow to import, and help does without

        return asyncio.run(work)

    def drive(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a command that drives: told to leave, it closes in order, also while it opens."""
        from boards.cli.interrupts import in_order  # noqa: PLC0415  # slow to import, too

        return self.run(in_order(self, work))


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


def _identity(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        found = Identity.of_scope(value) if "/" in value else Identity(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}, as boards costs --by owner shows it.") from error
    if not found.scope:
        raise click.BadParameter("it is empty: leave it out for what is the host's own.")
    context.ensure_object(Session).identity = found


def of_an_owner(function: F) -> F:
    """Add ``--owner`` to a command that opens :meth:`Session.viewed`."""
    return click.option(
        "--owner", metavar="[TENANT/]OWNER", expose_value=False, callback=_identity,
        help="Of an owner, where the host has many; of nobody's otherwise.",
    )(function)  # fmt: skip


def alone_on_stdout(function: F) -> F:
    """Have what libraries and plugins print meanwhile go to stderr: stdout is the result's."""

    @functools.wraps(function)
    def alone(*args: Any, **given: Any) -> Any:
        with contextlib.redirect_stdout(sys.stderr):
            return function(*args, **given)

    return cast("F", alone)


def command(**attributes: Any) -> Callable[[Callable[..., int | None]], click.Command]:
    """A command that gets the :class:`Session` first, and returns its exit code.

    It writes to :attr:`Session.out`; what anything else prints meanwhile goes to stderr.
    """

    def decorate(function: Callable[..., int | None]) -> click.Command:
        wrapped = global_options(click.pass_obj(alone_on_stdout(function)))
        made: click.Command = click.command(**attributes)(wrapped)
        return made

    return decorate
