# ruff: noqa: S608 - statements are made of constants, every value is bound
"""The ledger: what each attempt costs, written in the transaction of the transition.

An attempt has one row, ``reserved`` from its intent on, then ``settled`` or ``released``. A row
that is closed changes only if the job of a lost submit was found after all: when it turns out to
have been charged, and for what the provider told. It counts in the hour of its reservation,
however long the job takes.
"""

from collections.abc import Sequence
from sqlite3 import Cursor
from typing import Any, Final

from attrs import frozen

from boards.budgets import Budgets, CostGroup, Entry, Grouping, Release, Reserve, Settle, usd
from boards.errors import BudgetError, StoreError
from boards.generations import Attempt

__all__ = ["LedgerRow", "check_budgets", "costs_of", "costs_query", "spent_query"]

_HOUR: Final = 3600

_RESERVE: Final = """
    INSERT INTO ledger (generation, attempt, owner, provider, generator, at, state, estimate)
    SELECT seq, ?, owner, provider, generator, ?, 'reserved', ? FROM generations WHERE seq = ?"""

_SETTLE: Final = """
    UPDATE ledger SET state = 'settled', actual = ?, closed_at = ?
    WHERE generation = ? AND attempt = ?
        AND (state <> 'settled' OR actual IS NULL AND ? IS NOT NULL)"""

_RELEASE: Final = """
    UPDATE ledger SET state = 'released', closed_at = ?
    WHERE generation = ? AND attempt = ? AND state = 'reserved'"""

_SETTLED: Final = "iif(state = 'settled', coalesce(actual, estimate, 0), 0)"

_NAMES: Final[dict[Grouping, str]] = {
    "provider": "provider",
    "generator": "generator",
    "owner": "owner",
    "day": "date(at, 'unixepoch')",
}


@frozen
class LedgerRow:
    """The row of an entry, its values ready to be bound.

    Attributes:
        attempt: Whose row.
        entry: What is done to it.
    """

    attempt: int
    entry: Entry

    @classmethod
    def of(cls, entry: Entry, attempt: Attempt | None) -> "LedgerRow":
        """The row of an entry; the attempt is needed for a reservation.

        Raises:
            StoreError: There is none.
        """
        if not isinstance(entry, Reserve):
            return cls(entry.attempt, entry)
        if attempt is None:
            raise StoreError("What is reserved is an attempt's, and the change has none.")
        return cls(attempt.number, entry)

    def write(self, cursor: Cursor, seq: int, now: float) -> None:
        """Insert or close the row of a generation's attempt."""
        match self.entry:
            case Reserve(amount):
                cursor.execute(_RESERVE, (self.attempt, now, amount, seq))
            case Settle(_, amount):
                cursor.execute(_SETTLE, (amount, now, seq, self.attempt, amount))
            case Release():
                cursor.execute(_RELEASE, (now, seq, self.attempt))


def spent_query(owner: str | None, since: float) -> tuple[str, tuple[object, ...]]:
    """What is settled and reserved since an hour began, of one owner or of all."""
    table, of_owner = ("spending", "") if owner is None else ("owner_spending", "owner = ? AND ")
    values: tuple[object, ...] = (int(since) // _HOUR,)
    sums = "coalesce(sum(settled), 0), coalesce(sum(reserved), 0)"
    statement = f"SELECT {sums} FROM {table} WHERE {of_owner}hour >= ?"
    return statement, values if owner is None else (owner, *values)


def check_budgets(
    cursor: Cursor, budgets: Budgets, amount: int | None, owner: str, now: float
) -> BudgetError | None:
    """Whether every budget has room for an amount, in this transaction; why not."""
    for budget in budgets:
        query = spent_query(owner if budget.each_owner else None, budget.bounds(now)[0])
        settled, reserved = cursor.execute(*query).fetchone()
        try:
            budget.check(amount, settled, reserved, now)
        except BudgetError as error:
            return error
    return None


def costs_query(
    since: float | None, until: float | None, group_by: Grouping, owner: str | None = None
) -> tuple[str, tuple[object, ...]]:
    """What attempts cost that were begun in a time, by what they share; the dearest first."""
    name = _NAMES[group_by]
    of_owner, values = ("", ()) if owner is None else (" AND owner = ?", (owner,))
    order = "name DESC" if group_by == "day" else "settled + reserved DESC, name"
    grouped = (
        f"SELECT {name} AS name, count(DISTINCT generation), sum({_SETTLED}) AS settled,"
        " sum(iif(state = 'settled', coalesce(actual, 0), 0)),"
        " sum(iif(state = 'reserved', coalesce(estimate, 0), 0)) AS reserved,"
        " sum(state != 'released' AND estimate IS NULL AND actual IS NULL)"
        f" FROM ledger WHERE at >= ? AND at < ?{of_owner} GROUP BY 1"
    )
    return (
        f"SELECT * FROM ({grouped}) ORDER BY {order}",
        (since if since is not None else 0.0, until if until is not None else 1e18, *values),
    )


def costs_of(rows: Sequence[tuple[Any, ...]]) -> list[CostGroup]:
    """The records of the rows of :func:`costs_query`."""
    return [
        CostGroup(name, generations, usd(settled), usd(told), usd(reserved), unpriced)
        for name, generations, settled, told, reserved, unpriced in rows
    ]
