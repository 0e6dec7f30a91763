"""The facade as one caller sees it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from boards.facade import Facade

if TYPE_CHECKING:
    import builtins

    from boards.auth import Identity
    from boards.boards import Boards
    from boards.budgets import CostGroup, Grouping
    from boards.choosing import Options, Prepared
    from boards.dsl import Generator
    from boards.engine.engine import Engine
    from boards.pipelines.running import Conductor

__all__ = ["ScopedBoards"]


class ScopedBoards(Facade):
    """An open :class:`boards.Boards` as one owner sees it; made by :meth:`boards.Boards.as_owner`.

    All calls are those of :class:`boards.Boards`, each for this owner alone: what is somebody
    else's is not found, not listed, not counted, and no file of it can be an input. What an
    operator does (pruning, collecting garbage, webhooks, asking providers) is not here.

    It shares the engine of the host, and lives as long as that is open. Who it acts for is settled
    when it is made: a token that expires later changes nothing. Make one for each request.

    Attributes:
        identity: Whom it acts for.
    """

    def __init__(self, host: "Boards", identity: "Identity") -> None:
        self._host = host
        self.identity = identity
        self.scope = identity.scope
        self.settings = host.settings
        self.registry = host.registry

    def __repr__(self) -> str:
        return f"<ScopedBoards {self.scope!r}>"

    @property
    def _running(self) -> "Engine":
        return self._host._running

    @property
    def _pipelines(self) -> "Conductor":
        return self._host._pipelines

    async def _prepared(
        self,
        name: "str | Generator",
        given: Mapping[str, Any] | None,
        inputs: Mapping[str, Any],
        options: "Options",
    ) -> "Prepared":
        return await self._host._prepared(name, given, inputs, options)

    async def costs(
        self,
        *,
        since: datetime | timedelta | None = None,
        until: datetime | None = None,
        group_by: "Grouping" = "provider",
    ) -> "builtins.list[CostGroup]":
        """What this owner spent, and what is reserved: as :meth:`boards.Boards.costs`."""
        return await self._costs(since, until, group_by, self.scope)
