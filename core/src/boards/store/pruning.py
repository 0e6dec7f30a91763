# ruff: noqa: S608 - statements are made of constants, every value is bound
"""Deleting old generations, a few at a time, so that nobody waits long for the write lock.

What they cost stays in the ledger. Live generations stay, ``unknown`` ones among them, and so do
those of a pipeline's run that is under way: its later steps take their results.
"""

import json
from collections.abc import Sequence
from typing import Final

from boards.generations import FINAL_PHASES
from boards.store.writer import Transaction, Write

__all__ = ["BATCH", "LOOK", "GiveBack", "Prune", "kept_query", "look_query"]

BATCH: Final = 100
"""Generations that are deleted in one transaction: some milliseconds."""
LOOK: Final = 2000
"""Rows that are looked at in one query."""
_PAGES: Final = 256
"""Pages of the file that are given back in one transaction: a megabyte."""

_FINAL: Final = ", ".join(f"'{phase}'" for phase in sorted(FINAL_PHASES))
_OLD: Final = f"""
    +g.phase IN ({_FINAL}) AND g.finished_at < ? AND g.id NOT IN (
        SELECT s.generation FROM pipeline_runs r JOIN pipeline_steps s ON s.run = r.seq
        WHERE r.finished_at IS NULL AND s.generation IS NOT NULL)"""

_LOOK: Final = f"""
    SELECT g.seq, {_OLD}, g.created_at FROM generations g
    WHERE g.seq > ? AND g.seq < ? ORDER BY g.seq LIMIT {LOOK}"""

_KEPT: Final = f"""
    SELECT seq FROM generations WHERE +phase IN ({_FINAL}) ORDER BY seq DESC LIMIT 1 OFFSET ?"""

_STILL_OLD: Final = f"""
    SELECT g.seq FROM generations g
    WHERE g.seq IN (SELECT value FROM json_each(?)) AND {_OLD}"""

_BELONG: Final = (
    ("inputs", "generation"),
    ("attempts", "generation"),
    ("events", "generation"),
    ("requests", "generation"),
    ("generations", "seq"),
)


def kept_query(keep: int) -> tuple[str, tuple[object, ...]]:
    """The number of the oldest one among the newest final ones, so many; no row: all stay."""
    return _KEPT, (keep - 1,)


def look_query(before: float, after: int, bound: int) -> tuple[str, tuple[object, ...]]:
    """Rows in order: the number, whether it is to be deleted, and when it was created.

    Args:
        before: It must have ended before, in Unix seconds.
        after: Only rows with a greater number.
        bound: Only rows with a smaller number.
    """
    return _LOOK, (before, after, bound)


class Prune(Write):
    """Delete generations that are old still, with all that belongs to them; how many."""

    __slots__ = ("_before", "_numbers")

    def __init__(self, numbers: Sequence[int], before: float) -> None:
        super().__init__()
        self._numbers = json.dumps(numbers)
        self._before = before

    def apply(self, transaction: Transaction) -> int:
        """Delete their rows."""
        execute = transaction.cursor.execute
        old = [seq for (seq,) in execute(_STILL_OLD, (self._numbers, self._before))]
        if not old:
            return 0
        numbers = json.dumps(old)
        for table, column in _BELONG:
            execute(
                f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))",
                (numbers,),
            )
        # The ledger has these numbers still: no generation may get one of them again.
        execute("UPDATE meta SET pruned = max(pruned, ?)", (max(old),))
        return len(old)


class GiveBack(Write):
    """Give some free pages at the end of the file back to the disk; whether there were any."""

    __slots__ = ()

    def apply(self, transaction: Transaction) -> bool:
        """Shrink the file, where it was made so that it can."""
        execute = transaction.cursor.execute
        (before,) = execute("PRAGMA freelist_count").fetchone()
        execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()  # a page for each step
        (after,) = execute("PRAGMA freelist_count").fetchone()
        return bool(after and after < before)
