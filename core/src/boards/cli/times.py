"""Times on the command line: ``30m``, ``24h``, ``7d``."""

import re
from datetime import timedelta
from typing import Final

import click

__all__ = ["duration"]

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(_: click.Context, __: click.Parameter, text: str) -> timedelta:
    """The callback of an option that is a length of time."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text, re.ASCII)
    if match is None:
        raise click.BadParameter(f"{text!r} is no time such as 30m, 24h or 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
