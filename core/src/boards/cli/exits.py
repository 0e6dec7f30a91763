"""The exit codes of ``boards``: what a script may rely on."""

from enum import IntEnum

from boards.errors import (
    BoardsError,
    GenerationUnresolvedError,
    InvalidInputError,
    NotFoundError,
    PluginError,
    SettingsError,
    SpecError,
    StorageError,
    StoreError,
    UnavailableError,
)
from boards.generations import Generation

__all__ = ["Exit", "exit_of", "exit_of_error"]


class Exit(IntEnum):
    """What became of a command."""

    OK = 0
    FAILED = 1
    """A generation failed or was canceled, a provider refused, a checked file has mistakes."""
    USAGE = 2
    """An argument or an input is wrong, or a name is unknown: nothing was sent."""
    SETUP = 3
    """This machine: no provider can be used, or a setting, plugin, file, database or disk."""
    UNRESOLVED = 4
    """Nobody can tell whether the provider accepted the job: see ``boards resolve``."""
    INTERRUPTED = 130
    """Ctrl-C. What was submitted goes on, unless it was canceled."""
    TERMINATED = 143
    """SIGTERM. What was submitted goes on."""


_USAGE = (InvalidInputError, NotFoundError)
_SETUP = (UnavailableError, SettingsError, SpecError, PluginError, StoreError, StorageError)


def exit_of_error(error: BoardsError) -> Exit:
    """The exit code of an error."""
    if isinstance(error, _USAGE):
        return Exit.USAGE
    if isinstance(error, _SETUP):
        return Exit.SETUP
    if isinstance(error, GenerationUnresolvedError):
        return Exit.UNRESOLVED
    return Exit.FAILED


def exit_of(generation: Generation) -> Exit:
    """The exit code of a generation that was waited for."""
    if generation.phase == "unknown":
        return Exit.UNRESOLVED
    return Exit.OK if generation.phase == "succeeded" else Exit.FAILED
