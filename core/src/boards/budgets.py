"""What may be spent in a time: budgets, what they compare with, and the ledger's records.

Money is counted in whole micro-dollars, so that sums are exact.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

from attrs import frozen

from boards.errors import BudgetError

__all__ = [
    "GROUPINGS",
    "Budget",
    "Budgets",
    "CostGroup",
    "Entry",
    "Grouping",
    "Period",
    "Release",
    "Reserve",
    "Settle",
    "micros",
    "parse_budgets",
    "total",
    "usd",
]

Period = Literal["hour", "day", "week", "month"]
Grouping = Literal["provider", "generator", "owner", "day"]
GROUPINGS: Final[tuple[Grouping, ...]] = get_args(Grouping)

_MICROS: Final = 1_000_000
_MOST: Final = 10**15
"""Micro-dollars: what a nonsensical price counts as, a thousand million dollars."""
_BUDGET: Final = re.compile(
    r"([0-9]+(?:\.[0-9]+)?)\s*USD\s*/\s*(hour|day|week|month)", re.IGNORECASE
)


def micros(dollars: float) -> int:
    """US dollars in whole micro-dollars, rounded up: no price is so small that it is free."""
    if not dollars > 0:
        return 0
    return min(math.ceil(round(min(dollars, _MOST) * _MICROS, 3)), _MOST)


def usd(amount: int) -> float:
    """Micro-dollars in US dollars."""
    return amount / _MICROS


def _text(amount: int) -> str:
    """Micro-dollars for a message: ``9.98 USD``."""
    return f"{usd(amount):.6f}".rstrip("0").rstrip(".") + " USD"


@frozen
class Budget:
    """What may be spent in each period of the calendar, in UTC.

    Attributes:
        limit: Micro-dollars.
        period: ``hour``, ``day``, ``week`` (from Monday) or ``month``.
        each_owner: For each owner alone, not for all together.
    """

    limit: int
    period: Period
    each_owner: bool = False

    def __str__(self) -> str:
        return f"{_text(self.limit)}/{self.period}"

    def bounds(self, now: float) -> tuple[float, float]:
        """When the period of ``now`` began, and when the next one begins; Unix seconds."""
        at = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
        match self.period:
            case "hour":
                start, end = at, at + timedelta(hours=1)
            case "day":
                start = at.replace(hour=0)
                end = start + timedelta(days=1)
            case "week":
                start = at.replace(hour=0) - timedelta(days=at.weekday())
                end = start + timedelta(days=7)
            case _:
                start = at.replace(hour=0, day=1)
                end = (start + timedelta(days=32)).replace(day=1)
        return start.timestamp(), end.timestamp()

    def resets(self, now: float) -> str:
        """When the next period begins: ``2026-11-22T00:00Z``."""
        return f"{datetime.fromtimestamp(self.bounds(now)[1], UTC):%Y-%m-%dT%H:%MZ}"

    def check(self, amount: int | None, settled: int, reserved: int, now: float) -> None:
        """Refuse what does not fit into what is left.

        Args:
            amount: Micro-dollars that are wanted; None for what has no price, which fits while
                anything is left.
            settled: Spent in the period.
            reserved: Held in the period.
            now: Unix seconds.

        Raises:
            BudgetError: It does not fit. The message tells all of it, the remedy the setting.
        """
        left = self.limit - settled - reserved
        if amount == 0 or (amount is None and left > 0):
            return
        if amount is not None and amount <= left:
            return
        resets = self.resets(now)
        whose = "the owner's budget" if self.each_owner else "the budget"
        costs = "has no price" if amount is None else f"costs about {_text(amount)}"
        variable = "BOARDS_OWNER_BUDGET" if self.each_owner else "BOARDS_BUDGET"
        raise BudgetError(
            f"This {costs}, and of {whose} of {self} {_text(max(left, 0))} are left:"
            f" {_text(settled)} are spent, and {_text(reserved)} are reserved."
            f" It resets at {resets}. Nothing was sent.",
            remedy=f"Raise {variable}, or generate again after {resets}.",
        )


Budgets = tuple[Budget, ...]


def parse_budgets(value: Any, *, each_owner: bool = False) -> Budgets:
    """Budgets from a text such as ``10 USD/day, 100 USD/month``, or from several such texts.

    Raises:
        ValueError: It is no budget; the message tells what is expected.
    """
    texts = value.split(",") if isinstance(value, str) else value
    texts = texts if isinstance(texts, Iterable) else [texts]
    found = []
    for text in texts:
        match = _BUDGET.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise ValueError("budgets such as 10 USD/day,100 USD/month (hour, day, week or month)")
        period: Any = match[2].lower()
        found.append(Budget(micros(float(match[1])), period, each_owner))
    return tuple(found)


# The ledger's part of a transition


@frozen
class Reserve:
    """Hold the price of an attempt, if every budget has room for it.

    Attributes:
        amount: Micro-dollars; None where the generator has no price: it counts as nothing.
        budgets: What has to have room.
    """

    amount: int | None
    budgets: Budgets = ()


@frozen
class Settle:
    """An attempt was charged, or may have been: what was held counts as spent.

    Attributes:
        attempt: Its number.
        amount: Micro-dollars that the provider told; None for what was held.
    """

    attempt: int
    amount: int | None = None


@frozen
class Release:
    """An attempt was surely not charged: what was held is free again."""

    attempt: int


Entry = Reserve | Settle | Release


@frozen
class CostGroup:
    """What some attempts cost together.

    Attributes:
        name: The provider, generator, owner or day (``2026-11-21``, UTC) that they share.
        generations: How many generations they belong to.
        usd: US dollars spent: as told by the provider, else by the list price. An attempt of
            which nobody knows whether it was charged counts.
        told_usd: How much of it the provider told.
        reserved_usd: US dollars held for what is still under way, ``unknown`` included.
        unpriced: How many attempts may have cost something of which nobody knows how much.
    """

    name: str
    generations: int
    usd: float
    told_usd: float
    reserved_usd: float
    unpriced: int

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON."""
        return {
            "name": self.name,
            "generations": self.generations,
            "usd": self.usd,
            "told_usd": self.told_usd,
            "reserved_usd": self.reserved_usd,
            "unpriced": self.unpriced,
        }


def total(groups: Sequence[CostGroup]) -> CostGroup:
    """All groups together, as long as none of their generations is in two."""
    return CostGroup(
        "",
        sum(one.generations for one in groups),
        round(sum(one.usd for one in groups), 6),
        round(sum(one.told_usd for one in groups), 6),
        round(sum(one.reserved_usd for one in groups), 6),
        sum(one.unpriced for one in groups),
    )
