"""The command line in this process: arguments in, exit code and both streams out."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from boards.cli.app import boards


@frozen
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Run a command in an empty directory, with a home of its own and no keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOARDS_HOME", str(tmp_path / "home"))
    for name in ("REPLICATE_API_TOKEN", "FAL_KEY", "BOARDS_DEBUG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Ran:
        code = boards.main(list(arguments), prog_name="boards", standalone_mode=False)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def harmless_signals() -> Iterator[None]:
    """A signal that nobody takes does not end the tests."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)
