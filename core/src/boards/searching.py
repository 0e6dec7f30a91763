"""Finding generators by words: every word must be somewhere, a name counts most."""

import re
from collections.abc import Iterable

from boards.entries import GeneratorEntry

__all__ = ["search"]


def search(entries: Iterable[GeneratorEntry], query: str) -> list[GeneratorEntry]:
    """The generators that have every word of a query, best first.

    Args:
        entries: To search in.
        query: Words, without regard to case; a word may be the beginning or a part of another.
    """
    words = query.casefold().split()
    scored = [(_score(entry, words), entry) for entry in entries]
    found = [(score, entry) for score, entry in scored if score > 0]
    return [entry for score, entry in sorted(found, key=lambda one: (-one[0], one[1].id))]


def _score(entry: GeneratorEntry, words: list[str]) -> int:
    """0 where a word is nowhere."""
    fields = [
        (weight, text.casefold())
        for weight, text in (
            (8, entry.name),
            (6, entry.display_name),
            (5, entry.artifact_type),
            (4, " ".join(entry.tags)),
            (3, entry.id),
            (1, entry.description),
        )
    ]
    best = [max((_weight(word, text) * weight for weight, text in fields)) for word in words]
    return sum(best) if all(best) else 0


def _weight(word: str, text: str) -> int:
    """2 for a whole word of a text, 1 for a part of it, 0 for neither."""
    if word not in text:
        return 0
    return 2 if word in re.split(r"[^\w.]+", text) else 1
