"""What is installed and what it offers, remembered between runs.

A listing must not read every plugin's YAML, nor the metadata of every distribution. The index
keeps what they said, with the stamps (size, mtime) of everything that was looked at: an entry
whose stamps are unchanged is still true. It is a cache: where it is missing, damaged or cannot be
written, everything is read again, and nobody is told.
"""

import contextlib
import json
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import astuple

from boards.discovery import (
    EntryPoint,
    Folder,
    SpecSource,
    canonical,
    entry_points_at,
    find_folder,
    packages_at,
    search_path,
    stamp,
)
from boards.rows import FileRows

if TYPE_CHECKING:
    from boards.documents import SpecDocument

__all__ = ["Index"]

_HERE: Final = Path(__file__).parent
_KEPT_BYTES: Final = 1_000_000
"""How much of what was read for its rows alone is kept: a tree takes some thirty times its text."""


class Index:
    """Entry points, specification files and their rows, of this process's search path.

    Args:
        directory: Where it is remembered; made when it is first written.
    """

    def __init__(self, directory: Path) -> None:
        # One file for each environment, so that two of them do not undo each other's work.
        environment = zlib.crc32(os.fsencode(sys.prefix))
        self._file = directory / f"index-{environment:08x}.json"
        self._code = _code_stamp()
        self._old = _load(self._file, self._code)
        self._new: dict[str, dict[str, Any]] = {"paths": {}, "folders": {}, "files": {}}
        self._documents: dict[SpecSource, SpecDocument] = {}
        self._kept = 0
        self._entry_points: tuple[EntryPoint, ...] | None = None
        self._news = False
        self._moved: Callable[[str], bool] = lambda _: False

    def entry_points(self) -> tuple[EntryPoint, ...]:
        """The ``boards.*`` entry points, by distribution, group and name.

        Of a distribution that is installed twice, the one that Python finds first counts.
        """
        if self._entry_points is None:
            self._entry_points = self._find_entry_points()
        return self._entry_points

    def _find_entry_points(self) -> tuple[EntryPoint, ...]:
        old, new = self._old["paths"], self._new["paths"]
        changed = []
        for path in search_path():
            now = stamp(path)
            known = old.get(path)
            if known is None or known[0] != now:
                changed.append(path)
                found = [] if now is None else entry_points_at(path)
                known = [now, [astuple(one) for one in found]]
            new[path] = known
        reordered = list(old) != list(new)
        self._moved = _moves(changed, reordered=reordered)
        self._news |= reordered or bool(changed)
        homes: dict[str, str] = {}
        entry_points = [
            one
            for path, (_, rows) in new.items()
            for one in (EntryPoint(*row) for row in rows)
            if homes.setdefault(canonical(one.distribution), path) == path
        ]
        entry_points.sort(
            key=lambda one: (canonical(one.distribution), one.group, one.name, one.value)
        )
        return tuple(dict.fromkeys(entry_points))

    def spec_files(self, entry_point: EntryPoint) -> tuple[SpecSource, ...]:
        """The specification files that an entry point of ``boards.specs`` names.

        Raises:
            FolderError: It names none.
        """
        folder = self._folder(entry_point.value)
        sources = []
        for relative, path in folder.files:
            size, mtime_ns = stamp(path) or (0, 0)
            sources.append(
                SpecSource(
                    path,
                    entry_point.value,
                    relative,
                    entry_point.name,
                    entry_point.distribution,
                    entry_point.version,
                    size,
                    mtime_ns,
                )
            )
        return tuple(sources)

    def _folder(self, package: str) -> Folder:
        self.entry_points()  # tells what has moved
        known = None if self._moved(package) else self._old["folders"].get(package)
        if known is None or any(stamp(path) != then for path, then in known[0]):
            folder = find_folder(package)
            self._news = True
            known = [folder.folders, folder.files]
        self._new["folders"][package] = known
        return Folder(
            tuple((path, then) for path, then in known[0]),
            tuple((relative, path) for relative, path in known[1]),
        )

    def rows(self, source: SpecSource) -> FileRows:
        """What a file offers; its mistakes are among the rows, and so is a file that is gone."""
        key = f"{'host' if source.host else 'plugin'}:{source.path}"
        now = [source.size, source.mtime_ns]
        known = self._old["files"].get(key)
        if known is not None and known[0] == now:
            self._new["files"][key] = known
            return FileRows.from_json(known[1])
        document = self._documents.get(source) or _read(source)
        if self._kept < _KEPT_BYTES:  # it is probably wanted soon; of very many, most are not
            self._kept += source.size
            self._documents[source] = document
        rows = document.rows
        self._news = True
        self._new["files"][key] = [now, rows.as_json()]
        return rows

    def document(self, source: SpecSource) -> "SpecDocument":
        """A file, read; kept from then on."""
        if source not in self._documents:
            self._documents[source] = _read(source)
        return self._documents[source]

    def save(self) -> None:
        """Remember what was found, if it is news. What nobody asked for is kept while it exists."""
        if not self._news:
            return
        self._news = False
        old, new = self._old, self._new
        files = {key: rows for key, rows in old["files"].items() if _exists(key)}
        remembered = {
            "code": self._code,
            "paths": new["paths"] or old["paths"],
            "folders": {**old["folders"], **new["folders"]},
            "files": {**files, **new["files"]},
        }
        text = json.dumps(remembered, separators=(",", ":"))
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_text(f"{_checksum(text)}\n{text}", "utf-8")
                temporary.replace(self._file)
            finally:
                temporary.unlink(missing_ok=True)


def _read(source: SpecSource) -> "SpecDocument":
    from boards.documents import read_text, unreadable  # noqa: PLC0415 - slow to import
    from boards.errors import SpecError  # noqa: PLC0415

    try:
        return read_text(source.read(), source.path, host=source.host)
    except SpecError as error:
        return unreadable(source.path, error)


def _moves(changed: list[str], *, reordered: bool) -> Callable[[str], bool]:
    """Whether a package may lie elsewhere now that these parts of the search path changed."""
    names = [packages_at(path) for path in changed]

    def moved(package: str) -> bool:
        top = package.partition(".")[0]
        return reordered or any(known is None or top in known for known in names)

    return moved


def _exists(key: str) -> bool:
    return stamp(key.partition(":")[2]) is not None


def _load(file: Path, code: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"paths": {}, "folders": {}, "files": {}}
    try:
        checksum, _, text = file.read_text("utf-8").partition("\n")
        if checksum != _checksum(text):
            return empty
        remembered: dict[str, Any] = json.loads(text)
    except (OSError, ValueError):
        return empty
    return remembered if remembered.pop("code") == code else empty


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _code_stamp() -> list[Any]:
    """Changes with the version of boards-core and of the language, and with every edit of them."""
    try:
        paths = [
            entry.path
            for folder in (_HERE, _HERE / "spec")
            for entry in os.scandir(folder)
            if entry.name.endswith(".py")
        ]
    except NotADirectoryError:
        paths = [str(_HERE)]  # in an archive
    return [[path, stamp(path)] for path in sorted(paths)]
