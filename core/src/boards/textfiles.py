"""Text files written as a whole or not at all."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["alone_in", "replace_text"]


def replace_text(path: Path, text: str) -> None:
    """Write a text file: who reads it meanwhile, or after a crash, sees the old one or the new one.

    Args:
        path: Its directory is made. A file that is there keeps its permissions.
        text: Written as UTF-8, its line ends as they are.

    Raises:
        OSError: It cannot be written; what was there is as it was.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(path))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Keep others out who read a file of a directory in order to change it; wait for them.

    Only those who ask for the same; on Windows nobody. A process that dies lets others in.

    Args:
        directory: It is made.

    Raises:
        OSError: It cannot be made or opened.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415  # not there on Windows

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _mode(path: Path) -> int:
    """The permissions of a file, or those that a new one gets here."""
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        mask = os.umask(0)  # there is no other way to ask
        os.umask(mask)
        return 0o666 & ~mask
