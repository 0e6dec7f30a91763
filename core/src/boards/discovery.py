"""What is installed, found without importing any of it.

A plugin names itself in the metadata of its distribution; its specifications are data, read
where its package lies. Nothing here runs a line of a plugin.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = [
    "EntryPoint",
    "Folder",
    "FolderError",
    "SpecSource",
    "Stamp",
    "canonical",
    "entry_points_at",
    "find_folder",
    "packages_at",
    "search_path",
    "stamp",
]

Stamp = list[int]
"""Size and modification time (ns): a file whose stamp is unchanged is unchanged."""

_PACKAGE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SUFFIXES: Final = (".yaml", ".yml")
_METADATA: Final = (".dist-info", ".egg-info")
_MAX_DEPTH: Final = 8
"""Folders within folders of specifications; a link to a parent ends here."""


class FolderError(Exception):
    """An entry point of ``boards.specs`` names no folder of specifications."""


@frozen
class EntryPoint:
    """One line of a distribution's ``entry_points.txt``.

    Attributes:
        group: ``boards.specs``, ``boards.plugins`` or ``boards.commands``.
        name: What stands before the ``=``.
        value: What stands after it.
        distribution: The distribution's name, as it writes it.
        version: The distribution's version.
        error: Why the distribution's metadata cannot be read; all else may be empty then.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    error: str = ""

    @property
    def source(self) -> str:
        """Distribution and version."""
        return f"{self.distribution} {self.version}".rstrip()


@frozen
class SpecSource:
    """A file of specifications: a plugin's, or the host's own.

    Attributes:
        path: Where it is, for people; inside an archive, a path that only they understand.
        package: The entry point's package path; empty for a host's file.
        relative: The path below the package.
        entry_point: The name of the entry point.
        distribution: Whose it is; empty for a host's file.
        version: The distribution's version.
        size: Bytes, of the archive where it lies in one.
        mtime_ns: When the file, or its archive, was changed.
    """

    path: str
    package: str = ""
    relative: str = ""
    entry_point: str = ""
    distribution: str = ""
    version: str = ""
    size: int = 0
    mtime_ns: int = 0

    @property
    def host(self) -> bool:
        """Whether it is the host's own file."""
        return not self.package

    @property
    def source(self) -> str:
        """Distribution and version, or the path of the host's file."""
        return self.path if self.host else f"{self.distribution} {self.version}".rstrip()

    def read(self) -> str:
        """Its text.

        Raises:
            SpecError: It cannot be read, is too large, or is not UTF-8.
        """
        from boards.errors import SpecError  # noqa: PLC0415
        from boards.spec import yaml  # noqa: PLC0415 - not needed while the index is fresh

        if self.host or os.path.isfile(self.path):
            return yaml.load(Path(self.path))
        try:
            return _locate(self.package).joinpath(*self.relative.split("/")).read_text("utf-8")
        except (FolderError, OSError, KeyError, UnicodeDecodeError) as error:
            raise SpecError(f"{self.path} cannot be read: {error}.") from error


@frozen
class Folder:
    """A folder of specifications.

    Attributes:
        folders: The folder and those below it, each with its stamp.
        files: Path below the folder (with ``/``), and path for people, by name.
    """

    folders: tuple[tuple[str, Stamp | None], ...]
    files: tuple[tuple[str, str], ...]


