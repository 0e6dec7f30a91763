"""A disk that forgets what was not synced: it records what a storage does, and cuts the power.

POSIX promises no more than this: bytes are durable once their file was synced, a name once its
directory was. Before that each may be there after a power cut, or not, or in part.
"""

import itertools
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

from attrs import define, field, frozen

__all__ = ["Journal", "State", "journaled"]

_Operation = tuple[str, Any, Any]

DATA: Final = ("dropped", "torn", "zeros", "kept")
"""What may become of bytes that were not synced."""
NAMES: Final = ("dropped", "kept")
"""What may become of names that were not synced."""


@frozen
class State:
    """What a power cut leaves.

    Attributes:
        names: Of directories (None) and files (their bytes), relative to the journal's root.
        claimed: What was claimed to be durable before.
        told: After which operation, and what became of that which was not synced.
    """

    names: dict[str, bytes | None]
    claimed: frozenset[str]
    told: str

    def materialise(self, root: Path) -> None:
        """Make the files and directories."""
        for name, content in sorted(self.names.items()):
            path = root / name
            if not path.parent.is_dir():
                continue  # what lies in a directory that was lost is lost
            if content is None:
                path.mkdir()
            else:
                path.write_bytes(content)


@define
class _File:
    content: bytearray = field(factory=bytearray)
    synced: int = 0


class Journal:
    """What was done below a directory, in order.

    Args:
        root: The directory; it is durable.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.operations: list[_Operation] = []
        self._numbers = itertools.count()
        self._files: dict[int, int] = {}
        self._folders: dict[int, str] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def name(self, path: Path) -> str:
        """A path as the journal has it."""
        return str(Path(path).relative_to(self.root))

    def note(self, operation: str, subject: Any, detail: Any = None) -> None:
        """Record an operation that was done."""
        with self:
            self.operations.append((operation, subject, detail))

    def claim(self, key: str) -> None:
        """Somebody relies on it from now on."""
        self.note("claim", key)

    def created(self, path: Path, descriptor: int) -> None:
        """A file was made."""
        number = self._files[os.fstat(descriptor).st_ino] = next(self._numbers)
        self.note("create", self.name(path), number)

    def made(self, path: Path) -> None:
        """A directory was made."""
        self.note("mkdir", self.name(path))

    def wrote(self, descriptor: int, content: bytes) -> None:
        """Bytes were added to a file."""
        self.note("write", self._files[os.fstat(descriptor).st_ino], content)

    def synced(self, descriptor: int) -> None:
        """A file or a directory was synced."""
        told = os.fstat(descriptor)
        if stat.S_ISDIR(told.st_mode):
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            self.note("sync names", self.name(path))
        else:
            self.note("sync", self._files[told.st_ino])

    def states(self) -> Iterator[State]:
        """Everything that a power cut may leave, after each operation."""
        for end in range(len(self.operations) + 1):
            for data, names in itertools.product(DATA, NAMES):
                yield self._state(end, data, names)

    def _state(self, end: int, data: str, names: str) -> State:
        files: dict[int, _File] = {}
        live: dict[str, int | None] = {}
        durable: dict[str, int | None] = {}
        claimed = set()
        for operation, subject, detail in self.operations[:end]:
            match operation:
                case "create":
                    files[detail] = _File()
                    live[subject] = detail
                case "mkdir":
                    live[subject] = None
                case "write":
                    files[subject].content += detail
                case "sync":
                    files[subject].synced = len(files[subject].content)
                case "rename":
                    live[detail] = live.pop(subject)
                case "unlink":
                    live.pop(subject)
                case "sync names":
                    here = {name for name in {*live, *durable} if _parent(name) == subject}
                    for name in here:
                        if name in live:
                            durable[name] = live[name]
                        else:
                            durable.pop(name)
                case "claim":
                    claimed.add(subject)
        kept = live if names == "kept" else durable
        content = {
            name: None if number is None else _remains(files[number], data)
            for name, number in kept.items()
        }
        told = f"after {end} operations, data {data}, names {names}"
        return State(content, frozenset(claimed), told)


def _parent(name: str) -> str:
    return str(Path(name).parent)


def _remains(file: _File, data: str) -> bytes:
    whole, synced = bytes(file.content), file.synced
    match data:
        case "dropped":
            return whole[:synced]
        case "torn":
            return whole[: (synced + len(whole)) // 2]
        case "zeros":
            return whole[:synced] + bytes(len(whole) - synced)
        case _:
            return whole


class _Path(type(Path())):  # type: ignore[misc]
    """A path whose operations are recorded."""

    journal: ClassVar[Journal]

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        with self.journal:
            for folder in reversed([self, *self.parents]) if parents else [self]:
                if not folder.exists():
                    os.mkdir(folder, mode)
                    self.journal.made(folder)

    def replace(self, target: Any) -> Any:
        with self.journal:
            replaced = super().replace(target)
            self.journal.note("rename", self.journal.name(self), self.journal.name(target))
        return replaced

    def unlink(self, missing_ok: bool = False) -> None:
        with self.journal:
            there = self.exists()
            super().unlink(missing_ok)
            if there:
                self.journal.note("unlink", self.journal.name(self))


class _System:
    """The module ``os``, whose operations on files are recorded."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        with self._journal:
            descriptor = os.open(path, flags, mode)
            if flags & os.O_CREAT:
                self._journal.created(path, descriptor)
        return descriptor

    def write(self, descriptor: int, content: memoryview) -> int:
        with self._journal:
            self._journal.wrote(descriptor, bytes(content))
            return os.write(descriptor, content)

    def fsync(self, descriptor: int) -> None:
        with self._journal:
            os.fsync(descriptor)
            self._journal.synced(descriptor)


def journaled(journal: Journal) -> tuple[Path, Any]:
    """The journal's root, and the module ``os``, for the code that is recorded."""
    kind = type("JournaledPath", (_Path,), {"journal": journal})
    return kind(journal.root), _System(journal)
