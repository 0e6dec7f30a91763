"""Pruning through the facade and the command line, while others generate."""

import asyncio
import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

import boards.sync
from boards import Boards
from boards.cli.app import boards as command
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
