"""``boards demo``: an image, a video and an audio clip through every emulated provider."""

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from boards.cli.attending import follow
from boards.cli.display import Display, display_for
from boards.cli.emulators import host_of, imported, instance_of
from boards.cli.exits import exit_of
from boards.cli.output import seconds, size
from boards.cli.results import as_json, copy_out
from boards.cli.session import Session, command
from boards.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from boards.boards import Boards
    from boards.generations import Generation
    from boards.testing.emulators.server import Emulator

__all__ = ["demo"]

_KNOBS: Final = {"queue_seconds": 0.5, "run_seconds": 1.5}

_FOX: Final = "a red fox in fresh snow, early light"
_SEA: Final = "waves roll onto a beach at dusk"
_PIANO: Final = "slow piano with rain on a window"

JOBS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("replicate/flux-dev", {"prompt": _FOX, "seed": 7, "output_format": "png"}),
    ("fal/flux-dev", {"prompt": _FOX, "seed": 7, "output_format": "png"}),
    ("replicate/minimax-video-01", {"prompt": _SEA}),
    ("fal/minimax-video-01", {"prompt": _SEA}),
    ("replicate/musicgen", {"prompt": _PIANO, "duration": 5, "output_format": "wav"}),
    ("fal/stable-audio-2.5", {"prompt": _PIANO, "duration": 5}),
)
"""What is generated: the same prompt through both providers."""


@command()
@click.option(
    "--out", default="boards-demo", show_default=True, metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path), help="Where the files and the page go.",
)  # fmt: skip
def demo(session: Session, out: Path) -> int:
    """Generate an image, a video and an audio clip through every emulated provider.

    No key, no cost, no network: the providers are emulated on this machine. All else is as in a
    real run; only their addresses and keys differ.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{out} cannot be written: {error.strerror or error}.",
            remedy="Choose another directory with --out DIR.",
        ) from error
    return session.run(_demo(session, out))


async def _demo(session: Session, directory: Path) -> int:
    async with contextlib.AsyncExitStack() as stack:
        emulators = [imported(name, _KNOBS) for name in ("replicate", "fal")]
        for emulator in emulators:
            await stack.enter_async_context(emulator)
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="boards-demo-"))
        boards = await stack.enter_async_context(_opened(session, home, emulators))
        with display_for(session.out) as display:
            done = await asyncio.gather(
                *(_generated(boards, name, inputs, display) for name, inputs in JOBS)
            )
        files = {one.id: copy_out(one, directory) for one in done}
        titles = {one.id: one.display_name for one in boards.generators()}
    sheet = _write_sheet(directory, done, files, titles)
    _report(session, done, files, sheet)
    return max(exit_of(one) for one in done)


def _opened(
    session: Session, home: str, emulators: "list[Emulator]"
) -> contextlib.AbstractAsyncContextManager["Boards"]:
    """Boards as it would be set up for these providers, and as nobody's own settings have it."""
    environment = {k: v for k, v in os.environ.items() if k.startswith("BOARDS_PLUGINS")}
    for emulator in emulators:
        environment |= emulator.env
    return session.opened(
        home=home,
        environment=environment,
        allow_private_hosts=tuple(host_of(emulator) for emulator in emulators),
        providers={emulator.name: instance_of(emulator) for emulator in emulators},
    )


async def _generated(
    boards: "Boards", name: str, inputs: dict[str, Any], display: Display
) -> "Generation":
    try:
        generation = await boards.submit(name, input=inputs)
    except NotFoundError as error:
        raise NotFoundError(
            f"The demo needs {name}. {error.message}",
            remedy="pip install boards-replicate boards-fal",
        ) from error
    display.add(generation.id, generation.generator)
    return await follow(boards, generation.id, display)


def _write_sheet(
    directory: Path,
    done: "list[Generation]",
    files: dict[str, dict[str, Path]],
    titles: dict[str, str],
) -> Path:
    from boards.testing.contact_sheet import Sheet, write_sheet  # noqa: PLC0415  # not for --help

    path = directory / "index.html"
    entries = [
        Sheet(one, titles.get(one.generator, one.generator), tuple(files[one.id].values()))
        for one in done
    ]
    note = "Made by emulators on this machine: real files through the real path, at no cost."
    write_sheet(path, "Boards demo", note, entries)
    return path


def _report(
    session: Session,
    done: "list[Generation]",
    files: dict[str, dict[str, Path]],
    sheet: Path,
) -> None:
    out = session.out
    if out.json:
        shown = [as_json(one, files[one.id]) for one in done]
        out.value({"contact_sheet": str(sheet), "generations": shown})
        return
    rows = []
    for one in done:
        took = (one.finished_at or one.created_at) - one.created_at
        if one.error is not None:
            rows.append([one.generator, one.error.message, one.error.kind, "", seconds(took)])
        for artifact in one.artifacts:
            path = str(files[one.id].get(artifact.id, ""))
            facts = [path, artifact.mime, size(artifact.size), seconds(took)]
            rows.append([one.generator, *facts])
    out.table(("generator", "file", "media type", "size", "took"), rows)
    out.note(f"See them all: {sheet}")
