# ruff: noqa: S608 - statements are made of constants, every value is bound
"""The query of a listing: milliseconds among a million generations."""

from collections.abc import Sequence
from typing import Final

from boards.generations import PHASES, Phase, Status
from boards.store.protocol import Listing
from boards.store.rows import GENERATION_COLUMNS

__all__ = ["listing_query"]

_PHASES_OF: Final[dict[Status, tuple[Phase, ...]]] = {
    "queued": ("queued", "waiting"),
    "running": ("submitting", "waiting", "fetching", "unknown"),
    "succeeded": ("succeeded",),
    "failed": ("failed", "expired"),
    "canceled": ("canceled",),
}


def listing_query(listing: Listing) -> tuple[str, tuple[object, ...]]:
    """The statement, and its values in order.

    Each index yields newest first, so a listing takes the first rows of one index, or merges
    the first rows of a few: nothing is sorted. One index drives, the other terms filter:

    - the generator's, or the provider's, where ``succeeded`` is asked for: most rows are that;
    - the phase's otherwise, one branch for each phase.
    """
    phases = _phases(listing)
    if not phases:
        return f"SELECT {GENERATION_COLUMNS} FROM generations g WHERE 0", ()
    by_phase = "succeeded" not in phases or not (listing.generator or listing.provider)
    terms = ["owner = ?"]
    values: list[object] = [listing.owner]
    # A plus sign keeps a term from choosing the index.
    if listing.generator is not None:
        terms.append(f"{'+' if by_phase else ''}generator = ?")
        values.append(listing.generator)
    if listing.provider is not None:
        terms.append(f"{'+' if by_phase or listing.generator is not None else ''}provider = ?")
        values.append(listing.provider)
    if listing.statuses:
        terms.append(f"+status IN ({_marks(listing.statuses)})")
        values += listing.statuses
    if listing.before is not None:
        terms.append("seq < (SELECT seq FROM generations WHERE id = ? AND owner = ?)")
        values += (listing.before, listing.owner)
    where = " AND ".join(terms)
    if by_phase:
        branch = f"SELECT seq FROM generations WHERE phase = ? AND {where}"
        found = " UNION ALL ".join([branch] * len(phases))
        values = [value for phase in phases for value in (phase, *values)]
    else:
        kept = "" if len(phases) == len(PHASES) else f" AND +phase IN ({_marks(phases)})"
        found = f"SELECT seq FROM generations WHERE {where}{kept}"
        if kept:
            values += phases
    statement = (
        f"SELECT {GENERATION_COLUMNS} FROM generations g"
        f" WHERE g.seq IN ({found} ORDER BY seq DESC LIMIT ?) ORDER BY g.seq DESC"
    )
    return statement, (*values, listing.limit)


def _phases(listing: Listing) -> tuple[Phase, ...]:
    """The phases in which a generation may be listed."""
    told = {phase for status in listing.statuses for phase in _PHASES_OF[status]}
    return tuple(
        phase
        for phase in PHASES
        if (not listing.phases or phase in listing.phases)
        and (not listing.statuses or phase in told)
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)
