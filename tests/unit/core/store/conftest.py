"""A store in a temporary directory, and generations to put into it."""

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from boards.generations import Generation, new_id
from boards.store.sqlite import SQLiteStore

Make = Callable[..., Generation]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "boards.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SQLiteStore]:
    """An open store that owns its database."""
    store = SQLiteStore(path)
    await store.open()
    assert await store.own()
    yield store
    await store.close()


@pytest.fixture
async def other(store: SQLiteStore) -> AsyncIterator[SQLiteStore]:
    """Another process's store on the same database, as far as one process can have it."""
    other = SQLiteStore(store.path, busy_timeout=0.1)
    await other.open()
    yield other
    await other.close()


@pytest.fixture
def make() -> Make:
    """Generations with an id of their own, each a second younger than the one before."""
    seconds = itertools.count(1_700_000_000)

    def make(**values: Any) -> Generation:
        created_at = float(next(seconds))
        defaults: dict[str, Any] = {
            "id": new_id(),
            "generator": "fal/flux-dev",
            "provider": "fal",
            "artifact_type": "image",
            "input": {"prompt": "a cat"},
            "created_at": created_at,
            "due_at": created_at,
        }
        return Generation(**{**defaults, **values})

    return make
