"""Plugins that are switched off for good: a file in the home, one distribution a line.

A plain text, so that a person can mend it, and so that nothing slow is imported to read it. What
it names is left out beside what ``BOARDS_PLUGINS_DISABLED`` names.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from boards.discovery import canonical
from boards.errors import SettingsError

__all__ = ["read_switches", "switch_off", "switch_on", "switches_path"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADING: Final = "# Plugins that are not used here: see boards plugins disable."


def switches_path(home: Path) -> Path:
    """The file; it need not exist."""
    return home / "plugins-disabled.txt"


def read_switches(home: Path) -> tuple[str, ...]:
    """The distributions that are switched off.

    Raises:
        SettingsError: The file cannot be read, or a line of it is no name.
    """
    names = [line.partition("#")[0].strip() for line in _lines(switches_path(home))]
    for number, name in enumerate(names, 1):
        if name and not _NAME.fullmatch(name):
            raise SettingsError(
                f"{switches_path(home)}:{number}: {name!r} is no name of a distribution.",
                remedy="Mend the line: one name, such as boards-fal. Or delete the file.",
            )
    return tuple(name for name in names if name)


def switch_off(home: Path, distributions: Iterable[str]) -> None:
    """Add distributions to those that are switched off.

    Raises:
        SettingsError: The file cannot be read.
        OSError: It cannot be written; it is as it was.
    """
    from boards.textfiles import alone_in  # noqa: PLC0415  # reading does without

    with alone_in(home):
        off = set(map(canonical, read_switches(home)))
        new = [name for name in distributions if canonical(name) not in off]
        if new:
            _write(home, [*(_lines(switches_path(home)) or [_HEADING]), *new])


def switch_on(home: Path, distributions: Iterable[str]) -> None:
    """Take distributions out again; comments and other lines stay.

    Raises:
        SettingsError: The file cannot be read.
        OSError: It cannot be written; it is as it was.
    """
    from boards.textfiles import alone_in  # noqa: PLC0415  # reading does without

    on = set(map(canonical, distributions))
    with alone_in(home):
        lines = _lines(switches_path(home))
        kept = [one for one in lines if canonical(one.partition("#")[0].strip()) not in on]
        if kept != lines:
            _write(home, kept)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()  # some editors begin with a mark
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}", remedy="Mend the file, or move it away."
        ) from error


def _write(home: Path, lines: list[str]) -> None:
    from boards.textfiles import replace_text  # noqa: PLC0415  # reading does without

    replace_text(switches_path(home), "".join(f"{line}\n" for line in lines))
