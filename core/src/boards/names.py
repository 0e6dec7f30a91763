"""Names of generators: ``provider/name``, with an optional version suffix ``@2025-01``."""

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["near", "suffix_order", "unsuffixed"]


def unsuffixed(name: str) -> str:
    """The name without its version suffix."""
    return name.partition("@")[0]


def suffix_order(name: str) -> tuple[bool, list[Any]]:
    """Sorts names, the one to prefer last: by suffix, numbers by value; none comes after all."""
    _, at, suffix = name.partition("@")
    # Splitting at digits alternates texts and numbers, so that like is compared with like.
    parts = re.split(r"([0-9]+)", suffix)
    return not at, [int(part) if number % 2 else part for number, part in enumerate(parts)]


def near(name: str, ids: Iterable[str], limit: int = 3) -> list[str]:
    """The ids that somebody may have meant, best first: by the whole id or by the short name."""
    from difflib import SequenceMatcher  # noqa: PLC0415 - only for mistakes

    wanted = name.lower()
    matcher = SequenceMatcher()
    matcher.set_seq2(wanted)
    scores = []
    for id_ in ids:
        score = 0.0
        for known in (id_, id_.partition("/")[2]):
            matcher.set_seq1(known)
            score = max(score, matcher.ratio(), 0.75 if len(wanted) > 2 and wanted in known else 0)
        if score >= 0.6:
            scores.append((-score, id_))
    return [id_ for _, id_ in sorted(scores)[:limit]]
