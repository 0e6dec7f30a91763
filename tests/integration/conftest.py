"""A scripted provider, and a host that knows it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from boards import Boards
from boards.events import EVENT_DATA, Happening
from boards.store import transitions
from tests.integration.acme import Acme, generator

Open = Callable[..., AbstractAsyncContextManager[Boards]]


@pytest.fixture(autouse=True)
def _events_are_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test brings about: no event is kept whose data is not as the table says."""
    rows = transitions._event_rows

    def checked(happenings: Sequence[Happening]) -> list[tuple[str, str | None]]:
        for one in happenings:
            declared = get_type_hints(EVENT_DATA[one.type])
            assert set(one.data) == {*declared}, f"{one.type} is told with {[*one.data]}"
            for key, kind in declared.items():
                values = get_args(kind) if get_origin(kind) is Literal else [one.data[key]]
                assert one.data[key] in values, f"{one.type} says {one.data[key]!r}: {values}"
        return rows(happenings)

    monkeypatch.setattr(transitions, "_event_rows", checked)


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
        artifact_type: str = "image",
        **settings: Any,
    ) -> Boards:
        spec = generator(**(execution or {})) | {"artifact_type": artifact_type}
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
