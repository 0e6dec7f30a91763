"""Errors as a command tells them: on stderr for people, on stdout as JSON."""

import os
import traceback
from typing import Any

import click

from boards.cli.exits import Exit, exit_of_error
from boards.cli.output import Output, plain
from boards.errors import BoardsError, GenerationFailedError, NotFoundError, UnavailableError

__all__ = ["tell", "told", "write"]


def tell(error: BaseException, out: Output) -> int:
    """Write an error, and return the exit code."""
    if os.environ.get("BOARDS_DEBUG") and not isinstance(error, click.ClickException):
        out.note("".join(traceback.format_exception(error)).rstrip())
    described, lines, code = _described(error)
    if out.json:
        out.value({"error": described})
    else:
        write(lines, out)
    return code


def write(lines: list[str], out: Output) -> None:
    """Write the lines of an error to stderr."""
    out.note(f"{out.style('error:', fg='red', bold=True)} {lines[0]}")
    for line in lines[1:]:
        if line:
            out.note(line)


def told(error: BoardsError) -> list[str]:
    """The lines of an error: what happened, what it concerns, each problem, what to do."""
    context = f" [{error.context}]" if error.context else ""
    kind = f"{error.kind}: " if isinstance(error, GenerationFailedError) else ""
    lines = [f"{kind}{plain(error.message)}{context}"]
    if isinstance(error, UnavailableError):
        lines += [
            f"  {name}: {plain(reason)} {plain(remedy)}".rstrip()
            for name, (reason, remedy) in error.reasons.items()
        ]
        if error.problems:
            lines.append("The input does not fit the generator either:")
    for problem in getattr(error, "problems", ()):
        where = f"{problem.where}: " if problem.where else ""
        lines.append(f"  {where}{plain(problem.message)}")
        lines += problem.source.splitlines()
    if error.remedy:
        lines.append(plain(error.remedy))
    return lines


def _described(error: BaseException) -> tuple[dict[str, Any], list[str], int]:
    if isinstance(error, BoardsError):
        described = error.as_dict()
        if isinstance(error, NotFoundError):
            described["suggestions"] = list(error.suggestions)
        return described, told(error), exit_of_error(error)
    if isinstance(error, click.ClickException):
        message = error.format_message()
        context = getattr(error, "ctx", None)
        remedy = f"See: {context.command_path} --help" if context is not None else ""
        code = Exit.USAGE if isinstance(error, click.UsageError) else Exit.FAILED
        return {"kind": "usage", "message": message, "remedy": remedy}, [message, remedy], code
    if isinstance(error, OSError):
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        remedy = "Check that the path exists, that it is yours, and that its disk has space."
        return {"kind": "system", "message": what, "remedy": remedy}, [what, remedy], Exit.SETUP
    message = f"Unexpected {type(error).__name__}: {plain(str(error))}"
    remedy = "This is a bug of Boards or of a plugin. BOARDS_DEBUG=1 shows where it comes from."
    return {"kind": "bug", "message": message, "remedy": remedy}, [message, remedy], Exit.FAILED
