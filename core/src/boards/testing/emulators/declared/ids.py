"""Ids that look like those of a fixture, and are a job's own."""

import random
import string
import uuid
from collections.abc import Mapping
from typing import Any, Final

_SHORTEST: Final = 12
"""Characters of an id that no other job has."""


def renumbered(value: Any, ids: Mapping[str, Any]) -> Any:
    """A JSON value whose numbers that are ids are new ones."""
    if isinstance(value, bool) or not isinstance(value, int | dict | list):
        return value
    if isinstance(value, int):
        new = ids.get(str(value))
        return new if isinstance(new, int) else value
    if isinstance(value, dict):
        return {name: renumbered(one, ids) for name, one in value.items()}
    return [renumbered(one, ids) for one in value]


def fresh(value: str | int) -> str | int:
    """An id that looks like another one, and that no other job has.

    Of a name with steps, such as ``models/veo/operations/abc``, only the last is new.
    """
    choose = random.SystemRandom()
    if isinstance(value, int):
        return choose.randrange(10**9, 2**48)
    head, slash, tail = value.rpartition("/")
    try:
        uuid.UUID(tail)
    except ValueError:
        letters = string.digits if tail.isdigit() else "0123456789abcdef"
        if any(one in string.ascii_lowercase[6:] for one in tail):
            letters = string.ascii_lowercase + string.digits
        made = [choose.choice(letters) if one.isalnum() else one for one in tail]
        made += [choose.choice(letters) for _ in range(_SHORTEST - len(made))]
        return f"{head}{slash}{''.join(made)}"
    return f"{head}{slash}{uuid.uuid4()}"
