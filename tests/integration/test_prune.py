"""Pruning through the facade and the command line, while others generate."""

import asyncio
import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

import boards.sync
from boards import Boards, Generation, NotFoundError
from boards.cli.app import boards as command
from boards.pipelines import Pipeline
from tests.integration.acme import Acme
from tests.integration.conftest import Open


def run(*arguments: str) -> int:
    """A command in this process; its exit code."""
    return int(command.main(list(arguments), prog_name="boards", standalone_mode=False))


def age(home: Path) -> None:
    """As if all that is over had ended two days earlier."""
    database = sqlite3.connect(home / "boards.db")
    database.execute(
        "UPDATE generations SET created_at = created_at - 172800,"
        " finished_at = finished_at - 172800"
    )
    database.commit()
    database.close()


async def test_old_generations_go_and_their_files_follow(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """The costs stay; what ended a moment ago stays, whatever was asked for."""
    async with open_boards() as boards:
        old = await boards.generate("acme/draw", prompt="old")
        age(tmp_path / "home")
        young = await boards.generate("acme/draw", prompt="young")
        assert await boards.prune() == 0
        assert await boards.prune(older_than=timedelta(days=1), dry_run=True) == 1
        costs = await boards.costs()
        assert await boards.prune(older_than=timedelta(0), keep=2) == 0
        assert await boards.prune(older_than=timedelta(0)) == 1
        assert [one.id for one in await boards.list()] == [young.id]
        assert await boards.costs() == costs
        assert (await boards.collect_garbage(grace=timedelta(0))).kept >= 1
        assert old.id != young.id


async def test_another_process_prunes_while_this_one_generates(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """Nothing that is under way is lost, nothing fails for it."""
    home = tmp_path / "home"
    async with open_boards() as boards:
        await asyncio.gather(*(boards.generate("acme/draw", prompt=str(n)) for n in range(20)))
        age(home)
        async with Boards(home=home, environment={}, drive=False) as other:
            made, pruned = await asyncio.gather(
                asyncio.gather(*(boards.generate("acme/draw", prompt=str(n)) for n in range(20))),
                other.prune(older_than=timedelta(days=1)),
            )
        assert pruned == 20
        assert {one.id for one in await boards.list()} == {one.id for one in made}
        assert all(one.status == "succeeded" for one in made)


async def test_a_run_of_a_pipeline_goes_with_the_last_of_its_generations(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """Before that it stays, and names the steps whose generations are gone."""
    pair = Pipeline("pair")
    first = pair.step("first", "acme/draw", prompt="a")
    pair.step("second", "acme/draw", prompt="b", image=first.artifacts[0])
    home = tmp_path / "home"
    async with open_boards() as boards:
        run = await boards.run(pair, dedupe_key="k")
        age(home)
        database = sqlite3.connect(home / "boards.db")
        database.execute("UPDATE pipeline_runs SET created_at = 1, finished_at = 1")
        database.commit()
        database.close()
        assert await boards.prune(older_than=timedelta(days=1), keep=1) == 1
        left = await boards.get_run(run.id)
        assert left["first"].generation_id is not None
        assert [step.generation is None for step in left.steps] == [True, False]
        assert await boards.prune(older_than=timedelta(days=1), dry_run=True) == 1
        assert await boards.runs() != []
        young = await boards.run(pair)
        assert await boards.prune(older_than=timedelta(days=1)) == 1
        assert [one.id for one in await boards.runs()] == [young.id]
        again = await boards.start_run(pair, dedupe_key="k")
        assert again.id != run.id
        await boards.wait_run(again.id)
    database = sqlite3.connect(home / "boards.db")
    assert database.execute("SELECT count(DISTINCT run) FROM pipeline_steps").fetchone() == (2,)
    database.close()


def delete(home: Path) -> None:
    """As another process that prunes does it."""
    database = sqlite3.connect(home / "boards.db")
    for table in ("inputs", "attempts", "events", "generations"):
        database.execute(f"DELETE FROM {table}")
    database.commit()
    database.close()


async def test_who_waits_for_what_was_pruned_is_told(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """A process that slept through the end, and through the minute after it, waits for nothing."""
    async with open_boards(drive=False) as boards:
        one = await boards.submit("acme/draw", prompt="a")
        waiting = asyncio.create_task(boards.wait(one.id))
        watching = asyncio.create_task(_types(boards, one.id))
        await asyncio.sleep(0.2)
        delete(tmp_path / "home")
        with pytest.raises(NotFoundError, match="pruned"):
            await asyncio.wait_for(waiting, 5)
        assert await asyncio.wait_for(watching, 5) == ["queued"]


async def test_a_wait_that_begins_as_the_row_goes_is_told(
    acme: Acme, open_boards: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the generation and the wait for it."""
    async with open_boards() as boards:
        one = await boards.generate("acme/draw", prompt="a")
        get = boards.get

        async def slow(generation_id: str) -> Generation:
            found = await get(generation_id)
            delete(tmp_path / "home")
            return found

        monkeypatch.setattr(boards, "get", slow)
        with pytest.raises(NotFoundError, match="pruned"):
            await asyncio.wait_for(boards.wait(one.id), 5)


async def _types(boards: Boards, generation_id: str) -> list[str]:
    return [event.type async for event in boards.events(generation_id)]


async def test_the_command_prunes(
    acme: Acme,
    open_boards: Open,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`boards generations --prune`, beside a process that drives; its options need it."""
    home = str(tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    prune = ("--home", home, "generations", "--prune", "--older-than", "1d")
    assert await asyncio.to_thread(run, *prune) == 0  # there is no database, nor is one made
    assert not (tmp_path / "home").exists()
    async with open_boards() as boards:
        await boards.generate("acme/draw", prompt="old")
        age(tmp_path / "home")
        capsys.readouterr()
        assert await asyncio.to_thread(run, *prune, "--dry-run") == 0
        assert capsys.readouterr().out == "1 would be deleted\n"
        assert await asyncio.to_thread(run, *prune, "--keep", "1", "--json") == 0
        assert json.loads(capsys.readouterr().out) == {"pruned": 0, "dry_run": False}
        assert await asyncio.to_thread(run, *prune) == 0
        out, err = capsys.readouterr()
        assert out == "1 deleted\n"
        assert "boards gc" in err
    assert await asyncio.to_thread(run, *prune, "--status", "failed") == 2
    assert await asyncio.to_thread(run, "--home", home, "generations", "--keep", "3") == 2
    assert await asyncio.to_thread(run, *prune[:-1], "long") == 2


def test_without_await(tmp_path: Path) -> None:
    """`boards.sync` has it, too."""
    with boards.sync.Boards(home=tmp_path, environment={}) as host:
        assert host.prune(older_than=timedelta(days=1), keep=3) == 0
