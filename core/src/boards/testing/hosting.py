"""What the fixtures of :mod:`pytest_boards` do: a home of a test's own, and its providers."""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from boards.errors import NotFoundError, SettingsError
from boards.testing.paid_provider import (
    PaidAccount,
    PaidProvider,
    generator_document,
    provider_document,
)

if TYPE_CHECKING:
    import pytest

    from boards.testing.emulators.server import Emulator, Knobs

__all__ = ["emulated", "paid_account", "prepare_home"]

_CREDENTIAL: Final = re.compile(
    r"(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(_|$)", re.IGNORECASE
)
"""The names of variables whose values no test may spend."""

_QUICK: Final = {"queue_seconds": 0.0, "run_seconds": 0.05}
"""What an emulator's jobs take, unless a test says otherwise: it has better to do than wait."""


def prepare_home(folder: Path, cache: Path, monkeypatch: "pytest.MonkeyPatch") -> Path:
    """Make a home and an empty working directory, and take what is this machine's own away.

    Args:
        folder: Where both are made.
        cache: The index of what is installed; tests may share it.
        monkeypatch: Undone at the test's end.

    Returns:
        The home.
    """
    home, work = folder / "boards-home", folder / "boards-work"
    home.mkdir()
    work.mkdir()
    for name in list(os.environ):
        if name.startswith("BOARDS_") or _CREDENTIAL.search(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BOARDS_HOME", str(home))
    monkeypatch.setenv("BOARDS_CACHE", str(cache))
    monkeypatch.chdir(work)
    return home


@contextlib.contextmanager
def emulated(
    name: str,
    knobs: Mapping[str, Any],
    home: Path,
    beside: Path,
    monkeypatch: "pytest.MonkeyPatch",
) -> "Iterator[Emulator]":
    """Run a provider's emulator, and set up a home for it.

    Args:
        name: A provider that is installed, or a YAML file.
        knobs: How it behaves.
        home: Of the test.
        beside: The directory that the file's path starts from.
        monkeypatch: Undone at the test's end.

    Raises:
        NotFoundError: There is no such provider.
        SettingsError: The extra that emulators need is not installed.
        SpecError: The file has mistakes.
    """
    try:
        from boards.testing.emulators.server import Knobs, running  # noqa: PLC0415  # an extra

        made = _emulator(name, Knobs(**{**_QUICK, **knobs}), home, beside)
    except ImportError as error:
        raise SettingsError(
            f"The emulators need more than is installed: {error}.",
            remedy='pip install "boards-core[emulators]"',
        ) from error
    with running(made) as emulator:
        document = _document(beside / name) if _is_file(name) else {}
        # What a file defines is written out; what is installed is only pointed elsewhere.
        own = document.get("providers", {}).get(emulator.name, {"type": emulator.name})
        instance = {**own, "config": {**own.get("config", {}), **emulator.config}}
        _add(home, {emulator.name: instance}, document.get("generators", []))
        _admit(emulator.base_url, emulator.env, monkeypatch)
        yield emulator


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _document(path: Path) -> dict[str, Any]:
    from boards.spec import yaml  # noqa: PLC0415
    from boards.spec.places import Problems, plain  # noqa: PLC0415

    read = yaml.parse(path.read_text(encoding="utf-8"), path.name, Problems())
    found: dict[str, Any] = plain(read.root) if read is not None else {}
    return found


def _emulator(name: str, knobs: "Knobs", home: Path, beside: Path) -> "Emulator":
    from boards.testing.emulators.server import EMULATORS, load  # noqa: PLC0415

    if name in EMULATORS:
        return load(name)(knobs)
    from boards.testing.emulators.declared import DeclaredEmulator  # noqa: PLC0415

    if _is_file(name):
        path = beside / name
        if not path.is_file():
            raise NotFoundError(f"There is no file {path}.", remedy="Name it from the test's file.")
        return DeclaredEmulator.of_files([path], knobs)
    from boards import Boards  # noqa: PLC0415

    return DeclaredEmulator.of(Boards(home=home, drive=False).registry, name, knobs)


def paid_account(
    provider: PaidProvider, name: str, home: Path, monkeypatch: "pytest.MonkeyPatch"
) -> PaidAccount:
    """Open an account at a paid provider, and set up a home for it.

    Args:
        provider: Where.
        name: Whose it is; an account for each.
        home: Of the test.
        monkeypatch: Undone at the test's end.
    """
    account = PaidAccount(provider, re.sub(r"\W+", "-", name).strip("-"))
    _add(home, {"paid": provider_document(account.url)}, [generator_document("paid")])
    _admit(account.url, account.env, monkeypatch)
    return account


def _add(home: Path, providers: Mapping[str, Any], generators: list[Any]) -> None:
    """Add to the home's files, which hold what the test's other providers need."""

    def known(name: str) -> Any:
        path = home / f"{name}.yaml"  # JSON is YAML
        return json.loads(path.read_text())[name] if path.exists() else ()

    merged = {
        "providers": {**dict(known("providers")), **providers},
        "generators": [*known("generators"), *generators],
    }
    for name, value in merged.items():
        (home / f"{name}.yaml").write_text(json.dumps({name: value}))


def _admit(url: str, env: Mapping[str, str], monkeypatch: "pytest.MonkeyPatch") -> None:
    """Let Boards connect to a provider on loopback, with its credentials."""
    known = os.environ.get("BOARDS_ALLOW_PRIVATE_HOSTS", "")
    hosts = [*filter(None, known.split(",")), urlsplit(url).netloc]
    monkeypatch.setenv("BOARDS_ALLOW_PRIVATE_HOSTS", ",".join(hosts))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
