"""Links between generations: written when one is created, followed up and down by index.

``made`` has the hash of every artifact, so that bytes that come back as an input are known again;
``lineage`` has one row for each such input.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from boards.generations import Generation
from boards.lineage import Lineage, Link, Relative, Source, named, nearest_first

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "LineageStore",
    "MadeRow",
    "SQLiteLineage",
    "forget_made",
    "made_rows",
    "write_made",
    "write_sources",
]


class LineageStore(Protocol):
    """Links. A store has one as ``lineage``, if it keeps any at all."""

    async def get(self, generation: Generation, number: int | None, *, limit: int) -> Lineage:
        """What a generation, or one artifact of it, was made from, and what was made from it.

        Args:
            generation: Which.
            number: Of the artifact; None for all of them.
            limit: At most so many generations in either direction, the nearest ones.

        Raises:
            StoreError: The store cannot be read.
        """


_MADE: Final = """
    INSERT OR IGNORE INTO made (sha256, owner, generation, number) VALUES (?, ?, ?, ?)"""
_SAME: Final = """
    SELECT m.generation, m.number, g.id
    FROM generations g JOIN made m
      ON m.sha256 = ? AND m.owner = ? AND m.generation = g.seq AND m.number = ?
    WHERE g.id = ?"""
_NEWEST: Final = """
    SELECT m.generation, m.number, g.id FROM made m JOIN generations g ON g.seq = m.generation
    WHERE m.sha256 = ? AND m.owner = ? ORDER BY m.generation DESC, m.number DESC LIMIT 1"""
_INSERT: Final = """
    INSERT INTO lineage (child, position, input, parent, number, source)
    VALUES (?, ?, ?, ?, ?, ?)"""
_FORGET: Final = "DELETE FROM made WHERE sha256 = ? AND owner = ? AND generation = ?"
_ARTIFACTS: Final = """
    SELECT seq, owner, state FROM generations WHERE seq IN (SELECT value FROM json_each(?))"""

MadeRow = tuple[str, int]
"""An artifact's hash, and its number in its generation."""


def made_rows(generation: Generation) -> list[MadeRow]:
    """What is kept of the artifacts of a generation that succeeded."""
    return [(one.sha256, number) for number, one in enumerate(generation.artifacts)]


def write_made(cursor: "sqlite3.Cursor", seq: int, owner: str, rows: list[MadeRow]) -> None:
    """Keep the hashes of a generation's artifacts."""
    cursor.executemany(_MADE, [(sha256, owner, seq, number) for sha256, number in rows])


def write_sources(
    cursor: "sqlite3.Cursor", seq: int, owner: str, sources: Sequence[Source]
) -> None:
    """Link a new generation to what its inputs were made by, where that is known.

    Only to generations of its owner that have ended, all of which have smaller numbers.
    """
    for position, one in enumerate(sources):
        maker = None
        if one.artifact_id is not None:
            generation_id, number = named(one.artifact_id)
            same = (one.sha256, owner, number, generation_id)
            maker = cursor.execute(_SAME, same).fetchone()
        if maker is None:
            maker = cursor.execute(_NEWEST, (one.sha256, owner)).fetchone()
        if maker is not None:
            cursor.execute(_INSERT, (seq, position, one.input, *maker))


def forget_made(cursor: "sqlite3.Cursor", numbers: str) -> None:
    """Forget the hashes of generations that are to be deleted, by a JSON list of their numbers."""
    for seq, owner, state in cursor.execute(_ARTIFACTS, (numbers,)).fetchall():
        hashes = {one["sha256"] for one in json.loads(state).get("artifacts", ())}
        cursor.executemany(_FORGET, [(sha256, owner, seq) for sha256 in hashes])


# Rows come in the order in which they were found, and `UNION` finds each once: the nearest first.
_UP: Final = """
    WITH RECURSIVE relatives (seq) AS (
      SELECT seq FROM generations WHERE id = :id
      UNION SELECT l.parent FROM relatives r JOIN lineage l ON l.child = r.seq LIMIT :limit)"""
_DOWN: Final = """
    WITH RECURSIVE relatives (seq, own) AS (
      SELECT seq, 1 FROM generations WHERE id = :id
      UNION SELECT l.child, 0 FROM relatives r JOIN lineage l ON l.parent = r.seq
        WHERE NOT r.own OR :number IS NULL OR l.number = :number LIMIT :limit)"""
_RELATIVES: Final = """
    SELECT r.seq, g.id, g.generator, g.artifact_type, g.status, g.created_at
    FROM relatives r LEFT JOIN generations g ON g.seq = r.seq"""
_LINKS: Final = """
    SELECT g.id, l.input, l.source, l.number, l.parent FROM json_each(?) r
    JOIN lineage l ON l.child = r.value JOIN generations g ON g.seq = l.child
    ORDER BY l.child, l.position"""


class SQLiteLineage:
    """Links in the database of a :class:`boards.store.sqlite.SQLiteStore`.

    Args:
        rows: Reads.
    """

    def __init__(self, rows: Callable[[str, Any], Awaitable[list[Any]]]) -> None:
        self._rows = rows

    async def get(self, generation: Generation, number: int | None, *, limit: int) -> Lineage:
        """What a generation, or one artifact of it, was made from, and what was made from it."""
        own = generation.id
        values = {"id": own, "number": number, "limit": limit + 2}
        up = await self._rows(_UP + _RELATIVES, values)
        down = await self._rows(_DOWN + _RELATIVES, values)
        complete = max(len(up), len(down)) <= limit + 1
        up, down = up[: limit + 1], down[: limit + 1]
        ancestors, descendants = await self._links(up), await self._links(down)
        if number is not None:
            artifact_id = f"{own}.{number}"
            descendants = [
                one for one in descendants if one.source_id != own or one.artifact_id == artifact_id
            ]
        return Lineage(
            own if number is None else f"{own}.{number}",
            nearest_first(ancestors, own, up=True),
            nearest_first(descendants, own, up=False),
            {row[1]: Relative(*row[1:]) for row in (*up, *down) if row[1] is not None},
            complete,
        )

    async def _links(self, relatives: Sequence[Any]) -> list[Link]:
        """The links among some generations."""
        numbers = [seq for seq, *_ in relatives]
        within = set(numbers)
        return [
            Link(id_, name, f"{source}.{number}")
            for id_, name, source, number, parent in await self._rows(
                _LINKS, (json.dumps(numbers),)
            )
            if parent in within
        ]
