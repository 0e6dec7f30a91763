"""``boards costs``: what was spent, and what is left of the budgets."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from boards.budgets import GROUPINGS, Budget, CostGroup, Grouping, total, usd
from boards.cli.session import Session, command

__all__ = ["costs"]

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _since(_: click.Context, __: click.Parameter, text: str | None) -> datetime | None:
    """A time before now (``7d``, ``24h``) or a moment (``2026-11-01``, in UTC)."""
    if text is None:
        return None
    if match := re.fullmatch(r"([0-9]{1,4})([mhdw])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither a time such as 7d or 24h nor a day such as 2026-11-01."
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@command()
@click.option(
    "--since", callback=_since, metavar="TIME",
    help="From then on: 24h, 7d, 4w, or 2026-11-01 (UTC).",
)  # fmt: skip
@click.option(
    "--by", type=click.Choice(GROUPINGS), default="provider", show_default=True,
    help="One line for each.",
)  # fmt: skip
def costs(session: Session, since: datetime | None, by: Grouping) -> None:
    """Show what was spent, and what is left of budgets.

    An attempt counts when it was submitted. It costs what its provider told, else the list price;
    what may have been charged counts.
    """
    groups: list[CostGroup] = []
    whole = total(groups)
    budgets: list[dict[str, Any]] = []
    if session.has_database():
        groups, whole, budgets = session.run(_look(session, since, by))
    out = session.out
    if out.json:
        out.value(
            {
                "by": by,
                "groups": [one.as_dict() for one in groups],
                "total": {**whole.as_dict(), "name": "total"},
                "budgets": budgets,
            }
        )
        return
    if groups:
        rows = [_row(one, one.name) for one in groups]
        if len(groups) > 1:
            rows.append(_row(whole, "total"))
        out.table((by, "generations", "spent", "told", "reserved", "no price"), rows)
    else:
        out.note("Nothing was spent.")
    for one in budgets:
        left = f"${max(one['left_usd'], 0):.4f} left"
        out.note(f"Budget of {one['budget']}: {left}, until {one['resets_at']}.")


async def _look(
    session: Session, since: datetime | None, by: Grouping
) -> tuple[list[CostGroup], CostGroup, list[dict[str, Any]]]:
    async with session.opened(drive=False) as boards:
        groups = await boards.costs(since=since, group_by=by)
        # Two providers, or two days, may have attempts of one generation; two owners have not.
        whole = total(await boards.costs(since=since, group_by="owner"))
        budgets = []
        for budget in boards.settings.budget:
            now = time.time()
            start = datetime.fromtimestamp(budget.bounds(now)[0], UTC)
            spent = total(await boards.costs(since=start))
            budgets.append(_budget(budget, spent, budget.resets(now)))
        return groups, whole, budgets


def _budget(budget: Budget, spent: CostGroup, resets_at: str) -> dict[str, Any]:
    return {
        "budget": str(budget),
        "limit_usd": usd(budget.limit),
        "spent_usd": spent.usd,
        "reserved_usd": spent.reserved_usd,
        "left_usd": round(usd(budget.limit) - spent.usd - spent.reserved_usd, 6),
        "resets_at": resets_at,
    }


def _row(group: CostGroup, name: str) -> list[str]:
    return [
        name,
        str(group.generations),
        f"${group.usd:.4f}",
        f"${group.told_usd:.4f}",
        f"${group.reserved_usd:.4f}",
        str(group.unpriced) if group.unpriced else "",
    ]
