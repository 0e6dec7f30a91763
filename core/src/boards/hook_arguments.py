"""How hooks change: arguments may be added at any time, and go only after a year of warnings.

A plugin takes those arguments that it needs, so one more does not disturb it. One that is to go is
marked in :mod:`boards.hookspecs` first; plugins that still take it work, and are told:

.. code-block:: python

    @_hookspec(warn_on_impl_args={
        "request": DeprecatedArgument("request", since="0.4", day=date(2027, 1, 5))
    })
    def boards_before_submit(generation, submit, request): ...

When it has gone, it stands in :data:`REMOVED`, so that an old plugin is told what has happened.
"""

from datetime import date
from typing import Final

from attrs import frozen

__all__ = ["REMOVED", "DeprecatedArgument", "RemovedArgument"]


class DeprecatedArgument(DeprecationWarning):
    """An argument of a hook that will go.

    Args:
        name: The argument.
        since: The version of boards-core that warned first.
        day: The day on which that version was released.
        instead: What to take instead; empty where nothing replaces it.
    """

    def __init__(self, name: str, *, since: str, day: date, instead: str = "") -> None:
        self.name = name
        self.since = since
        self.day = day
        self.instead = instead
        use = f"; take {instead} instead" if instead else ""
        super().__init__(
            f"the argument {name} is deprecated since boards-core {since} "
            f"and goes after {self.goes_after}{use}"
        )

    @property
    def goes_after(self) -> date:
        """The day, a year later, after which a release may do without it."""
        leap = (self.day.month, self.day.day) == (2, 29)
        return self.day.replace(year=self.day.year + 1, day=28 if leap else self.day.day)


@frozen
class RemovedArgument:
    """An argument that a hook no longer gives.

    Attributes:
        version: The first version of boards-core without it.
        instead: What to take instead; empty where nothing replaces it.
    """

    version: str
    instead: str = ""


REMOVED: Final[dict[tuple[str, str], RemovedArgument]] = {}
"""By hook and argument."""
