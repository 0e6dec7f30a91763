# ruff: noqa: S608 - statements are made of constants, every value is bound
"""Deleting old generations, a few at a time, so that nobody waits long for the write lock.

What they cost stays in the ledger. Live generations stay, ``unknown`` ones among them, and so do
those of a pipeline's run that is under way: its later steps take their results. A run goes when it
has ended and the last of its generations has gone.
"""

import json
from collections.abc import Sequence
from typing import Final

from boards.generations import FINAL_PHASES
from boards.store.lineage import forget_made
from boards.store.writer import Transaction, Write

__all__ = [
    "BATCH",
    "LOOK",
    "GiveBack",
    "Prune",
    "PruneRuns",
    "kept_query",
    "look_at_runs_query",
    "look_query",
]

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
    ("lineage", "child"),
    ("generations", "seq"),
)


_EMPTY: Final = """
    r.finished_at < ? AND NOT EXISTS (
        SELECT 1 FROM pipeline_steps s JOIN generations g ON g.id = s.generation
        WHERE s.run = r.seq)"""

_LOOK_AT_RUNS: Final = f"""
    SELECT r.seq, {_EMPTY}, r.created_at FROM pipeline_runs r
    WHERE r.seq > ? ORDER BY r.seq LIMIT {LOOK}"""

_STILL_EMPTY: Final = f"""
    SELECT r.seq FROM pipeline_runs r
    WHERE r.seq IN (SELECT value FROM json_each(?)) AND {_EMPTY}"""

_BELONG_TO_RUNS: Final = (("pipeline_steps", "run"), ("pipeline_runs", "seq"))


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


def look_at_runs_query(before: float, after: int) -> tuple[str, tuple[object, ...]]:
    """Runs of pipelines in order: the number, whether to delete it, and when it was created.

    Args:
        before: It must have ended before, in Unix seconds.
        after: Only runs with a greater number.
    """
    return _LOOK_AT_RUNS, (before, after)


def _delete(
    transaction: Transaction, numbers: list[int], belong: tuple[tuple[str, str], ...]
) -> None:
    """Delete the rows that belong to some numbers, in the order of the tables."""
    listed = json.dumps(numbers)
    for table, column in belong:
        transaction.cursor.execute(
            f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (listed,)
        )


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
        forget_made(transaction.cursor, json.dumps(old))
        _delete(transaction, old, _BELONG)
        # The ledger has these numbers still: no generation may get one of them again.
        execute("UPDATE meta SET pruned = max(pruned, ?)", (max(old),))
        return len(old)


class PruneRuns(Write):
    """Delete runs of pipelines that have ended, and have no generation any more; how many."""

    __slots__ = ("_before", "_numbers")

    def __init__(self, numbers: Sequence[int], before: float) -> None:
        super().__init__()
        self._before = before
        self._numbers = json.dumps(numbers)

    def apply(self, transaction: Transaction) -> int:
        """Delete their rows."""
        found = transaction.cursor.execute(_STILL_EMPTY, (self._numbers, self._before))
        empty = [seq for (seq,) in found]
        _delete(transaction, empty, _BELONG_TO_RUNS)
        return len(empty)


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
