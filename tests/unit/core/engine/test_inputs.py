"""Files that a caller gives: checked before anything is kept, kept whole or not at all."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from boards.engine.inputs import checked, ingested
from boards.errors import InvalidInputError
from boards.spec.inputs import InputSchema
from boards.storage.local import LocalStorage

SCHEMA = InputSchema({"properties": {"image": {"type": "string", "format": "image"}}})


def test_a_path_that_no_file_can_have_is_a_problem_of_its_input(tmp_path: Path) -> None:
    """As any other: with its field, and before anything is sent."""
    with pytest.raises(InvalidInputError) as caught:
        checked(SCHEMA, {"image": tmp_path / ("x" * 300)}, "acme/draw")
    (problem,) = caught.value.problems
    assert problem.where == "image"
    assert "cannot be read: File name too long" in problem.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_what_is_no_plain_file_is_none(tmp_path: Path) -> None:
    """A directory cannot be read, and to open a pipe would wait for who writes into it."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InvalidInputError, match="nothing was sent") as caught:
            checked(SCHEMA, {"image": path}, "acme/draw")
        assert "there is no file" in caught.value.problems[0].message


@pytest.mark.parametrize("kind", ["path", "bytes"])
async def test_a_caller_who_gives_up_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A server that runs for months would fill its disk with them."""
    storage = LocalStorage(tmp_path / "artifacts")
    await storage.open()
    content = b"x" * 3_000_000
    (tmp_path / "a.bin").write_bytes(content)
    given: dict[str, Any] = {"image": tmp_path / "a.bin" if kind == "path" else content}
    begun = asyncio.Event()
    name = storage._name_temporary
    loop = asyncio.get_running_loop()

    def noted() -> Path:
        loop.call_soon_threadsafe(begun.set)
        return name()

    monkeypatch.setattr(storage, "_name_temporary", noted)
    task = asyncio.create_task(ingested(SCHEMA, given, storage))
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await storage.close()
    assert not [path for path in storage.root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("key", [f"{'0' * 64}.png", "pending", "../../etc/passwd", ""])
async def test_an_artifact_that_is_not_there_is_a_problem_of_its_input(
    tmp_path: Path, key: str
) -> None:
    """At once: a submit that cannot read it is held up, as if it could be read some day."""
    storage = LocalStorage(tmp_path / "artifacts")
    await storage.open()
    given: dict[str, Any] = {"image": f"artifact:{key}"}
    with pytest.raises(InvalidInputError) as caught:
        await ingested(SCHEMA, checked(SCHEMA, given, "acme/draw"), storage)
    assert caught.value.problems[0].where == "image"
    assert "there is no file 'artifact:" in caught.value.problems[0].message
    await storage.close()
