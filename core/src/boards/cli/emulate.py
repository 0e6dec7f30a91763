"""``boards emulate``: a provider's API on the loopback interface."""

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from boards.cli.emulators import declared, host_of, imported, instance_of
from boards.cli.exits import Exit
from boards.cli.interrupts import Interrupts
from boards.cli.output import Output
from boards.cli.session import Session, command
from boards.errors import BoardsError

if TYPE_CHECKING:
    from boards.testing.emulators.server import Emulator

__all__ = ["KNOBS", "emulate"]

_OWN: Final = ("replicate", "fal")
"""Providers whose emulators were written by hand."""
_SECONDS: Final = click.FloatRange(0)
_COUNT: Final = click.IntRange(0)

KNOBS: Final[dict[str, tuple[Any, str]]] = {
    "queue_seconds": (_SECONDS, "Time in the queue before a job runs."),
    "run_seconds": (_SECONDS, "Time a job runs."),
    "fail_every": (_COUNT, "Every Nth job fails."),
    "moderate_every": (_COUNT, "Every Nth job is refused by content policy."),
    "lose_replies_every": (_COUNT, "Every Nth create is accepted, and its reply lost."),
    "error_every": (_COUNT, "Every Nth request answers 503."),
    "rate_limit_every": (_COUNT, "Every Nth create answers 429."),
    "latency_seconds": (_SECONDS, "Added to every request."),
    "expire_seconds": (_SECONDS, "How long outputs live."),
    "key": (str, "The only accepted key; by default any."),
    "output_host": (str, "Base URL of outputs, instead of the emulator's own."),
}
"""The options of an emulator's behaviour: ``boards.testing.emulators.server.Knobs``.

Its ``strict`` is the global ``--strict``.
"""


def _knobs(function: Any) -> Any:
    for name, (kind, help_) in reversed(KNOBS.items()):
        option = f"--{name.replace('_', '-')}"
        function = click.option(option, name, type=kind, default=None, help=help_)(function)
    return function


@command(
    epilog="NAME is a provider: replicate and fal have emulators of their own, which know more than"
    " a spec tells. PATH is a YAML file of a provider, or a directory of them."
)
@click.argument("targets", nargs=-1, required=True, metavar="NAME|PATH...")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="0 takes a free one.")
@click.option("--tls", is_flag=True, help="Speak HTTPS, with a throwaway certificate.")
@_knobs
def emulate(session: Session, targets: tuple[str, ...], port: int, tls: bool, **knobs: Any) -> int:
    """Serve a provider's API on 127.0.0.1, until Ctrl-C.

    It makes real files, costs nothing, and fails when told to. Any provider is played from its
    specification and the fixtures in it. A model that an emulator of its own does not know runs a
    stock one; with --strict it is refused.
    """
    given = {knob: value for knob, value in knobs.items() if value is not None}
    if session.strict:
        given["strict"] = True
    if len(targets) == 1 and targets[0] in _OWN:
        return session.run(_serve(session.out, imported(targets[0], given, tls=tls), port, tls))
    emulator = declared(session, targets, given, tls=tls)
    file = Path(targets[0]).resolve() if len(targets) == 1 and Path(targets[0]).is_file() else None
    return session.run(_serve(session.out, emulator, port, tls, file))


async def _serve(
    out: Output, emulator: "Emulator", port: int, tls: bool, file: Path | None = None
) -> int:
    with Interrupts() as interrupts:
        try:
            await emulator.start(port=port, tls=tls)
        except OSError as error:
            raise BoardsError(
                f"127.0.0.1:{port} cannot be listened on: {error.strerror or error}.",
                remedy="Choose another port, or none: --port 0 takes a free one.",
            ) from error
        try:
            _tell(emulator, out, file)
            await interrupts.next()
        finally:
            await asyncio.wait_for(emulator.stop(), 5)
    return Exit.OK


def _tell(emulator: "Emulator", out: Output, file: Path | None) -> None:
    instance = instance_of(emulator)
    # What a host's own file defines cannot have an instance of its own name.
    name = emulator.name if file is None else f"{emulator.name}-local"
    environment = {**emulator.env, "BOARDS_ALLOW_PRIVATE_HOSTS": host_of(emulator)}
    if file is not None:
        environment["BOARDS_GENERATORS_CONFIG_PATH"] = str(file)
    if emulator.ca_file:
        environment["SSL_CERT_FILE"] = str(emulator.ca_file)
    stats = f"{emulator.base_url}/_boards/stats"
    if out.json:
        out.value(
            {
                "name": emulator.name,
                "base_url": emulator.base_url,
                "stats_url": stats,
                "ca_file": str(emulator.ca_file) if emulator.ca_file else None,
                "environment": environment,
                "providers": {name: instance},
            },
            compact=True,
        )
        return
    out.line(f"{emulator.name} emulator at {emulator.base_url}")
    out.line()
    out.line("Use it in another terminal:")
    for variable, value in environment.items():
        out.line(f"  export {variable}={shlex.quote(value)}")
    out.line()
    out.line("and in providers.yaml (in the home of Boards, or BOARDS_PROVIDERS_CONFIG_PATH):")
    out.line("  providers:")
    out.line(f"    {name}:")
    out.line(f"      type: {instance['type']}")
    out.line("      config:")
    for key, value in instance["config"].items():
        out.line(f"        {key}: {value}")
    out.line()
    out.line(f"Its routes are at {emulator.base_url}/_boards.")
    out.line(f"Requests are counted at {stats}. Ctrl-C stops.")
