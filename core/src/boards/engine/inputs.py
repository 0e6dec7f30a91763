"""What a caller gave, as the store keeps it: with defaults, checked, its files in the storage."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from boards.artifacts import EXTENSION, KEY, REFERENCE_PREFIX, Artifact, extension_of
from boards.engine.files import parse_data_uri
from boards.engine.media import sniff
from boards.errors import InvalidInputError, Problem
from boards.spec.inputs import InputSchema
from boards.storage import Blob, BlobWriter, Storage

__all__ = ["checked", "ingested"]

_CHUNK: Final = 1_048_576
_PENDING: Final = f"{REFERENCE_PREFIX}pending"


def checked(schema: InputSchema, given: Mapping[str, Any], generator: str) -> dict[str, Any]:
    """The input with its defaults; files are still as they were given.

    Raises:
        InvalidInputError: All that is wrong with it, each problem naming its field.
    """
    completed = schema.complete(given)
    problems: list[Problem] = []
    shown = dict(completed)
    for one in schema.files:
        if one.name not in completed or completed[one.name] is None:
            continue
        value = completed[one.name]
        values = value if one.many and isinstance(value, list | tuple) else [value]
        for item in values:
            problems += _file_problems(one.name, item)
        pending = [_PENDING if _is_file(item) else item for item in values]
        shown[one.name] = pending if values is value else pending[0]
    problems += schema.problems(shown)
    if problems:
        raise InvalidInputError(
            "The input does not fit the generator; nothing was sent.",
            problems,
            generator=generator,
            remedy=f"See what it takes: boards show {generator}",
        )
    return completed


def _is_file(value: Any) -> bool:
    return isinstance(value, os.PathLike | bytes | bytearray | Artifact)


def _file_problems(name: str, value: Any) -> list[Problem]:
    if isinstance(value, os.PathLike):
        path = Path(value)
        try:
            there = path.is_file()
        except OSError as error:  # its name is too long, a directory may not be searched
            return [Problem(name, f"{path} cannot be read: {error.strerror or error}")]
        if not there:
            return [Problem(name, f"there is no file {path}")]
        if not os.access(path, os.R_OK):
            return [Problem(name, f"{path} cannot be read")]
        return []
    if not isinstance(value, str):
        return []  # its type is checked with all others
    if value.startswith("data:"):
        try:
            parse_data_uri(value)
        except ValueError as error:
            return [Problem(name, str(error))]
        return []
    if not value.startswith(("https://", "http://", REFERENCE_PREFIX)):
        return [
            Problem(
                name,
                f"{value[:80]!r} is no URL, data URI or artifact; "
                "a file is given as a Path (on the command line: @FILE)",
            )
        ]
    return []


async def ingested(
    schema: InputSchema, completed: dict[str, Any], storage: Storage
) -> dict[str, Any]:
    """The input as JSON: files become ``artifact:KEY``, kept until the submit and after it.

    Raises:
        StorageError: A file cannot be kept.
        InvalidInputError: A file went away meanwhile, or the storage has no such artifact.
    """
    for one in schema.files:
        value = completed.get(one.name)
        if value is None:
            continue
        if one.many and isinstance(value, list | tuple):
            completed[one.name] = [await _kept(one.name, item, storage) for item in value]
        else:
            completed[one.name] = await _kept(one.name, value, storage)
    return completed


async def _kept(name: str, value: Any, storage: Storage) -> Any:
    if isinstance(value, Artifact):
        value = value.reference
    if isinstance(value, str) and value.startswith(REFERENCE_PREFIX):
        await _refuse_missing(name, value, storage)
    if not isinstance(value, bytes | bytearray | os.PathLike):
        return value
    writer = storage.writer()
    try:
        if isinstance(value, os.PathLike):
            blob = await _copied(name, Path(value), writer)
        else:
            await writer.write(bytes(value))
            blob = await writer.commit(extension_of(sniff(writer.head) or ""))
    except BaseException:  # a caller who gives up, too
        await writer.abort()
        raise
    return f"{REFERENCE_PREFIX}{blob.key}"


async def _refuse_missing(name: str, reference: str, storage: Storage) -> None:
    """Later it would hold the generation up, as a fault of the storage, and for good."""
    key = reference[len(REFERENCE_PREFIX) :]
    if not KEY.fullmatch(key) or await storage.stat(key) is None:
        problem = Problem(name, f"there is no file {reference[:100]!r} in the storage")
        raise InvalidInputError("An input file is missing; nothing was sent.", [problem])


async def _copied(name: str, path: Path, writer: BlobWriter) -> Blob:
    try:
        with await asyncio.to_thread(path.open, "rb") as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                await writer.write(chunk)
    except OSError as error:
        problem = Problem(name, f"{path} cannot be read: {error.strerror or error}")
        raise InvalidInputError("An input file cannot be read.", [problem]) from error
    sniffed = sniff(writer.head)
    extension = extension_of(sniffed) if sniffed else path.suffix[1:].lower()
    return await writer.commit(extension if EXTENSION.fullmatch(extension) else "bin")
