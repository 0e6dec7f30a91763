"""The result of a generation: on paper, as JSON, and as files where somebody wants them."""

import asyncio
import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from attrs import evolve

from boards.artifacts import Artifact, extension_of
from boards.cli.failures import told, write
from boards.cli.output import Output, seconds, size
from boards.errors import BoardsError, GenerationCanceledError, GenerationUnresolvedError
from boards.facade import Facade
from boards.generations import Generation

__all__ = ["as_json", "bring_out", "copy_out", "cost", "report"]


async def bring_out(boards: Facade, generation: Generation, directory: Path) -> dict[str, Path]:
    """Copy the artifacts of a generation: from their files, or from the storage by their hashes.

    A storage may keep no files, and what was moved is not where it was when it was made.

    Raises:
        OSError: The directory cannot be written.
        StorageError: The storage cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="boards-out-") as folder:
        artifacts = [
            one
            if one.path is not None and await asyncio.to_thread(one.path.is_file)
            else evolve(one, path=await _fetched(boards, one, Path(folder)))
            for one in generation.artifacts
        ]
        return copy_out(evolve(generation, artifacts=tuple(artifacts)), directory)


async def _fetched(boards: Facade, artifact: Artifact, folder: Path) -> Path:
    path = folder / artifact.id
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in boards.read(artifact):
            await asyncio.to_thread(file.write, chunk)
    return path


def copy_out(generation: Generation, directory: Path) -> dict[str, Path]:
    """Copy the artifacts of a generation under readable names; by artifact id.

    A file that is there already is never overwritten: the same bytes are left as they are,
    others get a name beside.

    Raises:
        OSError: The directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    short = generation.generator.partition("/")[2].replace("/", "-")
    copies = {}
    for number, artifact in enumerate(generation.artifacts):
        if artifact.path is not None:
            # The end of the id: its beginning is the time, shared by all that began together.
            stem = f"{short}-{generation.id[-8:]}-{number}"
            copies[artifact.id] = _copied(artifact, artifact.path, directory, stem)
    return copies


def _copied(artifact: Artifact, source: Path, directory: Path, stem: str) -> Path:
    suffix = f".{extension_of(artifact.mime)}"
    for count in itertools.count(1):
        target = directory / f"{stem}{f'-{count}' if count > 1 else ''}{suffix}"
        if _same(target, artifact):
            break
        try:
            with source.open("rb") as original, target.open("xb") as file:
                _fill(target, file, original)
        except FileExistsError:
            continue
        break
    return target


def _fill(target: Path, file: BinaryIO, original: BinaryIO) -> None:
    try:
        shutil.copyfileobj(original, file)
    except BaseException:
        target.unlink()
        raise


def _same(path: Path, artifact: Artifact) -> bool:
    if not path.is_file() or path.stat().st_size != artifact.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256


def as_json(
    generation: Generation,
    copies: Mapping[str, Path] | None = None,
    fault: BoardsError | None = None,
) -> dict[str, Any]:
    """The generation as ``--json`` prints it.

    Args:
        generation: As the store has it.
        copies: Where ``--out`` put its artifacts: their ``path`` then.
        fault: What holds it up on this machine: its ``error`` then.
    """
    shown = generation.as_dict()
    for artifact in shown["artifacts"]:
        copy = (copies or {}).get(artifact["id"])
        if copy is not None:
            artifact["path"] = str(copy.absolute())
    if fault is not None:
        shown["error"] = {
            "kind": fault.kind,
            "message": fault.message,
            "remedy": fault.remedy,
            "retryable": fault.retryable,
            "maybe_charged": False,
        }
    elif shown["error"] is None and generation.phase in ("unknown", "canceled"):
        shown["error"] = _without_result(generation)
    return shown


def _without_result(generation: Generation) -> dict[str, Any]:
    """Why there is no result where the provider reported no failure."""
    unknown = generation.phase == "unknown"
    kind = GenerationUnresolvedError if unknown else GenerationCanceledError
    error = kind(generation)
    return {
        "kind": error.kind,
        "message": error.message,
        "remedy": error.remedy,
        "retryable": False,
        "maybe_charged": unknown,
    }


def report(
    generation: Generation,
    out: Output,
    copies: Mapping[str, Path] | None = None,
    fault: BoardsError | None = None,
) -> None:
    """Write a result: paths to stdout, the rest to stderr; or one JSON object."""
    if out.json:
        out.value(as_json(generation, copies, fault))
        return
    if fault is not None:
        write(told(fault), out)
        out.note(f"Nothing is lost. Go on with: boards wait {generation.id}")
        return
    if generation.phase == "succeeded":
        out.note(_headline(generation, out))
        for artifact in generation.artifacts:
            path = (copies or {}).get(artifact.id) or artifact.path or artifact.id
            facts = f"  {artifact.mime}  {size(artifact.size)}" if out.terminal else ""
            out.line(f"{path}{facts}")
    elif generation.final or generation.phase == "unknown":
        from boards.boards import succeeded  # noqa: PLC0415  # it tells what is the matter

        try:
            succeeded(generation)
        except BoardsError as error:
            write(told(error), out)
    else:
        out.line(generation.id)


def _headline(generation: Generation, out: Output) -> str:
    took = (generation.finished_at or generation.created_at) - generation.created_at
    mark = out.style("✓", fg="green") if out.errors_terminal else "succeeded:"
    parts = [f"{mark} {generation.generator}", generation.id, seconds(took), cost(generation)]
    return "  ".join(part for part in parts if part)


def cost(generation: Generation) -> str:
    """What a generation costs, for people; ``~`` before an estimate, and none that was released."""
    price = generation.cost
    if price is None or generation.usd != price.usd:
        return ""
    return f"{'~' if price.estimated else ''}${price.usd:.6f}".rstrip("0").rstrip(".")
