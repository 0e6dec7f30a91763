"""A scripted provider, and a host that knows it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from boards import Boards
from tests.integration.acme import Acme, generator

Open = Callable[..., AbstractAsyncContextManager[Boards]]


@pytest.fixture
async def acme() -> AsyncIterator[Acme]:
    """A provider that a test scripts."""
    async with Acme() as provider:
        yield provider


@pytest.fixture
def open_boards(acme: Acme, tmp_path: Path) -> Open:
    """Open a host on one home directory; twice is a restart."""

    def open_(
        *,
        provider: dict[str, Any] | None = None,
        execution: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        synchronous: bool = False,
        **settings: Any,
    ) -> Boards:
        spec = generator(**(execution or {}))
        spec["execution"] = _stated(spec["execution"])
        if synchronous:
            del spec["execution"]["poll"], spec["execution"]["result"]
        return Boards(
            home=tmp_path / "home",
            environment={"ACME_KEY": "acme-secret-key"} if environment is None else environment,
            providers={"acme": _stated(acme.provider(**(provider or {})))},
            generators=[spec],
            **{"allow_private_hosts": True, **settings},
        )

    return open_


def _stated(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec without the keys that a test took out, by None."""
    return {key: value for key, value in spec.items() if value is not None}