def canonical(distribution: str) -> str:
    """A distribution's name in the form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def stamp(path: str) -> Stamp | None:
    """The stamp of a file or directory, or of the archive that it lies in; None if there is none.

    A directory's stamp changes when something in it comes or goes.
    """
    while True:
        try:
            status = os.stat(path)
        except NotADirectoryError:
            path = os.path.dirname(path)
        except (OSError, ValueError):
            return None
        else:
            return [status.st_size, status.st_mtime_ns]


def search_path() -> list[str]:
    """Where Python looks for packages: each directory or archive once."""
    entries = (os.path.abspath(entry or os.curdir) for entry in sys.path)
    return list(dict.fromkeys(entries))


def packages_at(path: str) -> frozenset[str] | None:
    """The names that can be imported from a directory; None for what is no directory."""
    try:
        return frozenset(name.partition(".")[0] for name in os.listdir(path))
    except OSError:
        return None


def entry_points_at(path: str) -> list[EntryPoint]:
    """The ``boards.*`` entry points of the distributions in one directory or archive."""
    try:
        if not any(name.endswith(_METADATA) for name in os.listdir(path)):
            return []  # a script's own directory, mostly: spare it the import below
    except NotADirectoryError:
        pass
    except OSError:
        return []
    from importlib_metadata import distributions  # noqa: PLC0415 - slow to import

    found = []
    for distribution in distributions(path=[path]):
        try:
            text = distribution.read_text("entry_points.txt")
        except (OSError, UnicodeDecodeError):
            continue
        if text and "boards." in text:
            found += _entry_points_of(distribution)
    return found


def _entry_points_of(distribution: Any) -> list[EntryPoint]:
    name, version = _name_of(distribution)
    try:
        return [
            EntryPoint(one.group, one.name, one.value, name, version)
            for one in distribution.entry_points
            if one.group.startswith("boards.")
        ]
    except Exception as error:
        problem = f"its entry_points.txt cannot be read: {type(error).__name__}: {error}"
        return [EntryPoint("", "entry_points.txt", "", name, version, problem)]


def _name_of(distribution: Any) -> tuple[str, str]:
    directory = Path(str(getattr(distribution, "_path", ""))).stem
    try:
        metadata: Any = distribution.metadata
        name, version = metadata["Name"], metadata["Version"]
    except Exception:
        name = version = None
    by_directory = [*directory.split("-"), "", ""]
    return name or by_directory[0], version or by_directory[1]


def find_folder(package: str) -> Folder:
    """The specifications below a package path, found without executing the package.

    Raises:
        FolderError: There is no such package or folder, or there is no specification in it.
    """
    folders: list[tuple[str, Stamp | None]] = []
    files = []
    for relative, found, is_folder in _walk(_locate(package)):
        if is_folder:
            folders.append((str(found), stamp(str(found))))
        else:
            files.append((relative, str(found)))
    if not files:
        raise FolderError(
            f"{package} holds no .yaml file (setuptools leaves them out unless package-data "
            "names them)"
        )
    return Folder(tuple(folders), tuple(sorted(files)))


def _locate(package: str) -> "Traversable":
    from importlib import invalidate_caches  # noqa: PLC0415
    from importlib.resources import files  # noqa: PLC0415 - slow to import
    from importlib.util import find_spec, module_from_spec  # noqa: PLC0415

    if not _PACKAGE.fullmatch(package):
        raise FolderError(f"{package!r} is no package path such as boards_fal.specs")
    top, *below = package.split(".")
    invalidate_caches()  # it may have been installed since this process began
    try:
        spec = find_spec(top)
    except (ImportError, ValueError) as error:
        raise FolderError(f"the package {top} cannot be found: {error}") from error
    if spec is None:
        raise FolderError(f"the package {top} is not installed")
    if spec.submodule_search_locations is None:
        raise FolderError(f"{top} is a module, not a package")
    # Naming the subpackage to find_spec or files would execute the package's __init__; an empty
    # module that was never executed is enough to ask where the package's files are.
    folder = files(module_from_spec(spec)).joinpath(*below)
    if not folder.is_dir():
        raise FolderError(f"there is no folder {'/'.join(below) or top} in the package {top}")
    return folder


def _walk(
    folder: "Traversable", prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, "Traversable", bool]]:
    """A folder, its specifications and those of the folders below it."""
    yield prefix, folder, True
    for found in folder.iterdir():
        if found.name.startswith((".", "__")):
            continue
        if found.name.endswith(_SUFFIXES) and found.is_file():
            yield prefix + found.name, found, False
        elif depth < _MAX_DEPTH and found.is_dir():
            yield from _walk(found, f"{prefix}{found.name}/", depth + 1)
