"""``boards test --record``: a fixture of a real run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from boards.cli.attending import attend, exit_of_signal
from boards.cli.check import find_mistakes, yaml_files
from boards.cli.display import display_for
from boards.cli.exits import Exit
from boards.cli.inputs import read_given
from boards.cli.interrupts import Interrupted, ask
from boards.cli.results import report
from boards.cli.session import Session
from boards.cli.targets import Chosen, choose, is_path
from boards.cli.values import read_mapping, split
from boards.errors import BoardsError, SpecError

if TYPE_CHECKING:
    from boards.boards import Boards
    from boards.entries import GeneratorEntry
    from boards.generations import Generation
    from boards.testing.fixtures.recording import Recorder

__all__ = ["Recording", "record_fixture"]


@frozen
class Recording:
    """What is to be recorded.

    Attributes:
        name: The generator, as for ``boards generate``.
        arguments: Files of specifications, and ``key=value``.
        source: ``--input``.
        title: What the fixture is called.
        write: Add it to the file.
        yes: Do not ask.
    """

    name: str
    arguments: tuple[str, ...]
    source: str | None
    title: str
    write: bool
    yes: bool

    @property
    def files(self) -> list[Path]:
        """The files that are named."""
        paths = tuple(Path(one) for one in self.arguments if is_path(one))
        return yaml_files(paths) if paths else []

    @property
    def pairs(self) -> list[Any]:
        """The inputs that are given one by one."""
        return split(one for one in self.arguments if not is_path(one))


async def record_fixture(session: Session, recording: Recording) -> int:
    """Run a generator in earnest, and print or add the fixture of the run."""
    from boards.engine.addresses import AddressPolicy  # noqa: PLC0415  # loads the engine
    from boards.engine.transport import AiohttpTransport  # noqa: PLC0415
    from boards.testing.fixtures.recording import Recorder  # noqa: PLC0415

    files, pairs = recording.files, recording.pairs
    mapping = read_mapping(recording.source) if recording.source is not None else {}
    if recording.write and len(files) != 1:
        raise click.UsageError("--write needs the one file that the fixture goes into.")
    if files and (errors := find_mistakes(session, files)[0]):
        raise SpecError("There are mistakes in the specifications.", errors)
    settings = session.settings()
    recorder = Recorder(AiohttpTransport(AddressPolicy(settings.allow_private_hosts)))
    # A home of its own: nothing else is driven there, so all that is asked belongs to this run.
    opened = session.opened(
        home=settings.home / "recordings",
        cache=settings.cache,
        providers_config_path=settings.providers_config_path,
        generators_config_path=settings.generators_config_path,
        generators=files or None,
        transport=recorder,
    )
    async with opened as boards:
        entry = boards.choose(recording.name)
        if recording.write and entry.source not in map(str, files):
            raise click.UsageError(
                f"--write: {files[0]} does not define {entry.id}. Nothing was sent."
            )
        schema = boards.registry.compiled(entry.id).inputs
        given = await read_given(session, entry.id, schema, pairs, mapping)
        if not await _agreed(session, boards, entry, given, recording):
            return Exit.FAILED
        await _alone(boards)
        generation = await boards.submit(entry.id, input=given)
        try:
            with display_for(session.out) as display:
                generation = await attend(boards, generation, display)
        except Interrupted as signaled:
            session.out.note(
                f"Nothing was recorded. See: boards --home {boards.settings.home} wait "
                f"{generation.id}"
            )
            return exit_of_signal(signaled.signal)
        fixture = await _made(session, boards, recorder, generation, entry, given, recording)
    return _written(session, recording, files, entry.id, fixture)


async def _agreed(
    session: Session,
    boards: "Boards",
    entry: "GeneratorEntry",
    given: dict[str, Any],
    recording: Recording,
) -> bool:
    """Whether somebody wants to pay for it."""
    cost = boards.estimate(entry.id, input=given)
    price = f"about ${cost.usd:.4g}" if cost is not None else "what its provider asks"
    told = f"This runs {entry.id} in earnest, and costs {price}."
    if recording.yes:
        session.out.note(told)
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"{told} If that is meant, add --yes.")
    if await ask(f"{told} Go on? [y/N] "):
        return True
    session.out.note("Nothing was sent.")
    return False


async def _alone(boards: "Boards") -> None:
    """Nothing else may run here: its requests would be recorded too.

    Raises:
        BoardsError: Something does.
    """
    home = boards.settings.home
    others = await boards.list(statuses=("queued", "running"))
    if others or not boards._running.driving:  # the same package
        raise BoardsError(
            f"Another recording is unfinished in {home}; nothing was sent.",
            remedy=f"See it, and wait for it or cancel it: boards --home {home} generations",
        )


async def _made(
    session: Session,
    boards: "Boards",
    recorder: "Recorder",
    generation: "Generation",
    entry: "GeneratorEntry",
    given: dict[str, Any],
    recording: Recording,
) -> dict[str, Any]:
    from boards.cli.output import Output  # noqa: PLC0415  # rarely needed
    from boards.testing.fixtures.recording import fixture_of  # noqa: PLC0415

    # The fixture is the result: what is told of the generation goes beside it.
    report(generation, Output(json=False, stdout=session.out.errors, stderr=session.out.errors))
    chosen = _source(session, entry, recording.files)
    return await fixture_of(
        boards, generation, given, recorder.taken, name=recording.title, **chosen.boards
    )


def _source(session: Session, entry: "GeneratorEntry", files: list[Path]) -> Chosen:
    """Where the fixture will find its generator when it is tested."""
    if entry.source in map(str, files):
        return choose(session, tuple(map(str, files)))
    return choose(session, (entry.id,))


def _written(
    session: Session,
    recording: Recording,
    files: list[Path],
    generator_id: str,
    fixture: dict[str, Any],
) -> int:
    from boards.spec.writing import to_yaml  # noqa: PLC0415  # not for --help
    from boards.testing.fixtures.inserting import (  # noqa: PLC0415
        NotInsertedError,
        inserted,
    )
    from boards.textfiles import replace_text  # noqa: PLC0415

    out = session.out
    if recording.write:
        (path,) = files
        try:
            text = path.read_bytes().decode()
            replace_text(path, inserted(text, generator_id, fixture))
        except (NotInsertedError, OSError) as error:
            out.note(f"{path}: {getattr(error, 'message', error)}")
        else:
            out.note(f"The fixture {recording.title!r} was added to {path}.")
            if out.json:
                out.value(fixture)
            return Exit.OK
    if out.json:
        out.value(fixture)
    else:
        out.line(to_yaml([fixture]).rstrip("\n"))
    return Exit.FAILED if recording.write else Exit.OK
