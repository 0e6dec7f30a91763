"""Files that an owner may not use as input: those that only others have.

A file in the storage is named by the hash of its bytes, and equal bytes of two owners are one file.
So a name is no secret to be relied on: whoever learned it, from a log or from a shared link, must
not get the bytes by it. What counts is that a generation of the owner's own has the file.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from boards.artifacts import KEY, REFERENCE_PREFIX, Artifact
from boards.errors import InvalidInputError, Problem

if TYPE_CHECKING:
    from boards.store import Store

__all__ = ["refuse_foreign_files"]


async def refuse_foreign_files(store: "Store", given: Mapping[str, Any], owner: str) -> None:
    """Refuse an input that names files of the storage which its owner does not have.

    Args:
        store: What each owner has.
        given: Input by name, before it is checked. All of it is looked at, whatever it is for:
            what a text means is up to the generator.
        owner: Whose input it is.

    Raises:
        InvalidInputError: The fields that name such files. Whether they exist is not told.
    """
    problems = [
        Problem(where, "names no file of a generation of yours")
        for where, file in _files(given, "")
        if not await _has(store, file, owner)
    ]
    if problems:
        raise InvalidInputError(
            "The input names files that cannot be used; nothing was sent.",
            problems,
            remedy="Give the file itself, or an artifact of a generation of yours.",
        )


async def _has(store: "Store", file: Artifact | str, owner: str) -> bool:
    if isinstance(file, str):
        return await store.has_file(file, owner=owner)
    made_by = await store.get(file.id.rpartition(".")[0], owner=owner)
    if made_by is not None and any(one.key == file.key for one in made_by.artifacts):
        return True
    return await store.has_file(file.key, owner=owner)


def _files(given: Any, where: str) -> Iterator[tuple[str, Artifact | str]]:
    """Artifacts, and the keys of texts that are ``artifact:KEY``, with the fields they are in."""
    if isinstance(given, Mapping):
        for name, one in given.items():
            yield from _files(one, f"{where}.{name}" if where else str(name))
    elif isinstance(given, list | tuple):
        for number, one in enumerate(given):
            yield from _files(one, f"{where}[{number}]")
    elif isinstance(given, Artifact):
        yield where, given
    elif isinstance(given, str) and given.startswith(REFERENCE_PREFIX):
        key = given.removeprefix(REFERENCE_PREFIX)
        if KEY.fullmatch(key):
            yield where, key
